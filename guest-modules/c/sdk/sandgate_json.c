/* A strict reader of JSON. All values of a text stand in one array, each before those within it. */

#include "sandgate_json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandgate.h"

enum { DEEPEST = 128 };

/* A text that is being read. */
typedef struct reader {
    const char *at;
    const char *end;
    const char *begin;
    char *texts; /* where the next string goes: together they are shorter than what they are read from */
    sandgate_json *values;
    size_t count;
    size_t room;
    const char *wrong;
} reader;

static bool value(reader *r, const char *key, int depth);

static bool fail(reader *r, const char *wrong) {
    r->wrong = wrong;
    return false;
}

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

static bool take(reader *r, char wanted) {
    if (r->at == r->end || *r->at != wanted) return false;
    r->at++;
    return true;
}

static bool word(reader *r, const char *wanted) {
    const size_t size = strlen(wanted);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, wanted, size) != 0) return fail(r, "an unknown word");
    r->at += size;
    return true;
}

static bool digits(reader *r) {
    const char *const first = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > first;
}

/* What follows is the text's own copy, which ends in NUL, so strtod stops where this does. */
static bool number(reader *r, double *result) {
    const char *const first = r->at;
    (void)take(r, '-');
    if (!take(r, '0') && !digits(r)) return fail(r, "a number without digits");
    if (take(r, '.') && !digits(r)) return fail(r, "a number without digits behind its point");
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (!take(r, '-')) (void)take(r, '+');
        if (!digits(r)) return fail(r, "a number without digits in its exponent");
    }
    *result = strtod(first, NULL);
    return isfinite(*result) || fail(r, "a number out of range");
}

