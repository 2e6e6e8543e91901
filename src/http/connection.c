#include "http/connection.h"

#include "base/log.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define LINGER_MS 2000         /* for a client to read the last answer */
#define LINGER_BYTES MIB(64)   /* of what it still sends meanwhile */
#define WRITE_PROGRESS KIB(16) /* that much taken starts the write deadline anew */
#define SMALL_BODY KIB(16)     /* up to here a declared body gets its memory at once */
#define SEAL_BYTES KIB(16)     /* one TLS record */
#define PIECES_MAX 64          /* of one writev */
#define BODY_BYTES_PER_SECOND KIB(64)

static void proceed(struct connection *connection);

static int64_t now_ms(const struct connection *connection)
{
    return (int64_t)uv_now(&connection->server->loop);
}

static void enter(struct connection *connection, enum connection_state state, int64_t within_ms)
{
    connection->state = state;
    connection->state_since_ms = now_ms(connection);
    connection->deadline_ms = within_ms > 0 ? connection->state_since_ms + within_ms : INT64_MAX;
}

static void enter_seconds(struct connection *connection, enum connection_state state, int seconds)
{
    enter(connection, state, (int64_t)seconds * 1000);
}

static bool is_reading_request(const struct connection *connection)
{
    return connection->state <= CONNECTION_BODY;
}

/* The end of a connection -------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct http_server *server = connection->server;

    while (connection->unsent) {
        struct exchange *exchange = connection->unsent;

        connection->unsent = exchange->next;
        exchange_finish(exchange);
    }
    if (connection->stream) {
        connection->stream->ops->closed(connection->stream);
        stat_add(&server->stats.streams_open, -1);
    }
    outbox_clear(&connection->outbox);
    tls_free(connection->tls);
    free(connection->sealed);
    free(connection->pending);
    free(connection);
    server->connection_count--;
    stat_add(&server->stats.connections_open, -1);
    server_collect(server);
    server_left(server);
}

/* Tells who keeps the exchange that there is no more to wait for. One that nobody keeps may be
 * another thread's: nothing of it is written. */
static void tell_gone(struct exchange *exchange)
{
    void (*gone)(struct http_exchange *) = exchange->http.gone;

    if (!gone)
        return;
    exchange->http.gone = NULL;
    gone(&exchange->http);
}

void connection_close(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct exchange *exchange, *running;

    if (connection->state == CONNECTION_CLOSED)
        return;
    exchange = connection->exchange;
    running = connection->state == CONNECTION_RUNNING ? exchange : NULL;
    connection->exchange = NULL;
    if (running)
        running->connection = NULL; /* its answer will find nobody */
    else if (exchange)
        exchange_free(exchange);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->state = CONNECTION_CLOSED;
    uv_close(&connection->io.handle, on_closed);
    if (running)
        tell_gone(running);
}

/* Output ------------------------------------------------------------------------------- */

static size_t answer_bytes(const struct exchange *exchange)
{
    return exchange->head_len + exchange->answer_body.len;
}

static void advance_answers(struct connection *connection, size_t bytes)
{
    connection->unsent_bytes -= bytes;
    while (connection->unsent) {
        struct exchange *exchange = connection->unsent;
        size_t left = answer_bytes(exchange) - exchange->sent;

        if (bytes < left) {
            exchange->sent += bytes;
            return;
        }
        bytes -= left;
        exchange->sent += left;
        connection->unsent = exchange->next;
        if (!connection->unsent)
            connection->unsent_last = NULL;
        exchange_finish(exchange);
    }
}

/* `bytes` of what is unsent are the kernel's now. */
static void advance(struct connection *connection, size_t bytes)
{
    size_t of_answers = bytes < connection->unsent_bytes ? bytes : connection->unsent_bytes;

    stat_add(&connection->server->stats.bytes_out, (int64_t)bytes);
    advance_answers(connection, of_answers);
    outbox_advance(&connection->outbox, bytes - of_answers);
}

static bool has_unsent(const struct connection *connection)
{
    return connection->unsent || connection->outbox.first;
}

static void add_piece(uv_buf_t *pieces, unsigned *count, const char *ptr, size_t len, size_t *skip)
{
    if (len <= *skip) {
        *skip -= len;
        return;
    }
    /* uv takes pointers to what it may change, and reads only. */
    pieces[(*count)++] = uv_buf_init((char *)(uintptr_t)ptr + *skip, (unsigned)(len - *skip));
    *skip = 0;
}

