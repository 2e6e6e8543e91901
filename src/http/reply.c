#include "http/dispatch.h"
#include "http/page.h"
#include "http/problem.h"
#include "http/upgrade.h"

#include <string.h>

#define TYPICAL_BYTES 1024 /* of an answer: reserved at once, so that it grows rarely */

/* ------------------------------------------------------------------ what came */

enum err path_id(struct req *rq, size_t index, struct uuid *out)
{
    if (uuid_parse(rq->path_params[index], out))
        return OK;
    return error_set(rq->cx.error, ERR_NOT_FOUND, "There is no such record.");
}

struct str path_text(struct req *rq, size_t index)
{
    return rq->path_params[index];
}

enum err path_enum(struct req *rq, size_t index, const char *field, const struct enum_names *names,
                   int *out)
{
    struct buf list;

    *out = enum_value(names, rq->path_params[index]);
    if (*out != 0)
        return OK;
    buf_init(&list, rq->cx.arena, 140);
    for (size_t i = 0; i < names->count; i++)
        buf_addf(&list, "%s%s", i == 0 ? "" : ", ", names->names[i]);
    return error_fault(rq->cx.error, field, "not_one_of", "must be one of: %.*s",
                       STR_FMT(buf_str(&list)));
}

static struct str etag_of(struct arena *arena, int64_t version)
{
    struct buf text;

    buf_init(&text, arena, 24);
    buf_add_char(&text, '"');
    buf_add_int(&text, version);
    buf_add_char(&text, '"');
    return buf_failed(&text) ? STR_NULL : buf_str(&text);
}

enum err check_if_match(struct req *rq, int64_t version)
{
    struct str rest = http_header_get(&rq->exchange->request, "if-match"), tag;
    struct str current = etag_of(rq->cx.arena, version);

    if (!rest.ptr || str_is(str_trim(rest), "*"))
        return OK;
    while (rest.ptr) {
        rest = str_cut(rest, ',', &tag);
        if (str_equal(str_trim(tag), current)) /* a weak tag never matches: RFC 9110 §13.1.1 */
            return OK;
    }
    return error_set(rq->cx.error, ERR_STALE,
                     "The record has changed since: it is at version %lld now.",
                     (long long)version);
}

bool has_if_match(struct req *rq)
{
    return http_header_get(&rq->exchange->request, "if-match").ptr != NULL;
}

enum err check_if_match_upsert(struct req *rq, bool there, int64_t version)
{
    if (there)
        return check_if_match(rq, version);
    return has_if_match(rq) ? error_set(rq->cx.error, ERR_STALE, "There is no such record yet.")
                            : OK;
}

/* ------------------------------------------------------------------ answers */

static enum err too_large(struct req *rq)
{
    return error_set(rq->cx.error, ERR_TOO_LARGE, "The answer is larger than is sent.");
}

static void set(struct req *rq, int status, struct str media_type, struct str body)
{
    struct http_exchange *exchange = rq->exchange;

    exchange->response.status = status;
    exchange->response.body = body;
    if (media_type.ptr)
        http_header_add(exchange, "Content-Type", media_type);
    http_header_add(exchange, "Cache-Control", STR("no-store"));
}

enum err reply_json(struct req *rq, int status, struct str body)
{
    set(rq, status, STR("application/json"), body);
    return OK;
}

enum err reply_none(struct req *rq)
{
    set(rq, 204, STR_NULL, (struct str){"", 0});
    return OK;
}

enum err reply_text(struct req *rq, int status, const char *media_type, struct str body)
{
    set(rq, status, str_of(media_type), body);
    return OK;
}

enum err reply_stream(struct req *rq, int status, struct stream *stream)
{
    struct http_exchange *exchange = rq->exchange;
    char accept[WEBSOCKET_ACCEPT_LEN];

    if (!stream)
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "There is no memory for a stream.");
    http_drop_stream(&exchange->response);
    exchange->response.stream = stream;
    if (exchange->request.method != HTTP_GET)
        return error_set(rq->cx.error, ERR_METHOD, "A stream is read by GET.");
    exchange->response.status = status;
    exchange->response.body = (struct str){"", 0};
    if (status != 101) {
        http_header_add(exchange, "Content-Type", STR("text/event-stream"));
        http_header_add(exchange, "Cache-Control", STR("no-store"));
        return OK;
    }
    websocket_accept(http_header_get(&exchange->request, "sec-websocket-key"), accept);
    http_header_add(exchange, "Upgrade", STR("websocket"));
    http_header_add(exchange, "Sec-WebSocket-Accept",
                    str_copy(exchange->arena, (struct str){accept, sizeof(accept)}));
    return OK;
}

static enum err encode(struct req *rq, const struct record *record, const void *value,
                       bool with_secrets, struct str *out)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, rq->cx.arena, ANSWER_MAX);
    buf_reserve(&body, TYPICAL_BYTES);
    json_out_init(&json, &body);
    record_encode(record, value, with_secrets, &json);
    *out = buf_str(&body);
    return buf_failed(&body) ? too_large(rq) : OK;
}

static void add_etag(struct req *rq, const struct record *record, const void *value)
{
    const struct field *field = record_field(record, STR("version"));
    int64_t version;

    if (!field || field->type != F_INT || (field->flags & NULLABLE))
        return;
    memcpy(&version, (const char *)value + field->offset, sizeof(version));
    http_header_add(rq->exchange, "ETag", etag_of(rq->cx.arena, version));
}

