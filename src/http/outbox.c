#include "http/outbox.h"

#include <stdlib.h>

bool outbox_add(struct outbox *outbox, struct message *message)
{
    struct outbox_item *item;

    if (message->len == 0)
        return true;
    item = malloc(sizeof(*item));
    if (!item)
        return false;
    *item = (struct outbox_item){NULL, message_keep(message)};
    if (outbox->last)
        outbox->last->next = item;
    else
        outbox->first = item;
    outbox->last = item;
    outbox->bytes += message->len;
    return true;
}

static void drop_first(struct outbox *outbox)
{
    struct outbox_item *item = outbox->first;

    outbox->first = item->next;
    if (!outbox->first)
        outbox->last = NULL;
    outbox->sent = 0;
    message_drop(item->message);
    free(item);
}

void outbox_advance(struct outbox *outbox, size_t bytes)
{
    outbox->bytes -= bytes;
    while (outbox->first) {
        size_t left = outbox->first->message->len - outbox->sent;

        if (bytes < left) {
            outbox->sent += bytes;
            return;
        }
        bytes -= left;
        drop_first(outbox);
    }
}

void outbox_clear(struct outbox *outbox)
{
    while (outbox->first)
        drop_first(outbox);
    outbox->bytes = 0;
}
