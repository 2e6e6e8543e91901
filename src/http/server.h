/* The network side: listening, connections, HTTP/1.1 in and out, deadlines, TLS.
 * One loop thread does all of it and owns every struct here. What answers a request
 * may run anywhere: it finishes with http_respond(), from any thread, exactly once.
 *
 *     socket -> connection.c (bytes, deadlines) -> parse.c (http_parser + what it lets through)
 *            -> handler(exchange) ... http_respond(exchange) -> connection.c -> socket
 *
 * Strictness (RFC 9112): whatever frames a request ambiguously, or malforms its
 * head, is answered 400 once and the connection closed; nothing after it is parsed. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "http/header.h"
#include "live/stream.h"

#include <stdatomic.h>

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_HEAD,
    HTTP_OPTIONS,
    HTTP_OTHER
};

/* A whole request. All of it lives in `arena`, which ends when the answer is sent. */
struct http_request {
    enum http_method method;
    struct str target;      /* as it came */
    struct str path, query; /* path percent-decoded is the router's work; query without '?' */
    const struct http_header *headers;
    size_t header_count;
    struct str host;
    struct str body;
    struct str peer;  /* the client's address; a trusted proxy says it by X-Forwarded-For */
    bool secure;      /* TLS, here or at a trusted proxy */
    bool is_operator; /* came by the owner-only socket in the data folder */
    bool keep_alive;
    bool is_http_1_0;
};

struct http_response {
    int status;
    /* Content-Length, Date, Connection and X-Request-Id are added by the server. */
    struct http_header headers[24];
    size_t header_count;
    struct str body; /* in the exchange's arena, or static */
    bool close;      /* end the connection after this answer */
    /* Not NULL: after the head (101, or 200 without a length) the connection is this stream's,
     * whatever becomes of it (live/stream.h). With any other status, or where the client left,
     * it is closed unopened. Let it go with http_drop_stream(). */
    struct stream *stream;
};

/* One request and its answer. The handler may read `request` and allocate from
 * `arena` until it calls http_respond(); one thread at a time. */
struct http_exchange {
    struct http_request request;
    struct http_response response;
    struct arena *arena;
    int64_t received_us;   /* monotonic, when the request was whole */
    struct str request_id; /* the caller's if it is sane (1-64 of [A-Za-z0-9._-]), else made here */
    void *user;            /* the handler's own */
    /* Set by who keeps the exchange on the loop thread (ROUTE_HELD); called there, once at most
     * and never after http_respond(): the client left or sends no more, or the server is about
     * to stop. Answer soon then, or inside the call. */
    void (*gone)(struct http_exchange *exchange);
    void *held; /* theirs, for `gone` */
};

struct http_tls {
    const char *certificate_file, *key_file; /* NULL: plain */
};

struct http_options {
    const char *address;      /* "127.0.0.1", "::1" or "0.0.0.0" */
    int port;                 /* 0 picks a free one */
    const char *admin_socket; /* path of the owner-only socket, or NULL */
    struct http_tls tls;
    const struct str *trusted_proxies; /* addresses whose X-Forwarded-* are believed */
    size_t trusted_proxy_count;
    size_t connections_max;
    int head_seconds, body_seconds, idle_seconds, write_seconds, drain_seconds; /* 0: limits.h */

    /* Called on the loop thread when a head is whole and a body follows: how large may
     * that body be? (The router knows.) Past it the answer is 413 at once. */
    size_t (*body_max)(void *context, enum http_method method, struct str path);
    /* Called on the loop thread with a whole request. Must not block. */
    void (*handle)(void *context, struct http_exchange *exchange);
    /* Fills response for what fails below the router (400, 408, 413, 414, 417, 431, 501,
     * 503): a problem+json, made by http/problem.c. Called on the loop thread. Where the head
     * was not understood, the request has only its peer. `detail` is a literal. */
    void (*refuse)(void *context, struct http_exchange *exchange, int status, const char *detail);
    /* After an answer left, or its client did: for the access log and the metrics. */
    void (*finished)(void *context, const struct http_exchange *exchange, size_t bytes_sent);
    void *context;
};

/* Kept by the loop thread, read by anyone (/metrics). */
struct http_stats {
    _Atomic int64_t connections_open, connections_accepted, connections_refused;
    _Atomic int64_t requests, refused_requests, timeouts, bytes_in, bytes_out;
    _Atomic int64_t streams_open, streams_cut; /* cut: for reading too slowly */
};

struct http_server;

/* Binds and listens; *out_port is the port that was picked. ERR_INVALID for an address or
 * certificate that cannot be used, ERR_UNAVAILABLE for a port that is taken, ERR_CONFLICT when
 * another server answers on the admin socket. Sets umask for a moment and ignores SIGPIPE
 * from then on, so call it before there are threads. */
enum err http_server_new(const struct http_options *options, struct http_server **out,
                         int *out_port, struct error *error);
/* Runs the loop until http_server_stop() and the drain behind it are done: no request
 * that was read is cut, new ones are refused, idle connections closed. */
enum err http_server_run(struct http_server *server);
/* From any thread, and from a signal handler. A second call ends the drain early. */
void http_server_stop(struct http_server *server);
/* After whatever calls http_respond() has ended: a thread may still be inside it. Exchanges
 * that nobody answered (the drain was cut short) end here. NULL is fine. */
void http_server_free(struct http_server *server);
const struct http_stats *http_server_stats(const struct http_server *server);
bool http_server_draining(const struct http_server *server);

/* Calls fn(context) on the loop thread, soon, in the order of the calls. From any thread,
 * also before run(); what is left when the loop has ended is called by http_server_free().
 * False without memory: not taken. */
bool http_server_post(struct http_server *server, void (*fn)(void *), void *context);

/* Calls fn(context) on the loop thread every `seconds`, and once soon. Before run() only. */
void http_server_every(struct http_server *server, int seconds, void (*fn)(void *), void *context);

/* Any thread, once: the answer in exchange->response is whole. The exchange is not the
 * caller's any more. The client may be gone; then the answer is dropped and `finished` called. */
void http_respond(struct http_exchange *exchange);

/* Closes a stream that was not opened, if there is one. */
void http_drop_stream(struct http_response *response);

/* NULL when absent. `name` in lower case. */
struct str http_header_get(const struct http_request *request, const char *name);
/* Adds to the response; both must outlive it (arena or static). A value with a line end or
 * another control character is not sent (and logged): nobody writes headers through it. */
void http_header_add(struct http_exchange *exchange, const char *name, struct str value);

#endif
