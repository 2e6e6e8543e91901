/* A small resource over a real store: every kind of answer, every
 * kind of caller, and what happens twice. */
#include "http_unit.h"

#include "app/token/token.h"
#include "db/store_kit.h"
#include "http/dispatch.h"

#include <unistd.h>

/* ------------------------------------------------------------------ the resource */

struct thing {
    struct uuid id;
    struct str name;
    struct str token;
    int64_t version;
    int64_t created_at;
};

static const struct field thing_fields[] = {
    FIELD(thing, id, F_UUID, READ_ONLY),
    FIELD(thing, name, F_TEXT, REQUIRED, .min = 1, .max = 40),
    FIELD(thing, token, F_TEXT, READ_ONLY | NULLABLE | SECRET | OMIT_NULL | NO_COLUMN),
    FIELD(thing, version, F_INT, READ_ONLY),
    FIELD(thing, created_at, F_TIME, READ_ONLY),
};
static const struct record thing_record = RECORD_NAMED("Thing", thing, thing_fields);

struct thing_filter {
    struct str name;
};
static const struct field thing_filter_fields[] = {
    FIELD(thing_filter, name, F_TEXT, 0, .max = 40),
};
static const struct record thing_filter_record = RECORD(thing_filter, thing_filter_fields);

#define QUERY(name, text, writes, ...)                                                             \
    static const char *const name##_params[] = {__VA_ARGS__};                                      \
    static const struct query name = {#name, text, text, name##_params, COUNT_OF(name##_params),   \
                                      writes}

QUERY(thing_insert,
      "INSERT INTO companies (tenant_id, id, name, name_folded, version, created_at, updated_at) "
      "VALUES ($1, $2, $3, $3, 1, $4, $4)",
      true, "tenant_id", "id", "name", "created_at");
QUERY(thing_get,
      "SELECT id, name, version, created_at FROM companies WHERE tenant_id = $1 AND id = $2", false,
      "tenant_id", "id");
QUERY(thing_page,
      "SELECT id, name, version, created_at FROM companies WHERE tenant_id = $1 AND "
      "(created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5",
      false, "tenant_id", "cursor_time", "cursor_id", "limit", "offset");
QUERY(thing_count, "SELECT count(*) FROM companies WHERE tenant_id = $1", false, "tenant_id");
QUERY(thing_update,
      "UPDATE companies SET name = $1, version = version + 1 WHERE tenant_id = $2 AND id = $3",
      true, "name", "tenant_id", "id");
QUERY(thing_delete, "DELETE FROM companies WHERE tenant_id = $1 AND id = $2", true, "tenant_id",
      "id");
QUERY(thing_clear, "DELETE FROM companies WHERE tenant_id = $1", true, "tenant_id");

static enum err insert(struct ctx *cx, struct thing *thing)
{
    thing->id = uuid_new(cx->ids, cx->now_us);
    thing->version = 1;
    thing->created_at = cx->now_us;
    return db_run(cx, &thing_insert, ARGS_OF(&thing_record, thing));
}

/* Changes its own body on purpose: a run that is repeated must not see that. */
static enum err create(struct req *rq)
{
    struct thing *thing = rq->body;

    TRY(insert(&rq->cx, thing));
    thing->token = STR("once-only");
    http_header_add(rq->exchange, "X-Made", STR("yes"));
    struct thing made = *thing;
    thing->name = STR("spoilt");
    return reply_created(rq, &thing_record, &made, made.id);
}

static enum err show(struct req *rq)
{
    struct thing thing;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(db_one(&rq->cx, &thing_get, ARGS({"id", v_uuid(id)}), &thing_record, &thing));
    return reply_record(rq, &thing_record, &thing);
}

static enum err change(struct req *rq)
{
    struct thing thing;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(db_one(&rq->cx, &thing_get, ARGS({"id", v_uuid(id)}), &thing_record, &thing));
    TRY(check_if_match(rq, thing.version));
    TRY(record_merge(&thing_record, &rq->given, rq->body, &thing, rq->cx.arena, rq->cx.error));
    TRY(db_run_found(&rq->cx, &thing_update,
                     ARGS({"id", v_uuid(id)}, {"name", v_text(thing.name)})));
    thing.version++;
    return reply_record(rq, &thing_record, &thing);
}

static enum err drop(struct req *rq)
{
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(db_run_found(&rq->cx, &thing_delete, ARGS({"id", v_uuid(id)})));
    return reply_none(rq);
}

static void key_of(const void *row, struct list_key *out)
{
    out->time = ((const struct thing *)row)->created_at;
    out->id = ((const struct thing *)row)->id;
}

static enum err list(struct req *rq)
{
    struct list rows;
    struct total total = {0};

    TRY(db_all(&rq->cx, &thing_page, ARGS(PAGE_BINDS(&rq->page)), &thing_record, &rows));
    TRY(db_int(&rq->cx, &thing_count, NO_ARGS, &total.rows));
    return reply_list(rq, &thing_record, &rows, total, key_of);
}

static enum err bulk_row(struct req *rq, const struct bulk_row *row, struct uuid *id, int *status)
{
    struct thing *thing = row->record;

    TRY(insert(&rq->cx, thing));
    *id = thing->id;
    if (str_is(thing->name, "there"))
        *status = 200;
    if (str_is(thing->name, "clash"))
        return error_set(rq->cx.error, ERR_CONFLICT, "It clashes.");
    return OK;
}

static enum err bulk(struct req *rq)
{
    return reply_rows(rq, bulk_row);
}

static enum err fail_after_write(struct req *rq)
{
    struct thing thing = {.name = STR("half")};

    TRY(insert(&rq->cx, &thing));
    return error_set(rq->cx.error, ERR_CONFLICT, "Too late.");
}

/* Takes a third of what a request may, and is run again as after a lost race. */
static int greedy_runs, greedy_releases;

static void count_release(void *what)
{
    ++*(int *)what;
}

static enum err greedy(struct req *rq)
{
    struct thing thing = {.name = ((struct thing *)rq->body)->name};

    greedy_runs++;
    if (!arena_alloc(rq->cx.arena, REQUEST_ARENA_MAX / 3) ||
        !arena_defer(rq->cx.arena, count_release, &greedy_releases))
        return error_set(rq->cx.error, ERR_TOO_LARGE, "There is no memory left.");
    TRY(insert(&rq->cx, &thing));
    return reply_created(rq, &thing_record, &thing, thing.id);
}

