/* Bytes that nobody changes, with a count of references. */

#ifndef CONSTBUFFER_H
#define CONSTBUFFER_H

#include <stddef.h>

#include "azure_c_shared_utility/buffer_.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CONSTBUFFER_HANDLE_DATA_TAG* CONSTBUFFER_HANDLE;

typedef struct CONSTBUFFER_TAG {
    const unsigned char* buffer; /* NULL when the size is 0 */
    size_t size;
} CONSTBUFFER;

/* Copies, with one reference. */
extern CONSTBUFFER_HANDLE CONSTBUFFER_Create(const unsigned char* source, size_t size);
extern CONSTBUFFER_HANDLE CONSTBUFFER_CreateFromBuffer(BUFFER_HANDLE buffer);

/* The same with one reference more. */
extern CONSTBUFFER_HANDLE CONSTBUFFER_Clone(CONSTBUFFER_HANDLE constbufferHandle);

/* Valid as long as the handle is. */
extern const CONSTBUFFER* CONSTBUFFER_GetContent(CONSTBUFFER_HANDLE constbufferHandle);

/* Gives up one reference. */
extern void CONSTBUFFER_Destroy(CONSTBUFFER_HANDLE constbufferHandle);

#ifdef __cplusplus
}
#endif

#endif
