/* PostgreSQL, in libpq's pipeline mode: what nobody waits for (BEGIN, writes without rows,
 * the end of a transaction) is sent together with the next statement whose rows are wanted,
 * or with the COMMIT. So a job costs a round trip for each read, and one for the commit.
 *
 * Every statement is sent in order and its outcome is read in that order. A failure makes the
 * server skip all that follows until the next sync, which ends each round trip. */
#include "db/backend.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS "5"
#define STATEMENT_TIMEOUT_MS "30000"
#define REPORT_TIMEOUT_MS "600000"
#define LOCK_TIMEOUT_MS "10000"
#define IDLE_TIMEOUT_MS "60000" /* a job that forgot its transaction */
#define OLDEST_SERVER 150000
#define EPOCH_US INT64_C(946684800000000) /* 2000-01-01, where timestamptz begins */
#define UNREAD_MAX 256                    /* outcomes left unread before they are looked at */
#define BACKOFF_FIRST_US (SECOND_US / 10)
#define BACKOFF_MOST_US (5 * SECOND_US)
#define CHECK_US SECOND_US

/* pg_type.dat */
enum type_oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_JSONB = 3802,
};

enum fixed { BEGIN_WRITE, BEGIN_READ, COMMIT, ROLLBACK, FIXED_COUNT };

static const char *const fixed_names[FIXED_COUNT] = {"begin_write", "begin_read", "commit",
                                                     "rollback"};
static const char *const fixed_texts[FIXED_COUNT] = {
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    /* One snapshot for the whole job, as on SQLite. */
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "COMMIT",
    "ROLLBACK",
};

struct pg_statement {
    struct statement base;
    char name[16];
    Oid *types; /* of the parameters */
    PGresult *result;
    int row;
    bool later; /* nobody waits for it */
};

/* What an outcome that is still to be read belongs to. U_VOID: of a transaction that is
 * over, nobody minds. */
struct unread {
    enum unread_kind { U_STATEMENT, U_CONTROL, U_COMMIT, U_SYNC, U_VOID } kind;
    const struct query *query;
};

struct pg_db {
    struct db base;
    PGconn *connection;
    bool lost;  /* to be closed before the next transaction */
    bool begun; /* BEGIN was sent */
    enum commit_state { COMMIT_NOT_SENT, COMMIT_SENT, COMMIT_DONE } commit_state;
    struct unread unread[2 * UNREAD_MAX + 16];
    size_t unread_count;
    bool unsynced; /* something was sent since the last sync */
    int64_t changed;
    unsigned next_name;
    int64_t checked_us;
};

static struct pg_db *pg_of(struct db *db)
{
    return (struct pg_db *)db;
}

/* Failures */

/* `spoken`: the server itself said that the transaction is over. Else a COMMIT that has left
 * may have been done or not, and nobody can know. */
static enum err lose(struct pg_db *pg, const char *why, bool spoken)
{
    if (!pg->lost) {
        pg->lost = true;
        atomic_store(&pg->base.node->ready, false);
        LOG(WARN, "a connection to the store was lost", LOG_TEXT("detail", str_of(why)));
    }
    if (pg->commit_state == COMMIT_DONE)
        return OK;
    if (pg->commit_state == COMMIT_SENT && !spoken)
        return db_fail(&pg->base, ERR_UNAVAILABLE, true,
                       "The connection to the store was lost at the commit: "
                       "whether the change was kept is not known.");
    return db_fail(&pg->base, ERR_RERUN, true, "The connection to the store was lost.");
}

static bool state_is(const char *state, const char *wanted)
{
    return strncmp(state, wanted, strlen(wanted)) == 0;
}

static enum err unavailable(struct pg_db *pg, const struct query *query, const char *state,
                            const char *detail)
{
    LOG(WARN, "the store refused a statement", LOG_TEXT("query", str_of(query ? query->name : "")),
        LOG_TEXT("sqlstate", str_of(state)));
    return db_fail(&pg->base, ERR_UNAVAILABLE, true, "%s", detail);
}

