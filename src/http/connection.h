/* Between server.c (loop, listening, answers that come from other threads) and
 * connection.c (one client: bytes in, bytes out, deadlines). Everything here belongs
 * to the loop thread, but for `answered`, `posted`, `stop_calls`, `is_draining` and the
 * statistics.
 *
 * Whatever the loop calls may lead to bytes that wait in `to_flush`; so every callback of uv
 * ends with server_collect(). */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "http/outbox.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/tls.h"

#include <netinet/in.h>
#include <uv.h>

#define READ_BYTES KIB(64)     /* taken from a socket at once */
#define PENDING_BYTES KIB(16)  /* pipelined input kept before reading pauses */
#define BACKLOG_BYTES KIB(256) /* unsent answers before the next request waits */
#define EXCHANGES_KEPT 128     /* finished ones whose memory is used again */
#define TICK_MS 500            /* how finely deadlines are kept */
#define HEAD_SPACE 640         /* an answer's head, usually */

/* A request, its answer, and the memory of both. */
struct exchange {
    struct http_exchange http; /* first: what the outside has is a pointer to this */
    struct http_server *server;
    struct connection *connection; /* NULL once the client is gone */
    struct exchange *next;         /* in whatever list it stands: answered, unsent, kept */
    struct exchange *live_previous, *live_next;
    struct http_parse *parse;
    struct buf body; /* of the request */
    bool is_refusal;
    char *head; /* of the answer: head_space, or heap memory */
    size_t head_len, sent;
    struct str answer_body; /* what of it is sent: nothing for HEAD, 204, 304 */
    char head_space[HEAD_SPACE];
};

enum connection_state {
    CONNECTION_IDLE, /* between requests */
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_RUNNING,   /* the handler has the exchange */
    CONNECTION_STREAM,    /* all that comes is the stream's; see live/stream.h */
    CONNECTION_ENDING,    /* the last answer is on its way; input is thrown away */
    CONNECTION_LINGERING, /* it left; the client may still read it, and then close */
    CONNECTION_CLOSED,
};

struct connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    union {
        uv_write_t write;
        uv_shutdown_t shutdown;
    } out;
    struct http_server *server;
    struct connection *previous, *next; /* all that are open */
    struct connection *flush_next;      /* those with answers to send before the loop goes on */
    struct exchange *exchange;          /* being read or answered */
    struct exchange *unsent, *unsent_last;
    struct outlet outlet;  /* the stream's way out; what it sends follows `unsent` */
    struct stream *stream; /* from the answer that began it to the end; NULL: none */
    struct outbox outbox;
    struct tls *tls; /* NULL: plain */
    char *pending;   /* input that waits for the answer before it; NULL: none */
    size_t pending_from, pending_len, pending_capacity;
    char *sealed; /* what uv has of TLS output */
    size_t unsent_bytes, writing_bytes, write_mark, discarded_bytes;
    int64_t state_since_ms, deadline_ms, write_deadline_ms;
    enum connection_state state;
    bool is_operator, is_reading, is_at_end, must_continue, is_flushing;
    bool is_cut; /* a slow reader: closed as soon as the loop is back in connection.c */
    char peer[INET6_ADDRSTRLEN];
};

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    bool is_used;
};

struct repeated {
    uv_timer_t timer;
    struct http_server *server;
    struct repeated *next;
    void (*fn)(void *);
    void *context;
    int seconds;
};

struct posted {
    struct posted *next;
    void (*fn)(void *);
    void *context;
};

struct http_server {
    struct http_options options;
    struct http_stats stats;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t tick, drain;
    struct listener listener, admin;
    struct repeated *repeated;
    struct tls_context *tls;
    uv_thread_t thread;
    struct connection *connections, *to_flush;
    struct exchange *live, *kept;
    size_t connection_count, live_count, kept_count;
    _Atomic(struct exchange *) answered; /* pushed by any thread, taken whole by the loop's */
    _Atomic(struct posted *) posted;     /* the same */
    atomic_int stop_calls;
    atomic_bool is_draining;
    bool is_collecting; /* answers given right now, on the loop thread, are taken soon */
    bool has_drain_begun;
    bool is_over; /* the loop has ended: nobody is to be woken */
    uint64_t request_number;
    char request_prefix[13];
    char date[32];
    int64_t date_s;
    char read_buffer[READ_BYTES], plain_buffer[READ_BYTES];
};

/* server.c */
struct exchange *exchange_new(struct connection *connection); /* NULL: no memory */
/* Its answer left, or nobody is there to take it. */
void exchange_finish(struct exchange *exchange);
void exchange_free(struct exchange *exchange);
struct str server_date(struct http_server *server);
void stat_add(_Atomic int64_t *stat, int64_t amount);
/* Takes answers, and what they lead to, until there are none; then sends them. */
void server_collect(struct http_server *server);
void server_left(struct http_server *server); /* a connection or an exchange is gone */

/* connection.c */
void connection_accept(struct http_server *server, struct listener *listener);
void connection_answer(struct exchange *exchange); /* its answer is whole */
void connection_flush(struct connection *connection);
void connection_tick(struct connection *connection, int64_t now_ms);
void connection_drain(struct connection *connection);
void connection_close(struct connection *connection);

#endif
