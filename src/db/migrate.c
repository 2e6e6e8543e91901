#include "db/migrate.h"

#include "base/log.h"
#include "db/backend.h"

/* The table of migrations is older than all queries: these are not in an .sql file. */
static const struct query newest_query = {
    .name = "migration_newest",
    .sqlite = "SELECT coalesce(max(number), 0) FROM schema_migrations",
    .postgres = "SELECT coalesce(max(number), 0) FROM schema_migrations",
};

static const char *const applied_params[] = {"number", "name", "now"};

static const struct query applied_query = {
    .name = "migration_applied",
    .sqlite = "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
    .postgres = "INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)",
    .params = applied_params,
    .param_count = COUNT_OF(applied_params),
    .writes = true,
};

#define TABLE_SQL                                                                                  \
    "CREATE TABLE IF NOT EXISTS schema_migrations ("                                               \
    "number bigint NOT NULL PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL);"

/* However long it takes, or another node does. The number is arbitrary; all programs that
 * migrate this database must use the same. */
#define LOCK_SQL                                                                                   \
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "                                \
    "SELECT pg_advisory_xact_lock(7308326155094);"

static enum err apply(struct ctx *cx, const struct migration *migration)
{
    struct db *db = cx->db;
    enum err result =
        db->backend->script(db, db->backend->is_postgres ? migration->postgres : migration->sqlite);

    if (result != OK)
        return error_set(cx->error, result, "Migration %d (%s) failed: %s", migration->number,
                         migration->name, db->detail);
    LOG(INFO, "migrated", LOG_INT("number", migration->number),
        LOG_TEXT("name", str_of(migration->name)));
    return db_run(
        cx, &applied_query,
        ARGS({"number", v_int(migration->number)}, {"name", v_text(str_of(migration->name))}));
}

static enum err apply_all(struct ctx *cx, const struct migration *migrations, size_t count)
{
    struct db *db = cx->db;
    int64_t newest = 0;

    if (db->backend->script(db, db->backend->is_postgres ? LOCK_SQL TABLE_SQL : TABLE_SQL) != OK) {
        db_explain(db, cx->error);
        return cx->error->code;
    }
    TRY(db_int(cx, &newest_query, NO_ARGS, &newest));
    if (newest > (count ? migrations[count - 1].number : 0))
        return error_set(cx->error, ERR_CONFLICT,
                         "The store is newer than this program (its schema has number %lld, "
                         "the program knows %d): use a newer program.",
                         (long long)newest, count ? migrations[count - 1].number : 0);
    for (size_t i = 0; i < count; i++) {
        if (migrations[i].number > newest)
            TRY(apply(cx, &migrations[i]));
    }
    return OK;
}

enum err migrate_check(struct db *db, const struct migration *migrations, size_t count,
                       struct error *error)
{
    struct ctx cx = {.db = db, .error = error, .now_us = time_now_us()};
    const int64_t known = count ? migrations[count - 1].number : 0;
    int64_t newest = 0;
    enum err result = db_begin(db, TX_REPORT);

    if (result == OK)
        result = db_int(&cx, &newest_query, NO_ARGS, &newest);
    else
        db_explain(db, error);
    db_rollback(db);
    if (result == ERR_INTERNAL)
        return error_set(error, ERR_CONFLICT, "This is no store, or none that was ever served.");
    if (result == OK && newest != known)
        return error_set(error, ERR_CONFLICT,
                         "The store's schema has number %lld, and the program knows %lld: the "
                         "older of them has to be brought up to date.",
                         (long long)newest, (long long)known);
    return result;
}

enum err migrate_run(struct db *db, const struct migration *migrations, size_t count,
                     struct error *error)
{
    struct ctx cx = {.db = db, .error = error, .now_us = time_now_us()};
    enum err result = db_begin(db, TX_WRITE);

    if (result == OK)
        result = apply_all(&cx, migrations, count);
    else
        db_explain(db, error);
    if (result == OK && (result = db_commit(db)) != OK)
        db_explain(db, error);
    if (result != OK)
        db_rollback(db);
    return result;
}
