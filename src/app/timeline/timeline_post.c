#include "app/customer/customer.h"
#include "app/interaction/interaction.h"
#include "app/session/session.h"
#include "app/timeline/timeline_list_sql.h"
#include "app/timeline/timeline_parts.h"

static enum err unknown(struct ctx *cx, enum err found, const char *field)
{
    return found == ERR_NOT_FOUND
               ? error_set(cx->error, ERR_NOT_FOUND, "There is no such record: %s.", field)
               : found;
}

static void must_be_same(struct ctx *cx, const char *field, struct uuid a, struct uuid b)
{
    if (!uuid_equal(a, b))
        error_fault(cx->error, field, "mismatch", "must be of the same contact");
}

/* The ids that the body names, all of the tenant; those of another contact are faults. */
static enum err check_ids(struct ctx *cx, struct event *event)
{
    struct customer customer = {0};
    struct session session = {0};
    struct interaction interaction = {0};
    struct event user;

    TRY(unknown(cx, customer_get_locked(cx, event->contact_id, &customer), "contact_id"));
    event->contact_id = customer.id;
    if (!uuid_is_none(event->session_id))
        TRY(unknown(cx, session_get(cx, event->session_id, &session), "session_id"));
    if (!uuid_is_none(event->interaction_id))
        TRY(unknown(cx, interaction_get(cx, event->interaction_id, &interaction),
                    "interaction_id"));
    if (!uuid_is_none(event->addressee_id))
        TRY(unknown(cx,
                    db_one(cx, &sql_event_user_there, ARGS({"id", v_uuid(event->addressee_id)}),
                           &event_record, &user),
                    "addressee_id"));
    if (!uuid_is_none(event->session_id))
        must_be_same(cx, "session_id", session.customer_id, customer.id);
    if (!uuid_is_none(event->interaction_id))
        must_be_same(cx, "interaction_id", interaction.customer_id, customer.id);
    return OK;
}

static void check_addressee(struct ctx *cx, const struct event *event, bool shown)
{
    const bool to_contact = event->addressee_type == ADDRESSEE_CONTACT;

    if (to_contact && !uuid_is_none(event->addressee_id))
        error_fault(cx->error, "addressee_id", "conflict",
                    "cannot be given where the addressee is the contact");
    else if (to_contact && !event->visible_to_client)
        error_fault(cx->error, "visible_to_client", "conflict",
                    "must be true where the addressee is the contact");
    else if (!to_contact && !uuid_is_none(event->addressee_id) && !shown)
        error_fault(cx->error, "visible_to_agent", "conflict",
                    "must be true where the addressee is a user");
    else if (event->addressee_type == ADDRESSEE_USER && uuid_is_none(event->addressee_id))
        error_fault(cx->error, "addressee_id", "required", "must say which user it is");
}

enum err timeline_post(struct ctx *cx, const struct event *in, bool shown, struct event *out)
{
    struct event event = *in;

    TRY(check_ids(cx, &event));
    if (!shown && !event.visible_to_client)
        error_fault(cx->error, "visible_to_agent", "conflict",
                    "must be true where visible_to_client is not: nobody would see the event");
    else
        check_addressee(cx, &event, shown);
    if (event.expires_at.set && event.expires_at.value <= cx->now_us)
        error_fault(cx->error, "expires_at", "too_small", "must lie ahead");
    if (cx->error->code != OK)
        return cx->error->code;
    event.hidden = !shown;
    TRY(timeline_index(cx, &event));
    TRY(timeline_record(cx, &event));
    return db_one(cx, &sql_event_get_any, ARGS({"id", v_uuid(event.id)}), &event_record, out);
}
