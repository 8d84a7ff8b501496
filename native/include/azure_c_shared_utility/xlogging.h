/* V1's log: lines on standard error. */

#ifndef XLOGGING_H
#define XLOGGING_H

#include <stdio.h>

#define LogInfo(...) LOG_LINE_("Info", __VA_ARGS__)
#define LogError(...) LOG_LINE_("Error", __VA_ARGS__)

#define LOG_LINE_(level, ...)                                              \
    do {                                                                   \
        (void)fprintf(stderr, level ": %s:%d: ", __FILE__, __LINE__);      \
        (void)fprintf(stderr, __VA_ARGS__);                                \
        (void)fputc('\n', stderr);                                         \
    } while (0)

#endif
