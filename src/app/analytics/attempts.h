/* Attempts, counted as they are written (SPEC.md §8): by day on the tenant's calendar, by method,
 * by user and by what the lead was. An attempt is an outbound touch whose start has passed: no
 * note, no system entry. All functions run in the caller's transaction.
 *
 * On SQLite a batch's changes are added up and written to attempt_counts before its commit. On
 * PostgreSQL they are rows of attempt_deltas, so that writers never wait for each other, and
 * attempts_fold() adds these to attempt_counts now and then. So what was is the sum of both
 * tables: one statement that reads both sees each attempt once, at any time, on both stores (on
 * SQLite attempt_deltas is empty). Neither table by itself says anything: folds may take what
 * came later first, so there may even be numbers below 0.
 *
 * A row belongs to the day that is stored with its interaction. When the tenant's time zone
 * changes, a task goes through the interactions and moves them (attempts_recount_later()). */
#ifndef APP_ANALYTICS_ATTEMPTS_H
#define APP_ANALYTICS_ATTEMPTS_H

#include "db/db.h"

/* What one interaction adds. */
struct attempt {
    int64_t day;         /* days since 1970-01-01 */
    int method;          /* of interaction_type_words */
    struct uuid user_id; /* who logged it; none: not known */
    int lead_status;     /* enum customer_status before the touch; 0: not known */
    int64_t started_at;
    struct maybe_int response_at; /* set: it was responded to */
};

/* The day of an instant on a zone's calendar. */
int64_t attempt_day(struct str zone, int64_t us);

/* Adds (1) or takes back (-1) one. It is written before the commit. Its response time is the
 * difference of both instants' whole seconds, as durations are, and never below 0. */
enum err attempts_count(struct ctx *cx, const struct attempt *attempt, int sign);

/* A histogram of response times in whole seconds: exact below 32 s, then 16 steps for each
 * doubling, so that the middle of a step is at most 1/32 (3.2 %) away from what fell in it. As
 * text: "step:count" with spaces between, by step, none of them 0 (but below 0, where it stands
 * for what is to be taken away). */
#define RESPONSE_STEPS 512
#define RESPONSE_TIMES_TEXT_MAX 16384 /* bytes */
int response_step(int64_t seconds);
double response_step_middle(int step);

struct response_times {
    int64_t counts[RESPONSE_STEPS];
};
/* Adds what a column says. ERR_INTERNAL where it is no such text. */
enum err response_times_add(struct response_times *times, struct str text, struct error *error);
/* The text, in the arena; "" for none. */
enum err response_times_write(const struct response_times *times, struct arena *arena,
                              struct str *out, struct error *error);
/* In seconds; of an even number the mean of the two in the middle. Not set: there are none. */
struct maybe_real response_times_median(const struct response_times *times);

/* A row of attempt_counts, or of attempt_deltas, which is to be added to it. */
struct attempt_cell {
    struct uuid tenant_id;
    struct uuid id; /* of a delta */
    int64_t day;
    struct str method;
    struct uuid user_id;
    struct str lead_status;
    int64_t attempts, responses, response_seconds;
    struct str response_times;
};
extern const struct record attempt_cell_record;

/* Moves up to `limit` deltas to the counts; *done says how many. Several nodes may do so at
 * once. For a job: cx needs no tenant. */
enum err attempts_fold(struct ctx *cx, int64_t limit, int64_t *done);

/* The actor's tenant's interactions are to be gone through again, from the first one. */
enum err attempts_recount_later(struct ctx *cx);
/* Whether they still are. */
enum err attempts_recounting(struct ctx *cx, bool *out);

#endif
