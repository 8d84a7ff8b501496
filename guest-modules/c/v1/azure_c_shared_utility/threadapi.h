/* V1's threads, of which a WebAssembly module has none: one cannot be created. A module that needs its own pace uses the
 * timers of sandgate.h. */

#ifndef THREADAPI_H
#define THREADAPI_H

#include <stdlib.h>
#include <time.h>

#include "azure_c_shared_utility/macro_utils.h"

#define THREADAPI_RESULT_VALUES THREADAPI_OK, THREADAPI_INVALID_ARG, THREADAPI_NO_MEMORY, THREADAPI_ERROR

DEFINE_ENUM(THREADAPI_RESULT, THREADAPI_RESULT_VALUES);

typedef int (*THREAD_START_FUNC)(void*);
typedef void* THREAD_HANDLE;

static inline THREADAPI_RESULT ThreadAPI_Create(THREAD_HANDLE* threadHandle, THREAD_START_FUNC func, void* arg) {
    (void)arg;
    return threadHandle == NULL || func == NULL ? THREADAPI_INVALID_ARG : THREADAPI_ERROR;
}

static inline THREADAPI_RESULT ThreadAPI_Join(THREAD_HANDLE threadHandle, int* res) {
    (void)threadHandle, (void)res;
    return THREADAPI_INVALID_ARG;
}

static inline void ThreadAPI_Exit(int res) {
    (void)res;
    abort();
}

/* Counts against the time of the call. */
static inline void ThreadAPI_Sleep(unsigned int milliseconds) {
    struct timespec time;
    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = (long)(milliseconds % 1000) * 1000000;
    (void)nanosleep(&time, NULL);
}

#endif
