/* V1's locks, on those of POSIX. */

#ifndef LOCK_H
#define LOCK_H

#include <pthread.h>
#include <stdlib.h>

#include "azure_c_shared_utility/macro_utils.h"

#define LOCK_RESULT_VALUES LOCK_OK, LOCK_ERROR

DEFINE_ENUM(LOCK_RESULT, LOCK_RESULT_VALUES);

typedef void* LOCK_HANDLE;

static inline LOCK_HANDLE Lock_Init(void) {
    pthread_mutex_t* lock = (pthread_mutex_t*)malloc(sizeof *lock);
    if (lock != NULL && pthread_mutex_init(lock, NULL) != 0) {
        free(lock);
        lock = NULL;
    }
    return lock;
}

static inline LOCK_RESULT Lock(LOCK_HANDLE handle) {
    return handle != NULL && pthread_mutex_lock((pthread_mutex_t*)handle) == 0 ? LOCK_OK : LOCK_ERROR;
}

static inline LOCK_RESULT Unlock(LOCK_HANDLE handle) {
    return handle != NULL && pthread_mutex_unlock((pthread_mutex_t*)handle) == 0 ? LOCK_OK : LOCK_ERROR;
}

static inline LOCK_RESULT Lock_Deinit(LOCK_HANDLE handle) {
    if (handle == NULL || pthread_mutex_destroy((pthread_mutex_t*)handle) != 0) return LOCK_ERROR;
    free(handle);
    return LOCK_OK;
}

#endif
