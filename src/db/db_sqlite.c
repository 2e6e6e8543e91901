/* SQLite. One connection writes and checkpoints, the others only read and never checkpoint:
 * SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at once. */
#include "db/backend.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define BUSY_MS 5000
#define CHECKPOINT_PAGES 10000
/* Readers that always overlap keep the WAL from starting over: from this size on, the
 * writer waits for them (new ones then read from the database file). */
#define RESTART_PAGES (6 * CHECKPOINT_PAGES)
#define RESTART_WAIT_MS 500
#define WAL_KEPT_BYTES MIB(64)
#define MMAP_BYTES ((int64_t)0x7fff0000)
#define PROBE_US SECOND_US
#define BACKUP_STEP_PAGES 256

enum fixed { BEGIN_WRITE, BEGIN_READ, COMMIT, ROLLBACK, FIXED_COUNT };

struct sqlite_statement {
    struct statement base;
    sqlite3_stmt *handle;
    bool done;
};

struct sqlite_db {
    struct db base;
    sqlite3 *handle;
    enum sqlite_role role;
    sqlite3_stmt *fixed[FIXED_COUNT];
    sqlite3_stmt *savepoint[SAVEPOINTS_MAX], *release[SAVEPOINTS_MAX], *back[SAVEPOINTS_MAX];
    int wal_pages;
    int64_t changed, failed_us;
};

static struct sqlite_db *sqlite_of(struct db *db)
{
    return (struct sqlite_db *)db;
}

static void log_error(struct sqlite_db *sq, const struct query *query, const char *what)
{
    LOG(ERROR, what, LOG_TEXT("query", str_of(query ? query->name : "")),
        LOG_TEXT("detail", str_of(sqlite3_errmsg(sq->handle))),
        LOG_INT("sqlite_code", sqlite3_extended_errcode(sq->handle)),
        LOG_INT("errno", sqlite3_system_errno(sq->handle)));
}

/* What the disk holds after a failed fsync is unknown, and asking again may answer yes
 * without having written (the kernel drops the pages): nothing may be acknowledged any more. */
static void check_fsync(struct sqlite_db *sq)
{
    const int code = sqlite3_extended_errcode(sq->handle);

    if (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)
        return;
    log_error(sq, NULL, "the disk did not keep what was written: the server ends here");
    if (sq->base.node->options.broken)
        sq->base.node->options.broken("the disk did not keep what was written");
    abort();
}

/* PostgreSQL's names for constraints that have none: both stores tell the same. */
static void name_constraint(struct sqlite_db *sq, const char *table, const char *index,
                            const char *origin, char *out, size_t out_size)
{
    sqlite3_stmt *columns = NULL;
    size_t len;

    if (strcmp(origin, "c") == 0) {
        snprintf(out, out_size, "%s", index);
        return;
    }
    if (strcmp(origin, "pk") == 0) {
        snprintf(out, out_size, "%s_pkey", table);
        return;
    }
    snprintf(out, out_size, "%s", table);
    if (sqlite3_prepare_v2(sq->handle, "SELECT name FROM pragma_index_info(?1)", -1, &columns,
                           NULL) == SQLITE_OK) {
        sqlite3_bind_text(columns, 1, index, -1, SQLITE_STATIC);
        while (sqlite3_step(columns) == SQLITE_ROW) {
            len = strlen(out);
            snprintf(out + len, out_size - len, "_%s",
                     (const char *)sqlite3_column_text(columns, 0));
        }
    }
    sqlite3_finalize(columns);
    len = strlen(out);
    snprintf(out + len, out_size - len, "_key");
}