static enum err no_answer(struct req *rq)
{
    (void)rq;
    return OK;
}

static enum err whoami(struct req *rq)
{
    const struct actor *actor = &rq->cx.actor;
    struct buf text;

    if (rq->cx.db)
        return error_set(rq->cx.error, ERR_INTERNAL, "There is a transaction.");
    buf_init(&text, rq->cx.arena, 200);
    buf_addf(&text, "%s %.*s %.*s", role_name(actor->role), STR_FMT(actor->user_name),
             STR_FMT(actor->timezone));
    return reply_text(rq, 200, "text/plain; charset=utf-8", buf_str(&text));
}

static enum err whoami_in_read(struct req *rq)
{
    if (!rq->cx.db)
        return error_set(rq->cx.error, ERR_INTERNAL, "There is no transaction.");
    return reply_text(rq, 200, "text/plain; charset=utf-8", str_of(role_name(rq->cx.actor.role)));
}

struct stream_query {
    struct str ticket;
};
static const struct field stream_query_fields[] = {
    FIELD(stream_query, ticket, F_TEXT, 0, .min = 1, .max = 100),
};
static const struct record stream_query_record = RECORD(stream_query, stream_query_fields);

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, list, "List", ANSWER_LIST, &thing_record,
     .query = &thing_filter_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, create, "Make", ANSWER_CREATED, &thing_record,
     &thing_record, .flags = 0},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, show, "Get", ANSWER_RECORD, &thing_record,
     .flags = 0},
    {HTTP_PATCH, "/{id}", ROLE_AGENT, TX_WRITE, change, "Change", ANSWER_RECORD, &thing_record,
     &thing_record, .flags = ROUTE_PATCH},
    {HTTP_DELETE, "/{id}", ROLE_MANAGER, TX_WRITE, drop, "Delete", ANSWER_NONE, .flags = 0},
    {HTTP_POST, "/bulk", ROLE_AGENT, TX_WRITE, bulk, "Make many", ANSWER_ROWS,
     .body = &thing_record, .flags = ROUTE_ROWS},
    {HTTP_POST, "/half", ROLE_AGENT, TX_WRITE, fail_after_write, "Fail", ANSWER_NONE, .flags = 0},
    {HTTP_POST, "/greedy", ROLE_AGENT, TX_WRITE, greedy, "Take memory", ANSWER_CREATED,
     &thing_record, &thing_record, .flags = 0},
    {HTTP_POST, "/mute", ROLE_AGENT, TX_WRITE, no_answer, "Nothing", ANSWER_NONE, .flags = 0},
    {HTTP_GET, "/whoami", ROLE_VIEWER, TX_NONE, whoami, "Who", ANSWER_OTHER,
     .other_answer = "text/plain; charset=utf-8"},
    {HTTP_GET, "/role", ROLE_VIEWER, TX_READ, whoami_in_read, "Role", ANSWER_OTHER,
     .other_answer = "text/plain; charset=utf-8"},
    {HTTP_GET, "/stream", ROLE_CONTACT, TX_WRITE, whoami_in_read, "Stream", ANSWER_OTHER,
     .query = &stream_query_record, .flags = ROUTE_STREAM,
     .other_answer = "text/plain; charset=utf-8"},
    {HTTP_POST, "/operator", ROLE_OPERATOR, TX_WRITE, no_answer, "Operators only", ANSWER_NONE,
     .flags = 0},
};
static const char *const mounts[] = {"/things"};
static const struct resource thing_resource = {"things", mounts, 1, routes, COUNT_OF(routes)};
static const struct resource *const resources[] = {&thing_resource};

/* ------------------------------------------------------------------ the store */

static struct test_store store;
static struct exec *exec;
static struct app *app, *demo;
static const struct uuid tenant_id = {{1, [15] = 1}}, other_tenant_id = {{1, [15] = 2}};
static const struct uuid user_id = {{2, [15] = 1}}, key_id = {{3, [15] = 1}},
                         revoked_id = {{3, [15] = 2}}, expired_id = {{3, [15] = 3}},
                         viewer_id = {{3, [15] = 4}}, login_id = {{4, [15] = 1}};
static struct credential key, revoked, expired, viewer, login;
static char csrf[SECRET_TEXT_LEN];
static char key_header[7 + CREDENTIAL_LEN_MAX + 1], viewer_header[7 + CREDENTIAL_LEN_MAX + 1];

QUERY(tenant_insert,
      "INSERT INTO tenants (id, slug, name, timezone, version, created_at, updated_at) "
      "VALUES ($1, $2, $2, 'Europe/Berlin', 1, $3, $3)",
      true, "tenant_id", "slug", "now");
QUERY(user_insert,
      "INSERT INTO users (tenant_id, id, email, email_folded, name, name_folded, role, active, "
      "version, created_at, updated_at) "
      "VALUES ($1, $2, 'a@example.org', 'a@example.org', 'Ada', 'ada', 'manager', true, 1, $3, $3)",
      true, "tenant_id", "id", "now");
QUERY(user_active, "UPDATE users SET active = $1 WHERE tenant_id = $2", true, "active",
      "tenant_id");
QUERY(key_insert,
      "INSERT INTO api_keys (tenant_id, id, user_id, name, role, secret_hash, created_at, "
      "expires_at, revoked_at) VALUES ($1, $2, $3, 'k', $4, $5, $6, $7, $8)",
      true, "tenant_id", "id", "user_id", "role", "hash", "now", "expires_at", "revoked_at");
QUERY(login_insert,
      "INSERT INTO logins (tenant_id, id, user_id, secret_hash, csrf_hash, created_at, seen_at, "
      "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
      true, "tenant_id", "id", "user_id", "hash", "csrf_hash", "then", "expires_at");
QUERY(login_seen, "SELECT count(*) FROM logins WHERE seen_at > $1 AND tenant_id = $2", false,
      "then", "tenant_id");
QUERY(key_age, "UPDATE idempotency_keys SET expires_at = $1 WHERE tenant_id = $2", true, "now",
      "tenant_id");

struct work {
    enum err (*fn)(struct ctx *cx, void *what);
    void *what;
    struct uuid tenant_id;
};

