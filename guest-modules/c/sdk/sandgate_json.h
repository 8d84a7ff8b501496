/* Reading JSON: configurations into variables, and contents as values. Strict: what RFC 8259 does not allow is refused,
 * so are bytes that are no UTF-8, keys with U+0000, numbers that no double can hold, and more than 128 levels. */

#ifndef SANDGATE_JSON_H
#define SANDGATE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Configurations ---- */

/* A text with NUL behind it. It may have NULs within. */
typedef struct sandgate_text {
    char *bytes;
    size_t size;
} sandgate_text;

typedef enum sandgate_type {
    SANDGATE_TEXT,   /* sandgate_text, which lives until the module's end */
    SANDGATE_NUMBER, /* double */
    SANDGATE_COUNT,  /* uint64_t, a whole number from 0 */
    SANDGATE_FLAG    /* bool */
} sandgate_type;

/* One key of a configuration. A variable whose key is missing stays as it is, if that is allowed. */
typedef struct sandgate_field {
    const char *key;
    sandgate_type type;
    void *variable;
    bool optional;
} sandgate_field;

/* Reads a configuration, an object with these keys and no others. The reason names the key, and shows `example`. */
const char *sandgate_configuration(const char *text, const char *example, const sandgate_field *fields, size_t count);

/* ---- Values ---- */

typedef enum sandgate_json_kind {
    SANDGATE_JSON_NULL,
    SANDGATE_JSON_BOOL,
    SANDGATE_JSON_NUMBER,
    SANDGATE_JSON_STRING,
    SANDGATE_JSON_ARRAY,
    SANDGATE_JSON_OBJECT
} sandgate_json_kind;

typedef struct sandgate_json {
    sandgate_json_kind kind;
    const char *key;    /* in an object; else NULL */
    const char *string; /* of a string, with NUL behind it; else NULL */
    size_t string_size;
    double number;      /* of a number; 1 of true; else 0 */
    const char *source; /* as it was written, without NUL behind it */
    size_t source_size;
    size_t span;    /* how many values it is, with those within it: the next one stands so many further on */
    size_t members; /* how many values stand directly within it */
} sandgate_json;

/* Reads a text of so many bytes. NULL with a reason for what is no JSON. Everything that belongs to the value is freed
 * with it. */
sandgate_json *sandgate_json_read(const char *text, size_t size, const char **reason);
void sandgate_json_free(sandgate_json *json);

/* What stands within an array or object, one after the other; NULL behind the last one. */
const sandgate_json *sandgate_json_first(const sandgate_json *json);
const sandgate_json *sandgate_json_next(const sandgate_json *json, const sandgate_json *member);

/* The value of a key, the last one of several; NULL where there is none. */
const sandgate_json *sandgate_json_get(const sandgate_json *json, const char *key);

/* What a JSON pointer (RFC 6901) leads to, as in `/cpu/usage`; NULL where there is nothing. */
const sandgate_json *sandgate_json_at(const sandgate_json *json, const char *pointer);

/* Writes a number as JSON, with as few digits as it can be read back from. */
#define SANDGATE_NUMBER_SIZE 32
const char *sandgate_json_number(char text[SANDGATE_NUMBER_SIZE], double number);

#ifdef __cplusplus
}
#endif

#endif
