/* Deletes what has expired and is asked for by nobody: remembered answers, browser
 * sign-ins, one-time tokens, contact tokens, stream tickets, counts of failed sign-ins. */
#ifndef WORK_JANITOR_H
#define WORK_JANITOR_H

#include "db/db.h"

/* At most `limit` rows of each kind, of all tenants; *done is the most of one kind. */
enum err janitor_sweep(struct ctx *cx, int64_t limit, int64_t *done);

#endif
