/* /socket.io/: HTTP's part of Socket.IO (live/engine.h). All of it runs on the loop thread; who
 * a client is, is looked up when it connects to the namespace (live/socketio.c). */
#include "http/app.h"
#include "http/auth.h"
#include "http/problem.h"
#include "http/upgrade.h"
#include "live/socketio.h"

extern const struct resource socketio_resource;

#define TEXT "text/plain; charset=UTF-8"

struct handshake {
    struct str version, transport, sid, ticket, cache_buster, base64, callback;
};
static const struct field handshake_fields[] = {
    FIELD_AS(handshake, "EIO", version, F_TEXT, ONE_LINE, .max = 8,
             .doc = "The version of Engine.IO: 4"),
    FIELD(handshake, transport, F_TEXT, ONE_LINE, .max = 32, .doc = "polling or websocket"),
    FIELD(handshake, sid, F_TEXT, ONE_LINE, .max = 64, .doc = "The session; none begins one"),
    FIELD(handshake, ticket, F_TEXT, ONE_LINE, .max = HANDSHAKE_TEXT_MAX,
          .doc = "Of POST /api/v1/stream/tickets, where a header cannot be sent"),
    FIELD_AS(handshake, "t", cache_buster, F_TEXT, 0, .max = 64, .doc = "Anything; not looked at"),
    FIELD_AS(handshake, "b64", base64, F_TEXT, 0, .max = 8, .doc = "Not looked at"),
    FIELD_AS(handshake, "j", callback, F_TEXT, 0, .max = 8, .doc = "JSONP, which is refused"),
};
static const struct record handshake_record =
    RECORD_NAMED("SocketioQuery", handshake, handshake_fields);

/* A GET that waits, in its exchange's arena. */
struct waiting {
    struct engine_poll poll; /* first */
    struct http_exchange *exchange;
};

/* ------------------------------------------------------------------ answers */

static void answer_text(struct http_exchange *exchange, struct str body)
{
    response_begin(exchange);
    exchange->response.status = 200;
    exchange->response.body = str_copy(exchange->arena, body);
    if (!exchange->response.body.ptr) {
        problem_respond(exchange, ERR_TOO_LARGE, NULL);
    } else {
        http_header_add(exchange, "Content-Type", STR(TEXT));
        http_header_add(exchange, "Cache-Control", STR("no-store"));
    }
    http_respond(exchange);
}

/* A problem, with the protocol's own members: "code" and "message". `why` may say more. */
static void answer_fault(struct http_exchange *exchange, enum engine_fault fault, const char *why)
{
    const char *text = engine_fault_text(fault);
    struct str problem;
    struct buf body;

    if (fault == ENGINE_FULL) {
        problem_respond(exchange, ERR_UNAVAILABLE, NULL);
        http_respond(exchange);
        return;
    }
    problem_respond_status(exchange, 400, why ? why : text);
    problem = exchange->response.body;
    buf_init(&body, exchange->arena, KIB(4));
    buf_addf(&body, "{\"code\":%d,\"message\":\"%s\",", (int)fault, text);
    buf_add(&body, str_slice(problem, 1, problem.len));
    if (!buf_failed(&body))
        exchange->response.body = buf_str(&body);
    http_respond(exchange);
}

static void answer_poll(struct engine_poll *poll, enum engine_fault fault, struct str payload)
{
    struct http_exchange *exchange = ((struct waiting *)poll)->exchange;

    if (fault == ENGINE_FINE)
        answer_text(exchange, payload);
    else
        answer_fault(exchange, fault, NULL);
}

static void poll_gone(struct http_exchange *exchange)
{
    engine_poll_gone(exchange->held);
}

/* ------------------------------------------------------------------ requests */

static enum err no_memory(struct req *rq)
{
    return error_set(rq->cx.error, ERR_UNAVAILABLE, "The server has no memory left.");
}

static struct engine_caller caller_of(struct req *rq)
{
    const struct handshake *query = rq->query;
    const struct str ticket = query->ticket;

    return (struct engine_caller){
        auth_handshake(&rq->exchange->request, ticket, rq->exchange->arena)};
}

static enum err begin_socket(struct req *rq, struct engine *engine, struct engine_session *session)
{
    struct engine_caller caller = caller_of(rq);
    struct stream *stream;

