/* Socket.IO, protocol 5, over Engine.IO: the same events as /api/v1/stream, under their event
 * types (SPEC.md §5). https://github.com/socketio/socket.io-protocol
 *
 *     client   40{"token":"tp_…","customer":ID,"since":ID}   all of it may be left out
 *     server   40{"sid":"…"}, or 44{"message":…,"data":{a problem}} and the end
 *     server   42["tag_added",{the event}]; 42["lead:contacted",{…}]; 42["presence",{…}], …
 *     client   42["subscribe",{"customer":ID}]; with a callback: 420[…], answered by 430[{…}]
 *     server   41: the rights are gone
 *
 * There is the namespace "/" only, and nothing binary. The loop thread's. */
#ifndef LIVE_SOCKETIO_H
#define LIVE_SOCKETIO_H

#include "live/engine.h"
#include "live/hub.h"

#define SOCKETIO_CONNECT_MS 20000 /* until a client must have connected to the namespace */
#define HANDSHAKE_TEXT_MAX 512    /* of a handshake; longer is none */

enum socketio_type {
    SOCKETIO_CONNECT = '0',
    SOCKETIO_DISCONNECT = '1',
    SOCKETIO_EVENT = '2',
    SOCKETIO_ACK = '3',
    SOCKETIO_CONNECT_ERROR = '4',
    SOCKETIO_BINARY_EVENT = '5',
    SOCKETIO_BINARY_ACK = '6',
};

struct socketio_packet {
    enum socketio_type type;
    struct str space; /* the namespace: "/" where none is named */
    struct str id;    /* digits: an answer is asked for; or STR_NULL */
    struct str json;  /* not looked at; STR_NULL: none */
};
/* False for what is no packet. Of binary ones only the type is told. */
bool socketio_packet_parse(struct str text, struct socketio_packet *out);

struct socketio;

/* NULL without memory. */
struct socketio *socketio_new(struct hub *hub, int64_t now_ms);
/* Before its hub, after the loop has ended. NULL is fine. */
void socketio_free(struct socketio *socketio);
/* About once a second, by a monotonic clock. */
void socketio_tick(struct socketio *socketio, int64_t now_ms);
/* What HTTP hands requests to. */
struct engine *socketio_engine(const struct socketio *socketio);

#endif
