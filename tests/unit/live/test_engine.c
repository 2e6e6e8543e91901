/* Engine.IO sessions and Socket.IO packets, with a clock, polls and sockets of the test's own. */
#include "base/unit.h"

#include "live/engine.h"
#include "live/socketio.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ a program above */

struct program {
    struct engine_session *session;
    char heard[4096]; /* messages, with a bar behind each */
    int opened, closed, ticks;
    bool closes_on_message;
};

static void *program_opened(void *context, struct engine_session *session,
                            const struct engine_caller *caller)
{
    struct program *program = context;

    assert_string_equal(caller->credential.ptr, "tp_key");
    program->session = session;
    program->opened++;
    return program;
}

static void program_message(void *user, struct str text)
{
    struct program *program = user;
    size_t len = strlen(program->heard);

    snprintf(program->heard + len, sizeof(program->heard) - len, "%.*s|", STR_FMT(text));
    if (program->closes_on_message)
        engine_close(program->session, CLOSE_POLICY, "Enough.");
}

static void program_tick(void *user, int64_t now_ms)
{
    (void)now_ms;
    ((struct program *)user)->ticks++;
}

static void program_closed(void *user)
{
    ((struct program *)user)->closed++;
}

static const struct engine_ops program_ops = {program_opened, program_message, program_tick,
                                              program_closed};
static const struct engine_caller caller = {{"tp_key", 6}};

/* ------------------------------------------------------------------ polls and sockets */

struct test_poll {
    struct engine_poll poll;
    int answers;
    enum engine_fault fault;
    char text[1024];
};

static void take_answer(struct engine_poll *poll, enum engine_fault fault, struct str payload)
{
    struct test_poll *mine = (struct test_poll *)poll;

    mine->answers++;
    mine->fault = fault;
    snprintf(mine->text, sizeof(mine->text), "%.*s", STR_FMT(payload));
}

static struct test_poll new_poll(void)
{
    return (struct test_poll){.poll = {.answer = take_answer}};
}

struct test_socket {
    struct outlet outlet;
    struct stream *stream;
    char sent[4096]; /* texts of frames, with a bar behind each; a close as "close:CODE:reason" */
    bool is_ended, is_cut;
};

static bool outlet_send(struct outlet *outlet, struct message *message)
{
    struct test_socket *socket = (struct test_socket *)outlet;
    const uint8_t *at = (const uint8_t *)message->bytes, *end = at + message->len;

    if (socket->is_cut)
        return false;
    while (at < end) {
        size_t len = at[1], head = 2, used = strlen(socket->sent);

        if (len == 126) {
            len = (size_t)at[2] << 8 | at[3];
            head = 4;
        }
        if (at[0] == 0x88)
            snprintf(socket->sent + used, sizeof(socket->sent) - used, "close:%d:%.*s|",
                     at[head] << 8 | at[head + 1], (int)len - 2, (const char *)at + head + 2);
        else
            snprintf(socket->sent + used, sizeof(socket->sent) - used, "%s%.*s|",
                     at[0] == 0x8a ? "pong:" : "", (int)len, (const char *)at + head);
        at += head + len;
    }
    assert_ptr_equal(at, end);
    return true;
}

static void outlet_end(struct outlet *outlet)
{
    ((struct test_socket *)outlet)->is_ended = true;
}

static size_t outlet_backlog(const struct outlet *outlet)
{
    (void)outlet;
    return 7;
}

static int64_t outlet_now(const struct outlet *outlet)
{
    (void)outlet;
    return 0;
}

static void open_socket(struct test_socket *socket, struct engine *engine,
                        struct engine_session *session)
{
    *socket = (struct test_socket){.outlet = {outlet_send, outlet_end, outlet_backlog, outlet_now}};
    assert_int_equal(engine_socket_new(engine, session, &caller, &socket->stream), ENGINE_FINE);
    socket->stream->outlet = &socket->outlet;
    socket->stream->ops->opened(socket->stream);
}

