#include "app/user/user.h"

#include "app/tenant/tenant.h"
#include "http/route.h"
#include "json/format.h"

extern const struct resource user_resource, me_resource;

/* --- /users ------------------------------------------------------------------------- */

static const struct field filter_fields[] = {
    FIELD(user_filter, email, F_TEXT, ONE_LINE, .min = 1, .max = 254,
          .doc = "Exactly this address, whatever its case"),
    FIELD(user_filter, q, F_TEXT, ONE_LINE, .min = 1, .max = 200,
          .doc = "Beginning of the name or the e-mail address"),
    FIELD(user_filter, role, F_ENUM, 0, .names = &user_roles),
    FIELD(user_filter, active, F_BOOL, 0),
};
static const struct record filter_record = RECORD_NAMED("UserFilter", user_filter, filter_fields);

static void name_key(const void *row, struct list_key *out)
{
    const struct user *user = row;

    out->text = user->name_folded;
    out->id = user->id;
}

static enum err list(struct req *rq)
{
    struct user_filter *filter = rq->query;
    struct list rows;
    struct total total = {0};

    filter->has_active = given_has(&rq->query_given, &filter_record, "active");
    TRY(user_list(&rq->cx, filter, rq->page.cursor_text, rq->page.cursor_id, rq->page.limit + 1,
                  rq->page.offset, &rows));
    TRY(user_count(&rq->cx, filter, &total.rows));
    total.capped = total.rows > COUNT_CAP;
    if (total.capped)
        total.rows = COUNT_CAP;
    return reply_list(rq, &user_record, &rows, total, name_key);
}

static enum err invite(struct req *rq)
{
    struct user made = {0};

    TRY(user_invite(&rq->cx, rq->body, &made));
    return reply_created(rq, &user_record, &made, made.id);
}

static enum err show(struct req *rq)
{
    struct user user = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(user_get(&rq->cx, id, &user));
    return reply_record(rq, &user_record, &user);
}

static enum err edit_user(struct req *rq, struct uuid id)
{
    struct user current = {0}, changed, saved = {0};

    TRY(user_get_locked(&rq->cx, id, &current));
    TRY(check_if_match(rq, current.version));
    changed = current;
    TRY(record_merge(rq->route->body, &rq->given, rq->body, &changed, rq->cx.arena, rq->cx.error));
    TRY(user_update(&rq->cx, &current, &changed, &saved));
    return reply_record(rq, &user_record, &saved);
}

static enum err edit(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    return edit_user(rq, id);
}

/* The user of the path, locked, as the caller saw it. */
static enum err current_user(struct req *rq, struct user *out)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(user_get_locked(&rq->cx, id, out));
    return check_if_match(rq, out->version);
}

static enum err reset(struct req *rq)
{
    struct user user = {0};

    TRY(current_user(rq, &user));
    TRY(user_reset(&rq->cx, user.id, &user));
    return reply_record(rq, &user_record, &user);
}

struct leaving {
    struct uuid reassign_to;
};
static const struct field leaving_fields[] = {
    FIELD(leaving, reassign_to, F_UUID, NULLABLE,
          .doc = "Who takes over customers, companies and open follow-ups; null: nobody"),
};
static const struct record leaving_record = RECORD_NAMED("UserDeactivate", leaving, leaving_fields);

static enum err deactivate(struct req *rq)
{
    const struct leaving *leaving = rq->body;
    struct user user = {0};

    TRY(current_user(rq, &user));
    TRY(user_deactivate(&rq->cx, user.id, leaving->reassign_to, &user));
    return reply_record(rq, &user_record, &user);
}

static enum err reactivate(struct req *rq)
{
    struct user user = {0};

    TRY(current_user(rq, &user));
    TRY(user_reactivate(&rq->cx, user.id, &user));
    return reply_record(rq, &user_record, &user);
}

static enum err revoke_sessions(struct req *rq)
{
    struct user user = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(user_get_locked(&rq->cx, id, &user));
    TRY(user_revoke_logins(&rq->cx, id, UUID_NONE));
    return reply_none(rq);
}

static const struct route user_routes[] = {
    {HTTP_POST, "", ROLE_ADMIN, TX_WRITE, invite, "Invite a user", ANSWER_CREATED,
     .answer = &user_record, .body = &user_record},
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list, "List the users by name", ANSWER_LIST,
     .answer = &user_record, .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get a user", ANSWER_RECORD,
     .answer = &user_record},
    {HTTP_PATCH, "/{id}", ROLE_ADMIN, TX_WRITE, edit, "Edit a user", ANSWER_RECORD,
     .answer = &user_record, .body = &user_record, .flags = ROUTE_PATCH},
    {HTTP_POST, "/{id}/reset", ROLE_ADMIN, TX_WRITE, reset,
     "Make a one-time token with which the user sets a new password", ANSWER_RECORD,
     .answer = &user_record},
    {HTTP_POST, "/{id}/deactivate", ROLE_ADMIN, TX_WRITE, deactivate,
     "Deactivate a user and hand over what was theirs", ANSWER_RECORD, .answer = &user_record,
     .body = &leaving_record, .flags = ROUTE_OPTIONAL_BODY},
    {HTTP_POST, "/{id}/reactivate", ROLE_ADMIN, TX_WRITE, reactivate, "Reactivate a user",
     ANSWER_RECORD, .answer = &user_record},
    {HTTP_POST, "/{id}/revoke-sessions", ROLE_ADMIN, TX_WRITE, revoke_sessions,
     "Sign a user out of every browser", ANSWER_NONE, .answer = NULL},
};
static const char *const user_mounts[] = {"/users"};
const struct resource user_resource = {"users", user_mounts, COUNT_OF(user_mounts), user_routes,
                                       COUNT_OF(user_routes)};

/* --- /me ---------------------------------------------------------------------------- */

struct me {
    struct user user;
    struct tenant tenant;
};
static const struct field me_fields[] = {
    FIELD(me, user, F_OBJECT, READ_ONLY, .record = &user_record),
    FIELD(me, tenant, F_OBJECT, READ_ONLY, .record = &tenant_record),
};
static const struct record me_record = RECORD_NAMED("Me", me, me_fields);

/* What users may edit of themselves. */
static const struct field own_fields[] = {
    FIELD(user, name, F_TEXT, ONE_LINE, .min = 1, .max = 200),
    FIELD(user, timezone, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 64,
          .format = &format_timezone),
    FIELD(user, locale, F_TEXT, NULLABLE | ONE_LINE, .min = 2, .max = 35, .format = &format_locale),
};
static const struct record own_record = RECORD_NAMED("UserSelf", user, own_fields);

static enum err show_me(struct req *rq)
{
    struct me me = {0};

    TRY(user_get(&rq->cx, rq->cx.actor.user_id, &me.user));
    TRY(tenant_get(&rq->cx, &me.tenant));
    return reply_record(rq, &me_record, &me);
}

static enum err edit_me(struct req *rq)
{
    return edit_user(rq, rq->cx.actor.user_id);
}

static const struct route me_routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, show_me, "Get the own user and tenant", ANSWER_RECORD,
     .answer = &me_record},
    {HTTP_PATCH, "", ROLE_VIEWER, TX_WRITE, edit_me, "Edit the own user", ANSWER_RECORD,
     .answer = &user_record, .body = &own_record, .flags = ROUTE_PATCH},
};
static const char *const me_mounts[] = {"/me"};
const struct resource me_resource = {"me", me_mounts, COUNT_OF(me_mounts), me_routes,
                                     COUNT_OF(me_routes)};
