/* A module that keeps contents in shared memory segments. A message without the property "token" has its content put
 * into a new segment of the pool "frames", whose token is published. One with it has the segment's content published.
 * Property "results" tells how the functions went. With the configuration "wrong" they are called wrongly first. */

#include "broker.h"
#include "message.h"
#include "module.h"
#include "sandgate_segment.h"

#include <stdlib.h>
#include <string.h>

typedef struct SEGMENTS_TAG {
    BROKER_HANDLE broker;
    int wrong;
    SEGMENT_HANDLE kept;
} SEGMENTS;

static void note(char* results, SEGMENT_RESULT result) {
    strcat(results, ENUM_TO_STRING(SEGMENT_RESULT, result));
    strcat(results, " ");
}

static void publish(SEGMENTS* module, const char* results, const char* token, const void* content, size_t size) {
    MESSAGE_CONFIG config;
    MESSAGE_HANDLE message;
    config.size = size;
    config.source = (const unsigned char*)content;
    config.sourceProperties = Map_Create(NULL);
    (void)Map_Add(config.sourceProperties, "results", results);
    if (token != NULL) (void)Map_Add(config.sourceProperties, "token", token);
    message = Message_Create(&config);
    (void)Broker_Publish(module->broker, module, message);
    Message_Destroy(message);
    Map_Destroy(config.sourceProperties);
}

static void* parse(const char* configuration) { return (void*)(strstr(configuration, "wrong") != NULL ? "wrong" : ""); }

static void free_configuration(void* configuration) { (void)configuration; }

static void* create(BROKER_HANDLE broker, const void* configuration) {
    SEGMENTS* module = (SEGMENTS*)calloc(1, sizeof *module);
    if (module == NULL) return NULL;
    module->broker = broker;
    module->wrong = strcmp((const char*)configuration, "wrong") == 0;
    return module;
}

static void call_wrongly(SEGMENTS* module, char* results) {
    SEGMENT_HANDLE segment = (SEGMENT_HANDLE)module;
    char byte = 0;
    char token[SEGMENT_TOKEN_SIZE];
    note(results, Segment_Create((BROKER_HANDLE)module, "frames", 1, &segment));
    note(results, Segment_Create(module->broker, NULL, 1, &segment));
    note(results, Segment_Create(module->broker, "frames", 1, NULL));
    note(results, Segment_Create(module->broker, "others", 1, &segment));
    note(results, Segment_Create(module->broker, "frames", 0, &segment));
    note(results, Segment_Open(module->broker, "no token", &segment));
    note(results, segment == NULL ? SEGMENT_OK : SEGMENT_INVALIDARG);
    note(results, Segment_Create(module->broker, "frames", 1, &segment));
    note(results, Segment_Write(segment, 1, &byte, 1));
    note(results, Segment_Read(segment, UINT64_MAX, &byte, 1));
    note(results, Segment_Read(segment, 0, NULL, 1));
    note(results, Segment_Read(segment, 1, NULL, 0));
    Segment_Close(segment);
    Segment_Close(segment);
    note(results, Segment_Read(segment, 0, &byte, 1));
    note(results, Segment_Token(segment, token));
}

static void put(SEGMENTS* module, const CONSTBUFFER* content, char* results) {
    char token[SEGMENT_TOKEN_SIZE] = "";
    Segment_Close(module->kept);
    note(results, Segment_Create(module->broker, "frames", content->size, &module->kept));
    note(results, Segment_Write(module->kept, 0, content->buffer, content->size));
    note(results, Segment_Token(module->kept, token));
    publish(module, results, token, NULL, 0);
}

static void get(SEGMENTS* module, const char* token, char* results) {
    SEGMENT_HANDLE segment;
    size_t size;
    char* content;
    note(results, Segment_Open(module->broker, token, &segment));
    size = (size_t)Segment_Size(segment);
    content = (char*)malloc(size + 1);
    if (content == NULL) return;
    if (segment != NULL) note(results, Segment_Read(segment, 0, content, size));
    publish(module, results, NULL, content, size);
    free(content);
    if (segment != NULL) Segment_Close(segment);
}

static void receive(MODULE_HANDLE handle, MESSAGE_HANDLE message) {
    SEGMENTS* module = (SEGMENTS*)handle;
    CONSTMAP_HANDLE properties = Message_GetProperties(message);
    const char* token = ConstMap_GetValue(properties, "token");
    char results[1024] = "";
    if (module->wrong) {
        module->wrong = 0;
        call_wrongly(module, results);
        publish(module, results, NULL, NULL, 0);
    }
    results[0] = '\0';
    if (token != NULL) {
        get(module, token, results);
    } else {
        put(module, Message_GetContent(message), results);
    }
    ConstMap_Destroy(properties);
}

/* What it still holds is given back without its doing. */
static void destroy(MODULE_HANDLE handle) { free(handle); }

static const MODULE_API_1 api = {{MODULE_API_VERSION_1}, parse, free_configuration, create, destroy, receive, NULL};

const MODULE_API* Module_GetApi(MODULE_API_VERSION gateway_api_version) {
    return gateway_api_version >= MODULE_API_VERSION_1 ? (const MODULE_API*)&api : NULL;
}
