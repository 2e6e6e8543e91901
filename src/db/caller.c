#include "db/caller.h"

#include "db/caller_sql.h"
#include "db/db.h"

static const char *const names[] = {"public",  "contact", "viewer",  "agent",
                                    "manager", "admin",   "operator"};
const struct enum_names role_names = ENUM_NAMES(names); /* in the order of enum role */

const char *role_name(enum role role)
{
    return enum_name(&role_names, (int)role);
}

/* What a credential leads to. `active`: the user, or the customer, is there. */
struct found {
    int role, user_role;
    struct str secret_hash, csrf_hash;
    struct maybe_int created_at, seen_at, expires_at, revoked_at;
    struct uuid user_id, contact_id, merged_into;
    struct str name, timezone, tenant_timezone;
    bool active;
};

static const struct field found_fields[] = {
    FIELD(found, role, F_ENUM, 0, .names = &role_names),
    FIELD(found, user_role, F_ENUM, 0, .names = &role_names),
    FIELD(found, secret_hash, F_TEXT, NULLABLE),
    FIELD(found, csrf_hash, F_TEXT, NULLABLE),
    FIELD(found, created_at, F_TIME, NULLABLE),
    FIELD(found, seen_at, F_TIME, NULLABLE),
    FIELD(found, expires_at, F_TIME, NULLABLE),
    FIELD(found, revoked_at, F_TIME, NULLABLE),
    FIELD(found, user_id, F_UUID, NULLABLE),
    FIELD(found, contact_id, F_UUID, NULLABLE),
    FIELD(found, merged_into, F_UUID, NULLABLE),
    FIELD(found, name, F_TEXT, 0),
    FIELD(found, timezone, F_TEXT, NULLABLE),
    FIELD(found, tenant_timezone, F_TEXT, NULLABLE),
    FIELD(found, active, F_BOOL, 0),
};
static const struct record found_record = RECORD(found, found_fields);

enum err caller_refuse(struct ctx *cx)
{
    cx->actor = (struct actor){0};
    return error_set(cx->error, ERR_UNAUTHENTICATED, "This needs a valid credential.");
}

/* A merged customer is the one whom it was merged into. */
static enum err follow_merges(struct ctx *cx, struct found *who)
{
    while (!uuid_is_none(who->merged_into)) {
        struct found next;
        bool there;

        TRY(db_find(cx, &sql_caller_contact, ARGS({"id", v_uuid(who->merged_into)}), &found_record,
                    &next, &there));
        who->contact_id = next.contact_id;
        who->merged_into = next.merged_into;
        who->name = next.name;
        who->timezone = next.timezone;
        who->active = there && next.active;
    }
    return OK;
}

static const struct query *query_of(enum credential_kind kind)
{
    switch (kind) {
    case CREDENTIAL_KEY:
        return &sql_caller_key;
    case CREDENTIAL_LOGIN:
        return &sql_caller_login;
    case CREDENTIAL_CONTACT:
        return &sql_caller_contact_token;
    case CREDENTIAL_DEMO:
        return &sql_caller_user;
    case CREDENTIAL_NONE:
    case CREDENTIAL_OPERATOR:
        break;
    }
    return NULL;
}

/* In its own tenant: from here on queries reach that one only. *who may be found although its
 * secret is another: see prove(). */
static enum err look_up(struct ctx *cx, struct uuid tenant_id, enum credential_kind kind,
                        struct uuid id, struct found *who)
{
    bool there;

    cx->actor = (struct actor){.tenant_id = tenant_id};
    if (!query_of(kind))
        return caller_refuse(cx);
    TRY(db_find(cx, query_of(kind), ARGS({"id", v_uuid(id)}), &found_record, who, &there));
    if (there)
        TRY(follow_merges(cx, who));
    if (!there || !who->active || who->revoked_at.set ||
        (who->expires_at.set && who->expires_at.value <= cx->now_us))
        return caller_refuse(cx);
    cx->actor.role = (enum role)(who->role < who->user_role ? who->role : who->user_role);
    cx->actor.user_id = who->user_id;
    cx->actor.contact_id = who->contact_id;
    cx->actor.credential_id = kind == CREDENTIAL_DEMO ? UUID_NONE : id;
    cx->actor.credential_kind = kind;
    cx->actor.credential_expires_us = who->expires_at.set ? who->expires_at.value : 0;
    cx->actor.user_name = who->name;
    cx->actor.timezone = who->timezone.ptr ? who->timezone : who->tenant_timezone;
    return OK;
}

