/* An HTTP/1.1 load generator: N connections kept alive, each sending its next request when
 * it has the answer to its last. One thread, so that it takes little of what it measures.
 *
 *     load --port PORT --template FILE --customers 1-50000
 *          [--connections 64] [--requests 20000] [--seed 1]
 *          [--apart SECONDS] [--ago SECONDS] [--status 201]
 *
 * The template is a request as it goes over the wire, with LF for CRLF and without Host and
 * Content-Length. In it stand for themselves at each request:
 *     {customer}   the id of a customer picked by chance
 *     {time}       an instant of the last hour, or of the hour that was --ago seconds earlier
 * With --apart the customers have their turns instead, in an order that the seed decides, and
 * {time} is so many seconds later each time that all have had theirs.
 *
 * Prints one line of JSON. An answer that is not 2xx (with --status: not that one), or that
 * breaks the protocol, voids the measurement: `bad` counts them, `first_bad` shows one. */
#include "kit/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATE_MAX 16384 /* bytes */
#define PIECES_MAX 16
#define REQUEST_MAX 32768 /* bytes */
#define ANSWER_HEAD_MAX 16384
#define EVENTS_MAX 256
#define SILENCE_MS 30000 /* without any answer: give up */

enum piece_kind { PIECE_TEXT, PIECE_CUSTOMER, PIECE_TIME };

struct piece {
    enum piece_kind kind;
    const char *text;
    size_t length;
};

struct template
{
    char text[TEMPLATE_MAX];
    struct piece head[PIECES_MAX], body[PIECES_MAX];
    size_t head_count, body_count;
};

struct connection {
    int fd;
    int64_t sent_at_us;
    size_t sent, request_length;
    char request[REQUEST_MAX];
    /* The answer: its head while that is not whole, then how much of the body is to come. */
    size_t head_length;
    char head[ANSWER_HEAD_MAX];
    bool in_body;
    uint64_t body_left;
    int status;
};

struct load {
    int epoll;
    struct template template;
    struct bench_chance chance;
    struct bench_range customers;
    bool in_turns;
    uint64_t stride; /* in turns: from a customer to the next */
    int64_t apart_seconds, ago_seconds;
    int status; /* wanted; 0: any 2xx */
    char port[8];
    int64_t wanted, begun, done, bad;
    int32_t *latencies_us;
    char first_bad[200];
};

/* The template */

static const struct {
    enum piece_kind kind;
    const char *name;
} marks[] = {{PIECE_CUSTOMER, "{customer}"}, {PIECE_TIME, "{time}"}};

static void add_piece(struct piece *pieces, size_t *count, struct piece piece)
{
    if (*count == PIECES_MAX)
        bench_fail("the template has too many marks");
    if (piece.kind != PIECE_TEXT || piece.length > 0)
        pieces[(*count)++] = piece;
}

static size_t cut(const char *text, struct piece *pieces)
{
    size_t count = 0;
    const char *from = text;

    for (const char *at = text; *at != '\0'; at++) {
        for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
            const size_t length = strlen(marks[i].name);

            if (strncmp(at, marks[i].name, length) != 0)
                continue;
            add_piece(pieces, &count, (struct piece){PIECE_TEXT, from, (size_t)(at - from)});
            add_piece(pieces, &count, (struct piece){marks[i].kind, NULL, 0});
            at += length - 1;
            from = at + 1;
            break;
        }
    }
    add_piece(pieces, &count, (struct piece){PIECE_TEXT, from, strlen(from)});
    return count;
}

static void read_template(const char *path, struct template *template)
{
    FILE *file = fopen(path, "re");
    size_t length;
    char *body;

    if (!file)
        bench_fail("%s: %s", path, strerror(errno));
    length = fread(template->text, 1, TEMPLATE_MAX - 1, file);
    if (ferror(file) || !feof(file))
        bench_fail("%s: it cannot be read, or is too long", path);
    fclose(file);
    template->text[length] = '\0';
    body = strstr(template->text, "\n\n");
    if (!body)
        bench_fail("%s: an empty line must end the head", path);
    body[1] = '\0';
    template->head_count = cut(template->text, template->head);
    template->body_count = cut(body + 2, template->body);
}

static void put(struct connection *connection, const char *text, size_t length)
{
    if (length > REQUEST_MAX - connection->request_length)
        bench_fail("the request is too long");
    memcpy(connection->request + connection->request_length, text, length);
    connection->request_length += length;
}

/* What the marks of one request stand for. */
struct subject {
    uint64_t customer;
    time_t at;
};

static uint64_t customer_count(const struct load *load)
{
    return load->customers.last - load->customers.first + 1;
}

static struct subject next_subject(struct load *load)
{
    const uint64_t place = (uint64_t)load->begun - 1, count = customer_count(load);
    struct subject subject = {
        .at = (time_t)(bench_now_us() / 1000000) - (time_t)load->ago_seconds -
              (time_t)(bench_next(&load->chance) % BENCH_CALL_AGE_SECONDS),
    };

