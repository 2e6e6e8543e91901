#include "live/engine_session.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR '\x1e'
#define BUCKETS 4096 /* a power of two */
/* What a polling client is owed, as one payload: headers off, separators in. */
#define PAYLOAD_MAX (2 * STREAM_BACKLOG_MAX)

struct engine {
    struct engine_ops ops;
    void *context;
    int64_t now_ms; /* of the last tick */
    struct engine_session *first;
    struct engine_session *unsettled_first, *unsettled_last; /* the oldest is the first */
    struct engine_session *buckets[BUCKETS];
    size_t count;
    struct message *ping, *noop, *close;
};

/* ------------------------------------------------------------------ packets */

bool engine_packet_parse(struct str text, struct engine_packet *out)
{
    if (text.len == 0 || text.ptr[0] < ENGINE_OPEN || text.ptr[0] > ENGINE_NOOP ||
        !str_is_utf8(text))
        return false;
    *out = (struct engine_packet){(enum engine_type)text.ptr[0], str_slice(text, 1, text.len)};
    return true;
}

struct message *engine_message(struct str packet)
{
    return frame_make(FRAME_TEXT, packet);
}

struct message *engine_join(struct message *first, struct message *second)
{
    struct message *both = first && second ? message_alloc(first->len + second->len) : NULL;

    if (both) {
        memcpy(both->bytes, first->bytes, first->len);
        memcpy(both->bytes + first->len, second->bytes, second->len);
    }
    message_drop(first);
    message_drop(second);
    return both;
}

/* RFC 6455 §5.2, less the mask, which a server's frames have not. */
void engine_payload_add(struct buf *payload, const struct message *message)
{
    const uint8_t *at = (const uint8_t *)message->bytes, *end = at + message->len;

    while (at < end) {
        size_t len = at[1], head = 2;

        if (len >= 126) {
            head = len == 126 ? 4 : 10;
            len = 0;
            for (size_t i = 2; i < head; i++)
                len = len << 8 | at[i];
        }
        if (payload->len > 0)
            buf_add_char(payload, SEPARATOR);
        buf_add(payload, (struct str){(const char *)at + head, len});
        at += head + len;
    }
}

const char *engine_fault_text(enum engine_fault fault)
{
    switch (fault) {
    case ENGINE_TRANSPORT_UNKNOWN:
        return "Transport unknown";
    case ENGINE_SESSION_UNKNOWN:
        return "Session ID unknown";
    case ENGINE_BAD_METHOD:
        return "Bad handshake method";
    case ENGINE_BAD_VERSION:
        return "Unsupported protocol version";
    case ENGINE_BAD_REQUEST:
    case ENGINE_FULL:
    case ENGINE_FINE:
        break;
    }
    return "Bad request";
}

/* ------------------------------------------------------------------ the engine */

struct engine *engine_new(const struct engine_ops *ops, void *context, int64_t now_ms)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    engine->ops = *ops;
    engine->context = context;
    engine->now_ms = now_ms;
    engine->ping = engine_message(STR("2"));
    engine->noop = engine_message(STR("6"));
    engine->close = engine_message(STR("1"));
    if (!engine->ping || !engine->noop || !engine->close) {
        engine_free(engine);
        return NULL;
    }
    return engine;
}

size_t engine_session_count(const struct engine *engine)
{
    return engine->count;
}

static struct engine_session **bucket_of(struct engine *engine, const uint8_t *sid)
{
    return &engine->buckets[((unsigned)sid[0] << 8 | sid[1]) & (BUCKETS - 1)];
}

static void drop_queue(struct engine_session *session)
{
    for (size_t i = 0; i < session->queue_count; i++)
        message_drop(session->queue[i]);
    session->queue_count = 0;
    session->queue_bytes = 0;
}

static void close_probe(struct engine_session *session)
{
    struct engine_socket *probe = session->probe;

    session->probe = NULL;
    if (probe)
        engine_socket_close(probe, session->code, session->why);
}

