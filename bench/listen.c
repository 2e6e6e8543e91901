/* Listens to a server's stream with many WebSocket clients, in one thread.
 *
 *     listen --port PORT --key KEY --clients 1000 --subscribe customers|tenant
 *            --customers 1-50000 --posts 500
 *     listen --port PORT --key KEY --clients 10000 --subscribe customers
 *            --customers 1-50000 --posts 0
 *
 * With posts, it posts one event after the other over a connection of its own - for the
 * customer of one client, or for any, which all clients follow - and measures when each
 * client that follows it has its frame; then the next. Prints a line of JSON: how long the
 * posts took (until their answers, which leave after the commit), and how long after the
 * post was sent, and after its answer came, the frames were there. (A frame may come before
 * the answer: then the latter is below zero.) A frame that is missing or too many voids the
 * measurement.
 *
 * With no posts, it prints `ready` when all clients have subscribed, and stays until its
 * standard input ends; then it prints how many are still connected, and the events that came. */
#include "kit/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_MAX 262144 /* bytes read at once; a frame, or an answer, is far shorter */
#define EVENTS_MAX 512
#define SILENCE_MS 20000
#define OPENING_MAX 64 /* handshakes under way at once */

enum state { CONNECTING, SUBSCRIBING, LISTENING, GONE };

struct client {
    int fd;
    enum state state;
    uint64_t customer;
    size_t length;
    char *buffer; /* only while something incomplete is in it */
    bool has_frame;
};

struct listen {
    int epoll;
    char port[8];
    const char *key;
    bool tenant;
    struct client *clients;
    size_t count, opened, listening, gone;
    /* The post under way. */
    int post_fd;
    int64_t sent_at_us, answered_at_us;
    uint64_t customer;
    size_t frames_wanted, frames;
    int64_t *after_sent_us, *after_answer_us, *post_us;
    size_t samples, posts;
};

