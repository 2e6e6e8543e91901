#include "app/timeline/timeline_mark_sql.h"
#include "app/timeline/timeline_parts.h"
#include "db/notice.h"

static enum err tell_screens(struct ctx *cx, struct uuid viewer, struct uuid event_id,
                             struct uuid timeline_id, bool up_to)
{
    return db_notify(
        cx, &(struct notice){.kind = NOTICE_READ,
                             .tenant_id = cx->actor.tenant_id,
                             .event_id = event_id,
                             .timeline_id = timeline_id,
                             .addressee_id = uuid_is_none(viewer) ? cx->actor.user_id : viewer,
                             .at_us = cx->now_us,
                             .up_to = up_to});
}

static enum err not_yours(struct ctx *cx)
{
    return error_set(cx->error, ERR_FORBIDDEN, "The event is addressed to somebody else.");
}

/* The event as the actor may see it, locked, and whether it is addressed to the actor. */
static enum err read_event(struct ctx *cx, struct uuid id, struct event *event, struct uuid *viewer,
                           bool *is_addressee)
{
    TRY(timeline_viewer(cx, viewer));
    TRY(timeline_get_locked(cx, id, event));
    *is_addressee = timeline_is_addressee(cx, *viewer, event);
    return OK;
}

static enum err set_delivered(struct ctx *cx, const struct event *event)
{
    return db_run(cx, &sql_event_set_delivered, ARGS({"id", v_uuid(event->id)}));
}

enum err timeline_mark_delivered(struct ctx *cx, struct uuid id, struct event_mark *out)
{
    struct event event = {.id = UUID_NONE};
    struct uuid viewer;
    bool is_addressee;

    TRY(read_event(cx, id, &event, &viewer, &is_addressee));
    if (!is_addressee)
        return not_yours(cx);
    *out = (struct event_mark){event.delivered ? event.delivered_at.value : cx->now_us,
                               !event.delivered};
    return event.delivered ? OK : set_delivered(cx, &event);
}

enum err timeline_acknowledge(struct ctx *cx, struct uuid event_id)
{
    struct event event = {.id = UUID_NONE};
    struct uuid viewer;
    bool is_addressee;

    TRY(read_event(cx, event_id, &event, &viewer, &is_addressee));
    return is_addressee && event.is_realtime && !event.delivered ? set_delivered(cx, &event) : OK;
}

/* By a user whom it was not addressed to. */
static enum err read_besides(struct ctx *cx, struct uuid id, struct event_mark *out)
{
    struct event_read {
        int64_t read_at;
    } before = {0};
    static const struct field fields[] = {FIELD(event_read, read_at, F_TIME, 0)};
    static const struct record record = RECORD(event_read, fields);
    bool there;

    if (uuid_is_none(cx->actor.user_id))
        return not_yours(cx);
    TRY(db_find(cx, &sql_event_read_get, ARGS({"id", v_uuid(id)}), &record, &before, &there));
    *out = (struct event_mark){there ? before.read_at : cx->now_us, !there};
    return there ? OK : db_run(cx, &sql_event_read_add, ARGS({"id", v_uuid(id)}));
}

enum err timeline_mark_read(struct ctx *cx, struct uuid id, struct event_mark *out)
{
    struct event event = {.id = UUID_NONE};
    struct uuid viewer;
    bool is_addressee;

    TRY(read_event(cx, id, &event, &viewer, &is_addressee));
    if (!is_addressee) {
        TRY(read_besides(cx, id, out));
    } else {
        *out = (struct event_mark){event.read ? event.read_at.value : cx->now_us, !event.read};
        if (!event.read)
            TRY(db_run(cx, &sql_event_set_read, ARGS({"id", v_uuid(id)})));
    }
    return out->changed ? tell_screens(cx, viewer, id, UUID_NONE, false) : OK;
}

enum err timeline_mark_read_up_to(struct ctx *cx, struct uuid timeline_id, struct uuid event_id,
                                  int64_t *marked, bool *more)
{
    struct event event = {.id = UUID_NONE};
    struct uuid viewer;
    enum err found;

    *marked = 0;
    *more = false;
    TRY(timeline_viewer(cx, &viewer));
    found = timeline_get(cx, event_id, &event);
    if (found == ERR_NOT_FOUND ||
        (found == OK && !uuid_is_none(timeline_id) && !uuid_equal(event.timeline_id, timeline_id)))
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record: event_id.");
    TRY(found);
    if (uuid_is_none(viewer) && uuid_is_none(cx->actor.user_id))
        return OK;
    TRY(db_run(cx, uuid_is_none(viewer) ? &sql_event_set_read_user : &sql_event_set_read_contact,
               ARGS({"timeline_id", v_uuid(uuid_is_none(viewer) ? timeline_id : viewer)},
                    {"to_time", v_time(event.occurred_at)}, {"to_id", v_uuid(event.id)},
                    {"limit", v_int(MARK_MAX)})));
    *marked = db_changed(cx);
    *more = *marked == MARK_MAX;
    return *marked > 0 ? tell_screens(cx, viewer, event_id, timeline_id, true) : OK;
}