    if (!load->in_turns) {
        subject.customer = bench_pick(&load->chance, load->customers);
        return subject;
    }
    subject.customer = load->customers.first + place % count * load->stride % count;
    subject.at += (time_t)(place / count) * (time_t)load->apart_seconds;
    return subject;
}

/* One that leads past every customer before it comes to the first again. */
static uint64_t pick_stride(struct load *load)
{
    const uint64_t count = customer_count(load);

    for (;;) {
        const uint64_t stride = bench_next(&load->chance) % count + 1;
        uint64_t larger = count, smaller = stride;

        while (smaller > 0) {
            const uint64_t rest = larger % smaller;

            larger = smaller;
            smaller = rest;
        }
        if (larger == 1)
            return stride;
    }
}

static void put_time(struct connection *connection, time_t at)
{
    char text[32];
    struct tm parts;

    gmtime_r(&at, &parts);
    put(connection, text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

static void put_customer(struct connection *connection, uint64_t customer)
{
    char text[BENCH_UUID_TEXT];

    bench_id_text(BENCH_CUSTOMER, customer, text);
    put(connection, text, strlen(text));
}

static void put_pieces(struct connection *connection, const struct piece *pieces, size_t count,
                       struct subject subject, bool head)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].kind == PIECE_CUSTOMER) {
            put_customer(connection, subject.customer);
        } else if (pieces[i].kind == PIECE_TIME) {
            put_time(connection, subject.at);
        } else if (!head) {
            put(connection, pieces[i].text, pieces[i].length);
        } else {
            for (size_t at = 0; at < pieces[i].length; at++) {
                if (pieces[i].text[at] == '\n')
                    put(connection, "\r", 1);
                put(connection, pieces[i].text + at, 1);
            }
        }
    }
}

/* The body comes first: its length stands in the head. */
static void make_request(struct load *load, struct connection *connection)
{
    const struct template *template = &load->template;
    const struct subject subject = next_subject(load);
    char body[REQUEST_MAX], rest[128];
    size_t body_length;
    int length;

    connection->request_length = connection->sent = 0;
    put_pieces(connection, template->body, template->body_count, subject, false);
    body_length = connection->request_length;
    memcpy(body, connection->request, body_length);
    connection->request_length = 0;
    put_pieces(connection, template->head, template->head_count, subject, true);
    length = snprintf(rest, sizeof rest, "Host: 127.0.0.1:%s\r\n", load->port);
    put(connection, rest, (size_t)length);
    if (body_length > 0) {
        length = snprintf(rest, sizeof rest,
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_length);
        put(connection, rest, (size_t)length);
    }
    put(connection, "\r\n", 2);
    put(connection, body, body_length);
}

/* Connections */

static void watch(struct load *load, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
        bench_fail("epoll: %s", strerror(errno));
}

static void send_more(struct load *load, struct connection *connection)
{
    while (connection->sent < connection->request_length) {
        const ssize_t length =
            send(connection->fd, connection->request + connection->sent,
                 connection->request_length - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (length < 0 && errno == EAGAIN) {
            watch(load, connection, EPOLLIN | EPOLLOUT);
            return;
        }
        if (length < 0)
            bench_fail("the server closed a connection: %s", strerror(errno));
        connection->sent += (size_t)length;
    }
    watch(load, connection, EPOLLIN);
}

static void begin_request(struct load *load, struct connection *connection)
{
    if (load->begun == load->wanted)
        return;
    load->begun++;
    make_request(load, connection);
    connection->sent_at_us = bench_monotonic_us();
    send_more(load, connection);
}

static void open_connection(struct load *load, struct connection *connection, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    const int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        bench_fail("no connection to port %u: %s", port, strerror(errno));
}

/* Answers */

static void note_bad(struct load *load, const struct connection *connection, const char *text,
                     size_t length)
{
    if (load->bad++ > 0)
        return;
    snprintf(load->first_bad, sizeof load->first_bad, "%d: %.*s", connection->status, (int)length,
             text);
}

static void finish_answer(struct load *load, struct connection *connection)
{
    load->latencies_us[load->done++] = (int32_t)(bench_monotonic_us() - connection->sent_at_us);
    connection->in_body = false;
    connection->head_length = 0;
    begin_request(load, connection);
}

static uint64_t content_length(const char *head)
{
    static const char name[] = "\r\nContent-Length:";
    const char *field = strcasestr(head, name);

    if (!field)
        bench_fail("an answer without Content-Length:\n%s", head);
    return strtoull(field + sizeof name - 1, NULL, 10);
}

/* Takes in what was read; closed loop, so never more than the one answer. */
static void take(struct load *load, struct connection *connection, const char *data, size_t length)
{
    char *end;
    size_t over;

    if (!connection->in_body) {
        memcpy(connection->head + connection->head_length, data, length);
        connection->head_length += length;
        connection->head[connection->head_length] = '\0';
        end = strstr(connection->head, "\r\n\r\n");
        if (!end) {
            if (connection->head_length == ANSWER_HEAD_MAX - 1)
                bench_fail("an answer's head is too long");
            return;
        }
        *end = '\0';
        if (strncmp(connection->head, "HTTP/1.1 ", 9) != 0)
            bench_fail("no HTTP/1.1: %.60s", connection->head);
        connection->status = (int)strtol(connection->head + 9, NULL, 10);
        connection->body_left = connection->status == 204 ? 0 : content_length(connection->head);
        connection->in_body = true;
        data = end + 4;
        over = connection->head_length - (size_t)(end + 4 - connection->head);
        if (load->status > 0 ? connection->status != load->status : connection->status / 100 != 2)
            note_bad(load, connection, data, over);
        length = over;
    }
    if (length > connection->body_left)
        bench_fail("more than an answer came");
    connection->body_left -= length;
    if (connection->body_left == 0)
        finish_answer(load, connection);
}

static void receive(struct load *load, struct connection *connection)
{
    /* What is read at once fits behind what there is of the head. */
    const size_t room =
        connection->in_body ? ANSWER_HEAD_MAX : ANSWER_HEAD_MAX - 1 - connection->head_length;
    char data[ANSWER_HEAD_MAX];
    const ssize_t length = recv(connection->fd, data, room, MSG_DONTWAIT);

    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0)
        bench_fail("the server closed a connection%s%s", length < 0 ? ": " : "",
                   length < 0 ? strerror(errno) : "");
    take(load, connection, data, (size_t)length);
}

