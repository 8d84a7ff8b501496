/* Interfaces that no gateway can use, as the macros say. */

#include "module.h"

#ifndef NO_GET_API

static void* create(BROKER_HANDLE broker, const void* configuration) {
    (void)configuration;
    return broker;
}

#if !defined LACKS_RECEIVE
static void receive(MODULE_HANDLE module, MESSAGE_HANDLE message) {
    (void)module;
    (void)message;
}
#else
#define receive NULL
#endif

static void destroy(MODULE_HANDLE module) { (void)module; }

#ifndef VERSION_OF_API
#define VERSION_OF_API MODULE_API_VERSION_1
#endif

static const MODULE_API_1 api = {{(MODULE_API_VERSION)VERSION_OF_API}, NULL, NULL, create, destroy, receive, NULL};

const MODULE_API* Module_GetApi(MODULE_API_VERSION gateway_api_version) {
    (void)gateway_api_version;
#ifdef GIVES_NULL
    (void)api;
    return NULL;
#else
    return (const MODULE_API*)&api;
#endif
}

#ifdef LACKS_SYMBOL
extern int of_no_library(void);
int needs_it(void) { return of_no_library(); }
#endif

#endif
