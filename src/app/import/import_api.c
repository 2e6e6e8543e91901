#include "app/import/import.h"
#include "app/import/import_sql.h"
#include "http/route.h"

static void place_of(const void *row, struct list_key *out)
{
    const struct import *import = row;

    *out = (struct list_key){.time = import->created_at, .id = import->id};
}

static enum err list(struct req *rq)
{
    struct list rows;
    struct total total = {0};

    TRY(db_all(&rq->cx, &sql_import_list, ARGS(PAGE_BINDS(&rq->page)), &import_record, &rows));
    TRY(count_get(&rq->cx, "imports", STR(""), &total.rows));
    return reply_list(rq, &import_record, &rows, total, place_of);
}

static enum err begin(struct req *rq)
{
    struct import import;
    bool created;

    TRY(import_begin(&rq->cx, rq->body, &import, &created));
    return created ? reply_created(rq, &import_record, &import, import.id)
                   : reply_record(rq, &import_record, &import);
}

static enum err show(struct req *rq)
{
    struct uuid id;
    struct import import;

    TRY(path_id(rq, 0, &id));
    TRY(import_get(&rq->cx, id, &import));
    return reply_record(rq, &import_record, &import);
}

struct portion {
    struct import import;
    bool *is_new;                /* by the index of the row: not done by an earlier portion */
    const struct error **errors; /* why rows were refused, by their index */
};

/* Rows come in the order of the file, from next_row at the latest: a gap would be behind the
 * checkpoint, and never be asked for again. */
static enum err place_rows(struct req *rq, struct portion *portion)
{
    struct import *import = &portion->import;
    const int64_t before = import->next_row;

    for (size_t i = 0; i < rq->row_count; i++) {
        const struct import_row *row = rq->rows[i].record;

        if (row->row > import->next_row)
            return error_set(rq->cx.error, ERR_CONFLICT,
                             "Row %lld was sent, but row %lld is next: rows come in order.",
                             (long long)row->row, (long long)import->next_row);
        portion->is_new[i] = row->row == import->next_row;
        if (portion->is_new[i])
            import->next_row++;
    }
    if (import->finished_at.set && import->next_row > before)
        return error_set(rq->cx.error, ERR_CONFLICT, "The import is finished.");
    return OK;
}

static enum err take_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    struct portion *portion = rq->user;
    struct error *why;
    bool made = false;
    enum err result;

    /* A portion that was sent twice: what it holds is done. */
    *status = 200;
    if (!portion->is_new[row - rq->rows])
        return OK;
    result = import_take_row(&rq->cx, &portion->import, row->record, id, &made);
    if (made)
        *status = 201;
    if (result == OK)
        return OK;
    why = ARENA_NEW(rq->cx.arena, struct error);
    if (why == NULL)
        return ERR_TOO_LARGE;
    *why = *rq->cx.error;
    portion->errors[row - rq->rows] = why;
    return result;
}

/* After the rows: the refused ones are kept, and the checkpoint moves, in the same
 * transaction. */
static enum err close_portion(struct req *rq, struct portion *portion)
{
    for (size_t i = 0; i < rq->row_count; i++) {
        const struct error *why =
            rq->rows[i].error != NULL ? rq->rows[i].error : portion->errors[i];

        if (portion->is_new[i] && why != NULL)
            TRY(import_refuse(&rq->cx, &portion->import, rq->rows[i].record, why));
    }
    return import_save(&rq->cx, &portion->import);
}

static enum err take_rows(struct req *rq)
{
    struct portion *portion = ARENA_NEW(rq->cx.arena, struct portion);
    struct uuid id;

    if (portion == NULL)
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The portion is too large.");
    TRY(path_id(rq, 0, &id));
    TRY(import_get_locked(&rq->cx, id, &portion->import));
    portion->is_new = ARENA_ARRAY(rq->cx.arena, rq->row_count, bool);
    portion->errors = ARENA_ARRAY(rq->cx.arena, rq->row_count, const struct error *);
    if (portion->is_new == NULL || portion->errors == NULL)
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The portion is too large.");
    TRY(place_rows(rq, portion));
    rq->user = portion;
    TRY(reply_rows(rq, take_row));
    return close_portion(rq, portion);
}

static enum err finish(struct req *rq)
{
    struct uuid id;
    struct import import;

    TRY(path_id(rq, 0, &id));
    TRY(import_get_locked(&rq->cx, id, &import));
    TRY(import_finish(&rq->cx, &import));
    return reply_record(rq, &import_record, &import);
}

struct refusals_query {
    int64_t after;
};

static const struct field refusals_query_fields[] = {
    FIELD(refusals_query, after, F_INT, 0, .min = 0, .max = INT64_C(1) << 40,
          .doc = "the last row of the page before"),
};
static const struct record refusals_query_record = RECORD(refusals_query, refusals_query_fields);

struct refusals_answer {
    struct list data;
    int64_t total;
};

static const struct field refusals_answer_fields[] = {
    FIELD(refusals_answer, data, F_LIST, READ_ONLY, .of = F_OBJECT,
          .record = &import_refusal_record),
    FIELD(refusals_answer, total, F_INT, READ_ONLY),
};
static const struct record refusals_answer_record =
    RECORD_NAMED("ImportRefusals", refusals_answer, refusals_answer_fields);

static enum err refusals(struct req *rq)
{
    const struct refusals_query *query = rq->query;
    struct refusals_answer answer = {0};
    struct import import;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(import_get(&rq->cx, id, &import));
    TRY(db_all(&rq->cx, &sql_import_refusal_list,
               ARGS({"import_id", v_uuid(id)}, {"after", v_int(query->after)},
                    {"limit", v_int(BULK_ROWS_MAX)}),
               &import_refusal_record, &answer.data));
    answer.total = import.refused;
    return reply_record(rq, &refusals_answer_record, &answer);
}

static const struct route routes[] = {
    {HTTP_POST, "", ROLE_MANAGER, TX_WRITE, begin,
     "Begin the import of a source, or find the one that has begun", ANSWER_CREATED,
     .answer = &import_record, .body = &import_record, .flags = ROUTE_UPSERT},
    {HTTP_GET, "", ROLE_MANAGER, TX_READ, list, "List the imports, newest first", ANSWER_LIST,
     .answer = &import_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}", ROLE_MANAGER, TX_READ, show, "Get an import", ANSWER_RECORD,
     .answer = &import_record},
    {HTTP_POST, "/{id}/rows", ROLE_MANAGER, TX_WRITE, take_rows,
     "Import a portion of rows; what was refused is kept", ANSWER_ROWS, .body = &import_row_record,
     .flags = ROUTE_ROWS},
    {HTTP_POST, "/{id}/finish", ROLE_MANAGER, TX_WRITE, finish, "No rows are left", ANSWER_RECORD,
     .answer = &import_record},
    {HTTP_GET, "/{id}/refusals", ROLE_MANAGER, TX_READ, refusals,
     "The rows that were refused, with line and reason", ANSWER_RECORD,
     .answer = &refusals_answer_record, .query = &refusals_query_record},
};

static const char *const mounts[] = {"/imports"};

const struct resource import_resource = {"imports", mounts, COUNT_OF(mounts), routes,
                                         COUNT_OF(routes)};
