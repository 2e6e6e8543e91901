/* What engine.c and engine_socket.c share: a session's insides. */
#ifndef LIVE_ENGINE_SESSION_H
#define LIVE_ENGINE_SESSION_H

#include "live/engine.h"

struct engine_session {
    struct engine *engine;
    struct engine_session *previous, *next; /* all of them */
    struct engine_session *unsettled_previous, *unsettled_next;
    struct engine_session *same_bucket;
    uint8_t sid[ENGINE_SID_BYTES];
    void *user; /* engine_ops'; NULL once `closed` was called */

    struct engine_poll *poll;             /* a GET that waits */
    struct engine_socket *socket, *probe; /* it has upgraded to this; it may upgrade to that */
    struct message **queue;               /* of a polling client between two GETs */
    size_t queue_count, queue_capacity, queue_bytes;

    int64_t ping_at_ms;    /* when to ping next */
    int64_t pong_by_ms;    /* a pong is awaited until then; 0: none is */
    int64_t forget_at_ms;  /* once it is over: so long its last packets can be fetched */
    unsigned packet_count; /* since the last tick */
    enum close_code code;  /* once it is over */
    const char *why;       /* a literal */
    bool is_settled;       /* engine_settle() */
    bool is_over;          /* closed */
    bool is_probed;        /* the probe was answered: polls wait no more */
    bool is_cut;           /* did not read: to be closed by the next tick */
};

/* NULL: too many, or no memory. */
struct engine_session *engine_session_new(struct engine *engine,
                                          const struct engine_caller *caller);
/* {"sid":…,…}: what an open packet says. */
void engine_open_json(const struct engine_session *session, struct buf *out);
/* A packet came. What a client does not send closes the session. */
void engine_take(struct engine_session *session, struct str text);
/* Counts what came; false, and closed, when it is too much for one second. */
bool engine_count(struct engine_session *session);
/* The probe asks for the upgrade: from now on the WebSocket is the transport. */
void engine_upgrade(struct engine_session *session);
/* Whatever the session has is answered to the waiting GET, at least a noop. */
void engine_release_poll(struct engine_session *session);

/* engine_socket.c */
bool engine_socket_send(struct engine_socket *socket, struct message *message);
size_t engine_socket_backlog(const struct engine_socket *socket);
/* The session is not its any more. */
void engine_socket_close(struct engine_socket *socket, enum close_code code, const char *why);

#endif
