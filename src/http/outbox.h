/* What a stream has still to send: references to messages, in order. The loop thread's. */
#ifndef HTTP_OUTBOX_H
#define HTTP_OUTBOX_H

#include "live/message.h"

#include <stdbool.h>

struct outbox_item {
    struct outbox_item *next;
    struct message *message;
};

struct outbox {
    struct outbox_item *first, *last;
    size_t bytes; /* unsent */
    size_t sent;  /* of the first message */
};

/* False without memory: nothing was queued. Takes a reference of its own. */
bool outbox_add(struct outbox *outbox, struct message *message);
/* That many bytes, `bytes` at most, are sent. */
void outbox_advance(struct outbox *outbox, size_t bytes);
void outbox_clear(struct outbox *outbox);

#endif