/* What is unsent, as much as one writev takes; the result is the number of bytes. */
static size_t gather(const struct connection *connection, uv_buf_t pieces[PIECES_MAX],
                     unsigned *count)
{
    const struct exchange *each = connection->unsent;
    const struct outbox_item *item = connection->outbox.first;
    size_t bytes = 0, skip;

    *count = 0;
    for (; each && *count + 2 <= PIECES_MAX; each = each->next) {
        skip = each->sent;

        bytes += answer_bytes(each) - skip;
        add_piece(pieces, count, each->head, each->head_len, &skip);
        add_piece(pieces, count, each->answer_body.ptr, each->answer_body.len, &skip);
    }
    skip = connection->outbox.sent;
    for (; !each && item && *count < PIECES_MAX; item = item->next) {
        bytes += item->message->len - skip;
        add_piece(pieces, count, item->message->bytes, item->message->len, &skip);
    }
    return bytes;
}

static void flush_soon(struct connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->is_flushing)
        return;
    connection->is_flushing = true;
    connection->flush_next = server->to_flush;
    server->to_flush = connection;
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *connection = request->data;

    free(connection->sealed);
    connection->sealed = NULL;
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (status < 0) {
        connection_close(connection);
        server_collect(connection->server);
        return;
    }
    if (!connection->tls)
        advance(connection, connection->writing_bytes);
    connection->writing_bytes = 0;
    /* The time between requests begins when the answer is gone. */
    if (connection->state == CONNECTION_IDLE && !connection->unsent)
        enter_seconds(connection, CONNECTION_IDLE, connection->server->options.idle_seconds);
    flush_soon(connection);
    server_collect(connection->server);
}

/* Hands the rest to uv, which writes it as the client takes it. */
static void write_later(struct connection *connection, const uv_buf_t *pieces, unsigned count,
                        size_t bytes)
{
    connection->out.write.data = connection;
    if (uv_write(&connection->out.write, &connection->io.stream, pieces, count, on_written)) {
        free(connection->sealed);
        connection->sealed = NULL;
        connection_close(connection);
        return;
    }
    connection->writing_bytes = bytes;
    connection->write_mark = bytes;
    connection->write_deadline_ms =
        now_ms(connection) + (int64_t)connection->server->options.write_seconds * 1000;
}

/* True when all of it went; else uv has the rest, or the connection is closed. */
static bool send_sealed(struct connection *connection)
{
    struct str output = tls_output(connection->tls);
    uv_buf_t piece;
    int sent;

    if (output.len == 0)
        return true;
    piece = uv_buf_init((char *)(uintptr_t)output.ptr, (unsigned)output.len);
    sent = uv_try_write(&connection->io.stream, &piece, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0) {
        connection_close(connection);
        return false;
    }
    output = str_slice(output, (size_t)sent, output.len);
    if (output.len > 0) {
        connection->sealed = malloc(output.len);
        if (!connection->sealed) {
            connection_close(connection);
            return false;
        }
        memcpy(connection->sealed, output.ptr, output.len);
    }
    tls_sent(connection->tls);
    if (output.len == 0)
        return true;
    piece = uv_buf_init(connection->sealed, (unsigned)output.len);
    write_later(connection, &piece, 1, output.len);
    return false;
}

static void flush_tls(struct connection *connection)
{
    while (send_sealed(connection) && has_unsent(connection)) {
        uv_buf_t pieces[PIECES_MAX];
        unsigned count;
        size_t sealed = 0;

        gather(connection, pieces, &count);
        for (unsigned i = 0; i < count && sealed < SEAL_BYTES; i++) {
            size_t len = pieces[i].len < SEAL_BYTES - sealed ? pieces[i].len : SEAL_BYTES - sealed;

            if (!tls_write(connection->tls, (struct str){pieces[i].base, len})) {
                connection_close(connection);
                return;
            }
            sealed += len;
        }
        advance(connection, sealed);
    }
}

static void flush_plain(struct connection *connection)
{
    while (has_unsent(connection)) {
        uv_buf_t pieces[PIECES_MAX];
        unsigned count;
        size_t bytes = gather(connection, pieces, &count);
        int sent = uv_try_write(&connection->io.stream, pieces, count);

        if (sent == UV_EAGAIN)
            sent = 0;
        if (sent < 0) {
            connection_close(connection);
            return;
        }
        advance(connection, (size_t)sent);
        if ((size_t)sent < bytes) {
            bytes = gather(connection, pieces, &count);
            write_later(connection, pieces, count, bytes);
            return;
        }
    }
}

/* 100 Continue is worth little: where the socket is full, the client goes on by itself
 * (RFC 9110 §10.1.1). Cut in half it would not be, so then the connection ends. */
