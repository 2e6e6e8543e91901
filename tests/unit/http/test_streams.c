/* The server over real sockets: streams from the answer that begins them to their end, exchanges
 * that are kept, and what other threads post. The loop runs in a thread of its own. */
#include "base/unit.h"

#include "http/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define POSTERS 4
#define POSTS 1000

struct fixture {
    struct http_server *server;
    pthread_t thread;
    int port;
    atomic_int opened, closed, ended, drained, gone, ticked, finished;
    atomic_int unopened; /* closed without having been opened */
    atomic_bool is_cut;
    atomic_size_t sent;
    struct http_exchange *held; /* the loop thread's */
    int posted[POSTERS];        /* the next number of each; the loop thread's, then ours */
    atomic_int misplaced;
};

/* The protocol: what comes goes back in capitals' stead as it is. */
struct echo {
    struct stream stream;
    struct fixture *fixture;
    bool is_open, floods;
};

static void say(struct stream *stream, struct str text)
{
    struct message *message = message_new(text);

    stream->outlet->send(stream->outlet, message);
    message_drop(message);
}

static void opened(struct stream *stream)
{
    struct echo *echo = (struct echo *)stream;
    static char much[KIB(64)];
    struct message *message;

    echo->is_open = true;
    atomic_fetch_add(&echo->fixture->opened, 1);
    say(stream, STR("hello "));
    if (!echo->floods)
        return;
    message = message_new((struct str){much, sizeof(much)});
    /* The loop sends nothing meanwhile: the bound is met by what is queued. */
    while (stream->outlet->send(stream->outlet, message))
        atomic_fetch_add(&echo->fixture->sent, message->len);
    atomic_store(&echo->fixture->is_cut, true);
    assert_false(stream->outlet->send(stream->outlet, message));
    assert_true(stream->outlet->backlog(stream->outlet) < STREAM_BACKLOG_MAX + 2 * sizeof(much));
    message_drop(message);
}

static void receive(struct stream *stream, struct str bytes)
{
    if (bytes.len == 4 && memcmp(bytes.ptr, "stop", 4) == 0) {
        say(stream, STR("stopped"));
        stream->outlet->end(stream->outlet);
        stream->outlet->end(stream->outlet);
        return;
    }
    if (bytes.ptr[0] == '+') { /* much for little */
        static char much[KIB(32)];

        for (size_t i = 0; i < bytes.len; i++)
            say(stream, (struct str){much, sizeof(much)});
        assert_true(stream->outlet->backlog(stream->outlet) <= STREAM_BACKLOG_MAX + KIB(32));
        return;
    }
    say(stream, bytes);
}

static void at_end(struct stream *stream)
{
    atomic_fetch_add(&((struct echo *)stream)->fixture->ended, 1);
    say(stream, STR(" end"));
    stream->outlet->end(stream->outlet);
}

static void tick(struct stream *stream, int64_t now_ms)
{
    assert_true(now_ms >= 0);
    atomic_fetch_add(&((struct echo *)stream)->fixture->ticked, 1);
}

static void drain(struct stream *stream)
{
    atomic_fetch_add(&((struct echo *)stream)->fixture->drained, 1);
    say(stream, STR("bye"));
    stream->outlet->end(stream->outlet);
}

static void closed(struct stream *stream)
{
    struct echo *echo = (struct echo *)stream;

    if (!echo->is_open)
        atomic_fetch_add(&echo->fixture->unopened, 1);
    atomic_fetch_add(&echo->fixture->closed, 1);
    free(echo);
}

static const struct stream_ops echo_ops = {opened, receive, at_end, tick, drain, closed};

static struct stream *echo_new(struct fixture *fixture, bool floods)
{
    struct echo *echo = calloc(1, sizeof(*echo));

    echo->stream.ops = &echo_ops;
    echo->fixture = fixture;
    echo->floods = floods;
    return &echo->stream;
}

static void gone(struct http_exchange *exchange)
{
    struct fixture *fixture = exchange->user;

    atomic_fetch_add(&fixture->gone, 1);
    fixture->held = NULL;
    exchange->response.status = 200;
    exchange->response.body = STR("gone");
    http_respond(exchange);
}

