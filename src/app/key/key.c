#include "app/key/key.h"

#include "app/key/key_sql.h"
#include "app/timeline/timeline.h"
#include "app/user/user.h"
#include "db/counts.h"

static const struct field key_fields[] = {
    FIELD(key, id, F_UUID, READ_ONLY),
    FIELD(key, user_id, F_UUID, 0, .doc = "Whom it acts for; left out: oneself"),
    FIELD(key, user_name, F_TEXT, READ_ONLY),
    FIELD(key, name, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 100,
          .example = "\"Nightly import\""),
    FIELD(key, role, F_ENUM, 0, .names = &user_roles,
          .doc = "At most one's own and the user's; left out: the lesser of them"),
    FIELD(key, created_at, F_TIME, READ_ONLY),
    FIELD(key, created_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(key, expires_at, F_TIME, NULLABLE, .doc = "null: never"),
    FIELD(key, revoked_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(key, key, F_TEXT, READ_ONLY | NULLABLE | NO_COLUMN | SECRET | OMIT_NULL,
          .doc = "Goes into `Authorization: Bearer`; shown once"),
};
const struct record key_record = RECORD_NAMED("ApiKey", key, key_fields);

static bool is_admin(const struct ctx *cx)
{
    return cx->actor.role >= ROLE_ADMIN;
}

static enum err record(struct ctx *cx, const char *event_type, const struct key *key)
{
    return timeline_record(
        cx, &(struct event){.subject_type = STR("api_key"),
                            .subject_id = key->id,
                            .event_type = str_of(event_type),
                            .category = CATEGORY_SYSTEM,
                            .payload = PAYLOAD(cx, {"user_id", v_uuid(key->user_id)},
                                               {"name", v_text(key->name)},
                                               {"role", v_enum(&user_roles, key->role)})});
}

/* Whose key it is to be. */
static enum err choose_user(struct ctx *cx, struct uuid wanted, struct user *out)
{
    const struct uuid id = uuid_is_none(wanted) ? cx->actor.user_id : wanted;

    if (uuid_is_none(id))
        return error_fault(cx->error, "user_id", "required", "must be given: whose is the key?");
    if (!is_admin(cx) && !uuid_equal(id, cx->actor.user_id))
        return error_set(cx->error, ERR_FORBIDDEN, "Only admins make keys for others.");
    TRY(user_get_locked(cx, id, out));
    if (!out->active)
        return error_set(cx->error, ERR_CONFLICT, "The user is deactivated.");
    return OK;
}

static enum err check(struct ctx *cx, const struct key *in, int role_max)
{
    enum err result = OK;

    if (in->role > role_max)
        result = error_fault(cx->error, "role", "too_high",
                             "must be at most one's own role and the user's");
    if (in->expires_at.set && in->expires_at.value <= cx->now_us)
        result = error_fault(cx->error, "expires_at", "in_past", "must be in the future");
    return result;
}

enum err key_create(struct ctx *cx, const struct key *in, struct key *out,
                    struct login_secret *secret)
{
    const int own_role = user_role_of(cx->actor.role);
    struct user user = {0};
    struct key key = *in;
    int role_max;

    TRY(choose_user(cx, in->user_id, &user));
    role_max = user.role < own_role ? user.role : own_role;
    TRY(check(cx, in, role_max));
    key.id = uuid_new(cx->ids, cx->now_us);
    key.user_id = user.id;
    if (key.role == 0)
        key.role = role_max;
    login_secret_make(secret);
    TRY(db_run(cx, &sql_key_insert,
               ARGS_OF(&key_record, &key, {"secret_hash", v_bytes(login_secret_hash(secret))})));
    TRY(count_add(cx, "keys", STR(""), 1));
    TRY(count_add_uuid(cx, "keys.user", user.id, 1));
    TRY(key_get(cx, key.id, out));
    return record(cx, "api_key_created", out);
}

enum err key_get(struct ctx *cx, struct uuid id, struct key *out)
{
    TRY(db_one(cx, &sql_key_get, ARGS({"id", v_uuid(id)}), &key_record, out));
    if (!is_admin(cx) && !uuid_equal(out->user_id, cx->actor.user_id))
        return error_set(cx->error, ERR_NOT_FOUND, "There is no such record.");
    return OK;
}

enum err key_revoke(struct ctx *cx, struct uuid id)
{
    struct key key = {0};

    TRY(key_get(cx, id, &key));
    TRY(db_run(cx, &sql_key_revoke, ARGS({"id", v_uuid(id)})));
    return db_changed(cx) > 0 ? record(cx, "api_key_revoked", &key) : OK;
}

enum err key_list(struct ctx *cx, struct uuid user_id, int64_t before_time, struct uuid before_id,
                  int64_t limit, int64_t offset, struct list *out, int64_t *total)
{
    if (!is_admin(cx)) {
        if (!uuid_is_none(user_id) && !uuid_equal(user_id, cx->actor.user_id))
            return error_set(cx->error, ERR_FORBIDDEN, "Only admins see the keys of others.");
        user_id = cx->actor.user_id;
    }
    if (uuid_is_none(user_id)) {
        TRY(count_get(cx, "keys", STR(""), total));
        return db_all(cx, &sql_key_list,
                      ARGS({"before_time", v_time(before_time)}, {"before_id", v_uuid(before_id)},
                           {"limit", v_int(limit)}, {"offset", v_int(offset)}),
                      &key_record, out);
    }
    TRY(count_get_uuid(cx, "keys.user", user_id, total));
    return db_all(cx, &sql_key_list_of_user,
                  ARGS({"user_id", v_uuid(user_id)}, {"before_time", v_time(before_time)},
                       {"before_id", v_uuid(before_id)}, {"limit", v_int(limit)},
                       {"offset", v_int(offset)}),
                  &key_record, out);
}