/* Appendix A of PostgreSQL's manual. Messages may quote what people wrote, so only those of
 * class 42, which speak of the schema, are logged. */
static enum err failure(struct pg_db *pg, const struct unread *unread, const PGresult *result)
{
    struct db *db = &pg->base;
    const struct query *query = unread->query;
    const bool spoken = unread->kind != U_COMMIT; /* it may end the session after committing */
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *name = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char detail[160];

    if (!state)
        return lose(pg, "the server closed it", false);
    if (state_is(state, "57P0") || state_is(state, "08") || state_is(state, "25P03"))
        return lose(pg, "the server ended it", spoken);
    if (state_is(state, "40"))
        return db_fail(db, ERR_RERUN, true, "Another change came first.");
    if (state_is(state, "23505") || state_is(state, "23503")) {
        if (db->failed == OK)
            snprintf(db->conflict, sizeof(db->conflict), "%s", name ? name : "");
        return db_fail(db, ERR_CONFLICT, true, "%s",
                       state_is(state, "23505")
                           ? "There is such a record already."
                           : "Another record is missing, or still refers to this one.");
    }
    if (state_is(state, "53100"))
        return unavailable(pg, query, state, "The store is full.");
    if (state_is(state, "55P03") || state_is(state, "57014"))
        return unavailable(pg, query, state, "The store is too busy.");
    if (state_is(state, "53") || state_is(state, "58") || state_is(state, "XX"))
        return unavailable(pg, query, state, "The store cannot do this now.");
    if (state_is(state, "25006")) /* a server that became a standby */
        return lose(pg, "the server only reads", spoken);
    if (state_is(state, "54"))
        return db_fail(db, ERR_TOO_LARGE, true, "A value is larger than the store takes.");
    if (state_is(state, "0A000")) /* the schema changed under a prepared statement */
        return lose(pg, "a prepared statement is out of date", spoken);
    snprintf(detail, sizeof(detail), "%s %s", state,
             state_is(state, "42") && message ? message
             : name                           ? name
                                              : "");
    return db_bug(db, query, "a statement failed", str_of(detail));
}

/* Sending */

static enum err check_sent(struct pg_db *pg, int sent)
{
    if (sent == 1 && PQstatus(pg->connection) == CONNECTION_OK)
        return OK;
    return lose(pg, "sending failed", false);
}

static void note_unread(struct pg_db *pg, enum unread_kind kind, const struct query *query)
{
    pg->unread[pg->unread_count++] = (struct unread){kind, query};
    pg->unsynced = kind != U_SYNC;
}

static enum err send_text(struct pg_db *pg, const char *sql)
{
    TRY(check_sent(pg, PQsendQueryParams(pg->connection, sql, 0, NULL, NULL, NULL, NULL, 1)));
    note_unread(pg, U_CONTROL, NULL);
    return OK;
}

static enum err send_fixed(struct pg_db *pg, enum fixed which)
{
    if (pg->base.node->options.pooled)
        TRY(check_sent(pg, PQsendQueryParams(pg->connection, fixed_texts[which], 0, NULL, NULL,
                                             NULL, NULL, 1)));
    else
        TRY(check_sent(
            pg, PQsendQueryPrepared(pg->connection, fixed_names[which], 0, NULL, NULL, NULL, 1)));
    note_unread(pg, which == COMMIT ? U_COMMIT : U_CONTROL, NULL);
    return OK;
}

static enum err send_sync(struct pg_db *pg)
{
    TRY(check_sent(pg, PQpipelineSync(pg->connection)));
    note_unread(pg, U_SYNC, NULL);
    return OK;
}

/* Reading outcomes */

static void note_changed(struct pg_db *pg, PGresult *result)
{
    if (!str_to_int(str_of(PQcmdTuples(result)), &pg->changed))
        pg->changed = 0;
}

