#include "db/backend.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_SECONDS 2
#define COLUMN_TEXT_MAX MIB(1) /* a list or an object written into a column */

struct deferral {
    deferred_fn fn;
    size_t size;
    void *what;
};

/* Values */

struct value v_uuid(struct uuid id)
{
    return (struct value){.type = V_UUID, .null = uuid_is_none(id), .uuid = id};
}

struct value v_text(struct str text)
{
    return (struct value){.type = V_TEXT, .null = text.ptr == NULL, .text = text};
}

struct value v_int(int64_t value)
{
    return (struct value){.type = V_INT, .integer = value};
}

struct value v_real(double value)
{
    return (struct value){.type = V_REAL, .real = value};
}

struct value v_bool(bool value)
{
    return (struct value){.type = V_BOOL, .integer = value};
}

struct value v_time(int64_t us)
{
    return (struct value){.type = V_TIME, .integer = us};
}

struct value v_bytes(struct str bytes)
{
    return (struct value){.type = V_BYTES, .null = bytes.ptr == NULL, .text = bytes};
}

struct value v_maybe_int(struct maybe_int value)
{
    return (struct value){.type = V_INT, .null = !value.set, .integer = value.value};
}

struct value v_maybe_time(struct maybe_int us)
{
    return (struct value){.type = V_TIME, .null = !us.set, .integer = us.value};
}

struct value v_enum(const struct enum_names *names, int value)
{
    return v_text(str_of(enum_name(names, value)));
}

/* Failures */

enum err db_fail(struct db *db, enum err code, bool ends, const char *format, ...)
{
    va_list args;

    if (db->failed != OK)
        return db->failed; /* the first failure is the one to tell */
    va_start(args, format);
    vsnprintf(db->detail, sizeof(db->detail), format, args);
    va_end(args);
    db->last = code;
    if (ends)
        db->failed = code;
    return code;
}

enum err db_bug(struct db *db, const struct query *query, const char *what, struct str detail)
{
    LOG(ERROR, what, LOG_TEXT("query", str_of(query ? query->name : "")),
        LOG_TEXT("detail", detail.ptr ? detail : STR("")));
    return db_fail(db, ERR_INTERNAL, db->backend->is_postgres, "The server has made a mistake.");
}

void db_explain(const struct db *db, struct error *error)
{
    error_set(error, db->last, "%s", db->detail);
    if (db->last == ERR_UNAVAILABLE)
        error->retry_after_s = RETRY_AFTER_SECONDS;
}

static enum err explain(struct ctx *cx, enum err code)
{
    if (code != OK)
        db_explain(cx->db, cx->error);
    return code;
}

/* The same for what gives a pointer: NULL, and the connection knows why. */
static enum err explain_null(struct ctx *cx)
{
    db_explain(cx->db, cx->error);
    return cx->db->last != OK ? cx->db->last : ERR_INTERNAL;
}

static enum err exhausted(struct ctx *cx)
{
    return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
}

struct str db_conflict(const struct ctx *cx)
{
    return str_of(cx->db->conflict);
}

bool db_is_postgres(const struct ctx *cx)
{
    return cx->db->backend->is_postgres;
}

void db_cost(struct ctx *cx, struct db_cost *out)
{
    *out = (struct db_cost){0, 0};
    if (cx->db->backend->cost)
        cx->db->backend->cost(cx->db, out);
}

/* Prepared statements */

static void free_plans(struct statement *statement)
{
    while (statement->param_plans) {
        struct param_plan *next = statement->param_plans->next;

        free(statement->param_plans->bind_names);
        free(statement->param_plans);
        statement->param_plans = next;
    }
    statement->param_plan_count = 0;
    while (statement->row_plans) {
        struct row_plan *next = statement->row_plans->next;

        free(statement->row_plans);
        statement->row_plans = next;
    }
}