static enum err reply_one(struct req *rq, int status, const struct record *record,
                          const void *value)
{
    struct idempotency *idempotency = &call_of(rq)->idempotency;
    struct str body;

    /* What is shown once is shown by the POST that made it. */
    TRY(encode(rq, record, value, rq->route->method == HTTP_POST, &body));
    if (idempotency->key.ptr && record_has_secrets(record))
        TRY(encode(rq, record, value, false, &idempotency->body_without_secrets));
    add_etag(rq, record, value);
    return reply_json(rq, status, body);
}

enum err reply_record(struct req *rq, const struct record *record, const void *value)
{
    return reply_one(rq, 200, record, value);
}

enum err reply_created(struct req *rq, const struct record *record, const void *value,
                       struct uuid id)
{
    const bool below =
        call_of(rq)->entry->has_child || str_of(rq->mount).len == 0 || strchr(rq->mount, '{');

    return reply_created_at(rq, record, value, below ? NULL : rq->mount, id);
}

/* Without a mount: below the path that was asked. */
enum err reply_created_at(struct req *rq, const struct record *record, const void *value,
                          const char *mount, struct uuid id)
{
    struct buf location;
    char text[UUID_TEXT_LEN];

    buf_init(&location, rq->cx.arena, TARGET_MAX + 64);
    if (mount) {
        buf_add(&location, STR(API_ROOT));
        buf_add(&location, str_of(mount));
    } else {
        buf_add(&location, rq->exchange->request.path);
    }
    uuid_format(id, text);
    buf_add_char(&location, '/');
    buf_add(&location, (struct str){text, sizeof(text)});
    if (buf_failed(&location))
        return too_large(rq);
    http_header_add(rq->exchange, "Location", buf_str(&location));
    return reply_one(rq, 201, record, value);
}

/* ------------------------------------------------------------------ lists */

static const void *row_at(const struct record *record, const struct list *rows, size_t index)
{
    return (const char *)rows->items + index * record->size;
}

/* Cuts the row that was asked for beyond the page; the cursor when there was one. */
static struct str cut(struct req *rq, const struct record *record, struct list *rows,
                      const struct list_key *resume,
                      void (*key_of)(const void *row, struct list_key *out))
{
    const uint32_t list_tag = call_of(rq)->entry->list_tag + rq->page.sort;
    struct list_key key = {0};

    if (rq->page.limit == 0 || rows->count <= (size_t)rq->page.limit)
        return resume ? cursor_encode(resume, list_tag, rq->cx.arena) : STR_NULL;
    rows->count = (size_t)rq->page.limit;
    key_of(row_at(record, rows, rows->count - 1), &key);
    return cursor_encode(&key, list_tag, rq->cx.arena);
}

static enum err reply_csv(struct req *rq, const struct record *record, const struct list *rows,
                          struct str next)
{
    struct buf body, name;

    buf_init(&body, rq->cx.arena, ANSWER_MAX);
    buf_init(&name, rq->cx.arena, 128);
    record_csv_header(record, &body);
    for (size_t i = 0; i < rows->count; i++)
        record_csv_row(record, row_at(record, rows, i), &body);
    buf_addf(&name, "attachment; filename=\"%s.csv\"", rq->resource->name);
    if (buf_failed(&body) || buf_failed(&name))
        return too_large(rq);
    http_header_add(rq->exchange, "Content-Disposition", buf_str(&name));
    if (next.ptr)
        http_header_add(rq->exchange, "X-Next-Cursor", next);
    return reply_text(rq, 200, "text/csv; charset=utf-8; header=present", buf_str(&body));
}

enum err reply_list(struct req *rq, const struct record *record, struct list *rows,
                    struct total total, void (*key_of)(const void *row, struct list_key *out))
{
    const struct page *page = &rq->page;
    const bool events = rq->route->answers == ANSWER_EVENTS;
    struct str next = cut(rq, record, rows, total.resume, key_of);
    struct buf body;
    struct json_out out;

    if (page->csv)
        return reply_csv(rq, record, rows, next);
    buf_init(&body, rq->cx.arena, ANSWER_MAX);
    buf_reserve(&body, TYPICAL_BYTES * (1 + rows->count));
    json_out_init(&out, &body);
    json_object_begin(&out);
    json_key(&out, events ? STR("events") : STR("data"));
    json_array_begin(&out);
    for (size_t i = 0; i < rows->count; i++)
        record_encode(record, row_at(record, rows, i), false, &out);
    json_array_end(&out);
    JSON_KEY(&out, "total");
    json_int(&out, total.capped ? COUNT_CAP : total.rows);
    if (total.capped) {
        JSON_KEY(&out, "total_capped");
        json_bool(&out, true);
    }
    JSON_KEY(&out, "page");
    if (page->by_cursor)
        json_nil(&out);
    else
        json_int(&out, page->limit == 0 ? 1 : page->number);
    json_key(&out, events ? STR("limit") : STR("page_size"));
    json_int(&out, page->limit == 0 ? (int64_t)rows->count : page->limit);
    JSON_KEY(&out, "next_cursor");
    json_text(&out, next);
    json_object_end(&out);
    if (buf_failed(&body))
        return too_large(rq);
    return reply_json(rq, 200, buf_str(&body));
}
