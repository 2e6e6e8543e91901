#include "app/analytics/attempts.h"

#include "app/analytics/attempts_sql.h"
#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "base/civil.h"

#include <stdlib.h>
#include <string.h>

int64_t attempt_day(struct str zone, int64_t us)
{
    int year, month, day;

    zone_civil(zone, us, &year, &month, &day);
    return civil_to_days(year, month, day);
}

/* --- Response times ------------------------------------------------------------------------- */

#define EXACT_SECONDS 32 /* 2^5: each step below is one second */
#define EXACT_BITS 5
#define STEPS_PER_DOUBLING 16 /* 2^4 */
#define STEP_BITS 4

int response_step(int64_t seconds)
{
    int doubling, step;

    if (seconds < EXACT_SECONDS)
        return seconds < 0 ? 0 : (int)seconds;
    doubling = 63 - __builtin_clzll((unsigned long long)seconds);
    step = EXACT_SECONDS + (doubling - EXACT_BITS) * STEPS_PER_DOUBLING +
           (int)((seconds >> (doubling - STEP_BITS)) % STEPS_PER_DOUBLING);
    return step < RESPONSE_STEPS ? step : RESPONSE_STEPS - 1;
}

double response_step_middle(int step)
{
    const int above = step - EXACT_SECONDS, doubling = EXACT_BITS + above / STEPS_PER_DOUBLING;
    int64_t width, from;

    if (step < EXACT_SECONDS)
        return step;
    width = INT64_C(1) << (doubling - STEP_BITS);
    from = (STEPS_PER_DOUBLING + above % STEPS_PER_DOUBLING) * width;
    return (double)from + (double)(width - 1) / 2;
}

/* The number at *at, at most `most`; *at moves behind it. By hand, since a report reads millions of
 * them. */
