#include "http/connection.h"

#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096
#define DRAIN_GRACE_MS 20 /* what the kernel has taken before the stop is still read */

/* Only the loop thread writes them, so that no locked instruction is needed. */
void stat_add(_Atomic int64_t *stat, int64_t amount)
{
    atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* Exchanges ---------------------------------------------------------------------------- */

static struct str make_request_id(struct http_server *server, struct arena *arena)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%s-%08llx", server->request_prefix,
                       (unsigned long long)++server->request_number);

    return str_copy(arena, (struct str){text, (size_t)len});
}

struct exchange *exchange_new(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct exchange *exchange = server->kept;
    struct arena *arena;

    if (exchange) {
        server->kept = exchange->next;
        server->kept_count--;
        arena = exchange->http.arena;
    } else {
        exchange = malloc(sizeof(*exchange));
        arena = exchange ? arena_new(REQUEST_ARENA_MAX) : NULL;
        if (!arena) {
            free(exchange);
            return NULL;
        }
    }
    memset(exchange, 0, offsetof(struct exchange, head_space));
    exchange->http.arena = arena;
    exchange->http.request_id = make_request_id(server, arena);
    exchange->server = server;
    exchange->connection = connection;
    buf_init(&exchange->body, arena, 0);
    exchange->parse = http_parse_new(arena);
    exchange->live_next = server->live;
    if (server->live)
        server->live->live_previous = exchange;
    server->live = exchange;
    server->live_count++;
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    struct http_server *server = exchange->server;

    if (exchange->live_previous)
        exchange->live_previous->live_next = exchange->live_next;
    else
        server->live = exchange->live_next;
    if (exchange->live_next)
        exchange->live_next->live_previous = exchange->live_previous;
    server->live_count--;

    http_drop_stream(&exchange->http.response);
    buf_clear(&exchange->body);
    if (exchange->head != exchange->head_space)
        free(exchange->head);
    if (server->kept_count < EXCHANGES_KEPT) {
        arena_reset(exchange->http.arena);
        exchange->next = server->kept;
        server->kept = exchange;
        server->kept_count++;
    } else {
        arena_free(exchange->http.arena);
        free(exchange);
    }
    server_left(server);
}

void exchange_finish(struct exchange *exchange)
{
    struct http_options *options = &exchange->server->options;

    if (options->finished)
        options->finished(options->context, &exchange->http, exchange->sent);
    exchange_free(exchange);
}

static void wake(struct http_server *server)
{
    if (!server->is_over)
        uv_async_send(&server->wake);
}

/* Answers ------------------------------------------------------------------------------ */

void http_respond(struct http_exchange *http)
{
    struct exchange *exchange = (struct exchange *)http;
    struct http_server *server = exchange->server;
    struct exchange *first = atomic_load_explicit(&server->answered, memory_order_relaxed);
    uv_thread_t self = uv_thread_self();

    /* Only who answers on the loop thread has set it. */
    if (http->gone)
        http->gone = NULL;
    do {
        exchange->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&server->answered, &first, exchange,
                                                    memory_order_release, memory_order_relaxed));
    /* Whoever finds the list empty wakes the loop; the others' answers go with theirs. */
    if (!first && !(uv_thread_equal(&self, &server->thread) && server->is_collecting))
        wake(server);
}

/* Oldest first: they are pushed on top of each other. */
static struct exchange *take_answered(struct http_server *server)
{
    struct exchange *newest =
        atomic_exchange_explicit(&server->answered, NULL, memory_order_acquire);
    struct exchange *oldest = NULL;

