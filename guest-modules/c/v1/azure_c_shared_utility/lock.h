/* V1's locks. There is one thread, and so nothing to wait for. */

#ifndef LOCK_H
#define LOCK_H

#include <stdlib.h>

#include "azure_c_shared_utility/macro_utils.h"

#define LOCK_RESULT_VALUES LOCK_OK, LOCK_ERROR

DEFINE_ENUM(LOCK_RESULT, LOCK_RESULT_VALUES);

typedef void* LOCK_HANDLE;

static inline LOCK_HANDLE Lock_Init(void) { return malloc(1); }

static inline LOCK_RESULT Lock(LOCK_HANDLE handle) { return handle != NULL ? LOCK_OK : LOCK_ERROR; }

static inline LOCK_RESULT Unlock(LOCK_HANDLE handle) { return handle != NULL ? LOCK_OK : LOCK_ERROR; }

static inline LOCK_RESULT Lock_Deinit(LOCK_HANDLE handle) {
    if (handle == NULL) return LOCK_ERROR;
    free(handle);
    return LOCK_OK;
}

#endif