/* One outcome, read to its end. The result goes to *out if that is wanted. */
static void read_outcome(struct pg_db *pg, const struct unread *unread, PGresult **out)
{
    PGresult *result;
    bool any = false;

    while ((result = PQgetResult(pg->connection)) != NULL) {
        const ExecStatusType status = PQresultStatus(result);

        any = true;
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return; /* the one outcome that no NULL follows */
        }
        if (status == PGRES_FATAL_ERROR && unread->kind != U_VOID) {
            (void)failure(pg, unread, result);
        } else if (status == PGRES_COMMAND_OK && unread->kind == U_COMMIT) {
            if (strcmp(PQcmdStatus(result), "COMMIT") == 0)
                pg->commit_state = COMMIT_DONE;
            else
                (void)db_bug(&pg->base, NULL, "a commit of what had failed", STR_NULL);
        } else if (unread->kind == U_STATEMENT && status != PGRES_PIPELINE_ABORTED) {
            note_changed(pg, result);
            if (out) {
                *out = result;
                out = NULL;
                continue;
            }
        }
        PQclear(result);
    }
    if (!any || PQstatus(pg->connection) != CONNECTION_OK)
        (void)lose(pg, "the server closed it", false);
}

/* Reads all outcomes that are due, up to the sync that ends them. *out gets the last
 * statement's. */
static enum err read_outcomes(struct pg_db *pg, PGresult **out)
{
    size_t last = pg->unread_count;

    while (last > 0 && pg->unread[last - 1].kind != U_STATEMENT)
        last--;
    for (size_t i = 0; i < pg->unread_count && !pg->lost; i++)
        read_outcome(pg, &pg->unread[i], i + 1 == last ? out : NULL);
    pg->unread_count = 0;
    return pg->base.failed;
}

static enum err round_trip(struct pg_db *pg, PGresult **out)
{
    TRY(send_sync(pg));
    return read_outcomes(pg, out);
}

/* Connecting */

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* How many attempts of the node failed in a row decides when the next may be made: while
 * the server is away, jobs are refused at once. */
static void put_off(struct node *node)
{
    const int64_t failures = atomic_fetch_add(&node->connect_failures, 1);
    int64_t wait_us = BACKOFF_FIRST_US << (failures < 10 ? failures : 10);

    if (wait_us > BACKOFF_MOST_US)
        wait_us = BACKOFF_MOST_US;
    atomic_store(&node->retry_at_us, time_monotonic_us() + wait_us);
    atomic_store(&node->ready, false);
}

/* `local`: for this transaction only. Without jit: a bounded walk over an index is short,
 * and its estimate, which knows nothing of the bound, would have it compiled first. */
static void settings_sql(const struct pg_db *pg, bool local, char *out, size_t out_size)
{
    const char *unsafe = pg->base.node->options.unsafe;
    const char *scope = local ? "true" : "false";
    const char *commit = unsafe && strcmp(unsafe, "synchronous-off") == 0
                             ? "'off'"
                             : "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
                               "ELSE current_setting('synchronous_commit') END";

    snprintf(out, out_size,
             "SELECT set_config('timezone', 'UTC', %s),"
             " set_config('statement_timeout', '" STATEMENT_TIMEOUT_MS "', %s),"
             " set_config('lock_timeout', '" LOCK_TIMEOUT_MS "', %s),"
             " set_config('jit', 'off', %s),"
             " set_config('idle_in_transaction_session_timeout', '" IDLE_TIMEOUT_MS "', %s),"
             " set_config('synchronous_commit', %s, %s)",
             scope, scope, scope, scope, scope, commit, scope);
}

static enum err set_up_session(struct pg_db *pg)
{
    char sql[768];

    if (pg->base.node->options.pooled)
        return OK; /* the next transaction may have another session: see ensure_begun() */
    settings_sql(pg, false, sql, sizeof(sql));
    TRY(send_text(pg, sql));
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        TRY(check_sent(pg, PQsendPrepare(pg->connection, fixed_names[i], fixed_texts[i], 0, NULL)));
        note_unread(pg, U_CONTROL, NULL);
    }
    return round_trip(pg, NULL);
}

