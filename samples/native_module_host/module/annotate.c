/* A module with V1's C interface: it publishes every message that it receives again, with the properties `annotated-by`
 * and `annotation`, which is the module's configuration. */

#include "broker.h"
#include "message.h"
#include "module.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct ANNOTATE_TAG {
    BROKER_HANDLE broker;
    char* annotation;
} ANNOTATE;

/* The configuration is JSON text. This module wants a string, and takes its quotes off. */
static void* parse_configuration(const char* configuration) {
    size_t length = configuration == NULL ? 0 : strlen(configuration);
    char* annotation;
    if (length < 2 || configuration[0] != '"') {
        (void)fprintf(stderr, "annotate: the arguments must be a string\n");
        return NULL;
    }
    annotation = (char*)malloc(length - 1);
    if (annotation != NULL) {
        memcpy(annotation, configuration + 1, length - 2);
        annotation[length - 2] = '\0';
    }
    return annotation;
}

static void free_configuration(void* configuration) { free(configuration); }

static MODULE_HANDLE create(BROKER_HANDLE broker, const void* configuration) {
    ANNOTATE* module;
    if (broker == NULL || configuration == NULL) return NULL;
    module = (ANNOTATE*)malloc(sizeof *module);
    if (module == NULL) return NULL;
    module->broker = broker;
    /* The configuration goes when this function has returned. */
    if (mallocAndStrcpy_s(&module->annotation, (const char*)configuration) != 0) {
        free(module);
        return NULL;
    }
    return module;
}

static void publish(ANNOTATE* module, CONSTBUFFER_HANDLE content, MAP_HANDLE properties) {
    MESSAGE_BUFFER_CONFIG config;
    MESSAGE_HANDLE message;
    config.sourceContent = content;
    config.sourceProperties = properties;
    message = Message_CreateFromBuffer(&config);
    if (message == NULL) return;
    if (Broker_Publish(module->broker, module, message) != BROKER_OK) {
        (void)fprintf(stderr, "annotate: a message was not taken\n");
    }
    Message_Destroy(message);
}

static void receive(MODULE_HANDLE handle, MESSAGE_HANDLE message) {
    ANNOTATE* module = (ANNOTATE*)handle;
    CONSTBUFFER_HANDLE content = Message_GetContentHandle(message);
    CONSTMAP_HANDLE constant = Message_GetProperties(message);
    MAP_HANDLE properties = ConstMap_CloneWriteable(constant);
    if (content != NULL && Map_AddOrUpdate(properties, "annotated-by", "annotate") == MAP_OK &&
        Map_AddOrUpdate(properties, "annotation", module->annotation) == MAP_OK) {
        publish(module, content, properties);
    }
    Map_Destroy(properties);
    ConstMap_Destroy(constant);
    CONSTBUFFER_Destroy(content);
}

static void destroy(MODULE_HANDLE handle) {
    ANNOTATE* module = (ANNOTATE*)handle;
    free(module->annotation);
    free(module);
}

static const MODULE_API_1 api = {
    {MODULE_API_VERSION_1}, parse_configuration, free_configuration, create, destroy, receive, NULL,
};

MODULE_EXPORT const MODULE_API* Module_GetApi(MODULE_API_VERSION gateway_api_version) {
    return gateway_api_version >= MODULE_API_VERSION_1 ? (const MODULE_API*)&api : NULL;
}
