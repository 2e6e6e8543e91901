/* The server that the fault rigs break: the program itself, with some functions wrapped by
 * the linker. The program that people get knows nothing of these variables.
 *
 *     TOUCHPOINT_FAULT_VFS=powercut    the store is on the disk of fault_vfs.h
 *     TOUCHPOINT_FAULT_UNSAFE=…        store_options.unsafe: what a rig must catch
 *     TOUCHPOINT_FAULT_WITHOUT=…       some of these, parted by commas:
 *         events  changes write no event, and
 *         seals   none is sealed: what bench/run weighs them against
 *         lanes   writes to one customer do not wait for each other before they take a
 *                 connection
 *         lock    an interaction reads its customer's row without locking it, so that the
 *                 outreach guard checks first and writes then, as whoever forgets it would
 *                 (PostgreSQL; SQLite has one writer) */
#include "fault_vfs.h"

#include "app/timeline/seal.h"
#include "db/db.h"
#include "db/exec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The linker's names (--wrap). */
enum err __wrap_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error);
enum err __real_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error);

enum err __wrap_exec_open(const struct store_options *options, struct exec **out,
                          struct error *error)
{
    struct store_options faulty = *options;
    const char *vfs = getenv("TOUCHPOINT_FAULT_VFS");

    faulty.unsafe = getenv("TOUCHPOINT_FAULT_UNSAFE");
    if (vfs) {
        if (strcmp(vfs, FAULT_VFS) != 0 || !fault_vfs_register())
            return error_set(error, ERR_INVALID, "There is no such fault: %s", vfs);
        faulty.vfs = FAULT_VFS;
    }
    return __real_exec_open(&faulty, out, error);
}

static bool is_without(const char *what)
{
    const size_t size = strlen(what);
    const char *at = getenv("TOUCHPOINT_FAULT_WITHOUT");

    for (; at && *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");

        if (length == size && memcmp(at, what, size) == 0)
            return true;
        at += length;
    }
    return false;
}

enum err __wrap_timeline_record(struct ctx *cx, struct event *event);
enum err __real_timeline_record(struct ctx *cx, struct event *event);

enum err __wrap_timeline_record(struct ctx *cx, struct event *event)
{
    return is_without("events") ? OK : __real_timeline_record(cx, event);
}

enum err __wrap_seal_later(struct ctx *cx, const struct event *event);
enum err __real_seal_later(struct ctx *cx, const struct event *event);

enum err __wrap_seal_later(struct ctx *cx, const struct event *event)
{
    return is_without("seals") ? OK : __real_seal_later(cx, event);
}

bool __wrap_exec_submit(struct exec *exec, struct job *job);
bool __real_exec_submit(struct exec *exec, struct job *job);

bool __wrap_exec_submit(struct exec *exec, struct job *job)
{
    if (is_without("lanes"))
        job->lane = UUID_NONE;
    return __real_exec_submit(exec, job);
}

enum err __wrap_db_one(struct ctx *cx, const struct query *query, struct args args,
                       const struct record *record, void *out);
enum err __real_db_one(struct ctx *cx, const struct query *query, struct args args,
                       const struct record *record, void *out);

/* What locks the customer's row before the guard decides, and the same without the lock. */
static const struct query *locking;
static struct query unlocked;

static void make_unlocked(void)
{
    static const char lock[] = " FOR NO KEY UPDATE";
    char *text, *end;

    for (size_t i = 0; i < all_query_count; i++)
        if (strcmp(all_queries[i]->name, "customer_for_touch") == 0)
            locking = all_queries[i];
    text = locking ? strdup(locking->postgres) : NULL;
    end = text ? strstr(text, lock) : NULL;
    if (!end || end[strlen(lock)] != '\0')
        abort(); /* it is somewhere else by now: this control takes nothing away */
    *end = '\0';
    unlocked = *locking;
    unlocked.name = "customer_for_touch_unlocked";
    unlocked.postgres = text;
}

enum err __wrap_db_one(struct ctx *cx, const struct query *query, struct args args,
                       const struct record *record, void *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (is_without("lock")) {
        pthread_once(&once, make_unlocked);
        if (query == locking)
            query = &unlocked;
    }
    return __real_db_one(cx, query, args, record, out);
}