    TRY(upgrade_check(rq));
    if (engine_socket_new(engine, session, &caller, &stream) != ENGINE_FINE)
        return no_memory(rq);
    TRY(reply_stream(rq, 101, stream));
    http_respond(rq->exchange);
    return OK;
}

static enum err begin_polling(struct req *rq, struct engine *engine)
{
    struct engine_caller caller = caller_of(rq);
    struct buf payload;

    buf_init(&payload, rq->exchange->arena, KIB(1));
    if (engine_open(engine, &caller, &payload) != ENGINE_FINE || buf_failed(&payload))
        return no_memory(rq);
    answer_text(rq->exchange, buf_str(&payload));
    return OK;
}

static enum err begin_waiting(struct req *rq, struct engine_session *session)
{
    struct waiting *waiting = ARENA_NEW(rq->exchange->arena, struct waiting);

    if (!waiting)
        return no_memory(rq);
    waiting->exchange = rq->exchange;
    waiting->poll.answer = answer_poll;
    rq->exchange->held = waiting;
    rq->exchange->gone = poll_gone;
    engine_poll(session, &waiting->poll);
    return OK;
}

static enum err find(struct req *rq, struct engine **engine, struct engine_session **session,
                     enum engine_fault *fault)
{
    const struct handshake *query = rq->query;
    const struct engine_query asked = {
        .version = query->version,
        .transport = query->transport,
        .sid = query->sid,
        .is_post = rq->exchange->request.method == HTTP_POST,
        .is_upgrade = upgrade_wanted(&rq->exchange->request),
    };
    struct socketio *socketio = app_settings(rq->app)->socketio;

    if (!socketio)
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "Nothing is streamed here.");
    *engine = socketio_engine(socketio);
    *fault = engine_find(*engine, &asked, session);
    if (*fault == ENGINE_FINE && query->callback.ptr)
        *fault = ENGINE_BAD_REQUEST;
    return OK;
}

static enum err socketio_get(struct req *rq)
{
    const bool is_socket = upgrade_wanted(&rq->exchange->request);
    struct engine_session *session = NULL;
    enum engine_fault fault = ENGINE_FINE;
    struct engine *engine = NULL;

    if (rq->exchange->request.method != HTTP_GET)
        return error_set(rq->cx.error, ERR_METHOD, "A poll takes what it is answered.");
    TRY(find(rq, &engine, &session, &fault));
    if (fault != ENGINE_FINE) {
        answer_fault(rq->exchange, fault, NULL);
        return OK;
    }
    if (is_socket)
        return begin_socket(rq, engine, session);
    return session ? begin_waiting(rq, session) : begin_polling(rq, engine);
}

static enum err socketio_post(struct req *rq)
{
    struct engine_session *session = NULL;
    enum engine_fault fault = ENGINE_FINE;
    struct engine *engine = NULL;
    const char *why;

    TRY(find(rq, &engine, &session, &fault));
    if (fault != ENGINE_FINE) {
        answer_fault(rq->exchange, fault, NULL);
        return OK;
    }
    why = engine_receive(session, rq->body_text);
    if (why)
        answer_fault(rq->exchange, ENGINE_BAD_REQUEST, why);
    else
        answer_text(rq->exchange, STR("ok"));
    return OK;
}

/* Client libraries add the application's own parameters to the URL, of whatever name. */
#define FLAGS (ROUTE_ROOT | ROUTE_INLINE | ROUTE_HELD | ROUTE_LAX_QUERY)

static const struct route routes[] = {
    {HTTP_GET, "/socket.io/", ROLE_PUBLIC, TX_NONE, socketio_get,
     "Begin a Socket.IO session (Engine.IO 4), wait for its packets, or upgrade to a WebSocket",
     ANSWER_OTHER, .query = &handshake_record, .flags = FLAGS, .other_answer = TEXT},
    {HTTP_POST, "/socket.io/", ROLE_PUBLIC, TX_NONE, socketio_post,
     "Send packets of a Socket.IO session", ANSWER_OTHER, .query = &handshake_record,
     .flags = FLAGS | ROUTE_RAW, .other_answer = TEXT},
};
static const char *const mounts[] = {""};
const struct resource socketio_resource = {"socket.io", mounts, COUNT_OF(mounts), routes,
                                           COUNT_OF(routes)};