void db_forget_statements(struct db *db)
{
    for (size_t i = 0; i < STATEMENT_BUCKETS; i++) {
        while (db->statements[i]) {
            struct statement *statement = db->statements[i];

            db->statements[i] = statement->next;
            free_plans(statement);
            for (size_t c = 0; c < statement->column_count; c++)
                free(statement->columns[c]);
            free(statement->columns);
            db->backend->forget(statement);
        }
    }
}

bool db_take_columns(struct statement *statement, size_t count,
                     const char *(*name)(void *context, size_t index), void *context)
{
    statement->columns = calloc(count + 1, sizeof(*statement->columns));
    if (!statement->columns)
        return false;
    for (size_t i = 0; i < count; i++) {
        statement->columns[i] = strdup(name(context, i));
        if (!statement->columns[i])
            return false;
        statement->column_count = i + 1;
    }
    return true;
}

static struct statement *find_statement(struct db *db, const struct query *query)
{
    struct statement **bucket =
        &db->statements[((uintptr_t)query / sizeof(struct query)) % STATEMENT_BUCKETS];
    struct statement *made = NULL;

    for (struct statement *at = *bucket; at; at = at->next) {
        if (at->query == query && !at->busy)
            return at;
    }
    if (query->param_count > PARAMS_MAX) {
        (void)db_bug(db, query, "too many parameters", STR_NULL);
        return NULL;
    }
    if (db->backend->prepare(db, query, &made) != OK)
        return NULL;
    made->query = query;
    made->next = *bucket;
    *bucket = made;
    return made;
}

/* Parameters */

static bool is_column(const struct field *field, const char *name)
{
    return (field->flags & NO_COLUMN) == 0 && field->type != F_VIEW &&
           strcmp(field_column(field), name) == 0;
}

static const struct field *find_column(const struct record *record, const char *name)
{
    for (size_t i = 0; record && i < record->count; i++) {
        if (is_column(&record->fields[i], name))
            return &record->fields[i];
    }
    return NULL;
}

static bool find_source(const struct args *args, const char *name, struct source *out)
{
    *out = (struct source){0};
    if (strcmp(name, "tenant_id") == 0) {
        out->kind = FROM_TENANT;
        return true;
    }
    if (strcmp(name, "now") == 0) {
        out->kind = FROM_NOW;
        return true;
    }
    if (strcmp(name, "actor_id") == 0) {
        out->kind = FROM_ACTOR;
        return true;
    }
    for (size_t i = 0; i < args->count; i++) {
        if (args->binds[i].name && strcmp(args->binds[i].name, name) == 0) {
            *out = (struct source){.kind = FROM_BIND, .bind = i};
            return true;
        }
    }
    out->kind = FROM_FIELD;
    out->field = find_column(args->record, name);
    return out->field != NULL;
}

static bool plan_fits(const struct param_plan *plan, const struct args *args)
{
    if (plan->record != args->record || plan->bind_count != args->count)
        return false;
    for (size_t i = 0; i < args->count; i++) {
        if (plan->bind_names[i] != args->binds[i].name)
            return false;
    }
    return true;
}

static const struct param_plan *plan_params(struct db *db, struct statement *statement,
                                            const struct args *args)
{
    const struct query *query = statement->query;
    struct param_plan *plan;

    for (plan = statement->param_plans; plan; plan = plan->next) {
        if (plan_fits(plan, args))
            return plan;
    }
    if (statement->param_plan_count == PLANS_MAX)
        free_plans(statement);
    plan = calloc(1, sizeof(*plan) + query->param_count * sizeof(struct source));
    if (plan)
        plan->bind_names = calloc(args->count + 1, sizeof(*plan->bind_names));
    if (!plan || !plan->bind_names) {
        free(plan);
        (void)db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
        return NULL;
    }
    plan->record = args->record;
    plan->bind_count = args->count;
    for (size_t i = 0; i < args->count; i++)
        plan->bind_names[i] = args->binds[i].name;
    for (size_t i = 0; i < query->param_count; i++) {
        if (!find_source(args, query->params[i], &plan->sources[i])) {
            free(plan->bind_names);
            free(plan);
            (void)db_bug(db, query, "a parameter without a value", str_of(query->params[i]));
            return NULL;
        }
    }
    plan->next = statement->param_plans;
    statement->param_plans = plan;
    statement->param_plan_count++;
    return plan;
}

