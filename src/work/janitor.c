#include "work/janitor.h"

#include "work/janitor_sql.h"

/* How long after its end a token, or a lock, is still there to be explained. */
#define KEPT_US (7 * DAY_US)

enum err janitor_sweep(struct ctx *cx, int64_t limit, int64_t *done)
{
    const struct {
        const struct query *query;
        int64_t before_us;
    } sweeps[] = {
        {&sql_janitor_idempotency_keys, cx->now_us},
        {&sql_janitor_logins, cx->now_us},
        {&sql_janitor_user_tokens, cx->now_us - KEPT_US},
        {&sql_janitor_login_failures, cx->now_us - KEPT_US},
        {&sql_janitor_contact_tokens, cx->now_us - KEPT_US},
        {&sql_janitor_stream_tickets, cx->now_us},
    };

    *done = 0;
    for (size_t i = 0; i < COUNT_OF(sweeps); i++) {
        TRY(db_run(cx, sweeps[i].query,
                   ARGS({"before", v_time(sweeps[i].before_us)}, {"limit", v_int(limit)})));
        if (db_changed(cx) > *done)
            *done = db_changed(cx);
    }
    return OK;
}