static enum err run_work(void *context, struct db *db, struct id_source *ids)
{
    struct work *work = context;
    struct arena *arena = arena_new(MIB(1));
    struct error error;
    error_clear(&error);
    struct ctx cx = {.db = db,
                     .arena = arena,
                     .error = &error,
                     .actor.tenant_id = work->tenant_id,
                     .now_us = time_now_us(),
                     .ids = ids};
    enum err err = work->fn(&cx, work->what);

    if (err != OK)
        print_error("%s\n", error.detail);
    arena_free(arena);
    return err;
}

static void in_store_of(struct uuid tenant, enum err (*fn)(struct ctx *cx, void *what), void *what)
{
    struct work work = {fn, what, tenant};

    assert_int_equal(exec_transaction(exec, TX_WRITE, run_work, &work), OK);
}

static void in_store(enum err (*fn)(struct ctx *cx, void *what), void *what)
{
    in_store_of(tenant_id, fn, what);
}

static enum err put_key(struct ctx *cx, const struct credential *credential, const char *role,
                        int64_t expires_at, int64_t revoked_at)
{
    uint8_t hash[SECRET_HASH_BYTES];

    credential_hash(credential, hash);
    return db_run(
        cx, &key_insert,
        ARGS({"id", v_uuid(credential->id)}, {"user_id", v_uuid(user_id)},
             {"role", v_text(str_of(role))},
             {"hash", v_bytes((struct str){(char *)hash, sizeof(hash)})},
             {"expires_at", v_maybe_time((struct maybe_int){expires_at != 0, expires_at})},
             {"revoked_at", v_maybe_time((struct maybe_int){revoked_at != 0, revoked_at})}));
}

static enum err fill(struct ctx *cx, void *what)
{
    uint8_t hash[SECRET_HASH_BYTES], csrf_hash[SECRET_HASH_BYTES];

    (void)what;
    TRY(db_run(cx, &tenant_insert, ARGS({"slug", v_text(STR("acme"))})));
    TRY(db_run(cx, &user_insert, ARGS({"id", v_uuid(user_id)})));
    TRY(put_key(cx, &key, "admin", cx->now_us + HOUR_US, 0));
    TRY(put_key(cx, &revoked, "admin", 0, cx->now_us));
    TRY(put_key(cx, &expired, "admin", cx->now_us - 1, 0));
    TRY(put_key(cx, &viewer, "viewer", 0, 0));
    credential_hash(&login, hash);
    secret_new(csrf);
    secret_hash((struct str){csrf, sizeof(csrf)}, csrf_hash);
    return db_run(cx, &login_insert,
                  ARGS({"id", v_uuid(login_id)}, {"user_id", v_uuid(user_id)},
                       {"hash", v_bytes((struct str){(char *)hash, sizeof(hash)})},
                       {"csrf_hash", v_bytes((struct str){(char *)csrf_hash, sizeof(csrf_hash)})},
                       {"then", v_time(cx->now_us - HOUR_US)},
                       {"expires_at", v_time(cx->now_us + HOUR_US)}));
}

static enum err add_other_tenant(struct ctx *cx, void *what)
{
    (void)what;
    return db_run(cx, &tenant_insert, ARGS({"slug", v_text(STR("other"))}));
}

static void bearer(const struct credential *credential, char out[7 + CREDENTIAL_LEN_MAX + 1])
{
    memcpy(out, "Bearer ", 7);
    out[7 + credential_text(credential, FORM_KEY, out + 7)] = '\0';
}

static int make(bool on_postgres)
{
    struct error error = {0};

    store_kit_open(&store, on_postgres);
    exec = store.exec;
    key = credential_new(tenant_id, key_id);
    revoked = credential_new(tenant_id, revoked_id);
    expired = credential_new(tenant_id, expired_id);
    viewer = credential_new(tenant_id, viewer_id);
    login = credential_new(tenant_id, login_id);
    bearer(&key, key_header);
    bearer(&viewer, viewer_header);
    in_store(fill, NULL);
    struct app_options options = {.resources = resources, .resource_count = 1, .exec = exec};
    assert_int_equal(app_new(&options, &app, &error), OK);
    options.demo = true;
    options.demo_tenant_id = tenant_id;
    options.demo_user_id = user_id;
    assert_int_equal(app_new(&options, &demo, &error), OK);
    return 0;
}

static int make_on_sqlite(void **state)
{
    (void)state;
    return make(false);
}

static int make_on_postgres(void **state)
{
    (void)state;
    return make(true);
}

static int end(void **state)
{
    (void)state;
    app_free(app);
    app_free(demo);
    store_kit_close(&store);
    return 0;
}

/* ------------------------------------------------------------------ requests */

#define HEADERS_MAX 8
static struct arena *arena;
static struct http_exchange exchange;
static struct http_header headers[HEADERS_MAX];
static size_t header_count;

