#include "http/idempotency.h"

#include "http/dispatch.h"
#include "http/idempotency_sql.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

/* For the lock of another node's request: short, since a connection waits with us. */
#define LOCK_TRIES 10
#define LOCK_WAIT_NS 3000000

struct remembered {
    struct str request_hash;
    int64_t status;
    struct str location, etag, body;
};

static const struct field remembered_fields[] = {
    FIELD(remembered, request_hash, F_TEXT, 0),
    FIELD(remembered, status, F_INT, 0),
    FIELD(remembered, location, F_TEXT, NULLABLE),
    FIELD(remembered, etag, F_TEXT, NULLABLE),
    FIELD(remembered, body, F_TEXT, 0),
};
static const struct record remembered_record = RECORD(remembered, remembered_fields);

void running_init(struct running_keys *running)
{
    pthread_mutex_init(&running->lock, NULL);
}

void running_clear(struct running_keys *running)
{
    pthread_mutex_destroy(&running->lock);
}

/* A bare key, or a string of RFC 8941. */
static bool read_key(struct arena *arena, struct str value, struct str *key)
{
    struct buf plain;

    if (value.len < 2 || value.ptr[0] != '"') {
        for (size_t i = 0; i < value.len; i++) {
            if (value.ptr[i] <= ' ' || value.ptr[i] > '~' || value.ptr[i] == '"')
                return false;
        }
        *key = value;
        return value.len > 0 && value.len <= IDEMPOTENCY_KEY_MAX;
    }
    buf_init(&plain, arena, IDEMPOTENCY_KEY_MAX);
    for (size_t i = 1; i + 1 < value.len; i++) {
        char c = value.ptr[i];

        if (c < ' ' || c > '~' || c == '"')
            return false;
        if (c == '\\') {
            c = value.ptr[++i];
            if (i + 1 >= value.len || (c != '"' && c != '\\'))
                return false;
        }
        buf_add_char(&plain, c);
    }
    *key = buf_str(&plain);
    return value.ptr[value.len - 1] == '"' && key->len > 0 && !buf_failed(&plain);
}

static void hash_part(crypto_hash_sha256_state *state, struct str part)
{
    uint64_t len = part.len;

    crypto_hash_sha256_update(state, (const uint8_t *)&len, sizeof(len));
    if (part.len > 0)
        crypto_hash_sha256_update(state, (const uint8_t *)part.ptr, part.len);
}

void idempotency_enter(struct call *call, struct error *error)
{
    const struct http_request *request = &call->exchange->request;
    struct idempotency *own = &call->idempotency;
    struct running_keys *running = &call->app->running;
    struct str value = http_header_get(request, "idempotency-key");
    crypto_hash_sha256_state state;

    if (!value.ptr || call->entry->route->method != HTTP_POST || call->entry->route->tx != TX_WRITE)
        return;
    if (!read_key(call->exchange->arena, value, &own->key)) {
        own->key = STR_NULL;
        error_fault(error, "Idempotency-Key", "bad_format",
                    "must be 1 to %d visible ASCII characters", IDEMPOTENCY_KEY_MAX);
        return;
    }
    /* Whose it is is known only after authentication: the credential itself stands for it. */
    crypto_hash_sha256_init(&state);
    hash_part(&state, http_header_get(request, "authorization"));
    hash_part(&state, http_header_get(request, "cookie"));
    hash_part(&state, http_header_get(request, "x-touchpoint-tenant"));
    hash_part(&state, own->key);
    crypto_hash_sha256_final(&state, own->slot);

    pthread_mutex_lock(&running->lock);
    struct idempotency **bucket = &running->buckets[own->slot[0]];
    for (struct idempotency *other = *bucket; other && !own->is_running; other = other->next)
        own->is_running = memcmp(other->slot, own->slot, sizeof(own->slot)) == 0;
    if (!own->is_running) {
        own->next = *bucket;
        *bucket = own;
        own->entered = true;
    }
    pthread_mutex_unlock(&running->lock);
}

void idempotency_leave(struct call *call)
{
    struct idempotency *own = &call->idempotency;
    struct running_keys *running = &call->app->running;

    if (!own->entered)
        return;
    pthread_mutex_lock(&running->lock);
    struct idempotency **at = &running->buckets[own->slot[0]];
    while (*at != own)
        at = &(*at)->next;
    *at = own->next;
    pthread_mutex_unlock(&running->lock);
    own->entered = false;
}

void idempotency_hash(struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    crypto_hash_sha256_state state;

    if (!call->idempotency.key.ptr)
        return;
    crypto_hash_sha256_init(&state);
    hash_part(&state, str_of(method_name(request->method)));
    hash_part(&state, request->target);
    hash_part(&state, request->body);
    crypto_hash_sha256_final(&state, call->idempotency.hash);
}

/* A contact's keys are kept under the customer's id; the operator is neither, and its keys are
 * kept under the tenant's own. */