/* What stands in a column as JSON text. */
static enum err json_value(struct ctx *cx, const struct field *field, const void *record,
                           struct value *out)
{
    struct buf buf;
    struct json_out json;

    buf_init(&buf, cx->arena, COLUMN_TEXT_MAX);
    json_out_init(&json, &buf);
    if (field->type == F_LIST)
        list_encode(field, (const struct list *)((const char *)record + field->offset), &json);
    else
        field_encode(field, record, &json);
    if (buf_failed(&buf))
        return exhausted(cx);
    *out = v_text(buf_str(&buf));
    return OK;
}

static enum err field_value(struct ctx *cx, const struct field *field, const void *record,
                            struct value *out)
{
    const void *member = (const char *)record + field->offset;
    const bool maybe = (field->flags & NULLABLE) != 0;

    switch (field->type) {
    case F_UUID:
        *out = v_uuid(*(const struct uuid *)member);
        return OK;
    case F_TEXT:
    case F_JSON:
        *out = v_text(*(const struct str *)member);
        return OK;
    case F_ENUM:
        *out = v_enum(field->names, *(const int *)member);
        return OK;
    case F_BOOL:
        *out = v_bool(*(const bool *)member);
        return OK;
    case F_INT:
        *out = maybe ? v_maybe_int(*(const struct maybe_int *)member)
                     : v_int(*(const int64_t *)member);
        return OK;
    case F_TIME:
        *out = maybe ? v_maybe_time(*(const struct maybe_int *)member)
                     : v_time(*(const int64_t *)member);
        return OK;
    case F_REAL:
        *out = maybe ? (struct value){.type = V_REAL,
                                      .null = !((const struct maybe_real *)member)->set,
                                      .real = ((const struct maybe_real *)member)->value}
                     : v_real(*(const double *)member);
        return OK;
    case F_LIST:
    case F_OBJECT:
        return json_value(cx, field, record, out);
    case F_VIEW:
        break;
    }
    return explain(cx, db_bug(cx->db, NULL, "a field that is no column", str_of(field->name)));
}

static enum err take_values(struct ctx *cx, struct statement *statement, const struct args *args,
                            struct value *values)
{
    const struct param_plan *plan = plan_params(cx->db, statement, args);

    if (!plan)
        return explain_null(cx);
    for (size_t i = 0; i < statement->query->param_count; i++) {
        const struct source *source = &plan->sources[i];

        switch (source->kind) {
        case FROM_TENANT:
            if (uuid_is_none(cx->actor.tenant_id))
                return explain(
                    cx, db_bug(cx->db, statement->query, "a query without its tenant", STR_NULL));
            values[i] = v_uuid(cx->actor.tenant_id);
            break;
        case FROM_NOW:
            values[i] = v_time(cx->now_us);
            break;
        case FROM_ACTOR:
            values[i] = v_uuid(cx->actor.user_id);
            break;
        case FROM_BIND:
            values[i] = args->binds[source->bind].value;
            break;
        case FROM_FIELD:
            TRY(field_value(cx, source->field, args->from, &values[i]));
            break;
        }
    }
    return OK;
}

/* Rows */

static const struct row_plan *plan_row(struct db *db, struct statement *statement,
                                       const struct record *record)
{
    struct row_plan *plan;

    for (plan = statement->row_plans; plan; plan = plan->next) {
        if (plan->record == record)
            return plan;
    }
    plan = calloc(1, sizeof(*plan) + statement->column_count * sizeof(const struct field *));
    if (!plan) {
        (void)db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
        return NULL;
    }
    plan->record = record;
    for (size_t i = 0; i < statement->column_count; i++) {
        plan->fields[i] = find_column(record, statement->columns[i]);
        if (!plan->fields[i]) {
            free(plan);
            (void)db_bug(db, statement->query, "a column without a field",
                         str_of(statement->columns[i]));
            return NULL;
        }
    }
    plan->next = statement->row_plans;
    statement->row_plans = plan;
    return plan;
}

