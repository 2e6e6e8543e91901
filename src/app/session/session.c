#include "app/session/session.h"

#include "app/customer/customer.h"
#include "app/session/session_sql.h"
#include "app/timeline/timeline.h"
#include "db/counts.h"

static void put_duration(struct json_out *out, const void *record)
{
    const struct session *session = record;

    if (session->ended_at.set)
        json_int(out, (session->ended_at.value - session->started_at) / SECOND_US);
    else
        json_nil(out);
}

static const struct field session_fields[] = {
    FIELD(session, id, F_UUID, READ_ONLY),
    FIELD(session, customer_id, F_UUID, REQUIRED),
    FIELD(session, customer_name, F_TEXT, READ_ONLY),
    FIELD(session, channel, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 50,
          .example = "\"whatsapp\""),
    FIELD(session, subject, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 255),
    FIELD(session, started_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(session, started_by_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(session, started_at, F_TIME, 0, .doc = "Left out: now"),
    FIELD(session, ended_at, F_TIME, READ_ONLY | NULLABLE),
    VIEW("duration_seconds", put_duration, NULL, READ_ONLY | NULLABLE,
         .schema = "{\"type\":[\"integer\",\"null\"]}"),
    FIELD(session, version, F_INT, READ_ONLY),
    FIELD(session, created_at, F_TIME, READ_ONLY),
    FIELD(session, updated_at, F_TIME, READ_ONLY),
};
const struct record session_record = RECORD_NAMED("Session", session, session_fields);

enum err session_require(struct ctx *cx, struct uuid id, struct uuid customer_id, const char *field)
{
    struct session found = {0};
    bool there = false;

    TRY(db_find(cx, &sql_session_get, ARGS({"id", v_uuid(id)}), &session_record, &found, &there));
    if (!there || (!uuid_is_none(customer_id) && !uuid_equal(found.customer_id, customer_id)))
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: %s.", field);
    return OK;
}

enum err session_get(struct ctx *cx, struct uuid id, struct session *out)
{
    return db_one(cx, &sql_session_get, ARGS({"id", v_uuid(id)}), &session_record, out);
}

enum err session_get_locked(struct ctx *cx, struct uuid id, struct session *out)
{
    struct session row = {0};

    TRY(db_one(cx, &sql_session_lock, ARGS({"id", v_uuid(id)}), &session_record, &row));
    return session_get(cx, id, out);
}

static enum err record_event(struct ctx *cx, const struct session *session, const char *type,
                             const char *title, int64_t at)
{
    struct event event = {
        .contact_id = session->customer_id,
        .session_id = session->id,
        .event_type = str_of(type),
        .category = CATEGORY_SESSION,
        .title = str_of(title),
        .payload = PAYLOAD(cx, {"channel", v_text(session->channel)},
                           {"subject", v_text(session->subject)},
                           {"started_at", v_time(session->started_at)},
                           {"ended_at", v_maybe_time(session->ended_at)}),
        .occurred_at = at,
    };

    return timeline_record(cx, &event);
}

enum err session_start(struct ctx *cx, const struct session *in, struct session *out)
{
    struct session made = *in;
    struct customer customer = {0};
    enum err found = customer_get_locked(cx, in->customer_id, &customer);

    if (found == ERR_NOT_FOUND)
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: customer_id.");
    TRY(found);
    made.customer_id = customer.id;
    made.id = uuid_new(cx->ids, cx->now_us);
    if (made.started_at == 0)
        made.started_at = cx->now_us;
    TRY(db_run(cx, &sql_session_insert, ARGS_OF(&session_record, &made)));
    TRY(count_add_uuid(cx, "sessions.customer", made.customer_id, 1));
    TRY(record_event(cx, &made, "session_started", "Session started", made.started_at));
    return session_get(cx, made.id, out);
}

enum err session_end(struct ctx *cx, const struct session *current, struct maybe_int ended_at,
                     struct session *out)
{
    struct session ended = *current;

    *out = *current;
    if (!ended_at.set && current->ended_at.set)
        return OK;
    ended.ended_at = ended_at.set ? ended_at : (struct maybe_int)SOME(cx->now_us);
    if (ended.ended_at.value < current->started_at)
        return error_fault(cx->error, "ended_at", "too_small", "must not be before started_at");
    if (current->ended_at.set && current->ended_at.value == ended.ended_at.value)
        return OK;
    TRY(db_run(cx, &sql_session_set_end, ARGS_OF(&session_record, &ended)));
    TRY(record_event(cx, &ended, "session_ended", "Session ended", ended.ended_at.value));
    return session_get(cx, current->id, out);
}

enum err session_list(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                      struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                      int64_t *total)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    TRY(count_get_uuid(cx, "sessions.customer", customer.id, total));
    return db_all(cx, &sql_sessions_of_customer,
                  ARGS({"customer_id", v_uuid(customer.id)}, {"cursor_time", v_time(before_time)},
                       {"cursor_id", v_uuid(before_id)}, {"limit", v_int(limit)},
                       {"offset", v_int(offset)}),
                  &session_record, out);
}
