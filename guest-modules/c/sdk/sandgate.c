/* The layer between a module in C and the generated bindings. */

/* For vasprintf. */
#define _GNU_SOURCE

#include "sandgate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandgate_bindings.h"

typedef sandgate_bindings_string_t string;
typedef sandgate_bindings_tuple2_string_string_t property;

struct sandgate_message {
    sandgate_gateway_types_message_t raw;
};

static void *allocate(void *old, size_t size) {
    void *const new = realloc(old, size);
    if (new == NULL) sandgate_panic("out of memory for %zu bytes", size);
    return new;
}

/* What the host puts texts and contents into. Each gets a NUL behind it, so that none is copied to have one. Of none at
 * all nothing is asked: its pointer is not one. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    char *const new = allocate(old, size + 1);
    new[size] = 0;
    return new;
}

static const char *text(string s) { return s.len == 0 ? "" : (const char *)s.ptr; }

/* Without a copy: for what the host only reads during the call. */
static string lend(const char *text) { return (string){.ptr = (uint8_t *)text, .len = strlen(text)}; }

static string copy(const char *text) {
    string s = {.len = strlen(text)};
    s.ptr = cabi_realloc(NULL, 0, 1, s.len);
    memcpy(s.ptr, text, s.len);
    return s;
}

/* ---- Messages ---- */

sandgate_message *sandgate_message_new(void) {
    sandgate_message *const message = allocate(NULL, sizeof *message);
    memset(message, 0, sizeof *message);
    return message;
}

void sandgate_message_free(sandgate_message *message) {
    if (message == NULL) return;
    sandgate_gateway_types_message_free(&message->raw);
    free(message);
}

static property *find(const sandgate_message *message, const char *key) {
    const size_t size = strlen(key);
    for (size_t i = 0; i < message->raw.properties.len; i++) {
        property *const p = &message->raw.properties.ptr[i];
        if (p->f0.len == size && memcmp(text(p->f0), key, size) == 0) return p;
    }
    return NULL;
}

const char *sandgate_property(const sandgate_message *message, const char *key) {
    const property *const found = find(message, key);
    return found == NULL ? NULL : text(found->f1);
}

void sandgate_set_property(sandgate_message *message, const char *key, const char *value) {
    property *const found = find(message, key);
    const string new = copy(value);
    if (found != NULL) {
        sandgate_bindings_string_free(&found->f1);
        found->f1 = new;
        return;
    }
    sandgate_bindings_list_tuple2_string_string_t *const all = &message->raw.properties;
    all->ptr = allocate(all->len == 0 ? NULL : all->ptr, (all->len + 1) * sizeof *all->ptr);
    all->ptr[all->len++] = (property){.f0 = copy(key), .f1 = new};
}

size_t sandgate_properties(const sandgate_message *message) { return message->raw.properties.len; }

const char *sandgate_key(const sandgate_message *message, size_t number) {
    return text(message->raw.properties.ptr[number].f0);
}

const char *sandgate_value(const sandgate_message *message, size_t number) {
    return text(message->raw.properties.ptr[number].f1);
}

const char *sandgate_content(const sandgate_message *message, size_t *size) {
    *size = message->raw.content.len;
    return *size == 0 ? "" : (const char *)message->raw.content.ptr;
}

void sandgate_set_content(sandgate_message *message, const void *content, size_t size) {
    uint8_t *const new = cabi_realloc(NULL, 0, 1, size);
    if (size != 0) memcpy(new, content, size);
    sandgate_bindings_list_u8_free(&message->raw.content);
    message->raw.content = (sandgate_bindings_list_u8_t){.ptr = new, .len = size};
}

/* ---- What a module calls ---- */

