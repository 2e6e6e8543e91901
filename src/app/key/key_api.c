#include "app/key/key_api.h"

#include "app/key/key.h"
#include "db/credential.h"
#include "http/route.h"

extern const struct resource key_resource;

struct key_filter {
    struct uuid user_id;
};
static const struct field filter_fields[] = {
    FIELD(key_filter, user_id, F_UUID, 0, .doc = "Keys of this user; another's: admins only"),
};
static const struct record filter_record = RECORD_NAMED("ApiKeyFilter", key_filter, filter_fields);

struct str key_text(struct arena *arena, struct uuid tenant_id, struct uuid key_id,
                    const struct login_secret *secret)
{
    struct credential credential = {.tenant_id = tenant_id, .id = key_id};
    char *text = arena_alloc(arena, CREDENTIAL_LEN_MAX);

    if (text == NULL)
        return STR_NULL;
    memcpy(credential.secret, secret->bytes, sizeof credential.secret);
    return (struct str){text, credential_text(&credential, FORM_KEY, text)};
}

static enum err create(struct req *rq)
{
    struct key made = {0};
    struct login_secret secret;

    TRY(key_create(&rq->cx, rq->body, &made, &secret));
    made.key = key_text(rq->cx.arena, rq->cx.actor.tenant_id, made.id, &secret);
    return reply_created(rq, &key_record, &made, made.id);
}

static void time_key(const void *row, struct list_key *out)
{
    const struct key *key = row;

    out->time = key->created_at;
    out->id = key->id;
}

static enum err list(struct req *rq)
{
    const struct key_filter *filter = rq->query;
    struct list rows;
    struct total total = {0};

    TRY(key_list(&rq->cx, filter->user_id, rq->page.cursor_time, rq->page.cursor_id,
                 rq->page.limit + 1, rq->page.offset, &rows, &total.rows));
    return reply_list(rq, &key_record, &rows, total, time_key);
}

static enum err show(struct req *rq)
{
    struct key key = {0};
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(key_get(&rq->cx, id, &key));
    return reply_record(rq, &key_record, &key);
}

static enum err revoke(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(key_revoke(&rq->cx, id));
    return reply_none(rq);
}

static const struct route routes[] = {
    {HTTP_POST, "", ROLE_VIEWER, TX_WRITE, create, "Create an API key", ANSWER_CREATED,
     .answer = &key_record, .body = &key_record},
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list, "List the API keys, newest first", ANSWER_LIST,
     .answer = &key_record, .query = &filter_record, .flags = ROUTE_PAGED},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get an API key", ANSWER_RECORD,
     .answer = &key_record},
    {HTTP_DELETE, "/{id}", ROLE_VIEWER, TX_WRITE, revoke, "Revoke an API key", ANSWER_NONE,
     .answer = NULL},
};
static const char *const mounts[] = {"/keys"};
const struct resource key_resource = {"keys", mounts, COUNT_OF(mounts), routes, COUNT_OF(routes)};
