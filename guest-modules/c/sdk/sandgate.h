/* What a Sandgate module in C is written with.
 *
 * A module defines the functions of the first part, and calls those of the second. The host makes the calls one at a
 * time: module_create, module_start, any number of module_receive and module_on_timer, module_destroy. Texts are UTF-8
 * and end in NUL. A reason is a text that says why something failed; NULL says that it did not. */

#ifndef SANDGATE_H
#define SANDGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Properties and content. Whoever makes one frees it; what module_receive is given belongs to the host. */
typedef struct sandgate_message sandgate_message;

typedef struct sandgate_delivery {
    const char *source; /* the module that published it; NULL where the channel does not tell */
    uint32_t attempt;   /* 1 for the first delivery, one more for each repetition after a failure */
} sandgate_delivery;

/* Names a timer; 0 is none. */
typedef uint64_t sandgate_timer;

/* ---- What a module defines ---- */

/* Makes the module from its `args`, as JSON text; sandgate_json.h reads it. A reason should name the key and the mend:
 * it is all that whoever wrote the configuration sees. */
const char *module_create(const char *configuration);

/* All modules are created and linked: from here on messages can be published. */
void module_start(void);

/* Takes one message, which may be changed and published, and is gone after the call. A reason is logged and counted, and
 * the module lives on. */
const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery);

/* The last call. */
void module_destroy(void);

/* A timer's time has come. Only a module that defines this can have timers: it becomes an export of its own. */
__attribute__((__export_name__("sandgate:gateway/timer-handler@0.1.0#on-timer"))) void module_on_timer(
    sandgate_timer timer);

/* ---- What a module calls ---- */

/* A message without properties and content. */
sandgate_message *sandgate_message_new(void);
void sandgate_message_free(sandgate_message *message);

/* The value of a property, valid until the message is changed; NULL where there is none. */
const char *sandgate_property(const sandgate_message *message, const char *key);

/* Replaces a property, or adds it at the end. Copies. */
void sandgate_set_property(sandgate_message *message, const char *key, const char *value);

/* How many properties there are, and each of them by its number from 0. */
size_t sandgate_properties(const sandgate_message *message);
const char *sandgate_key(const sandgate_message *message, size_t number);
const char *sandgate_value(const sandgate_message *message, size_t number);

/* The content, valid until it is changed, and its size in bytes. One NUL stands behind it, so that text can be used as
 * such. Never NULL. */
const char *sandgate_content(const sandgate_message *message, size_t *size);

/* Replaces the content. Copies. */
void sandgate_set_content(sandgate_message *message, const void *content, size_t size);

/* Publishes a message under this module's name. Waits while the queue to the gateway is full. The message stays the
 * caller's. */
const char *sandgate_publish(const sandgate_message *message);

typedef enum sandgate_level {
    SANDGATE_TRACE,
    SANDGATE_DEBUG,
    SANDGATE_INFO,
    SANDGATE_WARN,
    SANDGATE_ERROR
} sandgate_level;

/* Writes a line in the host's log, as printf does. What is written to stderr stands there too. */
__attribute__((__format__(__printf__, 2, 3))) void sandgate_log(sandgate_level level, const char *format, ...);

/* Calls module_on_timer every so many milliseconds, or once after so many. */
const char *sandgate_every(uint64_t milliseconds, sandgate_timer *timer);
const char *sandgate_after(uint64_t milliseconds, sandgate_timer *timer);

/* Ends a timer. One that is unknown or over is ignored. */
void sandgate_cancel(sandgate_timer timer);

/* A reason, as printf writes it; valid until the next one is made, of which it may be a part. */
__attribute__((__format__(__printf__, 1, 2))) const char *sandgate_reason(const char *format, ...);

/* Ends the instance with a verdict that shows this text: for what cannot be, as abort() and a failed assert. */
__attribute__((__noreturn__, __format__(__printf__, 1, 2))) void sandgate_panic(const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
