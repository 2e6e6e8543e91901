#include "http/dispatch.h"
#include "http/page.h"

#include <string.h>

/* For routes without filters: every parameter is one too many. */
static const struct record no_query = {"this query", 0, NULL, 0};

static bool takes_body(enum http_method method)
{
    return method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
}

/* application/json or application/…+json, in UTF-8. */
static bool is_json(struct str content_type)
{
    struct str type, rest, parameter, name;

    rest = str_cut(content_type, ';', &type);
    type = str_trim(type);
    if (!str_equal_nocase(type, STR("application/json")) &&
        !(type.len > 17 && str_equal_nocase(str_slice(type, 0, 12), STR("application/")) &&
          str_equal_nocase(str_slice(type, type.len - 5, type.len), STR("+json"))))
        return false;
    while (rest.ptr) {
        rest = str_cut(rest, ';', &parameter);
        struct str value = str_cut(str_trim(parameter), '=', &name);

        if (str_equal_nocase(name, STR("charset")) && !str_equal_nocase(value, STR("utf-8")) &&
            !str_equal_nocase(value, STR("\"utf-8\"")))
            return false;
    }
    return true;
}

static struct str media_of(struct str range, bool *refused)
{
    struct str media, name;
    struct str rest = str_cut(range, ';', &media);

    *refused = false;
    while (rest.ptr) {
        struct str parameter;

        rest = str_cut(rest, ';', &parameter);
        struct str value = str_cut(str_trim(parameter), '=', &name);
        if (str_equal_nocase(name, STR("q")))
            *refused = str_is(value, "0") || str_is(value, "0.0");
    }
    return str_trim(media);
}

/* Whether the first media range that we can serve is CSV. */
static bool accepts_csv(struct str accept)
{
    while (accept.ptr) {
        struct str range;
        bool refused;

        accept = str_cut(accept, ',', &range);
        struct str media = media_of(range, &refused);
        if (refused)
            continue;
        if (str_equal_nocase(media, STR("text/csv")))
            return true;
        if (str_equal_nocase(media, STR("application/json")) || str_is(media, "*/*"))
            return false;
    }
    return false;
}

static enum err prepare(struct arena *arena, struct decoded *part, size_t size)
{
    part->size = size;
    part->fresh = arena_alloc(arena, size);
    part->working = arena_alloc(arena, size);
    return part->fresh && part->working ? OK : ERR_TOO_LARGE;
}

static enum err decode_query(struct call *call, struct error *error)
{
    const struct route *route = call->entry->route;
    const struct http_request *request = &call->exchange->request;
    const struct record *record = route->query ? route->query : &no_query;
    struct decoding in = {.arena = call->exchange->arena,
                          .error = error,
                          .lax = (route->flags & ROUTE_LAX_QUERY) != 0};
    struct str rest = request->query;
    enum err err;

    if (route->flags & ROUTE_PAGED)
        page_parse(rest, call->entry->list_tag, page_size_of(route),
                   accepts_csv(http_header_get(request, "accept")), in.arena, error, &call->page,
                   &rest);
    if (!route->query && rest.len == 0)
        return error->code;
    TRY(prepare(in.arena, &call->query, record->size));
    err = record_decode_query(record, rest, &in, (void *)call->query.fresh, &call->query.given);
    return err != OK ? err : error->code;
}

static enum err decode_body(struct call *call, struct error *error)
{
    const struct route *route = call->entry->route;
    const struct http_request *request = &call->exchange->request;
    struct decoding in = {
        .arena = call->exchange->arena, .error = error, .patch = (route->flags & ROUTE_PATCH) != 0};
    struct str body = request->body;

    if (route->flags & ROUTE_RAW) {
        call->rq.body_text = body;
        return OK;
    }
    if (!route->body)
        return body.len == 0 ? OK
                             : error_set(error, ERR_MALFORMED, "%s %.*s takes no body.",
                                         method_name(route->method), STR_FMT(call->entry->path));
    if (body.len == 0) {
        if (!(route->flags & ROUTE_OPTIONAL_BODY))
            return error_set(error, ERR_MALFORMED, "The request needs a JSON body.");
        body = STR("{}");
    } else if (takes_body(route->method) && !is_json(http_header_get(request, "content-type"))) {
        return error_set(error, ERR_MEDIA_TYPE,
                         "The body must be application/json in UTF-8, and say so.");
    }
    call->rq.body_text = body;
    if (route->flags & ROUTE_ROWS)
        return bulk_decode(call, error);
    TRY(prepare(in.arena, &call->body, route->body->size));
    return record_decode(route->body, body, &in, (void *)call->body.fresh, &call->body.given);
}

void input_failed(struct call *call, enum err err, const struct error *error)
{
    call->input = err;
    if (!call->input_error)
        call->input_error = ARENA_NEW(call->exchange->arena, struct error);
    if (call->input_error)
        *call->input_error = *error;
}

/* Faults of the query and of the body are told together; what cannot be read at all comes
 * before them. */
static void decode_input(struct call *call)
{
    struct arena *arena = call->exchange->arena;
    struct error error;
    enum err err, query_err;

    error_clear(&error);
    if (call->input_error)
        error = *call->input_error;
    query_err = decode_query(call, &error);
    err = decode_body(call, &error);
    if (err == OK)
        err = query_err;
    if (err == OK && error.fault_count > 0)
        err = ERR_INVALID;
    if (err == OK)
        return;
    if (error.code != err)
        error_set(&error, arena_exhausted(arena) ? ERR_TOO_LARGE : err, "%s",
                  arena_exhausted(arena) ? "The request unfolds to more than is taken." : "");
    input_failed(call, err, &error);
}

void decode_request(struct call *call)
{
    idempotency_hash(call);
    decode_input(call);
    call->is_decoded = true;
    call->decoded_mark = arena_mark(call->exchange->arena);
}

static void *copy_fresh(struct decoded *part)
{
    if (!part->fresh)
        return NULL;
    memcpy(part->working, part->fresh, part->size);
    return part->working;
}

void decode_reset(struct call *call)
{
    struct req *rq = &call->rq;

    rq->body = copy_fresh(&call->body);
    rq->given = call->body.given;
    rq->query = copy_fresh(&call->query);
    rq->query_given = call->query.given;
    rq->page = call->page;
    if (call->fresh_rows) {
        copy_fresh(&call->rows);
        memcpy(rq->rows, call->fresh_rows, rq->row_count * sizeof(*rq->rows));
    }
}