    while (newest) {
        struct exchange *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void server_collect(struct http_server *server)
{
    struct exchange *answered;

    server->is_collecting = true;
    while ((answered = take_answered(server)) || server->to_flush) {
        while (answered) {
            struct exchange *exchange = answered;

            answered = exchange->next;
            exchange->next = NULL;
            connection_answer(exchange);
        }
        /* What answering led to is answered before anything is sent: fewer, larger writes. */
        if (atomic_load_explicit(&server->answered, memory_order_relaxed))
            continue;
        while (server->to_flush) {
            struct connection *connection = server->to_flush;

            server->to_flush = connection->flush_next;
            connection->is_flushing = false;
            connection_flush(connection);
        }
    }
    server->is_collecting = false;
}

struct str server_date(struct http_server *server)
{
    time_t now = time(NULL);

    if (now != server->date_s) {
        static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm tm;

        gmtime_r(&now, &tm);
        snprintf(server->date, sizeof server->date, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        server->date_s = now;
    }
    return str_of(server->date);
}

/* What other threads ask for ------------------------------------------------------------ */

bool http_server_post(struct http_server *server, void (*fn)(void *), void *context)
{
    struct posted *posted = malloc(sizeof(*posted)), *first;

    if (!posted)
        return false;
    posted->fn = fn;
    posted->context = context;
    first = atomic_load_explicit(&server->posted, memory_order_relaxed);
    do {
        posted->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&server->posted, &first, posted,
                                                    memory_order_release, memory_order_relaxed));
    if (!first)
        wake(server);
    return true;
}

/* Oldest first, as take_answered(). True when there were any. */
static bool run_posted(struct http_server *server)
{
    struct posted *newest = atomic_exchange_explicit(&server->posted, NULL, memory_order_acquire);
    struct posted *oldest = NULL;
    bool any = newest != NULL;

    while (newest) {
        struct posted *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct posted *posted = oldest;

        oldest = posted->next;
        posted->fn(posted->context);
        free(posted);
    }
    return any;
}

/* Draining ----------------------------------------------------------------------------- */

void server_left(struct http_server *server)
{
    if (server->has_drain_begun && server->connection_count == 0 && server->live_count == 0)
        uv_stop(&server->loop);
}

static void close_listener(struct listener *listener)
{
    if (listener->is_used && !uv_is_closing(&listener->io.handle))
        uv_close(&listener->io.handle, NULL);
}

static void close_all(struct http_server *server)
{
    for (struct connection *next, *each = server->connections; each; each = next) {
        next = each->next;
        connection_close(each);
    }
}

static void on_drain_over(uv_timer_t *timer)
{
    struct http_server *server = timer->data;

    LOG(WARN, "drain cut short", LOG_INT("connections", (int64_t)server->connection_count),
        LOG_INT("requests", (int64_t)server->live_count));
    close_all(server);
    uv_stop(&server->loop);
}

static void on_drain(uv_timer_t *timer)
{
    struct http_server *server = timer->data;

    close_listener(&server->listener);
    close_listener(&server->admin);
    server->has_drain_begun = true;
    for (struct connection *next, *each = server->connections; each; each = next) {
        next = each->next;
        connection_drain(each);
    }
    uv_timer_start(timer, on_drain_over, (uint64_t)server->options.drain_seconds * 1000, 0);
    server_collect(server);
    server_left(server);
}

static void on_wake(uv_async_t *wake)
{
    struct http_server *server = wake->data;
    int stop_calls = atomic_load(&server->stop_calls);

    if (stop_calls > 0 && !atomic_load(&server->is_draining)) {
        atomic_store(&server->is_draining, true);
        uv_timer_start(&server->drain, on_drain, DRAIN_GRACE_MS, 0);
    }
    run_posted(server);
    server_collect(server);
    if (stop_calls > 1) {
        close_all(server);
        uv_stop(&server->loop);
    }
}

void http_server_stop(struct http_server *server)
{
    atomic_fetch_add(&server->stop_calls, 1);
    uv_async_send(&server->wake);
}

bool http_server_draining(const struct http_server *server)
{
    return atomic_load(&server->is_draining);
}

/* Timers ------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    int64_t now_ms = (int64_t)uv_now(&server->loop);

    for (struct connection *next, *each = server->connections; each; each = next) {
        next = each->next;
        connection_tick(each, now_ms);
    }
    server_collect(server);
}

static void on_repeated(uv_timer_t *timer)
{
    struct repeated *repeated = timer->data;

    repeated->fn(repeated->context);
    server_collect(repeated->server);
}

void http_server_every(struct http_server *server, int seconds, void (*fn)(void *), void *context)
{
    struct repeated *repeated = calloc(1, sizeof(*repeated));

    if (!repeated) {
        LOG(ERROR, "no memory for a timer", LOG_INT("seconds", seconds));
        return;
    }
    *repeated = (struct repeated){.server = server,
                                  .next = server->repeated,
                                  .fn = fn,
                                  .context = context,
                                  .seconds = seconds};
    server->repeated = repeated;
    uv_timer_init(&server->loop, &repeated->timer);
    repeated->timer.data = repeated;
    uv_timer_start(&repeated->timer, on_repeated, 1, (uint64_t)seconds * 1000);
}

/* Listening ---------------------------------------------------------------------------- */

static void on_connection(uv_stream_t *stream, int status)
{
    struct http_server *server = stream->data;

    if (status < 0) {
        LOG(WARN, "cannot accept a connection", LOG_TEXT("reason", str_of(uv_strerror(status))));
        return;
    }
    connection_accept(server, (uv_stream_t *)&server->admin.io == stream ? &server->admin
                                                                         : &server->listener);
}

static enum err listen_tcp(struct http_server *server, int *out_port, struct error *error)
{
    const char *address = server->options.address;
    struct sockaddr_storage bound;
    int bound_len = sizeof(bound), failure;

    failure = uv_ip4_addr(address, server->options.port, (struct sockaddr_in *)&bound);
    if (failure)
        failure = uv_ip6_addr(address, server->options.port, (struct sockaddr_in6 *)&bound);
    if (failure)
        return error_set(error, ERR_INVALID, "%s is not an IP address", address);

    uv_tcp_init(&server->loop, &server->listener.io.tcp);
    server->listener.is_used = true;
    server->listener.io.handle.data = server;
    failure = uv_tcp_bind(&server->listener.io.tcp, (struct sockaddr *)&bound, 0);
    if (!failure)
        failure = uv_listen(&server->listener.io.stream, BACKLOG, on_connection);
    if (!failure)
        failure =
            uv_tcp_getsockname(&server->listener.io.tcp, (struct sockaddr *)&bound, &bound_len);
    if (failure)
        return error_set(error, ERR_UNAVAILABLE, "cannot listen on %s port %d: %s", address,
                         server->options.port, uv_strerror(failure));
    *out_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return OK;
}

/* Removes what a killed process left; what somebody listens on stays. */
static enum err remove_stale_socket(const char *path, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int probe, failure;

    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(error, ERR_INVALID, "the path of the socket is too long: %s", path);
    if (lstat(path, &status) != 0 && errno == ENOENT)
        return OK;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERR_INVALID, "%s is in the way: it is no socket", path);
    memcpy(address.sun_path, path, strlen(path));
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return error_set(error, ERR_UNAVAILABLE, "cannot make a socket: %s",
                         uv_strerror(uv_translate_sys_error(errno)));
    failure = connect(probe, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    close(probe);
    if (failure == ECONNREFUSED && unlink(path) == 0)
        return OK;
    return error_set(error, ERR_CONFLICT, "another server answers on %s", path);
}

static enum err listen_admin(struct http_server *server, struct error *error)
{
    const char *path = server->options.admin_socket;
    mode_t old_mask;
    int failure;

    TRY(remove_stale_socket(path, error));
    uv_pipe_init(&server->loop, &server->admin.io.pipe, 0);
    server->admin.is_used = true;
    server->admin.io.handle.data = server;
    old_mask = umask(0177); /* only its owner may ever open it, not even for a moment others */
    failure = uv_pipe_bind(&server->admin.io.pipe, path);
    umask(old_mask);
    if (!failure)
        failure = uv_listen(&server->admin.io.stream, BACKLOG, on_connection);
    if (failure)
        return error_set(error, ERR_UNAVAILABLE, "cannot listen on %s: %s", path,
                         uv_strerror(failure));
    return OK;
}

/* The server ----------------------------------------------------------------------------- */

static void use_default(int *seconds, int otherwise)
{
    if (*seconds <= 0)
        *seconds = otherwise;
}

static void use_options(struct http_server *server, const struct http_options *options)
{
    struct http_options *own = &server->options;

    *own = *options;
    use_default(&own->head_seconds, HEAD_SECONDS);
    use_default(&own->body_seconds, BODY_SECONDS);
    use_default(&own->idle_seconds, IDLE_SECONDS);
    use_default(&own->write_seconds, WRITE_SECONDS);
    use_default(&own->drain_seconds, DRAIN_SECONDS);
    if (own->connections_max == 0)
        own->connections_max = CONNECTIONS_MAX;
}

static enum err start(struct http_server *server, int *out_port, struct error *error)
{
    uint8_t prefix[6];

    if (getentropy(prefix, sizeof prefix) != 0)
        return error_set(error, ERR_INTERNAL, "the system gives no random bytes");
    str_to_hex(prefix, sizeof prefix, server->request_prefix);

    uv_async_init(&server->loop, &server->wake, on_wake);
    uv_timer_init(&server->loop, &server->tick);
    uv_timer_init(&server->loop, &server->drain);
    server->wake.data = server->tick.data = server->drain.data = server;
    uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);

    if (server->options.tls.certificate_file)
        TRY(tls_context_new(server->options.tls.certificate_file, server->options.tls.key_file,
                            &server->tls, error));
    TRY(listen_tcp(server, out_port, error));
    return server->options.admin_socket ? listen_admin(server, error) : OK;
}

enum err http_server_new(const struct http_options *options, struct http_server **out,
                         int *out_port, struct error *error)
{
    struct http_server *server = calloc(1, sizeof(*server));
    enum err err;

    if (!server)
        return error_set(error, ERR_INTERNAL, "no memory for the server");
    if (uv_loop_init(&server->loop) != 0) {
        free(server);
        return error_set(error, ERR_INTERNAL, "cannot make an event loop");
    }
    signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of write(), not a death */
    use_options(server, options);
    server->thread = uv_thread_self();
    err = start(server, out_port, error);
    if (err) {
        http_server_free(server);
        return err;
    }
    *out = server;
    return OK;
}

enum err http_server_run(struct http_server *server)
{
    server->thread = uv_thread_self();
    uv_run(&server->loop, UV_RUN_DEFAULT);
    return OK;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    while (run_posted(server))
        continue;
    server_collect(server);
    close_all(server);
    server->is_over = true;
    uv_walk(&server->loop, close_handle, NULL);
    while (uv_run(&server->loop, UV_RUN_DEFAULT) != 0)
        continue; /* the last connection to go stops it, but handles still have to close */
    uv_loop_close(&server->loop);
    while (run_posted(server)) /* by the end of a stream */
        continue;
    for (struct exchange *next, *each = server->live; each; each = next) {
        next = each->live_next;
        exchange_finish(each);
    }
    while (server->kept) {
        struct exchange *exchange = server->kept;

        server->kept = exchange->next;
        arena_free(exchange->http.arena);
        free(exchange);
    }
    while (server->repeated) {
        struct repeated *repeated = server->repeated;

        server->repeated = repeated->next;
        free(repeated);
    }
    tls_context_free(server->tls);
    free(server);
}

const struct http_stats *http_server_stats(const struct http_server *server)
{
    return &server->stats;
}

void http_drop_stream(struct http_response *response)
{
    struct stream *stream = response->stream;

    response->stream = NULL;
    if (stream)
        stream->ops->closed(stream);
}

/* Headers ------------------------------------------------------------------------------ */

struct str http_header_get(const struct http_request *request, const char *name)
{
    struct str wanted = str_of(name);

    for (size_t i = 0; i < request->header_count; i++) {
        if (str_equal_nocase(request->headers[i].name, wanted))
            return request->headers[i].value;
    }
    return STR_NULL;
}

void http_header_add(struct http_exchange *exchange, const char *name, struct str value)
{
    struct http_response *response = &exchange->response;

    if (response->header_count == COUNT_OF(response->headers)) {
        LOG(ERROR, "an answer has too many headers", LOG_TEXT("name", str_of(name)));
        return;
    }
    response->headers[response->header_count++] = (struct http_header){str_of(name), value};
}
