#include "live/websocket.h"

#include "live/frames.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define PING_MS ((int64_t)PING_SECONDS * 1000)
#define ERROR_MAX KIB(1)

/* What it begins with; gone once the hub has it. */
struct opening {
    struct hub *hub;
    struct identity identity;
    struct wish wish; /* texts in `texts` */
    char texts[];
};

struct websocket {
    struct stream stream;
    struct listener listener;
    struct frames frames;
    struct opening *opening;
    int64_t heard_ms;      /* the client's last sign of life */
    int64_t asked_ms;      /* when it was asked for one; 0: it was not, since the last */
    int64_t busy_until_us; /* what it asked takes until then, at FRAMES_PER_SECOND */
    bool is_joined, is_ending;
};

static struct websocket *of_stream(struct stream *stream)
{
    return (struct websocket *)stream;
}

static struct websocket *of_listener(struct listener *listener)
{
    return (struct websocket *)((uintptr_t)listener - offsetof(struct websocket, listener));
}

/* Out ---------------------------------------------------------------------------------- */

/* Takes over the message. False: there is none, or the client is cut. */
static bool send_own(struct websocket *websocket, struct message *message)
{
    bool sent = message && websocket->stream.outlet->send(websocket->stream.outlet, message);

    message_drop(message);
    return sent;
}

static void end(struct websocket *websocket, enum close_code code, struct str reason)
{
    if (websocket->is_ending)
        return;
    websocket->is_ending = true;
    send_own(websocket, frame_make_close(code, reason));
    websocket->stream.outlet->end(websocket->stream.outlet);
}

/* Told in an error frame, which programs read, and in the close frame's reason. */
static void end_with_error(struct websocket *websocket, enum close_code code, enum err why,
                           const char *detail)
{
    struct error error;
    struct json_out json;
    struct buf text;

    if (websocket->is_ending)
        return;
    error_clear(&error);
    error_set(&error, why, "%s", detail);
    buf_init(&text, NULL, ERROR_MAX);
    json_out_init(&json, &text);
    json_object_begin(&json);
    JSON_KEY(&json, "op");
    json_text(&json, STR("error"));
    hub_problem(&json, &error);
    json_object_end(&json);
    if (!buf_failed(&text))
        send_own(websocket, frame_make(FRAME_TEXT, buf_str(&text)));
    buf_clear(&text);
    end(websocket, code, str_of(detail));
}

/* The hub's side ------------------------------------------------------------------------ */

static struct message *make_event(const struct live_event *event)
{
    static const struct str before = {"{\"op\":\"event\",\"event\":", 22};
    struct message *message;
    struct buf text;

    buf_init(&text, NULL, before.len + event->json.len + 1);
    buf_reserve(&text, before.len + event->json.len + 1);
    buf_add(&text, before);
    buf_add(&text, event->json);
    buf_add_char(&text, '}');
    message = buf_failed(&text) ? NULL : frame_make(FRAME_TEXT, buf_str(&text));
    buf_clear(&text);
    return message;
}

static struct message *make_frame(struct str op, struct str json)
{
    (void)op; /* stands in the JSON too */
    return frame_make(FRAME_TEXT, json);
}

static bool send_shared(struct listener *listener, struct message *message)
{
    struct websocket *websocket = of_listener(listener);

    return !websocket->is_ending &&
           websocket->stream.outlet->send(websocket->stream.outlet, message);
}

static void dismiss(struct listener *listener, enum err why, const char *detail)
{
    bool is_rights = why == ERR_UNAUTHENTICATED || why == ERR_FORBIDDEN || why == ERR_TOO_MANY;

    end_with_error(of_listener(listener), is_rights ? CLOSE_POLICY : CLOSE_TRY_LATER, why, detail);
}

static size_t backlog(const struct listener *listener)
{
    const struct websocket *websocket =
        (const struct websocket *)((uintptr_t)listener - offsetof(struct websocket, listener));

    return websocket->stream.outlet->backlog(websocket->stream.outlet);
}

static const struct listener_ops listener_ops = {
    .event = make_event,
    .frame = make_frame,
    .send = send_shared,
    .dismiss = dismiss,
    .backlog = backlog,
};

/* The client's side --------------------------------------------------------------------- */

static void opened(struct stream *stream)
{
    struct websocket *websocket = of_stream(stream);
    struct opening *opening = websocket->opening;

    websocket->opening = NULL;
    websocket->heard_ms = stream->outlet->now_ms(stream->outlet);
    websocket->is_joined =
        hub_join(opening->hub, &websocket->listener, &listener_ops, &opening->identity);
    if (websocket->is_joined)
        hub_wish(&websocket->listener, &opening->wish);
    else
        end_with_error(websocket, CLOSE_TRY_LATER, ERR_UNAVAILABLE,
                       "The server cannot take another listener now.");
    free(opening);
}

