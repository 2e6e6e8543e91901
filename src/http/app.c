#include "http/app.h"

#include "base/log.h"
#include "http/builtin.h"
#include "http/dispatch.h"
#include "http/docs.h"
#include "http/openapi.h"
#include "http/problem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the answer leaves */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
};

static void release(struct http_exchange *exchange, struct waiter *waiter)
{
    if (!waiter) {
        http_respond(exchange);
        return;
    }
    pthread_mutex_lock(&waiter->lock);
    waiter->is_finished = true;
    pthread_cond_signal(&waiter->finished);
    pthread_mutex_unlock(&waiter->lock);
}

/* The fate is known: after this the call is not ours any more. */
static void finish(struct call *call)
{
    idempotency_leave(call);
    if (call->login_seen)
        auth_note_use(call->app->options.exec, &call->use);
    release(call->exchange, call->waiter);
}

static void fail(struct call *call, enum err code, const char *detail)
{
    struct error error;

    error_clear(&error);
    if (detail)
        error_set(&error, code, "%s", detail);
    problem_respond(call->exchange, code, &error);
    call->problem = code;
    finish(call);
}

/* ------------------------------------------------------------------ on a store thread */

static enum err authenticate_in(void *context, struct db *db, struct id_source *ids)
{
    struct call *call = context;
    struct ctx cx = call->rq.cx;
    enum err err;

    cx.db = db;
    cx.ids = ids;
    error_clear(cx.error);
    err = auth_request(call, &cx);
    call->rq.cx.actor = cx.actor;
    return err;
}

static enum err authenticate(struct call *call)
{
    const struct route *route = call->entry->route;
    struct ctx *cx = &call->rq.cx;

    if (route->role == ROLE_PUBLIC)
        return OK;
    if (route->tx == TX_NONE)
        TRY(exec_transaction(call->app->options.exec, TX_READ, authenticate_in, call));
    else
        TRY(auth_request(call, cx));
    call->tenant_id = cx->actor.tenant_id;
    if (cx->actor.role < route->role)
        return error_set(cx->error, ERR_FORBIDDEN, "This needs the role %s or more.",
                         role_name(route->role));
    return OK;
}

/* What decoding found, and what the route's own rules find in what was decoded. */
static enum err check_input(struct call *call)
{
    struct req *rq = &call->rq;
    const struct route *route = call->entry->route;

    if (call->input != OK && call->input_error)
        *rq->cx.error = *call->input_error;
    if (call->input != OK && call->input != ERR_INVALID)
        return call->input;
    decode_reset(call);
    if (route->check && rq->body)
        route->check(rq);
    return call->input == OK && rq->cx.error->fault_count > 0 ? ERR_INVALID : call->input;
}

static enum err run_steps(struct call *call)
{
    struct req *rq = &call->rq;
    bool replayed;

    if (!call->is_decoded)
        decode_request(call);
    TRY(authenticate(call));
    TRY(check_input(call));
    TRY(idempotency_begin(call, &replayed));
    if (replayed)
        return OK;
    TRY(call->entry->route->handle(rq));
    if (call->entry->route->flags & ROUTE_HELD)
        return OK;
    if (call->exchange->response.status == 0)
        return error_set(rq->cx.error, ERR_INTERNAL, "The handler gave no answer.");
    return idempotency_store(call);
}

/* May run again: everything that a run changes is set anew here, and what the one before it
 * allocated is given back, so that a large request does not run out of memory by reruns. */
static enum err run(struct call *call, struct db *db, struct id_source *ids)
{
    struct http_exchange *exchange = call->exchange;
    struct error error;
    enum err err;

