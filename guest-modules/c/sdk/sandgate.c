/* The layer between a module in C and the generated bindings. */

/* For vasprintf. */
#define _GNU_SOURCE

#include "sandgate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandgate_bindings.h"
#include "sandgate_message.h"

typedef sandgate_bindings_string_t string;

/* What the host puts texts and contents into. Each gets a NUL behind it, so that none is copied to have one. Of none at
 * all nothing is asked: its pointer is not one. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    char *const new = sandgate_allocate(old, size + 1);
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

/* ---- What a module calls ---- */

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

/* What is over 64 KiB comes by its parts. */
bool exports_sandgate_gateway_module_receive(exports_sandgate_gateway_module_message_t *message,
                                             exports_sandgate_gateway_module_delivery_t *delivery, string *error) {
    sandgate_message *const own = sandgate_message_of(message);
    if (message->content.len != 0) sandgate_take_content(own, message->content.ptr, message->content.len);
    message->content.len = 0;
    sandgate_gateway_types_message_free(message);
    const sandgate_delivery told = {
        .source = delivery->source.is_some ? text(delivery->source.val) : NULL,
        .attempt = delivery->attempt,
    };
    const char *const reason = module_receive(own, &told);
    if (reason != NULL) *error = copy(reason);
    sandgate_message_free(own);
    exports_sandgate_gateway_module_delivery_free(delivery);
    return reason == NULL;
}

__attribute__((__import_module__("sandgate:gateway/encoded-deliveries@0.1.0"), __import_name__("done"))) int32_t
sandgate_done(int32_t refused, const char *reason, size_t size);

/* The rest comes as it travels, one message behind the other, and is shown where it is. */
__attribute__((__export_name__("sandgate:gateway/encoded-handler@0.1.0#receive-encoded"))) void sandgate_receive_encoded(
    uint8_t *deliveries, size_t size) {
    uint8_t *at = deliveries;
    bool goes_on = true;
    while (goes_on && at < deliveries + size) {
        const uint32_t attempt = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        const char *const source = (const char *)at + sizeof attempt;
        const sandgate_delivery told = {.source = *source == 0 ? NULL : source, .attempt = attempt};
        sandgate_message message = {.frame = (uint8_t *)source + strlen(source) + 1};
        /* Behind the message is a NUL. */
        at = message.frame + sandgate_frame_size(message.frame) + 1;
        const char *const reason = module_receive(&message, &told);
        sandgate_message_clear(&message);
        /* Returning answers the last one, if it is no error. */
        if (reason == NULL && at == deliveries + size) break;
        goes_on = sandgate_done(reason != NULL, reason, reason == NULL ? 0 : strlen(reason)) != 0;
    }
    free(deliveries);
}

void exports_sandgate_gateway_module_destroy(void) { module_destroy(); }

/* The generated file insists on an object with the contract's description, which the component gets when it is made. */
void __component_type_object_force_link_sandgate_bindings(void);
void __component_type_object_force_link_sandgate_bindings(void) {}