static void send_continue(struct connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)text, sizeof(text) - 1);
    int sent;

    connection->must_continue = false;
    if (connection->tls) {
        if (tls_write(connection->tls, STR("HTTP/1.1 100 Continue\r\n\r\n")))
            send_sealed(connection);
        else
            connection_close(connection);
        return;
    }
    sent = uv_try_write(&connection->io.stream, &piece, 1);
    if (sent != UV_EAGAIN && sent != (int)sizeof(text) - 1)
        connection_close(connection);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct connection *connection = request->data;

    if (status < 0)
        connection_close(connection);
    server_collect(connection->server);
}

static void start_reading(struct connection *connection);

/* The last answer left. Closing at once could make the kernel throw it away, should the
 * client still be sending; so the client is told, and what it sends is read and dropped. */
static void linger(struct connection *connection)
{
    if (connection->is_at_end) {
        connection_close(connection);
        return;
    }
    enter(connection, CONNECTION_LINGERING, LINGER_MS);
    connection->out.shutdown.data = connection;
    if (uv_shutdown(&connection->out.shutdown, &connection->io.stream, on_shutdown))
        connection_close(connection);
    else
        start_reading(connection);
}

void connection_flush(struct connection *connection)
{
    if (connection->is_cut)
        connection_close(connection);
    if (connection->state == CONNECTION_CLOSED || connection->writing_bytes > 0)
        return;
    if (connection->tls)
        flush_tls(connection);
    else
        flush_plain(connection);
    if (connection->state == CONNECTION_CLOSED || connection->writing_bytes > 0)
        return;
    if (connection->must_continue)
        send_continue(connection);
    if (connection->state < CONNECTION_STREAM)
        proceed(connection); /* what an unsent answer held up */
    if (connection->state != CONNECTION_ENDING || has_unsent(connection))
        return;
    if (connection->tls) {
        tls_shutdown(connection->tls);
        if (!send_sealed(connection)) /* on_written() comes here again */
            return;
    }
    linger(connection);
}

/* Answers ------------------------------------------------------------------------------ */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