static enum value_type column_type(enum field_type type)
{
    switch (type) {
    case F_UUID:
        return V_UUID;
    case F_BOOL:
        return V_BOOL;
    case F_INT:
        return V_INT;
    case F_TIME:
        return V_TIME;
    case F_REAL:
        return V_REAL;
    default:
        return V_TEXT;
    }
}

static enum err read_list(struct ctx *cx, const struct statement *statement,
                          const struct field *field, struct str json, void *member)
{
    struct str copy = str_copy(cx->arena, json);

    if (!copy.ptr)
        return exhausted(cx);
    if (list_decode(field, cx->arena, copy, member, cx->error) == OK)
        return OK;
    if (arena_exhausted(cx->arena))
        return exhausted(cx);
    return explain(
        cx, db_bug(cx->db, statement->query, "a column that holds no list", str_of(field->name)));
}

static enum err read_object(struct ctx *cx, const struct statement *statement,
                            const struct field *field, struct str json, void *member)
{
    const struct decoding in = {.arena = cx->arena, .error = cx->error, .path = ""};
    struct str copy = str_copy(cx->arena, json);

    if (!copy.ptr)
        return exhausted(cx);
    if (record_decode(field->record, copy, &in, member, NULL) == OK)
        return OK;
    if (arena_exhausted(cx->arena))
        return exhausted(cx);
    return explain(
        cx, db_bug(cx->db, statement->query, "a column that holds no object", str_of(field->name)));
}

static enum err read_text(struct ctx *cx, struct str text, struct str *out)
{
    *out = str_copy(cx->arena, text);
    return out->ptr ? OK : exhausted(cx);
}

static enum err read_field(struct ctx *cx, struct statement *statement, size_t column,
                           const struct field *field, void *row)
{
    void *member = (char *)row + field->offset;
    const bool maybe = (field->flags & NULLABLE) != 0;
    struct value value;

    TRY(explain(
        cx, cx->db->backend->column(cx->db, statement, column, column_type(field->type), &value)));
    if (value.null)
        return OK; /* a zeroed member is null */
    switch (field->type) {
    case F_UUID:
        *(struct uuid *)member = value.uuid;
        return OK;
    case F_TEXT:
    case F_JSON:
        return read_text(cx, value.text, member);
    case F_ENUM:
        *(int *)member = enum_value(field->names, value.text);
        if (*(int *)member == 0)
            return explain(cx, db_bug(cx->db, statement->query, "an unknown name in a column",
                                      str_of(field->name)));
        return OK;
    case F_BOOL:
        *(bool *)member = value.integer != 0;
        return OK;
    case F_INT:
    case F_TIME:
        if (maybe)
            *(struct maybe_int *)member = (struct maybe_int)SOME(value.integer);
        else
            *(int64_t *)member = value.integer;
        return OK;
    case F_REAL:
        if (maybe)
            *(struct maybe_real *)member = (struct maybe_real)SOME(value.real);
        else
            *(double *)member = value.real;
        return OK;
    case F_LIST:
        return read_list(cx, statement, field, value.text, member);
    case F_OBJECT:
        return read_object(cx, statement, field, value.text, member);
    case F_VIEW:
        break;
    }
    return OK;
}

static enum err read_row(struct ctx *cx, struct statement *statement, const struct row_plan *plan,
                         void *row)
{
    for (size_t i = 0; i < statement->column_count; i++)
        TRY(read_field(cx, statement, i, plan->fields[i], row));
    return OK;
}

/* Running */

struct cursor {
    struct statement *statement;
    const struct row_plan *plan;
    struct value values[PARAMS_MAX];
};

