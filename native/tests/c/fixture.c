/* A module whose configuration, a text, says what it does wrong or in an unusual way. What it is told to do and does
 * without one is to publish each message again, with the property "by". */

#include "azure_c_shared_utility/threadapi.h"
#include "broker.h"
#include "message.h"
#include "module.h"

#include <stdlib.h>
#include <string.h>

typedef struct FIXTURE_TAG {
    BROKER_HANDLE broker;
    char* configuration;
    THREAD_HANDLE thread;
    volatile int stop;
} FIXTURE;

static int told(const FIXTURE* fixture, const char* behaviour) {
    return strstr(fixture->configuration, behaviour) != NULL;
}

static BROKER_RESULT publish(FIXTURE* fixture, const char* key, const char* value, const void* content, size_t size) {
    MESSAGE_CONFIG config;
    MESSAGE_HANDLE message;
    BROKER_RESULT result = BROKER_ERROR;
    config.size = size;
    config.source = (const unsigned char*)content;
    config.sourceProperties = Map_Create(NULL);
    if (Map_Add(config.sourceProperties, key, value) == MAP_OK) {
        message = Message_Create(&config);
        result = Broker_Publish(fixture->broker, fixture, message);
        Message_Destroy(message);
    }
    Map_Destroy(config.sourceProperties);
    return result;
}

static int publish_until_told(void* module) {
    FIXTURE* fixture = (FIXTURE*)module;
    while (!fixture->stop) {
        (void)publish(fixture, "by", "thread", "tick", 4);
        ThreadAPI_Sleep(1);
    }
    return 0;
}

static void* parse(const char* configuration) {
    char* copy = NULL;
    (void)mallocAndStrcpy_s(&copy, configuration);
    return copy;
}

static void free_configuration(void* configuration) { free(configuration); }

static void* create(BROKER_HANDLE broker, const void* configuration) {
    FIXTURE* fixture;
    if (strstr((const char*)configuration, "create fails") != NULL) return NULL;
    fixture = (FIXTURE*)calloc(1, sizeof *fixture);
    if (fixture == NULL) return NULL;
    fixture->broker = broker;
    fixture->configuration = (char*)parse((const char*)configuration);
    if (told(fixture, "publish in create")) (void)publish(fixture, "by", "create", NULL, 0);
    if (told(fixture, "give the broker up")) Broker_DecRef(broker);
    return fixture;
}

static void start(MODULE_HANDLE module) {
    FIXTURE* fixture = (FIXTURE*)module;
    (void)publish(fixture, "by", "start", fixture->configuration, strlen(fixture->configuration));
    if (told(fixture, "thread")) (void)ThreadAPI_Create(&fixture->thread, publish_until_told, fixture);
}

/* Publishes the received message again, made of the parts that the core and this module's own functions give. */
static void pass_on(FIXTURE* fixture, MESSAGE_HANDLE message) {
    CONSTMAP_HANDLE properties = Message_GetProperties(message);
    MESSAGE_BUFFER_CONFIG config;
    MESSAGE_HANDLE next;
    config.sourceContent = Message_GetContentHandle(message);
    config.sourceProperties = ConstMap_CloneWriteable(properties);
    if (told(fixture, "own buffer")) {
        const CONSTBUFFER* content = CONSTBUFFER_GetContent(config.sourceContent);
        CONSTBUFFER_HANDLE own = CONSTBUFFER_Create(content->buffer, content->size);
        CONSTBUFFER_Destroy(config.sourceContent);
        config.sourceContent = own;
    }
    (void)Map_AddOrUpdate(config.sourceProperties, "by", "receive");
    next = Message_CreateFromBuffer(&config);
    Map_Destroy(config.sourceProperties);
    CONSTBUFFER_Destroy(config.sourceContent);
    (void)Broker_Publish(fixture->broker, fixture, next);
    Message_Destroy(next);
    ConstMap_Destroy(properties);
}

static void receive(MODULE_HANDLE module, MESSAGE_HANDLE message) {
    static MESSAGE_HANDLE destroyed;
    FIXTURE* fixture = (FIXTURE*)module;
    if (told(fixture, "publish null")) (void)Broker_Publish(fixture->broker, fixture, NULL);
    if (told(fixture, "publish without source")) (void)Broker_Publish(fixture->broker, NULL, message);
    if (told(fixture, "publish garbage")) {
        (void)Broker_Publish(fixture->broker, fixture, (MESSAGE_HANDLE)fixture);
        (void)Broker_Publish((BROKER_HANDLE)fixture, fixture, message);
    }
    if (told(fixture, "publish destroyed")) {
        if (destroyed == NULL) {
            destroyed = Message_Clone(message);
            Message_Destroy(destroyed);
        } else {
            (void)Broker_Publish(fixture->broker, fixture, destroyed);
        }
    }
    if (told(fixture, "crash")) abort();
    while (told(fixture, "hang")) ThreadAPI_Sleep(1000);
    if (told(fixture, "publish latin")) (void)publish(fixture, "caf\xe9", "1", NULL, 0);
    pass_on(fixture, message);
    /* A module does not own what it receives. */
    if (told(fixture, "destroy received")) Message_Destroy(message);
    if (told(fixture, "destroy twice")) {
        Message_Destroy(message);
        Message_Destroy(message);
    }
    if (told(fixture, "leak")) (void)Message_GetProperties(message);
}

static void destroy(MODULE_HANDLE module) {
    FIXTURE* fixture = (FIXTURE*)module;
    int result;
    fixture->stop = 1;
    if (fixture->thread != NULL) (void)ThreadAPI_Join(fixture->thread, &result);
    (void)publish(fixture, "by", "destroy", NULL, 0);
    free(fixture->configuration);
    free(fixture);
}

static const MODULE_API_1 api = {{MODULE_API_VERSION_1}, parse, free_configuration, create, destroy, receive, start};

const MODULE_API* Module_GetApi(MODULE_API_VERSION gateway_api_version) {
    return gateway_api_version >= MODULE_API_VERSION_1 ? (const MODULE_API*)&api : NULL;
}
