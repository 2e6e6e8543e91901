#include "http/problem.h"

#include "json/json.h"

#define PROBLEM_MAX KIB(64)

struct kind {
    enum err code;
    int status;
    const char *title, *detail; /* detail: when nothing better is known */
};

static const struct kind kinds[] = {
    {ERR_MALFORMED, 400, "Bad Request", "The request cannot be read."},
    {ERR_UNAUTHENTICATED, 401, "Unauthorized", "This needs a valid credential."},
    {ERR_FORBIDDEN, 403, "Forbidden", "This credential may not do that."},
    {ERR_NOT_FOUND, 404, "Not Found", "There is no such record."},
    {ERR_METHOD, 405, "Method Not Allowed", "The path does not take this method."},
    {ERR_TIMEOUT, 408, "Request Timeout", "The request took too long to arrive."},
    {ERR_CONFLICT, 409, "Conflict", "The request conflicts with what is there."},
    {ERR_STALE, 412, "Precondition Failed", "The record has changed since."},
    {ERR_TOO_LARGE, 413, "Content Too Large", "The request is larger than is taken."},
    {ERR_MEDIA_TYPE, 415, "Unsupported Media Type", "The body must be application/json in UTF-8."},
    {ERR_INVALID, 422, "Unprocessable Content", "Some of the request is not valid."},
    {ERR_UPGRADE, 426, "Upgrade Required", "This is read by WebSocket, version 13."},
    {ERR_TOO_MANY, 429, "Too Many Requests", "Too many requests; try again later."},
    {ERR_UNAVAILABLE, 503, "Service Unavailable",
     "The server cannot take this now, and nothing was changed; try again soon."},
    {ERR_INTERNAL, 500, "Internal Server Error",
     "Something failed inside the server. Its log tells more under this request id."},
    /* Only from below the router: */
    {OK, 414, "URI Too Long", "The request target is too long."},
    {OK, 417, "Expectation Failed", "That expectation is not known here."},
    {OK, 431, "Request Header Fields Too Large", "The head of the request is too large."},
    {OK, 501, "Not Implemented", "That is not known here."},
    {OK, 505, "HTTP Version Not Supported", "HTTP/1.0 and HTTP/1.1 are spoken here."},
};

static const struct kind *kind_of(enum err code)
{
    const struct kind *internal = NULL;

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].code == code && code != OK)
            return &kinds[i];
        if (kinds[i].code == ERR_INTERNAL)
            internal = &kinds[i];
    }
    return internal;
}

int problem_status(enum err code)
{
    return kind_of(code)->status;
}

void response_begin(struct http_exchange *exchange)
{
    http_drop_stream(&exchange->response);
    exchange->response.status = 0;
    exchange->response.header_count = 0;
    exchange->response.body = (struct str){"", 0};
    http_header_add(exchange, "X-Content-Type-Options", STR("nosniff"));
}

void problem_faults(const struct error *error, struct json_out *out)
{
    json_array_begin(out);
    for (size_t i = 0; i < error->fault_count && i < FAULTS_MAX; i++) {
        const struct fault *fault = &error->faults[i];

        json_object_begin(out);
        JSON_KEY(out, "field");
        json_text(out, str_of(fault->field));
        JSON_KEY(out, "code");
        json_text(out, str_of(fault->code));
        JSON_KEY(out, "message");
        json_text(out, str_of(fault->message));
        json_object_end(out);
    }
    json_array_end(out);
}

static void add_number(struct http_exchange *exchange, const char *name, int64_t number)
{
    struct buf text;

    buf_init(&text, exchange->arena, 20);
    buf_add_int(&text, number);
    http_header_add(exchange, name, buf_failed(&text) ? STR("1") : buf_str(&text));
}

static struct str encode(const struct http_exchange *exchange, const struct kind *kind,
                         const char *detail, const struct error *error)
{
    struct buf body;
    struct json_out out;

    buf_init(&body, exchange->arena, PROBLEM_MAX);
    json_out_init(&out, &body);
    json_object_begin(&out);
    JSON_KEY(&out, "type");
    json_text(&out, STR("about:blank"));
    JSON_KEY(&out, "title");
    json_text(&out, str_of(kind->title));
    JSON_KEY(&out, "status");
    json_int(&out, kind->status);
    JSON_KEY(&out, "detail");
    json_text(&out, str_of(detail));
    JSON_KEY(&out, "request_id");
    json_text(&out, exchange->request_id);
    if (error && error->code == ERR_INVALID && error->fault_count > 0) {
        JSON_KEY(&out, "errors");
        problem_faults(error, &out);
        if (error->fault_count > FAULTS_MAX) {
            JSON_KEY(&out, "errors_total");
            json_int(&out, (int64_t)error->fault_count);
        }
    }
    if (error && error->facts.ptr) {
        json_key(&out, str_of(error->facts_name));
        json_raw(&out, error->facts);
    }
    json_object_end(&out);
    return buf_failed(&body) ? STR_NULL : buf_str(&body);
}

static void respond(struct http_exchange *exchange, const struct kind *kind, const char *detail,
                    const struct error *error)
{
    struct http_response *response = &exchange->response;

    response_begin(exchange);
    response->status = kind->status;
    response->body = encode(exchange, kind, detail, error);
    if (!response->body.ptr) {
        /* Too little memory left for words: that is what went wrong, then. */
        response->status = 413;
        response->body = STR("{\"type\":\"about:blank\",\"title\":\"Content Too Large\","
                             "\"status\":413,\"detail\":\"The request unfolds to more than is "
                             "taken.\"}");
    }
    http_header_add(exchange, "Content-Type", STR(MEDIA_PROBLEM));
    http_header_add(exchange, "Cache-Control", STR("no-store"));
    if (response->status == 401)
        http_header_add(exchange, "WWW-Authenticate", STR("Bearer realm=\"touchpoint\""));
    if (response->status == 426) {
        http_header_add(exchange, "Upgrade", STR("websocket"));
        http_header_add(exchange, "Sec-WebSocket-Version", STR("13"));
    }
    if (response->status == 429 || response->status == 503)
        add_number(exchange, "Retry-After",
                   error && error->retry_after_s > 0 ? error->retry_after_s : 1);
}

void problem_respond(struct http_exchange *exchange, enum err code, const struct error *error)
{
    const struct kind *kind = kind_of(code);
    const char *detail = kind->detail;

    if (error && error->code != code)
        error = NULL;
    if (error && error->detail[0] && kind->code != ERR_INTERNAL)
        detail = error->detail;
    respond(exchange, kind, detail, error);
}

void problem_respond_status(struct http_exchange *exchange, int status, const char *detail)
{
    const struct kind *kind = kind_of(ERR_INTERNAL);

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].status == status)
            kind = &kinds[i];
    }
    respond(exchange, kind, detail ? detail : kind->detail, NULL);
}
