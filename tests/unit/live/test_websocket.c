/* The protocol of /api/v1/stream over an outlet that keeps what it is given, and a clock that
 * stands still until it is told to move. The hub is the real one; its store knows of nothing. */
#include "base/unit.h"

#include "base/buf.h"
#include "live/frames.h"
#include "live/websocket.h"

#include <stdio.h>
#include <string.h>

struct client {
    struct outlet outlet;
    struct hub *hub;
    struct stream *stream;
    struct buf heard; /* frames, one a line: "text {…}", "close 1007 why", … */
    int64_t now_ms;
    bool has_ended, is_cut;
};

static struct client *client_of(const struct outlet *outlet)
{
    return (struct client *)(uintptr_t)outlet;
}

/* A server's frame up to 64 KiB, as a line. */
static bool take(struct outlet *outlet, struct message *message)
{
    struct client *client = client_of(outlet);
    const uint8_t *head = (const uint8_t *)message->bytes;
    size_t skip = head[1] == 126 ? 4 : 2;
    struct str payload = str_slice(message_str(message), skip, message->len);

    assert_false(client->has_ended);
    assert_true(head[1] <= 126);
    if (head[0] == 0x88)
        buf_addf(&client->heard, "close %d %.*s\n",
                 (uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1],
                 STR_FMT(str_slice(payload, 2, payload.len)));
    else
        buf_addf(&client->heard, "%s %.*s\n",
                 head[0] == 0x81   ? "text"
                 : head[0] == 0x89 ? "ping"
                 : head[0] == 0x8a ? "pong"
                                   : "?",
                 STR_FMT(payload));
    return !client->is_cut;
}

static void end(struct outlet *outlet)
{
    client_of(outlet)->has_ended = true;
}

static size_t backlog(const struct outlet *outlet)
{
    (void)outlet;
    return 0;
}

static int64_t now_ms(const struct outlet *outlet)
{
    return client_of(outlet)->now_ms;
}

/* The store ------------------------------------------------------------------------------- */

static void read_events(void *context, struct uuid tenant_id, struct uuid timeline_id,
                        int64_t after, size_t limit,
                        void (*done)(void *asker, enum err err, const struct live_event *events,
                                     size_t count, int64_t upto, int64_t head),
                        void *asker)
{
    (void)context;
    (void)tenant_id;
    (void)timeline_id;
    (void)after;
    (void)limit;
    done(asker, ERR_UNAVAILABLE, NULL, 0, 0, 0);
}

static void
place(void *context, const struct identity *identity, struct uuid customer_id, struct uuid since_id,
      void (*done)(void *asker, enum err err, struct uuid customer_id, int64_t since, int64_t head),
      void *asker)
{
    (void)context;
    (void)identity;
    (void)since_id;
    done(asker, ERR_NOT_FOUND, customer_id, 0, 0);
}

static void acknowledge(void *context, const struct identity *identity, struct uuid event_id,
                        void (*done)(void *asker, enum err err), void *asker)
{
    (void)context;
    (void)identity;
    (void)event_id;
    done(asker, OK);
}

static void recheck(void *context, const struct identity *identity,
                    void (*done)(void *asker, enum err err, int64_t expires_us), void *asker)
{
    (void)context;
    (void)identity;
    done(asker, ERR_UNAUTHENTICATED, 0);
}

static void announce(void *context, struct str text)
{
    (void)context;
    (void)text;
}

static int64_t wall_us(void *context)
{
    return ((struct client *)context)->now_ms * 1000;
}

/* The client ------------------------------------------------------------------------------ */

static const struct identity identity = {.tenant_id = {{1}},
                                         .user_id = {{2}},
                                         .credential_id = {{3}},
                                         .credential_kind = 'k',
                                         .may_follow_tenant = true,
                                         .expires_us = 3600 * (int64_t)1000000,
                                         .name = "Jane Doe"};

static int set_up(void **state)
{
    struct client *client = test_calloc(1, sizeof(*client));
    struct hub_store store = {.context = client,
                              .read = read_events,
                              .place = place,
                              .acknowledge = acknowledge,
                              .recheck = recheck,
                              .announce = announce,
                              .now_us = wall_us};

    client->outlet = (struct outlet){take, end, backlog, now_ms};
    client->now_ms = 1000;
    client->hub = hub_new(&store);
    buf_init(&client->heard, NULL, MIB(1));
    client->stream = websocket_new(client->hub, &identity, &(struct wish){0});
    assert_non_null(client->stream);
    client->stream->outlet = &client->outlet;
    client->stream->ops->opened(client->stream);
    *state = client;
    return 0;
}

static void leave(struct client *client)
{
    client->stream->ops->closed(client->stream);
    client->stream = NULL;
}

static int tear_down(void **state)
{
    struct client *client = *state;

    if (client->stream)
        leave(client);
    hub_free(client->hub);
    buf_clear(&client->heard);
    test_free(client);
    return 0;
}

static void say(struct client *client, unsigned first, const char *text)
{
    struct buf frame;

    buf_init(&frame, NULL, KIB(1));
    assert_true(strlen(text) <= 125);
    buf_add_char(&frame, (char)first);
    buf_add_char(&frame, (char)(0x80 | strlen(text)));
    buf_add(&frame, STR("\0\0\0\0")); /* a mask that changes nothing */
    buf_add(&frame, str_of(text));
    client->stream->ops->receive(client->stream, buf_str(&frame));
    buf_clear(&frame);
}

static void assert_heard(struct client *client, const char *wanted)
{
    if (!str_is(buf_str(&client->heard), wanted))
        fail_msg("wanted:\n%sheard:\n%.*s", wanted, STR_FMT(buf_str(&client->heard)));
    buf_reset(&client->heard);
}