/* A client's frame: masked, with the mask 0. */
static void receive_frame(struct test_socket *socket, int head, const char *text)
{
    char frame[256] = {(char)head, (char)(0x80 | strlen(text))};

    snprintf(frame + 6, sizeof(frame) - 6, "%s", text);
    socket->stream->ops->receive(socket->stream, (struct str){frame, strlen(text) + 6});
}

static void receive_text(struct test_socket *socket, const char *text)
{
    receive_frame(socket, 0x81, text);
}

static void close_socket(struct test_socket *socket)
{
    socket->stream->ops->closed(socket->stream);
}

/* ------------------------------------------------------------------ one of each */

struct rig {
    struct program program;
    struct engine *engine;
    struct engine_session *session;
    char sid[ENGINE_SID_LEN + 1];
};

static enum engine_fault find(struct rig *rig, const char *transport, const char *sid, bool is_post)
{
    struct engine_query query = {STR("4"), str_of(transport), str_of(sid), is_post,
                                 strcmp(transport, "websocket") == 0};

    return engine_find(rig->engine, &query, &rig->session);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_true(sodium_init() >= 0);
    rig->engine = engine_new(&program_ops, &rig->program, 0);
    assert_non_null(rig->engine);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    engine_free(rig->engine);
    assert_int_equal(rig->program.opened, rig->program.closed);
    free(rig);
    return 0;
}

static void open_session(struct rig *rig)
{
    struct buf payload;

    buf_init(&payload, NULL, 1024);
    assert_int_equal(engine_open(rig->engine, &caller, &payload), ENGINE_FINE);
    assert_true(str_starts(buf_str(&payload), STR("0{\"sid\":\"")));
    assert_true(
        str_ends(buf_str(&payload), STR("\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                                        "\"pingTimeout\":20000,\"maxPayload\":16384}")));
    memcpy(rig->sid, payload.ptr + 9, ENGINE_SID_LEN);
    buf_clear(&payload);
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_FINE);
    assert_ptr_equal(rig->session, rig->program.session);
}

static void send_text(struct rig *rig, const char *packet)
{
    struct message *message = engine_message(str_of(packet));

    assert_true(engine_send(rig->session, message));
    message_drop(message);
}

/* ------------------------------------------------------------------ packets */

static void packets(void **state)
{
    static const char *const wrong[] = {"", "7", "a", "b4AAEC", "4\xff", "4\xed\xa0\x80", " 4"};
    struct engine_packet packet;

    (void)state;
    assert_true(engine_packet_parse(STR("4hello \xc3\xa4"), &packet));
    assert_int_equal(packet.type, ENGINE_MESSAGE);
    assert_str(packet.data, "hello \xc3\xa4");
    assert_true(engine_packet_parse(STR("3"), &packet));
    assert_int_equal(packet.type, ENGINE_PONG);
    assert_str(packet.data, "");
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (engine_packet_parse(str_of(wrong[i]), &packet))
            fail_msg("%s is taken", wrong[i]);
}

/* What polling clients are sent is what the frames of WebSocket clients hold, at any length. */
static void payloads(void **state)
{
    static const size_t sizes[] = {1, 125, 126, 65535, 65536};
    struct buf text, payload;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct message *both;

        buf_init(&text, NULL, 70000);
        buf_init(&payload, NULL, 200000);
        for (size_t n = 0; n < sizes[i]; n++)
            buf_add_char(&text, (char)('a' + n % 26));
        both = engine_join(engine_message(buf_str(&text)), engine_message(STR("4x")));
        assert_non_null(both);
        engine_payload_add(&payload, both);
        engine_payload_add(&payload, both);
        assert_int_equal(payload.len, 2 * sizes[i] + 7);
        assert_memory_equal(payload.ptr, text.ptr, text.len);
        assert_memory_equal(payload.ptr + text.len,
                            "\x1e"
                            "4x\x1e",
                            4);
        message_drop(both);
        buf_clear(&text);
        buf_clear(&payload);
    }
    assert_null(engine_join(NULL, engine_message(STR("4"))));
}

