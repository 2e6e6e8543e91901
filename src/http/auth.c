#include "http/auth.h"

#include "http/auth_sql.h"
#include "http/dispatch.h"

#include <stdlib.h>

struct identity {
    int role, user_role;
    struct str secret_hash, csrf_hash;
    struct maybe_int created_at, seen_at, expires_at, revoked_at;
    struct uuid user_id;
    struct str user_name, timezone, tenant_timezone;
    bool active;
};

/* In the order of enum role. */
static const char *const role_names[] = {"public",  "contact", "viewer",  "agent",
                                         "manager", "admin",   "operator"};
static const struct enum_names roles = ENUM_NAMES(role_names);

static const struct field identity_fields[] = {
    FIELD(identity, role, F_ENUM, 0, .names = &roles),
    FIELD(identity, user_role, F_ENUM, 0, .names = &roles),
    FIELD(identity, secret_hash, F_TEXT, NULLABLE),
    FIELD(identity, csrf_hash, F_TEXT, NULLABLE),
    FIELD(identity, created_at, F_TIME, NULLABLE),
    FIELD(identity, seen_at, F_TIME, NULLABLE),
    FIELD(identity, expires_at, F_TIME, NULLABLE),
    FIELD(identity, revoked_at, F_TIME, NULLABLE),
    FIELD(identity, user_id, F_UUID, 0),
    FIELD(identity, user_name, F_TEXT, 0),
    FIELD(identity, timezone, F_TEXT, NULLABLE),
    FIELD(identity, tenant_timezone, F_TEXT, 0),
    FIELD(identity, active, F_BOOL, 0),
};
static const struct record identity_record = RECORD(identity, identity_fields);

const char *role_name(enum role role)
{
    return enum_name(&roles, (int)role);
}

struct tenant_row {
    struct uuid id;
    struct str timezone;
};

static const struct field tenant_row_fields[] = {
    FIELD(tenant_row, id, F_UUID, 0),
    FIELD(tenant_row, timezone, F_TEXT, 0),
};
static const struct record tenant_row_record = RECORD(tenant_row, tenant_row_fields);

static enum err refuse(struct ctx *cx)
{
    cx->actor = (struct actor){0};
    return error_set(cx->error, ERR_UNAUTHENTICATED, "This needs a valid credential.");
}

static void become(struct ctx *cx, const struct identity *who, struct uuid credential_id)
{
    cx->actor.role = (enum role)(who->role < who->user_role ? who->role : who->user_role);
    cx->actor.user_id = who->user_id;
    cx->actor.credential_id = credential_id;
    cx->actor.user_name = who->user_name;
    cx->actor.timezone = who->timezone.ptr ? who->timezone : who->tenant_timezone;
}

/* Looks a credential up in its own tenant: from here on queries reach that one only. */
static enum err look_up(struct ctx *cx, const struct query *query, struct uuid tenant_id,
                        struct uuid id, struct identity *who, bool *found)
{
    cx->actor = (struct actor){.tenant_id = tenant_id};
    TRY(db_find(cx, query, ARGS({"id", v_uuid(id)}), &identity_record, who, found));
    if (*found && !who->active)
        *found = false;
    return OK;
}

static enum err by_key(struct ctx *cx, struct str authorization)
{
    struct credential credential;
    struct identity who;
    struct str scheme;
    bool found = false;
    struct str text = str_cut(authorization, ' ', &scheme);

    if (!text.ptr || !str_equal_nocase(scheme, STR("bearer")) ||
        !credential_parse_key(str_trim(text), &credential))
        return refuse(cx);
    TRY(look_up(cx, &sql_auth_key, credential.tenant_id, credential.id, &who, &found));
    if (!found || !credential_matches(&credential, who.secret_hash) || who.revoked_at.set ||
        (who.expires_at.set && who.expires_at.value <= cx->now_us))
        return refuse(cx);
    become(cx, &who, credential.id);
    return OK;
}