void engine_settle(struct engine_session *session)
{
    struct engine *engine = session->engine;

    if (session->is_settled)
        return;
    session->is_settled = true;
    if (session->unsettled_previous)
        session->unsettled_previous->unsettled_next = session->unsettled_next;
    else
        engine->unsettled_first = session->unsettled_next;
    if (session->unsettled_next)
        session->unsettled_next->unsettled_previous = session->unsettled_previous;
    else
        engine->unsettled_last = session->unsettled_previous;
}

/* Nobody finds or uses it any more. */
static void forget(struct engine_session *session)
{
    struct engine *engine = session->engine;
    struct engine_session **at = bucket_of(engine, session->sid);

    while (*at != session)
        at = &(*at)->same_bucket;
    *at = session->same_bucket;
    if (session->previous)
        session->previous->next = session->next;
    else
        engine->first = session->next;
    if (session->next)
        session->next->previous = session->previous;
    engine->count--;
    engine_settle(session);
    close_probe(session);
    drop_queue(session);
    free(session->queue);
    free(session);
}

/* Nobody fills the place with sessions that say no more than the handshake. */
static bool make_room(struct engine *engine)
{
    struct engine_session *oldest = engine->unsettled_first;

    if (!oldest)
        return false;
    engine_close(oldest, CLOSE_TRY_LATER, "The client did not connect before others needed room.");
    forget(oldest);
    return true;
}

struct engine_session *engine_session_new(struct engine *engine, const struct engine_caller *caller)
{
    struct engine_session *session, **bucket;

    if (engine->count >= ENGINE_SESSIONS_MAX && !make_room(engine))
        return NULL;
    session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    session->engine = engine;
    randombytes_buf(session->sid, sizeof(session->sid));
    session->ping_at_ms = engine->now_ms + ENGINE_PING_INTERVAL_MS;
    session->user = engine->ops.opened(engine->context, session, caller);
    if (!session->user) {
        free(session);
        return NULL;
    }
    bucket = bucket_of(engine, session->sid);
    session->same_bucket = *bucket;
    *bucket = session;
    session->next = engine->first;
    if (engine->first)
        engine->first->previous = session;
    engine->first = session;
    engine->count++;
    session->unsettled_previous = engine->unsettled_last;
    if (engine->unsettled_last)
        engine->unsettled_last->unsettled_next = session;
    else
        engine->unsettled_first = session;
    engine->unsettled_last = session;
    return session;
}

void engine_open_json(const struct engine_session *session, struct buf *out)
{
    char sid[ENGINE_SID_LEN];

    str_to_hex(session->sid, sizeof(session->sid), sid);
    buf_addf(out,
             "{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%d,\"pingTimeout\":%d,"
             "\"maxPayload\":%zu}",
             (int)sizeof(sid), sid, session->socket ? "" : "\"websocket\"", ENGINE_PING_INTERVAL_MS,
             ENGINE_PING_TIMEOUT_MS, FRAME_MAX);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    while (engine->first) {
        engine_close(engine->first, CLOSE_GOING_AWAY, "The server stops.");
        forget(engine->first);
    }
    message_drop(engine->ping);
    message_drop(engine->noop);
    message_drop(engine->close);
    free(engine);
}

/* ------------------------------------------------------------------ out */

static bool enqueue(struct engine_session *session, struct message *message)
{
    if (session->queue_count == session->queue_capacity) {
        size_t capacity = session->queue_capacity ? 2 * session->queue_capacity : 8;
        struct message **queue = realloc(session->queue, capacity * sizeof(struct message *));

        if (!queue)
            return false;
        session->queue = queue;
        session->queue_capacity = capacity;
    }
    session->queue[session->queue_count++] = message_keep(message);
    session->queue_bytes += message->len;
    return true;
}

/* The poll is over first: answering may bring the next request in. */
static void answer(struct engine_session *session, enum engine_fault fault, struct str payload)
{
    struct engine_poll *poll = session->poll;

    session->poll = NULL;
    poll->session = NULL;
    poll->answer(poll, fault, payload);
}