static bool read_number(const char **at, const char *end, uint64_t most, uint64_t *out)
{
    const char *begin = *at;
    uint64_t value = 0;

    for (; *at < end; (*at)++) {
        const unsigned digit = (unsigned char)**at - (unsigned)'0';

        if (digit > 9)
            break;
        if (value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return *at > begin;
}

/* "step:count", of a step above the last one. */
static bool add_step(struct response_times *times, const char **at, const char *end, int64_t *last)
{
    uint64_t step, size;
    int64_t count;
    bool negative;

    if (!read_number(at, end, RESPONSE_STEPS - 1, &step) || (int64_t)step <= *last || *at == end ||
        *(*at)++ != ':')
        return false;
    negative = *at < end && **at == '-';
    *at += negative;
    if (!read_number(at, end, (uint64_t)INT64_MAX + negative, &size) || size == 0)
        return false;
    *last = (int64_t)step;
    /* INT64_MIN has no positive twin to negate. */
    count = negative ? -(int64_t)(size - 1) - 1 : (int64_t)size;
    return !__builtin_add_overflow(times->counts[step], count, &times->counts[step]);
}

enum err response_times_add(struct response_times *times, struct str text, struct error *error)
{
    const char *at = text.ptr, *end;
    int64_t last = -1;

    if (text.len == 0)
        return OK;
    end = at + text.len;
    for (;;) {
        if (!add_step(times, &at, end, &last) || (at < end && *at != ' '))
            return error_set(error, ERR_INTERNAL, "Stored response times cannot be read.");
        if (at == end)
            return OK;
        at++;
    }
}

enum err response_times_write(const struct response_times *times, struct arena *arena,
                              struct str *out, struct error *error)
{
    struct buf buf;

    *out = STR("");
    buf_init(&buf, arena, RESPONSE_TIMES_TEXT_MAX);
    for (int step = 0; step < RESPONSE_STEPS; step++) {
        if (times->counts[step] == 0)
            continue;
        if (buf.len > 0)
            buf_add_char(&buf, ' ');
        buf_add_int(&buf, step);
        buf_add_char(&buf, ':');
        buf_add_int(&buf, times->counts[step]);
    }
    if (buf_failed(&buf))
        return error_set(error, ERR_UNAVAILABLE, "The server has no memory left.");
    if (buf.len > 0)
        *out = buf_str(&buf);
    return OK;
}

/* The step of the one that has `before` others before it. */
static int step_at(const struct response_times *times, int64_t before)
{
    int step = 0;

    for (; step < RESPONSE_STEPS - 1 && before >= times->counts[step]; step++)
        before -= times->counts[step];
    return step;
}

struct maybe_real response_times_median(const struct response_times *times)
{
    int64_t total = 0;

    for (int step = 0; step < RESPONSE_STEPS; step++)
        total += times->counts[step];
    if (total <= 0)
        return (struct maybe_real){false, 0};
    return (struct maybe_real)SOME((response_step_middle(step_at(times, (total - 1) / 2)) +
                                    response_step_middle(step_at(times, total / 2))) /
                                   2);
}

/* --- Counting ------------------------------------------------------------------------------- */

static const struct field cell_fields[] = {
    FIELD(attempt_cell, tenant_id, F_UUID, 0),
    FIELD(attempt_cell, id, F_UUID, NULLABLE),
    FIELD(attempt_cell, day, F_INT, 0),
    FIELD(attempt_cell, method, F_TEXT, 0),
    FIELD(attempt_cell, user_id, F_UUID, 0),
    FIELD(attempt_cell, lead_status, F_TEXT, 0),
    FIELD(attempt_cell, attempts, F_INT, 0),
    FIELD(attempt_cell, responses, F_INT, 0),
    FIELD(attempt_cell, response_seconds, F_INT, 0),
    FIELD(attempt_cell, response_times, F_TEXT, 0),
};
const struct record attempt_cell_record = RECORD(attempt_cell, cell_fields);

static int compare(const void *left, const void *right)
{
    const struct attempt_cell *a = left, *b = right;
    int order = uuid_compare(a->tenant_id, b->tenant_id);

    if (order == 0)
        order = (a->day > b->day) - (a->day < b->day);
    if (order == 0)
        order = str_compare(a->method, b->method);
    if (order == 0)
        order = uuid_compare(a->user_id, b->user_id);
    return order != 0 ? order : str_compare(a->lead_status, b->lead_status);
}

static bool is_nothing(const struct attempt_cell *cell)
{
    return cell->attempts == 0 && cell->responses == 0 && cell->response_seconds == 0 &&
           cell->response_times.len == 0;
}

/* One sum for all that are of the same cell. */
static enum err sum(struct ctx *cx, const struct attempt_cell *cells, size_t count,
                    struct attempt_cell *out)
{
    struct response_times times = {{0}};

    *out = cells[0];
    for (size_t i = 1; i < count; i++) {
        out->attempts += cells[i].attempts;
        out->responses += cells[i].responses;
        out->response_seconds += cells[i].response_seconds;
    }
    for (size_t i = 0; i < count; i++)
        TRY(response_times_add(&times, cells[i].response_times, cx->error));
    return response_times_write(&times, cx->arena, &out->response_times, cx->error);
}

/* Stores the sum of each cell, in the order of the key, so that two transactions never wait for
 * each other's rows in a circle. Sorts `cells`. */
static enum err store_sums(struct ctx *cx, struct attempt_cell *cells, size_t count,
                           enum err (*store)(struct ctx *cx, const struct attempt_cell *cell))
{
    struct attempt_cell total;

    if (count > 0)
        qsort(cells, count, sizeof(*cells), compare);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && compare(&cells[from], &cells[to]) == 0;)
            to++;
        TRY(sum(cx, &cells[from], to - from, &total));
        if (!is_nothing(&total))
            TRY(store(cx, &total));
    }
    return OK;
}

static enum err store_delta(struct ctx *cx, const struct attempt_cell *cell)
{
    return db_run(cx, &sql_attempts_delta,
                  ARGS_OF(&attempt_cell_record, cell, {"tenant", v_uuid(cell->tenant_id)},
                          {"id", v_uuid(uuid_new(cx->ids, cx->now_us))}));
}