static enum err clear(struct ctx *cx, void *what)
{
    (void)what;
    return db_run(cx, &thing_clear, NO_ARGS);
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new(REQUEST_ARENA_MAX);
    header_count = 0;
    in_store(clear, NULL);
    return arena ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void header(const char *name, const char *value)
{
    assert_true(header_count < HEADERS_MAX);
    headers[header_count++] = (struct http_header){str_of(name), str_of(value)};
}

static void no_headers(void)
{
    header_count = 0;
}

static int ask(struct app *whom, enum http_method method, const char *target, const char *body)
{
    exchange = (struct http_exchange){.arena = arena, .request_id = STR("test-1")};
    exchange.request.method = method;
    exchange.request.target = str_of(target);
    exchange.request.query = str_cut(str_of(target), '?', &exchange.request.path);
    exchange.request.headers = headers;
    exchange.request.header_count = header_count;
    exchange.request.host = STR("localhost:8081");
    exchange.request.body = body ? str_of(body) : STR("");
    app_run(whom, &exchange);
    assert_text(response_header(&exchange, "x-content-type-options"), "nosniff");
    return exchange.response.status;
}

/* As the key's owner, with a JSON body. */
static int call(enum http_method method, const char *target, const char *body)
{
    size_t kept = header_count;

    header("authorization", key_header);
    if (body)
        header("content-type", "application/json");
    int status = ask(app, method, target, body);
    header_count = kept;
    return status;
}

static json_t *answer;

static void read_answer(void)
{
    answer = response_json(&exchange);
}

static json_int_t count_things(void)
{
    call(HTTP_GET, "/api/v1/things", NULL);
    read_answer();
    json_int_t total = json_member_int(answer, "total");
    json_decref(answer);
    return total;
}

static void assert_fault(const char *field, const char *code)
{
    json_t *json = response_json(&exchange), *fault;
    bool found = false;
    size_t i;

    json_array_foreach (json_object_get(json, "errors"), i, fault)
        found = found || (strcmp(json_member_text(fault, "field"), field) == 0 &&
                          strcmp(json_member_text(fault, "code"), code) == 0);
    if (!found)
        fail_msg("no fault %s of \"%s\" in %.*s", code, field, STR_FMT(exchange.response.body));
    json_decref(json);
}

/* ------------------------------------------------------------------ answers */

static void one_record(void **state)
{
    char path[128], id[UUID_TEXT_LEN + 1] = "";

    (void)state;
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    assert_text(response_header(&exchange, "etag"), "\"1\"");
    assert_text(response_header(&exchange, "content-type"), "application/json");
    read_answer();
    assert_string_equal(json_member_text(answer, "token"), "once-only");
    memcpy(id, json_member_text(answer, "id"), UUID_TEXT_LEN);
    json_decref(answer);
    snprintf(path, sizeof(path), "/api/v1/things/%s", id);
    assert_text(response_header(&exchange, "location"), path);

    assert_int_equal(call(HTTP_GET, path, NULL), 200);
    assert_null(memmem(exchange.response.body.ptr, exchange.response.body.len, "token", 5));
    assert_int_equal(call(HTTP_HEAD, path, NULL), 200);

    header("if-match", "\"7\", W/\"1\"");
    assert_int_equal(call(HTTP_PATCH, path, "{\"name\":\"b\"}"), 412);
    no_headers();
    header("if-match", "\"9\" , \"1\"");
    assert_int_equal(call(HTTP_PATCH, path, "{\"name\":\"b\"}"), 200);
    assert_text(response_header(&exchange, "etag"), "\"2\"");
    assert_int_equal(call(HTTP_PATCH, path, "{\"name\":\"c\"}"), 412);
    no_headers();
    header("if-match", "*");
    assert_int_equal(call(HTTP_PATCH, path, "{}"), 200);
    no_headers();
    assert_int_equal(call(HTTP_DELETE, path, NULL), 204);
    assert_int_equal(exchange.response.body.len, 0);
    assert_int_equal(call(HTTP_DELETE, path, NULL), 404);
    assert_int_equal(call(HTTP_GET, "/api/v1/things/no-id", NULL), 404);
}

static void pages(void **state)
{
    char target[512];
    json_int_t seen = 0;

    (void)state;
    for (int i = 0; i < 7; i++)
        assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    assert_int_equal(call(HTTP_GET, "/api/v1/things?page=2&page_size=3", NULL), 200);
    read_answer();
    assert_int_equal(json_array_size(json_object_get(answer, "data")), 3);
    assert_int_equal(json_member_int(answer, "total"), 7);
    assert_int_equal(json_member_int(answer, "page"), 2);
    assert_int_equal(json_member_int(answer, "page_size"), 3);
    assert_true(json_is_string(json_object_get(answer, "next_cursor")));
    json_decref(answer);

    snprintf(target, sizeof(target), "/api/v1/things?limit=3");
    for (int page = 0;; page++) {
        assert_int_equal(call(HTTP_GET, target, NULL), 200);
        read_answer();
        seen += (json_int_t)json_array_size(json_object_get(answer, "data"));
        assert_true(page > 0 ? json_is_null(json_object_get(answer, "page"))
                             : json_is_integer(json_object_get(answer, "page")));
        json_t *next = json_object_get(answer, "next_cursor");
        bool last = json_is_null(next);
        if (!last)
            snprintf(target, sizeof(target), "/api/v1/things?limit=3&cursor=%s",
                     json_string_value(next));
        json_decref(answer);
        assert_true(page < 3);
        if (last)
            break;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(call(HTTP_GET, "/api/v1/things?limit=7", NULL), 200);
    read_answer();
    assert_true(json_is_null(json_object_get(answer, "next_cursor")));
    json_decref(answer);
    assert_int_equal(call(HTTP_GET, "/api/v1/things?limit=201&page=0&nmae=x&cursor=AAAA", NULL),
                     422);
    assert_fault("limit", "too_large");
    assert_fault("nmae", "unknown_field");
    assert_fault("cursor", "bad_format");
}

static void as_csv(void **state)
{
    (void)state;
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a,b\"}"), 201);
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"c\"}"), 201);
    assert_int_equal(call(HTTP_GET, "/api/v1/things?format=csv", NULL), 200);
    assert_true(str_starts(response_header(&exchange, "content-type"), STR("text/csv")));
    assert_text(response_header(&exchange, "content-disposition"),
                "attachment; filename=\"things.csv\"");
    assert_true(str_starts(exchange.response.body, STR("id,name,")));
    assert_non_null(memmem(exchange.response.body.ptr, exchange.response.body.len, "\"a,b\"", 5));
    header("accept", "text/html;q=0.5, text/csv");
    assert_int_equal(call(HTTP_GET, "/api/v1/things?limit=1", NULL), 200);
    assert_true(str_starts(response_header(&exchange, "content-type"), STR("text/csv")));
    assert_non_null(response_header(&exchange, "x-next-cursor").ptr);
    no_headers();
    header("accept", "text/csv;q=0, */*");
    assert_int_equal(call(HTTP_GET, "/api/v1/things", NULL), 200);
    assert_text(response_header(&exchange, "content-type"), "application/json");
}

