#include "work/schedule.h"

#include "app/analytics/attempts.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/timeline/timeline.h"
#include "base/log.h"
#include "work/janitor.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Rows of one portion: a task never holds the writer for long. */
#define PORTION 200
/* Folding waits for nobody and few wait for it: one row for each write, thousands in a second. */
#define FOLD_PORTION 2000

struct task {
    const char *name;
    int seconds;
    int64_t portion;
    enum err (*work)(struct ctx *cx, int64_t limit, int64_t *done);
};

static const struct task tasks[] = {
    {"planned touches", 5, PORTION, interaction_touches_due},
    {"follow-ups due", 5, PORTION, interaction_follow_ups_due},
    {"attempts to fold", 2, FOLD_PORTION, attempts_fold},
    {"attempts to recount", 5, PORTION, interaction_recount},
    {"expired events", 5, PORTION, timeline_expire},
    {"events to delete", 60, PORTION, timeline_forget},
    {"expired rows", 60, PORTION, janitor_sweep},
};

/* A task and its newest run. The loop thread starts it, a store thread ends it. */
struct running {
    struct job job; /* first: the job is all that the store hands back */
    const struct task *task;
    struct schedule *schedule;
    struct error error;
    int64_t done;
    atomic_bool busy;
};

struct schedule {
    struct exec *exec;
    struct running running[COUNT_OF(tasks)];
    atomic_bool stopped;
};

static enum err run(struct job *job, struct db *db, struct id_source *ids)
{
    struct running *running = (struct running *)job;
    struct arena *arena = arena_new(REQUEST_ARENA_MAX);
    struct ctx cx = {
        .db = db, .arena = arena, .error = &running->error, .now_us = time_now_us(), .ids = ids};
    enum err result;

    error_clear(&running->error);
    running->done = 0;
    if (arena == NULL)
        return ERR_UNAVAILABLE;
    result = running->task->work(&cx, running->task->portion, &running->done);
    arena_free(arena);
    return result;
}

static void done(struct job *job, enum err result)
{
    struct running *running = (struct running *)job;

    if (result != OK && result != ERR_UNAVAILABLE)
        LOG(ERROR, "a background task failed", LOG_TEXT("task", str_of(running->task->name)),
            LOG_TEXT("detail", str_of(running->error.detail)));
    /* A full portion: there is more. */
    if (result == OK && running->done >= running->task->portion && !running->schedule->stopped &&
        exec_submit(running->schedule->exec, job))
        return;
    running->busy = false;
}

static void start(void *context)
{
    struct running *running = context;

    if (running->schedule->stopped || atomic_exchange(&running->busy, true))
        return;
    running->job = (struct job){.tx = TX_WRITE, .run = run, .done = done};
    if (!exec_submit(running->schedule->exec, &running->job))
        running->busy = false;
}

struct schedule *schedule_new(struct exec *exec)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);

    if (schedule == NULL)
        return NULL;
    schedule->exec = exec;
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        schedule->running[i].task = &tasks[i];
        schedule->running[i].schedule = schedule;
    }
    return schedule;
}

void schedule_start(struct schedule *schedule,
                    void (*every)(void *keeper, int seconds, void (*fn)(void *), void *context),
                    void *keeper)
{
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        every(keeper, tasks[i].seconds, start, &schedule->running[i]);
}

void schedule_stop(struct schedule *schedule)
{
    if (schedule != NULL)
        schedule->stopped = true;
}

void schedule_free(struct schedule *schedule)
{
    free(schedule);
}