static bool hex(reader *r, uint32_t *code) {
    *code = 0;
    if (r->end - r->at < 4) return fail(r, "an escape that is cut off");
    for (int i = 0; i < 4; i++) {
        const char c = *r->at++;
        const char *const all = "0123456789abcdef";
        const char *const found = c == 0 ? NULL : strchr(all, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
        if (found == NULL) return fail(r, "an escape that is no hexadecimal number");
        *code = *code * 16 + (uint32_t)(found - all);
    }
    return true;
}

static void put(reader *r, uint32_t code) {
    if (code < 0x80) {
        *r->texts++ = (char)code;
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const uint32_t marks[] = {0, 0xC0, 0xE0, 0xF0};
    *r->texts++ = (char)(marks[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; i--) *r->texts++ = (char)(0x80 | (code >> (6 * i) & 0x3F));
}

static bool escape(reader *r) {
    static const char NAMES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end) return fail(r, "a string without its end");
    const char c = *r->at++;
    const char *const found = c == 0 ? NULL : strchr(NAMES, c);
    if (found != NULL) {
        *r->texts++ = MEANT[found - NAMES];
        return true;
    }
    uint32_t code, low;
    if (c != 'u') return fail(r, "an unknown escape");
    if (!hex(r, &code)) return false;
    if (code >= 0xDC00 && code < 0xE000) return fail(r, "half of a surrogate pair");
    if (code >= 0xD800 && code < 0xDC00) {
        if (!take(r, '\\') || !take(r, 'u')) return fail(r, "half of a surrogate pair");
        if (!hex(r, &low)) return false;
        if (low < 0xDC00 || low >= 0xE000) return fail(r, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    put(r, code);
    return true;
}

/* One character beyond ASCII, whose bytes must be the shortest that mean it. */
static bool utf8(reader *r) {
    const unsigned char first = (unsigned char)*r->at;
    const int more = first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : 0;
    static const uint32_t SMALLEST[] = {0, 0x80, 0x800, 0x10000};
    if (more == 0 || r->end - r->at <= more) return fail(r, "bytes that are no UTF-8");
    uint32_t code = first & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) {
        const unsigned char next = (unsigned char)r->at[i];
        if ((next & 0xC0) != 0x80) return fail(r, "bytes that are no UTF-8");
        code = code << 6 | (next & 0x3F);
    }
    if (code < SMALLEST[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return fail(r, "bytes that are no UTF-8");
    }
    r->at += more + 1;
    put(r, code);
    return true;
}

static bool string(reader *r, const char **result, size_t *size) {
    if (!take(r, '"')) return fail(r, "something else where a string must be");
    *result = r->texts;
    while (r->at < r->end) {
        const unsigned char c = (unsigned char)*r->at;
        if (c < 0x20) return fail(r, "a control character in a string");
        if (c >= 0x80) {
            if (!utf8(r)) return false;
            continue;
        }
        r->at++;
        if (c == '"') {
            *size = (size_t)(r->texts - *result);
            *r->texts++ = 0;
            return true;
        }
        if (c != '\\') {
            *r->texts++ = (char)c;
        } else if (!escape(r)) {
            return false;
        }
    }
    return fail(r, "a string without its end");
}

/* The members of an array, or of an object, up to the closing mark. */
static bool members(reader *r, size_t owner, int depth) {
    const bool object = r->values[owner].kind == SANDGATE_JSON_OBJECT;
    const char close = object ? '}' : ']';
    skip_space(r);
    if (take(r, close)) return true;
    do {
        const char *key = NULL;
        if (object) {
            skip_space(r);
            size_t size;
            if (!string(r, &key, &size)) return false;
            if (strlen(key) != size) return fail(r, "a key with U+0000");
            skip_space(r);
            if (!take(r, ':')) return fail(r, "a key without a colon");
        }
        if (!value(r, key, depth + 1)) return false;
        r->values[owner].members++;
        skip_space(r);
    } while (take(r, ','));
    return take(r, close) || fail(r, "something else where a comma or the end must be");
}

static bool value(reader *r, const char *key, int depth) {
    if (depth > DEEPEST) return fail(r, "more than 128 levels");
    if (r->count == r->room) {
        r->room = r->room * 2 + 16;
        r->values = realloc(r->values, r->room * sizeof *r->values);
        if (r->values == NULL) sandgate_panic("out of memory for %zu JSON values", r->room);
    }
    skip_space(r);
    if (r->at == r->end) return fail(r, "an end where a value must be");
    const size_t own = r->count++;
    const char *const source = r->at;
    sandgate_json json = {.key = key, .source = source};
    bool good;
    switch (*r->at) {
        case '{': json.kind = SANDGATE_JSON_OBJECT; break;
        case '[': json.kind = SANDGATE_JSON_ARRAY; break;
        case '"': json.kind = SANDGATE_JSON_STRING; break;
        case 't':
        case 'f': json.kind = SANDGATE_JSON_BOOL; break;
        case 'n': json.kind = SANDGATE_JSON_NULL; break;
        default: json.kind = SANDGATE_JSON_NUMBER; break;
    }
    switch (json.kind) {
        case SANDGATE_JSON_STRING: good = string(r, &json.string, &json.string_size); break;
        case SANDGATE_JSON_NUMBER: good = number(r, &json.number); break;
        case SANDGATE_JSON_NULL: good = word(r, "null"); break;
        case SANDGATE_JSON_BOOL:
            json.number = *r->at == 't';
            good = word(r, *r->at == 't' ? "true" : "false");
            break;
        default: good = true; break;
    }
    r->values[own] = json;
    if (json.kind >= SANDGATE_JSON_ARRAY) {
        r->at++;
        good = members(r, own, depth);
    }
    if (!good) return false;
    r->values[own].source_size = (size_t)(r->at - source);
    r->values[own].span = r->count - own;
    return true;
}

sandgate_json *sandgate_json_read(const char *text, size_t size, const char **reason) {
    /* The text with a NUL behind it, and room for its strings, in the memory that the first value's source begins. */
    char *const own = malloc(2 * size + 2);
    if (own == NULL) sandgate_panic("out of memory for a JSON text of %zu bytes", size);
    memcpy(own, text, size);
    own[size] = 0;
    reader r = {.at = own, .begin = own, .end = own + size, .texts = own + size + 1};
    skip_space(&r);
    /* Space in front is dropped, so that the memory can be found again. */
    const size_t space = (size_t)(r.at - own);
    memmove(own, r.at, size - space + 1);
    r.at = own;
    r.end = own + (size - space);
    if (value(&r, NULL, 1)) {
        skip_space(&r);
        if (r.at == r.end) return r.values;
        r.wrong = "something behind the end";
    }
    *reason = sandgate_reason("%s, at byte %zu", r.wrong, (size_t)(r.at - own) + space);
    free(r.values);
    free(own);
    return NULL;
}

void sandgate_json_free(sandgate_json *json) {
    if (json == NULL) return;
    free((void *)json->source);
    free(json);
}

const sandgate_json *sandgate_json_first(const sandgate_json *json) {
    return json->members == 0 ? NULL : json + 1;
}

const sandgate_json *sandgate_json_next(const sandgate_json *json, const sandgate_json *member) {
    const sandgate_json *const next = member + member->span;
    return next < json + json->span ? next : NULL;
}

const sandgate_json *sandgate_json_get(const sandgate_json *json, const char *key) {
    const sandgate_json *found = NULL;
    if (json->kind != SANDGATE_JSON_OBJECT) return NULL;
    for (const sandgate_json *m = sandgate_json_first(json); m != NULL; m = sandgate_json_next(json, m)) {
        if (strcmp(m->key, key) == 0) found = m;
    }
    return found;
}

static const sandgate_json *element(const sandgate_json *json, const char *index) {
    char *end;
    /* No sign, no space, no zeros in front. */
    if (*index < '0' || *index > '9' || (*index == '0' && index[1] != 0)) return NULL;
    errno = 0;
    unsigned long long number = strtoull(index, &end, 10);
    if (errno != 0 || *end != 0 || number >= json->members) return NULL;
    const sandgate_json *member = sandgate_json_first(json);
    while (number-- > 0) member = sandgate_json_next(json, member);
    return member;
}

const sandgate_json *sandgate_json_at(const sandgate_json *json, const char *pointer) {
    char *const key = malloc(strlen(pointer) + 1);
    if (key == NULL) sandgate_panic("out of memory for a JSON pointer");
    while (json != NULL && *pointer == '/') {
        char *to = key;
        for (pointer++; *pointer != 0 && *pointer != '/'; pointer++) {
            const bool escaped = *pointer == '~' && (pointer[1] == '0' || pointer[1] == '1');
            *to++ = !escaped ? *pointer : *++pointer == '0' ? '~' : '/';
        }
        *to = 0;
        json = json->kind == SANDGATE_JSON_ARRAY ? element(json, key) : sandgate_json_get(json, key);
    }
    free(key);
    return *pointer == 0 ? json : NULL;
}

const char *sandgate_json_number(char text[SANDGATE_NUMBER_SIZE], double number) {
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, SANDGATE_NUMBER_SIZE, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    return text;
}
