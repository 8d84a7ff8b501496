/* A utility library of a module's own, linked statically: V1's layouts, with other code than the core's. Its maps count
 * what they do, so that a test sees that they are these. */

#include "azure_c_shared_utility/constbuffer.h"
#include "azure_c_shared_utility/constmap.h"
#include "azure_c_shared_utility/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct MAP_HANDLE_DATA_TAG {
    char** keys;
    char** values;
    size_t count;
    MAP_FILTER_CALLBACK filter;
};

struct CONSTMAP_HANDLE_DATA_TAG {
    MAP_HANDLE map;
    uint32_t count;
};

struct CONSTBUFFER_HANDLE_DATA_TAG {
    CONSTBUFFER alias;
    uint32_t count;
};

/* Every map that this library makes says so in a pair of its own. */
static void sign(MAP_HANDLE map) { (void)Map_AddOrUpdate(map, "made.by", "the module's own library"); }

MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK filter) {
    MAP_HANDLE map = (MAP_HANDLE)calloc(1, sizeof *map);
    map->filter = filter;
    sign(map);
    return map;
}

void Map_Destroy(MAP_HANDLE map) {
    size_t i;
    for (i = 0; i < map->count; i++) {
        free(map->keys[i]);
        free(map->values[i]);
    }
    free(map->keys);
    free(map->values);
    free(map);
}

static size_t find(MAP_HANDLE map, const char* key) {
    size_t i;
    for (i = 0; i < map->count && strcmp(map->keys[i], key) != 0; i++) {}
    return i;
}

MAP_RESULT Map_AddOrUpdate(MAP_HANDLE map, const char* key, const char* value) {
    size_t at = find(map, key);
    if (at == map->count) {
        map->keys = (char**)realloc(map->keys, (at + 1) * sizeof(char*));
        map->values = (char**)realloc(map->values, (at + 1) * sizeof(char*));
        map->keys[at] = strdup(key);
        map->count++;
    } else {
        free(map->values[at]);
    }
    map->values[at] = strdup(value);
    return MAP_OK;
}

MAP_RESULT Map_Add(MAP_HANDLE map, const char* key, const char* value) {
    return find(map, key) < map->count ? MAP_KEYEXISTS : Map_AddOrUpdate(map, key, value);
}

MAP_HANDLE ConstMap_CloneWriteable(CONSTMAP_HANDLE constant) {
    size_t i;
    MAP_HANDLE map = Map_Create(NULL);
    for (i = 0; i < constant->map->count; i++) {
        (void)Map_AddOrUpdate(map, constant->map->keys[i], constant->map->values[i]);
    }
    return map;
}

void ConstMap_Destroy(CONSTMAP_HANDLE constant) {
    if (__sync_sub_and_fetch(&constant->count, 1) == 0) {
        Map_Destroy(constant->map);
        free(constant);
    }
}

CONSTBUFFER_HANDLE CONSTBUFFER_Create(const unsigned char* source, size_t size) {
    CONSTBUFFER_HANDLE buffer = (CONSTBUFFER_HANDLE)calloc(1, sizeof *buffer);
    unsigned char* copy = size > 0 ? (unsigned char*)malloc(size) : NULL;
    if (size > 0) memcpy(copy, source, size);
    buffer->alias.buffer = copy;
    buffer->alias.size = size;
    buffer->count = 1;
    return buffer;
}

const CONSTBUFFER* CONSTBUFFER_GetContent(CONSTBUFFER_HANDLE buffer) { return &buffer->alias; }

void CONSTBUFFER_Destroy(CONSTBUFFER_HANDLE buffer) {
    if (__sync_sub_and_fetch(&buffer->count, 1) == 0) {
        free((void*)buffer->alias.buffer);
        free(buffer);
    }
}
