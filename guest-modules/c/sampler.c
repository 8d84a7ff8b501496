/* A source: publishes a numbered message on a timer.
 *
 * `args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop (never,
 * where it is missing). Property `n` of a message is its number, from 1. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandgate.h"
#include "sandgate_json.h"

#define EXAMPLE "{\"interval.ms\": 100, \"text\": \"tick\", \"count\": 10}"

static uint64_t interval;
static sandgate_text text;
static uint64_t count = UINT64_MAX;
static uint64_t published;

static const sandgate_field FIELDS[] = {
    {"interval.ms", SANDGATE_COUNT, &interval},
    {"text", SANDGATE_TEXT, &text},
    {"count", SANDGATE_COUNT, &count, .optional = true},
};

const char *module_create(const char *configuration) {
    const char *const reason = sandgate_configuration(configuration, EXAMPLE, FIELDS, 3);
    if (reason != NULL) return reason;
    if (interval == 0) {
        return sandgate_reason("args.interval.ms: found 0, wanted 1 or more milliseconds; write for example %s", EXAMPLE);
    }
    return NULL;
}

void module_start(void) {
    sandgate_timer timer;
    const char *const reason = count == 0 ? NULL : sandgate_every(interval, &timer);
    if (reason != NULL) sandgate_log(SANDGATE_ERROR, "%s", reason);
}

const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery) {
    (void)message, (void)delivery;
    return "a sampler is a source and takes no messages: remove the link that leads to it";
}

void module_on_timer(sandgate_timer timer) {
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRIu64, ++published);
    sandgate_message *const message = sandgate_message_new();
    sandgate_set_property(message, "n", number);
    sandgate_set_content(message, text.bytes, text.size);
    const char *const reason = sandgate_publish(message);
    if (reason != NULL) sandgate_log(SANDGATE_WARN, "%s", reason);
    sandgate_message_free(message);
    if (published == count) sandgate_cancel(timer);
}

void module_destroy(void) { free(text.bytes); }
