/* /api/v1/stream by WebSocket (SPEC.md §5): frames in and out, a listener of the hub between.
 *
 *     text      a command of the client, or a frame of the hub: JSON
 *     binary    closed with 1003
 *     not JSON  an error frame, closed with 1007
 *     too many  commands or control frames of a second: an error frame, closed with 1008
 *     rights    gone or expired: an error frame, closed with 1008
 *     memory    spent: 1013
 *     drain     1001
 *
 * A client that has said nothing for PING_SECONDS is pinged; one that says nothing for as long
 * again is gone. */
#ifndef LIVE_WEBSOCKET_H
#define LIVE_WEBSOCKET_H

#include "live/hub.h"
#include "live/stream.h"

/* For reply_stream(), made on any thread; identity and wish are copied. NULL without memory. */
struct stream *websocket_new(struct hub *hub, const struct identity *identity,
                             const struct wish *wish);

#endif
