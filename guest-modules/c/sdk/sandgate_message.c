/* Messages as they travel: what a module sets and asks is put into the encoded form and found there. */

#include "sandgate_message.h"

#include <stdlib.h>
#include <string.h>

/* What is larger stands by itself and is published by its parts: encoding it would take its memory twice. */
#define LARGE (64u << 10)

/* Where the numbers of a frame stand, and where its properties begin. */
enum { SIZE = 2, COUNT = 6, PROPERTIES = 10 };
/* The size of a number, which is big-endian. */
#define NUMBER 4

static const uint8_t EMPTY[] = {0xA1, 0x60, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, /* behind it */ 0};

void *sandgate_allocate(void *old, size_t size) {
    void *const new = realloc(old, size);
    if (new == NULL) sandgate_panic("out of memory for %zu bytes", size);
    return new;
}

static uint32_t number(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put(uint8_t *at, size_t number) {
    for (int i = 0; i < NUMBER; i++) at[i] = (uint8_t)(number >> (24 - 8 * i));
}

size_t sandgate_frame_size(const uint8_t *frame) { return number(frame + SIZE); }

static const char *next(const char *text) { return text + strlen(text) + 1; }

static const char *first_key(const sandgate_message *message) { return (const char *)message->frame + PROPERTIES; }

/* The key at a number, or what stands behind the last value: the size of the content. */
static const char *key_at(const sandgate_message *message, size_t number) {
    const char *key = first_key(message);
    while (number-- > 0) key = next(next(key));
    return key;
}

static const char *value_of(const sandgate_message *message, const char *key) {
    const char *found = first_key(message);
    for (size_t left = sandgate_properties(message); left > 0; left--) {
        const char *const value = next(found);
        if (strcmp(found, key) == 0) return value;
        found = next(value);
    }
    return NULL;
}

/* Puts bytes in the place of others. They must not stand in this frame. One NUL stays behind it. */
static void replace(sandgate_message *message, size_t at, size_t old, const void *bytes, size_t new) {
    const size_t before = sandgate_frame_size(message->frame), after = before - old + new;
    if (after + 1 > message->capacity) {
        uint8_t *const borrowed = message->capacity == 0 ? message->frame : NULL;
        message->capacity = after + after / 2 + 1;
        message->frame = sandgate_allocate(borrowed == NULL ? message->frame : NULL, message->capacity);
        if (borrowed != NULL) memcpy(message->frame, borrowed, before + 1);
    }
    uint8_t *const frame = message->frame;
    memmove(frame + at + new, frame + at + old, before + 1 - at - old);
    if (new != 0) memcpy(frame + at, bytes, new);
    put(frame + SIZE, after);
}

sandgate_message *sandgate_message_new(void) {
    sandgate_message *const message = sandgate_allocate(NULL, sizeof *message);
    *message = (sandgate_message){.frame = (uint8_t *)EMPTY};
    return message;
}

sandgate_message *sandgate_message_of(const sandgate_gateway_types_message_t *parts) {
    const sandgate_bindings_list_tuple2_string_string_t all = parts->properties;
    size_t size = sizeof EMPTY;
    for (size_t i = 0; i < all.len; i++) size += all.ptr[i].f0.len + all.ptr[i].f1.len + 2;
    uint8_t *const frame = sandgate_allocate(NULL, size), *at = frame + PROPERTIES;
    memcpy(frame, EMPTY, PROPERTIES);
    put(frame + SIZE, size - 1);
    put(frame + COUNT, all.len);
    for (size_t i = 0; i < all.len; i++) {
        const sandgate_bindings_string_t texts[] = {all.ptr[i].f0, all.ptr[i].f1};
        for (int which = 0; which < 2; which++) {
            if (texts[which].len != 0) memcpy(at, texts[which].ptr, texts[which].len);
            at += texts[which].len;
            *at++ = 0;
        }
    }
    memset(at, 0, NUMBER + 1);
    sandgate_message *const message = sandgate_allocate(NULL, sizeof *message);
    *message = (sandgate_message){.frame = frame, .capacity = size};
    return message;
}

void sandgate_message_clear(sandgate_message *message) {
    if (message->capacity != 0) free(message->frame);
    free(message->content);
}

void sandgate_message_free(sandgate_message *message) {
    if (message == NULL) return;
    sandgate_message_clear(message);
    free(message);
}

const char *sandgate_property(const sandgate_message *message, const char *key) { return value_of(message, key); }

void sandgate_set_property(sandgate_message *message, const char *key, const char *value) {
    const char *const old = value_of(message, key);
    const size_t key_size = old == NULL ? strlen(key) + 1 : 0, value_size = strlen(value) + 1;
    /* A copy, for they may be texts of this message. */
    char *const new = sandgate_allocate(NULL, key_size + value_size);
    memcpy(new, key, key_size);
    memcpy(new + key_size, value, value_size);
    const size_t count = sandgate_properties(message);
    const char *const place = old != NULL ? old : key_at(message, count);
    const size_t at = (size_t)((const uint8_t *)place - message->frame);
    replace(message, at, old == NULL ? 0 : strlen(old) + 1, new, key_size + value_size);
    if (old == NULL) put(message->frame + COUNT, count + 1);
    free(new);
}

size_t sandgate_properties(const sandgate_message *message) { return number(message->frame + COUNT); }

const char *sandgate_key(const sandgate_message *message, size_t number) { return key_at(message, number); }

const char *sandgate_value(const sandgate_message *message, size_t number) { return next(key_at(message, number)); }

const char *sandgate_content(const sandgate_message *message, size_t *size) {
    if (message->content != NULL) {
        *size = message->content_size;
        return (const char *)message->content;
    }
    const char *const at = key_at(message, sandgate_properties(message));
    *size = number((const uint8_t *)at);
    return at + NUMBER;
}

/* Replaces the content of the frame. */
static void set_in_frame(sandgate_message *message, const void *content, size_t size) {
    const char *const place = key_at(message, sandgate_properties(message));
    const size_t at = (size_t)((const uint8_t *)place - message->frame);
    replace(message, at + NUMBER, number((const uint8_t *)place), content, size);
    put(message->frame + at, size);
}

void sandgate_take_content(sandgate_message *message, uint8_t *content, size_t size) {
    uint8_t *const old = message->content;
    message->content = NULL;
    if (size > LARGE) {
        set_in_frame(message, NULL, 0);
        message->content = content;
        message->content_size = size;
    } else {
        set_in_frame(message, content, size);
        free(content);
    }
    free(old);
}

void sandgate_set_content(sandgate_message *message, const void *content, size_t size) {
    /* A copy, for it may be a part of this message's. */
    uint8_t *const new = sandgate_allocate(NULL, size + 1);
    if (size != 0) memcpy(new, content, size);
    new[size] = 0;
    sandgate_take_content(message, new, size);
}

/* ---- Publishing ---- */

/* Why a message was not published, as both ways tell it. */
typedef struct publish_failure {
    uint8_t failed;
    _Alignas(8) uint32_t published;
    _Alignas(8) uint8_t tag;
    _Alignas(8) union {
        struct {
            const char *ptr;
            size_t len;
        } invalid;
        uint64_t too_large;
    } val;
} publish_failure;

__attribute__((__import_module__("sandgate:gateway/encoded-broker@0.1.0"), __import_name__("publish-encoded"))) void
sandgate_publish_encoded(const uint8_t *messages, size_t size, publish_failure *failure);

/* By its parts, which are where they are. */
static bool publish_parts(const sandgate_message *message, sandgate_gateway_broker_publish_error_t *error) {
    const size_t count = sandgate_properties(message);
    sandgate_bindings_tuple2_string_string_t *const properties = sandgate_allocate(NULL, (count + 1) * sizeof *properties);
    const char *at = first_key(message);
    for (size_t i = 0; i < count; i++) {
        const char *const value = next(at);
        properties[i].f0 = (sandgate_bindings_string_t){.ptr = (uint8_t *)at, .len = strlen(at)};
        properties[i].f1 = (sandgate_bindings_string_t){.ptr = (uint8_t *)value, .len = strlen(value)};
        at = next(value);
    }
    sandgate_gateway_types_message_t raw = {
        .properties = {.ptr = properties, .len = count},
        .content = {.ptr = message->content, .len = message->content_size},
    };
    /* The binding only reads what it is given. */
    const bool published = sandgate_gateway_broker_publish(&raw, error);
    free(properties);
    return published;
}

static const char *reason(const sandgate_gateway_broker_publish_error_t *error) {
    switch (error->tag) {
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_INVALID:
            return sandgate_reason("the message was not published: %.*s", (int)error->val.invalid.len,
                                   (const char *)error->val.invalid.ptr);
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_TOO_LARGE:
            return sandgate_reason("the message was not published: it is larger than the limit of %llu bytes",
                                   (unsigned long long)error->val.too_large);
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_NOT_STARTED:
            return sandgate_reason("the message was not published: that is possible from module_start on, not in "
                                   "module_create");
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_DISCONNECTED:
            return sandgate_reason("the message was not published: no gateway is connected");
        default:
            return sandgate_reason("the message was not published: the gateway did not take messages in time");
    }
}

const char *sandgate_publish(const sandgate_message *message) {
    sandgate_gateway_broker_publish_error_t error;
    if (message->content != NULL) {
        if (publish_parts(message, &error)) return NULL;
    } else {
        publish_failure failure;
        sandgate_publish_encoded(message->frame, sandgate_frame_size(message->frame), &failure);
        if (failure.failed == 0) return NULL;
        error.tag = failure.tag;
        if (error.tag == SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_INVALID) {
            error.val.invalid.ptr = (uint8_t *)failure.val.invalid.ptr;
            error.val.invalid.len = failure.val.invalid.len;
        } else {
            error.val.too_large = failure.val.too_large;
        }
    }
    const char *const why = reason(&error);
    sandgate_gateway_broker_publish_error_free(&error);
    return why;
}
