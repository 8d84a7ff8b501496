/* Adds properties to every message and passes the rest on unchanged.
 *
 * `args` is an object of texts, the properties to add: {"site": "lab"}. A single text becomes the property `annotation`.
 * Property `annotated-by` is added in any case. A property that the message already has is replaced. */

#include <stdio.h>
#include <string.h>

#include "sandgate.h"
#include "sandgate_json.h"

#define EXAMPLE "{\"site\": \"lab\"}"

static sandgate_json *args;

static const char *not_usable(const char *key, const sandgate_json *found, const char *wanted) {
    return sandgate_reason("%s: found %.*s, wanted %s; write for example " EXAMPLE, key, (int)found->source_size,
                           found->source, wanted);
}

const char *module_create(const char *configuration) {
    const char *reason = NULL;
    args = sandgate_json_read(configuration, strlen(configuration), &reason);
    if (args == NULL) return sandgate_reason("args: found %s; write for example " EXAMPLE, reason);
    if (args->kind == SANDGATE_JSON_NULL || args->kind == SANDGATE_JSON_STRING) return NULL;
    if (args->kind != SANDGATE_JSON_OBJECT) return not_usable("args", args, "an object of texts, or one text");
    for (const sandgate_json *m = sandgate_json_first(args); m != NULL; m = sandgate_json_next(args, m)) {
        /* A property cannot have U+0000, where a text in C ends. */
        if (m->kind != SANDGATE_JSON_STRING || strlen(m->string) != m->string_size) {
            char key[100];
            (void)snprintf(key, sizeof key, "args.%s", m->key);
            return not_usable(key, m, "a text, in quotes");
        }
    }
    return NULL;
}

void module_start(void) {}

const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery) {
    (void)delivery;
    sandgate_set_property(message, "annotated-by", "annotate");
    if (args->kind == SANDGATE_JSON_STRING) sandgate_set_property(message, "annotation", args->string);
    for (const sandgate_json *m = sandgate_json_first(args); m != NULL; m = sandgate_json_next(args, m)) {
        sandgate_set_property(message, m->key, m->string);
    }
    return sandgate_publish(message);
}

void module_destroy(void) { sandgate_json_free(args); }
