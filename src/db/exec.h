/* Who runs transactions, and where. On SQLite: one writer thread that takes what is
 * queued (up to BATCH_MAX), a savepoint each, one COMMIT, then all the answers; a few
 * reader threads; one more for reports. On PostgreSQL: a pool of connections with a
 * thread each, one transaction per job. On both: a few threads for slow work that needs
 * no transaction (hashing a password).
 *
 * Jobs may run more than once (serialization failures, deadlocks, a lost connection
 * before COMMIT was sent): run() must begin from nothing but its job. */
#ifndef DB_EXEC_H
#define DB_EXEC_H

#include "db/ctx.h"

enum tx {
    TX_UNSET = 0,
    TX_NONE, /* no transaction: a slow thread; may call exec_transaction() */
    TX_READ,
    TX_REPORT, /* a read that may take long: on its own threads */
    TX_WRITE,
};

struct job {
    enum tx tx;
    /* Writes with the same lane run one after another and wait before they take a
     * connection, so a hot customer cannot use up the pool. UUID_NONE: no lane. */
    struct uuid lane;
    /* A write that waits for no other: PostgreSQL has a connection for these alone, which takes
     * one after another. On SQLite they are writes like any. */
    bool aside;
    /* On a store thread, inside the transaction; `db` is NULL for TX_NONE. Anything but OK
     * rolls this job back (the rest of its batch goes on). */
    enum err (*run)(struct job *job, struct db *db, struct id_source *ids);
    /* On a store thread, once, when the fate is known: OK only after the COMMIT is on
     * disk. ERR_UNAVAILABLE when the commit failed or the store is full or unreachable. */
    void (*done)(struct job *job, enum err result);
    /* In done(): a sentence for the caller, when what ended the job was not run() but the
     * commit, the rest of its batch or the store; else NULL. Ends with done(). */
    const char *why;
    struct job *next; /* the queue's */
};

struct store_options {
    const char *data_dir; /* SQLite: where touchpoint.db, the lock and the socket are */
    const char *url;      /* postgresql://…, or NULL for SQLite in data_dir */
    /* The same PostgreSQL not by way of a pooler: notices of other nodes are heard there. NULL:
     * `url`, unless that is `pooled`. */
    const char *listen_url;
    int readers;        /* reader threads (SQLite); 0: 2 */
    int connections;    /* pool size (PostgreSQL); 0: 16 */
    bool pooled;        /* PgBouncer in transaction mode stands before it: unnamed statements */
    size_t queue_max;   /* 0: STORE_QUEUE_MAX */
    size_t cache_bytes; /* SQLite page cache in all connections together; 0: 64 MiB */
    const char
        *unsafe; /* controls of the fault rigs: "ack-before-commit", "synchronous-off"; or NULL */
    /* For who only reports, also while a server runs: no lock, no migration (a store of another
     * program is ERR_CONFLICT), no jobs but TX_REPORT. */
    bool read_only;
    const char *vfs; /* SQLite VFS by name, or NULL (the fault rigs register one) */
    /* An fsync failed: nobody knows what the disk holds, so nothing may be acknowledged any
     * more. Called on a store thread after the log line; must end the process. NULL: abort(). */
    void (*broken)(const char *reason);
};

struct exec;

/* Opens the store, takes the lock file (SQLite: a second process is ERR_CONFLICT and the
 * detail says who holds it), applies the migrations that are missing (ERR_CONFLICT when
 * the file is newer than the program), and starts the threads. */
enum err exec_open(const struct store_options *options, struct exec **out, struct error *error);
/* Refuses new jobs, finishes the queued ones, checkpoints, closes. */
void exec_close(struct exec *exec);

/* False when the queue is full or closing: the job was not taken, done() is not called. */
bool exec_submit(struct exec *exec, struct job *job);

/* Runs fn in a transaction and waits for its fate. Not on the loop thread, not inside a
 * job with a transaction. */
enum err exec_transaction(struct exec *exec, enum tx tx,
                          enum err (*fn)(void *context, struct db *db, struct id_source *ids),
                          void *context);

/* For /readyz and /metrics. */
struct exec_stats {
    int64_t jobs[5];             /* done, by enum tx */
    int64_t commits, batch_jobs; /* batch_jobs / commits: how well commits are shared */
    int64_t reruns, refused, failed;
    int64_t queued;
    bool ready; /* the store answers and takes writes */
    bool is_postgres;
};
void exec_stats(struct exec *exec, struct exec_stats *out);

/* SQLite only; ERR_CONFLICT on PostgreSQL (use its own tools). Copies one moment of the store
 * into `path`, also while this or another process writes to it, then reads the copy back whole
 * and verifies it (integrity_check, foreign_key_check, counts). */
enum err exec_backup(const struct store_options *options, const char *path, struct error *error,
                     void (*progress)(void *context, int64_t done_pages, int64_t total_pages),
                     void *context);

/* Makes a new store in data_dir of a backup, verified before and after. ERR_CONFLICT when
 * data_dir holds a store already or another process holds it. */
enum err exec_restore(const char *backup, const char *data_dir, struct error *error,
                      void (*progress)(void *context, int64_t done_pages, int64_t total_pages),
                      void *context);

#endif
