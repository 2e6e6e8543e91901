#include "live/engine_session.h"

#include <stdlib.h>

struct engine_socket {
    struct stream stream; /* first */
    struct frames frames;
    struct engine_session *session; /* NULL: it is closed, or about to be */
    int64_t upgrade_by_ms;          /* of a probe, from its first tick */
    bool is_probe;                  /* the session polls still */
};

bool engine_socket_send(struct engine_socket *socket, struct message *message)
{
    struct outlet *outlet = socket->stream.outlet;

    return outlet && outlet->send(outlet, message);
}

size_t engine_socket_backlog(const struct engine_socket *socket)
{
    const struct outlet *outlet = socket->stream.outlet;

    return outlet ? outlet->backlog(outlet) : 0;
}

static void send_frame(struct engine_socket *socket, struct message *message)
{
    if (message)
        engine_socket_send(socket, message);
    message_drop(message);
}

void engine_socket_close(struct engine_socket *socket, enum close_code code, const char *why)
{
    struct outlet *outlet = socket->stream.outlet;

    socket->session = NULL;
    if (!outlet)
        return;
    send_frame(socket, frame_make_close(code, str_of(why)));
    outlet->end(outlet);
}

/* A probe's end leaves its session as it was. */
static void finish(struct engine_socket *socket, enum close_code code, const char *why)
{
    struct engine_session *session = socket->session;

    if (!session)
        return;
    if (session->probe == socket) {
        session->probe = NULL;
        session->is_probed = false;
        engine_socket_close(socket, code, why);
    } else {
        engine_close(session, code, why);
    }
}

static void opened(struct stream *stream)
{
    struct engine_socket *socket = (struct engine_socket *)stream;
    struct buf open;

    if (!socket->session) {
        stream->outlet->end(stream->outlet);
        return;
    }
    if (socket->is_probe)
        return;
    buf_init(&open, NULL, 1024);
    buf_add_char(&open, ENGINE_OPEN);
    engine_open_json(socket->session, &open);
    if (buf_failed(&open))
        finish(socket, CLOSE_TRY_LATER, "There is no memory.");
    else
        send_frame(socket, engine_message(buf_str(&open)));
    buf_clear(&open);
}

static void take_probe(struct engine_socket *socket, struct str text)
{
    if (!socket->session->is_probed && str_is(text, "2probe")) {
        socket->session->is_probed = true;
        send_frame(socket, engine_message(STR("3probe")));
        engine_release_poll(socket->session);
    } else if (socket->session->is_probed && str_is(text, "5")) {
        socket->is_probe = false;
        engine_upgrade(socket->session);
    } else {
        finish(socket, CLOSE_PROTOCOL_ERROR, "An upgrade goes by 2probe, 3probe and 5.");
    }
}

static void take(struct engine_socket *socket, const struct frame *frame)
{
    switch (frame->kind) {
    case FRAME_TEXT:
        if (socket->is_probe)
            take_probe(socket, frame->text);
        else
            engine_take(socket->session, frame->text);
        break;
    case FRAME_PING:
        if (engine_count(socket->session))
            send_frame(socket, frame_make(FRAME_PONG, frame->text));
        break;
    case FRAME_PONG:
        engine_count(socket->session);
        break;
    case FRAME_CLOSE:
        finish(socket, CLOSE_NORMAL, "");
        break;
    case FRAME_BINARY:
    case FRAME_CONTINUATION:
        finish(socket, CLOSE_UNSUPPORTED, "Only text is taken.");
    }
}

static void receive(struct stream *stream, struct str bytes)
{
    struct engine_socket *socket = (struct engine_socket *)stream;
    struct frame frame;

    while (socket->session) {
        switch (frames_next(&socket->frames, &bytes, &frame)) {
        case FRAMES_MORE:
            return;
        case FRAMES_WHOLE:
            take(socket, &frame);
            break;
        case FRAMES_REFUSED:
            finish(socket, (enum close_code)frame.code, frame.text.ptr);
        }
    }
}

static void at_end(struct stream *stream)
{
    finish((struct engine_socket *)stream, CLOSE_NORMAL, "");
}

static void tick(struct stream *stream, int64_t now_ms)
{
    struct engine_socket *socket = (struct engine_socket *)stream;

    if (!socket->is_probe)
        return;
    if (socket->upgrade_by_ms == 0)
        socket->upgrade_by_ms = now_ms + ENGINE_PROBE_MS;
    else if (now_ms >= socket->upgrade_by_ms)
        finish(socket, CLOSE_POLICY, "The upgrade took too long.");
}

static void drain(struct stream *stream)
{
    finish((struct engine_socket *)stream, CLOSE_GOING_AWAY, "The server stops.");
}

static void closed(struct stream *stream)
{
    struct engine_socket *socket = (struct engine_socket *)stream;

    stream->outlet = NULL;
    finish(socket, CLOSE_GOING_AWAY, "The client has left.");
    frames_clear(&socket->frames);
    free(socket);
}

static const struct stream_ops socket_ops = {
    .opened = opened,
    .receive = receive,
    .at_end = at_end,
    .tick = tick,
    .drain = drain,
    .closed = closed,
};

enum engine_fault engine_socket_new(struct engine *engine, struct engine_session *session,
                                    const struct engine_caller *caller, struct stream **out)
{
    struct engine_socket *socket = calloc(1, sizeof(*socket));

    *out = NULL;
    if (!socket)
        return ENGINE_FULL;
    socket->stream.ops = &socket_ops;
    socket->is_probe = session != NULL;
    socket->session = session ? session : engine_session_new(engine, caller);
    if (!socket->session) {
        free(socket);
        return ENGINE_FULL;
    }
    if (socket->is_probe)
        session->probe = socket;
    else
        socket->session->socket = socket;
    frames_init(&socket->frames);
    *out = &socket->stream;
    return ENGINE_FINE;
}
