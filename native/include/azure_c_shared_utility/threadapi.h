/* V1's threads, on those of POSIX. */

#ifndef THREADAPI_H
#define THREADAPI_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "azure_c_shared_utility/macro_utils.h"

#define THREADAPI_RESULT_VALUES THREADAPI_OK, THREADAPI_INVALID_ARG, THREADAPI_NO_MEMORY, THREADAPI_ERROR

DEFINE_ENUM(THREADAPI_RESULT, THREADAPI_RESULT_VALUES);

typedef int (*THREAD_START_FUNC)(void*);
typedef void* THREAD_HANDLE;

typedef struct THREAD_STARTED_TAG {
    pthread_t thread;
    THREAD_START_FUNC function;
    void* argument;
} THREAD_STARTED;

static inline void* thread_of_v1_(void* started) {
    THREAD_STARTED* thread = (THREAD_STARTED*)started;
    return (void*)(intptr_t)thread->function(thread->argument);
}

static inline THREADAPI_RESULT ThreadAPI_Create(THREAD_HANDLE* threadHandle, THREAD_START_FUNC func, void* arg) {
    THREAD_STARTED* started;
    if (threadHandle == NULL || func == NULL) return THREADAPI_INVALID_ARG;
    started = (THREAD_STARTED*)malloc(sizeof *started);
    if (started == NULL) return THREADAPI_NO_MEMORY;
    started->function = func;
    started->argument = arg;
    if (pthread_create(&started->thread, NULL, thread_of_v1_, started) != 0) {
        free(started);
        return THREADAPI_ERROR;
    }
    *threadHandle = started;
    return THREADAPI_OK;
}

/* Waits for a thread's end, and frees its handle. */
static inline THREADAPI_RESULT ThreadAPI_Join(THREAD_HANDLE threadHandle, int* res) {
    void* result = NULL;
    int failed;
    if (threadHandle == NULL) return THREADAPI_INVALID_ARG;
    failed = pthread_join(((THREAD_STARTED*)threadHandle)->thread, &result);
    free(threadHandle);
    if (failed) return THREADAPI_ERROR;
    if (res != NULL) *res = (int)(intptr_t)result;
    return THREADAPI_OK;
}

static inline void ThreadAPI_Exit(int res) { pthread_exit((void*)(intptr_t)res); }

static inline void ThreadAPI_Sleep(unsigned int milliseconds) {
    struct timespec time;
    time.tv_sec = milliseconds / 1000;
    time.tv_nsec = (long)(milliseconds % 1000) * 1000000;
    (void)nanosleep(&time, NULL);
}

#endif
