/* Bytes that many clients are sent, made once: an event's frame is the same for each of them.
 * Counted references, without locks: the loop thread's own. */
#ifndef LIVE_MESSAGE_H
#define LIVE_MESSAGE_H

#include "base/str.h"

struct message {
    size_t references;
    size_t len;
    char bytes[];
};

/* A copy of the bytes with one reference; NULL without memory. */
struct message *message_new(struct str bytes);
/* With room for len bytes, which the caller fills in. */
struct message *message_alloc(size_t len);
struct message *message_keep(struct message *message); /* one reference more */
void message_drop(struct message *message);            /* one less; the last frees. NULL is fine */
struct str message_str(const struct message *message);

#endif