/* ------------------------------------------------------------------ cookies */

static struct str cookie(const struct http_request *request, struct str name)
{
    struct str rest = http_header_get(request, "cookie"), pair, found;

    while (rest.ptr) {
        rest = str_cut(rest, ';', &pair);
        struct str value = str_cut(str_trim(pair), '=', &found);

        if (value.ptr && str_equal(found, name))
            return value;
    }
    return STR_NULL;
}

/* "https://host:port" without its scheme; STR_NULL for "null" and the like. */
static struct str origin_host(struct str origin)
{
    if (str_starts(origin, STR("http://")))
        return str_slice(origin, 7, origin.len);
    if (str_starts(origin, STR("https://")))
        return str_slice(origin, 8, origin.len);
    return STR_NULL;
}

static enum err check_csrf(struct call *call, struct ctx *cx, struct str csrf_hash)
{
    const struct http_request *request = &call->exchange->request;
    struct str origin = http_header_get(request, "origin");

    if (request->method == HTTP_GET || request->method == HTTP_HEAD ||
        (call->entry->route->flags & ROUTE_NO_CSRF))
        return OK;
    if (origin.ptr && !str_equal_nocase(origin_host(origin), request->host))
        return error_set(cx->error, ERR_FORBIDDEN, "The request comes from another origin.");
    if (!secret_matches(http_header_get(request, "x-csrf-token"), csrf_hash))
        return error_set(cx->error, ERR_FORBIDDEN,
                         "The X-CSRF-Token of this sign-in is missing or wrong.");
    return OK;
}

static enum err by_cookie(struct call *call, struct ctx *cx, struct str text)
{
    struct credential credential;
    struct identity who;
    bool found = false;
    int64_t expires_at;

    if (!credential_parse_cookie(text, &credential))
        return refuse(cx);
    TRY(look_up(cx, &sql_auth_login, credential.tenant_id, credential.id, &who, &found));
    if (!found || !credential_matches(&credential, who.secret_hash) ||
        who.expires_at.value <= cx->now_us)
        return refuse(cx);
    become(cx, &who, credential.id);
    TRY(check_csrf(call, cx, who.csrf_hash));
    expires_at = cx->now_us + LOGIN_IDLE_US;
    if (expires_at > who.created_at.value + LOGIN_LIFE_US)
        expires_at = who.created_at.value + LOGIN_LIFE_US;
    call->login_seen = who.seen_at.value <= cx->now_us - LOGIN_SEEN_US;
    call->use = (struct credential_use){credential.tenant_id, credential.id, expires_at};
    return OK;
}

struct note {
    struct job job;
    struct credential_use use;
};

static enum err note_run(struct job *job, struct db *db, struct id_source *ids)
{
    struct note *note = (struct note *)job;
    struct arena *arena = arena_new(KIB(64));
    struct error error;
    enum err err;

    if (!arena)
        return ERR_UNAVAILABLE;
    error_clear(&error);
    struct ctx cx = {.db = db,
                     .arena = arena,
                     .error = &error,
                     .actor.tenant_id = note->use.tenant_id,
                     .now_us = time_now_us(),
                     .ids = ids};
    err = db_run(
        &cx, &sql_auth_login_seen,
        ARGS({"id", v_uuid(note->use.login_id)}, {"expires_at", v_time(note->use.expires_at)}));
    arena_free(arena);
    return err;
}

static void note_done(struct job *job, enum err result)
{
    (void)result; /* the next request notes it again */
    free(job);
}

void auth_note_use(struct exec *exec, const struct credential_use *use)
{
    struct note *note = calloc(1, sizeof(*note));

    if (!note)
        return;
    note->job = (struct job){.tx = TX_WRITE, .run = note_run, .done = note_done};
    note->use = *use;
    if (!exec_submit(exec, &note->job))
        free(note);
}

