/* Shared memory segments, which V1 does not have: a large content is written once, and what travels in messages is its
 * token. The gateway's configuration says which pools of segments a module may use.
 *
 * A segment is there while a module holds it; when the last one has closed it, its token is of no use any more. What a
 * module holds is given back with Module_Destroy at the latest. Handles are numbers that the gateway looks up, as those
 * of messages are; all functions may be called from any thread. Several modules that write and read at once are not
 * kept apart. */

#ifndef SANDGATE_SEGMENT_H
#define SANDGATE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "azure_c_shared_utility/macro_utils.h"
#include "broker.h"
#include "gateway_export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct SEGMENT_HANDLE_DATA_TAG* SEGMENT_HANDLE;

/* The bytes of a token with its NUL. */
#define SEGMENT_TOKEN_SIZE 33

/* SEGMENT_UNAVAILABLE: the program that runs the module has no segments, or the module is destroyed.
 * SEGMENT_NOT_GRANTED: the module has no grant for the pool.
 * SEGMENT_EMPTY: a size of 0.
 * SEGMENT_TOO_LARGE, SEGMENT_TOO_MANY, SEGMENT_TOO_MUCH: the module's limits of the size of a segment, of the number and
 * of the bytes of all that it holds.
 * SEGMENT_NO_SUCH: no segment has this token, or not any more.
 * SEGMENT_FOREIGN: the segment belongs to a pool for which the module has no grant.
 * SEGMENT_OUT_OF_RANGE: the range does not lie within the segment; nothing was read or written.
 * SEGMENT_OUT_OF_MEMORY: the system has none.
 * SEGMENT_INVALIDARG: an argument is NULL, or a handle that stands for nothing. */
#define SEGMENT_RESULT_VALUES \
    SEGMENT_OK, SEGMENT_UNAVAILABLE, SEGMENT_NOT_GRANTED, SEGMENT_EMPTY, SEGMENT_TOO_LARGE, SEGMENT_TOO_MANY, \
    SEGMENT_TOO_MUCH, SEGMENT_NO_SUCH, SEGMENT_FOREIGN, SEGMENT_OUT_OF_RANGE, SEGMENT_OUT_OF_MEMORY, \
    SEGMENT_INVALIDARG

DEFINE_ENUM(SEGMENT_RESULT, SEGMENT_RESULT_VALUES);

/* Each of these gives a segment that the module holds from then on, or NULL. The broker says which module it is. A new
 * segment has so many bytes, all zero. */
GATEWAY_EXPORT SEGMENT_RESULT Segment_Create(
    BROKER_HANDLE broker, const char* pool, uint64_t size, SEGMENT_HANDLE* segment);
GATEWAY_EXPORT SEGMENT_RESULT Segment_Open(BROKER_HANDLE broker, const char* token, SEGMENT_HANDLE* segment);

/* The size in bytes; 0 for a handle that stands for nothing. */
GATEWAY_EXPORT uint64_t Segment_Size(SEGMENT_HANDLE segment);

/* Puts the token into the buffer, as a text that ends in NUL. */
GATEWAY_EXPORT SEGMENT_RESULT Segment_Token(SEGMENT_HANDLE segment, char token[SEGMENT_TOKEN_SIZE]);

/* Writes and reads so many bytes from an offset on. */
GATEWAY_EXPORT SEGMENT_RESULT Segment_Write(SEGMENT_HANDLE segment, uint64_t offset, const void* bytes, size_t size);
GATEWAY_EXPORT SEGMENT_RESULT Segment_Read(SEGMENT_HANDLE segment, uint64_t offset, void* buffer, size_t size);

/* Gives the segment back. */
GATEWAY_EXPORT void Segment_Close(SEGMENT_HANDLE segment);

#ifdef __cplusplus
}
#endif

#endif
