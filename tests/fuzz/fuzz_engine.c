/* Socket.IO as a client speaks it: the first byte says by what transport, the rest is what the
 * client sends, its POSTs (or what of its bytes comes at once) parted by NUL. */
#include "base/str.h"
#include "live/socketio.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ------------------------------------------------------------------ a store that knows little */

static void store_read(void *context, struct uuid tenant_id, struct uuid timeline_id, int64_t after,
                       size_t limit,
                       void (*done)(void *asker, enum err err, const struct live_event *events,
                                    size_t count, int64_t upto, int64_t head),
                       void *asker)
{
    (void)context, (void)tenant_id, (void)timeline_id, (void)limit;
    done(asker, OK, NULL, 0, after, after);
}

static void store_place(void *context, const struct identity *identity, struct uuid customer_id,
                        struct uuid since_id,
                        void (*done)(void *asker, enum err err, struct uuid customer_id,
                                     int64_t since, int64_t head),
                        void *asker)
{
    (void)context, (void)identity;
    done(asker, uuid_is_none(since_id) ? OK : ERR_STALE, customer_id, 0, 0);
}

static void store_acknowledge(void *context, const struct identity *identity, struct uuid event_id,
                              void (*done)(void *asker, enum err err), void *asker)
{
    (void)context, (void)identity;
    done(asker, event_id.bytes[0] & 1 ? OK : ERR_NOT_FOUND);
}

static void store_recheck(void *context, const struct identity *identity,
                          void (*done)(void *asker, enum err err, int64_t expires_us), void *asker)
{
    (void)context, (void)identity;
    done(asker, OK, 0);
}

static void store_authenticate(void *context, struct str credential,
                               void (*done)(void *asker, enum err err,
                                            const struct identity *identity),
                               void *asker)
{
    static const struct identity identity = {
        .tenant_id = {{1}}, .user_id = {{2}}, .credential_kind = 'd', .may_follow_tenant = true};

    (void)context;
    must(credential.ptr && str_is_utf8(credential));
    done(asker, credential.len == 0 ? OK : ERR_UNAUTHENTICATED, &identity);
}

static void store_announce(void *context, struct str text)
{
    (void)context, (void)text;
}

static const struct hub_store store = {
    NULL,          store_read,         store_place,    store_acknowledge,
    store_recheck, store_authenticate, store_announce, NULL,
};

/* ------------------------------------------------------------------ what it is answered */

static void check_packet(struct str packet)
{
    must(packet.len > 0 && packet.ptr[0] >= ENGINE_OPEN && packet.ptr[0] <= ENGINE_NOOP);
    must(str_is_utf8(packet));
}

static void take_answer(struct engine_poll *poll, enum engine_fault fault, struct str payload)
{
    (void)poll;
    must(fault == ENGINE_FINE);
    while (payload.ptr) {
        struct str packet;

        payload = str_cut(payload, '\x1e', &packet);
        check_packet(packet);
    }
}

static bool outlet_send(struct outlet *outlet, struct message *message)
{
    (void)outlet;
    if ((uint8_t)message->bytes[0] == 0x81) {
        struct buf payload;

        buf_init(&payload, NULL, MIB(1));
        engine_payload_add(&payload, message);
        check_packet(buf_str(&payload));
        buf_clear(&payload);
    }
    return true;
}

static void outlet_end(struct outlet *outlet)
{
    (void)outlet;
}

static size_t outlet_backlog(const struct outlet *outlet)
{
    (void)outlet;
    return 0;
}

static int64_t outlet_now(const struct outlet *outlet)
{
    (void)outlet;
    return 0;
}

static const struct engine_caller caller = {{"", 0}};

static struct engine_session *open_session(struct engine *engine)
{
    struct engine_query query = {.transport = STR("polling")};
    struct engine_session *session = NULL;
    struct buf payload;

    buf_init(&payload, NULL, KIB(1));
    must(engine_open(engine, &caller, &payload) == ENGINE_FINE);
    query.sid = str_slice(buf_str(&payload), 9, 9 + ENGINE_SID_LEN);
    must(engine_find(engine, &query, &session) == ENGINE_FINE && session);
    buf_clear(&payload);
    return session;
}

static void by_polling(struct engine *engine, struct str rest)
{
    struct engine_session *session = open_session(engine);
    struct engine_poll polls[16];
    const char *why = NULL;

    for (size_t i = 0; rest.ptr && i < COUNT_OF(polls) && !why; i++) {
        struct str payload;

        rest = str_cut(rest, '\0', &payload);
        why = engine_receive(session, payload);
        polls[i] = (struct engine_poll){.answer = take_answer};
        engine_poll(session, &polls[i]);
        engine_poll_gone(&polls[i]);
        if (rest.ptr)
            session = open_session(engine);
    }
}

/* As a session's transport, or as one that it may upgrade to. */
static void by_socket(struct engine *engine, bool is_probe, struct str rest)
{
    struct engine_session *session = is_probe ? open_session(engine) : NULL;
    struct outlet outlet = {outlet_send, outlet_end, outlet_backlog, outlet_now};
    struct stream *stream;

    must(engine_socket_new(engine, session, &caller, &stream) == ENGINE_FINE);
    stream->outlet = &outlet;
    stream->ops->opened(stream);
    if (rest.len > 0)
        stream->ops->receive(stream, rest);
    engine_tick(engine, 1);
    stream->ops->closed(stream);
}

/* Each text as a frame of its own. */
static void by_texts(struct engine *engine, struct str rest)
{
    struct outlet outlet = {outlet_send, outlet_end, outlet_backlog, outlet_now};
    struct stream *stream;

    must(engine_socket_new(engine, NULL, &caller, &stream) == ENGINE_FINE);
    stream->outlet = &outlet;
    stream->ops->opened(stream);
    while (rest.ptr) {
        char head[8] = {(char)0x81, (char)0xfe};
        struct str text;

        rest = str_cut(rest, '\0', &text);
        if (text.len > FRAME_MAX || text.len < 126) {
            head[1] = (char)(0x80 | (text.len & 63));
            text.len &= 63;
            stream->ops->receive(stream, (struct str){head, 6});
        } else {
            head[2] = (char)(text.len >> 8);
            head[3] = (char)(text.len & 255);
            stream->ops->receive(stream, (struct str){head, 8});
        }
        if (text.len > 0)
            stream->ops->receive(stream, text);
    }
    engine_tick(engine, 1);
    stream->ops->closed(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    struct socketio_packet packet;
    struct socketio *socketio;
    struct hub *hub;

    if (size == 0 || sodium_init() < 0)
        return 0;
    socketio_packet_parse(rest, &packet);
    hub = hub_new(&store);
    must(hub != NULL);
    socketio = socketio_new(hub, 0);
    must(socketio != NULL);
    switch (data[0] & 3) {
    case 0:
        by_polling(socketio_engine(socketio), rest);
        break;
    case 1:
        by_socket(socketio_engine(socketio), false, rest);
        break;
    case 2:
        by_socket(socketio_engine(socketio), true, rest);
        break;
    default:
        by_texts(socketio_engine(socketio), rest);
    }
    socketio_tick(socketio, 1000);
    hub_tick(hub);
    socketio_tick(socketio, 60000);
    socketio_free(socketio);
    hub_free(hub);
    return 0;
}
