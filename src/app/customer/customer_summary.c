#include "app/customer/customer.h"
#include "app/customer/customer_index.h"
#include "app/customer/customer_sql.h"

#include <stdlib.h>

static const struct field summary_fields[] = {
    FIELD(touched, id, F_UUID, 0),
    FIELD(touched, name, F_TEXT, 0),
    FIELD(touched, company_id, F_UUID, NULLABLE),
    FIELD(touched, company_name, F_TEXT, NULLABLE),
    FIELD(touched, status, F_ENUM, 0, .names = &customer_statuses),
    FIELD(touched, last_contacted_at, F_TIME, NULLABLE),
    FIELD(touched, last_contact_method, F_TEXT, NULLABLE),
    FIELD(touched, contact_count, F_INT, 0),
    FIELD(touched, last_response_at, F_TIME, NULLABLE),
    FIELD(touched, deleted_at, F_TIME, NULLABLE),
    FIELD(touched, timezone, F_TEXT, NULLABLE),
    FIELD(touched, tenant_timezone, F_TEXT, NULLABLE),
    FIELD(touched, outreach_rules, F_TEXT, NULLABLE),
};
static const struct record summary_record = RECORD(touched, summary_fields);

/* A row of planned_touches; and the latest touch of a kind, which has fewer columns. */
struct planned {
    struct uuid tenant_id, interaction_id, customer_id;
    bool outbound;
    struct str method;
    struct maybe_int started_at;
};

static const struct field planned_fields[] = {
    FIELD(planned, tenant_id, F_UUID, 0),     FIELD(planned, interaction_id, F_UUID, 0),
    FIELD(planned, customer_id, F_UUID, 0),   FIELD(planned, outbound, F_BOOL, 0),
    FIELD(planned, method, F_TEXT, NULLABLE), FIELD(planned, started_at, F_TIME, NULLABLE),
};
static const struct record planned_record = RECORD(planned, planned_fields);

static enum err lock(struct ctx *cx, struct uuid customer_id, struct touched *out)
{
    return db_one(cx, &sql_customer_summary_lock, ARGS({"id", v_uuid(customer_id)}),
                  &summary_record, out);
}

/* Writes what differs, and what follows from a new method and a new status. */
static enum err save(struct ctx *cx, const struct touched *before, const struct touched *after)
{
    const int64_t key = after->last_contacted_at.set ? after->last_contacted_at.value : TIME_MIN_US;
    const struct args args = ARGS_OF(&summary_record, after, {"last_contact_key", v_time(key)});

    if (!after->deleted_at.set) /* else no list has it */
        TRY(customer_index_method(cx, before->last_contact_method, after->last_contact_method));
    if (before->status == after->status)
        return db_run(cx, &sql_customer_summary_save, args);
    TRY(db_run(cx, &sql_customer_summary_save_status, args));
    if (!after->deleted_at.set)
        TRY(customer_index_status(cx, before->status, after->status));
    return customer_status_event(cx, after->id, before->status, after->status);
}

/* True where it is a later response than those before it. */
static bool add_response(struct touched *row, int64_t at)
{
    const int status = row->status;
    const bool later = !row->last_response_at.set || at > row->last_response_at.value;

    if (later)
        row->last_response_at = (struct maybe_int)SOME(at);
    if (status == CUSTOMER_CONTACTED)
        row->status = CUSTOMER_CONVERSING;
    return later || status != row->status;
}

static void add_outbound(struct touched *row, const struct touch *touch)
{
    row->contact_count++;
    if (!row->last_contacted_at.set || touch->started_at >= row->last_contacted_at.value) {
        row->last_contacted_at = (struct maybe_int)SOME(touch->started_at);
        row->last_contact_method = touch->method;
    }
    if (row->status == CUSTOMER_NEW || row->status == CUSTOMER_ENRICHED)
        row->status = CUSTOMER_CONTACTED;
}

static enum err count(struct ctx *cx, const struct touched *row, const struct touch *touch)
{
    struct touched after = *row;

    if (touch->outbound)
        add_outbound(&after, touch);
    else if (!add_response(&after, touch->started_at))
        return OK;
    return save(cx, row, &after);
}

enum err customer_for_touch(struct ctx *cx, struct uuid customer_id, struct str method,
                            struct touched *out)
{
    return db_one(cx, &sql_customer_for_touch,
                  ARGS({"id", v_uuid(customer_id)}, {"method", v_text(method)}), &summary_record,
                  out);
}

enum err customer_touched(struct ctx *cx, const struct touch *touch, const struct touched *customer)
{
    if (touch->started_at <= cx->now_us)
        return count(cx, customer, touch);
    return db_run(cx, &sql_planned_touch_insert,
                  ARGS({"interaction_id", v_uuid(touch->interaction_id)},
                       {"customer_id", v_uuid(touch->customer_id)},
                       {"outbound", v_bool(touch->outbound)}, {"method", v_text(touch->method)},
                       {"started_at", v_time(touch->started_at)}));
}

static enum err latest(struct ctx *cx, const struct query *query, struct uuid customer_id,
                       struct planned *out)
{
    bool there;

    *out = (struct planned){0};
    return db_find(cx, query, ARGS({"customer_id", v_uuid(customer_id)}), &planned_record, out,
                   &there);
}

