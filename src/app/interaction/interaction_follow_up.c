#include "app/interaction/interaction_parts.h"
#include "app/interaction/interaction_sql.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

static const char *const bucket_names[] = {"overdue", "today", "upcoming", "undated"};
const struct enum_names follow_up_buckets = ENUM_NAMES(bucket_names);

static const struct maybe_int NOT_SET = {false, 0};

enum err interaction_set_follow_up(struct ctx *cx, const struct interaction *current,
                                   const struct interaction *wanted, struct interaction *out)
{
    struct interaction after = *current;

    after.follow_up_required = wanted->follow_up_required;
    after.follow_up_date = wanted->follow_up_date;
    after.follow_up_notes = wanted->follow_up_notes;
    if (!uuid_is_none(wanted->follow_up_assignee))
        after.follow_up_assignee = wanted->follow_up_assignee;
    after.follow_up_completed_at = after.follow_up_snoozed_until = NOT_SET;
    return interaction_save(
        cx, current, &after,
        &(struct change){"follow_up_set", "Follow-up set",
                         PAYLOAD(cx, {"follow_up_required", v_bool(after.follow_up_required)},
                                 {"follow_up_date", v_maybe_time(after.follow_up_date)},
                                 {"follow_up_assignee", v_uuid(after.follow_up_assignee)})},
        out);
}

enum err interaction_complete_follow_up(struct ctx *cx, const struct interaction *current,
                                        struct interaction *out)
{
    struct interaction after = *current;

    if (!current->follow_up_required)
        return error_set(cx->error, ERR_CONFLICT, "There is no follow-up to complete.");
    if (!current->follow_up_completed_at.set)
        after.follow_up_completed_at = (struct maybe_int)SOME(cx->now_us);
    return interaction_save(
        cx, current, &after,
        &(struct change){"follow_up_completed", "Follow-up completed",
                         PAYLOAD(cx, {"follow_up_date", v_maybe_time(after.follow_up_date)})},
        out);
}

enum err interaction_snooze_follow_up(struct ctx *cx, const struct interaction *current,
                                      int64_t until, struct interaction *out)
{
    struct interaction after = *current;

    if (!current->follow_up_due.set)
        return error_set(cx->error, ERR_CONFLICT, "There is no follow-up to put off.");
    if (until <= cx->now_us)
        return error_fault(cx->error, "until", "too_small", "must lie ahead");
    after.follow_up_snoozed_until = (struct maybe_int)SOME(until);
    return interaction_save(cx, current, &after,
                            &(struct change){"follow_up_snoozed", "Follow-up put off",
                                             PAYLOAD(cx, {"until", v_time(until)})},
                            out);
}

/* --- Lists ------------------------------------------------------------------------------- */

/* What of follow_up_due belongs to a bucket, both ends included. */
static void bucket_range(const struct ctx *cx, int bucket, int64_t *from, int64_t *to)
{
    int64_t day_begin, day_end;

    zone_day(cx->actor.timezone, cx->now_us, &day_begin, &day_end);
    *from = TIME_MIN_US;
    *to = TIME_END;
    if (bucket == FOLLOW_UP_OVERDUE) {
        *to = day_begin - 1;
    } else if (bucket == FOLLOW_UP_TODAY) {
        *from = day_begin;
        *to = day_end - 1;
    } else if (bucket == FOLLOW_UP_UPCOMING) {
        *from = day_end;
        *to = TIME_MAX_US;
    } else if (bucket == FOLLOW_UP_UNDATED) {
        *from = TIME_END;
    }
}

enum err interaction_follow_ups(struct ctx *cx, int bucket, struct uuid assignee, int64_t after_due,
                                struct uuid after_id, int64_t limit, int64_t offset,
                                struct list *out, int64_t *total, bool *capped)
{
    const bool all = uuid_is_none(assignee);
    int64_t from, to;

    bucket_range(cx, bucket, &from, &to);
    *capped = false;
    if (bucket != 0) {
        TRY(db_int(cx,
                   all ? &sql_interaction_count_follow_ups : &sql_interaction_count_follow_ups_of,
                   ARGS({"assignee", v_uuid(assignee)}, {"from_time", v_time(from)},
                        {"to_time", v_time(to)}, {"count_cap", v_int(COUNT_CAP + 1)}),
                   total));
        *capped = *total > COUNT_CAP;
    } else if (all) {
        TRY(count_get(cx, "interactions.follow_up", STR(""), total));
    } else {
        TRY(count_get_uuid(cx, "interactions.follow_up_assignee", assignee, total));
    }
    if (*capped)
        *total = COUNT_CAP;
    /* One lower bound, not two: an index range begins at one of them only. */
    if (after_due < from) {
        after_due = from;
        after_id = UUID_MIN;
    }
    return db_all(cx, all ? &sql_interaction_follow_ups : &sql_interaction_follow_ups_of,
                  ARGS({"assignee", v_uuid(assignee)}, {"to_time", v_time(to)},
                       {"cursor_time", v_time(after_due)}, {"cursor_id", v_uuid(after_id)},
                       {"limit", v_int(limit)}, {"offset", v_int(offset)}),
                  &interaction_row_record, out);
}

/* --- Reminders ---------------------------------------------------------------------------- */

struct due_row {
    struct uuid tenant_id, id, customer_id, session_id, follow_up_assignee;
    struct str subject;
    int64_t follow_up_due;
};

static const struct field due_fields[] = {
    FIELD(due_row, tenant_id, F_UUID, 0),
    FIELD(due_row, id, F_UUID, 0),
    FIELD(due_row, customer_id, F_UUID, 0),
    FIELD(due_row, session_id, F_UUID, NULLABLE),
    FIELD(due_row, follow_up_assignee, F_UUID, NULLABLE),
    FIELD(due_row, subject, F_TEXT, NULLABLE),
    FIELD(due_row, follow_up_due, F_TIME, 0),
};
static const struct record due_record = RECORD(due_row, due_fields);

static enum err tell_assignee(struct ctx *cx, const struct due_row *row)
{
    struct ctx own = *cx;

    own.actor = (struct actor){.role = cx->actor.role, .tenant_id = row->tenant_id};
    TRY(db_run(&own, &sql_interaction_mark_notified, ARGS({"id", v_uuid(row->id)})));
    return timeline_record(
        &own, &(struct event){.contact_id = row->customer_id,
                              .session_id = row->session_id,
                              .interaction_id = row->id,
                              .event_type = STR("follow_up_due"),
                              .category = CATEGORY_NOTIFICATION,
                              .priority = PRIORITY_HIGH,
                              .source = SOURCE_SYSTEM,
                              .title = STR("A follow-up is due"),
                              .addressee_id = row->follow_up_assignee,
                              .is_realtime = true,
                              .payload = PAYLOAD(&own, {"subject", v_text(row->subject)},
                                                 {"due", v_time(row->follow_up_due)})});
}

enum err interaction_follow_ups_due(struct ctx *cx, int64_t limit, int64_t *done)
{
    struct list due;

    *done = 0;
    TRY(db_all(cx, &sql_interaction_due, ARGS({"limit", v_int(limit)}), &due_record, &due));
    for (size_t i = 0; i < due.count; i++)
        TRY(tell_assignee(cx, LIST_AT(due, struct due_row, i)));
    *done = (int64_t)due.count;
    return OK;
}