static void handle(void *context, struct http_exchange *exchange)
{
    struct fixture *fixture = context;
    struct str path = exchange->request.path;
    struct http_response *response = &exchange->response;

    exchange->user = fixture;
    response->status = 200;
    response->body = STR("plain");
    if (str_is(path, "/held")) {
        fixture->held = exchange;
        exchange->gone = gone;
        return;
    }
    if (str_is(path, "/release")) {
        struct http_exchange *held = fixture->held;

        fixture->held = NULL;
        if (held) {
            held->response.status = 200;
            held->response.body = STR("held");
            http_respond(held);
        }
    }
    if (str_is(path, "/upgrade"))
        response->status = 101;
    if (str_is(path, "/refused"))
        response->status = 404;
    if (!str_is(path, "/plain") && !str_is(path, "/release"))
        response->stream = echo_new(fixture, str_is(path, "/flood"));
    http_respond(exchange);
}

static void finished(void *context, const struct http_exchange *exchange, size_t bytes_sent)
{
    struct fixture *fixture = context;

    (void)exchange;
    (void)bytes_sent;
    atomic_fetch_add(&fixture->finished, 1);
}

static void *run(void *server)
{
    http_server_run(server);
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct http_options options = {.address = "127.0.0.1",
                                   .drain_seconds = 5,
                                   .handle = handle,
                                   .finished = finished,
                                   .context = fixture};
    struct error error;

    assert_int_equal(http_server_new(&options, &fixture->server, &fixture->port, &error), OK);
    pthread_create(&fixture->thread, NULL, run, fixture->server);
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    http_server_stop(fixture->server);
    pthread_join(fixture->thread, NULL);
    http_server_free(fixture->server);
    fixture->server = NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->server)
        stop(fixture);
    assert_int_equal(atomic_load(&fixture->closed),
                     atomic_load(&fixture->opened) + atomic_load(&fixture->unopened));
    free(fixture);
    return 0;
}

/* The client ------------------------------------------------------------------------------ */

static int dial(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fixture->port)};
    struct timeval patience = {20, 0};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