static void bulk_rows(void **state)
{
    json_t *rows;

    (void)state;
    assert_int_equal(
        call(HTTP_POST, "/api/v1/things/bulk",
             "{\"rows\":[{\"name\":\"a\"},{\"name\":\"\",\"x\":1},{\"name\":\"clash\"},"
             "{\"name\":\"there\"},7]}"),
        200);
    read_answer();
    rows = json_object_get(answer, "rows");
    assert_int_equal(json_array_size(rows), 5);
    assert_int_equal(json_member_int(answer, "succeeded"), 2);
    assert_int_equal(json_member_int(answer, "failed"), 3);
    static const json_int_t statuses[] = {201, 422, 409, 200, 422};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_member_int(json_array_get(rows, i), "status"), statuses[i]);
    assert_int_equal(json_array_size(json_object_get(json_array_get(rows, 1), "errors")), 2);
    assert_string_equal(json_member_text(json_array_get(rows, 2), "detail"), "It clashes.");
    json_decref(answer);
    assert_int_equal(count_things(), 2); /* the clash is undone */

    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", " [{\"name\":\"b\"}]"), 200);
    assert_int_equal(count_things(), 3);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", "[]"), 422);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", "{}"), 422);
    assert_fault("rows", "required");
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", "{\"rows\":{},\"more\":1}"), 422);
    assert_fault("more", "unknown_field");
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", "[{\"name\":\"b\"},]"), 400);
}

/* A thousand rows and one more: decoded on a slow thread. */
static void large_bulk(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, NULL, MIB(1));
    buf_add_char(&body, '[');
    for (int i = 0; i < BULK_ROWS_MAX; i++)
        buf_addf(&body, "%s{\"name\":\"thing number %d\"}", i == 0 ? "" : ",", i);
    buf_add(&body, STR("]"));
    buf_add_char(&body, '\0');
    assert_true(body.len > INLINE_BODY_MAX);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", body.ptr), 200);
    assert_int_equal(count_things(), BULK_ROWS_MAX);
    body.len -= 2;
    buf_add(&body, STR(",{\"name\":\"x\"}]"));
    buf_add_char(&body, '\0');
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", body.ptr), 422);
    assert_fault("rows", "too_long");
    buf_clear(&body);
}

static void failures(void **state)
{
    (void)state;
    assert_int_equal(call(HTTP_POST, "/api/v1/things/half", NULL), 409);
    assert_int_equal(count_things(), 0);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/mute", NULL), 500);
    assert_int_equal(call(HTTP_GET, "/api/v1/nothing", NULL), 404);
    assert_int_equal(call(HTTP_GET, "/api/v1/things/", NULL), 404);
    assert_int_equal(call(HTTP_GET, "/api/v1/things/%00", NULL), 400);
    assert_int_equal(call(HTTP_PUT, "/api/v1/things", "{}"), 405);
    assert_text(response_header(&exchange, "allow"), "GET, POST, HEAD, OPTIONS");
    assert_int_equal(call(HTTP_OPTIONS, "/api/v1/things", NULL), 204);
    assert_text(response_header(&exchange, "allow"), "GET, POST, HEAD, OPTIONS");
}

static void bodies(void **state)
{
    (void)state;
    assert_int_equal(call(HTTP_POST, "/api/v1/things?x=1", "{\"nam\":\"a\",\"version\":2}"), 422);
    assert_fault("x", "unknown_field");
    assert_fault("nam", "unknown_field");
    assert_fault("name", "required");
    assert_fault("version", "read_only");
    assert_int_equal(call(HTTP_POST, "/api/v1/things?x=1", "{\"name\":"), 400);
    assert_int_equal(call(HTTP_POST, "/api/v1/things", NULL), 400);
    assert_int_equal(call(HTTP_GET, "/api/v1/things", "{}"), 400);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/half", "{}"), 400);

    static const struct {
        const char *type;
        int status;
    } types[] = {{"application/json; charset=UTF-8", 201},
                 {"Application/JSON", 201},
                 {"application/vnd.thing+json", 201},
                 {"application/json;charset=latin1", 415},
                 {"text/plain", 415},
                 {"application/+json", 415},
                 {"application/jsonp", 415},
                 {"multipart/form-data", 415}};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        no_headers();
        header("authorization", key_header);
        header("content-type", types[i].type);
        if (ask(app, HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}") != types[i].status)
            fail_msg("%s gives %d", types[i].type, exchange.response.status);
    }
    no_headers();
    header("authorization", key_header);
    assert_int_equal(ask(app, HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 415);
}

static void body_sizes(void **state)
{
    (void)state;
    assert_int_equal(app_body_max(app, HTTP_POST, STR("/api/v1/things/bulk")), BULK_BODY_MAX);
    assert_int_equal(app_body_max(app, HTTP_POST, STR("/api/v1/things/b%75lk")), BULK_BODY_MAX);
    assert_int_equal(app_body_max(app, HTTP_POST, STR("/api/v1/things")), BODY_MAX);
    assert_int_equal(app_body_max(app, HTTP_POST, STR("/nowhere")), BODY_MAX);
}

/* ------------------------------------------------------------------ callers */

static int with_authorization(const char *value)
{
    no_headers();
    header("authorization", value);
    return ask(app, HTTP_GET, "/api/v1/things", NULL);
}

static enum err set_active(struct ctx *cx, void *active)
{
    return db_run(cx, &user_active, ARGS({"active", v_bool(*(bool *)active)}));
}

static void keys(void **state)
{
    char text[7 + CREDENTIAL_LEN_MAX + 1];
    struct credential wrong = key;
    bool active = false;

    (void)state;
    assert_int_equal(with_authorization(key_header), 200);
    text[0] = '\0';
    no_headers();
    assert_int_equal(ask(app, HTTP_GET, "/api/v1/things", NULL), 401);
    assert_text(response_header(&exchange, "www-authenticate"), "Bearer realm=\"touchpoint\"");
    struct str plain = str_copy(arena, exchange.response.body);

    wrong.secret[0] ^= 1;
    bearer(&wrong, text);
    assert_int_equal(with_authorization(text), 401);
    assert_true(str_equal(exchange.response.body, plain)); /* nobody can tell which it was */
    wrong = key;
    wrong.tenant_id = other_tenant_id;
    bearer(&wrong, text);
    assert_int_equal(with_authorization(text), 401);
    assert_true(str_equal(exchange.response.body, plain));
    bearer(&revoked, text);
    assert_int_equal(with_authorization(text), 401);
    assert_true(str_equal(exchange.response.body, plain));
    bearer(&expired, text);
    assert_int_equal(with_authorization(text), 401);
    assert_int_equal(with_authorization("Basic YTpi"), 401);
    assert_int_equal(with_authorization("Bearer"), 401);
    assert_int_equal(with_authorization(key_header + 7), 401);
    in_store(set_active, &active);
    assert_int_equal(with_authorization(key_header), 401);
    active = true;
    in_store(set_active, &active);
    assert_int_equal(with_authorization(key_header), 200);
}

static void roles(void **state)
{
    (void)state;
    /* An admin's key of a manager is a manager's. */
    assert_int_equal(call(HTTP_GET, "/api/v1/things/whoami", NULL), 200);
    assert_text(exchange.response.body, "manager Ada Europe/Berlin");
    assert_int_equal(call(HTTP_GET, "/api/v1/things/role", NULL), 200);
    assert_text(exchange.response.body, "manager");
    assert_int_equal(call(HTTP_POST, "/api/v1/things/operator", NULL), 403);
    assert_int_equal(with_authorization(viewer_header), 200);
    /* Who may not, is told that before what is wrong with the rest. */
    header("content-type", "text/plain");
    assert_int_equal(ask(app, HTTP_POST, "/api/v1/things?x=1", "{"), 403);
    no_headers();
    assert_int_equal(ask(app, HTTP_POST, "/api/v1/things?x=1", "{"), 401);
}

static int by_cookie(enum http_method method, const char *target, const char *token,
                     const char *origin)
{
    static char cookie[128]; /* the headers outlive the call */

    no_headers();
    memcpy(cookie, "a=b; tp_session=", 16);
    credential_cookie_text(&login, cookie + 16);
    cookie[16 + LOGIN_COOKIE_LEN] = '\0';
    header("cookie", cookie);
    header("content-type", "application/json");
    if (token)
        header("x-csrf-token", token);
    if (origin)
        header("origin", origin);
    return ask(app, method, target, method == HTTP_GET ? NULL : "{\"name\":\"a\"}");
}

static enum err was_seen(struct ctx *cx, void *out)
{
    return db_int(cx, &login_seen, ARGS({"then", v_time(cx->now_us - MINUTE_US)}), out);
}

static void cookies(void **state)
{
    char token[SECRET_TEXT_LEN + 1];
    int64_t seen = 0;

    (void)state;
    memcpy(token, csrf, sizeof(csrf));
    token[SECRET_TEXT_LEN] = '\0';
    assert_int_equal(by_cookie(HTTP_GET, "/api/v1/things", NULL, NULL), 200);
    for (int i = 0; i < 200 && seen == 0; i++) {
        usleep(5000); /* it is noted after the answer */
        in_store(was_seen, &seen);
    }
    assert_int_equal(seen, 1);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", NULL, NULL), 403);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", "x", NULL), 403);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", token, NULL), 201);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", token, "http://localhost:8081"), 201);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", token, "http://localhost:8082"), 403);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", token, "https://evil.example"), 403);
    assert_int_equal(by_cookie(HTTP_POST, "/api/v1/things", token, "null"), 403);
    header("authorization", "Bearer tp_wrong"); /* the key wins, also when it is wrong */
    assert_int_equal(ask(app, HTTP_GET, "/api/v1/things", NULL), 401);
    login.secret[5] ^= 1;
    assert_int_equal(by_cookie(HTTP_GET, "/api/v1/things", NULL, NULL), 401);
    login.secret[5] ^= 1;
}