/* `columns` is "customers.tenant_id, customers.external_id", as SQLite says it. */
static void find_constraint(struct sqlite_db *sq, const char *columns, char *out, size_t out_size)
{
    static const char sql[] =
        "SELECT l.name, l.origin, (SELECT group_concat(?1 || '.' || i.name, ', ')"
        " FROM pragma_index_info(l.name) AS i) AS columns"
        " FROM pragma_index_list(?1) AS l WHERE l.\"unique\" AND columns = ?2";
    sqlite3_stmt *find = NULL;
    char table[64];
    const char *dot = strchr(columns, '.');

    if (!dot || (size_t)(dot - columns) >= sizeof(table))
        return;
    memcpy(table, columns, (size_t)(dot - columns));
    table[dot - columns] = '\0';
    if (sqlite3_prepare_v2(sq->handle, sql, -1, &find, NULL) == SQLITE_OK) {
        sqlite3_bind_text(find, 1, table, -1, SQLITE_STATIC);
        sqlite3_bind_text(find, 2, columns, -1, SQLITE_STATIC);
        if (sqlite3_step(find) == SQLITE_ROW)
            name_constraint(sq, table, (const char *)sqlite3_column_text(find, 0),
                            (const char *)sqlite3_column_text(find, 1), out, out_size);
        else /* a primary key that is the rowid has no index */
            snprintf(out, out_size, "%s_pkey", table);
    }
    sqlite3_finalize(find);
}

static void take_conflict(struct sqlite_db *sq)
{
    static const char by_index[] = "UNIQUE constraint failed: index '";
    static const char by_columns[] = "UNIQUE constraint failed: ";
    struct db *db = &sq->base;
    char message[512];

    /* A copy: looking up the constraint's name says something else meanwhile. */
    snprintf(message, sizeof(message), "%s", sqlite3_errmsg(sq->handle));
    if (strncmp(message, by_index, sizeof(by_index) - 1) == 0) {
        const char *name = message + sizeof(by_index) - 1;

        snprintf(db->conflict, sizeof(db->conflict), "%.*s",
                 (int)(strcspn(name, "'") % sizeof(db->conflict)), name);
    } else if (strncmp(message, by_columns, sizeof(by_columns) - 1) == 0) {
        find_constraint(sq, message + sizeof(by_columns) - 1, db->conflict, sizeof(db->conflict));
    }
}

static enum err constraint_failure(struct sqlite_db *sq, const struct query *query)
{
    switch (sqlite3_extended_errcode(sq->handle)) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        take_conflict(sq);
        return db_fail(&sq->base, ERR_CONFLICT, false, "There is such a record already.");
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return db_fail(&sq->base, ERR_CONFLICT, false,
                       "Another record is missing, or still refers to this one.");
    default:
        return db_bug(&sq->base, query, "a constraint was broken",
                      str_of(sqlite3_errmsg(sq->handle)));
    }
}

/* Turns SQLite's code into ours. What the machine cannot do ends the transaction, whether
 * SQLite has rolled it back already (autocommit) or not: of what a batch wrote so far,
 * nothing may be kept that the rest would have stood on. */
static enum err failure(struct sqlite_db *sq, const struct query *query, int code)
{
    struct db *db = &sq->base;

    sq->failed_us = time_monotonic_us();
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        return constraint_failure(sq, query);
    case SQLITE_TOOBIG:
        return db_fail(db, ERR_TOO_LARGE, false, "A value is larger than the store takes.");
    case SQLITE_FULL:
        log_error(sq, query, "the store is full");
        return db_fail(db, ERR_UNAVAILABLE, true, "The store is full.");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        check_fsync(sq);
        log_error(sq, query, "the store cannot be read or written");
        return db_fail(db, ERR_UNAVAILABLE, true, "The store cannot be read or written.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        log_error(sq, query, "the store is damaged");
        return db_fail(db, ERR_UNAVAILABLE, true, "The store is damaged.");
    case SQLITE_NOMEM:
        log_error(sq, query, "no memory left");
        return db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        log_error(sq, query, "another program holds the store");
        return db_fail(db, ERR_UNAVAILABLE, true, "Another program holds the store.");
    default:
        /* A bug, but one that may have cost the transaction. */
        (void)db_bug(db, query, "a statement failed", str_of(sqlite3_errmsg(sq->handle)));
        if (db->tx != TX_UNSET && sqlite3_get_autocommit(sq->handle))
            db->failed = ERR_INTERNAL;
        return ERR_INTERNAL;
    }
}

