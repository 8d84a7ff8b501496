/* V1's maps, and those that nobody changes. */

#include "azure_c_shared_utility/map.h"

#include "azure_c_shared_utility/constmap.h"

DEFINE_ENUM_STRINGS(MAP_RESULT, MAP_RESULT_VALUES);
DEFINE_ENUM_STRINGS(CONSTMAP_RESULT, CONSTMAP_RESULT_VALUES);

struct MAP_HANDLE_DATA_TAG {
    char** keys;
    char** values;
    size_t count;
    MAP_FILTER_CALLBACK filter;
};

struct CONSTMAP_HANDLE_DATA_TAG {
    MAP_HANDLE map;
    size_t references;
};

MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK mapFilterFunc) {
    MAP_HANDLE map = calloc(1, sizeof *map);
    if (map != NULL) map->filter = mapFilterFunc;
    return map;
}

static void forget(MAP_HANDLE map) {
    for (size_t i = 0; i < map->count; i++) {
        free(map->keys[i]);
        free(map->values[i]);
    }
    free(map->keys);
    free(map->values);
    map->keys = map->values = NULL;
    map->count = 0;
}

void Map_Destroy(MAP_HANDLE handle) {
    if (handle == NULL) return;
    forget(handle);
    free(handle);
}

/* Where a key stands; behind the last one where it does not. */
static size_t find(MAP_HANDLE map, const char* key) {
    size_t i = 0;
    while (i < map->count && strcmp(map->keys[i], key) != 0) i++;
    return i;
}

static MAP_RESULT append(MAP_HANDLE map, const char* key, const char* value) {
    char *own_key = NULL, *own_value = NULL;
    char** const keys = realloc(map->keys, (map->count + 1) * sizeof *keys);
    if (keys != NULL) map->keys = keys;
    char** const values = realloc(map->values, (map->count + 1) * sizeof *values);
    if (values != NULL) map->values = values;
    if (keys == NULL || values == NULL || mallocAndStrcpy_s(&own_key, key) != 0 ||
        mallocAndStrcpy_s(&own_value, value) != 0) {
        free(own_key);
        return MAP_ERROR;
    }
    map->keys[map->count] = own_key;
    map->values[map->count++] = own_value;
    return MAP_OK;
}

MAP_HANDLE Map_Clone(MAP_HANDLE handle) {
    if (handle == NULL) return NULL;
    MAP_HANDLE copy = Map_Create(handle->filter);
    for (size_t i = 0; copy != NULL && i < handle->count; i++) {
        if (append(copy, handle->keys[i], handle->values[i]) != MAP_OK) {
            Map_Destroy(copy);
            copy = NULL;
        }
    }
    return copy;
}

static bool refuses(MAP_HANDLE map, const char* key, const char* value) {
    return map->filter != NULL && map->filter(key, value) != 0;
}

MAP_RESULT Map_Add(MAP_HANDLE handle, const char* key, const char* value) {
    if (handle == NULL || key == NULL || value == NULL) return MAP_INVALIDARG;
    if (find(handle, key) < handle->count) return MAP_KEYEXISTS;
    if (refuses(handle, key, value)) return MAP_FILTER_REJECT;
    return append(handle, key, value);
}

MAP_RESULT Map_AddOrUpdate(MAP_HANDLE handle, const char* key, const char* value) {
    char* own;
    if (handle == NULL || key == NULL || value == NULL) return MAP_INVALIDARG;
    if (refuses(handle, key, value)) return MAP_FILTER_REJECT;
    const size_t at = find(handle, key);
    if (at == handle->count) return append(handle, key, value);
    if (mallocAndStrcpy_s(&own, value) != 0) return MAP_ERROR;
    free(handle->values[at]);
    handle->values[at] = own;
    return MAP_OK;
}

MAP_RESULT Map_Delete(MAP_HANDLE handle, const char* key) {
    if (handle == NULL || key == NULL) return MAP_INVALIDARG;
    const size_t at = find(handle, key);
    if (at == handle->count) return MAP_KEYNOTFOUND;
    free(handle->keys[at]);
    free(handle->values[at]);
    const size_t behind = --handle->count - at;
    memmove(handle->keys + at, handle->keys + at + 1, behind * sizeof(char*));
    memmove(handle->values + at, handle->values + at + 1, behind * sizeof(char*));
    if (handle->count == 0) forget(handle);
    return MAP_OK;
}