/* ------------------------------------------------------------------ operator and demo */

static enum err by_operator_socket(struct call *call, struct ctx *cx)
{
    struct str slug = http_header_get(&call->exchange->request, "x-touchpoint-tenant");
    struct tenant_row tenant;
    struct list tenants;
    bool found;

    cx->actor = (struct actor){.role = ROLE_OPERATOR};
    if (slug.ptr) {
        TRY(db_find(cx, &sql_auth_tenant, ARGS({"slug", v_text(slug)}), &tenant_row_record, &tenant,
                    &found));
        if (!found)
            return error_set(cx->error, ERR_NOT_FOUND, "There is no tenant of that name.");
    } else {
        TRY(db_all(cx, &sql_auth_tenants, NO_ARGS, &tenant_row_record, &tenants));
        if (tenants.count != 1) {
            if (call->entry->route->role == ROLE_OPERATOR)
                return OK;
            return error_fault(cx->error, "X-Touchpoint-Tenant", "required",
                               tenants.count == 0 ? "there is no tenant yet"
                                                  : "there are several tenants: name one");
        }
        tenant = *LIST_AT(tenants, struct tenant_row, 0);
    }
    cx->actor.tenant_id = tenant.id;
    cx->actor.timezone = tenant.timezone;
    return OK;
}

static enum err by_demo(struct call *call, struct ctx *cx)
{
    const struct app_options *options = &call->app->options;
    struct identity who;
    bool found;

    TRY(look_up(cx, &sql_auth_user, options->demo_tenant_id, options->demo_user_id, &who, &found));
    if (!found)
        return refuse(cx);
    become(cx, &who, UUID_NONE);
    return OK;
}

struct str auth_credential(const struct http_request *request)
{
    struct str authorization = http_header_get(request, "authorization");

    return authorization.ptr ? authorization : cookie(request, STR(LOGIN_COOKIE));
}

enum err auth_request(struct call *call, struct ctx *cx)
{
    const struct http_request *request = &call->exchange->request;
    struct str authorization = http_header_get(request, "authorization");
    struct str login;

    if (request->is_operator)
        return by_operator_socket(call, cx);
    if (authorization.ptr)
        return by_key(cx, authorization);
    login = cookie(request, STR(LOGIN_COOKIE));
    if (login.ptr)
        return by_cookie(call, cx, login);
    if (call->app->options.demo)
        return by_demo(call, cx);
    return refuse(cx);
}

/* Cuts "host:port" or "[::1]:port"; false when the port is no number. */
static bool host_split(struct str text, struct str *host, struct str *port)
{
    int64_t number;

    *port = STR_NULL;
    if (str_starts(text, STR("["))) {
        struct str behind = str_cut(text, ']', host);

        if (!behind.ptr)
            return false;
        *host = str_slice(*host, 1, host->len);
        if (behind.len == 0)
            return true;
        if (behind.ptr[0] != ':')
            return false;
        *port = str_slice(behind, 1, behind.len);
    } else {
        *port = str_cut(text, ':', host);
    }
    return !port->ptr || (str_to_int(*port, &number) && number > 0 && number < 65536);
}

static bool is_loopback(struct str host)
{
    return str_equal_nocase(host, STR("localhost")) || str_is(host, "127.0.0.1") ||
           str_is(host, "::1");
}

bool auth_demo_safe(const struct http_request *request)
{
    struct str origin = http_header_get(request, "origin");
    struct str host, port, origin_name, origin_port;

    if (!host_split(request->host, &host, &port) || !is_loopback(host))
        return false;
    if (str_equal_nocase(http_header_get(request, "sec-fetch-site"), STR("cross-site")))
        return false;
    if (!origin.ptr)
        return true;
    /* The browser connected to the Host's port: a page of another port is another program. */
    return host_split(origin_host(origin), &origin_name, &origin_port) &&
           is_loopback(origin_name) && str_equal(origin_port, port);
}