/* Statements */

static const char *column_name(void *statement, size_t index)
{
    return sqlite3_column_name(statement, (int)index);
}

static void forget(struct statement *statement)
{
    sqlite3_finalize(((struct sqlite_statement *)statement)->handle);
    free(statement);
}

static enum err prepare(struct db *db, const struct query *query, struct statement **out)
{
    struct sqlite_db *sq = sqlite_of(db);
    struct sqlite_statement *statement = calloc(1, sizeof(*statement));
    int code;

    if (!statement)
        return db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    code = sqlite3_prepare_v3(sq->handle, query->sqlite, -1, SQLITE_PREPARE_PERSISTENT,
                              &statement->handle, NULL);
    if (code != SQLITE_OK) {
        free(statement);
        return failure(sq, query, code);
    }
    if ((size_t)sqlite3_bind_parameter_count(statement->handle) != query->param_count) {
        forget(&statement->base);
        return db_bug(db, query, "parameters and their names do not match", STR_NULL);
    }
    if (!db_take_columns(&statement->base, (size_t)sqlite3_column_count(statement->handle),
                         column_name, statement->handle)) {
        for (size_t i = 0; i < statement->base.column_count; i++)
            free(statement->base.columns[i]);
        free(statement->base.columns);
        forget(&statement->base);
        return db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    }
    *out = &statement->base;
    return OK;
}