/* Who may open a stream: with a cookie, this server's own pages only. */
static void streams(void **state)
{
    static const char *const others[] = {"http://localhost:8082", "https://evil.example", "null",
                                         "", "localhost:8081"};
    const char *target = "/api/v1/things/stream";

    (void)state;
    assert_int_equal(by_cookie(HTTP_GET, target, NULL, "http://localhost:8081"), 200);
    assert_int_equal(by_cookie(HTTP_GET, target, NULL, "https://LOCALHOST:8081"), 200);
    assert_int_equal(by_cookie(HTTP_GET, target, NULL, NULL), 403);
    header("sec-fetch-site", "same-origin");
    assert_int_equal(ask(app, HTTP_GET, target, NULL), 200);
    header("origin", "https://evil.example"); /* that it is of the same origin was a lie */
    assert_int_equal(ask(app, HTTP_GET, target, NULL), 403);
    assert_int_equal(by_cookie(HTTP_GET, target, NULL, NULL), 403);
    header("sec-fetch-site", "same-site");
    assert_int_equal(ask(app, HTTP_GET, target, NULL), 403);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (by_cookie(HTTP_GET, target, NULL, others[i]) != 403)
            fail_msg("a page of \"%s\" may listen", others[i]);
    }
    /* A key is no cookie: nobody's browser sends it by itself. */
    assert_int_equal(with_authorization(key_header), 200);
    assert_int_equal(call(HTTP_GET, target, NULL), 200);
    header("origin", "https://evil.example");
    assert_int_equal(call(HTTP_GET, target, NULL), 200);
}

static enum err put_ticket(struct ctx *cx, void *what)
{
    struct ticket made = {0};
    char *out = what;

    cx->actor.user_id = user_id;
    cx->actor.credential_kind =
        cx->actor.credential_kind ? cx->actor.credential_kind : CREDENTIAL_KEY;
    cx->actor.credential_id = key_id;
    TRY(ticket_create(cx, &made));
    memcpy(out, made.ticket.ptr, made.ticket.len);
    out[made.ticket.len] = '\0';
    return OK;
}

static enum err put_demo_ticket(struct ctx *cx, void *what)
{
    cx->actor.credential_kind = CREDENTIAL_DEMO;
    return put_ticket(cx, what);
}

static int ask_with_ticket(struct app *whom, const char *path, const char *ticket)
{
    char target[200];

    no_headers();
    snprintf(target, sizeof(target), "/api/v1/things/%s?ticket=%s", path, ticket);
    return ask(whom, HTTP_GET, target, NULL);
}