static enum err find_last_response(struct ctx *cx, struct touched *row)
{
    struct planned inbound, answer;

    TRY(latest(cx, &sql_customer_last_inbound, row->id, &inbound));
    TRY(latest(cx, &sql_customer_last_answer, row->id, &answer));
    row->last_response_at = inbound.started_at;
    if (answer.started_at.set &&
        (!inbound.started_at.set || answer.started_at.value > inbound.started_at.value))
        row->last_response_at = answer.started_at;
    return OK;
}

static enum err take_planned(struct ctx *cx, struct uuid interaction_id, struct planned *out,
                             bool *there)
{
    return db_find(cx, &sql_planned_touch_take, ARGS({"interaction_id", v_uuid(interaction_id)}),
                   &planned_record, out, there);
}

static bool is_at(struct maybe_int time, int64_t us)
{
    return time.set && time.value == us;
}

enum err customer_untouched(struct ctx *cx, const struct touch *touch)
{
    struct touched row = {0}, after;
    struct planned planned = {0};
    bool there;

    TRY(take_planned(cx, touch->interaction_id, &planned, &there));
    if (there) /* it had not been counted yet */
        return OK;
    TRY(lock(cx, touch->customer_id, &row));
    after = row;
    if (touch->outbound) {
        after.contact_count -= after.contact_count > 0;
        if (is_at(row.last_contacted_at, touch->started_at)) {
            struct planned last;

            TRY(latest(cx, &sql_customer_last_outbound, row.id, &last));
            after.last_contacted_at = last.started_at;
            after.last_contact_method = last.method;
        }
    } else {
        if (!is_at(row.last_response_at, touch->started_at))
            return OK;
        TRY(find_last_response(cx, &after));
    }
    return save(cx, &row, &after);
}

enum err customer_responded(struct ctx *cx, struct uuid customer_id, int64_t response_at)
{
    struct touched row = {0}, after;

    TRY(lock(cx, customer_id, &row));
    after = row;
    return add_response(&after, response_at) ? save(cx, &row, &after) : OK;
}

enum err customer_unresponded(struct ctx *cx, struct uuid customer_id, int64_t response_at)
{
    struct touched row = {0}, after;

    TRY(lock(cx, customer_id, &row));
    if (!is_at(row.last_response_at, response_at))
        return OK;
    after = row;
    TRY(find_last_response(cx, &after));
    return save(cx, &row, &after);
}

enum err customer_recount(struct ctx *cx, struct uuid customer_id)
{
    struct touched row = {0}, after;
    struct planned last;

    TRY(lock(cx, customer_id, &row));
    after = row;
    TRY(db_int(cx, &sql_customer_count_outbound, ARGS({"customer_id", v_uuid(customer_id)}),
               &after.contact_count));
    TRY(latest(cx, &sql_customer_last_outbound, customer_id, &last));
    after.last_contacted_at = last.started_at;
    after.last_contact_method = last.method;
    TRY(find_last_response(cx, &after));
    return save(cx, &row, &after);
}

static enum err count_planned(struct ctx *cx, const struct planned *due,
                              enum err (*then)(struct ctx *cx, struct uuid interaction_id))
{
    const struct touch touch = {due->interaction_id, due->customer_id, due->outbound, due->method,
                                due->started_at.value};
    struct touched row = {0};
    struct planned taken = {0};
    bool there;

    TRY(lock(cx, due->customer_id, &row)); /* first, as whoever deletes or moves the touch */
    TRY(take_planned(cx, due->interaction_id, &taken, &there));
    if (!there) /* another node was first */
        return OK;
    if (!uuid_equal(taken.customer_id, due->customer_id)) /* they were merged meanwhile */
        TRY(lock(cx, taken.customer_id, &row));
    TRY(count(cx, &row, &touch));
    return then ? then(cx, due->interaction_id) : OK;
}

/* Customers in the order in which all lock them who lock several; what was with one, as it was. */
static int compare_due(const void *a, const void *b)
{
    const struct planned *x = a, *y = b;
    const int64_t at = x->started_at.value, other = y->started_at.value;
    const int customers = uuid_compare(x->customer_id, y->customer_id);

    if (customers != 0)
        return customers;
    return at != other ? (at > other) - (at < other)
                       : uuid_compare(x->interaction_id, y->interaction_id);
}

enum err customer_count_due(struct ctx *cx, int64_t limit,
                            enum err (*then)(struct ctx *cx, struct uuid interaction_id),
                            int64_t *counted)
{
    const struct actor caller = cx->actor;
    struct list due;
    enum err result = OK;

    TRY(db_all(cx, &sql_planned_touches_due, ARGS({"limit", v_int(limit)}), &planned_record, &due));
    if (due.count > 1)
        qsort(due.items, due.count, sizeof(struct planned), compare_due);
    for (size_t i = 0; i < due.count && result == OK; i++) {
        const struct planned *one = LIST_AT(due, struct planned, i);

        cx->actor = (struct actor){.tenant_id = one->tenant_id};
        result = count_planned(cx, one, then);
    }
    cx->actor = caller;
    *counted = (int64_t)due.count;
    return result;
}
