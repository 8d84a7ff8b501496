/* V1's bytes that nobody changes, its buffers, and its strings. */

#include <stdlib.h>
#include <string.h>

#include "azure_c_shared_utility/buffer_.h"
#include "azure_c_shared_utility/constbuffer.h"
#include "azure_c_shared_utility/strings.h"

struct CONSTBUFFER_HANDLE_DATA_TAG {
    CONSTBUFFER content;
    size_t references;
    unsigned char bytes[];
};

struct BUFFER_TAG {
    size_t size;
    unsigned char bytes[];
};

struct STRING_TAG {
    size_t length;
    char characters[];
};

CONSTBUFFER_HANDLE CONSTBUFFER_Create(const unsigned char* source, size_t size) {
    if (source == NULL && size != 0) return NULL;
    CONSTBUFFER_HANDLE handle = malloc(sizeof *handle + size);
    if (handle == NULL) return NULL;
    handle->references = 1;
    handle->content = (CONSTBUFFER){.buffer = size == 0 ? NULL : handle->bytes, .size = size};
    if (size != 0) memcpy(handle->bytes, source, size);
    return handle;
}

CONSTBUFFER_HANDLE CONSTBUFFER_CreateFromBuffer(BUFFER_HANDLE buffer) {
    return buffer == NULL ? NULL : CONSTBUFFER_Create(buffer->bytes, buffer->size);
}

CONSTBUFFER_HANDLE CONSTBUFFER_Clone(CONSTBUFFER_HANDLE constbufferHandle) {
    if (constbufferHandle != NULL) constbufferHandle->references++;
    return constbufferHandle;
}

const CONSTBUFFER* CONSTBUFFER_GetContent(CONSTBUFFER_HANDLE constbufferHandle) {
    return constbufferHandle == NULL ? NULL : &constbufferHandle->content;
}

void CONSTBUFFER_Destroy(CONSTBUFFER_HANDLE constbufferHandle) {
    if (constbufferHandle != NULL && --constbufferHandle->references == 0) free(constbufferHandle);
}

BUFFER_HANDLE BUFFER_create(const unsigned char* source, size_t size) {
    if (source == NULL) return NULL;
    BUFFER_HANDLE handle = malloc(sizeof *handle + size);
    if (handle == NULL) return NULL;
    handle->size = size;
    memcpy(handle->bytes, source, size);
    return handle;
}

unsigned char* BUFFER_u_char(BUFFER_HANDLE handle) {
    return handle == NULL || handle->size == 0 ? NULL : handle->bytes;
}

size_t BUFFER_length(BUFFER_HANDLE handle) { return handle == NULL ? 0 : handle->size; }

void BUFFER_delete(BUFFER_HANDLE handle) { free(handle); }

STRING_HANDLE STRING_construct(const char* psz) {
    if (psz == NULL) return NULL;
    const size_t length = strlen(psz);
    STRING_HANDLE handle = malloc(sizeof *handle + length + 1);
    if (handle == NULL) return NULL;
    handle->length = length;
    memcpy(handle->characters, psz, length + 1);
    return handle;
}

const char* STRING_c_str(STRING_HANDLE handle) { return handle == NULL ? NULL : handle->characters; }

size_t STRING_length(STRING_HANDLE handle) { return handle == NULL ? 0 : handle->length; }

void STRING_delete(STRING_HANDLE handle) { free(handle); }