static void tickets(void **state)
{
    char ticket[CREDENTIAL_LEN_MAX + 1];
    char authorization[7 + CREDENTIAL_LEN_MAX + 1];

    (void)state;
    in_store(put_ticket, ticket);
    /* Only a stream, and only by the URL. */
    assert_int_equal(ask_with_ticket(app, "role", ticket), 401);
    snprintf(authorization, sizeof(authorization), "Bearer %s", ticket);
    assert_int_equal(with_authorization(authorization), 401);
    header_count = 0;
    header("authorization", authorization);
    assert_int_equal(ask(app, HTTP_GET, "/api/v1/things/stream", NULL), 401);
    /* Nor is anything else taken from there. */
    assert_int_equal(ask_with_ticket(app, "stream", key_header + 7), 401);
    assert_int_equal(ask_with_ticket(app, "stream", ""), 401);

    assert_int_equal(ask_with_ticket(app, "stream", ticket), 200);
    assert_text(exchange.response.body, "manager");
    assert_int_equal(ask_with_ticket(app, "stream", ticket), 401);
    /* A request that fails leaves it. */
    in_store(put_ticket, ticket);
    char target[200];
    snprintf(target, sizeof(target), "/api/v1/things/stream?x=1&ticket=%s", ticket);
    assert_int_equal(ask(app, HTTP_GET, target, NULL), 422);
    assert_int_equal(ask_with_ticket(app, "stream", ticket), 200);
    /* A page without an origin of ours may use it, cookie or not. */
    in_store(put_ticket, ticket);
    snprintf(target, sizeof(target), "/api/v1/things/stream?ticket=%s", ticket);
    assert_int_equal(by_cookie(HTTP_GET, target, NULL, "https://evil.example"), 200);

    in_store(put_demo_ticket, ticket);
    assert_int_equal(ask_with_ticket(app, "stream", ticket), 401);
    assert_int_equal(ask_with_ticket(demo, "stream", ticket), 200);
}

static int ask_demo(const char *host, const char *origin, const char *site)
{
    no_headers();
    if (origin)
        header("origin", origin);
    if (site)
        header("sec-fetch-site", site);
    exchange = (struct http_exchange){.arena = arena, .request_id = STR("test-1")};
    exchange.request.method = HTTP_GET;
    exchange.request.path = exchange.request.target = STR("/api/v1/things/whoami");
    exchange.request.headers = headers;
    exchange.request.header_count = header_count;
    exchange.request.host = str_of(host);
    exchange.request.body = exchange.request.query = STR("");
    app_run(demo, &exchange);
    return exchange.response.status;
}

static void the_demo(void **state)
{
    (void)state;
    assert_int_equal(ask_demo("localhost:8081", NULL, NULL), 200);
    assert_text(exchange.response.body, "manager Ada Europe/Berlin");
    assert_int_equal(ask_demo("127.0.0.1", NULL, "same-origin"), 200);
    assert_int_equal(ask_demo("[::1]:8081", "http://localhost:8081", NULL), 200);
    assert_int_equal(ask_demo("[::1]", NULL, NULL), 200);
    static const char *const hosts[] = {"evil.example:8081",
                                        "localhost.evil.example",
                                        "",
                                        "127.0.0.1.evil.example",
                                        "[::1",
                                        "[::1]x",
                                        "localhost:x",
                                        "localhost:8081:9"};
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        if (ask_demo(hosts[i], NULL, NULL) != 403)
            fail_msg("host %s is taken", hosts[i]);
    }
    static const char *const origins[] = {"http://localhost:9999",
                                          "http://localhost",
                                          "null",
                                          "",
                                          "http://evil.example:8081",
                                          "file://",
                                          "http://localhost:8081.evil.example",
                                          "http://evil.example@localhost:8081"};
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        if (ask_demo("localhost:8081", origins[i], NULL) != 403)
            fail_msg("origin %s is taken", origins[i]);
    }
    assert_int_equal(ask_demo("localhost:8081", NULL, "cross-site"), 403);
    no_headers();
    header("authorization", "Bearer tp_wrong");
    assert_int_equal(ask(demo, HTTP_GET, "/api/v1/things", NULL), 401);
}

static void the_operator(void **state)
{
    struct app_answer out;

    (void)state;
    assert_int_equal(
        app_call(app, arena, HTTP_POST, "/api/v1/things", NULL, STR("{\"name\":\"a\"}"), &out), OK);
    assert_int_equal(out.status, 201);
    app_call(app, arena, HTTP_GET, "/api/v1/things?limit=1", "acme", STR(""), &out);
    assert_int_equal(out.status, 200);
    app_call(app, arena, HTTP_GET, "/api/v1/things", "nobody", STR(""), &out);
    assert_int_equal(out.status, 404);
    in_store_of(other_tenant_id, add_other_tenant, NULL);
    app_call(app, arena, HTTP_GET, "/api/v1/things", NULL, STR(""), &out);
    assert_int_equal(out.status, 422);
    app_call(app, arena, HTTP_GET, "/api/v1/things", "other", STR(""), &out);
    assert_int_equal(out.status, 200);
    json_t *json = json_loadb(out.body.ptr, out.body.len, 0, NULL);
    assert_int_equal(json_member_int(json, "total"), 0); /* nothing crosses tenants */
    json_decref(json);
}

/* ------------------------------------------------------------------ twice */

static enum err age_keys(struct ctx *cx, void *what)
{
    (void)what;
    return db_run(cx, &key_age, NO_ARGS);
}

static void idempotency(void **state)
{
    char id[UUID_TEXT_LEN + 1] = "", long_key[IDEMPOTENCY_KEY_MAX + 2];

    (void)state;
    header("idempotency-key", "\"abc\"");
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    assert_null(response_header(&exchange, "idempotent-replayed").ptr);
    read_answer();
    memcpy(id, json_member_text(answer, "id"), UUID_TEXT_LEN);
    json_decref(answer);

    no_headers();
    header("idempotency-key", "abc"); /* bare or as a string: the same key */
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    assert_text(response_header(&exchange, "idempotent-replayed"), "true");
    assert_text(response_header(&exchange, "secret-withheld"), "true");
    assert_text(response_header(&exchange, "etag"), "\"1\"");
    assert_non_null(response_header(&exchange, "location").ptr);
    read_answer();
    assert_string_equal(json_member_text(answer, "id"), id);
    assert_null(json_object_get(answer, "token"));
    json_decref(answer);
    assert_int_equal(count_things(), 1);

    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"b\"}"), 422);
    assert_fault("Idempotency-Key", "idempotency_key_reused");
    assert_int_equal(call(HTTP_POST, "/api/v1/things?", "{\"name\":\"a\"}"), 422);
    in_store(age_keys, NULL); /* a day later */
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"b\"}"), 201);
    assert_null(response_header(&exchange, "idempotent-replayed").ptr);

    no_headers();
    header("idempotency-key", "def"); /* a failure is not remembered */
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"\"}"), 422);
    assert_int_equal(call(HTTP_POST, "/api/v1/things/half", NULL), 409);
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);

    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    const char *const wrong[] = {"",    "\"",       "\"\"",    "\"a",     "\"a\"b\"",
                                 "a b", "\xC3\xA4", "\"\\a\"", "\"a\\\"", long_key};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        no_headers();
        header("idempotency-key", wrong[i]);
        if (call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}") != 422)
            fail_msg("the key %s is taken", wrong[i]);
        assert_fault("Idempotency-Key", "bad_format");
    }
    no_headers();
    header("idempotency-key", long_key + 1);
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
}