/* A value that holds the end of a line would let whoever chose it write the next one. */
static bool is_sendable(const struct http_header *header)
{
    for (size_t i = 0; i < header->name.len; i++) {
        if (header->name.ptr[i] <= ' ' || header->name.ptr[i] == ':')
            return false;
    }
    for (size_t i = 0; i < header->value.len; i++) {
        unsigned char c = (unsigned char)header->value.ptr[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return header->name.len > 0;
}

static void put(char **at, struct str text)
{
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
}

static void put_header(char **at, struct str name, struct str value)
{
    put(at, name);
    put(at, STR(": "));
    put(at, value);
    put(at, STR("\r\n"));
}

static void put_number(char **at, size_t number)
{
    char digits[20];
    size_t from = sizeof(digits);

    do {
        digits[--from] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(at, (struct str){digits + from, sizeof(digits) - from});
}

/* False: no memory. Not in the arena, which the handler may have used up. */
static bool make_head(struct exchange *exchange, bool closes)
{
    const struct http_response *response = &exchange->http.response;
    bool is_upgrade = response->status == 101 && response->stream;
    int status =
        is_upgrade || (response->status >= 200 && response->status <= 599) ? response->status : 500;
    struct str reason = str_of(reason_of(status));
    bool has_length = status != 204 && status != 304 && !response->stream;
    size_t room = 256 + reason.len + exchange->http.request_id.len; /* what is put below */
    char *at;

    for (size_t i = 0; i < response->header_count; i++)
        room += response->headers[i].name.len + response->headers[i].value.len + 4;
    exchange->head = room <= HEAD_SPACE ? exchange->head_space : malloc(room);
    if (!exchange->head)
        return false;

    at = exchange->head;
    put(&at, STR("HTTP/1.1 "));
    put_number(&at, (size_t)status);
    put(&at, STR(" "));
    put(&at, reason);
    put(&at, STR("\r\n"));
    for (size_t i = 0; i < response->header_count; i++) {
        if (is_sendable(&response->headers[i]))
            put_header(&at, response->headers[i].name, response->headers[i].value);
        else
            LOG(ERROR, "a header that cannot be sent was dropped",
                LOG_TEXT("request_id", exchange->http.request_id));
    }
    put_header(&at, STR("X-Request-Id"), exchange->http.request_id);
    put_header(&at, STR("Date"), server_date(exchange->server));
    if (has_length) {
        put(&at, STR("Content-Length: "));
        put_number(&at, response->body.len);
        put(&at, STR("\r\n"));
    }
    if (is_upgrade)
        put_header(&at, STR("Connection"), STR("Upgrade"));
    else if (closes || response->stream) /* which ends with the connection: RFC 9112 §6.3 */
        put_header(&at, STR("Connection"), STR("close"));
    else if (http_parse_result_head(exchange->parse)->is_http_1_0)
        put_header(&at, STR("Connection"), STR("keep-alive"));
    put(&at, STR("\r\n"));
    exchange->head_len = (size_t)(at - exchange->head);
    if (has_length && exchange->http.request.method != HTTP_HEAD)
        exchange->answer_body = response->body;
    return true;
}

static void drop_pending(struct connection *connection)
{
    free(connection->pending);
    connection->pending = NULL;
    connection->pending_from = connection->pending_len = connection->pending_capacity = 0;
}

/* Streams ------------------------------------------------------------------------------ */

static struct connection *connection_of(const struct outlet *outlet)
{
    return (struct connection *)((uintptr_t)outlet - offsetof(struct connection, outlet));
}

static size_t backlog(const struct outlet *outlet)
{
    const struct connection *connection = connection_of(outlet);
    size_t queued = uv_stream_get_write_queue_size(&connection->io.stream);

    /* What uv has of plain output stands in the outbox too, until all of it went. */
    return connection->unsent_bytes + connection->outbox.bytes + queued -
           (connection->tls ? 0 : connection->writing_bytes);
}

static bool send_message(struct outlet *outlet, struct message *message)
{
    struct connection *connection = connection_of(outlet);

    if (connection->state != CONNECTION_STREAM || connection->is_cut)
        return false;
    if (backlog(outlet) >= STREAM_BACKLOG_MAX || !outbox_add(&connection->outbox, message)) {
        connection->is_cut = true;
        stat_add(&connection->server->stats.streams_cut, 1);
    }
    flush_soon(connection);
    return !connection->is_cut;
}

static void end_stream(struct outlet *outlet)
{
    struct connection *connection = connection_of(outlet);

    if (connection->state != CONNECTION_STREAM)
        return;
    enter(connection, CONNECTION_ENDING, 0);
    flush_soon(connection);
}

static int64_t outlet_now_ms(const struct outlet *outlet)
{
    return now_ms(connection_of(outlet));
}

/* What can become a stream: the answer to a GET that nobody refused. */
static bool begins_stream(const struct exchange *exchange)
{
    const struct http_response *response = &exchange->http.response;

    return response->stream && !exchange->is_refusal && exchange->http.request.method == HTTP_GET &&
           (response->status == 200 ||
            (response->status == 101 && !exchange->http.request.is_http_1_0));
}

/* The head of the answer is queued; what else came already is the stream's. */
static void open_stream(struct connection *connection, struct stream *stream)
{
    char *pending = connection->pending;
    struct str early = {pending ? pending + connection->pending_from : NULL,
                        connection->pending_len};

    connection->pending = NULL;
    drop_pending(connection);
    connection->outlet = (struct outlet){send_message, end_stream, backlog, outlet_now_ms};
    connection->stream = stream;
    stream->outlet = &connection->outlet;
    enter(connection, CONNECTION_STREAM, 0);
    stat_add(&connection->server->stats.streams_open, 1);
    stream->ops->opened(stream);
    if (early.len > 0 && connection->state == CONNECTION_STREAM)
        stream->ops->receive(stream, early);
    free(pending);
    if (connection->is_at_end && connection->state == CONNECTION_STREAM)
        stream->ops->at_end(stream);
    if (connection->server->has_drain_begun && connection->state == CONNECTION_STREAM)
        stream->ops->drain(stream);
    start_reading(connection);
}

void connection_answer(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct stream *stream;
    bool closes;

    if (!connection) {
        exchange_finish(exchange);
        return;
    }
    closes = exchange->is_refusal || exchange->http.response.close ||
             !exchange->http.request.keep_alive || atomic_load(&exchange->server->is_draining) ||
             (connection->is_at_end && connection->pending_len == 0);
    connection->exchange = NULL;
    connection->must_continue = false;
    if (!begins_stream(exchange))
        http_drop_stream(&exchange->http.response);
    if (!make_head(exchange, closes)) {
        connection_close(connection);
        exchange_finish(exchange);
        return;
    }
    if (connection->unsent_last)
        connection->unsent_last->next = exchange;
    else
        connection->unsent = exchange;
    connection->unsent_last = exchange;
    connection->unsent_bytes += answer_bytes(exchange);
    flush_soon(connection);
    stream = exchange->http.response.stream;
    exchange->http.response.stream = NULL;
    if (stream) {
        open_stream(connection, stream);
    } else if (closes) {
        enter(connection, CONNECTION_ENDING, 0);
        drop_pending(connection);
        start_reading(connection);
    } else {
        enter_seconds(connection, CONNECTION_IDLE, connection->server->options.idle_seconds);
        proceed(connection);
    }
}

static void refuse(struct connection *connection, int status, const char *detail)
{
    struct exchange *exchange = connection->exchange;
    struct http_options *options = &connection->server->options;

    stat_add(&connection->server->stats.refused_requests, 1);
    exchange->is_refusal = true;
    if (exchange->http.received_us == 0)
        exchange->http.received_us = time_monotonic_us();
    exchange->http.response.status = status;
    if (options->refuse)
        options->refuse(options->context, &exchange->http, status, detail);
    connection_answer(exchange);
}

static void refuse_late(struct connection *connection, const char *detail)
{
    stat_add(&connection->server->stats.timeouts, 1);
    refuse(connection, 408, detail);
}

/* Requests ------------------------------------------------------------------------------ */

static enum http_method method_of(struct str name)
{
    static const struct {
        struct str name;
        enum http_method method;
    } methods[] = {
        {STR("GET"), HTTP_GET},         {STR("POST"), HTTP_POST},     {STR("PUT"), HTTP_PUT},
        {STR("PATCH"), HTTP_PATCH},     {STR("DELETE"), HTTP_DELETE}, {STR("HEAD"), HTTP_HEAD},
        {STR("OPTIONS"), HTTP_OPTIONS},
    };

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_equal(name, methods[i].name))
            return methods[i].method;
    }
    return HTTP_OTHER;
}

static bool is_sane_id(struct str id)
{
    if (id.len < 1 || id.len > 64)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static bool is_trusted(const struct http_options *options, struct str address)
{
    for (size_t i = 0; i < options->trusted_proxy_count; i++) {
        if (str_equal(options->trusted_proxies[i], address))
            return true;
    }
    return false;
}

static bool is_address(struct str text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (text.len == 0 || text.len >= sizeof address)
        return false;
    memcpy(address, text.ptr, text.len);
    address[text.len] = 0;
    return uv_inet_pton(AF_INET, address, &ignored) == 0 ||
           uv_inet_pton(AF_INET6, address, &ignored) == 0;
}

/* Each proxy appends whom it heard: from the right, the first that is no proxy of ours. */
static void read_forwarded(const struct http_options *options, struct http_request *request)
{
    struct str proto = http_header_get(request, "x-forwarded-proto");

    request->secure = request->secure || str_equal_nocase(proto, STR("https"));
    for (size_t i = request->header_count; i-- > 0;) {
        struct str rest = request->headers[i].value;

        if (!str_equal_nocase(request->headers[i].name, STR("x-forwarded-for")))
            continue;
        while (rest.len > 0) {
            size_t from = rest.len;
            struct str address;

            while (from > 0 && rest.ptr[from - 1] != ',')
                from--;
            address = str_trim(str_slice(rest, from, rest.len));
            rest = str_slice(rest, 0, from > 0 ? from - 1 : 0);
            if (!is_address(address))
                return;
            request->peer = address;
            if (!is_trusted(options, address))
                return;
        }
    }
}

static void fill_request(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct http_request *request = &exchange->http.request;
    const struct http_head *head = http_parse_result_head(exchange->parse);
    struct str id;

    request->method = method_of(head->method);
    request->target = head->target;
    request->path = head->path;
    request->query = head->query;
    request->headers = head->headers;
    request->header_count = head->header_count;
    request->host = head->host;
    request->keep_alive = head->keep_alive;
    request->is_http_1_0 = head->is_http_1_0;
    if (is_trusted(&connection->server->options, request->peer))
        read_forwarded(&connection->server->options, request);
    id = http_header_get(request, "x-request-id");
    if (is_sane_id(id))
        exchange->http.request_id = id;
}

static bool begin(struct connection *connection)
{
    struct exchange *exchange = exchange_new(connection);

    if (!exchange) {
        connection_close(connection);
        return false;
    }
    exchange->http.request.method = HTTP_OTHER;
    exchange->http.request.peer = str_copy(exchange->http.arena, str_of(connection->peer));
    exchange->http.request.secure = connection->tls != NULL;
    exchange->http.request.is_operator = connection->is_operator;
    connection->exchange = exchange;
    enter_seconds(connection, CONNECTION_HEAD, connection->server->options.head_seconds);
    return true;
}

static void dispatch(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct http_options *options = &connection->server->options;

    exchange->http.request.body = buf_str(&exchange->body);
    exchange->http.received_us = time_monotonic_us();
    stat_add(&connection->server->stats.requests, 1);
    enter(connection, CONNECTION_RUNNING, 0);
    options->handle(options->context, &exchange->http);
    /* Who was told this already hears it no more. */
    if (connection->is_at_end || connection->server->has_drain_begun)
        tell_gone(exchange);
}

/* False when the request was refused for what its head says. */
static bool accept_head(struct connection *connection, bool has_body, bool body_is_here)
{
    struct exchange *exchange = connection->exchange;
    const struct http_head *head = http_parse_result_head(exchange->parse);
    struct http_options *options = &connection->server->options;
    size_t max;

    fill_request(connection);
    if (head->expect == HTTP_EXPECT_UNKNOWN) {
        refuse(connection, 417, "The only expectation that is met is \"100-continue\".");
        return false;
    }
    if (!has_body)
        return true;
    max = options->body_max ? options->body_max(options->context, exchange->http.request.method,
                                                exchange->http.request.path)
                            : BODY_MAX;
    if (head->content_length > max) {
        refuse(connection, 413, "The body of the request is too large.");
        return false;
    }
    /* A large body gets memory as it comes: a promise alone costs its maker nothing. */
    if (!head->is_chunked && head->content_length <= SMALL_BODY)
        buf_init(&exchange->body, exchange->http.arena, (size_t)head->content_length);
    else
        buf_init(&exchange->body, NULL, head->is_chunked ? max : (size_t)head->content_length);
    enter_seconds(connection, CONNECTION_BODY,
                  options->body_seconds + (int)(head->content_length / BODY_BYTES_PER_SECOND));
    connection->must_continue =
        head->expect == HTTP_EXPECT_CONTINUE && !head->is_http_1_0 && !body_is_here;
    if (connection->must_continue)
        flush_soon(connection);
    return true;
}

/* Parses up to the end of one request; the result is how many bytes were of use. */
static size_t consume(struct connection *connection, struct str bytes)
{
    size_t used = 0;

    while (used < bytes.len && is_reading_request(connection)) {
        struct str rest = str_slice(bytes, used, bytes.len);
        enum http_parse_result result;
        size_t taken;

        if (connection->state == CONNECTION_IDLE && !begin(connection))
            return bytes.len;
        result = connection->state == CONNECTION_HEAD
                     ? http_parse_head(connection->exchange->parse, rest, &taken)
                     : http_parse_body(connection->exchange->parse, rest,
                                       &connection->exchange->body, &taken);
        used += taken;
        if (result == HTTP_PARSE_REFUSED) {
            if (connection->state == CONNECTION_HEAD)
                connection->exchange->http.request.keep_alive = false;
            refuse(connection, http_parse_status(connection->exchange->parse),
                   http_parse_detail(connection->exchange->parse));
            return bytes.len;
        }
        if (connection->state == CONNECTION_HEAD && result != HTTP_PARSE_MORE &&
            !accept_head(connection, result == HTTP_PARSE_HEAD, used < bytes.len))
            return bytes.len;
        if (result == HTTP_PARSE_DONE)
            dispatch(connection);
        else if (connection->state == CONNECTION_BODY &&
                 http_parse_result_head(connection->exchange->parse)->is_chunked)
            connection->deadline_ms =
                connection->state_since_ms +
                (int64_t)connection->server->options.body_seconds * 1000 +
                (int64_t)(connection->exchange->body.len * 1000 / BODY_BYTES_PER_SECOND);
    }
    return used;
}

/* Input --------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *connection = handle->data;

    (void)suggested;
    *buf = uv_buf_init(connection->server->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static void start_reading(struct connection *connection)
{
    if (connection->is_reading || connection->is_at_end || connection->state == CONNECTION_CLOSED)
        return;
    if (uv_read_start(&connection->io.stream, on_alloc, on_read) == 0)
        connection->is_reading = true;
    else
        connection_close(connection);
}

static void stop_reading(struct connection *connection)
{
    uv_read_stop(&connection->io.stream);
    connection->is_reading = false;
}

/* The client sends no more, and all that it sent was looked at: what is left is to answer. */
static void end_if_done(struct connection *connection)
{
    if (!connection->is_at_end || !is_reading_request(connection) || connection->pending_len > 0)
        return;
    if (connection->exchange) {
        exchange_free(connection->exchange);
        connection->exchange = NULL;
    }
    enter(connection, CONNECTION_ENDING, 0);
    flush_soon(connection);
}

/* An unread answer of some size holds up the next request: memory is bounded. */
static bool may_parse(const struct connection *connection)
{
    return is_reading_request(connection) && connection->unsent_bytes < BACKLOG_BYTES;
}

static void keep_pending(struct connection *connection, struct str bytes)
{
    if (bytes.len == 0)
        return;
    if (connection->pending_from > 0) {
        memmove(connection->pending, connection->pending + connection->pending_from,
                connection->pending_len);
        connection->pending_from = 0;
    }
    if (connection->pending_len + bytes.len > connection->pending_capacity) {
        size_t capacity = connection->pending_len + bytes.len;
        char *grown = realloc(connection->pending, capacity);

        if (!grown) {
            connection_close(connection);
            return;
        }
        connection->pending = grown;
        connection->pending_capacity = capacity;
    }
    memcpy(connection->pending + connection->pending_len, bytes.ptr, bytes.len);
    connection->pending_len += bytes.len;
    if (connection->pending_len >= PENDING_BYTES)
        stop_reading(connection);
}

/* Goes on with what was read before, as far as it is its turn. */
static void proceed(struct connection *connection)
{
    while (connection->pending_len > 0 && may_parse(connection)) {
        size_t used =
            consume(connection, (struct str){connection->pending + connection->pending_from,
                                             connection->pending_len});

        if (connection->state >= CONNECTION_ENDING)
            return;
        connection->pending_from += used;
        connection->pending_len -= used;
        if (connection->pending_len == 0)
            drop_pending(connection);
    }
    if (connection->state < CONNECTION_ENDING && connection->pending_len < PENDING_BYTES)
        start_reading(connection);
    end_if_done(connection);
}

static void receive(struct connection *connection, struct str bytes)
{
    size_t used = 0;

    if (connection->state == CONNECTION_STREAM) {
        connection->stream->ops->receive(connection->stream, bytes);
        return;
    }
    if (connection->state >= CONNECTION_ENDING) {
        connection->discarded_bytes += bytes.len;
        if (connection->discarded_bytes > LINGER_BYTES)
            connection_close(connection);
        return;
    }
    if (connection->pending_len == 0 && may_parse(connection))
        used = consume(connection, bytes);
    if (connection->state < CONNECTION_ENDING)
        keep_pending(connection, str_slice(bytes, used, bytes.len));
}

static void receive_end(struct connection *connection)
{
    connection->is_at_end = true;
    stop_reading(connection);
    if (connection->state == CONNECTION_LINGERING)
        connection_close(connection);
    else if (connection->state == CONNECTION_STREAM)
        connection->stream->ops->at_end(connection->stream);
    else if (connection->state == CONNECTION_RUNNING)
        tell_gone(connection->exchange);
    else
        end_if_done(connection);
}

static void receive_sealed(struct connection *connection, struct str bytes)
{
    struct http_server *server = connection->server;
    bool was_established = tls_is_established(connection->tls);
    enum tls_read result = TLS_READ_FAILED;

    if (tls_feed(connection->tls, bytes)) {
        size_t got;

        while (connection->state != CONNECTION_CLOSED &&
               (result = tls_read(connection->tls, server->plain_buffer, READ_BYTES, &got)) ==
                   TLS_READ_DATA)
            receive(connection, (struct str){server->plain_buffer, got});
    }
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->writing_bytes == 0 && !send_sealed(connection) &&
        connection->state == CONNECTION_CLOSED)
        return;
    if (!was_established && tls_is_established(connection->tls) &&
        connection->state == CONNECTION_IDLE)
        enter_seconds(connection, CONNECTION_IDLE, server->options.idle_seconds);
    if (result == TLS_READ_CLOSED)
        receive_end(connection);
    else if (result == TLS_READ_FAILED)
        connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;
    struct http_server *server = connection->server;

    if (got == 0)
        return;
    server->is_collecting = true;
    if (got == UV_EOF) {
        receive_end(connection);
    } else if (got < 0) {
        connection_close(connection);
    } else {
        stat_add(&server->stats.bytes_in, got);
        if (connection->tls)
            receive_sealed(connection, (struct str){buf->base, (size_t)got});
        else
            receive(connection, (struct str){buf->base, (size_t)got});
    }
    server_collect(server);
}

/* Beginning, deadlines, draining --------------------------------------------------------- */

static void read_peer(struct connection *connection)
{
    struct sockaddr_storage address;
    int len = sizeof(address);

    if (connection->is_operator ||
        uv_tcp_getpeername(&connection->io.tcp, (struct sockaddr *)&address, &len)) {
        memcpy(connection->peer, "local", sizeof("local"));
        return;
    }
    if (address.ss_family == AF_INET6) {
        static const char mapped[] = "::ffff:";
        size_t skip = sizeof(mapped) - 1;

        uv_ip6_name((struct sockaddr_in6 *)&address, connection->peer, sizeof connection->peer);
        if (strncmp(connection->peer, mapped, skip) == 0 && strchr(connection->peer, '.'))
            memmove(connection->peer, connection->peer + skip, strlen(connection->peer + skip) + 1);
    } else {
        uv_ip4_name((struct sockaddr_in *)&address, connection->peer, sizeof connection->peer);
    }
}

/* False when there are too many already: then it is told so, if that can be done cheaply. */
static bool has_place(struct connection *connection)
{
    struct http_server *server = connection->server;
    size_t max = server->options.connections_max;

    if (connection->is_operator || server->connection_count <= max)
        return true;
    stat_add(&server->stats.connections_refused, 1);
    if (connection->tls || server->connection_count > max + max / 8 + 8) {
        connection_close(connection);
    } else if (begin(connection)) {
        refuse(connection, 503, "There are too many connections.");
        server_collect(server);
    }
    return false;
}

void connection_accept(struct http_server *server, struct listener *listener)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    int failure;

    if (!connection) {
        LOG(ERROR, "no memory for a connection",
            LOG_INT("connections", (int64_t)server->connection_count));
        return;
    }
    connection->server = server;
    connection->is_operator = listener == &server->admin;
    if (connection->is_operator)
        uv_pipe_init(&server->loop, &connection->io.pipe, 0);
    else
        uv_tcp_init(&server->loop, &connection->io.tcp);
    connection->io.handle.data = connection;
    connection->next = server->connections;
    if (server->connections)
        server->connections->previous = connection;
    server->connections = connection;
    server->connection_count++;
    stat_add(&server->stats.connections_open, 1);
    stat_add(&server->stats.connections_accepted, 1);

    failure = uv_accept(&listener->io.stream, &connection->io.stream);
    if (!failure && server->tls && !connection->is_operator) {
        connection->tls = tls_new(server->tls);
        failure = connection->tls ? 0 : UV_ENOMEM;
    }
    if (failure) {
        connection_close(connection);
        return;
    }
    if (!connection->is_operator)
        uv_tcp_nodelay(&connection->io.tcp, 1);
    read_peer(connection);
    enter_seconds(connection, CONNECTION_IDLE,
                  connection->tls ? server->options.head_seconds : server->options.idle_seconds);
    if (has_place(connection))
        start_reading(connection);
}