static void disconnect(struct pg_db *pg)
{
    if (pg->connection)
        PQfinish(pg->connection);
    pg->connection = NULL;
    pg->lost = pg->begun = pg->unsynced = false;
    pg->unread_count = 0;
    db_forget_statements(&pg->base);
}

/* What stands before dbname are defaults, which the URL may override. */
static enum err connect_to(struct pg_db *pg)
{
    const char *const names[] = {"connect_timeout",
                                 "application_name",
                                 "tcp_user_timeout",
                                 "keepalives_idle",
                                 "client_encoding",
                                 "dbname",
                                 NULL};
    const char *const values[] = {
        CONNECT_SECONDS, "touchpoint", "30000", "30", "UTF8", pg->base.node->options.url, NULL};
    struct db *db = &pg->base;

    disconnect(pg);
    if (time_monotonic_us() < atomic_load(&db->node->retry_at_us))
        return db_fail(db, ERR_UNAVAILABLE, true, "The store cannot be reached.");
    pg->connection = PQconnectdbParams(names, values, 1);
    if (!pg->connection || PQstatus(pg->connection) != CONNECTION_OK) {
        put_off(db->node);
        LOG(WARN, "the store cannot be reached",
            LOG_TEXT("detail", str_of(pg->connection ? PQerrorMessage(pg->connection) : "")));
        disconnect(pg);
        return db_fail(db, ERR_UNAVAILABLE, true, "The store cannot be reached.");
    }
    if (PQserverVersion(pg->connection) < OLDEST_SERVER) {
        put_off(db->node);
        disconnect(pg);
        return db_fail(db, ERR_UNAVAILABLE, true, "PostgreSQL 15 or newer is needed.");
    }
    PQsetNoticeProcessor(pg->connection, ignore_notice, NULL);
    pg->commit_state = COMMIT_NOT_SENT;
    if (PQenterPipelineMode(pg->connection) != 1 || set_up_session(pg) != OK) {
        put_off(db->node);
        disconnect(pg);
        return db_fail(db, ERR_UNAVAILABLE, true, "The store cannot be reached.");
    }
    atomic_store(&db->node->connect_failures, 0);
    atomic_store(&db->node->retry_at_us, 0);
    atomic_store(&db->node->ready, true);
    return OK;
}

/* Transactions */

static enum err begin(struct db *db)
{
    struct pg_db *pg = pg_of(db);

    pg->begun = false;
    if (!pg->connection || pg->lost)
        TRY(connect_to(pg));
    pg->commit_state = COMMIT_NOT_SENT;
    return OK;
}

/* With the first statement: a job that needs none costs nothing. */
static enum err ensure_begun(struct pg_db *pg)
{
    char sql[768];

    if (pg->lost)
        return lose(pg, "", true);
    if (pg->begun)
        return OK;
    TRY(send_fixed(pg, pg->base.tx == TX_WRITE ? BEGIN_WRITE : BEGIN_READ));
    pg->begun = true;
    if (pg->base.node->options.pooled) {
        settings_sql(pg, true, sql, sizeof(sql));
        TRY(send_text(pg, sql));
    }
    if (pg->base.tx == TX_REPORT)
        TRY(send_text(pg, "SET LOCAL statement_timeout = " REPORT_TIMEOUT_MS));
    return OK;
}

static enum err commit(struct db *db)
{
    struct pg_db *pg = pg_of(db);
    enum err result;

    if (!pg->begun)
        return OK;
    TRY(send_fixed(pg, COMMIT));
    pg->commit_state = COMMIT_SENT;
    result = round_trip(pg, NULL);
    pg->begun = result != OK;
    return result;
}

/* Nobody waits for it: its outcome is read with the next transaction's. */
static void rollback(struct db *db)
{
    struct pg_db *pg = pg_of(db);

    if (!pg->connection || pg->lost || !pg->begun)
        return;
    pg->begun = false;
    /* Without the sync, a failure that was not read yet would skip the ROLLBACK as well. */
    if (pg->unsynced && send_sync(pg) != OK)
        return;
    if (send_fixed(pg, ROLLBACK) != OK || send_sync(pg) != OK)
        return;
    for (size_t i = 0; i < pg->unread_count; i++)
        pg->unread[i].kind = U_VOID;
}