/* The figures */

static int by_size(const void *left, const void *right)
{
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;

    return (a > b) - (a < b);
}

static int32_t part_of(const struct load *load, int percent)
{
    return load->latencies_us[(load->done - 1) * percent / 100];
}

static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
}

static void report(struct load *load, double seconds)
{
    qsort(load->latencies_us, (size_t)load->done, sizeof load->latencies_us[0], by_size);
    printf("{\"requests\":%lld,\"seconds\":%.6f,\"rate\":%.1f,\"median_us\":%d,\"p99_us\":%d,"
           "\"bad\":%lld,\"first_bad\":\"",
           (long long)load->done, seconds, (double)load->done / seconds, part_of(load, 50),
           part_of(load, 99), (long long)load->bad);
    print_escaped(load->first_bad);
    printf("\"}\n");
}

int main(int argc, char **argv)
{
    static struct load load;
    const int64_t port = bench_number(argc, argv, "port", NULL, 1);
    const int64_t count = bench_number(argc, argv, "connections", "64", 1);
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    struct epoll_event events[EVENTS_MAX];
    int64_t begun_us;

    load.wanted = bench_number(argc, argv, "requests", "20000", 1);
    load.customers = bench_range(bench_option(argc, argv, "customers", NULL));
    load.chance.state = (uint64_t)bench_number(argc, argv, "seed", "1", 0);
    load.apart_seconds = bench_number(argc, argv, "apart", "0", 0);
    load.ago_seconds = bench_number(argc, argv, "ago", "0", 0);
    load.status = (int)bench_number(argc, argv, "status", "0", 0);
    load.in_turns = load.apart_seconds > 0;
    load.stride = pick_stride(&load);
    load.latencies_us = calloc((size_t)load.wanted, sizeof load.latencies_us[0]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (port > UINT16_MAX)
        bench_fail("--port is at most %d", UINT16_MAX);
    if (!connections || !load.latencies_us || load.epoll < 0)
        bench_fail("there is no memory to begin with");
    snprintf(load.port, sizeof load.port, "%d", (int)port);
    read_template(bench_option(argc, argv, "template", NULL), &load.template);
    for (int64_t i = 0; i < count; i++)
        open_connection(&load, &connections[i], (uint16_t)port);

    begun_us = bench_monotonic_us();
    for (int64_t i = 0; i < count; i++)
        begin_request(&load, &connections[i]);
    while (load.done < load.wanted) {
        const int ready = epoll_wait(load.epoll, events, EVENTS_MAX, SILENCE_MS);

        if (ready == 0)
            bench_fail("no answer for %d ms", SILENCE_MS);
        for (int i = 0; i < ready; i++) {
            if (events[i].events & EPOLLOUT)
                send_more(&load, events[i].data.ptr);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(&load, events[i].data.ptr);
        }
    }
    report(&load, (double)(bench_monotonic_us() - begun_us) / 1e6);
    for (int64_t i = 0; i < count; i++)
        close(connections[i].fd);
    close(load.epoll);
    free(connections);
    free(load.latencies_us);
    return 0;
}
