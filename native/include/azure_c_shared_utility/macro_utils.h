/* The macros that V1's modules use: joining, quoting, and enumerations that know their names. */

#ifndef MACRO_UTILS_H
#define MACRO_UTILS_H

#include <string.h>

#define C1_(x) x
#define C1(x) C1_(x)
#define C2_(x, y) x##y
#define C2(x, y) C2_(x, y)
#define TOSTRING_(x) #x
#define TOSTRING(x) TOSTRING_(x)

/* The names of up to 16 values, quoted, each with a comma. */
#define ENUM_COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define ENUM_COUNT(...) ENUM_COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define ENUM_NAMES_1(x) #x,
#define ENUM_NAMES_2(x, ...) #x, ENUM_NAMES_1(__VA_ARGS__)
#define ENUM_NAMES_3(x, ...) #x, ENUM_NAMES_2(__VA_ARGS__)
#define ENUM_NAMES_4(x, ...) #x, ENUM_NAMES_3(__VA_ARGS__)
#define ENUM_NAMES_5(x, ...) #x, ENUM_NAMES_4(__VA_ARGS__)
#define ENUM_NAMES_6(x, ...) #x, ENUM_NAMES_5(__VA_ARGS__)
#define ENUM_NAMES_7(x, ...) #x, ENUM_NAMES_6(__VA_ARGS__)
#define ENUM_NAMES_8(x, ...) #x, ENUM_NAMES_7(__VA_ARGS__)
#define ENUM_NAMES_9(x, ...) #x, ENUM_NAMES_8(__VA_ARGS__)
#define ENUM_NAMES_10(x, ...) #x, ENUM_NAMES_9(__VA_ARGS__)
#define ENUM_NAMES_11(x, ...) #x, ENUM_NAMES_10(__VA_ARGS__)
#define ENUM_NAMES_12(x, ...) #x, ENUM_NAMES_11(__VA_ARGS__)
#define ENUM_NAMES_13(x, ...) #x, ENUM_NAMES_12(__VA_ARGS__)
#define ENUM_NAMES_14(x, ...) #x, ENUM_NAMES_13(__VA_ARGS__)
#define ENUM_NAMES_15(x, ...) #x, ENUM_NAMES_14(__VA_ARGS__)
#define ENUM_NAMES_16(x, ...) #x, ENUM_NAMES_15(__VA_ARGS__)
#define ENUM_NAMES(...) C2(ENUM_NAMES_, ENUM_COUNT(__VA_ARGS__))(__VA_ARGS__)

/* For a header: the type NAME, and functions between its values and their names. */
#define DEFINE_ENUM(NAME, ...)                     \
    typedef enum C2(NAME, _TAG) { __VA_ARGS__ } NAME; \
    extern const char* C2(NAME, Strings)(NAME value); \
    extern int C2(NAME, _FromString)(const char* enumAsString, NAME* destination)

/* For one source file: those functions. A value without a name is NULL, a name without a value is not 0. */
#define DEFINE_ENUM_STRINGS(NAME, ...)                                              \
    static const char* const C2(NAME, Names_)[] = {ENUM_NAMES(__VA_ARGS__)};        \
    const char* C2(NAME, Strings)(NAME value) {                                     \
        size_t index = (size_t)value;                                               \
        return index < sizeof C2(NAME, Names_) / sizeof(char*) ? C2(NAME, Names_)[index] : NULL; \
    }                                                                               \
    int C2(NAME, _FromString)(const char* enumAsString, NAME* destination) {        \
        size_t index;                                                               \
        for (index = 0; enumAsString && destination && index < sizeof C2(NAME, Names_) / sizeof(char*); index++) { \
            if (strcmp(C2(NAME, Names_)[index], enumAsString) == 0) {               \
                *destination = (NAME)index;                                         \
                return 0;                                                           \
            }                                                                       \
        }                                                                           \
        return 1;                                                                   \
    }                                                                               \
    extern int C2(NAME, _FromString)(const char* enumAsString, NAME* destination)

#define ENUM_TO_STRING(NAME, value) C2(NAME, Strings)(value)

#endif