/* An error frame of that status, then the close frame. */
static void assert_told(struct client *client, int status, const char *close)
{
    char member[32];
    struct str heard = buf_str(&client->heard), first;

    snprintf(member, sizeof(member), "\"status\":%d,", status);
    heard = str_cut(heard, '\n', &first);
    assert_true(str_starts(first, STR("text {\"op\":\"error\",")));
    assert_non_null(memmem(first.ptr, first.len, member, strlen(member)));
    assert_true(str_starts(heard, str_of(close)));
    assert_null(memchr(heard.ptr, '\n', heard.len - 1)); /* the last */
    assert_true(client->has_ended);
    buf_reset(&client->heard);
}

/* Tests ------------------------------------------------------------------------------------ */

static void commands(void **state)
{
    struct client *client = *state;

    say(client, 0x81, "{\"op\":\"dance\",\"ref\":\"r1\"}");
    assert_true(str_starts(buf_str(&client->heard), STR("text {\"op\":\"error\",")));
    assert_non_null(memmem(client->heard.ptr, client->heard.len, "\"ref\":\"r1\"", 10));
    assert_false(client->has_ended);
    buf_reset(&client->heard);
    say(client, 0x89, "are you there");
    say(client, 0x8a, "unasked");
    assert_heard(client, "pong are you there\n");
}

static void rubbish(void **state)
{
    struct client *client = *state;

    say(client, 0x81, "rubbish");
    assert_told(client, 400, "close 1007 ");
    /* Nothing more is said, nor listened to. */
    say(client, 0x81, "rubbish");
    client->stream->ops->drain(client->stream);
    client->stream->ops->tick(client->stream, 100000000);
    assert_int_equal(client->heard.len, 0);
}

static void binary(void **state)
{
    say(*state, 0x82, "{}");
    assert_told(*state, 400, "close 1003 ");
}

static void a_broken_frame(void **state)
{
    struct client *client = *state;

    say(client, 0xc1, "{}");
    assert_heard(client, "close 1002 A reserved bit is set; no extension was agreed on.\n");
    assert_true(client->has_ended);
}

static void a_close(void **state)
{
    struct client *client = *state;

    say(client, 0x88, "\x0f\xa0why");
    assert_heard(client, "close 4000 \n");
    assert_true(client->has_ended);
}

static void an_end_without_a_close(void **state)
{
    struct client *client = *state;

    client->stream->ops->at_end(client->stream);
    assert_int_equal(client->heard.len, 0);
    assert_true(client->has_ended);
}

static void a_stop_of_the_server(void **state)
{
    struct client *client = *state;

    client->stream->ops->drain(client->stream);
    assert_heard(client, "close 1001 The server stops; connect again.\n");
    assert_true(client->has_ended);
}

static void too_many_frames(void **state)
{
    struct client *client = *state;

    for (int i = 0; i < FRAMES_BURST; i++)
        say(client, 0x8a, "");
    assert_int_equal(client->heard.len, 0);
    client->now_ms += 1000;
    for (int i = 0; i < FRAMES_PER_SECOND; i++)
        say(client, 0x8a, "");
    assert_int_equal(client->heard.len, 0);
    say(client, 0x8a, "");
    assert_told(client, 429, "close 1008 ");
}

static void signs_of_life(void **state)
{
    struct client *client = *state;
    const struct stream_ops *ops = client->stream->ops;
    int64_t begin = client->now_ms, second = 1000;

    ops->tick(client->stream, begin + PING_SECONDS * second - 1);
    assert_int_equal(client->heard.len, 0);
    ops->tick(client->stream, begin + PING_SECONDS * second);
    assert_heard(client, "ping \n");
    /* It answers: then there is as much time again. */
    client->now_ms = begin += (PING_SECONDS + 5) * second;
    say(client, 0x8a, "");
    ops->tick(client->stream, begin + PING_SECONDS * second - 1);
    assert_int_equal(client->heard.len, 0);
    ops->tick(client->stream, begin + PING_SECONDS * second);
    assert_heard(client, "ping \n");
    ops->tick(client->stream, begin + 2 * second * PING_SECONDS - 1);
    assert_int_equal(client->heard.len, 0);
    assert_false(client->has_ended);
    ops->tick(client->stream, begin + 2 * second * PING_SECONDS);
    assert_heard(client, "close 1008 No answer to the ping.\n");
    assert_true(client->has_ended);
}

static void rights_that_end(void **state)
{
    struct client *client = *state;

    client->now_ms = 3599000;
    hub_tick(client->hub);
    assert_int_equal(client->heard.len, 0);
    client->now_ms = 3601000;
    hub_tick(client->hub);
    assert_told(client, 401, "close 1008 ");
}

static void never_opened(void **state)
{
    struct client *client = *state;
    char feed[] = "tenant";
    struct stream *stream =
        websocket_new(client->hub, &identity, &(struct wish){.feed = str_of(feed)});

    stream->ops->closed(stream);
}

/* A wish outlives who made it. */
static void a_wish(void **state)
{
    struct client *client = *state;
    char feed[] = "nobody's";
    struct stream *stream =
        websocket_new(client->hub, &identity, &(struct wish){.feed = str_of(feed)});

    leave(client);
    memset(feed, 'x', sizeof(feed));
    client->stream = stream;
    stream->outlet = &client->outlet;
    stream->ops->opened(stream);
    assert_true(str_starts(buf_str(&client->heard), STR("text {\"op\":\"error\",")));
    assert_non_null(memmem(client->heard.ptr, client->heard.len, "\"feed\"", 6));
    assert_false(client->has_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rubbish, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_without_a_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_of_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signs_of_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rights_that_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wish, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
