#include "http/auth.h"

#include "http/auth_sql.h"
#include "http/dispatch.h"

#include <stdlib.h>

struct tenant_row {
    struct uuid id;
    struct str timezone;
};

static const struct field tenant_row_fields[] = {
    FIELD(tenant_row, id, F_UUID, 0),
    FIELD(tenant_row, timezone, F_TEXT, 0),
};
static const struct record tenant_row_record = RECORD(tenant_row, tenant_row_fields);

static enum err by_bearer(struct ctx *cx, struct str authorization)
{
    struct str scheme;
    struct str text = str_cut(authorization, ' ', &scheme);

    /* A ticket opens a stream, and by its URL only. */
    if (!text.ptr || !str_equal_nocase(scheme, STR("bearer")) ||
        credential_is_ticket(str_trim(text)))
        return caller_refuse(cx);
    return caller_by_text(cx, str_trim(text));
}

/* As it stands in the query: its characters need no escape. */
static struct str ticket_of(struct call *call)
{
    struct str rest = call->exchange->request.query, pair, name;

    if (!(call->entry->route->flags & ROUTE_STREAM))
        return STR_NULL;
    while (rest.ptr) {
        rest = str_cut(rest, '&', &pair);
        struct str value = str_cut(pair, '=', &name);

        if (value.ptr && str_is(name, "ticket"))
            return value;
    }
    return STR_NULL;
}

static enum err by_ticket(struct call *call, struct ctx *cx, struct str ticket)
{
    TRY(credential_is_ticket(ticket) ? caller_by_text(cx, ticket) : caller_refuse(cx));
    /* A ticket of the demo, and the server runs without it now. */
    if (cx->actor.credential_kind == CREDENTIAL_DEMO && !call->app->options.demo)
        return caller_refuse(cx);
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

static bool is_own_origin(const struct http_request *request, struct str origin)
{
    return str_equal_nocase(origin_host(origin), request->host);
}

/* Other pages can open a WebSocket and read from it, so whose page it is decides, not what it
 * knows. To an EventSource of the server's own page browsers give no Origin, but they do say
 * that it is of the same one, which no page can say by itself. */
static bool is_own_page(const struct http_request *request)
{
    struct str origin = http_header_get(request, "origin");

    return origin.ptr ? is_own_origin(request, origin)
                      : str_is(http_header_get(request, "sec-fetch-site"), "same-origin");
}

static enum err check_csrf(struct call *call, struct ctx *cx, struct str csrf_hash)
{
    const struct http_request *request = &call->exchange->request;
    struct str origin = http_header_get(request, "origin");

    if ((call->entry->route->flags & ROUTE_STREAM) && !is_own_page(request))
        return error_set(cx->error, ERR_FORBIDDEN,
                         "With a cookie, a stream is for this server's own pages.");
    if (request->method == HTTP_GET || request->method == HTTP_HEAD ||
        (call->entry->route->flags & ROUTE_NO_CSRF))
        return OK;
    if (origin.ptr && !is_own_origin(request, origin))
        return error_set(cx->error, ERR_FORBIDDEN, "The request comes from another origin.");
    if (!secret_matches(http_header_get(request, "x-csrf-token"), csrf_hash))
        return error_set(cx->error, ERR_FORBIDDEN,
                         "The X-CSRF-Token of this sign-in is missing or wrong.");
    return OK;
}

static enum err by_cookie(struct call *call, struct ctx *cx, struct str text)
{
    struct caller_login login;

    TRY(caller_by_cookie(cx, text, &login));
    TRY(check_csrf(call, cx, login.csrf_hash));
    call->login_seen = login.seen_us <= cx->now_us - LOGIN_SEEN_US;
    call->use = (struct credential_use){cx->actor.tenant_id, cx->actor.credential_id,
                                        cx->actor.credential_expires_us};
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

    cx->actor = (struct actor){.role = ROLE_OPERATOR, .credential_kind = CREDENTIAL_OPERATOR};
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

struct str auth_credential(const struct http_request *request)
{
    struct str authorization = http_header_get(request, "authorization");

    return authorization.ptr ? authorization : cookie(request, STR(LOGIN_COOKIE));
}

struct str auth_handshake(const struct http_request *request, struct str ticket,
                          struct arena *arena)
{
    struct str authorization = http_header_get(request, "authorization"), scheme, text;
    struct buf buf;

    if (authorization.ptr) {
        text = str_trim(str_cut(authorization, ' ', &scheme));
        return str_equal_nocase(scheme, STR("bearer")) && !credential_is_ticket(text) ? text
                                                                                      : STR_NULL;
    }
    if (ticket.ptr)
        return credential_is_ticket(ticket) ? ticket : STR_NULL;
    text = cookie(request, STR(LOGIN_COOKIE));
    if (!text.ptr)
        return STR("");
    buf_init(&buf, arena, KIB(16));
    buf_addf(&buf, "cookie:%.*s", STR_FMT(text));
    return is_own_page(request) && !buf_failed(&buf) ? buf_str(&buf) : STR_NULL;
}

enum err auth_request(struct call *call, struct ctx *cx)
{
    const struct http_request *request = &call->exchange->request;
    const struct app_options *options = &call->app->options;
    struct str authorization = http_header_get(request, "authorization");
    struct str ticket, login;

    if (request->is_operator)
        return by_operator_socket(call, cx);
    if (authorization.ptr)
        return by_bearer(cx, authorization);
    ticket = ticket_of(call);
    if (ticket.ptr)
        return by_ticket(call, cx, ticket);
    login = cookie(request, STR(LOGIN_COOKIE));
    if (login.ptr)
        return by_cookie(call, cx, login);
    if (options->demo)
        return caller_by_demo(cx, options->demo_tenant_id, options->demo_user_id);
    return caller_refuse(cx);
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
