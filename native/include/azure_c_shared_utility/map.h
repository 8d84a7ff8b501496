/* A map of texts by texts, in the order in which they were added. It keeps copies. */

#ifndef MAP_H
#define MAP_H

#include <stddef.h>

#include "azure_c_shared_utility/crt_abstractions.h"
#include "azure_c_shared_utility/macro_utils.h"
#include "azure_c_shared_utility/strings.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MAP_RESULT_VALUES MAP_OK, MAP_ERROR, MAP_INVALIDARG, MAP_KEYEXISTS, MAP_KEYNOTFOUND, MAP_FILTER_REJECT

DEFINE_ENUM(MAP_RESULT, MAP_RESULT_VALUES);

typedef struct MAP_HANDLE_DATA_TAG* MAP_HANDLE;

/* Asked before a pair is added or changed; anything but 0 refuses it. */
typedef int (*MAP_FILTER_CALLBACK)(const char* mapProperty, const char* mapValue);

/* The filter may be NULL. */
extern MAP_HANDLE Map_Create(MAP_FILTER_CALLBACK mapFilterFunc);
extern void Map_Destroy(MAP_HANDLE handle);
extern MAP_HANDLE Map_Clone(MAP_HANDLE handle);

extern MAP_RESULT Map_Add(MAP_HANDLE handle, const char* key, const char* value);
extern MAP_RESULT Map_AddOrUpdate(MAP_HANDLE handle, const char* key, const char* value);
extern MAP_RESULT Map_Delete(MAP_HANDLE handle, const char* key);
extern MAP_RESULT Map_ContainsKey(MAP_HANDLE handle, const char* key, bool* keyExists);
extern MAP_RESULT Map_ContainsValue(MAP_HANDLE handle, const char* value, bool* valueExists);

/* NULL for a key that is not there. What it gives is valid until the map is changed. */
extern const char* Map_GetValueFromKey(MAP_HANDLE handle, const char* key);

/* The map's own arrays, valid until it is changed; NULL and 0 for an empty map. */
extern MAP_RESULT Map_GetInternals(MAP_HANDLE handle, const char* const** keys, const char* const** values,
                                   size_t* count);

/* NULL for texts with characters beyond ASCII. The caller deletes it. */
extern STRING_HANDLE Map_ToJSON(MAP_HANDLE handle);

#ifdef __cplusplus
}
#endif

#endif