static enum err send_savepoint(struct pg_db *pg, const char *verb, int depth)
{
    char sql[48];

    TRY(ensure_begun(pg));
    snprintf(sql, sizeof(sql), "%s s%d", verb, depth);
    return send_text(pg, sql);
}

/* Waits, so that what failed before is not taken for a failure inside. */
static enum err savepoint(struct db *db, int depth)
{
    TRY(send_savepoint(pg_of(db), "SAVEPOINT", depth));
    return round_trip(pg_of(db), NULL);
}

static enum err release(struct db *db, int depth)
{
    return send_savepoint(pg_of(db), "RELEASE", depth);
}

static enum err rollback_to(struct db *db, int depth)
{
    TRY(send_savepoint(pg_of(db), "ROLLBACK TO", depth));
    return release(db, depth);
}

/* Statements */

static void forget(struct statement *statement)
{
    struct pg_statement *st = (struct pg_statement *)statement;

    PQclear(st->result);
    free(st->types);
    free(st);
}

static const char *column_name(void *result, size_t index)
{
    return PQfname(result, (int)index);
}

static bool describe(struct pg_statement *st, PGresult *result, size_t param_count)
{
    st->types = calloc(param_count + 1, sizeof(*st->types));
    if (!st->types)
        return false;
    for (size_t i = 0; i < param_count; i++)
        st->types[i] = PQparamtype(result, (int)i);
    return db_take_columns(&st->base, (size_t)PQnfields(result), column_name, result);
}

static void forget_half(struct pg_statement *st)
{
    for (size_t i = 0; i < st->base.column_count; i++)
        free(st->base.columns[i]);
    free(st->base.columns);
    forget(&st->base);
}

/* Where the pooler may change the session between two transactions, nothing prepared is
 * relied on: this asks for the types alone, and each use sends the text again. */
static enum err prepare(struct db *db, const struct query *query, struct statement **out)
{
    struct pg_db *pg = pg_of(db);
    struct pg_statement *st = calloc(1, sizeof(*st));
    PGresult *result = NULL;
    enum err outcome;

    if (!st)
        return db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    if (!db->node->options.pooled)
        snprintf(st->name, sizeof(st->name), "q%u", pg->next_name++);
    outcome = ensure_begun(pg);
    if (outcome == OK)
        outcome = check_sent(pg, PQsendPrepare(pg->connection, st->name, query->postgres, 0, NULL));
    if (outcome == OK) {
        note_unread(pg, U_CONTROL, query);
        outcome = check_sent(pg, PQsendDescribePrepared(pg->connection, st->name));
    }
    if (outcome == OK) {
        note_unread(pg, U_STATEMENT, query);
        outcome = round_trip(pg, &result);
    }
    if (outcome == OK && (size_t)PQnparams(result) != query->param_count)
        outcome = db_bug(db, query, "parameters and their names do not match", STR_NULL);
    if (outcome == OK && !describe(st, result, query->param_count))
        outcome = db_fail(db, ERR_UNAVAILABLE, true, "The server has no memory left.");
    PQclear(result);
    if (outcome != OK) {
        forget_half(st);
        return outcome;
    }
    *out = &st->base;
    return OK;
}

/* The parameters of one execution, as libpq wants them. */
struct message {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    uint64_t numbers[PARAMS_MAX]; /* in network byte order, where the value is one */
    char *copies[PARAMS_MAX];
    size_t copy_count;
};

static void put_int_64(struct message *message, size_t i, int64_t value)
{
    message->numbers[i] = htobe64((uint64_t)value);
    message->values[i] = (const char *)&message->numbers[i];
    message->lengths[i] = sizeof(message->numbers[i]);
    message->formats[i] = 1;
}