static enum err store_count(struct ctx *cx, const struct attempt_cell *cell)
{
    const struct value tenant = v_uuid(cell->tenant_id);
    struct response_times times = {{0}};
    struct attempt_cell row = *cell, now;

    TRY(db_one(cx, &sql_attempts_add, ARGS_OF(&attempt_cell_record, cell, {"tenant", tenant}),
               &attempt_cell_record, &now));
    if (cell->response_times.len > 0) {
        TRY(response_times_add(&times, now.response_times, cx->error));
        TRY(response_times_add(&times, cell->response_times, cx->error));
        TRY(response_times_write(&times, cx->arena, &now.response_times, cx->error));
        row.response_times = now.response_times;
    }
    if (is_nothing(&now))
        return db_run(cx, &sql_attempts_drop,
                      ARGS_OF(&attempt_cell_record, &row, {"tenant", tenant}));
    if (cell->response_times.len == 0)
        return OK;
    return db_run(cx, &sql_attempts_set_times,
                  ARGS_OF(&attempt_cell_record, &row, {"tenant", tenant}));
}

static enum err no_memory(struct ctx *cx)
{
    return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
}

/* What was deferred is one attempt each; the histogram follows from its numbers. */
static enum err write_times(struct ctx *cx, struct attempt_cell *cell)
{
    struct response_times times = {{0}};

    if (cell->responses == 0)
        return OK;
    times.counts[response_step(cell->response_seconds * cell->responses)] = cell->responses;
    return response_times_write(&times, cx->arena, &cell->response_times, cx->error);
}

static enum err store_all(struct ctx *cx, const void *items, size_t count)
{
    struct attempt_cell *cells = ARENA_ARRAY(cx->arena, count, struct attempt_cell);

    if (!cells)
        return no_memory(cx);
    memcpy(cells, items, count * sizeof(*cells));
    for (size_t i = 0; i < count; i++)
        TRY(write_times(cx, &cells[i]));
    return store_sums(cx, cells, count, db_is_postgres(cx) ? store_delta : store_count);
}

enum err attempts_count(struct ctx *cx, const struct attempt *attempt, int sign)
{
    const char *status = enum_name(&customer_statuses, attempt->lead_status);
    /* Its texts are literals, so they are still there at the commit. */
    struct attempt_cell cell = {
        .tenant_id = cx->actor.tenant_id,
        .day = attempt->day,
        .method = str_of(enum_name(&interaction_type_words, attempt->method)),
        .user_id = uuid_is_none(attempt->user_id) ? UUID_MAX : attempt->user_id,
        .lead_status = status ? str_of(status) : STR(""),
        .attempts = sign,
        .response_times = STR(""),
    };

    if (attempt->response_at.set) {
        const int64_t seconds = floor_divide(attempt->response_at.value, SECOND_US) -
                                floor_divide(attempt->started_at, SECOND_US);

        cell.responses = sign;
        cell.response_seconds = seconds > 0 ? sign * seconds : 0;
    }
    return db_defer(cx, store_all, &cell, sizeof(cell));
}

enum err attempts_fold(struct ctx *cx, int64_t limit, int64_t *done)
{
    struct list taken;

    *done = 0;
    TRY(db_all(cx, &sql_attempts_take, ARGS({"limit", v_int(limit)}), &attempt_cell_record,
               &taken));
    TRY(store_sums(cx, taken.items, taken.count, store_count));
    *done = (int64_t)taken.count;
    return OK;
}

/* --- Going through all of a tenant's again --------------------------------------------------- */

enum err attempts_recount_later(struct ctx *cx)
{
    return db_run(cx, &sql_attempts_recount_later, NO_ARGS);
}

enum err attempts_recounting(struct ctx *cx, bool *out)
{
    int64_t there = 0;

    TRY(db_int(cx, &sql_attempts_recounting, NO_ARGS, &there));
    *out = there != 0;
    return OK;
}
