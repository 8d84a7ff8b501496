/* Messages: properties and content that nobody changes, with a count of references.
 *
 * Handles are numbers that the gateway looks up. One that is NULL, or was destroyed, is answered with NULL, -1 or
 * nothing, and the gateway's log says so. */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "azure_c_shared_utility/constbuffer.h"
#include "azure_c_shared_utility/constmap.h"
#include "azure_c_shared_utility/macro_utils.h"
#include "azure_c_shared_utility/map.h"
#include "gateway_export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_MESSAGE_VERSION_1 0x01
#define GATEWAY_MESSAGE_VERSION_CURRENT GATEWAY_MESSAGE_VERSION_1

typedef struct MESSAGE_HANDLE_DATA_TAG* MESSAGE_HANDLE;

typedef struct MESSAGE_CONFIG_TAG {
    size_t size;                 /* of the content */
    const unsigned char* source; /* the content; may be NULL when the size is 0 */
    MAP_HANDLE sourceProperties; /* not NULL */
} MESSAGE_CONFIG;

typedef struct MESSAGE_BUFFER_CONFIG_TAG {
    CONSTBUFFER_HANDLE sourceContent; /* not NULL; it is shared, not copied */
    MAP_HANDLE sourceProperties;      /* not NULL */
} MESSAGE_BUFFER_CONFIG;

/* Each of these makes a message with one reference, or gives NULL. What it is made of stays the caller's. */
GATEWAY_EXPORT MESSAGE_HANDLE Message_Create(const MESSAGE_CONFIG* cfg);
GATEWAY_EXPORT MESSAGE_HANDLE Message_CreateFromBuffer(const MESSAGE_BUFFER_CONFIG* cfg);
GATEWAY_EXPORT MESSAGE_HANDLE Message_CreateFromByteArray(const unsigned char* source, int32_t size);

/* Writes a message's bytes and gives their number; only their number for a buffer that is NULL with the size 0; -1
 * when they do not fit. */
GATEWAY_EXPORT int32_t Message_ToByteArray(MESSAGE_HANDLE messageHandle, unsigned char* buf, int32_t size);

/* The same message with one reference more. */
GATEWAY_EXPORT MESSAGE_HANDLE Message_Clone(MESSAGE_HANDLE message);

/* The caller destroys what the first and the last of these give. What the second gives is valid as long as the
 * message is. */
GATEWAY_EXPORT CONSTMAP_HANDLE Message_GetProperties(MESSAGE_HANDLE message);
GATEWAY_EXPORT const CONSTBUFFER* Message_GetContent(MESSAGE_HANDLE message);
GATEWAY_EXPORT CONSTBUFFER_HANDLE Message_GetContentHandle(MESSAGE_HANDLE message);

/* Gives up one reference. A module does not own the messages that it receives. */
GATEWAY_EXPORT void Message_Destroy(MESSAGE_HANDLE message);

#ifdef __cplusplus
}
#endif

#endif