static int bind_value(sqlite3_stmt *handle, int index, const struct value *value)
{
    if (value->null)
        return sqlite3_bind_null(handle, index);
    switch (value->type) {
    case V_UUID:
        return sqlite3_bind_blob(handle, index, value->uuid.bytes, sizeof(value->uuid.bytes),
                                 SQLITE_STATIC);
    case V_TEXT:
        return sqlite3_bind_text64(handle, index, value->text.ptr, value->text.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case V_BYTES:
        return sqlite3_bind_blob64(handle, index, value->text.ptr, value->text.len, SQLITE_STATIC);
    case V_INT:
    case V_BOOL:
    case V_TIME:
        return sqlite3_bind_int64(handle, index, value->integer);
    case V_REAL:
        return sqlite3_bind_double(handle, index, value->real);
    }
    return SQLITE_MISUSE;
}

static enum err start(struct db *db, struct statement *statement, const struct value *values,
                      bool later)
{
    struct sqlite_statement *st = (struct sqlite_statement *)statement;

    (void)later; /* nothing to wait for: the store is here */
    for (size_t i = 0; i < statement->query->param_count; i++) {
        const int code = bind_value(st->handle, (int)i + 1, &values[i]);

        if (code != SQLITE_OK)
            return failure(sqlite_of(db), statement->query, code);
    }
    st->done = false;
    return OK;
}

static enum err step(struct db *db, struct statement *statement, bool *row)
{
    struct sqlite_db *sq = sqlite_of(db);
    struct sqlite_statement *st = (struct sqlite_statement *)statement;
    int code;

    *row = false;
    if (st->done)
        return OK;
    code = sqlite3_step(st->handle);
    if (code == SQLITE_ROW) {
        *row = true;
        return OK;
    }
    st->done = true;
    if (code != SQLITE_DONE)
        return failure(sq, statement->query, code);
    /* sqlite3_changes() speaks of the last write, whenever that was. */
    sq->changed = statement->query->writes ? sqlite3_changes64(sq->handle) : 0;
    return OK;
}

static enum err wrong_type(struct db *db, struct statement *statement, size_t index)
{
    return db_bug(db, statement->query, "a column of another type",
                  str_of(statement->columns[index]));
}

static enum err column(struct db *db, struct statement *statement, size_t index,
                       enum value_type type, struct value *out)
{
    sqlite3_stmt *handle = ((struct sqlite_statement *)statement)->handle;
    const int at = (int)index;
    const int stored = sqlite3_column_type(handle, at);

    *out = (struct value){.type = type, .null = stored == SQLITE_NULL};
    if (out->null)
        return OK;
    switch (type) {
    case V_UUID:
        if (stored != SQLITE_BLOB || sqlite3_column_bytes(handle, at) != sizeof(out->uuid.bytes))
            return wrong_type(db, statement, index);
        memcpy(out->uuid.bytes, sqlite3_column_blob(handle, at), sizeof(out->uuid.bytes));
        return OK;
    case V_TEXT:
    case V_BYTES:
        if (stored != SQLITE_TEXT && stored != SQLITE_BLOB)
            return wrong_type(db, statement, index);
        out->text.ptr = stored == SQLITE_TEXT ? (const char *)sqlite3_column_text(handle, at)
                                              : sqlite3_column_blob(handle, at);
        out->text.len = (size_t)sqlite3_column_bytes(handle, at);
        if (!out->text.ptr && out->text.len > 0)
            return failure(sqlite_of(db), statement->query, SQLITE_NOMEM);
        if (!out->text.ptr)
            out->text.ptr = ""; /* an empty blob */
        return OK;
    case V_INT:
    case V_BOOL:
    case V_TIME:
        if (stored != SQLITE_INTEGER)
            return wrong_type(db, statement, index);
        out->integer = sqlite3_column_int64(handle, at);
        return OK;
    case V_REAL:
        if (stored != SQLITE_FLOAT && stored != SQLITE_INTEGER)
            return wrong_type(db, statement, index);
        out->real = sqlite3_column_double(handle, at);
        return OK;
    }
    return wrong_type(db, statement, index);
}

static void finish(struct db *db, struct statement *statement)
{
    (void)db;
    sqlite3_reset(((struct sqlite_statement *)statement)->handle);
}

static enum err changed(struct db *db, int64_t *out)
{
    *out = sqlite_of(db)->changed;
    return OK;
}

/* Transactions */

/* Statements without parameters that are run all the time. */
static enum err run_fixed(struct sqlite_db *sq, sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    enum err result = OK;

    if (code != SQLITE_DONE)
        result = failure(sq, NULL, code);
    sqlite3_reset(statement);
    return result;
}

static enum err begin(struct db *db)
{
    struct sqlite_db *sq = sqlite_of(db);

    return run_fixed(sq, sq->fixed[sq->role == SQLITE_WRITER ? BEGIN_WRITE : BEGIN_READ]);
}

static void rollback(struct db *db)
{
    struct sqlite_db *sq = sqlite_of(db);

    if (!sqlite3_get_autocommit(sq->handle)) {
        sqlite3_step(sq->fixed[ROLLBACK]);
        sqlite3_reset(sq->fixed[ROLLBACK]);
    }
    if (!sqlite3_get_autocommit(sq->handle))
        log_error(sq, NULL, "a rollback failed");
}

static enum err commit(struct db *db)
{
    struct sqlite_db *sq = sqlite_of(db);

    if (sqlite3_get_autocommit(sq->handle)) /* it was rolled back underneath */
        return db_fail(db, ERR_UNAVAILABLE, true, "The store could not keep the change.");
    return run_fixed(sq, sq->fixed[COMMIT]);
}

static enum err savepoint(struct db *db, int depth)
{
    return run_fixed(sqlite_of(db), sqlite_of(db)->savepoint[depth]);
}

static enum err release(struct db *db, int depth)
{
    return run_fixed(sqlite_of(db), sqlite_of(db)->release[depth]);
}

static enum err rollback_to(struct db *db, int depth)
{
    TRY(run_fixed(sqlite_of(db), sqlite_of(db)->back[depth]));
    return release(db, depth);
}

static enum err script(struct db *db, const char *sql)
{
    struct sqlite_db *sq = sqlite_of(db);
    const int code = sqlite3_exec(sq->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? OK : failure(sq, NULL, code);
}

/* Checkpoints */

static int count_wal(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    ((struct sqlite_db *)context)->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint(struct sqlite_db *sq, int mode)
{
    int pages = 0, moved = 0;
    const int code = sqlite3_wal_checkpoint_v2(sq->handle, NULL, mode, &pages, &moved);

    if (code != SQLITE_OK && code != SQLITE_BUSY) {
        check_fsync(sq);
        log_error(sq, NULL, "a checkpoint failed");
    }
}

/* Writes a page for the sake of it: a full disk that has room again is noticed although
 * nobody writes, because a balancer sends nothing to a server that is not ready. */
static void probe(struct sqlite_db *sq)
{
    char sql[64];
    sqlite3_stmt *read = NULL;
    int64_t version = 0;

    if (sqlite3_prepare_v2(sq->handle, "PRAGMA user_version", -1, &read, NULL) == SQLITE_OK &&
        sqlite3_step(read) == SQLITE_ROW)
        version = sqlite3_column_int64(read, 0);
    sqlite3_finalize(read);
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version);
    if (db_begin(&sq->base, TX_WRITE) == OK && script(&sq->base, sql) == OK &&
        commit(&sq->base) == OK) {
        atomic_store(&sq->base.node->ready, true);
        LOG(INFO, "the store takes writes again", LOG_TEXT("store", STR("sqlite")));
    }
    rollback(&sq->base);
}

static void tidy(struct db *db)
{
    struct sqlite_db *sq = sqlite_of(db);

    if (sq->role != SQLITE_WRITER)
        return;
    if (!atomic_load(&db->node->ready) && time_monotonic_us() - sq->failed_us > PROBE_US)
        probe(sq);
    if (sq->wal_pages < CHECKPOINT_PAGES)
        return;
    if (sq->wal_pages >= RESTART_PAGES) {
        sqlite3_busy_timeout(sq->handle, RESTART_WAIT_MS);
        checkpoint(sq, SQLITE_CHECKPOINT_RESTART);
        sqlite3_busy_timeout(sq->handle, BUSY_MS);
    } else {
        checkpoint(sq, SQLITE_CHECKPOINT_PASSIVE);
    }
    sq->wal_pages = 0; /* the next commit tells anew */
}

/* Opening and closing */

static void close_db(struct db *db)
{
    struct sqlite_db *sq = sqlite_of(db);

    for (size_t i = 0; i < FIXED_COUNT; i++)
        sqlite3_finalize(sq->fixed[i]);
    for (size_t i = 0; i < SAVEPOINTS_MAX; i++) {
        sqlite3_finalize(sq->savepoint[i]);
        sqlite3_finalize(sq->release[i]);
        sqlite3_finalize(sq->back[i]);
    }
    if (sq->role == SQLITE_WRITER && sq->handle)
        checkpoint(sq, SQLITE_CHECKPOINT_TRUNCATE);
    if (sqlite3_close(sq->handle) != SQLITE_OK)
        log_error(sq, NULL, "a connection did not close");
    free(sq);
}

static void cost(struct db *db, struct db_cost *out)
{
    sqlite3 *handle = sqlite_of(db)->handle;

    for (sqlite3_stmt *at = sqlite3_next_stmt(handle, NULL); at;
         at = sqlite3_next_stmt(handle, at)) {
        out->vm_steps += sqlite3_stmt_status(at, SQLITE_STMTSTATUS_VM_STEP, 1);
        out->full_scan_steps += sqlite3_stmt_status(at, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    }
}

static const struct backend sqlite_backend = {
    .prepare = prepare,
    .forget = forget,
    .start = start,
    .step = step,
    .column = column,
    .finish = finish,
    .changed = changed,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .release = release,
    .rollback_to = rollback_to,
    .script = script,
    .tidy = tidy,
    .close = close_db,
    .cost = cost,
    .is_postgres = false,
};

static bool prepare_fixed(struct sqlite_db *sq, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(sq->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) ==
           SQLITE_OK;
}

static bool prepare_all_fixed(struct sqlite_db *sq)
{
    static const char *const texts[FIXED_COUNT] = {"BEGIN IMMEDIATE", "BEGIN", "COMMIT",
                                                   "ROLLBACK"};
    char sql[64];
    bool fine = true;

    for (size_t i = 0; i < FIXED_COUNT; i++)
        fine = fine && prepare_fixed(sq, texts[i], &sq->fixed[i]);
    for (int i = 0; i < SAVEPOINTS_MAX; i++) {
        snprintf(sql, sizeof(sql), "SAVEPOINT s%d", i);
        fine = fine && prepare_fixed(sq, sql, &sq->savepoint[i]);
        snprintf(sql, sizeof(sql), "RELEASE s%d", i);
        fine = fine && prepare_fixed(sq, sql, &sq->release[i]);
        snprintf(sql, sizeof(sql), "ROLLBACK TO s%d", i);
        fine = fine && prepare_fixed(sq, sql, &sq->back[i]);
    }
    return fine;
}

static bool run_pragma(struct sqlite_db *sq, const char *format, int64_t value)
{
    char sql[96];

    snprintf(sql, sizeof(sql), format, (long long)value);
    return sqlite3_exec(sq->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Made here first, so that only the owner can read it; SQLite gives the WAL the same mode. */
static void make_private(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd >= 0)
        close(fd);
}

static bool configure(struct sqlite_db *sq, size_t cache_bytes)
{
    const char *unsafe = sq->base.node->options.unsafe;
    const bool is_writer = sq->role == SQLITE_WRITER;
    const bool synchronous = !unsafe || strcmp(unsafe, "synchronous-off") != 0;
    bool fine;

    sqlite3_busy_timeout(sq->handle, BUSY_MS);
    sqlite3_extended_result_codes(sq->handle, 1);
    fine = sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
           sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) == SQLITE_OK &&
           sqlite3_db_config(sq->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_writer ? 0 : 1,
                             NULL) == SQLITE_OK &&
           run_pragma(sq, "PRAGMA cache_size = -%lld", (int64_t)(cache_bytes / 1024)) &&
           /* The savepoints' journal of the writer is a file past a bound: a list in memory is
            * walked from its beginning at the end of nearly each statement, so that a request
            * that changes thousands of rows took minutes instead of a second. */
           run_pragma(sq, "PRAGMA temp_store = %lld", is_writer ? 1 : 2) &&
           run_pragma(sq, "PRAGMA wal_autocheckpoint = %lld", 0);
    if (is_writer) {
        sqlite3_wal_hook(sq->handle, count_wal, sq);
        return fine && run_pragma(sq, "PRAGMA page_size = %lld", PAGE_BYTES) &&
               run_pragma(sq, "PRAGMA journal_mode = WAL", 0) &&
               run_pragma(sq, "PRAGMA synchronous = %lld", synchronous ? 2 : 0) &&
               run_pragma(sq, "PRAGMA journal_size_limit = %lld", (int64_t)WAL_KEPT_BYTES);
    }
    return fine && run_pragma(sq, "PRAGMA query_only = %lld", 1) &&
           run_pragma(sq, "PRAGMA mmap_size = %lld", MMAP_BYTES);
}

/* Counting every allocation takes a lock that all connections share. */
static void set_up_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err sqlite_open(struct node *node, enum sqlite_role role, int index, size_t cache_bytes,
                     struct db **out, struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sqlite_db *sq = calloc(1, sizeof(*sq));
    char path[4096];
    int code;

    pthread_once(&once, set_up_library);
    if (!sq || snprintf(path, sizeof(path), "%s/touchpoint.db", node->options.data_dir) >=
                   (int)sizeof(path)) {
        free(sq);
        return error_set(error, ERR_UNAVAILABLE, "The data folder's name is too long.");
    }
    sq->base = (struct db){.backend = &sqlite_backend, .node = node, .index = index};
    sq->role = role;
    if (role == SQLITE_WRITER)
        make_private(path);
    code = sqlite3_open_v2(path, &sq->handle,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               (role == SQLITE_WRITER ? SQLITE_OPEN_CREATE : 0),
                           node->options.vfs);
    if (code == SQLITE_OK && configure(sq, cache_bytes) && prepare_all_fixed(sq)) {
        *out = &sq->base;
        return OK;
    }
    error_set(error, ERR_UNAVAILABLE, "The store %s cannot be opened: %s", path,
              sq->handle ? sqlite3_errmsg(sq->handle) : "no memory");
    close_db(&sq->base);
    return ERR_UNAVAILABLE;
}

/* Backup and restore */

#define TABLES_SQL                                                                                 \
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "          \
    "ESCAPE '\\' ORDER BY name"

static enum err file_failure(struct error *error, const char *what, const char *path)
{
    return error_set(error, ERR_UNAVAILABLE, "%s cannot be %s: %s", path, what, strerror(errno));
}

static enum err copy_failure(struct error *error, sqlite3 *handle, const char *path)
{
    return error_set(error, ERR_UNAVAILABLE, "%s cannot be copied: %s", path,
                     handle ? sqlite3_errmsg(handle) : "no memory left");
}

/* On disk, its name too. */
static enum err sync_file(const char *path, struct error *error)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const char *const paths[] = {path, folder};

    if (!slash)
        snprintf(folder, sizeof(folder), ".");
    else
        snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) != 0) {
            if (fd >= 0)
                close(fd);
            return file_failure(error, "written to disk", paths[i]);
        }
        close(fd);
    }
    return OK;
}

