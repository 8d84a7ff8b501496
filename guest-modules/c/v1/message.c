/* V1's messages, and their form as bytes: A1 60, the size of all, the number of properties, each key and value with its
 * NUL, the size of the content, the content. Numbers have 32 bits, the highest first. */

#include "message.h"

#include <stdlib.h>
#include <string.h>

struct MESSAGE_HANDLE_DATA_TAG {
    CONSTMAP_HANDLE properties;
    CONSTBUFFER_HANDLE content;
    size_t references;
};

/* Of parts that become the message's, unless one is NULL: then both are given back. */
static MESSAGE_HANDLE made_of(CONSTMAP_HANDLE properties, CONSTBUFFER_HANDLE content) {
    MESSAGE_HANDLE message = properties == NULL || content == NULL ? NULL : malloc(sizeof *message);
    if (message == NULL) {
        ConstMap_Destroy(properties);
        CONSTBUFFER_Destroy(content);
        return NULL;
    }
    *message = (struct MESSAGE_HANDLE_DATA_TAG){properties, content, 1};
    return message;
}

MESSAGE_HANDLE Message_Create(const MESSAGE_CONFIG* cfg) {
    if (cfg == NULL) return NULL;
    return made_of(ConstMap_Create(cfg->sourceProperties), CONSTBUFFER_Create(cfg->source, cfg->size));
}

MESSAGE_HANDLE Message_CreateFromBuffer(const MESSAGE_BUFFER_CONFIG* cfg) {
    if (cfg == NULL) return NULL;
    return made_of(ConstMap_Create(cfg->sourceProperties), CONSTBUFFER_Clone(cfg->sourceContent));
}

MESSAGE_HANDLE Message_Clone(MESSAGE_HANDLE message) {
    if (message != NULL) message->references++;
    return message;
}

void Message_Destroy(MESSAGE_HANDLE message) {
    if (message == NULL || --message->references > 0) return;
    ConstMap_Destroy(message->properties);
    CONSTBUFFER_Destroy(message->content);
    free(message);
}

CONSTMAP_HANDLE Message_GetProperties(MESSAGE_HANDLE message) {
    return message == NULL ? NULL : ConstMap_Clone(message->properties);
}

const CONSTBUFFER* Message_GetContent(MESSAGE_HANDLE message) {
    return message == NULL ? NULL : CONSTBUFFER_GetContent(message->content);
}

CONSTBUFFER_HANDLE Message_GetContentHandle(MESSAGE_HANDLE message) {
    return message == NULL ? NULL : CONSTBUFFER_Clone(message->content);
}

/* ---- As bytes ---- */

static const unsigned char MAGIC[] = {0xA1, 0x60};

static bool take_number(const unsigned char** at, const unsigned char* end, size_t* number) {
    if (end - *at < 4) return false;
    const unsigned char* const b = *at;
    *number = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    *at += 4;
    return true;
}

static bool take_text(const unsigned char** at, const unsigned char* end, const char** text) {
    const unsigned char* const nul = memchr(*at, 0, (size_t)(end - *at));
    if (nul == NULL) return false;
    *text = (const char*)*at;
    *at = nul + 1;
    return true;
}

static bool take_properties(const unsigned char** at, const unsigned char* end, MAP_HANDLE map) {
    size_t count;
    if (map == NULL || !take_number(at, end, &count)) return false;
    while (count-- > 0) {
        const char *key, *value;
        if (!take_text(at, end, &key) || !take_text(at, end, &value)) return false;
        if (Map_Add(map, key, value) != MAP_OK) return false;
    }
    return true;
}

MESSAGE_HANDLE Message_CreateFromByteArray(const unsigned char* source, int32_t size) {
    MESSAGE_HANDLE message = NULL;
    size_t number;
    if (source == NULL || size < (int32_t)sizeof MAGIC || memcmp(source, MAGIC, sizeof MAGIC) != 0) return NULL;
    const unsigned char *at = source + sizeof MAGIC, *const end = source + size;
    if (!take_number(&at, end, &number) || number != (size_t)size) return NULL;
    MAP_HANDLE map = Map_Create(NULL);
    if (take_properties(&at, end, map) && take_number(&at, end, &number) && number == (size_t)(end - at)) {
        message = made_of(ConstMap_Create(map), CONSTBUFFER_Create(at, number));
    }
    Map_Destroy(map);
    return message;
}

static unsigned char* put_number(unsigned char* to, size_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) *to++ = (unsigned char)(number >> shift);
    return to;
}

static unsigned char* put_text(unsigned char* to, const char* text) {
    const size_t size = strlen(text) + 1;
    memcpy(to, text, size);
    return to + size;
}

int32_t Message_ToByteArray(MESSAGE_HANDLE messageHandle, unsigned char* buf, int32_t size) {
    const char *const *keys, *const *values;
    size_t count;
    if (messageHandle == NULL || size < 0 || (buf == NULL) != (size == 0)) return -1;
    const CONSTBUFFER* const content = CONSTBUFFER_GetContent(messageHandle->content);
    if (ConstMap_GetInternals(messageHandle->properties, &keys, &values, &count) != CONSTMAP_OK) return -1;
    uint64_t total = sizeof MAGIC + 4 + 4 + 4 + (uint64_t)content->size;
    for (size_t i = 0; i < count; i++) total += strlen(keys[i]) + strlen(values[i]) + 2;
    if (total > INT32_MAX) return -1;
    if (buf == NULL) return (int32_t)total;
    if ((uint64_t)size < total) return -1;
    memcpy(buf, MAGIC, sizeof MAGIC);
    unsigned char* to = put_number(put_number(buf + sizeof MAGIC, (size_t)total), count);
    for (size_t i = 0; i < count; i++) to = put_text(put_text(to, keys[i]), values[i]);
    to = put_number(to, content->size);
    if (content->size != 0) memcpy(to, content->buffer, content->size);
    return (int32_t)total;
}