static void put_bytes(struct message *message, size_t i, const void *bytes, size_t size)
{
    message->values[i] = size > 0 ? bytes : "";
    message->lengths[i] = (int)size;
    message->formats[i] = 1;
}

/* For all other types the server reads the text itself: jsonb, arrays, numeric. */
static bool put_text(struct message *message, size_t i, struct str text)
{
    char *copy = strndup(text.ptr, text.len);

    if (!copy)
        return false;
    message->copies[message->copy_count++] = copy;
    message->values[i] = copy;
    return true;
}

static bool put_int(struct message *message, size_t i, int64_t value, Oid type)
{
    char text[24];
    int len;

    if (type == OID_INT8) {
        put_int_64(message, i, value);
        return true;
    }
    len = snprintf(text, sizeof(text), "%lld", (long long)value);
    return put_text(message, i, (struct str){text, (size_t)len});
}

static bool put_real(struct message *message, size_t i, double value, Oid type)
{
    char text[32];
    int64_t bits;
    int len;

    if (type == OID_FLOAT8) {
        memcpy(&bits, &value, sizeof(bits));
        put_int_64(message, i, bits);
        return true;
    }
    len = snprintf(text, sizeof(text), "%.17g", value);
    return put_text(message, i, (struct str){text, (size_t)len});
}

static bool is_text(Oid type)
{
    return type == OID_TEXT || type == OID_VARCHAR || type == OID_BPCHAR || type == OID_NAME ||
           type == OID_JSON;
}

/* False: this value does not go into a parameter of that type. */
static bool put_value(struct message *message, size_t i, const struct value *value, Oid type)
{
    if (value->null)
        return true;
    switch (value->type) {
    case V_UUID:
        put_bytes(message, i, value->uuid.bytes, sizeof(value->uuid.bytes));
        return type == OID_UUID;
    case V_TEXT:
        if (!is_text(type))
            return type != OID_UUID && type != OID_BYTEA && type != OID_TIMESTAMPTZ &&
                   put_text(message, i, value->text);
        put_bytes(message, i, value->text.ptr, value->text.len);
        return true;
    case V_BYTES:
        put_bytes(message, i, value->text.ptr, value->text.len);
        return type == OID_BYTEA;
    case V_INT:
        return !is_text(type) && type != OID_UUID && type != OID_TIMESTAMPTZ && type != OID_BOOL &&
               put_int(message, i, value->integer, type);
    case V_BOOL:
        put_bytes(message, i, value->integer ? "\1" : "\0", 1);
        return type == OID_BOOL;
    case V_TIME:
        put_int_64(message, i, value->integer == TIME_END ? INT64_MAX : value->integer - EPOCH_US);
        return type == OID_TIMESTAMPTZ;
    case V_REAL:
        return !is_text(type) && put_real(message, i, value->real, type);
    }
    return false;
}

static enum err send_statement(struct pg_db *pg, struct pg_statement *st,
                               const struct value *values)
{
    const struct query *query = st->base.query;
    const int count = (int)query->param_count;
    struct message message;
    enum err outcome = OK;

    message.copy_count = 0;
    for (size_t i = 0; i < query->param_count && outcome == OK; i++) {
        message.values[i] = NULL;
        message.lengths[i] = message.formats[i] = 0;
        if (!put_value(&message, i, &values[i], st->types[i]))
            outcome =
                db_bug(&pg->base, query, "a parameter of another type", str_of(query->params[i]));
    }
    if (outcome == OK && st->name[0])
        outcome =
            check_sent(pg, PQsendQueryPrepared(pg->connection, st->name, count, message.values,
                                               message.lengths, message.formats, 1));
    else if (outcome == OK)
        outcome =
            check_sent(pg, PQsendQueryParams(pg->connection, query->postgres, count, st->types,
                                             message.values, message.lengths, message.formats, 1));
    if (outcome == OK)
        note_unread(pg, U_STATEMENT, query);
    for (size_t i = 0; i < message.copy_count; i++)
        free(message.copies[i]);
    return outcome;
}

