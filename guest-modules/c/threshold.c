/* Moving average of a number in JSON messages, with an alert above a threshold.
 *
 * `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to average;
 * `above`, the threshold. What is published has the incoming message's properties, `average` and `alert` (`true` or
 * `false`), and as content {"value": …, "average": …, "above": …}. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandgate.h"
#include "sandgate_json.h"

#define EXAMPLE "{\"pointer\": \"/cpu/usage\", \"window\": 5, \"above\": 0.8}"
/* Keeps a mistyped window from filling the sandbox's memory. */
enum { LARGEST_WINDOW = 100000 };

static sandgate_text pointer;
static uint64_t window;
static double above;

static const sandgate_field FIELDS[] = {
    {"pointer", SANDGATE_TEXT, &pointer},
    {"window", SANDGATE_COUNT, &window},
    {"above", SANDGATE_NUMBER, &above},
};

/* The last numbers; the oldest is replaced where the window is full. */
static double *numbers;
static uint64_t count;

const char *module_create(const char *configuration) {
    const char *const reason = sandgate_configuration(configuration, EXAMPLE, FIELDS, 3);
    if (reason != NULL) return reason;
    if (*pointer.bytes != 0 && *pointer.bytes != '/') {
        return sandgate_reason("args.pointer: found %s, wanted a JSON pointer, which begins with `/`; write for example %s",
                               pointer.bytes, EXAMPLE);
    }
    if (window == 0 || window > LARGEST_WINDOW) {
        return sandgate_reason("args.window: found %llu, wanted a number of messages from 1 to %d; write for example %s",
                               (unsigned long long)window, LARGEST_WINDOW, EXAMPLE);
    }
    numbers = calloc(window, sizeof *numbers);
    if (numbers == NULL) sandgate_panic("out of memory for a window of %llu numbers", (unsigned long long)window);
    return NULL;
}

void module_start(void) {}

static const char *number_in(const sandgate_json *content, double *number) {
    const sandgate_json *const found = sandgate_json_at(content, pointer.bytes);
    if (found == NULL) return sandgate_reason("%s: the content has nothing there", pointer.bytes);
    if (found->kind != SANDGATE_JSON_NUMBER) {
        return sandgate_reason("%s: found %.*s, wanted a number", pointer.bytes, (int)found->source_size, found->source);
    }
    *number = found->number;
    return NULL;
}

static double averaged(double number) {
    numbers[count++ % window] = number;
    const uint64_t filled = count < window ? count : window;
    double sum = 0;
    /* From the oldest, and anew each time: a running sum would keep the rounding errors of numbers long gone. */
    for (uint64_t i = count - filled; i < count; i++) sum += numbers[i % window];
    return sum / (double)filled;
}

/* Four digits after the point: more would only be noise to whoever reads it. */
static double rounded(double number) {
    const double scaled = round(number * 10000);
    return isfinite(scaled) ? scaled / 10000 : number;
}

const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery) {
    (void)delivery;
    size_t size;
    const char *const content = sandgate_content(message, &size);
    const char *reason;
    sandgate_json *const json = sandgate_json_read(content, size, &reason);
    if (json == NULL) return sandgate_reason("the content is no JSON: %s", reason);
    double value;
    reason = number_in(json, &value);
    sandgate_json_free(json);
    if (reason != NULL) return reason;

    const double average = averaged(value);
    char texts[3][SANDGATE_NUMBER_SIZE], published[200];
    const char *const average_text = sandgate_json_number(texts[0], rounded(average));
    sandgate_set_property(message, "average", average_text);
    sandgate_set_property(message, "alert", average > above ? "true" : "false");
    const int length = snprintf(published, sizeof published, "{\"value\":%s,\"average\":%s,\"above\":%s}",
                                sandgate_json_number(texts[1], rounded(value)), average_text,
                                sandgate_json_number(texts[2], above));
    sandgate_set_content(message, published, (size_t)length);
    return sandgate_publish(message);
}

void module_destroy(void) {
    free(numbers);
    free(pointer.bytes);
}
