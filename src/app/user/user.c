#include "app/user/user.h"

#include "app/company/company.h"
#include "app/customer/customer.h"
#include "app/login/secret.h"
#include "app/search/fold.h"
#include "app/timeline/timeline.h"
#include "app/user/user_sql.h"
#include "db/counts.h"
#include "json/format.h"

#define SORT_KEY_MAX 256 /* bytes */

static const char *const role_names[] = {"viewer", "agent", "manager", "admin"};
const struct enum_names user_roles = ENUM_NAMES(role_names);

static const char *const purpose_names[] = {"invitation", "reset"};
static const struct enum_names token_purposes = ENUM_NAMES(purpose_names);

static const struct field user_fields[] = {
    FIELD(user, id, F_UUID, READ_ONLY),
    FIELD(user, email, F_TEXT, REQUIRED | ONE_LINE, .min = 3, .max = 254, .format = &format_email,
          .example = "\"ada@example.com\""),
    FIELD(user, email_folded, F_TEXT, READ_ONLY | COLUMN_ONLY),
    FIELD(user, name, F_TEXT, ONE_LINE, .min = 1, .max = 200,
          .doc = "Left out of an invitation: the e-mail address"),
    FIELD(user, name_folded, F_TEXT, READ_ONLY | COLUMN_ONLY),
    FIELD(user, role, F_ENUM, REQUIRED, .names = &user_roles,
          .doc = "Each has all rights of those before it"),
    FIELD(user, timezone, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = 64,
          .format = &format_timezone, .doc = "null: the tenant's", .example = "\"Europe/Berlin\""),
    FIELD(user, locale, F_TEXT, NULLABLE | ONE_LINE, .min = 2, .max = 35, .format = &format_locale,
          .example = "\"de-DE\""),
    FIELD(user, active, F_BOOL, READ_ONLY),
    FIELD(user, has_password, F_BOOL, READ_ONLY),
    FIELD(user, invited_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(user, last_login_at, F_TIME, READ_ONLY | NULLABLE | SUMMARY),
    FIELD(user, version, F_INT, READ_ONLY),
    FIELD(user, created_at, F_TIME, READ_ONLY),
    FIELD(user, updated_at, F_TIME, READ_ONLY),
    FIELD(user, deactivated_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(user, token, F_TEXT, READ_ONLY | NULLABLE | NO_COLUMN | SECRET | OMIT_NULL,
          .doc = "One-time token for POST /password; shown once, to who made it"),
    FIELD(user, token_expires_at, F_TIME, READ_ONLY | NULLABLE | NO_COLUMN | OMIT_NULL),
};
const struct record user_record = RECORD_NAMED("User", user, user_fields);

struct owned {
    struct uuid id;
};
static const struct field owned_fields[] = {FIELD(owned, id, F_UUID, READ_ONLY)};
static const struct record owned_record = RECORD(owned, owned_fields);

enum role user_role_rights(int user_role)
{
    switch (user_role) {
    case USER_VIEWER:
        return ROLE_VIEWER;
    case USER_AGENT:
        return ROLE_AGENT;
    case USER_MANAGER:
        return ROLE_MANAGER;
    case USER_ADMIN:
        return ROLE_ADMIN;
    default:
        return ROLE_NONE;
    }
}

int user_role_of(enum role rights)
{
    if (rights >= ROLE_ADMIN)
        return USER_ADMIN;
    return rights >= ROLE_VIEWER ? (int)rights - (int)ROLE_VIEWER + USER_VIEWER : 0;
}

/* --- Finding ------------------------------------------------------------------------ */

struct str user_fold_email(struct arena *arena, struct str email)
{
    char *folded = arena_alloc(arena, email.len + 1);

    if (email.ptr == NULL || folded == NULL)
        return STR_NULL;
    for (size_t i = 0; i < email.len; i++) {
        const char c = email.ptr[i];

        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return (struct str){folded, email.len};
}

enum err user_get(struct ctx *cx, struct uuid id, struct user *out)
{
    return db_one(cx, &sql_user_get, ARGS({"id", v_uuid(id)}), &user_record, out);
}

enum err user_get_locked(struct ctx *cx, struct uuid id, struct user *out)
{
    return db_one(cx, &sql_user_get_locked, ARGS({"id", v_uuid(id)}), &user_record, out);
}

enum err user_get_held(struct ctx *cx, struct uuid id, struct user *out)
{
    return db_one(cx, &sql_user_get_held, ARGS({"id", v_uuid(id)}), &user_record, out);
}

enum err user_get_by_email(struct ctx *cx, struct str email, struct user *out)
{
    return db_one(cx, &sql_user_get_by_email,
                  ARGS({"email_folded", v_text(user_fold_email(cx->arena, email))}), &user_record,
                  out);
}

/* What the filter binds, and where the list begins and ends; counting uses a part of it. */
#define FILTER_BINDS 12
struct filter_binds {
    struct bind binds[FILTER_BINDS];
    size_t count;
};

static void add(struct filter_binds *to, const char *name, struct value value)
{
    to->binds[to->count++] = (struct bind){name, value};
}

static struct filter_binds bind_filter(struct ctx *cx, const struct user_filter *filter)
{
    struct filter_binds out = {.count = 0};
    struct value active = v_bool(filter->active);
    struct str name = STR_NULL, name_end = STR_NULL, email = STR_NULL, email_end = STR_NULL;

    if (filter->q.ptr != NULL) {
        name = fold_text(cx->arena, filter->q);
        name_end = fold_range_end(cx->arena, name);
        email = user_fold_email(cx->arena, filter->q);
        email_end = fold_range_end(cx->arena, email);
    }
    active.null = !filter->has_active;
    add(&out, "email_folded", v_text(user_fold_email(cx->arena, filter->email)));
    add(&out, "role", v_enum(&user_roles, filter->role));
    add(&out, "active", active);
    add(&out, "q_name", v_text(name));
    add(&out, "q_name_end", v_text(name_end));
    add(&out, "q_email", v_text(email));
    add(&out, "q_email_end", v_text(email_end));
    return out;
}

static struct args args_of(const struct filter_binds *from)
{
    return (struct args){NULL, NULL, from->binds, from->count};
}

enum err user_list(struct ctx *cx, const struct user_filter *filter, struct str after_name,
                   struct uuid after_id, int64_t limit, int64_t offset, struct list *out)
{
    struct filter_binds binds = bind_filter(cx, filter);

    add(&binds, "after_name", v_text(after_name));
    add(&binds, "after_id", v_uuid(after_id));
    add(&binds, "limit", v_int(limit));
    add(&binds, "offset", v_int(offset));
    return db_all(cx, &sql_user_list, args_of(&binds), &user_record, out);
}

enum err user_count(struct ctx *cx, const struct user_filter *filter, int64_t *out)
{
    struct filter_binds binds;

    if (filter->email.ptr == NULL && filter->q.ptr == NULL && filter->role == 0 &&
        !filter->has_active)
        return count_get(cx, "users", STR(""), out);
    binds = bind_filter(cx, filter);
    add(&binds, "cap", v_int(COUNT_CAP + 1));
    return db_int(cx, &sql_user_count_filtered, args_of(&binds), out);
}

/* --- Changing ----------------------------------------------------------------------- */

static enum err record(struct ctx *cx, const char *event_type, struct uuid user_id,
                       struct str payload)
{
    return timeline_record(cx, &(struct event){.subject_type = STR("user"),
                                               .subject_id = user_id,
                                               .event_type = str_of(event_type),
                                               .category = CATEGORY_SYSTEM,
                                               .payload = payload});
}

/* Those before it are void: of several mails only the latest one works. */
static enum err give_token(struct ctx *cx, enum token_purpose purpose, struct user *user)
{
    const struct uuid id = uuid_new(cx->ids, cx->now_us);
    const int64_t expires_at = cx->now_us + (purpose == TOKEN_RESET ? RESET_US : INVITATION_US);
    struct login_secret secret;

    login_secret_make(&secret);
    TRY(db_run(cx, &sql_user_tokens_delete, ARGS({"id", v_uuid(user->id)})));
    TRY(db_run(cx, &sql_user_token_insert,
               ARGS({"id", v_uuid(id)}, {"user_id", v_uuid(user->id)},
                    {"purpose", v_enum(&token_purposes, (int)purpose)},
                    {"secret_hash", v_bytes(login_secret_hash(&secret))},
                    {"expires_at", v_time(expires_at)})));
    user->token = token_text(cx->arena, cx->actor.tenant_id, id, &secret);
    user->token_expires_at = (struct maybe_int)SOME(expires_at);
    return OK;
}

static void fold(struct ctx *cx, struct user *user)
{
    user->email_folded = user_fold_email(cx->arena, user->email);
    user->name_folded = fold_key(cx->arena, user->name, SORT_KEY_MAX);
}

static enum err email_taken(struct ctx *cx)
{
    return error_set(cx->error, ERR_CONFLICT, "There is a user with this e-mail address already.");
}

enum err user_invite(struct ctx *cx, const struct user *in, struct user *out)
{
    struct user user = *in;

    user.id = uuid_new(cx->ids, cx->now_us);
    if (user.name.ptr == NULL)
        user.name = user.email;
    fold(cx, &user);
    TRY(db_run(cx, &sql_user_insert, ARGS_OF(&user_record, &user)));
    if (db_changed(cx) == 0)
        return email_taken(cx);
    TRY(count_add(cx, "users", STR(""), 1));
    TRY(user_get(cx, user.id, out));
    TRY(give_token(cx, TOKEN_INVITATION, out));
    return record(cx, "user_invited", out->id,
                  PAYLOAD(cx, {"email", v_text(out->email)}, {"name", v_text(out->name)},
                          {"role", v_enum(&user_roles, out->role)}));
}

/* Two admins who demote each other at the same instant wait here for each other. */
static enum err check_other_admin(struct ctx *cx, struct uuid id)
{
    int64_t count;

    TRY(db_int(cx, &sql_user_lock_admins, NO_ARGS, &count));
    TRY(db_int(cx, &sql_user_other_admins, ARGS({"id", v_uuid(id)}), &count));
    if (count == 0)
        return error_set(cx->error, ERR_CONFLICT, "This is the tenant's last active admin.");
    return OK;
}

static enum err check_email_free(struct ctx *cx, const struct user *changed)
{
    struct user other = {0};
    bool found = false;

    TRY(db_find(cx, &sql_user_get_by_email, ARGS({"email_folded", v_text(changed->email_folded)}),
                &user_record, &other, &found));
    return found && !uuid_equal(other.id, changed->id) ? email_taken(cx) : OK;
}

enum err user_update(struct ctx *cx, const struct user *current, const struct user *changed,
                     struct user *out)
{
    const struct given difference = record_difference(&user_record, current, changed);
    struct user user = *changed;

    *out = *current;
    if (!given_any(&difference))
        return OK;
    if (current->role == USER_ADMIN && user.role != USER_ADMIN && current->active)
        TRY(check_other_admin(cx, user.id));
    fold(cx, &user);
    TRY(check_email_free(cx, &user));
    TRY(db_one(cx, &sql_user_update, ARGS_OF(&user_record, &user), &user_record, out));
    return record(cx, "user_updated", out->id, timeline_changes(cx, &user_record, current, out));
}

enum err user_reset(struct ctx *cx, struct uuid id, struct user *out)
{
    TRY(user_get_locked(cx, id, out));
    if (!out->active)
        return error_set(cx->error, ERR_CONFLICT, "The user is deactivated.");
    TRY(give_token(cx, out->has_password ? TOKEN_RESET : TOKEN_INVITATION, out));
    return record(cx, "password_reset_requested", id, STR_NULL);
}

enum err user_revoke_logins(struct ctx *cx, struct uuid id, struct uuid kept)
{
    TRY(db_run(cx, &sql_user_logins_delete,
               ARGS({"id", v_uuid(id)}, {"kept", v_uuid(uuid_is_none(kept) ? UUID_MAX : kept)})));
    return record(cx, "user_logins_revoked", id, STR_NULL);
}

/* --- Leaving ------------------------------------------------------------------------ */

static struct given given_owner(const struct record *record)
{
    struct given given = {0};
    const size_t index = (size_t)(record_field(record, STR("owner_id")) - record->fields);

    given.bits[index / 64] |= UINT64_C(1) << (index % 64);
    return given;
}

static enum err give_customer(struct ctx *cx, struct uuid id, struct uuid from, struct uuid heir)
{
    const struct customer patch = {.owner_id = heir};
    const struct given given = given_owner(&customer_record);
    struct customer current = {0}, saved = {0};

    TRY(customer_get_locked(cx, id, &current));
    if (!uuid_equal(current.owner_id, from)) /* given to somebody else meanwhile */
        return OK;
    return customer_update(cx, &current, &patch, &given, &saved);
}

static enum err give_company(struct ctx *cx, struct uuid id, struct uuid from, struct uuid heir)
{
    const struct company patch = {.owner_id = heir};
    const struct given given = given_owner(&company_record);
    struct company current = {0}, saved = {0};

    TRY(company_get_locked(cx, id, &current));
    if (!uuid_equal(current.owner_id, from))
        return OK;
    return company_update(cx, &current, &patch, &given, &saved);
}

/* Each in memory of its own: people own thousands. */
static enum err
give_all(struct ctx *cx, const struct query *owned, struct uuid from, struct uuid heir,
         enum err (*give)(struct ctx *cx, struct uuid id, struct uuid from, struct uuid heir))
{
    struct ctx own = *cx;
    struct list rows;
    enum err result = OK;

    TRY(db_all(cx, owned, ARGS({"id", v_uuid(from)}), &owned_record, &rows));
    own.arena = arena_new(REQUEST_ARENA_MAX);
    if (!own.arena)
        return error_set(cx->error, ERR_UNAVAILABLE, "The server has no memory left.");
    for (size_t i = 0; i < rows.count && result == OK; i++) {
        result = give(&own, LIST_AT(rows, struct owned, i)->id, from, heir);
        if (result == ERR_NOT_FOUND) { /* deleted meanwhile */
            error_clear(cx->error);
            result = OK;
        }
        arena_reset(own.arena);
    }
    arena_free(own.arena);
    return result;
}

struct follow_up {
    struct uuid id, customer_id;
};
static const struct field follow_up_fields[] = {
    FIELD(follow_up, id, F_UUID, READ_ONLY),
    FIELD(follow_up, customer_id, F_UUID, READ_ONLY),
};
static const struct record follow_up_record = RECORD(follow_up, follow_up_fields);

static enum err give_follow_ups(struct ctx *cx, struct uuid from, struct uuid heir)
{
    struct list given;

    TRY(db_all(cx, &sql_user_follow_ups_give, ARGS({"id", v_uuid(from)}, {"heir", v_uuid(heir)}),
               &follow_up_record, &given));
    TRY(count_add_uuid(cx, "interactions.follow_up_assignee", from, -(int64_t)given.count));
    if (!uuid_is_none(heir))
        TRY(count_add_uuid(cx, "interactions.follow_up_assignee", heir, (int64_t)given.count));
    for (size_t i = 0; i < given.count; i++) {
        const struct follow_up *follow_up = LIST_AT(given, struct follow_up, i);

        TRY(timeline_record(cx, &(struct event){.contact_id = follow_up->customer_id,
                                                .interaction_id = follow_up->id,
                                                .event_type = STR("follow_up_assigned"),
                                                .category = CATEGORY_ASSIGNMENT,
                                                .addressee_id = heir,
                                                .payload = PAYLOAD(cx, {"from", v_uuid(from)},
                                                                   {"to", v_uuid(heir)})}));
    }
    return OK;
}

static enum err check_heir(struct ctx *cx, struct uuid id, struct uuid heir)
{
    struct user user = {0};

    if (uuid_is_none(heir))
        return OK;
    TRY(user_get_locked(cx, heir, &user));
    if (!user.active || uuid_equal(id, heir))
        return error_fault(cx->error, "reassign_to", "not_active",
                           "must be an active user, and another one");
    return OK;
}

static enum err set_active(struct ctx *cx, struct uuid id, bool active, struct user *out)
{
    const struct maybe_int deactivated_at = {!active, cx->now_us};

    return db_one(cx, &sql_user_set_active,
                  ARGS({"id", v_uuid(id)}, {"active", v_bool(active)},
                       {"deactivated_at", v_maybe_time(deactivated_at)}),
                  &user_record, out);
}

enum err user_deactivate(struct ctx *cx, struct uuid id, struct uuid heir, struct user *out)
{
    TRY(user_get_locked(cx, id, out));
    TRY(check_heir(cx, id, heir));
    if (!out->active)
        return OK;
    if (out->role == USER_ADMIN)
        TRY(check_other_admin(cx, id));
    TRY(set_active(cx, id, false, out));
    TRY(db_run(cx, &sql_user_logins_delete, ARGS({"id", v_uuid(id)}, {"kept", v_uuid(UUID_MAX)})));
    TRY(db_run(cx, &sql_user_keys_revoke, ARGS({"id", v_uuid(id)})));
    TRY(db_run(cx, &sql_user_tokens_delete, ARGS({"id", v_uuid(id)})));
    TRY(give_all(cx, &sql_user_customers, id, heir, give_customer));
    TRY(give_all(cx, &sql_user_companies, id, heir, give_company));
    TRY(give_follow_ups(cx, id, heir));
    return record(cx, "user_deactivated", id, PAYLOAD(cx, {"reassigned_to", v_uuid(heir)}));
}

enum err user_reactivate(struct ctx *cx, struct uuid id, struct user *out)
{
    TRY(user_get_locked(cx, id, out));
    if (out->active)
        return OK;
    TRY(set_active(cx, id, true, out));
    return record(cx, "user_reactivated", id, STR_NULL);
}

void user_put_reference(struct json_out *out, struct uuid id, struct str name)
{
    if (uuid_is_none(id)) {
        json_nil(out);
        return;
    }
    json_object_begin(out);
    JSON_KEY(out, "id");
    json_uuid(out, id);
    JSON_KEY(out, "name");
    json_text(out, name);
    json_object_end(out);
}
