#include "live/sse.h"

#include "base/buf.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define WISH_MAX 64 /* of each text */
#define EVENT_BYTES_MAX MIB(1)

struct sse {
    struct stream stream;
    struct listener listener;
    struct hub *hub;
    int64_t sent_ms;
    /* Until it has joined. */
    struct identity *identity;
    char since[WISH_MAX], customer[WISH_MAX], feed[WISH_MAX];
};

static struct sse *of_listener(const struct listener *listener)
{
    return (struct sse *)((char *)(uintptr_t)listener - offsetof(struct sse, listener));
}

/* A payload is kept as it came, and may have line ends between its members. */
static void put_data(struct buf *buf, struct str json)
{
    size_t from = 0;

    buf_add(buf, STR("data: "));
    for (size_t i = 0; i < json.len; i++) {
        if (json.ptr[i] != '\n' && json.ptr[i] != '\r')
            continue;
        buf_add(buf, str_slice(json, from, i));
        buf_add(buf, STR("\ndata: "));
        from = i + 1;
    }
    buf_add(buf, str_slice(json, from, json.len));
    buf_add(buf, STR("\n\n"));
}

static struct message *message_of(struct buf *buf)
{
    struct message *message = buf_failed(buf) ? NULL : message_new(buf_str(buf));

    buf_clear(buf);
    return message;
}

static struct message *spell_event(const struct live_event *event)
{
    char id[UUID_TEXT_LEN];
    struct buf json, buf;

    uuid_format(event->id, id);
    buf_init(&json, NULL, EVENT_BYTES_MAX);
    buf_add(&json, STR("{\"op\":\"event\",\"event\":"));
    buf_add(&json, event->json);
    buf_add_char(&json, '}');
    buf_init(&buf, NULL, EVENT_BYTES_MAX * 2);
    buf_add(&buf, STR("event: event\nid: "));
    buf_add(&buf, (struct str){id, sizeof(id)});
    buf_add_char(&buf, '\n');
    buf.failed = buf.failed || buf_failed(&json);
    put_data(&buf, buf_str(&json));
    buf_clear(&json);
    return message_of(&buf);
}

static struct message *spell_frame(struct str op, struct str json)
{
    struct buf buf;

    buf_init(&buf, NULL, EVENT_BYTES_MAX);
    buf_add(&buf, STR("event: "));
    buf_add(&buf, op);
    buf_add_char(&buf, '\n');
    put_data(&buf, json);
    return message_of(&buf);
}

static bool send_message(struct listener *listener, struct message *message)
{
    struct sse *sse = of_listener(listener);

    sse->sent_ms = sse->stream.outlet->now_ms(sse->stream.outlet);
    return sse->stream.outlet->send(sse->stream.outlet, message);
}

static void send_text(struct sse *sse, struct str text)
{
    struct message *message = message_new(text);

    if (message)
        send_message(&sse->listener, message);
    message_drop(message);
}

static void dismiss(struct listener *listener, enum err why, const char *detail)
{
    struct sse *sse = of_listener(listener);
    struct message *message = NULL;
    struct json_out out;
    struct buf buf;

    buf_init(&buf, NULL, KIB(1));
    json_out_init(&out, &buf);
    json_object_begin(&out);
    JSON_KEY(&out, "op");
    json_text(&out, STR("error"));
    JSON_KEY(&out, "title");
    json_text(&out, why == ERR_UNAUTHENTICATED ? STR("Not authenticated") : STR("Unavailable"));
    JSON_KEY(&out, "status");
    json_int(&out, why == ERR_UNAUTHENTICATED ? 401 : 503);
    JSON_KEY(&out, "detail");
    json_text(&out, str_of(detail));
    json_object_end(&out);
    if (!buf_failed(&buf))
        message = spell_frame(STR("error"), buf_str(&buf));
    buf_clear(&buf);
    if (message)
        send_message(listener, message);
    message_drop(message);
    sse->stream.outlet->end(sse->stream.outlet);
}

static size_t backlog(const struct listener *listener)
{
    const struct outlet *outlet = of_listener(listener)->stream.outlet;

    return outlet->backlog(outlet);
}

static const struct listener_ops listener_ops = {
    .event = spell_event,
    .frame = spell_frame,
    .send = send_message,
    .dismiss = dismiss,
    .backlog = backlog,
};

static struct str wish_text(const char *text)
{
    return text[0] ? str_of(text) : STR_NULL;
}

static void opened(struct stream *stream)
{
    struct sse *sse = (struct sse *)stream;
    const struct wish wish = {
        .since = wish_text(sse->since),
        .customer = wish_text(sse->customer),
        .feed = wish_text(sse->feed),
    };
    char retry[32];
    struct buf buf;

    if (!hub_join(sse->hub, &sse->listener, &listener_ops, sse->identity)) {
        stream->outlet->end(stream->outlet);
        return;
    }
    free(sse->identity);
    sse->identity = NULL;
    buf_init(&buf, NULL, sizeof(retry));
    buf_addf(&buf, "retry: %d\n\n", SSE_RETRY_MS);
    send_text(sse, buf_str(&buf));
    buf_clear(&buf);
    hub_wish(&sse->listener, &wish);
}

/* A client has nothing to say here. */
static void receive(struct stream *stream, struct str bytes)
{
    (void)bytes;
    stream->outlet->end(stream->outlet);
}

static void at_end(struct stream *stream)
{
    stream->outlet->end(stream->outlet);
}

static void tick(struct stream *stream, int64_t now_ms)
{
    struct sse *sse = (struct sse *)stream;

    if (!sse->listener.is_dismissed &&
        now_ms - sse->sent_ms >= (int64_t)SSE_HEARTBEAT_SECONDS * 1000)
        send_text(sse, STR(":\n\n"));
}

static void drain(struct stream *stream)
{
    stream->outlet->end(stream->outlet);
}

static void closed(struct stream *stream)
{
    struct sse *sse = (struct sse *)stream;

    hub_leave(&sse->listener);
    free(sse->identity);
    free(sse);
}

static const struct stream_ops stream_ops = {
    .opened = opened,
    .receive = receive,
    .at_end = at_end,
    .tick = tick,
    .drain = drain,
    .closed = closed,
};

/* What is too long is no id either way. */
static void keep(char out[WISH_MAX], struct str text)
{
    const size_t len = text.len < WISH_MAX ? text.len : WISH_MAX - 1;

    if (len > 0)
        memcpy(out, text.ptr, len);
}

struct stream *sse_new(struct hub *hub, const struct identity *identity, const struct wish *wish)
{
    struct sse *sse = calloc(1, sizeof(*sse));

    if (!sse)
        return NULL;
    sse->identity = malloc(sizeof(*identity));
    if (!sse->identity) {
        free(sse);
        return NULL;
    }
    *sse->identity = *identity;
    sse->stream.ops = &stream_ops;
    sse->hub = hub;
    keep(sse->since, wish->since);
    keep(sse->customer, wish->customer);
    keep(sse->feed, wish->feed);
    return &sse->stream;
}