static void socketio_packets(void **state)
{
    static const struct {
        const char *text, *space, *id, *json;
        enum socketio_type type;
    } right[] = {
        {"0", "/", NULL, NULL, SOCKETIO_CONNECT},
        {"0{\"token\":\"x\"}", "/", NULL, "{\"token\":\"x\"}", SOCKETIO_CONNECT},
        {"0/admin,{}", "/admin", NULL, "{}", SOCKETIO_CONNECT},
        {"0/admin", "/admin", NULL, NULL, SOCKETIO_CONNECT},
        {"1/", "/", NULL, NULL, SOCKETIO_DISCONNECT},
        {"2[\"a\"]", "/", NULL, "[\"a\"]", SOCKETIO_EVENT},
        {"212[\"a\",{}]", "/", "12", "[\"a\",{}]", SOCKETIO_EVENT},
        {"2/n,0[\"a\"]", "/n", "0", "[\"a\"]", SOCKETIO_EVENT},
        {"37[]", "/", "7", "[]", SOCKETIO_ACK},
        {"51-[\"a\",{\"_placeholder\":true}]", "/", NULL, NULL, SOCKETIO_BINARY_EVENT},
    };
    static const char *const wrong[] = {"", "7", "x", "[\"a\"]", "21234567890123456[\"a\"]"};
    struct socketio_packet packet;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        assert_true(socketio_packet_parse(str_of(right[i].text), &packet));
        assert_int_equal(packet.type, right[i].type);
        assert_true(str_is(packet.space, right[i].space));
        assert_true(str_equal(packet.id, str_of(right[i].id)));
        assert_true(str_equal(packet.json, str_of(right[i].json)));
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (socketio_packet_parse(str_of(wrong[i]), &packet))
            fail_msg("%s is taken", wrong[i]);
}

/* ------------------------------------------------------------------ requests */

static void handshakes(void **state)
{
    struct rig *rig = *state;
    struct engine_query query = {STR("3"), STR("polling"), STR_NULL, false, false};

    assert_int_equal(engine_find(rig->engine, &query, &rig->session), ENGINE_BAD_VERSION);
    query.version = STR_NULL;
    assert_int_equal(engine_find(rig->engine, &query, &rig->session), ENGINE_BAD_VERSION);
    assert_int_equal(find(rig, "pigeon", NULL, false), ENGINE_TRANSPORT_UNKNOWN);
    assert_int_equal(find(rig, "polling", NULL, true), ENGINE_BAD_METHOD);
    assert_int_equal(find(rig, "polling", NULL, false), ENGINE_FINE);
    assert_null(rig->session);
    assert_int_equal(find(rig, "websocket", NULL, false), ENGINE_FINE);
    query = (struct engine_query){STR("4"), STR("websocket"), STR_NULL, false, false};
    assert_int_equal(engine_find(rig->engine, &query, &rig->session), ENGINE_BAD_REQUEST);
    assert_int_equal(find(rig, "polling", "nobody", false), ENGINE_SESSION_UNKNOWN);
    assert_int_equal(find(rig, "polling", "00000000000000000000000000000000", true),
                     ENGINE_SESSION_UNKNOWN);
    assert_string_equal(engine_fault_text(ENGINE_SESSION_UNKNOWN), "Session ID unknown");
    assert_string_equal(engine_fault_text(ENGINE_BAD_VERSION), "Unsupported protocol version");
}

static void polling(void **state)
{
    struct rig *rig = *state;
    struct test_poll first = new_poll(), second = new_poll();

    open_session(rig);
    engine_poll(rig->session, &first.poll);
    assert_int_equal(first.answers, 0);
    send_text(rig, "4one");
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.fault, ENGINE_FINE);
    assert_string_equal(first.text, "4one");
    /* Between two polls packets wait, and go together. */
    send_text(rig, "4two");
    send_text(rig, "4three");
    assert_true(engine_backlog(rig->session) > 0);
    engine_poll(rig->session, &second.poll);
    assert_string_equal(second.text, "4two\x1e"
                                     "4three");
    assert_int_equal(engine_backlog(rig->session), 0);

    assert_null(engine_receive(rig->session, STR("4a\x1e"
                                                 "3\x1e"
                                                 "4b")));
    assert_string_equal(rig->program.heard, "a|b|");
}