static void flush(struct engine_session *session)
{
    struct buf payload;

    if (!session->poll || session->queue_count == 0)
        return;
    buf_init(&payload, NULL, PAYLOAD_MAX);
    for (size_t i = 0; i < session->queue_count; i++)
        engine_payload_add(&payload, session->queue[i]);
    drop_queue(session);
    if (buf_failed(&payload)) { /* no memory: what is lost must be asked for again */
        session->is_cut = true;
        answer(session, ENGINE_FULL, STR(""));
    } else {
        answer(session, ENGINE_FINE, buf_str(&payload));
    }
    buf_clear(&payload);
}

size_t engine_backlog(const struct engine_session *session)
{
    return session->socket ? engine_socket_backlog(session->socket) : session->queue_bytes;
}

bool engine_send(struct engine_session *session, struct message *message)
{
    if (session->is_over || session->is_cut)
        return false;
    if (session->socket)
        return engine_socket_send(session->socket, message);
    if (session->queue_bytes + message->len > STREAM_BACKLOG_MAX || !enqueue(session, message)) {
        drop_queue(session);
        session->is_cut = true;
        return false;
    }
    flush(session);
    return true;
}

void engine_release_poll(struct engine_session *session)
{
    if (session->poll && session->queue_count == 0 && !enqueue(session, session->engine->noop))
        answer(session, ENGINE_FULL, STR(""));
    flush(session);
}

/* ------------------------------------------------------------------ the end */

void engine_close(struct engine_session *session, enum close_code code, const char *why)
{
    struct engine *engine = session->engine;
    void *user = session->user;

    if (session->is_over)
        return;
    session->is_over = true;
    session->code = code;
    session->why = why;
    session->user = NULL;
    session->forget_at_ms = engine->now_ms;
    /* A client whose probe was answered polls no more: its last packets go by the upgrade. */
    if (session->probe && !session->is_probed)
        close_probe(session);
    if (session->socket) {
        struct engine_socket *socket = session->socket;

        session->socket = NULL;
        engine_socket_close(socket, code, why);
    } else if (enqueue(session, engine->close)) {
        session->forget_at_ms += ENGINE_PING_TIMEOUT_MS;
        flush(session);
    }
    if (session->poll) /* only without memory */
        answer(session, ENGINE_FULL, STR(""));
    engine->ops.closed(user);
}

static void heartbeat(struct engine_session *session, int64_t now_ms)
{
    if (session->pong_by_ms != 0) {
        if (now_ms >= session->pong_by_ms)
            engine_close(session, CLOSE_POLICY, "The ping was not answered.");
    } else if (now_ms >= session->ping_at_ms) {
        session->pong_by_ms = now_ms + ENGINE_PING_TIMEOUT_MS;
        engine_send(session, session->engine->ping);
    }
}

void engine_tick(struct engine *engine, int64_t now_ms)
{
    struct engine_session *next;

    engine->now_ms = now_ms;
    for (struct engine_session *session = engine->first; session; session = next) {
        next = session->next;
        session->packet_count = 0;
        if (session->is_cut)
            engine_close(session, CLOSE_POLICY, "The client reads too slowly.");
        if (!session->is_over)
            engine->ops.tick(session->user, now_ms);
        if (!session->is_over)
            heartbeat(session, now_ms);
        else if (session->queue_count == 0 || now_ms >= session->forget_at_ms)
            forget(session);
    }
}

/* ------------------------------------------------------------------ in */

bool engine_count(struct engine_session *session)
{
    if (++session->packet_count <= FRAMES_BURST)
        return true;
    engine_close(session, CLOSE_POLICY, "More packets came than are taken in a second.");
    return false;
}

void engine_take(struct engine_session *session, struct str text)
{
    struct engine_packet packet;

    if (!engine_count(session))
        return;
    if (!engine_packet_parse(text, &packet))
        packet.type = ENGINE_OPEN; /* as good as one: a client has no business with it */
    switch (packet.type) {
    case ENGINE_CLOSE:
        engine_close(session, CLOSE_NORMAL, "");
        break;
    case ENGINE_PONG:
        if (session->pong_by_ms != 0) {
            session->pong_by_ms = 0;
            session->ping_at_ms = session->engine->now_ms + ENGINE_PING_INTERVAL_MS;
        }
        break;
    case ENGINE_MESSAGE:
        session->engine->ops.message(session->user, packet.data);
        break;
    case ENGINE_NOOP:
        break;
    case ENGINE_OPEN:
    case ENGINE_PING:
    case ENGINE_UPGRADE:
        engine_close(session, CLOSE_PROTOCOL_ERROR, "This is no packet that a client sends.");
    }
}