static enum err cursor_open(struct ctx *cx, const struct query *query, const struct args *args,
                            const struct record *record, bool later, struct cursor *cursor)
{
    struct db *db = cx->db;

    if (db->failed == OK && query->writes && db->tx != TX_WRITE)
        db->failed = db_bug(db, query, "a write in a transaction that reads", STR_NULL);
    if (db->failed != OK)
        return explain_null(cx);
    db->conflict[0] = '\0';
    cursor->statement = find_statement(db, query);
    if (!cursor->statement)
        return explain_null(cx);
    TRY(take_values(cx, cursor->statement, args, cursor->values));
    cursor->plan = record ? plan_row(db, cursor->statement, record) : NULL;
    if (record && !cursor->plan)
        return explain_null(cx);
    TRY(explain(cx, db->backend->start(db, cursor->statement, cursor->values, later)));
    cursor->statement->busy = true;
    return OK;
}

static void cursor_close(struct ctx *cx, struct cursor *cursor)
{
    cx->db->backend->finish(cx->db, cursor->statement);
    cursor->statement->busy = false;
}

/* A write is stepped to its end, which is when its constraints are known to hold. */
static enum err run_out(struct ctx *cx, struct cursor *cursor)
{
    bool row = true;

    while (row)
        TRY(explain(cx, cx->db->backend->step(cx->db, cursor->statement, &row)));
    return OK;
}

enum err db_run(struct ctx *cx, const struct query *query, struct args args)
{
    struct cursor cursor;
    enum err result;

    /* Inside a savepoint the outcome matters now. */
    TRY(cursor_open(cx, query, &args, NULL, cx->db->depth == 0, &cursor));
    result = run_out(cx, &cursor);
    cursor_close(cx, &cursor);
    return result;
}

enum err db_run_found(struct ctx *cx, const struct query *query, struct args args)
{
    TRY(db_run(cx, query, args));
    if (db_changed(cx) > 0)
        return OK;
    if (cx->db->failed != OK)
        return explain(cx, cx->db->failed);
    return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
}

enum err db_find(struct ctx *cx, const struct query *query, struct args args,
                 const struct record *record, void *out, bool *found)
{
    struct cursor cursor;
    enum err result;

    if (record)
        memset(out, 0, record->size);
    TRY(cursor_open(cx, query, &args, record, false, &cursor));
    result = explain(cx, cx->db->backend->step(cx->db, cursor.statement, found));
    if (result == OK && *found && record)
        result = read_row(cx, cursor.statement, cursor.plan, out);
    if (result == OK && *found && query->writes)
        result = run_out(cx, &cursor);
    cursor_close(cx, &cursor);
    return result;
}

enum err db_one(struct ctx *cx, const struct query *query, struct args args,
                const struct record *record, void *out)
{
    bool found;

    TRY(db_find(cx, query, args, record, out, &found));
    if (!found)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    return OK;
}

static enum err grow(struct ctx *cx, struct list *list, size_t *room, size_t size)
{
    const size_t more = *room ? 2 * *room : 8;
    void *items;

    if (more > SIZE_MAX / size)
        return exhausted(cx);
    items = arena_grow(cx->arena, list->items, *room * size, more * size);
    if (!items)
        return exhausted(cx);
    list->items = items;
    *room = more;
    return OK;
}

enum err db_all(struct ctx *cx, const struct query *query, struct args args,
                const struct record *record, struct list *out)
{
    struct cursor cursor;
    enum err result;
    size_t room = 0;
    bool row;

    *out = (struct list){0};
    TRY(cursor_open(cx, query, &args, record, false, &cursor));
    while ((result = explain(cx, cx->db->backend->step(cx->db, cursor.statement, &row))) == OK &&
           row) {
        if (out->count == room)
            result = grow(cx, out, &room, record->size);
        if (result == OK) {
            void *item = (char *)out->items + out->count * record->size;

            memset(item, 0, record->size);
            result = read_row(cx, cursor.statement, cursor.plan, item);
        }
        if (result != OK)
            break;
        out->count++;
    }
    cursor_close(cx, &cursor);
    return result;
}