static void faults_close(void **state)
{
    static const char *const wrong[] = {"",  "abc", "4a\x1e", "b4AAEC",      "2",
                                        "5", "0{}", "4\xff",  "4a\036\0364b"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        void *own;
        struct rig *rig;

        set_up(&own);
        rig = own;
        open_session(rig);
        assert_non_null(engine_receive(rig->session, str_of(wrong[i])));
        assert_int_equal(rig->program.closed, 1);
        assert_int_equal(find(rig, "polling", rig->sid, true), ENGINE_SESSION_UNKNOWN);
        tear_down(&own);
    }
}

static void oversized(void **state)
{
    struct rig *rig = *state;
    char *text = calloc(1, FRAME_MAX + 1);

    assert_non_null(text);
    memset(text, '4', FRAME_MAX + 1);
    open_session(rig);
    assert_null(engine_receive(rig->session, (struct str){text, FRAME_MAX}));
    assert_non_null(engine_receive(rig->session, (struct str){text, FRAME_MAX + 1}));
    assert_int_equal(rig->program.closed, 1);
    free(text);
}

static void two_polls_at_once(void **state)
{
    struct rig *rig = *state;
    struct test_poll first = new_poll(), second = new_poll();

    open_session(rig);
    engine_poll(rig->session, &first.poll);
    engine_poll(rig->session, &second.poll);
    assert_string_equal(first.text, "1");
    assert_int_equal(second.fault, ENGINE_BAD_REQUEST);
    assert_int_equal(second.answers, 1);
    assert_int_equal(rig->program.closed, 1);
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_SESSION_UNKNOWN);
}

static void the_client_leaves(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();

    open_session(rig);
    engine_poll(rig->session, &poll.poll);
    engine_poll_gone(&poll.poll);
    engine_poll_gone(&poll.poll);
    assert_int_equal(poll.answers, 1);
    assert_int_equal(rig->program.closed, 1);
    engine_tick(rig->engine, 1000);
    assert_int_equal(engine_session_count(rig->engine), 0);
}

static void a_client_closes(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();

    open_session(rig);
    engine_poll(rig->session, &poll.poll);
    assert_null(engine_receive(rig->session, STR("1")));
    assert_string_equal(poll.text, "1");
    assert_int_equal(rig->program.closed, 1);
}

/* What was said before the end can be fetched once, and not for ever. */
static void last_words(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();

    open_session(rig);
    send_text(rig, "444{}");
    engine_close(rig->session, CLOSE_NORMAL, "");
    engine_close(rig->session, CLOSE_NORMAL, "");
    assert_int_equal(rig->program.closed, 1);
    engine_tick(rig->engine, 1000);
    assert_int_equal(find(rig, "polling", rig->sid, true), ENGINE_SESSION_UNKNOWN);
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_FINE);
    engine_poll(rig->session, &poll.poll);
    assert_string_equal(poll.text, "444{}\x1e"
                                   "1");
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_SESSION_UNKNOWN);
    engine_tick(rig->engine, 2000);
    assert_int_equal(engine_session_count(rig->engine), 0);

    open_session(rig);
    engine_close(rig->session, CLOSE_NORMAL, "");
    engine_tick(rig->engine, 2000 + ENGINE_PING_TIMEOUT_MS);
    assert_int_equal(engine_session_count(rig->engine), 0);
}

static void closed_by_a_message(void **state)
{
    struct rig *rig = *state;

    open_session(rig);
    rig->program.closes_on_message = true;
    assert_string_equal(engine_receive(rig->session, STR("4a\x1e"
                                                         "4b")),
                        "Enough.");
    assert_string_equal(rig->program.heard, "a|");
}

static void heartbeat(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();

    open_session(rig);
    engine_poll(rig->session, &poll.poll);
    engine_tick(rig->engine, ENGINE_PING_INTERVAL_MS - 1);
    assert_int_equal(poll.answers, 0);
    engine_tick(rig->engine, ENGINE_PING_INTERVAL_MS);
    assert_string_equal(poll.text, "2");
    assert_null(engine_receive(rig->session, STR("3")));
    engine_tick(rig->engine, (int64_t)2 * ENGINE_PING_INTERVAL_MS);
    engine_tick(rig->engine, 2 * ENGINE_PING_INTERVAL_MS + ENGINE_PING_TIMEOUT_MS - 1);
    assert_int_equal(rig->program.closed, 0);
    engine_tick(rig->engine, 2 * ENGINE_PING_INTERVAL_MS + ENGINE_PING_TIMEOUT_MS);
    assert_int_equal(rig->program.closed, 1);
}

