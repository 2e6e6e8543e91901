/* A connection that has left request and answer behind: WebSocket, Server-Sent Events. Two
 * halves that know nothing more of each other than this:
 *
 *     struct outlet   the connection's half (http/connection.c): bytes out, bounded
 *     struct stream   the protocol's half (live/): bytes in, and what they mean
 *
 * A route's handler makes the stream on a store thread and hands it over with reply_stream();
 * from then on all of it belongs to the loop thread. */
#ifndef LIVE_STREAM_H
#define LIVE_STREAM_H

#include "live/message.h"

#include <stdbool.h>
#include <stdint.h>

struct stream;

struct outlet {
    /* Queues a message (it takes a reference of its own). False when the client is cut: it had
     * STREAM_BACKLOG_MAX bytes unsent already. ops->closed comes later then, not inside this
     * call. */
    bool (*send)(struct outlet *outlet, struct message *message);
    /* Sends what is queued and closes; input is thrown away from here on. ops->closed comes
     * later, not inside this call. Repeating it is harmless. */
    void (*end)(struct outlet *outlet);
    size_t (*backlog)(const struct outlet *outlet); /* bytes not yet the kernel's */
    int64_t (*now_ms)(const struct outlet *outlet); /* the loop's clock, monotonic */
};

struct stream_ops {
    /* The head of the answer is on its way and stream->outlet is set. At most once. Here and in
     * the calls below, all of outlet may be called. */
    void (*opened)(struct stream *stream);
    /* Bytes as they come, never empty; between opened and closed. Cut anywhere. */
    void (*receive)(struct stream *stream, struct str bytes);
    /* The client sends no more (FIN), but may still read. */
    void (*at_end)(struct stream *stream);
    /* About twice a second: heartbeats and deadlines. */
    void (*tick)(struct stream *stream, int64_t now_ms);
    /* The server is about to stop: say so and end. */
    void (*drain)(struct stream *stream);
    /* The last call, exactly once. Frees. Without opened (the client had left before, the answer
     * was another) it may come on the store thread that made the stream. */
    void (*closed)(struct stream *stream);
};

/* First member of what a protocol keeps for a client. */
struct stream {
    const struct stream_ops *ops;
    struct outlet *outlet; /* the connection's; valid from opened to closed */
};

#endif