static bool single_text(sqlite3 *handle, const char *sql, const char *wanted)
{
    sqlite3_stmt *statement = NULL;
    bool same = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK;

    if (same && wanted)
        same = sqlite3_step(statement) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(statement, 0), wanted) == 0;
    /* no (further) row */
    same = same && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return same;
}

static int64_t count_rows(sqlite3 *handle, const char *table)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table);
    int64_t rows = -1;

    if (sql && sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return rows;
}

/* Reads the copy whole: its pages, its references, and, where the original is at hand in
 * the snapshot that was copied, that no table has lost or won a row. */
static enum err verify(const char *path, const char *vfs, sqlite3 *original, struct error *error)
{
    sqlite3 *copy = NULL;
    sqlite3_stmt *tables = NULL;
    enum err result = OK;
    int64_t table_count = 0;

    if (sqlite3_open_v2(path, &copy, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs) !=
        SQLITE_OK) {
        result = copy_failure(error, copy, path);
    } else if (!single_text(copy, "PRAGMA integrity_check(1)", "ok")) {
        result = error_set(error, ERR_UNAVAILABLE, "%s is damaged.", path);
    } else if (!single_text(copy, "PRAGMA foreign_key_check", NULL)) {
        result = error_set(error, ERR_UNAVAILABLE, "%s has references that lead nowhere.", path);
    } else if (sqlite3_prepare_v2(original ? original : copy, TABLES_SQL, -1, &tables, NULL) !=
               SQLITE_OK) {
        result = copy_failure(error, original ? original : copy, path);
    } else {
        while (result == OK && sqlite3_step(tables) == SQLITE_ROW) {
            const char *table = (const char *)sqlite3_column_text(tables, 0);
            const int64_t rows = count_rows(copy, table);

            table_count++;
            if (rows < 0 || (original && rows != count_rows(original, table)))
                result = error_set(error, ERR_UNAVAILABLE,
                                   "%s has other rows than the store in %s.", path, table);
        }
        if (result == OK && (table_count == 0 || count_rows(copy, "schema_migrations") < 1))
            result = error_set(error, ERR_CONFLICT, "%s is no copy of a store.", path);
    }
    sqlite3_finalize(tables);
    sqlite3_close(copy);
    return result;
}

