/* What V1's modules expect of C's library, and a few functions of V1's that it lacks. */

#ifndef CRT_ABSTRACTIONS_H
#define CRT_ABSTRACTIONS_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies a text into memory of its own, which the caller frees. Not 0 when that cannot be done. */
static inline int mallocAndStrcpy_s(char** destination, const char* source) {
    size_t size;
    if (destination == NULL || source == NULL) return EINVAL;
    size = strlen(source) + 1;
    *destination = (char*)malloc(size);
    if (*destination == NULL) return ENOMEM;
    (void)memcpy(*destination, source, size);
    return 0;
}

/* Writes a text; -1 when it does not fit. */
static inline int sprintf_s(char* destination, size_t size, const char* format, ...) {
    int written;
    va_list arguments;
    if (destination == NULL || format == NULL) return -1;
    va_start(arguments, format);
    written = vsnprintf(destination, size, format, arguments);
    va_end(arguments);
    return written < 0 || (size_t)written >= size ? -1 : written;
}

#endif