static enum err start(struct db *db, struct statement *statement, const struct value *values,
                      bool later)
{
    struct pg_db *pg = pg_of(db);
    struct pg_statement *st = (struct pg_statement *)statement;

    TRY(ensure_begun(pg));
    TRY(send_statement(pg, st, values));
    st->later = later && statement->column_count == 0;
    st->row = -1;
    if (st->later && pg->unread_count < UNREAD_MAX)
        return OK;
    return round_trip(pg, st->later ? NULL : &st->result);
}

static enum err step(struct db *db, struct statement *statement, bool *row)
{
    struct pg_statement *st = (struct pg_statement *)statement;

    (void)db;
    *row = !st->later && st->result && ++st->row < PQntuples(st->result);
    return OK;
}

static void finish(struct db *db, struct statement *statement)
{
    struct pg_statement *st = (struct pg_statement *)statement;

    (void)db;
    PQclear(st->result);
    st->result = NULL;
}

static enum err changed(struct db *db, int64_t *out)
{
    struct pg_db *pg = pg_of(db);

    if (pg->unsynced)
        TRY(round_trip(pg, NULL));
    *out = pg->changed;
    return OK;
}

/* Reading columns */

static uint16_t get_16(const char *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof(value));
    return ntohs(value);
}

static uint32_t get_32(const char *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return ntohl(value);
}

static uint64_t get_64(const char *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return be64toh(value);
}

/* What sum() and avg() give: digits to the base of 10,000, the first worth 10000^weight. */
static double get_numeric(const char *bytes, int size)
{
    const int digits = size >= 8 ? get_16(bytes) : 0;
    const int weight = size >= 8 ? (int16_t)get_16(bytes + 2) : 0;
    double value = 0;

    if (size < 8 + 2 * digits || get_16(bytes + 4) == 0xC000)
        return NAN;
    for (int i = 0; i < digits; i++)
        value += get_16(bytes + 8 + 2 * (ptrdiff_t)i) * pow(10000, weight - i);
    return get_16(bytes + 4) == 0x4000 ? -value : value;
}