    error_clear(&error);
    if (call->is_decoded)
        arena_release(exchange->arena, call->decoded_mark);
    response_begin(exchange);
    call->problem = OK;
    call->login_seen = false;
    call->idempotency.body_without_secrets = STR_NULL;
    call->rq.cx = (struct ctx){
        .db = db, .arena = exchange->arena, .error = &error, .now_us = time_now_us(), .ids = ids};
    err = run_steps(call);
    call->rq.cx.error = NULL;
    if (err == OK || err == ERR_RERUN)
        return err;
    if (arena_exhausted(exchange->arena) && err != ERR_UNAVAILABLE)
        err = ERR_TOO_LARGE;
    if (err == ERR_INTERNAL)
        LOG(ERROR, "request failed inside", LOG_TEXT("request_id", exchange->request_id),
            LOG_TEXT("route", call->entry->path), LOG_TEXT("reason", str_of(error.detail)));
    problem_respond(exchange, err, &error);
    if (err == ERR_METHOD) /* the router let it pass: a HEAD that cannot be answered as the GET */
        http_header_add(exchange, "Allow", STR("GET, OPTIONS"));
    call->problem = err;
    return err;
}

static enum err run_job(struct job *job, struct db *db, struct id_source *ids)
{
    return run((struct call *)job, db, ids);
}

static void job_done(struct job *job, enum err result)
{
    struct call *call = (struct call *)job;

    if (result == call->problem)
        finish(call);
    else
        fail(call, result == OK ? ERR_INTERNAL : result, job->why);
}

/* ------------------------------------------------------------------ on the loop thread */

static struct uuid lane_of(const struct call *call)
{
    const struct route *route = call->entry->route;
    const struct field *field;
    struct uuid lane = UUID_NONE;

    if (!route->lane || route->tx != TX_WRITE)
        return lane;
    for (size_t i = 0; i < call->entry->param_count; i++) {
        if (str_is(call->entry->param_names[i], route->lane)) {
            uuid_parse(call->rq.path_params[i], &lane);
            return lane;
        }
    }
    field = call->body.fresh ? record_field(route->body, str_of(route->lane)) : NULL;
    if (field && field->type == F_UUID)
        memcpy(&lane, (const char *)call->body.fresh + field->offset, sizeof(lane));
    return lane;
}

static void submit(struct call *call)
{
    call->job = (struct job){
        .tx = call->entry->route->tx, .lane = lane_of(call), .run = run_job, .done = job_done};
    if (!exec_submit(call->app->options.exec, &call->job))
        fail(call, ERR_UNAVAILABLE, "Too much waits for the store; try again soon.");
}

static enum err decode_job(struct job *job, struct db *db, struct id_source *ids)
{
    (void)db;
    (void)ids;
    decode_request((struct call *)job);
    return OK;
}

static void decode_done(struct job *job, enum err result)
{
    struct call *call = (struct call *)job;

    if (result == OK)
        submit(call);
    else
        fail(call, result, NULL);
}

/* What is held is answered by a network's loop only, and no key makes it happen once. */
static void begin_held(struct call *call)
{
    enum err err;

    if (call->waiter) {
        fail(call, ERR_UNAVAILABLE, "This is answered to clients of the server only.");
        return;
    }
    err = run(call, NULL, NULL);
    if (err != OK)
        job_done(&call->job, err);
}

static void begin(struct call *call)
{
    const struct route *route = call->entry->route;
    struct error error;

    error_clear(&error);
    if (route->flags & ROUTE_HELD) {
        begin_held(call);
        return;
    }
    idempotency_enter(call, &error);
    if (error.code != OK)
        input_failed(call, error.code, &error);
    if (route->flags & ROUTE_INLINE) {
        job_done(&call->job, run(call, NULL, NULL));
        return;
    }
    if (call->exchange->request.body.len <= INLINE_BODY_MAX) {
        decode_request(call);
    } else if (route->tx != TX_NONE) {
        call->job = (struct job){.tx = TX_NONE, .run = decode_job, .done = decode_done};
        if (!exec_submit(call->app->options.exec, &call->job))
            fail(call, ERR_UNAVAILABLE, "Too much waits for the store; try again soon.");
        return;
    }
    submit(call);
}

/* False, and answered, when this caller asks too often. What the loop thread answers by itself
 * is not counted: it costs little, and probes must not fail for what others do. */
