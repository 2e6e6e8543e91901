#include "db/exec.h"

#include "base/log.h"
#include "db/backend.h"
#include "db/lockfile.h"
#include "db/migrate.h"
#include "db/numbers.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define READERS_DEFAULT 2
#define CONNECTIONS_DEFAULT 16
#define REPORT_CONNECTIONS 2 /* PostgreSQL, beside the pool */
#define SLOW_THREADS 2
#define SLOW_QUEUE_MAX 64
#define CACHE_DEFAULT MIB(64)
#define LANE_SLOTS 4096
#define LISTENERS_MAX 4 /* to commits */
#define RUNS_MAX 8      /* of one job */
/* A batch is committed after so long even if more jobs wait: who came first is not kept
 * waiting by many large ones. */
#define BATCH_US INT64_C(20000)
#define IDLE_CHECK_US (2 * SECOND_US)
#define NOT_READY_CHECK_US (SECOND_US / 2)

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct job *first, *last;
    size_t count, max;
    size_t sleepers;
    bool closing;
};

/* One that a job is in; the others that want in wait here. */
struct lane {
    struct uuid id;
    struct job *first, *last;
    struct lane *next; /* of the same slot, or of those to be used again */
};

enum worker_kind { WORKER_WRITER, WORKER_READER, WORKER_POOL, WORKER_SLOW };

struct worker {
    struct exec *exec;
    enum worker_kind kind;
    struct queue *queue;
    struct db *db;
    struct arena *arena;
    struct id_source ids;
    pthread_t thread;
    bool started;
    bool watches; /* the store's health, when there is nothing else to do */
};

struct exec {
    struct node node;
    bool is_postgres;
    bool acks_early; /* a control of the fault rigs */
    int lock_fd;
    struct queue write, read, report, slow; /* PostgreSQL: reads go with the writes, and … */
    struct queue aside;                     /* … these are its own; SQLite has none */
    struct worker *workers;
    size_t worker_count;
    pthread_mutex_t lanes_mutex;
    struct lane **lanes; /* by slot, the busy ones. PostgreSQL; SQLite has one writer anyway */
    struct lane *spare_lanes;
    size_t lanes_waiting;
    struct {
        void (*committed)(void *context, const struct notice *notices, size_t count);
        void *context;
    } listeners[LISTENERS_MAX];
    size_t listener_count;
    struct postgres_listener *listener; /* to other nodes */
    _Atomic int64_t jobs[5], commits, batch_jobs, refused, failed;
};

/* Queues */

static void queue_init(struct queue *queue, size_t max)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    queue->max = max;
}

static void queue_clear(struct queue *queue)
{
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->mutex);
}

static bool queue_push(struct queue *queue, struct job *job)
{
    bool taken;

    pthread_mutex_lock(&queue->mutex);
    taken = !queue->closing && queue->count < queue->max;
    if (taken) {
        job->next = NULL;
        if (queue->last)
            queue->last->next = job;
        else
            queue->first = job;
        queue->last = job;
        queue->count++;
        if (queue->sleepers > 0)
            pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

/* For what was taken already and had to wait for its lane. */
static void queue_push_first(struct queue *queue, struct job *job)
{
    pthread_mutex_lock(&queue->mutex);
    job->next = queue->first;
    queue->first = job;
    if (!queue->last)
        queue->last = job;
    queue->count++;
    if (queue->sleepers > 0)
        pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
}

static struct timespec deadline_after(int64_t us)
{
    const int64_t at = time_monotonic_us() + us;

    return (struct timespec){.tv_sec = at / SECOND_US, .tv_nsec = at % SECOND_US * 1000};
}

/* Up to `most` jobs as a list. None: *closed says whether there will never be one again;
 * else wait_us (negative: no limit) has passed. */
static struct job *queue_take(struct queue *queue, size_t most, int64_t wait_us, bool *closed)
{
    const struct timespec until = deadline_after(wait_us < 0 ? 0 : wait_us);
    struct job *taken = NULL, **end = &taken;
    int code = 0;

    pthread_mutex_lock(&queue->mutex);
    while (!queue->first && !queue->closing && wait_us != 0 && code != ETIMEDOUT) {
        queue->sleepers++;
        code = wait_us < 0 ? pthread_cond_wait(&queue->filled, &queue->mutex)
                           : pthread_cond_timedwait(&queue->filled, &queue->mutex, &until);
        queue->sleepers--;
    }
    *closed = queue->closing && !queue->first;
    for (; most > 0 && queue->first; most--) {
        *end = queue->first;
        end = &queue->first->next;
        queue->first = queue->first->next;
        queue->count--;
    }
    *end = NULL;
    if (!queue->first)
        queue->last = NULL;
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

static void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
}

static int64_t queue_length(struct queue *queue)
{
    size_t count;

    pthread_mutex_lock(&queue->mutex);
    count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return (int64_t)count;
}

/* Lanes */

static size_t lane_slot(struct uuid lane)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof(lane.bytes); i++)
        hash = (hash ^ lane.bytes[i]) * 1099511628211u;
    return (hash >> 32) % LANE_SLOTS;
}

