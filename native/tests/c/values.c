/* Every function of the interface, called as a module calls it; what must hold is asserted. */

#include "azure_c_shared_utility/lock.h"
#include "azure_c_shared_utility/threadapi.h"
#include "azure_c_shared_utility/xlogging.h"
#include "broker.h"
#include "gateway_version.h"
#include "message.h"
#include "module.h"
#include "module_access.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                     \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);  \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

/* A module gives names to the results that it tells of. */
DEFINE_ENUM_STRINGS(BROKER_RESULT, BROKER_RESULT_VALUES);
DEFINE_ENUM_STRINGS(THREADAPI_RESULT, THREADAPI_RESULT_VALUES);

static int only_short(const char* key, const char* value) { return strlen(key) > 3 || strlen(value) > 3; }

static void maps(void) {
    MAP_HANDLE map = Map_Create(only_short);
    MAP_HANDLE copy;
    STRING_HANDLE json;
    const char* const* keys;
    const char* const* values;
    size_t count;
    bool found = false;
    CHECK(Map_Add(map, "a", "1") == MAP_OK);
    CHECK(Map_Add(map, "a", "2") == MAP_KEYEXISTS);
    CHECK(Map_Add(map, "long", "2") == MAP_FILTER_REJECT);
    CHECK(Map_Add(map, "b", "/\"") == MAP_OK);
    CHECK(Map_AddOrUpdate(map, "a", "11") == MAP_OK);
    CHECK(Map_AddOrUpdate(map, "a", "1111") == MAP_FILTER_REJECT);
    CHECK(Map_ContainsKey(map, "b", &found) == MAP_OK && found);
    CHECK(Map_ContainsValue(map, "1", &found) == MAP_OK && !found);
    CHECK(strcmp(Map_GetValueFromKey(map, "a"), "11") == 0);
    json = Map_ToJSON(map);
    CHECK(strcmp(STRING_c_str(json), "{\"a\":\"11\",\"b\":\"\\/\\\"\"}") == 0);
    CHECK(STRING_length(json) == strlen(STRING_c_str(json)));
    STRING_delete(json);
    copy = Map_Clone(map);
    CHECK(Map_Delete(map, "a") == MAP_OK && Map_Delete(map, "a") == MAP_KEYNOTFOUND);
    Map_Destroy(map);
    CHECK(Map_GetInternals(copy, &keys, &values, &count) == MAP_OK && count == 2);
    CHECK(strcmp(keys[1], "b") == 0 && strcmp(values[0], "11") == 0);
    Map_Destroy(copy);
    CHECK(Map_Add(NULL, "a", "1") == MAP_INVALIDARG && Map_Clone(NULL) == NULL && Map_ToJSON(NULL) == NULL);
    Map_Destroy(NULL);
    CHECK(strcmp(ENUM_TO_STRING(MAP_RESULT, MAP_FILTER_REJECT), "MAP_FILTER_REJECT") == 0);
}

static void constant_maps(void) {
    MAP_HANDLE map = Map_Create(NULL);
    CONSTMAP_HANDLE constant;
    CONSTMAP_RESULT result;
    const char* const* keys;
    const char* const* values;
    size_t count;
    CHECK(Map_Add(map, "a", "1") == MAP_OK);
    constant = ConstMap_Create(map);
    Map_Destroy(map);
    CHECK(ConstMap_Clone(constant) == constant);
    ConstMap_Destroy(constant);
    CHECK(ConstMap_ContainsKey(constant, "a") && !ConstMap_ContainsKey(constant, "b"));
    CHECK(ConstMap_ContainsValue(constant, "1") && !ConstMap_ContainsValue(constant, "a"));
    CHECK(strcmp(ConstMap_GetValue(constant, "a"), "1") == 0 && ConstMap_GetValue(constant, "b") == NULL);
    CHECK(ConstMap_GetInternals(constant, &keys, &values, &count) == CONSTMAP_OK && count == 1);
    map = ConstMap_CloneWriteable(constant);
    ConstMap_Destroy(constant);
    CHECK(Map_AddOrUpdate(map, "a", "2") == MAP_OK);
    Map_Destroy(map);
    CHECK(ConstMap_Create(NULL) == NULL && ConstMap_GetValue(NULL, "a") == NULL);
    CHECK(CONSTMAP_RESULT_FromString("CONSTMAP_KEYNOTFOUND", &result) == 0 && result == CONSTMAP_KEYNOTFOUND);
}

