/* The broker, as far as modules call it. Links and modules are the gateway's affair: V1's functions for those are not
 * here. */

#ifndef BROKER_H
#define BROKER_H

typedef struct BROKER_HANDLE_DATA_TAG* BROKER_HANDLE;

#include <stddef.h>

#include "azure_c_shared_utility/macro_utils.h"
#include "gateway_export.h"
#include "message.h"
#include "module.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BROKER_RESULT_VALUES \
    BROKER_OK, BROKER_ERROR, BROKER_ADD_LINK_ERROR, BROKER_REMOVE_LINK_ERROR, BROKER_INVALIDARG

DEFINE_ENUM(BROKER_RESULT, BROKER_RESULT_VALUES);

/* Publishes a message, from any thread, and waits while a sink that must not lose any has no room. The message stays
 * the caller's. The source must not be NULL; the publisher is the module to which the broker was given, whatever it
 * says. BROKER_INVALIDARG for a handle that stands for nothing, BROKER_ERROR for a message that is not taken: its
 * texts are not UTF-8, it is too large, or the way to the gateway is closed, as it is after Module_Destroy. */
GATEWAY_EXPORT BROKER_RESULT Broker_Publish(BROKER_HANDLE broker, MODULE_HANDLE source, MESSAGE_HANDLE message);

/* A broker lives as long as it is referenced. The module's own reference is the gateway's. */
GATEWAY_EXPORT void Broker_IncRef(BROKER_HANDLE broker);
GATEWAY_EXPORT void Broker_DecRef(BROKER_HANDLE broker);
GATEWAY_EXPORT void Broker_Destroy(BROKER_HANDLE broker);

#ifdef __cplusplus
}
#endif

#endif
