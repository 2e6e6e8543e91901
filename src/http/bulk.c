#include "http/dispatch.h"
#include "http/problem.h"

#include <string.h>

/* {"rows":[…]}: the rows are taken by their bytes, so the record only names the member. */
struct bulk_body {
    bool has_rows;
};

static enum err take_rows(const struct decoding *in, const struct json_t *value, void *record)
{
    (void)in;
    (void)value;
    ((struct bulk_body *)record)->has_rows = true;
    return OK;
}

static void put_nothing(struct json_out *out, const void *record)
{
    (void)record;
    json_nil(out);
}

static const struct field bulk_fields[] = {
    VIEW("rows", put_nothing, take_rows, REQUIRED | WRITE_ONLY, .schema = "{\"type\":\"array\"}"),
};
static const struct record bulk_record = RECORD_NAMED("a bulk body", bulk_body, bulk_fields);

struct splitting {
    struct str *items;
    size_t count, max;
};

static void count_item(void *context, size_t index, struct str item)
{
    (void)index;
    (void)item;
    ((struct splitting *)context)->count++;
}

static void keep_item(void *context, size_t index, struct str item)
{
    struct splitting *splitting = context;

    if (index < splitting->max)
        splitting->items[index] = item;
}

static enum err find_rows(struct call *call, struct error *error, struct str *rows)
{
    struct arena *arena = call->exchange->arena;
    struct str body = call->rq.body_text;
    struct bulk_body decoded = {false};
    struct decoding in = {.arena = arena, .error = error};
    struct json_t *value;
    size_t at = 0;

    while (at < body.len && strchr(" \t\r\n", body.ptr[at]))
        at++;
    if (at < body.len && body.ptr[at] == '[') {
        *rows = body;
        return json_parse(arena, body, &value, error);
    }
    TRY(record_decode(&bulk_record, body, &in, &decoded, NULL));
    *rows = str_trim(json_raw_member(body, STR("rows")));
    if (rows->len == 0 || rows->ptr[0] != '[')
        return error_fault(error, "rows", "wrong_type", "must be an array");
    return OK;
}

/* A row that is wrong keeps its own error; the others go on. */
static enum err decode_row(struct call *call, struct str item, size_t index, void *record,
                           struct bulk_row *row)
{
    struct arena *arena = call->exchange->arena;
    struct error error;
    char path[24];

    snprintf(path, sizeof(path), "rows[%zu].", index);
    error_clear(&error);
    struct decoding in = {.arena = arena,
                          .error = &error,
                          .patch = (call->entry->route->flags & ROUTE_PATCH) != 0,
                          .path = path};
    enum err err = record_decode(call->entry->route->body, item, &in, record, &row->given);
    if (err == OK)
        return OK;
    row->error = arena_exhausted(arena) ? NULL : ARENA_NEW(arena, struct error);
    if (!row->error)
        return ERR_TOO_LARGE;
    *row->error = error;
    if (row->error->code == OK)
        row->error->code = err;
    return OK;
}

enum err bulk_decode(struct call *call, struct error *error)
{
    struct arena *arena = call->exchange->arena;
    size_t size = call->entry->route->body->size;
    struct splitting splitting = {0};
    struct str rows;

    TRY(find_rows(call, error, &rows));
    json_raw_items(rows, count_item, &splitting);
    if (splitting.count == 0)
        return error_fault(error, "rows", "too_short", "must have at least one row");
    if (splitting.count > BULK_ROWS_MAX)
        return error_fault(error, "rows", "too_long", "must have at most %d rows", BULK_ROWS_MAX);
    splitting.max = splitting.count;
    splitting.items = ARENA_ARRAY(arena, splitting.count, struct str);
    call->rows.size = splitting.count * size;
    call->rows.fresh = arena_alloc(arena, call->rows.size);
    call->rows.working = arena_alloc(arena, call->rows.size);
    call->fresh_rows = ARENA_ARRAY(arena, splitting.count, struct bulk_row);
    call->rq.rows = ARENA_ARRAY(arena, splitting.count, struct bulk_row);
    if (!splitting.items || !call->rows.fresh || !call->rows.working || !call->fresh_rows ||
        !call->rq.rows)
        return ERR_TOO_LARGE;
    json_raw_items(rows, keep_item, &splitting);
    for (size_t i = 0; i < splitting.count; i++) {
        call->fresh_rows[i].record = (char *)call->rows.working + i * size;
        TRY(decode_row(call, splitting.items[i], i, (char *)call->rows.fresh + i * size,
                       &call->fresh_rows[i]));
    }
    call->rq.row_count = splitting.count;
    return OK;
}

/* ------------------------------------------------------------------ answers */

static void row_begin(struct json_out *out, size_t index, int status)
{
    json_object_begin(out);
    JSON_KEY(out, "index");
    json_int(out, (int64_t)index);
    JSON_KEY(out, "status");
    json_int(out, status);
}

static void row_failed(struct json_out *out, size_t index, enum err err, const struct error *error)
{
    row_begin(out, index, problem_status(err));
    if (error->detail[0]) {
        JSON_KEY(out, "detail");
        json_text(out, str_of(error->detail));
    }
    JSON_KEY(out, "errors");
    problem_faults(error, out);
    json_object_end(out);
}

/* Whether a failure is the row's own, or the store's. */
static bool is_rows_own(enum err err)
{
    return err != ERR_UNAVAILABLE && err != ERR_RERUN && err != ERR_INTERNAL;
}

enum err reply_rows(struct req *rq, enum err (*fn)(struct req *rq, const struct bulk_row *row,
                                                   struct uuid *id, int *status))
{
    struct ctx *cx = &rq->cx;
    int64_t succeeded = 0;
    struct buf body;
    struct json_out out;

    buf_init(&body, cx->arena, ANSWER_MAX);
    json_out_init(&out, &body);
    json_object_begin(&out);
    JSON_KEY(&out, "rows");
    json_array_begin(&out);
    for (size_t i = 0; i < rq->row_count; i++) {
        const struct bulk_row *row = &rq->rows[i];
        struct uuid id = UUID_NONE;
        int status = 201;

        if (row->error) {
            row_failed(&out, i, row->error->code, row->error);
            continue;
        }
        error_clear(cx->error);
        TRY(db_savepoint(cx));
        enum err err = fn(rq, row, &id, &status);
        if (err != OK) {
            if (!is_rows_own(err))
                return err;
            row_failed(&out, i, err, cx->error);
            TRY(db_rollback_to(cx));
            continue;
        }
        TRY(db_release(cx));
        succeeded++;
        row_begin(&out, i, status);
        JSON_KEY(&out, "id");
        json_uuid(&out, id);
        json_object_end(&out);
    }
    error_clear(cx->error);
    json_array_end(&out);
    JSON_KEY(&out, "succeeded");
    json_int(&out, succeeded);
    JSON_KEY(&out, "failed");
    json_int(&out, (int64_t)rq->row_count - succeeded);
    json_object_end(&out);
    if (buf_failed(&body))
        return error_set(cx->error, ERR_TOO_LARGE, "The answer is larger than is sent.");
    return reply_json(rq, 200, buf_str(&body));
}
