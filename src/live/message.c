#include "live/message.h"

#include <stdlib.h>
#include <string.h>

struct message *message_alloc(size_t len)
{
    struct message *message = malloc(sizeof(*message) + len);

    if (message) {
        message->references = 1;
        message->len = len;
    }
    return message;
}

struct message *message_new(struct str bytes)
{
    struct message *message = message_alloc(bytes.len);

    if (message && bytes.len > 0)
        memcpy(message->bytes, bytes.ptr, bytes.len);
    return message;
}

struct message *message_keep(struct message *message)
{
    message->references++;
    return message;
}

void message_drop(struct message *message)
{
    if (message && --message->references == 0)
        free(message);
}

struct str message_str(const struct message *message)
{
    return (struct str){message->bytes, message->len};
}