const char *sandgate_publish(const sandgate_message *message) {
    /* The binding only reads what it is given. */
    sandgate_gateway_types_message_t raw = message->raw;
    sandgate_gateway_broker_publish_error_t error;
    if (sandgate_gateway_broker_publish(&raw, &error)) return NULL;
    const char *reason;
    switch (error.tag) {
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_INVALID:
            reason = sandgate_reason("the message was not published: %s", text(error.val.invalid));
            break;
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_TOO_LARGE:
            reason = sandgate_reason("the message was not published: it is larger than the limit of %llu bytes",
                                     (unsigned long long)error.val.too_large);
            break;
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_NOT_STARTED:
            reason = sandgate_reason("the message was not published: that is possible from module_start on, not in "
                                     "module_create");
            break;
        case SANDGATE_GATEWAY_BROKER_PUBLISH_ERROR_DISCONNECTED:
            reason = sandgate_reason("the message was not published: no gateway is connected");
            break;
        default:
            reason = sandgate_reason("the message was not published: the gateway did not take messages in time");
            break;
    }
    sandgate_gateway_broker_publish_error_free(&error);
    return reason;
}

/* Formats into memory of its own. */
static char *formatted(const char *format, va_list arguments) {
    char *line;
    if (vasprintf(&line, format, arguments) < 0) abort();
    return line;
}

void sandgate_log(sandgate_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *const line = formatted(format, arguments);
    va_end(arguments);
    string lent = lend(line);
    sandgate_gateway_log_log((sandgate_gateway_log_level_t)level, &lent);
    free(line);
}

const char *sandgate_reason(const char *format, ...) {
    static char *last = NULL;
    va_list arguments;
    va_start(arguments, format);
    char *const reason = formatted(format, arguments);
    va_end(arguments);
    free(last);
    last = reason;
    return reason;
}

void sandgate_panic(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}

static const char *no_timer(sandgate_gateway_timers_timer_error_t error) {
    switch (error) {
        case SANDGATE_GATEWAY_TIMERS_TIMER_ERROR_NO_HANDLER:
            return sandgate_reason("there is no timer: define module_on_timer");
        case SANDGATE_GATEWAY_TIMERS_TIMER_ERROR_TOO_MANY:
            return sandgate_reason("there is no timer: the module has as many as it may");
        default:
            return sandgate_reason("there is no timer: its period must be 1 or more milliseconds");
    }
}

const char *sandgate_every(uint64_t milliseconds, sandgate_timer *timer) {
    sandgate_gateway_timers_timer_error_t error;
    return sandgate_gateway_timers_every(milliseconds, timer, &error) ? NULL : no_timer(error);
}

const char *sandgate_after(uint64_t milliseconds, sandgate_timer *timer) {
    sandgate_gateway_timers_timer_error_t error;
    return sandgate_gateway_timers_after(milliseconds, timer, &error) ? NULL : no_timer(error);
}

void sandgate_cancel(sandgate_timer timer) { sandgate_gateway_timers_cancel(timer); }

/* ---- What the host calls ---- */

bool exports_sandgate_gateway_module_create(string *configuration, exports_sandgate_gateway_module_module_error_t *error) {
    const char *const reason = module_create(text(*configuration));
    if (reason != NULL) {
        error->tag = SANDGATE_GATEWAY_TYPES_MODULE_ERROR_CONFIGURATION;
        error->val.configuration = copy(reason);
    }
    sandgate_bindings_string_free(configuration);
    return reason == NULL;
}

void exports_sandgate_gateway_module_start(void) { module_start(); }

bool exports_sandgate_gateway_module_receive(exports_sandgate_gateway_module_message_t *message,
                                             exports_sandgate_gateway_module_delivery_t *delivery, string *error) {
    sandgate_message own = {.raw = *message};
    const sandgate_delivery told = {
        .source = delivery->source.is_some ? text(delivery->source.val) : NULL,
        .attempt = delivery->attempt,
    };
    const char *const reason = module_receive(&own, &told);
    if (reason != NULL) *error = copy(reason);
    sandgate_gateway_types_message_free(&own.raw);
    exports_sandgate_gateway_module_delivery_free(delivery);
    return reason == NULL;
}

void exports_sandgate_gateway_module_destroy(void) { module_destroy(); }

/* The generated file insists on an object with the contract's description, which the component gets when it is made. */
void __component_type_object_force_link_sandgate_bindings(void);
void __component_type_object_force_link_sandgate_bindings(void) {}