static void too_many_packets(void **state)
{
    struct rig *rig = *state;

    open_session(rig);
    for (int i = 0; i < FRAMES_BURST; i++)
        assert_null(engine_receive(rig->session, STR("3")));
    engine_tick(rig->engine, 1000);
    for (int i = 0; i < FRAMES_BURST; i++)
        assert_null(engine_receive(rig->session, STR("3")));
    assert_non_null(engine_receive(rig->session, STR("3")));
    assert_int_equal(rig->program.closed, 1);
}

/* A client that does not poll is cut at a bounded backlog, and only by the tick: who sends is in
 * the middle of something. */
static void slow_reader(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();
    char *text = calloc(1, KIB(8) + 1);
    struct message *message;
    size_t sent = 0;

    assert_non_null(text);
    memset(text, '4', KIB(8));
    message = engine_message(str_of(text));
    open_session(rig);
    while (engine_send(rig->session, message))
        sent += message->len;
    assert_true(sent <= STREAM_BACKLOG_MAX && sent > STREAM_BACKLOG_MAX / 2);
    assert_false(engine_send(rig->session, message));
    assert_int_equal(rig->program.closed, 0);
    assert_int_equal(engine_backlog(rig->session), 0);
    engine_tick(rig->engine, 1);
    assert_int_equal(rig->program.closed, 1);
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_FINE);
    engine_poll(rig->session, &poll.poll);
    assert_string_equal(poll.text, "1");
    message_drop(message);
    free(text);
}

/* ------------------------------------------------------------------ WebSockets */

static void websocket_only(void **state)
{
    struct rig *rig = *state;
    struct test_socket socket;

    open_socket(&socket, rig->engine, NULL);
    rig->session = rig->program.session;
    assert_true(str_starts(str_of(socket.sent), STR("0{\"sid\":\"")));
    assert_non_null(strstr(socket.sent, "\"upgrades\":[]"));
    memcpy(rig->sid, socket.sent + 9, ENGINE_SID_LEN);
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_BAD_REQUEST);
    assert_int_equal(find(rig, "websocket", rig->sid, false), ENGINE_BAD_REQUEST);
    socket.sent[0] = '\0';
    rig->session = rig->program.session;
    send_text(rig, "4one");
    receive_text(&socket, "4hello");
    receive_frame(&socket, 0x89, "hi");
    assert_string_equal(socket.sent, "4one|pong:hi|");
    assert_string_equal(rig->program.heard, "hello|");
    assert_int_equal(engine_backlog(rig->session), 7);
    close_socket(&socket);
    assert_int_equal(rig->program.closed, 1);
}