static bool within_rate(struct call *call)
{
    const struct http_request *request = &call->exchange->request;
    struct rate *rate = call->app->rate;
    struct error error;

    if (!rate || request->is_operator || (call->entry->route->flags & ROUTE_INLINE))
        return true;
    error_clear(&error);
    if (rate_take(rate, auth_credential(request), request->peer, call->exchange->received_us,
                  &error.retry_after_s))
        return true;
    error_set(&error, ERR_TOO_MANY, "This caller asks more often than is allowed; slow down.");
    problem_respond(call->exchange, ERR_TOO_MANY, &error);
    call->problem = ERR_TOO_MANY;
    finish(call);
    return false;
}

static void answer_methods(struct call *call, enum http_method method, unsigned allowed)
{
    struct http_exchange *exchange = call->exchange;
    char *allow = arena_alloc(exchange->arena, ALLOW_MAX);
    struct str text = {allow, allow ? router_allow(allowed, allow) : 0};

    if (method == HTTP_OPTIONS) {
        response_begin(exchange);
        exchange->response.status = 204;
    } else {
        problem_respond(exchange, ERR_METHOD, NULL);
        call->problem = ERR_METHOD;
    }
    http_header_add(exchange, "Allow", allow ? text : STR("OPTIONS"));
    finish(call);
}

static void dispatch(struct app *app, struct http_exchange *exchange, struct waiter *waiter)
{
    const struct http_request *request = &exchange->request;
    struct call *call = ARENA_NEW(exchange->arena, struct call);
    char *space = NULL;
    struct match match;
    enum err err;

    exchange->user = call;
    if (!call) {
        problem_respond(exchange, ERR_TOO_LARGE, NULL);
        release(exchange, waiter);
        return;
    }
    call->app = app;
    call->exchange = exchange;
    call->waiter = waiter;
    if (app->options.demo && !request->is_operator && !auth_demo_safe(request)) {
        fail(call, ERR_FORBIDDEN, "The demo answers this machine only, and no other page.");
        return;
    }
    if (memchr(request->path.ptr, '%', request->path.len))
        space = arena_alloc(exchange->arena, request->path.len);
    err = router_match(app->router, request->method, request->path, space, &match);
    if (err == ERR_METHOD) {
        answer_methods(call, request->method, match.allowed);
        return;
    }
    if (err != OK) {
        fail(call, err,
             err == ERR_NOT_FOUND ? "There is nothing at this path."
                                  : "The path is not percent-encoded UTF-8 without NUL.");
        return;
    }
    call->entry = match.entry;
    call->rq.route = match.entry->route;
    call->rq.resource = match.entry->resource;
    call->rq.mount = match.entry->mount;
    call->rq.exchange = exchange;
    call->rq.app = app;
    memcpy(call->rq.path_params, match.params, sizeof(match.params));
    if (within_rate(call))
        begin(call);
}

void app_handle(void *app, struct http_exchange *exchange)
{
    dispatch(app, exchange, NULL);
}

size_t app_body_max(void *context, enum http_method method, struct str path)
{
    const struct app *app = context;
    char space[TARGET_MAX];
    struct match match;

    if (path.len <= sizeof(space) && router_match(app->router, method, path, space, &match) == OK &&
        (match.entry->route->flags & ROUTE_ROWS))
        return BULK_BODY_MAX;
    return BODY_MAX;
}

void app_refuse(void *app, struct http_exchange *exchange, int status, const char *detail)
{
    (void)app;
    exchange->user = NULL;
    problem_respond_status(exchange, status, detail);
}

void app_finished(void *context, const struct http_exchange *exchange, size_t bytes_sent)
{
    struct app *app = context;
    const struct call *call = exchange->user;
    struct route_entry *entry = call ? call->entry : NULL;
    int64_t duration_us = time_monotonic_us() - exchange->received_us;
    char tenant[UUID_TEXT_LEN];
    bool has_tenant = call && !uuid_is_none(call->tenant_id);

    if (app->rate && call && !uuid_is_none(call->tenant_id) && !exchange->request.is_operator)
        rate_prove(app->rate, auth_credential(&exchange->request), exchange->received_us);
    metrics_count(entry ? &entry->metrics : &app->unmatched, exchange->response.status,
                  duration_us);
    if (!app->options.access_log)
        return;
    if (has_tenant)
        uuid_format(call->tenant_id, tenant);
    LOG(INFO, "request", LOG_TEXT("method", str_of(method_name(exchange->request.method))),
        LOG_TEXT("route", entry ? entry->path : STR("none")),
        LOG_INT("status", exchange->response.status), LOG_INT("duration_us", duration_us),
        LOG_INT("bytes", (int64_t)bytes_sent), LOG_TEXT("request_id", exchange->request_id),
        LOG_TEXT("tenant_id", has_tenant ? ((struct str){tenant, sizeof(tenant)}) : STR("")));
}