static enum err copy_pages(sqlite3 *from, sqlite3 *into, const char *path, struct error *error,
                           void (*progress)(void *context, int64_t done, int64_t total),
                           void *context)
{
    sqlite3_backup *backup = sqlite3_backup_init(into, "main", from, "main");
    int code = SQLITE_OK;

    if (!backup)
        return copy_failure(error, into, path);
    while (code == SQLITE_OK) {
        code = sqlite3_backup_step(backup, BACKUP_STEP_PAGES);
        if (progress) {
            const int64_t total = sqlite3_backup_pagecount(backup);

            progress(context, total - sqlite3_backup_remaining(backup), total);
        }
    }
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE)
        return error_set(error, ERR_UNAVAILABLE, "%s cannot be copied: %s", path,
                         sqlite3_errstr(code));
    return OK;
}

/* Copies, verifies, and only then gives the copy its name. */
static enum err copy_database(sqlite3 *from, const char *path, const char *vfs, struct error *error,
                              void (*progress)(void *context, int64_t done, int64_t total),
                              void *context)
{
    char part[4096];
    sqlite3 *into = NULL;
    enum err result;

    if (access(path, F_OK) == 0)
        return error_set(error, ERR_CONFLICT, "%s exists already.", path);
    if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
        return error_set(error, ERR_INVALID, "The file's name is too long.");
    if (unlink(part) != 0 && errno != ENOENT)
        return file_failure(error, "replaced", part);
    if (sqlite3_open_v2(part, &into,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        vfs) != SQLITE_OK ||
        chmod(part, S_IRUSR | S_IWUSR) != 0)
        result = copy_failure(error, into, part);
    else
        result = copy_pages(from, into, part, error, progress, context);
    /* One file, with nothing beside it. */
    if (result == OK && !single_text(into, "PRAGMA journal_mode = DELETE", "delete"))
        result = copy_failure(error, into, part);
    sqlite3_close(into);
    if (result == OK)
        result = sync_file(part, error);
    if (result == OK)
        result = verify(part, vfs, from, error);
    if (result == OK && rename(part, path) != 0)
        result = file_failure(error, "renamed", part);
    if (result != OK) {
        unlink(part);
        return result;
    }
    return sync_file(path, error);
}