static void websocket_faults(void **state)
{
    static const struct {
        int head;
        const char *text, *said;
    } cases[] = {
        {0x81, "abc", "close:1002:This is no packet that a client sends.|"},
        {0x81, "", "close:1002:This is no packet that a client sends.|"},
        {0x81, "2", "close:1002:This is no packet that a client sends.|"},
        {0x81, "1", "close:1000:|"},
        {0x82, "4", "close:1003:Only text is taken.|"},
        {0x88, "", "close:1000:|"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct test_socket socket;
        struct rig *rig;
        void *own;

        set_up(&own);
        rig = own;
        open_socket(&socket, rig->engine, NULL);
        socket.sent[0] = '\0';
        receive_frame(&socket, cases[i].head, cases[i].text);
        assert_string_equal(socket.sent, cases[i].said);
        assert_true(socket.is_ended);
        assert_int_equal(rig->program.closed, 1);
        receive_text(&socket, "4late");
        assert_string_equal(rig->program.heard, "");
        close_socket(&socket);
        assert_int_equal(rig->program.closed, 1);
        tear_down(&own);
    }
}

static void websocket_ends(void **state)
{
    struct rig *rig = *state;
    struct test_socket drained, ended, unopened = {0};

    open_socket(&drained, rig->engine, NULL);
    drained.stream->ops->drain(drained.stream);
    assert_non_null(strstr(drained.sent, "close:1001:"));
    close_socket(&drained);
    open_socket(&ended, rig->engine, NULL);
    ended.stream->ops->at_end(ended.stream);
    assert_true(ended.is_ended);
    close_socket(&ended);
    assert_int_equal(engine_socket_new(rig->engine, NULL, &caller, &unopened.stream), ENGINE_FINE);
    assert_false(engine_backlog(rig->program.session));
    close_socket(&unopened);
    assert_int_equal(rig->program.closed, 3);
    /* A session that ends before its socket opens. */
    assert_int_equal(engine_socket_new(rig->engine, NULL, &caller, &unopened.stream), ENGINE_FINE);
    engine_close(rig->program.session, CLOSE_POLICY, "");
    unopened.outlet = (struct outlet){outlet_send, outlet_end, outlet_backlog, outlet_now};
    unopened.stream->outlet = &unopened.outlet;
    unopened.stream->ops->opened(unopened.stream);
    assert_true(unopened.is_ended);
    close_socket(&unopened);
}

static void upgrade(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll(), late = new_poll();
    struct test_socket socket;

    open_session(rig);
    engine_poll(rig->session, &poll.poll);
    assert_int_equal(find(rig, "websocket", rig->sid, false), ENGINE_FINE);
    open_socket(&socket, rig->engine, rig->session);
    assert_int_equal(find(rig, "websocket", rig->sid, false), ENGINE_BAD_REQUEST);
    rig->session = rig->program.session;
    assert_string_equal(socket.sent, "");
    assert_int_equal(poll.answers, 0);
    receive_text(&socket, "2probe");
    assert_string_equal(socket.sent, "3probe|");
    assert_string_equal(poll.text, "6");
    /* From now on no poll waits; what is sent meanwhile goes neither astray nor twice. */
    engine_poll(rig->session, &late.poll);
    assert_string_equal(late.text, "6");
    send_text(rig, "4one");
    receive_text(&socket, "5");
    assert_string_equal(socket.sent, "3probe|4one|");
    send_text(rig, "4two");
    receive_text(&socket, "4hello");
    assert_string_equal(socket.sent, "3probe|4one|4two|");
    assert_string_equal(rig->program.heard, "hello|");
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_BAD_REQUEST);
    assert_int_equal(find(rig, "polling", rig->sid, true), ENGINE_BAD_REQUEST);
    close_socket(&socket);
    assert_int_equal(rig->program.closed, 1);
}

/* A probe that fails leaves the session as it was. */
static void failed_upgrades(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();
    struct test_socket socket;

    open_session(rig);
    open_socket(&socket, rig->engine, rig->session);
    receive_text(&socket, "5");
    assert_non_null(strstr(socket.sent, "close:1002:"));
    close_socket(&socket);
    open_socket(&socket, rig->engine, rig->session);
    receive_text(&socket, "4hello");
    assert_true(socket.is_ended);
    close_socket(&socket);
    open_socket(&socket, rig->engine, rig->session);
    receive_text(&socket, "2probe");
    socket.stream->ops->tick(socket.stream, 5000);
    socket.stream->ops->tick(socket.stream, 5000 + ENGINE_PROBE_MS - 1);
    assert_false(socket.is_ended);
    socket.stream->ops->tick(socket.stream, 5000 + ENGINE_PROBE_MS);
    assert_true(socket.is_ended);
    close_socket(&socket);
    assert_int_equal(rig->program.closed, 0);
    assert_string_equal(rig->program.heard, "");
    engine_poll(rig->session, &poll.poll);
    assert_int_equal(poll.answers, 0);
    send_text(rig, "4one");
    assert_string_equal(poll.text, "4one");
    /* And one whose session ends. */
    open_socket(&socket, rig->engine, rig->session);
    engine_close(rig->session, CLOSE_POLICY, "Over.");
    assert_string_equal(socket.sent, "close:1008:Over.|");
    close_socket(&socket);
}