static bool has_lane(const struct exec *exec, const struct job *job)
{
    return exec->lanes && job->tx == TX_WRITE && !job->aside && !uuid_is_none(job->lane);
}

/* Where the lane hangs in its slot, or would. */
static struct lane **lane_find(struct exec *exec, struct uuid id)
{
    struct lane **at = &exec->lanes[lane_slot(id)];

    while (*at && !uuid_equal((*at)->id, id))
        at = &(*at)->next;
    return at;
}

/* The job goes ahead, and the lane is busy from now on. */
static bool lane_enter(struct exec *exec, struct lane **at, struct job *job)
{
    struct lane *lane = exec->spare_lanes;

    if (lane)
        exec->spare_lanes = lane->next;
    else
        lane = malloc(sizeof(*lane));
    if (!lane)
        return false;
    *lane = (struct lane){.id = job->lane};
    if (queue_push(&exec->write, job)) {
        *at = lane;
        return true;
    }
    lane->next = exec->spare_lanes;
    exec->spare_lanes = lane;
    return false;
}

static bool lane_submit(struct exec *exec, struct job *job)
{
    struct lane **at;
    bool taken;

    pthread_mutex_lock(&exec->lanes_mutex);
    at = lane_find(exec, job->lane);
    if (!*at) {
        taken = lane_enter(exec, at, job);
    } else {
        taken = exec->lanes_waiting < exec->write.max;
        if (taken) {
            job->next = NULL;
            if ((*at)->last)
                (*at)->last->next = job;
            else
                (*at)->first = job;
            (*at)->last = job;
            exec->lanes_waiting++;
        }
    }
    pthread_mutex_unlock(&exec->lanes_mutex);
    return taken;
}

/* On a thread that reads the queue, so what is pushed here is run even while closing. */
static void lane_leave(struct exec *exec, struct uuid id)
{
    struct lane **at, *lane;
    struct job *next;

    pthread_mutex_lock(&exec->lanes_mutex);
    at = lane_find(exec, id);
    lane = *at;
    next = lane->first;
    if (next) {
        lane->first = next->next;
        if (!lane->first)
            lane->last = NULL;
        exec->lanes_waiting--;
        queue_push_first(&exec->write, next);
    } else {
        *at = lane->next;
        lane->next = exec->spare_lanes;
        exec->spare_lanes = lane;
    }
    pthread_mutex_unlock(&exec->lanes_mutex);
}

/* Jobs */

static void finish(struct exec *exec, struct job *job, enum err result)
{
    atomic_fetch_add(&exec->jobs[job->tx], 1);
    if (result == ERR_UNAVAILABLE || result == ERR_INTERNAL)
        atomic_fetch_add(&exec->failed, 1);
    job->done(job, result); /* the job is its owner's again */
}

static void tell_listeners(struct worker *worker)
{
    const struct exec *exec = worker->exec;
    const struct db *db = worker->db;

    for (size_t i = 0; i < exec->listener_count && db->notice_count > 0; i++)
        exec->listeners[i].committed(exec->listeners[i].context, db->notices, db->notice_count);
}

/* The text is the connection's: it stays until the next transaction. */
static void explain(const struct db *db, struct job *job)
{
    job->why = db->detail;
}

static enum err run_job(struct worker *worker, struct job *job)
{
    struct db *db = worker->db;
    enum err result;

