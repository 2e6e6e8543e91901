/* Background work that the clock asks for: planned touches that begin, follow-ups that
 * fall due, what has expired. Each task is a write like any other, for all tenants, in
 * bounded portions; a task that is still under way is not started again. Several nodes may
 * run the same task at once: each row is taken by one of them. */
#ifndef WORK_SCHEDULE_H
#define WORK_SCHEDULE_H

#include "db/exec.h"

struct schedule;

/* NULL without memory. */
struct schedule *schedule_new(struct exec *exec);
/* `every` asks whoever keeps the time (the server's loop) to call fn(context) again and
 * again; it is called here, once for each task. */
void schedule_start(struct schedule *schedule,
                    void (*every)(void *keeper, int seconds, void (*fn)(void *), void *context),
                    void *keeper);
/* Before exec_close(): a task that still runs is waited for there. */
void schedule_stop(struct schedule *schedule);
/* After exec_close(). NULL is fine. */
void schedule_free(struct schedule *schedule);

#endif
