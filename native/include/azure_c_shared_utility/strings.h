/* V1's strings, as far as Map_ToJSON needs them. The others of V1's functions are in its utility library. */

#ifndef STRINGS_H
#define STRINGS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct STRING_TAG* STRING_HANDLE;

extern STRING_HANDLE STRING_construct(const char* psz);
extern const char* STRING_c_str(STRING_HANDLE handle);
extern size_t STRING_length(STRING_HANDLE handle);
extern void STRING_delete(STRING_HANDLE handle);

#ifdef __cplusplus
}
#endif

#endif
