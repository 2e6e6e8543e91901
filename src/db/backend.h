/* Inside db/ only: what a store must do, and the connection that db.c and exec.c share.
 *
 * A backend's functions return OK or the failure, and say what went wrong by db_fail();
 * db.c hands that on to the caller's ctx. A connection belongs to one thread at a time. */
#ifndef DB_BACKEND_H
#define DB_BACKEND_H

#include "db/db.h"
#include "db/exec.h"
#include "db/notice.h"

#include <stdatomic.h>

#define PARAMS_MAX 128        /* parameters of one query */
#define SAVEPOINTS_MAX 8      /* nested */
#define STATEMENT_BUCKETS 256 /* of the hash table of prepared statements */
#define PLANS_MAX 16          /* remembered for each statement */
#define HEAT_SLOTS 4096

struct numbers;

/* What the connections of one store have in common. */
struct node {
    struct store_options options;
    struct numbers *numbers; /* blocks of human numbers; PostgreSQL only */
    /* How often a kept total was changed in this second; see counts.c. */
    struct {
        _Atomic int64_t second;
        _Atomic int64_t times;
    } heat[HEAT_SLOTS];
    _Atomic int64_t reruns;
    _Atomic int64_t connect_failures; /* in a row */
    _Atomic int64_t retry_at_us;      /* monotonic: no connection is tried before */
    atomic_bool ready;
};

/* Where a parameter's value comes from. */
struct source {
    enum source_kind { FROM_TENANT, FROM_NOW, FROM_ACTOR, FROM_BIND, FROM_FIELD } kind;
    size_t bind;
    const struct field *field;
};

/* The sources of a query's parameters for one kind of call: the same record and the same
 * names. Found by pointers: names of binds are literals. */
struct param_plan {
    struct param_plan *next;
    const struct record *record;
    size_t bind_count;
    const char **bind_names;
    struct source sources[];
};

/* Which field takes which column. */
struct row_plan {
    struct row_plan *next;
    const struct record *record;
    const struct field *fields[];
};

/* A prepared statement of one connection. Backends put what is theirs behind it. */
struct statement {
    const struct query *query;
    struct statement *next;
    bool busy; /* its rows are being read: a second use at once prepares another */
    size_t column_count;
    char **columns; /* their names */
    struct param_plan *param_plans;
    struct row_plan *row_plans;
    size_t param_plan_count;
};

struct backend {
    enum err (*prepare)(struct db *db, const struct query *query, struct statement **out);
    void (*forget)(struct statement *statement); /* frees all but the plans and column names */

    /* Values live until finish(). `later`: the caller does not look at the outcome now; a
     * failure may show at any later call, or at the commit. */
    enum err (*start)(struct db *db, struct statement *statement, const struct value *values,
                      bool later);
    enum err (*step)(struct db *db, struct statement *statement, bool *row);
    /* Of the row that step() found; texts live until the next step. */
    enum err (*column)(struct db *db, struct statement *statement, size_t index,
                       enum value_type type, struct value *out);
    void (*finish)(struct db *db, struct statement *statement);
    enum err (*changed)(struct db *db, int64_t *out);

    enum err (*begin)(struct db *db);
    enum err (*commit)(struct db *db);
    void (*rollback)(struct db *db);
    enum err (*savepoint)(struct db *db, int depth);
    enum err (*release)(struct db *db, int depth);
    enum err (*rollback_to)(struct db *db, int depth); /* and ends it */

    /* Several statements without parameters, inside a transaction: migrations. */
    enum err (*script)(struct db *db, const char *sql);
    /* Between transactions: what a connection does with idle time. */
    void (*tidy)(struct db *db);
    void (*close)(struct db *db);
    void (*cost)(struct db *db, struct db_cost *out); /* NULL: cannot tell */
    bool is_postgres;
};

struct deferral;
struct number_block;

struct db {
    const struct backend *backend;
    struct node *node;
    int index; /* of the connection among those of its kind */
    enum tx tx;
    int depth; /* open savepoints */
    /* Why this transaction cannot go on (sticky until it is rolled back), or what the last
     * statement failed with. */
    enum err failed, last;
    char detail[200];
    char conflict[128];
    struct statement *statements[STATEMENT_BUCKETS];
    struct number_block *wants_numbers; /* to be reserved when this transaction is over */
    bool ran_out_of_numbers;            /* the job runs again because of it */
    /* Work put off until the commit. */
    struct deferral *deferrals;
    size_t deferral_count, deferral_max;
    /* What is told when this is committed. */
    struct notice *notices;
    size_t notice_count, notice_max;
    /* How many of each there were when a savepoint began. */
    struct db_mark {
        size_t deferrals, notices;
    } marks[SAVEPOINTS_MAX];
};

/* For backends. `ends`: the transaction cannot go on. */
enum err db_fail(struct db *db, enum err code, bool ends, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* For a mistake in the program: logged with the query's name, shown as nothing in particular. */
enum err db_bug(struct db *db, const struct query *query, const char *what, struct str detail);
bool db_take_columns(struct statement *statement, size_t count,
                     const char *(*name)(void *context, size_t index), void *context);

/* For exec.c, migrate.c and numbers.c. */
enum err db_begin(struct db *db, enum tx tx);
/* Runs what was deferred. On a failure the transaction must be rolled back. */
enum err db_run_deferred(struct db *db, struct arena *arena, struct id_source *ids);
enum err db_commit(struct db *db);
void db_rollback(struct db *db);
/* A savepoint of exec's own around a job of a batch; drops deferred work like db_rollback_to. */
enum err db_job_begin(struct db *db);
enum err db_job_end(struct db *db, enum err result);
void db_forget_statements(struct db *db);
void db_close(struct db *db);
/* The failure of the transaction in the caller's words. */
void db_explain(const struct db *db, struct error *error);

enum sqlite_role { SQLITE_WRITER, SQLITE_READER };

enum err sqlite_open(struct node *node, enum sqlite_role role, int index, size_t cache_bytes,
                     struct db **out, struct error *error);
enum err sqlite_backup(const struct store_options *options, const char *path, struct error *error,
                       void (*progress)(void *context, int64_t done, int64_t total), void *context);
enum err sqlite_restore(const char *backup, const char *path, struct error *error,
                        void (*progress)(void *context, int64_t done, int64_t total),
                        void *context);
/* Connects at the first transaction. */
enum err postgres_open(struct node *node, int index, struct db **out, struct error *error);

/* What stands behind exec_listen() and its kin (db/notice.h), on PostgreSQL. */
struct postgres_listener;
enum err postgres_listen(const struct store_options *options,
                         void (*heard)(void *context, struct str text), void *context,
                         struct postgres_listener **out);
bool postgres_announce(struct postgres_listener *listener, struct str text);
bool postgres_hears(struct postgres_listener *listener);
void postgres_listener_close(struct postgres_listener *listener); /* NULL is fine */

#endif