enum err sqlite_backup(const struct store_options *options, const char *path, struct error *error,
                       void (*progress)(void *context, int64_t done, int64_t total), void *context)
{
    char source[4096];
    sqlite3 *from = NULL;
    enum err result;

    if (snprintf(source, sizeof(source), "%s/touchpoint.db", options->data_dir) >=
        (int)sizeof(source))
        return error_set(error, ERR_INVALID, "The data folder's name is too long.");
    /* A snapshot of one moment, however long the copy takes: what is written meanwhile
     * stays in the WAL, and the copy is not begun anew. Never checkpoints. */
    if (sqlite3_open_v2(source, &from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, options->vfs) !=
            SQLITE_OK ||
        sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(from, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(from,
                     "PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = 1; BEGIN;"
                     "SELECT count(*) FROM sqlite_schema",
                     NULL, NULL, NULL) != SQLITE_OK)
        result = copy_failure(error, from, source);
    else
        result = copy_database(from, path, options->vfs, error, progress, context);
    sqlite3_close(from);
    return result;
}

enum err sqlite_restore(const char *backup, const char *path, struct error *error,
                        void (*progress)(void *context, int64_t done, int64_t total), void *context)
{
    sqlite3 *from = NULL;
    enum err result = verify(backup, NULL, NULL, error);

    if (result != OK)
        return result;
    if (sqlite3_open_v2(backup, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
            SQLITE_OK)
        result = copy_failure(error, from, backup);
    else
        result = copy_database(from, path, NULL, error, progress, context);
    sqlite3_close(from);
    return result;
}