static enum err prove(struct ctx *cx, const struct credential *credential,
                      enum credential_kind kind, struct found *who)
{
    TRY(look_up(cx, credential->tenant_id, kind, credential->id, who));
    return credential_matches(credential, who->secret_hash) ? OK : caller_refuse(cx);
}

struct ticket {
    struct str credential_kind;
    struct uuid credential_id;
};

static const struct field ticket_fields[] = {
    FIELD(ticket, credential_kind, F_TEXT, 0),
    FIELD(ticket, credential_id, F_UUID, 0),
};
static const struct record ticket_record = RECORD(ticket, ticket_fields);

static enum err by_ticket(struct ctx *cx, const struct credential *credential)
{
    uint8_t hash[SECRET_HASH_BYTES];
    struct ticket ticket;
    struct found who;
    bool there;

    credential_hash(credential, hash);
    cx->actor = (struct actor){.tenant_id = credential->tenant_id};
    TRY(db_find(cx, &sql_caller_ticket_use,
                ARGS({"id", v_uuid(credential->id)},
                     {"secret_hash", v_bytes((struct str){(const char *)hash, sizeof(hash)})}),
                &ticket_record, &ticket, &there));
    if (!there || ticket.credential_kind.len != 1)
        return caller_refuse(cx);
    return look_up(cx, credential->tenant_id, (enum credential_kind)ticket.credential_kind.ptr[0],
                   ticket.credential_id, &who);
}

enum err caller_by_text(struct ctx *cx, struct str text)
{
    struct credential credential;
    struct found who;

    switch (credential_parse(text, &credential)) {
    case FORM_KEY:
        return prove(cx, &credential, CREDENTIAL_KEY, &who);
    case FORM_CONTACT_TOKEN:
        return prove(cx, &credential, CREDENTIAL_CONTACT, &who);
    case FORM_TICKET:
        return by_ticket(cx, &credential);
    case FORM_NONE:
        break;
    }
    return caller_refuse(cx);
}

enum err caller_by_cookie(struct ctx *cx, struct str text, struct caller_login *out)
{
    struct credential credential;
    struct found who;
    int64_t expires_us;

    if (!credential_parse_cookie(text, &credential))
        return caller_refuse(cx);
    TRY(prove(cx, &credential, CREDENTIAL_LOGIN, &who));
    expires_us = cx->now_us + LOGIN_IDLE_US;
    if (expires_us > who.created_at.value + LOGIN_LIFE_US)
        expires_us = who.created_at.value + LOGIN_LIFE_US;
    cx->actor.credential_expires_us = expires_us;
    *out = (struct caller_login){who.csrf_hash, who.seen_at.value};
    return OK;
}

enum err caller_by_demo(struct ctx *cx, struct uuid tenant_id, struct uuid user_id)
{
    struct found who;

    return look_up(cx, tenant_id, CREDENTIAL_DEMO, user_id, &who);
}

enum err caller_again(struct ctx *cx, enum credential_kind kind, struct uuid credential_id,
                      struct uuid user_id)
{
    struct found who;

    if (kind == CREDENTIAL_OPERATOR) {
        cx->actor = (struct actor){.role = ROLE_OPERATOR,
                                   .tenant_id = cx->actor.tenant_id,
                                   .credential_kind = CREDENTIAL_OPERATOR};
        return OK;
    }
    return look_up(cx, cx->actor.tenant_id, kind, kind == CREDENTIAL_DEMO ? user_id : credential_id,
                   &who);
}