/* A client whose probe was answered polls no more: it is told the last by the upgrade. */
static void over_while_upgrading(void **state)
{
    struct rig *rig = *state;
    struct test_socket socket;

    open_session(rig);
    open_socket(&socket, rig->engine, rig->session);
    receive_text(&socket, "2probe");
    send_text(rig, "444{}");
    engine_close(rig->session, CLOSE_NORMAL, "Refused.");
    assert_int_equal(rig->program.closed, 1);
    engine_tick(rig->engine, 1000);
    assert_string_equal(socket.sent, "3probe|");
    receive_text(&socket, "5");
    assert_string_equal(socket.sent, "3probe|444{}|1|close:1000:Refused.|");
    assert_true(socket.is_ended);
    close_socket(&socket);
    engine_tick(rig->engine, 2000);
    assert_int_equal(engine_session_count(rig->engine), 0);

    /* It never upgrades. */
    open_session(rig);
    open_socket(&socket, rig->engine, rig->session);
    receive_text(&socket, "2probe");
    engine_close(rig->session, CLOSE_NORMAL, "Refused.");
    engine_tick(rig->engine, 2000 + ENGINE_PING_TIMEOUT_MS);
    assert_int_equal(engine_session_count(rig->engine), 0);
    assert_string_equal(socket.sent, "3probe|close:1000:Refused.|");
    receive_text(&socket, "5");
    close_socket(&socket);
}

static void bounded(void **state)
{
    struct rig *rig = *state;
    struct test_poll poll = new_poll();
    struct stream *stream;
    struct buf payload;

    open_session(rig);
    buf_init(&payload, NULL, 1024);
    for (size_t i = 1; i < ENGINE_SESSIONS_MAX; i++) {
        buf_reset(&payload);
        assert_int_equal(engine_open(rig->engine, &caller, &payload), ENGINE_FINE);
        if (i > 1)
            engine_settle(rig->program.session);
    }
    assert_int_equal(engine_session_count(rig->engine), ENGINE_SESSIONS_MAX);
    /* Two have not said who they are: the older goes first, and its poll is told. */
    engine_poll(rig->session, &poll.poll);
    buf_reset(&payload);
    assert_int_equal(engine_open(rig->engine, &caller, &payload), ENGINE_FINE);
    engine_settle(rig->program.session);
    engine_settle(rig->program.session);
    assert_int_equal(rig->program.closed, 1);
    assert_string_equal(poll.text, "1");
    assert_int_equal(find(rig, "polling", rig->sid, false), ENGINE_SESSION_UNKNOWN);
    assert_int_equal(engine_socket_new(rig->engine, NULL, &caller, &stream), ENGINE_FINE);
    engine_settle(rig->program.session);
    assert_int_equal(rig->program.closed, 2);
    assert_int_equal(engine_session_count(rig->engine), ENGINE_SESSIONS_MAX);
    stream->ops->closed(stream); /* it keeps its place until the next tick */
    assert_int_equal(engine_open(rig->engine, &caller, &payload), ENGINE_FULL);
    assert_int_equal(engine_socket_new(rig->engine, NULL, &caller, &stream), ENGINE_FULL);
    buf_clear(&payload);
}

int main(void)
{
#define RIGGED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets),
        cmocka_unit_test(payloads),
        cmocka_unit_test(socketio_packets),
        RIGGED(handshakes),
        RIGGED(polling),
        cmocka_unit_test(faults_close),
        RIGGED(oversized),
        RIGGED(two_polls_at_once),
        RIGGED(the_client_leaves),
        RIGGED(a_client_closes),
        RIGGED(last_words),
        RIGGED(closed_by_a_message),
        RIGGED(heartbeat),
        RIGGED(too_many_packets),
        RIGGED(slow_reader),
        RIGGED(websocket_only),
        cmocka_unit_test(websocket_faults),
        RIGGED(websocket_ends),
        RIGGED(upgrade),
        RIGGED(failed_upgrades),
        RIGGED(over_while_upgrading),
        RIGGED(bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