const char *engine_receive(struct engine_session *session, struct str payload)
{
    struct str packet;

    if (payload.len > FRAME_MAX)
        engine_close(session, CLOSE_TOO_BIG, "The payload is larger than maxPayload.");
    while (payload.ptr && !session->is_over) {
        payload = str_cut(payload, SEPARATOR, &packet);
        engine_take(session, packet);
    }
    return session->is_over && session->code != CLOSE_NORMAL ? session->why : NULL;
}

void engine_upgrade(struct engine_session *session)
{
    session->socket = session->probe;
    session->probe = NULL;
    session->is_probed = false;
    if (session->poll)
        engine_release_poll(session);
    for (size_t i = 0; i < session->queue_count; i++) {
        if (!engine_socket_send(session->socket, session->queue[i]))
            break; /* it is cut, and its end follows */
    }
    drop_queue(session);
    if (session->is_over) {
        struct engine_socket *socket = session->socket;

        session->socket = NULL;
        engine_socket_close(socket, session->code, session->why);
    }
}

void engine_poll(struct engine_session *session, struct engine_poll *poll)
{
    poll->session = NULL;
    if (session->poll) {
        engine_close(session, CLOSE_PROTOCOL_ERROR, "Two requests wait at once.");
        poll->answer(poll, ENGINE_BAD_REQUEST, STR(""));
        return;
    }
    poll->session = session;
    session->poll = poll;
    if (session->is_probed)
        engine_release_poll(session);
    else
        flush(session);
}

void engine_poll_gone(struct engine_poll *poll)
{
    if (poll->session)
        engine_close(poll->session, CLOSE_GOING_AWAY, "The client has left.");
}

/* ------------------------------------------------------------------ requests */

static struct engine_session *by_sid(struct engine *engine, struct str text)
{
    uint8_t sid[ENGINE_SID_BYTES];
    struct engine_session *session;

    if (!str_from_hex(text, sid, sizeof(sid)))
        return NULL;
    for (session = *bucket_of(engine, sid); session; session = session->same_bucket) {
        if (sodium_memcmp(session->sid, sid, sizeof(sid)) == 0)
            return session;
    }
    return NULL;
}

enum engine_fault engine_find(struct engine *engine, const struct engine_query *query,
                              struct engine_session **out)
{
    bool is_socket = str_is(query->transport, "websocket");

    *out = NULL;
    if (!is_socket && !str_is(query->transport, "polling"))
        return ENGINE_TRANSPORT_UNKNOWN;
    if (!query->sid.ptr && !str_is(query->version, "4"))
        return ENGINE_BAD_VERSION;
    if (is_socket != query->is_upgrade)
        return !query->sid.ptr && query->is_post ? ENGINE_BAD_METHOD : ENGINE_BAD_REQUEST;
    if (!query->sid.ptr)
        return query->is_post ? ENGINE_BAD_METHOD : ENGINE_FINE;
    *out = by_sid(engine, query->sid);
    /* What is over can still be fetched by one GET. */
    if (!*out ||
        ((*out)->is_over && ((*out)->queue_count == 0 || query->is_post || query->is_upgrade))) {
        *out = NULL;
        return ENGINE_SESSION_UNKNOWN;
    }
    if ((*out)->socket || (is_socket && (*out)->probe))
        return ENGINE_BAD_REQUEST;
    return ENGINE_FINE;
}

enum engine_fault engine_open(struct engine *engine, const struct engine_caller *caller,
                              struct buf *payload)
{
    struct engine_session *session = engine_session_new(engine, caller);

    if (!session)
        return ENGINE_FULL;
    buf_add_char(payload, ENGINE_OPEN);
    engine_open_json(session, payload);
    return ENGINE_FINE;
}