/* While a request runs, another under its key is told so. */
static void still_running(void **state)
{
    struct http_exchange first = {.arena = arena, .request_id = STR("first")};
    struct route_entry *entry;
    struct call running = {.app = app, .exchange = &first};
    struct error error;
    size_t count;

    (void)state;
    error_clear(&error);
    header("idempotency-key", "slow");
    entry = router_entries(app->router, &count);
    running.entry = entry + 1; /* POST /things */
    assert_text(running.entry->path, "/api/v1/things");
    header("authorization", key_header);
    first.request = (struct http_request){
        .method = HTTP_POST, .headers = headers, .header_count = header_count};
    idempotency_enter(&running, &error);
    header_count--;
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 409);
    assert_int_equal(count_things(), 0);
    idempotency_leave(&running);
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    assert_int_equal(count_things(), 1);
}

static enum err run_again(void *context, struct db *db, struct id_source *ids)
{
    struct call *call_again = context;

    return call_again->job.run(&call_again->job, db, ids);
}

/* The store may run a job again: the second run must not see what the first one did. */
static void repeated_run(void **state)
{
    (void)state;
    assert_int_equal(call(HTTP_POST, "/api/v1/things", "{\"name\":\"a\"}"), 201);
    exchange.request.headers = headers;
    header("authorization", key_header);
    header("content-type", "application/json");
    assert_int_equal(exec_transaction(exec, TX_WRITE, run_again, exchange.user), OK);
    assert_int_equal(exchange.response.status, 201);
    read_answer();
    assert_string_equal(json_member_text(answer, "name"), "a");
    json_decref(answer);
    size_t made = 0;
    for (size_t i = 0; i < exchange.response.header_count; i++)
        made += str_is(exchange.response.headers[i].name, "X-Made");
    assert_int_equal(made, 1);
    no_headers();
    assert_int_equal(call(HTTP_POST, "/api/v1/things/bulk", "[{\"name\":\"x\"},{\"name\":\"\"}]"),
                     200);
    struct str first = str_copy(arena, exchange.response.body);
    header("authorization", key_header);
    header("content-type", "application/json");
    assert_int_equal(exec_transaction(exec, TX_WRITE, run_again, exchange.user), OK);
    assert_int_equal(exchange.response.body.len, first.len);
}

/* Each run has the memory that the first one had. */
static void many_runs(void **state)
{
    (void)state;
    greedy_runs = greedy_releases = 0;
    assert_int_equal(call(HTTP_POST, "/api/v1/things/greedy", "{\"name\":\"g\"}"), 201);
    header("authorization", key_header);
    header("content-type", "application/json");
    for (int i = 1; i < 8; i++) {
        assert_int_equal(exec_transaction(exec, TX_WRITE, run_again, exchange.user), OK);
        assert_int_equal(exchange.response.status, 201);
        assert_int_equal(greedy_releases, i);
    }
    assert_int_equal(greedy_runs, 8);
    read_answer();
    assert_string_equal(json_member_text(answer, "name"), "g");
    json_decref(answer);
}

/* ------------------------------------------------------------------ about itself */

static void about_itself(void **state)
{
    (void)state;
    assert_int_equal(ask(app, HTTP_GET, "/healthz", NULL), 200);
    assert_int_equal(ask(app, HTTP_GET, "/readyz", NULL), 200);
    assert_int_equal(ask(app, HTTP_GET, "/openapi.json", NULL), 200);
    read_answer();
    assert_non_null(json_object_get(json_object_get(answer, "paths"), "/api/v1/things/{id}"));
    json_decref(answer);
    assert_int_equal(ask(app, HTTP_GET, "/docs", NULL), 200);
    assert_non_null(response_header(&exchange, "content-security-policy").ptr);
    assert_int_equal(ask(app, HTTP_GET, "/docs.css", NULL), 200);
    assert_int_equal(call(HTTP_GET, "/api/v1/things", NULL), 200);
    app_finished(app, &exchange, 100);
    assert_int_equal(ask(app, HTTP_GET, "/nowhere", NULL), 404);
    app_finished(app, &exchange, 100);
    assert_int_equal(ask(app, HTTP_GET, "/metrics", NULL), 200);
    static const char *const lines[] = {
        "touchpoint_requests_total{method=\"GET\",route=\"/api/v1/things\",status=\"2xx\"} 1\n",
        "touchpoint_requests_total{method=\"\",route=\"none\",status=\"4xx\"} 1\n",
        "touchpoint_request_seconds_count{method=\"GET\",route=\"/api/v1/things\"} 1\n",
        "touchpoint_store_ready 1\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (!memmem(exchange.response.body.ptr, exchange.response.body.len, lines[i],
                    strlen(lines[i])))
            fail_msg("no line %s", lines[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_record),    TEST(pages),        TEST(as_csv),
        TEST(bulk_rows),     TEST(large_bulk),   TEST(failures),
        TEST(bodies),        TEST(body_sizes),   TEST(keys),
        TEST(roles),         TEST(cookies),      TEST(streams),
        TEST(tickets),       TEST(the_demo),     TEST(idempotency),
        TEST(still_running), TEST(repeated_run), TEST(many_runs),
        TEST(about_itself),  TEST(the_operator), /* adds a tenant: the last */
    };

    int failed = cmocka_run_group_tests_name("on SQLite", tests, make_on_sqlite, end);
    if (store_kit_has_postgres())
        failed += cmocka_run_group_tests_name("on PostgreSQL", tests, make_on_postgres, end);
    return failed;
}
