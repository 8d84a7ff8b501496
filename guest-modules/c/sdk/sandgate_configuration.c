/* Reading a module's `args` into its variables. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandgate.h"
#include "sandgate_json.h"

static const char *wanted(sandgate_type type) {
    switch (type) {
        case SANDGATE_TEXT: return "a text, in quotes";
        case SANDGATE_NUMBER: return "a number";
        case SANDGATE_COUNT: return "a whole number from 0";
        default: return "true or false";
    }
}

/* Whether the value is of the type; then the variable has it. */
static bool put(const sandgate_json *value, const sandgate_field *field) {
    switch (field->type) {
        case SANDGATE_TEXT:
            if (value->kind != SANDGATE_JSON_STRING) return false;
            sandgate_text *const text = field->variable;
            *text = (sandgate_text){.bytes = malloc(value->string_size + 1), .size = value->string_size};
            if (text->bytes == NULL) sandgate_panic("out of memory for args.%s", field->key);
            memcpy(text->bytes, value->string, text->size + 1);
            return true;
        case SANDGATE_NUMBER:
            *(double *)field->variable = value->number;
            return value->kind == SANDGATE_JSON_NUMBER;
        case SANDGATE_COUNT:
            if (value->kind != SANDGATE_JSON_NUMBER) return false;
            for (size_t i = 0; i < value->source_size; i++) {
                if (value->source[i] < '0' || value->source[i] > '9') return false;
            }
            errno = 0;
            *(uint64_t *)field->variable = strtoull(value->source, NULL, 10);
            return errno == 0;
        default:
            *(bool *)field->variable = value->number != 0;
            return value->kind == SANDGATE_JSON_BOOL;
    }
}

static const char *unknown(const char *key, const char *example, const sandgate_field *fields, size_t count) {
    const char *names = sandgate_reason("%s", count == 0 ? "none" : fields[0].key);
    for (size_t i = 1; i < count; i++) names = sandgate_reason("%s, %s", names, fields[i].key);
    return sandgate_reason("args.%s: there is no such key, only %s; write for example %s", key, names, example);
}

static const char *read_object(const sandgate_json *json, const char *example, const sandgate_field *fields,
                               size_t count) {
    if (json->kind != SANDGATE_JSON_OBJECT) {
        return sandgate_reason("args: found %.*s, wanted an object; write for example %s", (int)json->source_size,
                               json->source, example);
    }
    for (const sandgate_json *m = sandgate_json_first(json); m != NULL; m = sandgate_json_next(json, m)) {
        size_t i = 0;
        while (i < count && strcmp(fields[i].key, m->key) != 0) i++;
        if (i == count) return unknown(m->key, example, fields, count);
    }
    for (size_t i = 0; i < count; i++) {
        const sandgate_json *const value = sandgate_json_get(json, fields[i].key);
        if (value == NULL || (value->kind == SANDGATE_JSON_NULL && fields[i].optional)) {
            if (fields[i].optional) continue;
            return sandgate_reason("args: the key `%s` is missing; write for example %s", fields[i].key, example);
        }
        if (!put(value, &fields[i])) {
            return sandgate_reason("args.%s: found %.*s, wanted %s; write for example %s", fields[i].key,
                                   (int)value->source_size, value->source, wanted(fields[i].type), example);
        }
    }
    return NULL;
}

const char *sandgate_configuration(const char *text, const char *example, const sandgate_field *fields, size_t count) {
    const char *reason = NULL;
    sandgate_json *const json = sandgate_json_read(text, strlen(text), &reason);
    if (json == NULL) return sandgate_reason("args: found %s; write for example %s", reason, example);
    reason = read_object(json, example, fields, count);
    sandgate_json_free(json);
    return reason;
}