    job->why = NULL;
    result = job->run(job, db, &worker->ids);
    if (!db || db->failed == OK)
        return result;
    /* What the job made of a conflict is its own affair; else the store's word counts. */
    if (result != OK && db->failed == ERR_CONFLICT)
        return result;
    explain(db, job);
    return db->failed;
}

static void slow_work(struct worker *worker, struct job *job)
{
    finish(worker->exec, job, run_job(worker, job));
}

static void read_work(struct worker *worker, struct job *job)
{
    enum err result = db_begin(worker->db, job->tx);

    if (result != OK) {
        explain(worker->db, job);
        finish(worker->exec, job, result);
        return;
    }
    result = run_job(worker, job);
    db_rollback(worker->db); /* nothing was written */
    finish(worker->exec, job, result);
}

/* The writer of SQLite: a batch */

struct batch {
    struct job *jobs[BATCH_MAX];
    enum err results[BATCH_MAX];
    size_t count;
};

/* Nobody was told anything yet: what one of the batch saw of another is void with it. */
static void fail_batch(struct worker *worker, struct batch *batch)
{
    struct db *db = worker->db;

    db_rollback(db);
    if (db->last == ERR_UNAVAILABLE) {
        atomic_store(&worker->exec->node.ready, false);
    } else { /* a mistake in what the batch shares */
        db->failed = OK;
        (void)db_fail(db, ERR_UNAVAILABLE, true, "The store could not keep the change.");
    }
    for (size_t i = 0; i < batch->count; i++) {
        explain(db, batch->jobs[i]);
        batch->results[i] = ERR_UNAVAILABLE;
    }
}

static bool run_batch_job(struct worker *worker, struct batch *batch, struct job *job)
{
    struct db *db = worker->db;
    enum err *result = &batch->results[batch->count];

    batch->jobs[batch->count++] = job;
    if (db_job_begin(db) != OK)
        return false;
    *result = run_job(worker, job);
    return db->failed == OK && db_job_end(db, *result) == OK;
}

/* The control that acknowledges before the commit leaves a kill the time to fall in between:
 * whether a rig catches it is not to hang on the machine's haste. */
static void dawdle(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000L}, NULL);
}

static void answer_batch(struct worker *worker, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        finish(worker->exec, batch->jobs[i], batch->results[i]);
}

/* Takes from *waiting, which holds jobs that were taken from the queue already. */
static void write_batch(struct worker *worker, struct job **waiting)
{
    struct exec *exec = worker->exec;
    struct db *db = worker->db;
    const int64_t started_us = time_monotonic_us();
    struct batch batch = {.count = 0};
    bool fine = db_begin(db, TX_WRITE) == OK;
    bool closed;

    while (fine && *waiting && batch.count < BATCH_MAX &&
           time_monotonic_us() - started_us < BATCH_US) {
        struct job *job = *waiting;

        *waiting = job->next;
        fine = run_batch_job(worker, &batch, job);
        if (!*waiting)
            *waiting = queue_take(worker->queue, BATCH_MAX, 0, &closed);
    }
    for (; !fine && *waiting && batch.count < BATCH_MAX; *waiting = (*waiting)->next)
        batch.jobs[batch.count++] = *waiting;
    fine = fine && db_run_deferred(db, worker->arena, &worker->ids) == OK;
    if (exec->acks_early) {
        answer_batch(worker, &batch);
        dawdle();
    }
    if (fine && db_commit(db) == OK) {
        atomic_store(&exec->node.ready, true);
        tell_listeners(worker);
    } else {
        fail_batch(worker, &batch);
    }
    atomic_fetch_add(&exec->commits, 1);
    atomic_fetch_add(&exec->batch_jobs, (int64_t)batch.count);
    if (!exec->acks_early)
        answer_batch(worker, &batch);
    arena_reset(worker->arena);
}

/* A connection of PostgreSQL's pool: a job at a time */

/* *answered: the job was told already. */
static enum err run_transaction(struct worker *worker, struct job *job, bool *answered)
{
    struct db *db = worker->db;
    const bool writes = job->tx == TX_WRITE;
    enum err result = db_begin(db, job->tx);