/* The same for whole numbers, exactly. */
static bool get_whole_numeric(const char *bytes, int size, int64_t *out)
{
    const int digits = size >= 8 ? get_16(bytes) : 0;
    const int weight = size >= 8 ? (int16_t)get_16(bytes + 2) : 0;
    const bool negative = size >= 8 && get_16(bytes + 4) == 0x4000;
    int64_t value = 0;

    if (size < 8 + 2 * digits || (get_16(bytes + 4) & 0xBFFF) != 0 || digits > weight + 1)
        return false;
    for (int i = 0; i <= weight && digits > 0; i++) {
        const int64_t digit = i < digits ? get_16(bytes + 8 + 2 * (ptrdiff_t)i) : 0;

        if (__builtin_mul_overflow(value, 10000, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

static bool get_int(Oid type, const char *bytes, int size, int64_t *out)
{
    switch (type) {
    case OID_INT8:
        *out = (int64_t)get_64(bytes);
        return true;
    case OID_INT4:
        *out = (int32_t)get_32(bytes);
        return true;
    case OID_INT2:
        *out = (int16_t)get_16(bytes);
        return true;
    case OID_NUMERIC:
        return get_whole_numeric(bytes, size, out);
    default:
        return false;
    }
}

static bool get_real(Oid type, const char *bytes, int size, double *out)
{
    int64_t integer;
    uint64_t bits;
    uint32_t bits_32;
    float small;

    switch (type) {
    case OID_FLOAT8:
        bits = get_64(bytes);
        memcpy(out, &bits, sizeof(*out));
        return true;
    case OID_FLOAT4:
        bits_32 = get_32(bytes);
        memcpy(&small, &bits_32, sizeof(small));
        *out = (double)small;
        return true;
    case OID_NUMERIC:
        *out = get_numeric(bytes, size);
        return true;
    default:
        if (!get_int(type, bytes, size, &integer))
            return false;
        *out = (double)integer;
        return true;
    }
}

static bool get_value(Oid type, const char *bytes, int size, struct value *out)
{
    switch (out->type) {
    case V_UUID:
        if (type == OID_UUID)
            memcpy(out->uuid.bytes, bytes, sizeof(out->uuid.bytes));
        return type == OID_UUID;
    case V_TEXT:
        out->text = (struct str){bytes, (size_t)size};
        if (type == OID_JSONB) /* a version byte stands before it */
            out->text = str_slice(out->text, 1, out->text.len);
        return type == OID_JSONB || type == OID_BYTEA || is_text(type);
    case V_BYTES:
        out->text = (struct str){bytes, (size_t)size};
        return type == OID_BYTEA;
    case V_INT:
        return get_int(type, bytes, size, &out->integer);
    case V_BOOL:
        out->integer = bytes[0] != 0;
        return type == OID_BOOL;
    case V_TIME:
        if (type != OID_TIMESTAMPTZ)
            return false;
        out->integer = (int64_t)get_64(bytes);
        if (out->integer != TIME_END)
            out->integer += EPOCH_US;
        return true;
    case V_REAL:
        return get_real(type, bytes, size, &out->real);
    }
    return false;
}

static enum err column(struct db *db, struct statement *statement, size_t index,
                       enum value_type type, struct value *out)
{
    const struct pg_statement *st = (struct pg_statement *)statement;
    const int at = (int)index;

    *out = (struct value){.type = type};
    if (at >= PQnfields(st->result))
        return db_bug(db, statement->query, "a column is missing", STR_NULL);
    out->null = PQgetisnull(st->result, st->row, at) == 1;
    if (out->null || get_value(PQftype(st->result, at), PQgetvalue(st->result, st->row, at),
                               PQgetlength(st->result, st->row, at), out))
        return OK;
    return db_bug(db, statement->query, "a column of another type",
                  str_of(statement->columns[index]));
}

/* The rest */

/* Pipelines take one statement at a time: this leaves the mode and comes back. */
static enum err script(struct db *db, const char *sql)
{
    struct pg_db *pg = pg_of(db);
    PGresult *result;
    enum err outcome = OK;

    TRY(ensure_begun(pg));
    TRY(round_trip(pg, NULL));
    if (PQexitPipelineMode(pg->connection) != 1)
        return lose(pg, "it is out of step", true);
    result = PQexec(pg->connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        outcome = failure(pg, &(struct unread){.kind = U_CONTROL}, result);
    PQclear(result);
    if (PQenterPipelineMode(pg->connection) != 1)
        return lose(pg, "it is out of step", true);
    return outcome;
}

/* Notices a server that went away, and one that came back, although no job comes. */
static void tidy(struct db *db)
{
    struct pg_db *pg = pg_of(db);
    struct pollfd readable;
    const int64_t now_us = time_monotonic_us();

    if (now_us - pg->checked_us < CHECK_US)
        return;
    pg->checked_us = now_us;
    if (pg->connection && !pg->lost) {
        readable = (struct pollfd){.fd = PQsocket(pg->connection), .events = POLLIN};
        if (poll(&readable, 1, 0) > 0 && PQconsumeInput(pg->connection) != 1)
            (void)lose(pg, "the server closed it", true);
    }
    if (!atomic_load(&db->node->ready) && db_begin(db, TX_READ) == OK)
        atomic_store(&db->node->ready, true);
}

static void close_db(struct db *db)
{
    disconnect(pg_of(db));
    free(pg_of(db));
}

static const struct backend postgres_backend = {
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
    .is_postgres = true,
};

enum err postgres_open(struct node *node, int index, struct db **out, struct error *error)
{
    struct pg_db *pg = calloc(1, sizeof(*pg));

    if (!pg)
        return error_set(error, ERR_UNAVAILABLE, "The server has no memory left.");
    pg->base = (struct db){.backend = &postgres_backend, .node = node, .index = index};
    *out = &pg->base;
    return OK;
}
