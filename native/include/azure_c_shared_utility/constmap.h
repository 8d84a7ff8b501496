/* A map that nobody changes, with a count of references. */

#ifndef CONSTMAP_H
#define CONSTMAP_H

#include <stddef.h>

#include "azure_c_shared_utility/crt_abstractions.h"
#include "azure_c_shared_utility/macro_utils.h"
#include "azure_c_shared_utility/map.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONSTMAP_RESULT_VALUES CONSTMAP_OK, CONSTMAP_ERROR, CONSTMAP_INVALIDARG, CONSTMAP_KEYNOTFOUND

DEFINE_ENUM(CONSTMAP_RESULT, CONSTMAP_RESULT_VALUES);

typedef struct CONSTMAP_HANDLE_DATA_TAG* CONSTMAP_HANDLE;

/* A copy of a map, with one reference. */
extern CONSTMAP_HANDLE ConstMap_Create(MAP_HANDLE sourceMap);

/* Gives up one reference. */
extern void ConstMap_Destroy(CONSTMAP_HANDLE handle);

/* The same with one reference more. */
extern CONSTMAP_HANDLE ConstMap_Clone(CONSTMAP_HANDLE handle);

/* A map of its own, which the caller destroys. */
extern MAP_HANDLE ConstMap_CloneWriteable(CONSTMAP_HANDLE handle);

extern bool ConstMap_ContainsKey(CONSTMAP_HANDLE handle, const char* key);
extern bool ConstMap_ContainsValue(CONSTMAP_HANDLE handle, const char* value);
extern const char* ConstMap_GetValue(CONSTMAP_HANDLE handle, const char* key);
extern CONSTMAP_RESULT ConstMap_GetInternals(CONSTMAP_HANDLE handle, const char* const** keys,
                                             const char* const** values, size_t* count);

#ifdef __cplusplus
}
#endif

#endif
