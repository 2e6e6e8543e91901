/* Engine.IO, protocol 4: what Socket.IO clients speak below Socket.IO. A session is found by its
 * `sid`, carries texts both ways, and is reached by HTTP polling or by a WebSocket, to which a
 * polling client may upgrade. https://github.com/socketio/engine.io-protocol
 *
 *     socketio_api.c (HTTP) -> engine.c (sessions, packets) -> engine_ops: socketio.c
 *     engine_socket.c: the same over a WebSocket
 *
 * Sessions are this process's own: behind a balancer a polling client must come back to the same
 * node. All of it belongs to the loop thread. */
#ifndef LIVE_ENGINE_H
#define LIVE_ENGINE_H

#include "base/buf.h"
#include "base/limits.h"
#include "live/frames.h"
#include "live/stream.h"

#include <stdint.h>

#define ENGINE_PING_INTERVAL_MS 25000 /* the server pings this long after the last pong */
#define ENGINE_PING_TIMEOUT_MS 20000  /* and waits this long for the next */
#define ENGINE_PROBE_MS 10000         /* an upgrade takes no longer */
#define ENGINE_SESSIONS_MAX CONNECTIONS_MAX
#define ENGINE_SID_BYTES 16
#define ENGINE_SID_LEN (2 * (size_t)ENGINE_SID_BYTES)

/* ------------------------------------------------------------------ packets */

enum engine_type {
    ENGINE_OPEN = '0',
    ENGINE_CLOSE = '1',
    ENGINE_PING = '2',
    ENGINE_PONG = '3',
    ENGINE_MESSAGE = '4',
    ENGINE_UPGRADE = '5',
    ENGINE_NOOP = '6',
};

struct engine_packet {
    enum engine_type type;
    struct str data; /* behind the type, never NULL */
};

/* False for what is no packet of text: empty, of another type, binary ("b…"), not UTF-8. */
bool engine_packet_parse(struct str text, struct engine_packet *out);
/* Packets as they are kept: each in a WebSocket frame of the server's (live/frames.h), so that
 * one message serves every client. `packet` is whole, with its type. NULL without memory. */
struct message *engine_message(struct str packet);
/* One message of two; both references are taken. NULL if one was, or without memory. */
struct message *engine_join(struct message *first, struct message *second);
/* Adds the packets of such a message to a polling payload. */
void engine_payload_add(struct buf *payload, const struct message *message);

/* ------------------------------------------------------------------ errors of requests */

enum engine_fault {
    ENGINE_TRANSPORT_UNKNOWN = 0, /* the protocol's own codes, told as {"code","message"} */
    ENGINE_SESSION_UNKNOWN = 1,
    ENGINE_BAD_METHOD = 2,
    ENGINE_BAD_REQUEST = 3,
    ENGINE_BAD_VERSION = 5,
    ENGINE_FINE,
    ENGINE_FULL, /* no code of the protocol's: 503 */
};
const char *engine_fault_text(enum engine_fault fault); /* "Session ID unknown" */

/* ------------------------------------------------------------------ sessions */

struct engine;
struct engine_session;
struct engine_socket;

/* Who opens a session, as far as the request says; texts end with the call. */
struct engine_caller {
    /* Of the handshake, as hub_store.authenticate takes it; "": none; STR_NULL: one that cannot
     * be. */
    struct str credential;
};

/* The protocol above. */
struct engine_ops {
    /* What engine_user() gives from then on; NULL: there is no memory. */
    void *(*opened)(void *context, struct engine_session *session,
                    const struct engine_caller *caller);
    /* The text lives until it returns. The session may be closed in it. */
    void (*message)(void *user, struct str text);
    void (*tick)(void *user, int64_t now_ms);
    /* The last call, once; nothing can be sent any more. Frees. */
    void (*closed)(void *user);
};

/* NULL without memory. */
struct engine *engine_new(const struct engine_ops *ops, void *context, int64_t now_ms);
/* After the loop has ended: no poll waits and no socket is open. NULL is fine. */
void engine_free(struct engine *engine);
/* About once a second: pings, deadlines; what was closed is forgotten. */
void engine_tick(struct engine *engine, int64_t now_ms);
size_t engine_session_count(const struct engine *engine);

/* Takes a reference of its own. False: it was closed, or is cut for STREAM_BACKLOG_MAX unsent
 * bytes; engine_ops.closed comes later then, not inside this call. */
bool engine_send(struct engine_session *session, struct message *message);
/* The client has proven who it is. Until then the session gives way, the oldest first, to new ones
 * when there are ENGINE_SESSIONS_MAX. */
void engine_settle(struct engine_session *session);
/* Bytes that the client has not fetched, or its kernel not taken. */
size_t engine_backlog(const struct engine_session *session);
/* What was sent before still goes out. `why` is a literal: the reason of a WebSocket's close
 * frame with that code. engine_ops.closed is called at once. Repeating it is harmless. */
void engine_close(struct engine_session *session, enum close_code code, const char *why);

/* ------------------------------------------------------------------ what HTTP brings */

struct engine_query {
    struct str version, transport, sid; /* of the URL's query; STR_NULL: not there */
    bool is_post;
    bool is_upgrade; /* it asks for a WebSocket */
};
/* ENGINE_FINE and the session (NULL: a handshake is asked for), or what to answer. */
enum engine_fault engine_find(struct engine *engine, const struct engine_query *query,
                              struct engine_session **out);

/* A new session, polling; the answer is its first payload (`payload` is filled). */
enum engine_fault engine_open(struct engine *engine, const struct engine_caller *caller,
                              struct buf *payload);

/* A GET that waits. Whoever brings it embeds this. */
struct engine_poll {
    struct engine_session *session; /* the engine's; NULL once it was answered */
    /* Once: 200 with this payload, which lives until it returns; or a fault. */
    void (*answer)(struct engine_poll *poll, enum engine_fault fault, struct str payload);
};
/* Answers at once or later. */
void engine_poll(struct engine_session *session, struct engine_poll *poll);
/* Its client has left, or the server is about to stop: the session ends, and the poll is
 * answered with that. */
void engine_poll_gone(struct engine_poll *poll);

/* A POST's payload. NULL: it was taken. Else why not (a literal): 400, and the session is over. */
const char *engine_receive(struct engine_session *session, struct str payload);

/* A WebSocket that opens a session (NULL), or to which that one may upgrade. The stream is the
 * connection's, to be answered with 101; NULL without memory. */
enum engine_fault engine_socket_new(struct engine *engine, struct engine_session *session,
                                    const struct engine_caller *caller, struct stream **out);

#endif