MAP_RESULT Map_ContainsKey(MAP_HANDLE handle, const char* key, bool* keyExists) {
    if (handle == NULL || key == NULL || keyExists == NULL) return MAP_INVALIDARG;
    *keyExists = find(handle, key) < handle->count;
    return MAP_OK;
}

MAP_RESULT Map_ContainsValue(MAP_HANDLE handle, const char* value, bool* valueExists) {
    if (handle == NULL || value == NULL || valueExists == NULL) return MAP_INVALIDARG;
    *valueExists = false;
    for (size_t i = 0; i < handle->count; i++) *valueExists |= strcmp(handle->values[i], value) == 0;
    return MAP_OK;
}

const char* Map_GetValueFromKey(MAP_HANDLE handle, const char* key) {
    if (handle == NULL || key == NULL) return NULL;
    const size_t at = find(handle, key);
    return at < handle->count ? handle->values[at] : NULL;
}

MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char* const** keys, const char* const** values, size_t* count) {
    if (handle == NULL || keys == NULL || values == NULL || count == NULL) return MAP_INVALIDARG;
    *keys = (const char* const*)handle->keys;
    *values = (const char* const*)handle->values;
    *count = handle->count;
    return MAP_OK;
}

/* Writes a text as V1 does, and gives the place behind it; NULL for characters beyond ASCII. */
static char* write_json(char* to, const char* text) {
    *to++ = '"';
    for (; *text != 0; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c >= 0x80) return NULL;
        if (c == '"' || c == '\\' || c == '/') *to++ = '\\';
        if (c < 0x20) {
            to += sprintf(to, "\\u%04X", c);
        } else {
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    return to;
}

STRING_HANDLE Map_ToJSON(MAP_HANDLE handle) {
    size_t size = 3;
    if (handle == NULL) return NULL;
    /* An escape takes six characters at most. */
    for (size_t i = 0; i < handle->count; i++) {
        size += 6 * (strlen(handle->keys[i]) + strlen(handle->values[i])) + 6;
    }
    char* const json = malloc(size);
    char* to = json;
    if (json == NULL) return NULL;
    *to++ = '{';
    for (size_t i = 0; to != NULL && i < handle->count; i++) {
        if (i > 0) *to++ = ',';
        to = write_json(to, handle->keys[i]);
        if (to == NULL) break;
        *to++ = ':';
        to = write_json(to, handle->values[i]);
    }
    STRING_HANDLE string = NULL;
    if (to != NULL) {
        *to++ = '}';
        *to = 0;
        string = STRING_construct(json);
    }
    free(json);
    return string;
}

CONSTMAP_HANDLE ConstMap_Create(MAP_HANDLE sourceMap) {
    if (sourceMap == NULL) return NULL;
    CONSTMAP_HANDLE handle = malloc(sizeof *handle);
    if (handle == NULL) return NULL;
    *handle = (struct CONSTMAP_HANDLE_DATA_TAG){.map = Map_Clone(sourceMap), .references = 1};
    if (handle->map == NULL) {
        free(handle);
        return NULL;
    }
    return handle;
}

void ConstMap_Destroy(CONSTMAP_HANDLE handle) {
    if (handle == NULL || --handle->references > 0) return;
    Map_Destroy(handle->map);
    free(handle);
}

CONSTMAP_HANDLE ConstMap_Clone(CONSTMAP_HANDLE handle) {
    if (handle != NULL) handle->references++;
    return handle;
}

MAP_HANDLE ConstMap_CloneWriteable(CONSTMAP_HANDLE handle) { return handle == NULL ? NULL : Map_Clone(handle->map); }

bool ConstMap_ContainsKey(CONSTMAP_HANDLE handle, const char* key) {
    return ConstMap_GetValue(handle, key) != NULL;
}

bool ConstMap_ContainsValue(CONSTMAP_HANDLE handle, const char* value) {
    bool found;
    return handle != NULL && Map_ContainsValue(handle->map, value, &found) == MAP_OK && found;
}

const char* ConstMap_GetValue(CONSTMAP_HANDLE handle, const char* key) {
    return handle == NULL ? NULL : Map_GetValueFromKey(handle->map, key);
}

CONSTMAP_RESULT ConstMap_GetInternals(CONSTMAP_HANDLE handle, const char* const** keys, const char* const** values,
                                      size_t* count) {
    if (handle == NULL) return CONSTMAP_INVALIDARG;
    return Map_GetInternals(handle->map, keys, values, count) == MAP_OK ? CONSTMAP_OK : CONSTMAP_INVALIDARG;
}
