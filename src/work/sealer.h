/* Numbers and seals what was written (app/timeline/seal.h): on PostgreSQL soon after each
 * commit that wrote events, on a connection of its own, and on both stores what an older
 * program or a node that died has left. Runs one job at a time; several nodes may run it at
 * once, and take turns. */
#ifndef WORK_SEALER_H
#define WORK_SEALER_H

#include "db/exec.h"

struct sealer;

/* Listens to commits (db/notice.h) from now on, so before there are jobs. NULL without
 * memory. */
struct sealer *sealer_new(struct exec *exec);
/* Seals what waits now, and has `every` (work/schedule.h) ask again and again. */
void sealer_start(struct sealer *sealer,
                  void (*every)(void *keeper, int seconds, void (*fn)(void *), void *context),
                  void *keeper);
/* Any thread: something waits. */
void sealer_wake(struct sealer *sealer);
/* After exec_close(), which waits for the job under way. NULL is fine. */
void sealer_free(struct sealer *sealer);

#endif