/* Nothing is on its way in either direction. */
static void close_idle(struct connection *connection)
{
    if (connection->tls) {
        tls_shutdown(connection->tls);
        send_sealed(connection);
    }
    connection_close(connection);
}

static void tick_write(struct connection *connection, int64_t now)
{
    size_t left = uv_stream_get_write_queue_size(&connection->io.stream);

    if (connection->write_mark >= left + WRITE_PROGRESS) {
        connection->write_mark = left;
        connection->write_deadline_ms =
            now + (int64_t)connection->server->options.write_seconds * 1000;
    } else if (now >= connection->write_deadline_ms) {
        stat_add(&connection->server->stats.timeouts, 1);
        connection_close(connection);
    }
}

void connection_tick(struct connection *connection, int64_t now)
{
    if (connection->writing_bytes > 0)
        tick_write(connection, now);
    if (connection->state == CONNECTION_STREAM)
        connection->stream->ops->tick(connection->stream, now);
    if (connection->writing_bytes > 0 || now < connection->deadline_ms)
        return;
    if (connection->state == CONNECTION_HEAD && http_parse_has_begun(connection->exchange->parse))
        refuse_late(connection, "The head of the request took too long.");
    else if (connection->state == CONNECTION_BODY)
        refuse_late(connection, "The body of the request took too long.");
    else
        close_idle(connection);
}

void connection_drain(struct connection *connection)
{
    bool is_unused = connection->state == CONNECTION_IDLE ||
                     (connection->state == CONNECTION_HEAD &&
                      !http_parse_has_begun(connection->exchange->parse));

    if (connection->state == CONNECTION_STREAM)
        connection->stream->ops->drain(connection->stream);
    else if (connection->state == CONNECTION_RUNNING)
        tell_gone(connection->exchange);
    if (!is_unused || connection->pending_len > 0)
        return;
    /* Of TLS, what uv has still to write is in no answer any more. */
    if (connection->unsent || connection->writing_bytes > 0) {
        enter(connection, CONNECTION_ENDING, 0);
        return;
    }
    close_idle(connection);
}