enum err db_each(struct ctx *cx, const struct query *query, struct args args,
                 const struct record *record,
                 enum err (*fn)(struct ctx *cx, void *context, void *row), void *context)
{
    struct cursor cursor;
    struct arena *const arena = cx->arena;
    struct arena *rows = arena_new(REQUEST_ARENA_MAX);
    void *item = arena_alloc(arena, record->size);
    enum err result;
    bool row;

    if (!rows || !item) {
        arena_free(rows);
        return exhausted(cx);
    }
    result = cursor_open(cx, query, &args, record, false, &cursor);
    if (result != OK) {
        arena_free(rows);
        return result;
    }
    while ((result = explain(cx, cx->db->backend->step(cx->db, cursor.statement, &row))) == OK &&
           row) {
        memset(item, 0, record->size);
        cx->arena = rows;
        result = read_row(cx, cursor.statement, cursor.plan, item);
        cx->arena = arena;
        if (result == OK)
            result = fn(cx, context, item);
        arena_reset(rows);
        if (result != OK)
            break;
    }
    cursor_close(cx, &cursor);
    arena_free(rows);
    return result;
}

enum err db_int(struct ctx *cx, const struct query *query, struct args args, int64_t *out)
{
    struct cursor cursor;
    struct value value;
    enum err result;
    bool row = false;

    *out = 0;
    TRY(cursor_open(cx, query, &args, NULL, false, &cursor));
    result = explain(cx, cx->db->backend->step(cx->db, cursor.statement, &row));
    if (result == OK && row) {
        result = explain(cx, cx->db->backend->column(cx->db, cursor.statement, 0, V_INT, &value));
        if (result == OK && !value.null)
            *out = value.integer;
        if (result == OK && query->writes)
            result = run_out(cx, &cursor);
    }
    cursor_close(cx, &cursor);
    return result;
}

int64_t db_changed(const struct ctx *cx)
{
    int64_t changed = 0;

    if (cx->db->failed != OK || cx->db->backend->changed(cx->db, &changed) != OK)
        return 0;
    return changed;
}

/* Deferred work */

static void drop_deferrals(struct db *db, size_t keep)
{
    while (db->deferral_count > keep)
        free(db->deferrals[--db->deferral_count].what);
}

static void drop_marked(struct db *db, struct db_mark mark)
{
    drop_deferrals(db, mark.deferrals);
    db->notice_count = mark.notices;
}

static void drop_all(struct db *db)
{
    drop_marked(db, (struct db_mark){0, 0});
}

static struct db_mark mark_here(const struct db *db)
{
    return (struct db_mark){db->deferral_count, db->notice_count};
}

enum err db_notify(struct ctx *cx, const struct notice *notice)
{
    struct db *db = cx->db;

    if (db->tx != TX_WRITE)
        return explain(cx, db_bug(db, NULL, "a notice of what only reads", STR_NULL));
    if (db->notice_count == db->notice_max) {
        const size_t max = db->notice_max ? 2 * db->notice_max : 64;
        struct notice *more = realloc(db->notices, max * sizeof(*more));

        if (!more)
            return explain(cx,
                           db_fail(db, ERR_UNAVAILABLE, false, "The server has no memory left."));
        db->notices = more;
        db->notice_max = max;
    }
    db->notices[db->notice_count++] = *notice;
    return OK;
}

enum err db_defer(struct ctx *cx, deferred_fn fn, const void *what, size_t size)
{
    struct db *db = cx->db;
    struct deferral *deferral;

    if (db->deferral_count == db->deferral_max) {
        const size_t max = db->deferral_max ? 2 * db->deferral_max : 64;
        struct deferral *more = realloc(db->deferrals, max * sizeof(*more));

        if (!more)
            return explain(cx,
                           db_fail(db, ERR_UNAVAILABLE, false, "The server has no memory left."));
        db->deferrals = more;
        db->deferral_max = max;
    }
    deferral = &db->deferrals[db->deferral_count];
    *deferral = (struct deferral){.fn = fn, .size = size, .what = malloc(size)};
    if (!deferral->what)
        return explain(cx, db_fail(db, ERR_UNAVAILABLE, false, "The server has no memory left."));
    memcpy(deferral->what, what, size);
    db->deferral_count++;
    return OK;
}

