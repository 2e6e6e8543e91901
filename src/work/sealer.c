#include "work/sealer.h"

#include "app/timeline/seal.h"
#include "base/log.h"
#include "db/notice.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Events of one transaction: what is sealed meanwhile waits for it. */
#define PORTION 500
#define EVERY_SECONDS 1

struct sealer {
    struct job job; /* first: the job is all that the store hands back */
    struct exec *exec;
    struct error error;
    int64_t done;
    /* AGAIN: something was written that the job under way may not see. */
    enum sealer_state { IDLE, BUSY, AGAIN } _Atomic state;
};

static enum err run(struct job *job, struct db *db, struct id_source *ids)
{
    struct sealer *sealer = (struct sealer *)job;
    struct arena *arena = arena_new(REQUEST_ARENA_MAX);
    struct ctx cx = {
        .db = db, .arena = arena, .error = &sealer->error, .now_us = time_now_us(), .ids = ids};
    enum err result;

    error_clear(&sealer->error);
    sealer->done = 0;
    if (arena == NULL)
        return ERR_UNAVAILABLE;
    /* Whoever wakes it from here on may be seen or not. */
    sealer->state = BUSY;
    result = seal_waiting(&cx, PORTION, &sealer->done);
    arena_free(arena);
    return result;
}

static void submit(struct sealer *sealer)
{
    if (!exec_submit(sealer->exec, &sealer->job))
        sealer->state = IDLE;
}

static void done(struct job *job, enum err result)
{
    struct sealer *sealer = (struct sealer *)job;
    enum sealer_state busy = BUSY;

    if (result != OK && result != ERR_UNAVAILABLE)
        LOG(ERROR, "events could not be sealed", LOG_TEXT("detail", str_of(sealer->error.detail)));
    /* After a failure the clock asks again: nothing is gained by haste. */
    if (result != OK)
        sealer->state = IDLE;
    else if (sealer->done >= PORTION ||
             !atomic_compare_exchange_strong(&sealer->state, &busy, IDLE))
        submit(sealer);
}

void sealer_wake(struct sealer *sealer)
{
    enum sealer_state state = sealer->state;

    while (state != AGAIN) {
        if (!atomic_compare_exchange_weak(&sealer->state, &state, state == IDLE ? BUSY : AGAIN))
            continue;
        if (state == IDLE)
            submit(sealer);
        return;
    }
}

static void committed(void *context, const struct notice *notices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (notices[i].kind == NOTICE_WRITTEN) {
            sealer_wake(context);
            return;
        }
    }
}

static void tick(void *context)
{
    sealer_wake(context);
}

struct sealer *sealer_new(struct exec *exec)
{
    struct sealer *sealer = calloc(1, sizeof *sealer);

    if (sealer == NULL)
        return NULL;
    sealer->exec = exec;
    sealer->job = (struct job){.tx = TX_WRITE, .aside = true, .run = run, .done = done};
    exec_on_commit(exec, committed, sealer);
    return sealer;
}

void sealer_start(struct sealer *sealer,
                  void (*every)(void *keeper, int seconds, void (*fn)(void *), void *context),
                  void *keeper)
{
    every(keeper, EVERY_SECONDS, tick, sealer);
    sealer_wake(sealer);
}

void sealer_free(struct sealer *sealer)
{
    free(sealer);
}