/* Each frame costs the same, and a client may be FRAMES_BURST frames ahead. */
static bool within_rate(struct websocket *websocket)
{
    const int64_t cost_us = 1000000 / FRAMES_PER_SECOND;
    int64_t now_us = websocket->heard_ms * 1000;

    if (websocket->busy_until_us < now_us)
        websocket->busy_until_us = now_us;
    websocket->busy_until_us += cost_us;
    return websocket->busy_until_us - now_us <= FRAMES_BURST * cost_us;
}

static void take(struct websocket *websocket, const struct frame *frame)
{
    if (frame->kind == FRAME_CLOSE) {
        end(websocket, (enum close_code)frame->code, STR(""));
    } else if (!within_rate(websocket)) {
        end_with_error(websocket, CLOSE_POLICY, ERR_TOO_MANY, "Too many frames; slow down.");
    } else if (frame->kind == FRAME_PING) {
        send_own(websocket, frame_make(FRAME_PONG, frame->text));
    } else if (frame->kind == FRAME_BINARY) {
        end_with_error(websocket, CLOSE_UNSUPPORTED, ERR_MALFORMED,
                       "Commands are JSON, in text messages.");
    } else if (frame->kind == FRAME_TEXT && !hub_command(&websocket->listener, frame->text)) {
        end_with_error(websocket, CLOSE_NOT_UTF8, ERR_MALFORMED,
                       "The message is not a JSON object.");
    }
}

static void receive(struct stream *stream, struct str bytes)
{
    struct websocket *websocket = of_stream(stream);
    enum frames_result result = FRAMES_WHOLE;
    struct frame frame;

    websocket->heard_ms = stream->outlet->now_ms(stream->outlet);
    websocket->asked_ms = 0;
    while (!websocket->is_ending && result == FRAMES_WHOLE) {
        result = frames_next(&websocket->frames, &bytes, &frame);
        if (result == FRAMES_WHOLE)
            take(websocket, &frame);
        else if (result == FRAMES_REFUSED)
            end(websocket, (enum close_code)frame.code, frame.text);
    }
}

static void at_end(struct stream *stream)
{
    struct websocket *websocket = of_stream(stream);

    websocket->is_ending = true; /* without a close frame: nothing is to be said to it */
    stream->outlet->end(stream->outlet);
}

static void tick(struct stream *stream, int64_t now_ms)
{
    struct websocket *websocket = of_stream(stream);

    if (websocket->is_ending || now_ms - websocket->heard_ms < PING_MS)
        return;
    if (websocket->asked_ms == 0) {
        websocket->asked_ms = now_ms;
        send_own(websocket, frame_make(FRAME_PING, STR("")));
    } else if (now_ms - websocket->asked_ms >= PING_MS) {
        end(websocket, CLOSE_POLICY, STR("No answer to the ping."));
    }
}

static void drain(struct stream *stream)
{
    end(of_stream(stream), CLOSE_GOING_AWAY, STR("The server stops; connect again."));
}

static void closed(struct stream *stream)
{
    struct websocket *websocket = of_stream(stream);

    if (websocket->is_joined)
        hub_leave(&websocket->listener);
    frames_clear(&websocket->frames);
    free(websocket->opening);
    free(websocket);
}

static const struct stream_ops stream_ops = {
    .opened = opened,
    .receive = receive,
    .at_end = at_end,
    .tick = tick,
    .drain = drain,
    .closed = closed,
};

/* A text behind those that `at` has passed. */
static struct str keep_text(struct str text, char **at)
{
    struct str kept = {*at, text.len};

    if (!text.ptr)
        return STR_NULL;
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

struct stream *websocket_new(struct hub *hub, const struct identity *identity,
                             const struct wish *wish)
{
    struct websocket *websocket = calloc(1, sizeof(*websocket));
    struct opening *opening =
        malloc(sizeof(*opening) + wish->since.len + wish->customer.len + wish->feed.len);
    char *at;

    if (!websocket || !opening) {
        free(websocket);
        free(opening);
        return NULL;
    }
    opening->hub = hub;
    opening->identity = *identity;
    at = opening->texts;
    opening->wish.since = keep_text(wish->since, &at);
    opening->wish.customer = keep_text(wish->customer, &at);
    opening->wish.feed = keep_text(wish->feed, &at);
    websocket->stream.ops = &stream_ops;
    websocket->opening = opening;
    frames_init(&websocket->frames);
    return &websocket->stream;
}
