#include "http/builtin.h"

#include "http/dispatch.h"
#include "http/docs.h"
#include "http/metrics.h"

/* The process answers. */
static enum err live(struct req *rq)
{
    return reply_text(rq, 200, "text/plain; charset=utf-8", STR("ok\n"));
}

/* It can do its work, and means to go on. */
static enum err ready(struct req *rq)
{
    struct exec_stats stats = {0};

    exec_stats(rq->app->options.exec, &stats);
    if (!stats.ready)
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "The store is not ready.");
    if (rq->app->server && http_server_draining(rq->app->server))
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "The server is going down.");
    return reply_text(rq, 200, "text/plain; charset=utf-8", STR("ready\n"));
}

static enum err openapi(struct req *rq)
{
    return reply_text(rq, 200, "application/json", buf_str(&rq->app->openapi));
}

static enum err docs(struct req *rq)
{
    http_header_add(rq->exchange, "Content-Security-Policy",
                    STR("default-src 'none'; style-src 'self'; base-uri 'none'; "
                        "form-action 'none'; frame-ancestors 'none'"));
    http_header_add(rq->exchange, "Referrer-Policy", STR("no-referrer"));
    return reply_text(rq, 200, "text/html; charset=utf-8", buf_str(&rq->app->docs));
}

static enum err docs_style(struct req *rq)
{
    return reply_text(rq, 200, "text/css; charset=utf-8", str_of(docs_css));
}

#define TEXT "text/plain; charset=utf-8"
#define ROOT (ROUTE_ROOT | ROUTE_INLINE)

static const struct route routes[] = {
    {HTTP_GET, "/healthz", ROLE_PUBLIC, TX_NONE, live, "Whether the process answers", ANSWER_OTHER,
     .flags = ROOT, .other_answer = TEXT},
    {HTTP_GET, "/readyz", ROLE_PUBLIC, TX_NONE, ready, "Whether the store takes work", ANSWER_OTHER,
     .flags = ROOT, .other_answer = TEXT},
    {HTTP_GET, "/metrics", ROLE_PUBLIC, TX_NONE, metrics_reply, "Counters, for Prometheus",
     ANSWER_OTHER, .flags = ROOT, .other_answer = "text/plain; version=0.0.4; charset=utf-8"},
    {HTTP_GET, "/openapi.json", ROLE_PUBLIC, TX_NONE, openapi, "This API, as OpenAPI 3.1",
     ANSWER_OTHER, .flags = ROOT, .other_answer = "application/json",
     .other_schema = "{\"type\":\"object\"}"},
    {HTTP_GET, "/docs", ROLE_PUBLIC, TX_NONE, docs, "This API, for people", ANSWER_OTHER,
     .flags = ROOT, .other_answer = "text/html; charset=utf-8"},
    {HTTP_GET, "/docs.css", ROLE_PUBLIC, TX_NONE, docs_style, "The style of /docs", ANSWER_OTHER,
     .flags = ROOT, .other_answer = "text/css; charset=utf-8"},
};

static const char *const mounts[] = {""};

const struct resource builtin_resource = {"server", mounts, COUNT_OF(mounts), routes,
                                          COUNT_OF(routes)};
