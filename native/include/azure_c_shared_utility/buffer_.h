/* V1's buffers, as far as CONSTBUFFER_CreateFromBuffer needs them. The others of V1's functions are in its utility
 * library. */

#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct BUFFER_TAG* BUFFER_HANDLE;

extern BUFFER_HANDLE BUFFER_create(const unsigned char* source, size_t size);
extern unsigned char* BUFFER_u_char(BUFFER_HANDLE handle);
extern size_t BUFFER_length(BUFFER_HANDLE handle);
extern void BUFFER_delete(BUFFER_HANDLE handle);

#ifdef __cplusplus
}
#endif

#endif
