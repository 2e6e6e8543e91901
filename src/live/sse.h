/* Server-Sent Events (WHATWG HTML §9.2): the same frames as by WebSocket, one way only.
 *
 *     event: event | presence | read | resync | error | subscribed
 *     id: the event's, with `event` alone, so that Last-Event-ID resumes behind it
 *     data: the frame
 *
 * A comment every SSE_HEARTBEAT_SECONDS keeps what stands between from giving up. */
#ifndef LIVE_SSE_H
#define LIVE_SSE_H

#include "live/hub.h"
#include "live/stream.h"

#define SSE_HEARTBEAT_SECONDS 15
#define SSE_RETRY_MS 1000 /* what a browser waits before it connects again */

/* For a handler's answer, on any thread; all of it is copied. It joins the hub when the
 * connection is its own. NULL without memory. */
struct stream *sse_new(struct hub *hub, const struct identity *identity, const struct wish *wish);

#endif