/* ------------------------------------------------------------------ without a network */

void app_run(struct app *app, struct http_exchange *exchange)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    dispatch(app, exchange, &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_finished)
        pthread_cond_wait(&waiter.finished, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    http_drop_stream(&exchange->response); /* there is no connection to become one */
    pthread_cond_destroy(&waiter.finished);
    pthread_mutex_destroy(&waiter.lock);
}

static bool fill_request(struct http_exchange *exchange, struct arena *arena,
                         enum http_method method, const char *target, const char *tenant_slug,
                         struct str body)
{
    struct http_request *request = &exchange->request;
    struct http_header *headers = ARENA_ARRAY(arena, 2, struct http_header);

    if (!headers)
        return false;
    if (body.len > 0)
        headers[request->header_count++] =
            (struct http_header){STR("content-type"), STR("application/json")};
    if (tenant_slug)
        headers[request->header_count++] =
            (struct http_header){STR("x-touchpoint-tenant"), str_of(tenant_slug)};
    request->headers = headers;
    request->method = method;
    request->target = str_of(target);
    request->query = str_cut(request->target, '?', &request->path);
    request->host = STR("localhost");
    request->body = body;
    request->peer = STR("");
    request->is_operator = true;
    exchange->arena = arena;
    exchange->request_id = STR("command");
    exchange->received_us = time_monotonic_us();
    return true;
}

enum err app_call(struct app *app, struct arena *arena, enum http_method method, const char *target,
                  const char *tenant_slug, struct str body, struct app_answer *out)
{
    struct http_exchange exchange = {0};

    *out = (struct app_answer){0};
    if (!fill_request(&exchange, arena, method, target, tenant_slug, body))
        return ERR_TOO_LARGE;
    app_run(app, &exchange);
    out->status = exchange.response.status;
    out->body = exchange.response.body;
    for (size_t i = 0; i < exchange.response.header_count; i++) {
        if (str_equal_nocase(exchange.response.headers[i].name, STR("Link")))
            out->link = exchange.response.headers[i].value;
    }
    return OK;
}

/* ------------------------------------------------------------------ making it */

enum err app_new(const struct app_options *options, struct app **out, struct error *error)
{
    struct app *app = calloc(1, sizeof(*app));
    enum err err;

    if (!app)
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    app->options = *options;
    running_init(&app->running);
    app->resources = calloc(options->resource_count + 1, sizeof(void *));
    if (!app->resources) {
        app_free(app);
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    }
    for (size_t i = 0; i < options->resource_count; i++)
        app->resources[i] = options->resources[i];
    app->resources[options->resource_count] = &builtin_resource;
    app->resource_count = options->resource_count + 1;
    err = router_new(app->resources, app->resource_count, &app->router, error);
    if (err == OK && options->rate_per_second > 0)
        err = rate_new(options->rate_per_second, &app->rate, error);
    if (err == OK)
        err = openapi_make(app->router, &app->openapi, error);
    if (err == OK)
        err = docs_make(app->router, &app->docs, error);
    if (err != OK) {
        app_free(app);
        return err;
    }
    *out = app;
    return OK;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    router_free(app->router);
    running_clear(&app->running);
    rate_free(app->rate);
    buf_clear(&app->openapi);
    buf_clear(&app->docs);
    free(app->resources);
    free(app);
}

void app_set_server(struct app *app, struct http_server *server)
{
    app->server = server;
}

struct exec *app_exec(struct app *app)
{
    return app->options.exec;
}

const struct app_options *app_settings(const struct app *app)
{
    return &app->options;
}