static struct uuid owner_of(const struct ctx *cx)
{
    if (!uuid_is_none(cx->actor.contact_id))
        return cx->actor.contact_id;
    return uuid_is_none(cx->actor.user_id) ? cx->actor.tenant_id : cx->actor.user_id;
}

static enum err lock(struct ctx *cx, struct str key, bool *locked)
{
    crypto_hash_sha256_state state;
    uint8_t hash[IDEMPOTENCY_HASH_BYTES];
    struct uuid owner = owner_of(cx);
    int64_t number, result = 1;

    if (db_is_postgres(cx)) {
        crypto_hash_sha256_init(&state);
        crypto_hash_sha256_update(&state, cx->actor.tenant_id.bytes, 16);
        crypto_hash_sha256_update(&state, owner.bytes, 16);
        crypto_hash_sha256_update(&state, (const uint8_t *)key.ptr, key.len);
        crypto_hash_sha256_final(&state, hash);
        memcpy(&number, hash, sizeof(number));
        /* The first may have been answered already, its end still on the way to the store. */
        for (int tries = 0;; tries++) {
            TRY(db_int(cx, &sql_idempotency_lock, ARGS({"number", v_int(number)}), &result));
            if (result == 1 || tries == LOCK_TRIES)
                break;
            nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
        }
    }
    *locked = result == 1;
    return OK;
}

bool record_has_secrets(const struct record *record)
{
    for (size_t i = 0; record && i < record->count; i++) {
        if ((record->fields[i].flags & SECRET) || record_has_secrets(record->fields[i].record))
            return true;
    }
    return false;
}

static void replay(struct call *call, const struct remembered *first)
{
    struct http_exchange *exchange = call->exchange;
    const struct route *route = call->entry->route;

    exchange->response.status = (int)first->status;
    exchange->response.body = first->body;
    if (first->body.len > 0)
        http_header_add(exchange, "Content-Type",
                        route->answers == ANSWER_OTHER ? str_of(route->other_answer)
                                                       : STR("application/json"));
    if (first->location.ptr)
        http_header_add(exchange, "Location", first->location);
    if (first->etag.ptr)
        http_header_add(exchange, "ETag", first->etag);
    http_header_add(exchange, "Cache-Control", STR("no-store"));
    http_header_add(exchange, "Idempotent-Replayed", STR("true"));
    if (record_has_secrets(route->answer))
        http_header_add(exchange, "Secret-Withheld", STR("true"));
}

enum err idempotency_begin(struct call *call, bool *replayed)
{
    struct ctx *cx = &call->rq.cx;
    const struct idempotency *own = &call->idempotency;
    struct remembered first;
    bool found, locked = false;

    *replayed = false;
    if (!own->key.ptr)
        return OK;
    if (!own->is_running)
        TRY(lock(cx, own->key, &locked));
    if (!locked)
        return error_set(cx->error, ERR_CONFLICT,
                         "The first request under this Idempotency-Key is still running.");
    TRY(db_find(cx, &sql_idempotency_get,
                ARGS({"owner_id", v_uuid(owner_of(cx))}, {"key", v_text(own->key)}),
                &remembered_record, &first, &found));
    if (!found)
        return OK;
    if (first.request_hash.len != sizeof(own->hash) ||
        memcmp(first.request_hash.ptr, own->hash, sizeof(own->hash)) != 0)
        return error_fault(cx->error, "Idempotency-Key", "idempotency_key_reused",
                           "was used for another request");
    replay(call, &first);
    *replayed = true;
    return OK;
}

static struct str header_of(const struct http_response *response, struct str name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (str_equal_nocase(response->headers[i].name, name))
            return response->headers[i].value;
    }
    return STR_NULL;
}

enum err idempotency_store(struct call *call)
{
    struct ctx *cx = &call->rq.cx;
    const struct idempotency *own = &call->idempotency;
    const struct http_response *response = &call->exchange->response;
    struct str body = own->body_without_secrets.ptr ? own->body_without_secrets : response->body;

    if (!own->key.ptr || response->status < 200 || response->status > 299)
        return OK;
    TRY(db_run(
        cx, &sql_idempotency_put,
        ARGS({"owner_id", v_uuid(owner_of(cx))}, {"key", v_text(own->key)},
             {"request_hash", v_bytes((struct str){(const char *)own->hash, sizeof(own->hash)})},
             {"status", v_int(response->status)},
             {"location", v_text(header_of(response, STR("location")))},
             {"etag", v_text(header_of(response, STR("etag")))}, {"body", v_text(body)},
             {"expires_at", v_time(cx->now_us + IDEMPOTENCY_KEPT_US)})));
    if (db_changed(cx) == 0)
        return error_set(cx->error, ERR_CONFLICT,
                         "Another request under this Idempotency-Key came first.");
    return OK;
}