static void constant_buffers(void) {
    BUFFER_HANDLE buffer = BUFFER_create((const unsigned char*)"abc", 3);
    CONSTBUFFER_HANDLE constant = CONSTBUFFER_CreateFromBuffer(buffer);
    CHECK(BUFFER_length(buffer) == 3 && memcmp(BUFFER_u_char(buffer), "abc", 3) == 0);
    BUFFER_delete(buffer);
    CHECK(CONSTBUFFER_Clone(constant) == constant);
    CONSTBUFFER_Destroy(constant);
    CHECK(CONSTBUFFER_GetContent(constant)->size == 3);
    CHECK(memcmp(CONSTBUFFER_GetContent(constant)->buffer, "abc", 3) == 0);
    CONSTBUFFER_Destroy(constant);
    constant = CONSTBUFFER_Create(NULL, 0);
    CHECK(CONSTBUFFER_GetContent(constant)->buffer == NULL);
    CONSTBUFFER_Destroy(constant);
    CHECK(CONSTBUFFER_Create(NULL, 1) == NULL && CONSTBUFFER_GetContent(NULL) == NULL);
}

static void messages(void) {
    MAP_HANDLE map = Map_Create(NULL);
    MESSAGE_CONFIG config = {5, (const unsigned char*)"hello", NULL};
    MESSAGE_BUFFER_CONFIG shared;
    MESSAGE_HANDLE message, other;
    CONSTMAP_HANDLE properties;
    unsigned char* bytes;
    int32_t size;
    CHECK(Message_Create(NULL) == NULL && Message_Create(&config) == NULL);
    CHECK(Map_Add(map, "a", "1") == MAP_OK);
    config.sourceProperties = map;
    message = Message_Create(&config);
    CHECK(Message_Clone(message) == message);
    Message_Destroy(message);
    shared.sourceContent = Message_GetContentHandle(message);
    shared.sourceProperties = map;
    other = Message_CreateFromBuffer(&shared);
    CHECK(Message_GetContent(other) == Message_GetContent(message));
    CONSTBUFFER_Destroy(shared.sourceContent);
    Map_Destroy(map);
    size = Message_ToByteArray(message, NULL, 0);
    CHECK(size == 14 + 4 + 5);
    bytes = (unsigned char*)malloc((size_t)size);
    CHECK(Message_ToByteArray(message, bytes, size) == size);
    Message_Destroy(message);
    message = Message_CreateFromByteArray(bytes, size);
    free(bytes);
    properties = Message_GetProperties(message);
    Message_Destroy(message);
    CHECK(strcmp(ConstMap_GetValue(properties, "a"), "1") == 0);
    ConstMap_Destroy(properties);
    Message_Destroy(other);
    /* Twice, and never: told, and nothing else. */
    Message_Destroy(other);
    Message_Destroy((MESSAGE_HANDLE)(size_t)0x12345678);
    CHECK(Message_GetContent(other) == NULL);
    CHECK(Broker_Publish(NULL, &size, other) == BROKER_INVALIDARG);
    CHECK(Broker_Publish((BROKER_HANDLE)(size_t)0x7000, &size, other) == BROKER_INVALIDARG);
    Broker_IncRef(NULL);
    Broker_DecRef(NULL);
}

static int work(void* lock) {
    CHECK(Lock(lock) == LOCK_OK);
    CHECK(Unlock(lock) == LOCK_OK);
    ThreadAPI_Sleep(1);
    return 7;
}

static void threads(void) {
    LOCK_HANDLE lock = Lock_Init();
    THREAD_HANDLE thread;
    int result = 0;
    CHECK(ThreadAPI_Create(&thread, work, lock) == THREADAPI_OK);
    CHECK(ThreadAPI_Join(thread, &result) == THREADAPI_OK && result == 7);
    CHECK(Lock_Deinit(lock) == LOCK_OK);
    CHECK(strcmp(ENUM_TO_STRING(THREADAPI_RESULT, THREADAPI_ERROR), "THREADAPI_ERROR") == 0);
    CHECK(ENUM_TO_STRING(BROKER_RESULT, (BROKER_RESULT)5) == NULL);
}

int main(void) {
    maps();
    constant_maps();
    constant_buffers();
    messages();
    threads();
    LogInfo("all of version %s holds", VERSION);
    return 0;
}