static int connect_to(const char *port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("connecting: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t sent = write(fd, bytes, length);

        if (sent <= 0)
            bench_fail("writing: %s", strerror(errno));
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void open_client(struct listen *listen, struct client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    char head[1024];
    int length;

    client->fd = connect_to(listen->port);
    length = snprintf(head, sizeof head,
                      "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n"
                      "Authorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                      "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                      listen->port, listen->key);
    write_all(client->fd, head, (size_t)length);
    if (epoll_ctl(listen->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        bench_fail("epoll: %s", strerror(errno));
}

/* A text frame, masked with zeros: allowed, and simple. */
static void send_frame(const struct client *client, const char *text, size_t length)
{
    char frame[6 + 125] = {(char)0x81, (char)(0x80 | length)};

    if (length > 125)
        bench_fail("the frame is too long");
    memcpy(frame + 6, text, length);
    write_all(client->fd, frame, 6 + length);
}

static void subscribe(const struct listen *listen, struct client *client)
{
    char text[125], id[BENCH_UUID_TEXT];
    int length;

    bench_id_text(BENCH_CUSTOMER, client->customer, id);
    if (listen->tenant)
        length = snprintf(text, sizeof text, "{\"op\":\"subscribe\",\"feed\":\"tenant\"}");
    else
        length = snprintf(text, sizeof text, "{\"op\":\"subscribe\",\"customer\":\"%s\"}", id);
    send_frame(client, text, (size_t)length);
    client->state = SUBSCRIBING;
}

static bool has(const char *bytes, size_t length, const char *text)
{
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static void take_frame(struct listen *listen, struct client *client, const char *text,
                       size_t length, int64_t now_us)
{
    if (has(text, length, "\"op\":\"subscribed\"")) {
        client->state = LISTENING;
        listen->listening++;
        return;
    }
    if (has(text, length, "\"op\":\"presence\""))
        return;
    if (!has(text, length, "\"op\":\"event\""))
        bench_fail("an unexpected frame: %.*s", (int)(length < 300 ? length : 300), text);
    if (listen->posts == 0) {
        listen->frames++;
        return;
    }
    if (client->has_frame || listen->frames == listen->frames_wanted)
        bench_fail("a frame too many");
    client->has_frame = true;
    listen->after_sent_us[listen->samples + listen->frames++] = now_us - listen->sent_at_us;
}

/* The bytes of one frame (they are never masked here), or 0: not whole yet. */
static size_t frame_length(const char *bytes, size_t length, size_t *head)
{
    const unsigned char *raw = (const unsigned char *)bytes;
    size_t payload;

    if (length < 2)
        return 0;
    payload = raw[1] & 0x7f;
    *head = payload == 126 ? 4 : 2;
    if (length < *head)
        return 0;
    if (payload == 126)
        payload = (size_t)raw[2] << 8 | raw[3];
    return length < *head + payload ? 0 : *head + payload;
}

static size_t take_head(struct listen *listen, struct client *client, const char *bytes,
                        size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);

    if (!end)
        return 0;
    if (strncmp(bytes, "HTTP/1.1 101", 12) != 0)
        bench_fail("no stream: %.200s", bytes);
    subscribe(listen, client);
    return (size_t)(end - bytes) + 4;
}

static size_t take(struct listen *listen, struct client *client, const char *bytes, size_t length,
                   int64_t now_us)
{
    size_t used = 0, head = 0, one;

    if (client->state == CONNECTING) {
        used = take_head(listen, client, bytes, length);
        if (used == 0)
            return 0;
    }
    while ((one = frame_length(bytes + used, length - used, &head)) > 0) {
        const int opcode = bytes[used] & 0x0f;

        if (opcode == 1)
            take_frame(listen, client, bytes + used + head, one - head, now_us);
        else if (opcode == 9) /* a ping: its pong has the same payload, which is empty here */
            write_all(client->fd, "\x8a\x80\0\0\0\0", 6);
        else
            bench_fail("a frame of opcode %d: %.*s", opcode, (int)(one - head),
                       bytes + used + head);
        used += one;
    }
    return used;
}

static void client_readable(struct listen *listen, struct client *client)
{
    static char space[BUFFER_MAX];
    const size_t before = client->length;
    const size_t room = sizeof space - before;
    ssize_t got;
    size_t used;

    if (before > 0)
        memcpy(space, client->buffer, before);
    got = read(client->fd, space + before, room);
    if (got <= 0) {
        if (listen->posts > 0)
            bench_fail("a client was dropped");
        client->state = GONE;
        listen->gone++;
        close(client->fd);
        return;
    }
    used = take(listen, client, space, before + (size_t)got, bench_monotonic_us());
    client->length = before + (size_t)got - used;
    free(client->buffer);
    client->buffer = NULL;
    if (client->length > 0) {
        client->buffer = malloc(client->length);
        if (!client->buffer)
            bench_fail("no memory");
        memcpy(client->buffer, space + used, client->length);
    }
}

static void answer_readable(struct listen *listen)
{
    static char answer[BUFFER_MAX];
    const ssize_t got = read(listen->post_fd, answer, sizeof answer - 1);

    if (got <= 0)
        bench_fail("the posts' connection was dropped");
    answer[got] = '\0';
    if (strncmp(answer, "HTTP/1.1 201", 12) != 0)
        bench_fail("a post failed: %.300s", answer);
    listen->answered_at_us = bench_monotonic_us();
}

/* One round of the loop; false after too long a silence. */
static bool turn(struct listen *listen, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    const int ready = epoll_wait(listen->epoll, events, EVENTS_MAX, wait_ms);

    for (int i = 0; i < ready; i++) {
        struct client *client = events[i].data.ptr;

        if (!client)
            answer_readable(listen);
        else if (client->state != GONE)
            client_readable(listen, client);
    }
    return ready != 0;
}

static void open_all(struct listen *listen)
{
    while (listen->listening < listen->count) {
        while (listen->opened < listen->count && listen->opened - listen->listening < OPENING_MAX)
            open_client(listen, &listen->clients[listen->opened++]);
        if (!turn(listen, SILENCE_MS))
            bench_fail("the server is silent: %zu of %zu listen", listen->listening, listen->count);
        if (listen->gone > 0)
            bench_fail("a client was dropped");
    }
}

static void post(struct listen *listen, uint64_t customer, size_t n)
{
    char body[512], request[1024], id[BENCH_UUID_TEXT];
    int length;

    bench_id_text(BENCH_CUSTOMER, customer, id);
    length = snprintf(body, sizeof body,
                      "{\"contact_id\":\"%s\",\"event_type\":\"webhook_received\","
                      "\"category\":\"general\",\"title\":\"Delivery %zu\","
                      "\"payload\":{\"order\":%zu,\"state\":\"shipped\"}}",
                      id, n, n);
    length = snprintf(request, sizeof request,
                      "POST /api/v1/contact-events HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n"
                      "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                      "Content-Length: %d\r\n\r\n%s",
                      listen->port, listen->key, length, body);
    listen->answered_at_us = 0;
    listen->sent_at_us = bench_monotonic_us();
    write_all(listen->post_fd, request, (size_t)length);
}

static void post_one(struct listen *listen, size_t n)
{
    const struct client *one = &listen->clients[n % listen->count];

    for (size_t i = 0; i < listen->count; i++)
        listen->clients[i].has_frame = false;
    listen->frames = 0;
    listen->frames_wanted = listen->tenant ? listen->count : 1;
    post(listen, one->customer, n);
    while (listen->answered_at_us == 0 || listen->frames < listen->frames_wanted) {
        if (!turn(listen, SILENCE_MS))
            bench_fail("%zu of %zu frames came", listen->frames, listen->frames_wanted);
    }
    listen->post_us[n] = listen->answered_at_us - listen->sent_at_us;
    for (size_t i = 0; i < listen->frames; i++, listen->samples++)
        listen->after_answer_us[listen->samples] =
            listen->after_sent_us[listen->samples] - listen->post_us[n];
}

static int ascending(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static int64_t at(int64_t *values, size_t count, size_t percent)
{
    qsort(values, count, sizeof *values, ascending);
    return values[(count - 1) * percent / 100];
}

static int64_t *numbers(size_t count)
{
    int64_t *made = calloc(count, sizeof *made);

    if (!made)
        bench_fail("no memory");
    return made;
}

static void measure(struct listen *listen)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    const size_t most = listen->posts * (listen->tenant ? listen->count : 1);

    listen->after_sent_us = numbers(most);
    listen->after_answer_us = numbers(most);
    listen->post_us = numbers(listen->posts);
    listen->post_fd = connect_to(listen->port);
    if (epoll_ctl(listen->epoll, EPOLL_CTL_ADD, listen->post_fd, &event) != 0)
        bench_fail("epoll: %s", strerror(errno));
    for (size_t n = 0; n < listen->posts; n++)
        post_one(listen, n);
    printf("{\"clients\":%zu,\"frames\":%zu,\"post_median_us\":%lld,\"post_p99_us\":%lld,"
           "\"after_sent_median_us\":%lld,\"after_sent_p99_us\":%lld,"
           "\"after_answer_median_us\":%lld,\"after_answer_p99_us\":%lld}\n",
           listen->count, listen->samples, (long long)at(listen->post_us, listen->posts, 50),
           (long long)at(listen->post_us, listen->posts, 99),
           (long long)at(listen->after_sent_us, listen->samples, 50),
           (long long)at(listen->after_sent_us, listen->samples, 99),
           (long long)at(listen->after_answer_us, listen->samples, 50),
           (long long)at(listen->after_answer_us, listen->samples, 99));
}

/* Stays until nobody wants it any more. */
static void stay(struct listen *listen)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    const int input = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ended;

    if (input < 0 || epoll_ctl(input, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        bench_fail("stdin: %s", strerror(errno));
    printf("ready\n");
    fflush(stdout);
    while (epoll_wait(input, &ended, 1, 0) == 0)
        turn(listen, 200);
    printf("{\"clients\":%zu,\"connected\":%zu,\"frames\":%zu}\n", listen->count,
           listen->count - listen->gone, listen->frames);
}

int main(int argc, char **argv)
{
    const struct bench_range customers = bench_range(bench_option(argc, argv, "customers", NULL));
    struct listen listen = {
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .key = bench_option(argc, argv, "key", NULL),
        .tenant = strcmp(bench_option(argc, argv, "subscribe", NULL), "tenant") == 0,
        .count = (size_t)bench_number(argc, argv, "clients", NULL, 1),
        .posts = (size_t)bench_number(argc, argv, "posts", "0", 0),
    };
    struct rlimit files;

    snprintf(listen.port, sizeof listen.port, "%lld",
             (long long)bench_number(argc, argv, "port", NULL, 1));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    listen.clients = calloc(listen.count, sizeof *listen.clients);
    if (listen.epoll < 0 || !listen.clients)
        bench_fail("no memory");
    for (size_t i = 0; i < listen.count; i++)
        listen.clients[i].customer = customers.first + i % (customers.last - customers.first + 1);
    open_all(&listen);
    if (listen.posts > 0)
        measure(&listen);
    else
        stay(&listen);
    free(listen.clients);
    return 0;
}