static void put(int client, const char *text)
{
    assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void ask(int client, const char *method, const char *path, const char *more)
{
    char request[256];

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n%s", method, path, more);
    put(client, request);
}

/* Reads until what came ends with `ending`, or to the end of the connection where it is NULL. */
static char *hear(int client, const char *ending)
{
    static char text[KIB(16)];
    size_t len = 0, wanted = ending ? strlen(ending) : 0;

    for (;;) {
        ssize_t got;

        if (ending && len >= wanted && memcmp(text + len - wanted, ending, wanted) == 0)
            break;
        assert_true(len < sizeof(text) - 1);
        got = recv(client, text + len, sizeof(text) - 1 - len, 0);
        if (got <= 0) {
            if (ending || got < 0)
                fail_msg("the connection ended behind: %.*s", (int)len, text);
            break;
        }
        len += (size_t)got;
    }
    text[len] = 0;
    return text;
}

static void wait_for(atomic_int *counter, int wanted)
{
    for (int i = 0; i < 10000 && atomic_load(counter) < wanted; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(atomic_load(counter), wanted);
}

/* Tests ----------------------------------------------------------------------------------- */

static void an_upgrade(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    char *answer;

    /* What comes behind the head, even with it, is the stream's. */
    ask(client, "GET", "/upgrade", "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP");
    answer = hear(client, "hello GET / HTTP");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 101 Switching Protocols\r\n"), answer);
    assert_non_null(strstr(answer, "\r\nConnection: Upgrade\r\n"));
    assert_null(strstr(answer, "Content-Length"));
    assert_int_equal(atomic_load(&http_server_stats(fixture->server)->streams_open), 1);
    put(client, "abc");
    assert_string_equal(hear(client, "c"), "abc");
    for (const char *c = "bytes"; *c; c++) {
        put(client, (char[]){*c, 0});
        assert_string_equal(hear(client, (char[]){*c, 0}), ((char[]){*c, 0}));
    }
    wait_for(&fixture->finished, 1); /* the exchange is given back */
    shutdown(client, SHUT_WR);
    assert_string_equal(hear(client, NULL), " end");
    close(client);
    wait_for(&fixture->closed, 1);
    assert_int_equal(atomic_load(&fixture->ended), 1);
    assert_int_equal(atomic_load(&fixture->unopened), 0);
}

static void a_stream_of_events(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    char *answer;

    ask(client, "GET", "/events", "\r\n");
    answer = hear(client, "hello ");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    assert_null(strstr(answer, "Content-Length"));
    wait_for(&fixture->opened, 1);
    for (int i = 0; i < 5000 && atomic_load(&fixture->ticked) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(atomic_load(&fixture->ticked) > 0);
    put(client, "stop");
    assert_string_equal(hear(client, NULL), "stopped");
    put(client, "nobody reads this");
    close(client);
    wait_for(&fixture->closed, 1);
}

static void behind_other_requests(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    char *answer;

    /* Elsewhere Upgrade is nothing (RFC 9110 §7.8), and what follows is a request. */
    ask(client, "GET", "/plain",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        "GET /plain HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
        "GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\nfirst");
    answer = hear(client, "hello first");
    answer = strstr(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(answer);
    answer = strstr(answer + 1, "HTTP/1.1 200 OK\r\n");
    assert_non_null(answer);
    assert_non_null(strstr(answer, "plainHTTP/1.1 101 "));
    close(client);
    wait_for(&fixture->closed, 1);
}

static void not_opened(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    char *answer;

    ask(client, "GET", "/refused", "\r\n");
    answer = hear(client, "plain");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 404 Not Found\r\n"), answer);
    assert_non_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
    ask(client, "HEAD", "/events", "\r\n");
    answer = hear(client, "\r\n\r\n");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
    ask(client, "POST", "/upgrade", "Content-Length: 0\r\n\r\n");
    answer = hear(client, "plain");
    assert_ptr_equal(strstr(answer, "HTTP/1.1 500 "), answer);
    put(client, "GET /upgrade HTTP/1.0\r\n\r\n");
    answer = hear(client, NULL);
    assert_ptr_equal(strstr(answer, "HTTP/1.1 500 "), answer);
    close(client);
    wait_for(&fixture->closed, 4);
    assert_int_equal(atomic_load(&fixture->unopened), 4);
}

static void a_slow_reader(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    char bytes[KIB(64)];

    ask(client, "GET", "/flood", "\r\n");
    wait_for(&fixture->closed, 1);
    assert_true(atomic_load(&fixture->is_cut));
    assert_true(atomic_load(&fixture->sent) <= STREAM_BACKLOG_MAX + KIB(64));
    assert_int_equal(atomic_load(&http_server_stats(fixture->server)->streams_cut), 1);
    assert_int_equal(atomic_load(&http_server_stats(fixture->server)->streams_open), 0);
    while (recv(client, bytes, sizeof(bytes), 0) > 0)
        continue;
    close(client);
}

/* Who reads gets all of it, in order, however much more than the bound that is; who stops reading
 * is cut when the kernel's buffers and the bound are full. */
static void a_reader_that_stops(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);
    static char bytes[KIB(32)];

    ask(client, "GET", "/upgrade", "\r\n");
    hear(client, "hello ");
    for (int i = 0; i < 100; i++) {
        put(client, "+++");
        for (size_t got = 0; got < 3 * sizeof(bytes);) {
            ssize_t len = recv(client, bytes, sizeof(bytes), 0);

            assert_true(len > 0);
            got += (size_t)len;
        }
    }
    assert_int_equal(atomic_load(&http_server_stats(fixture->server)->streams_cut), 0);
    for (int i = 0; i < 10000 && atomic_load(&fixture->closed) == 0; i++) {
        send(client, "+", 1, MSG_NOSIGNAL);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    wait_for(&fixture->closed, 1);
    assert_int_equal(atomic_load(&http_server_stats(fixture->server)->streams_cut), 1);
    close(client);
}

static void a_kept_exchange(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture), other = dial(fixture);

    ask(client, "GET", "/held", "\r\n");
    do { /* until it is kept */
        ask(other, "GET", "/release", "\r\n");
        hear(other, "plain");
    } while (recv(client, (char[1]){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 1);
    assert_non_null(strstr(hear(client, "held"), "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(atomic_load(&fixture->gone), 0);

    /* The client sends no more: the answer still reaches it. */
    ask(client, "GET", "/held", "\r\n");
    shutdown(client, SHUT_WR);
    assert_non_null(strstr(hear(client, NULL), "\r\n\r\ngone"));
    assert_int_equal(atomic_load(&fixture->gone), 1);
    close(client);

    /* The client is gone altogether. */
    client = dial(fixture);
    ask(client, "GET", "/held", "\r\n");
    setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    ask(other, "GET", "/plain", "\r\n");
    hear(other, "plain");
    close(client);
    ask(other, "GET", "/plain", "\r\n");
    hear(other, "plain");
    close(other);
}

static void a_drain(void **state)
{
    struct fixture *fixture = *state;
    int clients[3], held = dial(fixture);

    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = dial(fixture);
        ask(clients[i], "GET", i == 0 ? "/events" : "/upgrade", "\r\n");
        hear(clients[i], "hello ");
    }
    ask(held, "GET", "/held", "\r\n");
    http_server_stop(fixture->server);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        assert_string_equal(hear(clients[i], NULL), "bye");
        close(clients[i]);
    }
    assert_non_null(strstr(hear(held, NULL), "\r\n\r\ngone"));
    close(held);
    pthread_join(fixture->thread, NULL);
    assert_int_equal(atomic_load(&fixture->drained), 3);
    assert_int_equal(atomic_load(&fixture->closed), 3);
    http_server_free(fixture->server);
    fixture->server = NULL;
}

/* What is kept from then on is not waited for either: not of a request that was half read when
 * the drain began, and not of one that stood behind another when its client had ended. */
static void kept_too_late(void **state)
{
    struct fixture *fixture = *state;
    int late = dial(fixture), ended = dial(fixture), drained = dial(fixture);
    char *answer;

    ask(ended, "GET", "/held",
        "\r\n"
        "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(ended, SHUT_WR);
    answer = strstr(hear(ended, NULL), "\r\n\r\ngone");
    assert_non_null(answer);
    assert_non_null(strstr(answer + 1, "\r\n\r\ngone"));
    close(ended);
    ask(drained, "GET", "/upgrade", "\r\n");
    hear(drained, "hello ");
    ask(late, "GET", "/held", "Half: ");
    ask(drained, "", "", "");
    hear(drained, "Host: a\r\n"); /* by now both were read */
    http_server_stop(fixture->server);
    assert_string_equal(hear(drained, NULL), "bye");
    put(late, "read\r\n\r\n");
    assert_non_null(strstr(hear(late, NULL), "\r\n\r\ngone"));
    close(late);
    close(drained);
    pthread_join(fixture->thread, NULL);
    assert_int_equal(atomic_load(&fixture->gone), 3);
    http_server_free(fixture->server);
    fixture->server = NULL;
}

/* A client that neither reads nor leaves does not outlast the second signal. */
static void a_drain_cut_short(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture);

    ask(client, "GET", "/upgrade", "\r\n");
    hear(client, "hello ");
    http_server_stop(fixture->server);
    http_server_stop(fixture->server);
    pthread_join(fixture->thread, NULL);
    http_server_free(fixture->server);
    fixture->server = NULL;
    assert_int_equal(atomic_load(&fixture->closed), 1);
    close(client);
}

/* Posting --------------------------------------------------------------------------------- */

struct note {
    struct fixture *fixture;
    int poster, number;
};

static void take_note(void *context)
{
    struct note *note = context;

    if (note->fixture->posted[note->poster]++ != note->number)
        atomic_fetch_add(&note->fixture->misplaced, 1);
    free(note);
}

static bool post(struct fixture *fixture, int poster, int number)
{
    struct note *note = malloc(sizeof(*note));

    *note = (struct note){fixture, poster, number};
    return http_server_post(fixture->server, take_note, note);
}

struct poster {
    pthread_t thread;
    struct fixture *fixture;
    int index;
};

static void *post_all(void *context)
{
    struct poster *poster = context;

    for (int i = 0; i < POSTS; i++)
        assert_true(post(poster->fixture, poster->index, i));
    return NULL;
}

static void posts_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct poster posters[POSTERS];

    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.fixture = fixture, .index = i};
        pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
    http_server_stop(fixture->server);
    pthread_join(fixture->thread, NULL);
    assert_true(post(fixture, 0, POSTS)); /* nobody's loop runs any more */
    assert_true(post(fixture, 0, POSTS + 1));
    http_server_free(fixture->server);
    fixture->server = NULL;
    assert_int_equal(fixture->posted[0], POSTS + 2);
    for (int i = 1; i < POSTERS; i++)
        assert_int_equal(fixture->posted[i], POSTS);
    assert_int_equal(atomic_load(&fixture->misplaced), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upgrade, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_of_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(behind_other_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_exchange, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_too_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_cut_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posts_in_order, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
