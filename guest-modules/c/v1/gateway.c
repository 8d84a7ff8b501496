/* What V1's gateway is to a module: the broker, and the calls of its MODULE_API. It stands on sandgate.h. */

#include "broker.h"
#include "module.h"
#include "module_access.h"
#include "sandgate.h"

DEFINE_ENUM_STRINGS(BROKER_RESULT, BROKER_RESULT_VALUES);

/* There is one module, and so one broker. */
struct BROKER_HANDLE_DATA_TAG {
    char none;
};
static struct BROKER_HANDLE_DATA_TAG broker;

static const MODULE_API* api;
static MODULE_HANDLE module;

BROKER_RESULT Broker_Publish(BROKER_HANDLE handle, MODULE_HANDLE source, MESSAGE_HANDLE message) {
    const char *const *keys, *const *values;
    size_t count;
    if (handle != &broker || source == NULL || message == NULL) return BROKER_INVALIDARG;
    CONSTMAP_HANDLE properties = Message_GetProperties(message);
    const CONSTBUFFER* const content = Message_GetContent(message);
    sandgate_message* const own = sandgate_message_new();
    sandgate_set_content(own, content->buffer, content->size);
    if (ConstMap_GetInternals(properties, &keys, &values, &count) == CONSTMAP_OK) {
        for (size_t i = 0; i < count; i++) sandgate_set_property(own, keys[i], values[i]);
    }
    const char* const reason = sandgate_publish(own);
    sandgate_message_free(own);
    ConstMap_Destroy(properties);
    /* V1 has no word for it. */
    if (reason != NULL) sandgate_log(SANDGATE_WARN, "%s", reason);
    return reason == NULL ? BROKER_OK : BROKER_ERROR;
}

/* The broker lives as long as the module. */
void Broker_IncRef(BROKER_HANDLE handle) { (void)handle; }
void Broker_DecRef(BROKER_HANDLE handle) { (void)handle; }
void Broker_Destroy(BROKER_HANDLE handle) { (void)handle; }

const char* module_create(const char* configuration) {
    api = Module_GetApi(Module_ApiGatewayVersion);
    if (api == NULL || MODULE_CREATE(api) == NULL || MODULE_DESTROY(api) == NULL || MODULE_RECEIVE(api) == NULL) {
        return "the module's Module_GetApi does not give Module_Create, Module_Destroy and Module_Receive";
    }
    void* parsed = NULL;
    if (MODULE_PARSE_CONFIGURATION_FROM_JSON(api) != NULL) {
        parsed = MODULE_PARSE_CONFIGURATION_FROM_JSON(api)(configuration);
    }
    module = MODULE_CREATE(api)(&broker, parsed);
    if (MODULE_FREE_CONFIGURATION(api) != NULL) MODULE_FREE_CONFIGURATION(api)(parsed);
    return module == NULL ? "args: Module_Create gave NULL; what the module logged says why" : NULL;
}

void module_start(void) {
    if (MODULE_START(api) != NULL) MODULE_START(api)(module);
}

/* A message of V1's, which a module may keep longer than the call. */
static MESSAGE_HANDLE copied(const sandgate_message* message) {
    MAP_HANDLE map = Map_Create(NULL);
    for (size_t i = 0; i < sandgate_properties(message); i++) {
        if (Map_Add(map, sandgate_key(message, i), sandgate_value(message, i)) != MAP_OK) {
            sandgate_panic("out of memory for a message's properties");
        }
    }
    MESSAGE_CONFIG config = {.sourceProperties = map};
    config.source = (const unsigned char*)sandgate_content(message, &config.size);
    MESSAGE_HANDLE copy = Message_Create(&config);
    if (copy == NULL) sandgate_panic("out of memory for a message");
    Map_Destroy(map);
    return copy;
}

const char* module_receive(sandgate_message* message, const sandgate_delivery* delivery) {
    (void)delivery;
    MESSAGE_HANDLE own = copied(message);
    MODULE_RECEIVE(api)(module, own);
    Message_Destroy(own);
    return NULL;
}

void module_destroy(void) { MODULE_DESTROY(api)(module); }
