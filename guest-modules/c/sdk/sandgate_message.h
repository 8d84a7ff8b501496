/* What the layer for C knows of a message; no part of what a module is written with. */

#ifndef SANDGATE_MESSAGE_H
#define SANDGATE_MESSAGE_H

#include "sandgate.h"
#include "sandgate_bindings.h"

/* A message as it travels, in V1's format, which wit/gateway.wit describes at encoded-handler: keys and values end in NUL
 * there, and so can be shown where they stand. A content over 64 KiB, which is published by its parts, stands by itself:
 * then the frame has none. */
struct sandgate_message {
    uint8_t *frame;
    size_t capacity; /* 0: the frame is not this message's own, and is copied before it is changed */
    uint8_t *content;
    size_t content_size;
};

/* The size that a frame says it has. */
size_t sandgate_frame_size(const uint8_t *frame);

/* A message with copies of these properties, and without the content. */
sandgate_message *sandgate_message_of(const sandgate_gateway_types_message_t *parts);

/* Takes over a content that sandgate_allocate gave, with a NUL behind it. */
void sandgate_take_content(sandgate_message *message, uint8_t *content, size_t size);

/* Frees what is the message's own. */
void sandgate_message_clear(sandgate_message *message);

/* Memory, or a panic; `old` may be NULL. */
void *sandgate_allocate(void *old, size_t size);

#endif