/* Everything that was deferred to the function of the first one left, in one call. */
static enum err run_deferred_function(struct ctx *cx, size_t first)
{
    struct db *db = cx->db;
    const deferred_fn fn = db->deferrals[first].fn;
    const size_t size = db->deferrals[first].size;
    size_t count = 0;
    char *items = arena_array(cx->arena, db->deferral_count - first, size);

    if (!items)
        return db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    for (size_t i = first; i < db->deferral_count; i++) {
        struct deferral *deferral = &db->deferrals[i];

        if (deferral->fn != fn)
            continue;
        memcpy(items + count * size, deferral->what, size);
        deferral->fn = NULL;
        count++;
    }
    return fn(cx, items, count);
}

enum err db_run_deferred(struct db *db, struct arena *arena, struct id_source *ids)
{
    static _Thread_local struct error error;
    struct ctx cx = {.db = db, .arena = arena, .error = &error, .ids = ids};
    const size_t count = db->deferral_count;
    enum err result = OK;

    if (count == 0)
        return OK;
    error_clear(&error);
    cx.now_us = time_now_us();
    for (size_t i = 0; i < count && result == OK; i++) {
        if (db->deferrals[i].fn)
            result = run_deferred_function(&cx, i);
    }
    drop_deferrals(db, 0);
    if (result == OK)
        return OK;
    if (db->last != result) /* it was not the store that failed */
        return db_fail(db, result, false, "%s", error.detail);
    return result;
}

/* Transactions */

enum err db_savepoint(struct ctx *cx)
{
    struct db *db = cx->db;

    if (db->failed != OK)
        return explain(cx, db->failed);
    if (db->depth == SAVEPOINTS_MAX)
        return explain(cx, db_bug(db, NULL, "too many savepoints", STR_NULL));
    TRY(explain(cx, db->backend->savepoint(db, db->depth)));
    db->marks[db->depth++] = mark_here(db);
    return OK;
}

enum err db_release(struct ctx *cx)
{
    struct db *db = cx->db;

    if (db->failed != OK)
        return explain(cx, db->failed);
    return explain(cx, db->backend->release(db, --db->depth));
}

enum err db_rollback_to(struct ctx *cx)
{
    struct db *db = cx->db;

    drop_marked(db, db->marks[--db->depth]);
    if (db->failed == ERR_UNAVAILABLE || db->failed == ERR_RERUN)
        return explain(cx, db->failed);
    db->failed = OK;
    return explain(cx, db->backend->rollback_to(db, db->depth));
}

enum err db_job_begin(struct db *db)
{
    TRY(db->backend->savepoint(db, 0));
    db->marks[0] = mark_here(db);
    db->depth = 1;
    return OK;
}

enum err db_job_end(struct db *db, enum err result)
{
    db->depth = 0;
    if (result == OK)
        return db->backend->release(db, 0);
    drop_marked(db, db->marks[0]);
    return db->backend->rollback_to(db, 0);
}

static void forget_failure(struct db *db)
{
    db->failed = db->last = OK;
    db->detail[0] = db->conflict[0] = '\0';
    db->depth = 0;
    db->wants_numbers = NULL;
    drop_all(db);
}

enum err db_begin(struct db *db, enum tx tx)
{
    forget_failure(db);
    db->tx = tx;
    return db->backend->begin(db);
}

enum err db_commit(struct db *db)
{
    if (db->failed != OK)
        return db->failed;
    return db->backend->commit(db);
}

void db_rollback(struct db *db)
{
    drop_all(db);
    db->backend->rollback(db);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    drop_all(db);
    free(db->deferrals);
    free(db->notices);
    db_forget_statements(db);
    db->backend->close(db);
}
