#include "app/token/token.h"

#include "app/customer/customer.h"
#include "app/timeline/timeline.h"
#include "app/token/token_sql.h"
#include "db/credential.h"

static const struct field token_fields[] = {
    FIELD(token, id, F_UUID, READ_ONLY),
    FIELD(token, created_by, F_UUID, READ_ONLY | NULLABLE),
    FIELD(token, created_by_name, F_TEXT, READ_ONLY | NULLABLE),
    FIELD(token, created_at, F_TIME, READ_ONLY),
    FIELD(token, expires_at, F_TIME, READ_ONLY),
    FIELD(token, revoked_at, F_TIME, READ_ONLY | NULLABLE),
    FIELD(token, token, F_TEXT, READ_ONLY | NULLABLE | NO_COLUMN | SECRET | OMIT_NULL,
          .doc = "Goes into `Authorization: Bearer`; shown once"),
};
const struct record token_record = RECORD_NAMED("ContactToken", token, token_fields);

static const struct field ticket_fields[] = {
    FIELD(ticket, ticket, F_TEXT, READ_ONLY | SECRET, .doc = "Goes into `?ticket=`; shown once"),
    FIELD(ticket, expires_at, F_TIME, READ_ONLY),
};
const struct record ticket_record = RECORD_NAMED("StreamTicket", ticket, ticket_fields);

/* The text in the arena, and the hash that is kept. */
static enum err new_secret(struct ctx *cx, struct uuid id, enum credential_form form,
                           struct str *text, uint8_t hash[SECRET_HASH_BYTES])
{
    const struct credential credential = credential_new(cx->actor.tenant_id, id);
    char *space = arena_alloc(cx->arena, CREDENTIAL_LEN_MAX);

    if (space == NULL)
        return error_set(cx->error, ERR_TOO_LARGE, "The answer is larger than is allowed.");
    *text = (struct str){space, credential_text(&credential, form, space)};
    credential_hash(&credential, hash);
    return OK;
}

static struct value v_hash(const uint8_t hash[SECRET_HASH_BYTES])
{
    return v_bytes((struct str){(const char *)hash, SECRET_HASH_BYTES});
}

static enum err record(struct ctx *cx, const char *event_type, const char *title,
                       struct uuid customer_id, const struct token *token)
{
    return timeline_record(
        cx, &(struct event){.contact_id = customer_id,
                            .subject_type = STR("contact_token"),
                            .subject_id = token->id,
                            .event_type = str_of(event_type),
                            .category = CATEGORY_SYSTEM,
                            .title = str_of(title),
                            .payload = PAYLOAD(cx, {"expires_at", v_time(token->expires_at)})});
}

static enum err find(struct ctx *cx, struct uuid customer_id, struct uuid id, struct token *out)
{
    return db_one(cx, &sql_token_get,
                  ARGS({"customer_id", v_uuid(customer_id)}, {"id", v_uuid(id)}), &token_record,
                  out);
}

enum err token_create(struct ctx *cx, struct uuid customer_id, int64_t life_seconds,
                      struct token *out)
{
    const struct uuid id = uuid_new(cx->ids, cx->now_us);
    const int64_t expires_at = cx->now_us + life_seconds * SECOND_US;
    uint8_t hash[SECRET_HASH_BYTES];
    struct customer customer = {0};
    struct str text;

    TRY(customer_get_locked(cx, customer_id, &customer));
    TRY(new_secret(cx, id, FORM_CONTACT_TOKEN, &text, hash));
    TRY(db_run(cx, &sql_token_insert,
               ARGS({"id", v_uuid(id)}, {"customer_id", v_uuid(customer.id)},
                    {"secret_hash", v_hash(hash)}, {"expires_at", v_time(expires_at)})));
    TRY(find(cx, customer.id, id, out));
    out->token = text;
    return record(cx, "contact_token_created", "Contact token created", customer.id, out);
}

enum err token_get(struct ctx *cx, struct uuid customer_id, struct uuid id, struct token *out)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    return find(cx, customer.id, id, out);
}

enum err token_revoke(struct ctx *cx, struct uuid customer_id, struct uuid id)
{
    struct customer customer = {0};
    struct token token = {0};

    TRY(customer_get_locked(cx, customer_id, &customer));
    TRY(find(cx, customer.id, id, &token));
    TRY(db_run(cx, &sql_token_revoke, ARGS({"id", v_uuid(id)})));
    if (db_changed(cx) == 0)
        return OK;
    return record(cx, "contact_token_revoked", "Contact token revoked", customer.id, &token);
}

enum err token_list(struct ctx *cx, struct uuid customer_id, int64_t before_time,
                    struct uuid before_id, int64_t limit, int64_t offset, struct list *out,
                    int64_t *total)
{
    struct customer customer = {0};

    TRY(customer_get(cx, customer_id, &customer));
    TRY(db_int(cx, &sql_token_count,
               ARGS({"customer_id", v_uuid(customer.id)}, {"cap", v_int(COUNT_CAP + 1)}), total));
    return db_all(cx, &sql_token_list,
                  ARGS({"customer_id", v_uuid(customer.id)}, {"before_time", v_time(before_time)},
                       {"before_id", v_uuid(before_id)}, {"limit", v_int(limit)},
                       {"offset", v_int(offset)}),
                  &token_record, out);
}

enum err ticket_create(struct ctx *cx, struct ticket *out)
{
    const struct actor *actor = &cx->actor;
    const char kind = (char)actor->credential_kind;
    uint8_t hash[SECRET_HASH_BYTES];

    if (actor->credential_kind == CREDENTIAL_OPERATOR)
        return error_set(cx->error, ERR_FORBIDDEN, "The operator streams by the socket itself.");
    out->id = uuid_new(cx->ids, cx->now_us);
    out->expires_at = cx->now_us + TICKET_LIFE_US;
    TRY(new_secret(cx, out->id, FORM_TICKET, &out->ticket, hash));
    /* The demo's caller has no credential: the user stands in its place. */
    return db_run(cx, &sql_ticket_insert,
                  ARGS({"id", v_uuid(out->id)}, {"secret_hash", v_hash(hash)},
                       {"credential_kind", v_text((struct str){&kind, 1})},
                       {"credential_id",
                        v_uuid(actor->credential_kind == CREDENTIAL_DEMO ? actor->user_id
                                                                         : actor->credential_id)},
                       {"expires_at", v_time(out->expires_at)}));
}
