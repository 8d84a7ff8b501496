/* What a module is: a shared library that exports Module_GetApi. */

#ifndef MODULE_H
#define MODULE_H

typedef struct MODULE_TAG MODULE;
typedef void* MODULE_HANDLE;
typedef struct MODULE_API_TAG MODULE_API;

#include "azure_c_shared_utility/macro_utils.h"
#include "broker.h"
#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct MODULE_TAG {
    const MODULE_API* module_apis;
    MODULE_HANDLE module_handle;
};

/* The functions of a module, in the order in which they are called, each for one thing at a time and all on one
 * thread, which is the module's own: it may wait there. */

/* Makes the configuration of its JSON text. What it gives, NULL too, goes to Module_Create and then to
 * Module_FreeConfiguration. */
typedef void* (*pfModule_ParseConfigurationFromJson)(const char* configuration);

/* Makes a module; NULL when it cannot be made. */
typedef MODULE_HANDLE (*pfModule_Create)(BROKER_HANDLE broker, const void* configuration);

typedef void (*pfModule_FreeConfiguration)(void* configuration);

/* From now on the module may publish and may be given messages. May be left out. */
typedef void (*pfModule_Start)(MODULE_HANDLE moduleHandle);

/* A message for the module, valid during the call; Message_Clone keeps it. */
typedef void (*pfModule_Receive)(MODULE_HANDLE moduleHandle, MESSAGE_HANDLE messageHandle);

/* The end. The module's threads must have ended when it returns. */
typedef void (*pfModule_Destroy)(MODULE_HANDLE moduleHandle);

typedef enum MODULE_API_VERSION_TAG { MODULE_API_VERSION_1 } MODULE_API_VERSION;

static const MODULE_API_VERSION Module_ApiGatewayVersion = MODULE_API_VERSION_1;

struct MODULE_API_TAG {
    MODULE_API_VERSION version;
};

/* The version decides what follows it. Create, destroy and receive must be there. */
typedef struct MODULE_API_1_TAG {
    MODULE_API base;
    pfModule_ParseConfigurationFromJson Module_ParseConfigurationFromJson;
    pfModule_FreeConfiguration Module_FreeConfiguration;
    pfModule_Create Module_Create;
    pfModule_Destroy Module_Destroy;
    pfModule_Receive Module_Receive;
    pfModule_Start Module_Start;
} MODULE_API_1;

/* The type and the name of the one function that a module exports. It is told the gateway's version, and gives NULL
 * when it cannot serve it. */
typedef const MODULE_API* (*pfModule_GetApi)(MODULE_API_VERSION gateway_api_version);

#define MODULE_GETAPI_NAME ("Module_GetApi")

#ifdef _WIN32
#define MODULE_EXPORT __declspec(dllexport)
#else
#define MODULE_EXPORT
#endif

/* V1's name for the function in a module that is linked into a program of its own. */
#define MODULE_STATIC_GETAPI(MODULE_NAME) C2(Module_GetApi_, MODULE_NAME)

MODULE_EXPORT const MODULE_API* Module_GetApi(MODULE_API_VERSION gateway_api_version);

#ifdef __cplusplus
}
#endif

#endif
