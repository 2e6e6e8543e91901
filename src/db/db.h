/* One connection to the store, inside one transaction. SQLite and PostgreSQL stand
 * behind it (db_sqlite.c, db_postgres.c); nothing above can tell which.
 *
 * Queries are named, live in .sql files beside their resource and are compiled into
 * `struct query` (db/query.h). A parameter `:name` takes its value, in this order, from
 *   1. the ctx: `:tenant_id` is always the actor's tenant, `:now` the ctx's clock,
 *      `:actor_id` the actor's user - none of these can be given otherwise, so a query
 *      that says tenant_id cannot reach another tenant;
 *   2. the binds of the call;
 *   3. the members of the record of the call, by column name.
 * A name found nowhere is a bug: ERR_INTERNAL, and the log says which.
 *
 * Result columns go to the members of a record with the same column name; a column
 * that no field names is a bug as well. Texts are copied into cx->arena.
 *
 * Types on either side: ids BLOB(16) / uuid; times INTEGER µs / timestamptz (TIME_END
 * is 'infinity'); booleans INTEGER / boolean; enums as their names, lists and JSON as
 * text (the bytes that came).
 *
 * Threads: a db belongs to one thread at a time; exec.h sees to that. */
#ifndef DB_DB_H
#define DB_DB_H

#include "db/ctx.h"
#include "db/query.h"
#include "json/record.h"

enum value_type { V_UUID = 1, V_TEXT, V_INT, V_REAL, V_BOOL, V_TIME, V_BYTES };

struct value {
    enum value_type type;
    bool null;
    union {
        int64_t integer; /* V_INT, V_BOOL, V_TIME */
        double real;
        struct str text; /* V_TEXT, V_BYTES */
        struct uuid uuid;
    };
};

struct value v_uuid(struct uuid id);  /* none is null */
struct value v_text(struct str text); /* ptr NULL is null */
struct value v_int(int64_t value);
struct value v_real(double value);
struct value v_bool(bool value);
struct value v_time(int64_t us);
struct value v_bytes(struct str bytes); /* BLOB / bytea */
struct value v_maybe_int(struct maybe_int value);
struct value v_maybe_time(struct maybe_int us);
struct value v_enum(const struct enum_names *names, int value); /* 0 is null */

struct bind {
    const char *name; /* a literal: where names go is remembered by their addresses */
    struct value value;
};

/* What a call binds: ARGS({"id", v_uuid(id)}, …), ARGS_OF(&note_record, &note),
 * or both: ARGS_OF(&note_record, &note, {"limit", v_int(20)}). NO_ARGS for none. */
struct args {
    const struct record *record;
    const void *from;
    const struct bind *binds;
    size_t count;
};

#define ARGS(...)                                                                                  \
    ((struct args){NULL, NULL, (const struct bind[]){__VA_ARGS__},                                 \
                   sizeof((const struct bind[]){__VA_ARGS__}) / sizeof(struct bind)})
#define ARGS_OF(record_pointer, from_pointer, ...)                                                 \
    ((struct args){(record_pointer), (from_pointer), (const struct bind[]){{0}, ##__VA_ARGS__},    \
                   sizeof((const struct bind[]){{0}, ##__VA_ARGS__}) / sizeof(struct bind)})
#define NO_ARGS ((struct args){NULL, NULL, NULL, 0})

/* Runs a query that returns no rows (or whose rows do not matter). On PostgreSQL a write
 * outside a savepoint is not waited for: its failure may show at a later call or at the
 * commit (the job's `why` then says so). What must know - about a conflict - uses a
 * savepoint, or RETURNING with db_one. */
enum err db_run(struct ctx *cx, const struct query *query, struct args args);
/* The same; ERR_NOT_FOUND when it changed no row. */
enum err db_run_found(struct ctx *cx, const struct query *query, struct args args);
/* The first row into *out (zeroed first; with no record: whether there is one). ERR_NOT_FOUND
 * without one: the error says "There is no such record." and nothing else, whatever the reason. */
enum err db_one(struct ctx *cx, const struct query *query, struct args args,
                const struct record *record, void *out);
/* The same, but no row is no error: *found says. */
enum err db_find(struct ctx *cx, const struct query *query, struct args args,
                 const struct record *record, void *out, bool *found);
/* All rows as a list in the arena. */
enum err db_all(struct ctx *cx, const struct query *query, struct args args,
                const struct record *record, struct list *out);
/* Row by row: `row` is reused; what it points to lives until fn returns. fn may run queries.
 * PostgreSQL sends all rows first: bound them by LIMIT. */
enum err db_each(struct ctx *cx, const struct query *query, struct args args,
                 const struct record *record,
                 enum err (*fn)(struct ctx *cx, void *context, void *row), void *context);
/* The first column of the first row as a number; 0 when there is none or it is null. */
enum err db_int(struct ctx *cx, const struct query *query, struct args args, int64_t *out);

/* Rows that the last db_run changed. (On PostgreSQL this waits for it.) */
int64_t db_changed(const struct ctx *cx);

/* A part that may fail alone: what runs between db_savepoint and its end, which is either
 * db_release (kept) or db_rollback_to (undone), stands or falls together. They nest, up to
 * eight deep. A failure of the store itself still ends the transaction. */
enum err db_savepoint(struct ctx *cx);
enum err db_release(struct ctx *cx);
enum err db_rollback_to(struct ctx *cx);

/* Work that is cheaper done together: `what` (size bytes) is copied, and fn is called once
 * before the commit with all that was deferred to it by the transactions that share the
 * commit (a batch on SQLite, one transaction on PostgreSQL), as an array in the order of
 * the calls. Dropped with the job or savepoint that rolls back. fn's cx has no tenant:
 * its queries are global ones and each item carries its tenant. A failure in fn fails
 * the whole batch. */
typedef enum err (*deferred_fn)(struct ctx *cx, const void *items, size_t count);
enum err db_defer(struct ctx *cx, deferred_fn fn, const void *what, size_t size);

/* A UNIQUE or FOREIGN KEY constraint stopped a statement: ERR_CONFLICT. Which one: the
 * constraint's or index's name ("customers_external_id"). The statement had no effect, the
 * transaction goes on (on PostgreSQL only inside a savepoint; INSERT … ON CONFLICT is better).
 * Constraints without a name of their own have PostgreSQL's on both stores
 * ("customers_tenant_id_id_key"). A foreign key has none on SQLite: the text is empty. */
struct str db_conflict(const struct ctx *cx);

bool db_is_postgres(const struct ctx *cx);

/* What this connection's statements took since the last call, for tests and profiles: steps
 * of SQLite's virtual machine, and those of them that went through a table without an index.
 * Zeros on PostgreSQL, which tells by EXPLAIN (ANALYZE, BUFFERS). */
struct db_cost {
    int64_t vm_steps, full_scan_steps;
};
void db_cost(struct ctx *cx, struct db_cost *out);

#endif