    if (result != OK) {
        explain(db, job);
        return result;
    }
    result = run_job(worker, job);
    if (result != OK || !writes) {
        db_rollback(db);
        return result;
    }
    if (worker->exec->acks_early) {
        finish(worker->exec, job, OK);
        *answered = true;
        dawdle();
    }
    result = db_run_deferred(db, worker->arena, &worker->ids);
    if (result == OK)
        result = db_commit(db);
    if (result == OK) {
        tell_listeners(worker);
    } else {
        if (!*answered)
            explain(db, job);
        db_rollback(db);
    }
    return result;
}

/* So that two which met once do not meet again. */
static void wait_before_rerun(int runs)
{
    uint16_t chance = 0;
    int64_t us = 1000 * ((int64_t)1 << runs);

    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
        chance = 0;
    us = us / 2 + us * chance / 65536;
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static enum err give_up(struct job *job)
{
    job->why = "Too many changes met each other; try again.";
    return ERR_UNAVAILABLE;
}

/* Runs the job until its fate is known. */
static enum err run_to_the_end(struct worker *worker, struct job *job, bool *answered)
{
    struct db *db = worker->db;

    db->ran_out_of_numbers = false;
    for (int runs = 1;; runs++) {
        enum err result = run_transaction(worker, job, answered);

        arena_reset(worker->arena);
        if (result != ERR_RERUN || *answered)
            return result;
        if (db->wants_numbers) {
            db->ran_out_of_numbers = true;
            result = numbers_fetch(db, &worker->ids);
            if (result == ERR_RERUN)
                return give_up(job);
            if (result != OK) {
                explain(db, job);
                return result;
            }
        } else {
            atomic_fetch_add(&worker->exec->node.reruns, 1);
            if (runs >= RUNS_MAX)
                return give_up(job);
            wait_before_rerun(runs);
        }
    }
}

static void pool_work(struct worker *worker, struct job *job)
{
    struct exec *exec = worker->exec;
    const bool laned = has_lane(exec, job);
    const struct uuid lane = job->lane;
    const bool writes = job->tx == TX_WRITE;
    bool answered = false;
    const enum err result = run_to_the_end(worker, job, &answered);

    if (writes) {
        atomic_fetch_add(&exec->commits, 1);
        atomic_fetch_add(&exec->batch_jobs, 1);
    }
    if (laned)
        lane_leave(exec, lane);
    if (!answered)
        finish(exec, job, result);
    if (worker->db->wants_numbers) /* for later jobs; a failure shows when they need them */
        (void)numbers_fetch(worker->db, &worker->ids);
}

/* Threads */

static int64_t idle_wait_us(const struct worker *worker)
{
    if (!worker->watches)
        return -1;
    if (!atomic_load(&worker->exec->node.ready))
        return NOT_READY_CHECK_US;
    return worker->exec->is_postgres ? IDLE_CHECK_US : -1;
}

static void work(struct worker *worker, struct job *jobs)
{
    while (jobs) {
        struct job *job = jobs;

        if (worker->kind == WORKER_WRITER) {
            write_batch(worker, &jobs);
        } else {
            jobs = job->next;
            if (worker->kind == WORKER_SLOW)
                slow_work(worker, job);
            else if (worker->kind == WORKER_READER)
                read_work(worker, job);
            else
                pool_work(worker, job);
        }
        if (worker->db)
            worker->db->backend->tidy(worker->db);
    }
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    const size_t most = worker->kind == WORKER_WRITER ? BATCH_MAX : 1;
    bool closed = false;

    while (!closed) {
        struct job *jobs = queue_take(worker->queue, most, idle_wait_us(worker), &closed);

        work(worker, jobs);
        if (!jobs && !closed && worker->db)
            worker->db->backend->tidy(worker->db);
    }
    return NULL;
}

/* Opening and closing */

static enum err no_memory(struct error *error)
{
    return error_set(error, ERR_UNAVAILABLE, "The server has no memory left.");
}

static bool keep_text(const char **text)
{
    if (*text)
        *text = strdup(*text);
    else
        return true;
    return *text != NULL;
}

static bool keep_options(struct store_options *kept)
{
    bool fine = keep_text(&kept->data_dir);

    fine = keep_text(&kept->url) && fine;
    fine = keep_text(&kept->listen_url) && fine;
    fine = keep_text(&kept->unsafe) && fine;
    fine = keep_text(&kept->vfs) && fine;
    if (kept->readers <= 0)
        kept->readers = READERS_DEFAULT;
    if (kept->connections <= 0)
        kept->connections = CONNECTIONS_DEFAULT;
    if (kept->queue_max == 0)
        kept->queue_max = STORE_QUEUE_MAX;
    if (kept->cache_bytes == 0)
        kept->cache_bytes = CACHE_DEFAULT;
    return fine;
}

static enum err add_worker(struct exec *exec, enum worker_kind kind, struct queue *queue,
                           struct worker **out, struct error *error)
{
    struct worker *worker = &exec->workers[exec->worker_count++];

    *worker = (struct worker){.exec = exec, .kind = kind, .queue = queue};
    worker->arena = arena_new(REQUEST_ARENA_MAX);
    id_source_init(&worker->ids);
    *out = worker;
    return worker->arena ? OK : no_memory(error);
}

static enum err open_sqlite_writer(struct exec *exec, struct error *error)
{
    const struct store_options *options = &exec->node.options;
    struct worker *worker;

    TRY(lockfile_take(options->data_dir, &exec->lock_fd, error));
    TRY(add_worker(exec, WORKER_WRITER, &exec->write, &worker, error));
    worker->watches = true;
    TRY(sqlite_open(&exec->node, SQLITE_WRITER, 0, options->cache_bytes / 2, &worker->db, error));
    return migrate_run(worker->db, all_migrations, all_migration_count, error);
}

/* The writer first: it makes the file and recovers it. Half the cache is the writer's,
 * since the readers have the file mapped. */
static enum err open_sqlite(struct exec *exec, struct error *error)
{
    const struct store_options *options = &exec->node.options;
    const size_t share = options->cache_bytes / 2 / ((size_t)options->readers + 1);
    struct worker *worker;

    if (!options->read_only)
        TRY(open_sqlite_writer(exec, error));
    for (int i = 0; i <= options->readers; i++) {
        TRY(add_worker(exec, WORKER_READER, i < options->readers ? &exec->read : &exec->report,
                       &worker, error));
        TRY(sqlite_open(&exec->node, SQLITE_READER, i, share, &worker->db, error));
        if (options->read_only && i == options->readers)
            TRY(migrate_check(worker->db, all_migrations, all_migration_count, error));
    }
    return OK;
}

static enum err open_postgres(struct exec *exec, struct error *error)
{
    const int connections = exec->node.options.connections;
    const int pool = connections + REPORT_CONNECTIONS;
    struct worker *worker;

    exec->lanes = calloc(LANE_SLOTS, sizeof(struct lane *));
    if (!exec->lanes)
        return no_memory(error);
    exec->node.numbers = numbers_new();
    if (!exec->node.numbers)
        return no_memory(error);
    for (int i = 0; i < pool + 1; i++) {
        TRY(add_worker(exec, WORKER_POOL,
                       i < connections ? &exec->write
                       : i < pool      ? &exec->report
                                       : &exec->aside,
                       &worker, error));
        worker->watches = i == 0;
        TRY(postgres_open(&exec->node, i, &worker->db, error));
        if (i == 0 && exec->node.options.read_only)
            TRY(migrate_check(worker->db, all_migrations, all_migration_count, error));
        else if (i == 0)
            TRY(migrate_run(worker->db, all_migrations, all_migration_count, error));
    }
    return OK;
}

static enum err open_store(struct exec *exec, struct error *error)
{
    struct worker *worker;

    if (exec->is_postgres)
        TRY(open_postgres(exec, error));
    else
        TRY(open_sqlite(exec, error));
    for (int i = 0; i < SLOW_THREADS; i++)
        TRY(add_worker(exec, WORKER_SLOW, &exec->slow, &worker, error));
    atomic_store(&exec->node.ready, true);
    for (size_t i = 0; i < exec->worker_count; i++) {
        worker = &exec->workers[i];
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
            return error_set(error, ERR_UNAVAILABLE, "A thread cannot be started.");
        worker->started = true;
    }
    return OK;
}

enum err exec_open(const struct store_options *options, struct exec **out, struct error *error)
{
    struct exec *exec = calloc(1, sizeof(*exec));
    enum err result;

    if (!exec)
        return no_memory(error);
    exec->lock_fd = -1;
    exec->node.options = *options;
    exec->is_postgres = options->url != NULL;
    exec->acks_early = options->unsafe && strcmp(options->unsafe, "ack-before-commit") == 0;
    pthread_mutex_init(&exec->lanes_mutex, NULL);
    result = keep_options(&exec->node.options) ? OK : no_memory(error);
    queue_init(&exec->write, options->read_only ? 0 : exec->node.options.queue_max);
    queue_init(&exec->read, options->read_only ? 0 : exec->node.options.queue_max);
    queue_init(&exec->report, exec->node.options.queue_max);
    queue_init(&exec->slow, SLOW_QUEUE_MAX);
    queue_init(&exec->aside, exec->node.options.queue_max);
    if (result == OK) {
        exec->workers =
            calloc((size_t)exec->node.options.readers + (size_t)exec->node.options.connections +
                       REPORT_CONNECTIONS + SLOW_THREADS + 2,
                   sizeof(*exec->workers));
        result = exec->workers ? open_store(exec, error) : no_memory(error);
    }
    if (result != OK) {
        exec_close(exec);
        return result;
    }
    *out = exec;
    return OK;
}

static void stop_workers(struct exec *exec, struct queue *queue)
{
    queue_close(queue);
    for (size_t i = 0; i < exec->worker_count; i++) {
        struct worker *worker = &exec->workers[i];

        if (worker->queue != queue || !worker->started)
            continue;
        pthread_join(worker->thread, NULL);
        worker->started = false;
    }
}

void exec_close(struct exec *exec)
{
    struct queue *const queues[] = {&exec->slow, &exec->report, &exec->read, &exec->write,
                                    &exec->aside};

    /* Slow jobs first: they may still want a transaction. What is written last still asks for
     * work aside. */
    for (size_t i = 0; i < COUNT_OF(queues); i++)
        stop_workers(exec, queues[i]);
    postgres_listener_close(exec->listener); /* the last commits were announced too */
    /* The writer, which came first, goes last: it checkpoints what the others may read. */
    for (size_t i = exec->worker_count; i-- > 0;) {
        db_close(exec->workers[i].db);
        arena_free(exec->workers[i].arena);
    }
    numbers_free(exec->node.numbers);
    lockfile_release(exec->lock_fd);
    for (size_t i = 0; i < COUNT_OF(queues); i++)
        queue_clear(queues[i]);
    pthread_mutex_destroy(&exec->lanes_mutex);
    while (exec->spare_lanes) {
        struct lane *lane = exec->spare_lanes;

        exec->spare_lanes = lane->next;
        free(lane);
    }
    free(exec->lanes);
    free(exec->workers);
    free((char *)exec->node.options.data_dir);
    free((char *)exec->node.options.url);
    free((char *)exec->node.options.listen_url);
    free((char *)exec->node.options.unsafe);
    free((char *)exec->node.options.vfs);
    free(exec);
}

/* What callers use */

static struct queue *queue_for(struct exec *exec, const struct job *job)
{
    switch (job->tx) {
    case TX_NONE:
        return &exec->slow;
    case TX_READ:
        return exec->is_postgres ? &exec->write : &exec->read;
    case TX_REPORT:
        return &exec->report;
    default:
        return exec->is_postgres && job->aside ? &exec->aside : &exec->write;
    }
}

bool exec_submit(struct exec *exec, struct job *job)
{
    const bool taken =
        has_lane(exec, job) ? lane_submit(exec, job) : queue_push(queue_for(exec, job), job);

    if (!taken)
        atomic_fetch_add(&exec->refused, 1);
    return taken;
}

struct waiting {
    struct job job;
    enum err (*fn)(void *context, struct db *db, struct id_source *ids);
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t known;
    bool is_known;
    enum err result;
};

static enum err run_waiting(struct job *job, struct db *db, struct id_source *ids)
{
    struct waiting *waiting = (struct waiting *)job;

    return waiting->fn(waiting->context, db, ids);
}

static void done_waiting(struct job *job, enum err result)
{
    struct waiting *waiting = (struct waiting *)job;

    pthread_mutex_lock(&waiting->mutex);
    waiting->result = result;
    waiting->is_known = true;
    pthread_cond_signal(&waiting->known);
    pthread_mutex_unlock(&waiting->mutex);
}

enum err exec_transaction(struct exec *exec, enum tx tx,
                          enum err (*fn)(void *context, struct db *db, struct id_source *ids),
                          void *context)
{
    struct waiting waiting = {.job = {.tx = tx, .run = run_waiting, .done = done_waiting},
                              .fn = fn,
                              .context = context,
                              .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .known = PTHREAD_COND_INITIALIZER};

    if (!exec_submit(exec, &waiting.job))
        return ERR_UNAVAILABLE;
    pthread_mutex_lock(&waiting.mutex);
    while (!waiting.is_known)
        pthread_cond_wait(&waiting.known, &waiting.mutex);
    pthread_mutex_unlock(&waiting.mutex);
    pthread_cond_destroy(&waiting.known);
    pthread_mutex_destroy(&waiting.mutex);
    return waiting.result;
}

void exec_on_commit(struct exec *exec,
                    void (*committed)(void *context, const struct notice *notices, size_t count),
                    void *context)
{
    assert(exec->listener_count < LISTENERS_MAX);
    exec->listeners[exec->listener_count].committed = committed;
    exec->listeners[exec->listener_count++].context = context;
}

bool exec_announce(struct exec *exec, struct str text)
{
    return exec->is_postgres && exec->listener && postgres_announce(exec->listener, text);
}

enum err exec_listen(struct exec *exec, void (*heard)(void *context, struct str text),
                     void *context)
{
    if (!exec->is_postgres)
        return OK;
    return postgres_listen(&exec->node.options, heard, context, &exec->listener);
}

bool exec_hears(struct exec *exec)
{
    return !exec->is_postgres || (exec->listener && postgres_hears(exec->listener));
}

void exec_stats(struct exec *exec, struct exec_stats *out)
{
    *out = (struct exec_stats){.is_postgres = exec->is_postgres};
    for (size_t i = 0; i < COUNT_OF(out->jobs); i++)
        out->jobs[i] = atomic_load(&exec->jobs[i]);
    out->commits = atomic_load(&exec->commits);
    out->batch_jobs = atomic_load(&exec->batch_jobs);
    out->reruns = atomic_load(&exec->node.reruns);
    out->refused = atomic_load(&exec->refused);
    out->failed = atomic_load(&exec->failed);
    out->ready = atomic_load(&exec->node.ready);
    out->queued = queue_length(&exec->write) + queue_length(&exec->read) +
                  queue_length(&exec->report) + queue_length(&exec->slow) +
                  queue_length(&exec->aside);
    pthread_mutex_lock(&exec->lanes_mutex);
    out->queued += (int64_t)exec->lanes_waiting;
    pthread_mutex_unlock(&exec->lanes_mutex);
}

enum err exec_backup(const struct store_options *options, const char *path, struct error *error,
                     void (*progress)(void *context, int64_t done_pages, int64_t total_pages),
                     void *context)
{
    if (options->url)
        return error_set(error, ERR_CONFLICT,
                         "The store is PostgreSQL: back it up by its own tools, like pg_dump.");
    return sqlite_backup(options, path, error, progress, context);
}

enum err exec_restore(const char *backup, const char *data_dir, struct error *error,
                      void (*progress)(void *context, int64_t done_pages, int64_t total_pages),
                      void *context)
{
    char path[4096];
    char wal[4096];
    int lock_fd = -1;
    enum err result;

    if (snprintf(wal, sizeof(wal), "%s/touchpoint.db-wal", data_dir) >= (int)sizeof(wal))
        return error_set(error, ERR_INVALID, "The data folder's name is too long.");
    snprintf(path, sizeof(path), "%.*s", (int)(strlen(wal) - 4), wal);
    TRY(lockfile_take(data_dir, &lock_fd, error));
    /* A WAL without its database would be taken for the new one's. */
    if (access(wal, F_OK) == 0)
        result = error_set(error, ERR_CONFLICT, "%s exists already.", wal);
    else
        result = sqlite_restore(backup, path, error, progress, context);
    lockfile_release(lock_fd);
    return result;
}
