#include "http/metrics.h"

#include "http/dispatch.h"
#include "live/hub.h"

#define METRICS_MAX MIB(4)

const int64_t latency_bounds_us[LATENCY_BOUNDS] = {100,   250,   500,    1000,   2500,    5000,
                                                   10000, 25000, 100000, 250000, 1000000, 5000000};

static void add(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static int64_t get(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_count(struct route_metrics *metrics, int status, int64_t duration_us)
{
    size_t bucket = 0;

    while (bucket < LATENCY_BOUNDS && duration_us > latency_bounds_us[bucket])
        bucket++;
    if (status >= 100 && status < 600)
        add(&metrics->by_class[status / 100 - 1], 1);
    add(&metrics->buckets[bucket], 1);
    add(&metrics->sum_us, duration_us);
}

struct labels {
    const char *method;
    struct str route;
};

static void put_requests(struct buf *out, const struct route_metrics *metrics,
                         const struct labels *labels)
{
    for (int i = 0; i < 5; i++) {
        int64_t count = get(&metrics->by_class[i]);

        if (count > 0)
            buf_addf(out,
                     "touchpoint_requests_total{method=\"%s\",route=\"%.*s\",status=\"%dxx\"} "
                     "%lld\n",
                     labels->method, STR_FMT(labels->route), i + 1, (long long)count);
    }
}

static void put_latency(struct buf *out, const struct route_metrics *metrics,
                        const struct labels *labels)
{
    int64_t count = 0;

    for (size_t i = 0; i <= LATENCY_BOUNDS; i++)
        count += get(&metrics->buckets[i]);
    if (count == 0)
        return;
    count = 0;
    for (size_t i = 0; i <= LATENCY_BOUNDS; i++) {
        count += get(&metrics->buckets[i]);
        buf_addf(out, "touchpoint_request_seconds_bucket{method=\"%s\",route=\"%.*s\",le=\"",
                 labels->method, STR_FMT(labels->route));
        if (i < LATENCY_BOUNDS)
            buf_addf(out, "%g", (double)latency_bounds_us[i] / 1e6);
        else
            buf_add(out, STR("+Inf"));
        buf_addf(out, "\"} %lld\n", (long long)count);
    }
    buf_addf(out, "touchpoint_request_seconds_sum{method=\"%s\",route=\"%.*s\"} %.6f\n",
             labels->method, STR_FMT(labels->route), (double)get(&metrics->sum_us) / 1e6);
    buf_addf(out, "touchpoint_request_seconds_count{method=\"%s\",route=\"%.*s\"} %lld\n",
             labels->method, STR_FMT(labels->route), (long long)count);
}

static void put_routes(struct buf *out, const struct app *app,
                       void (*put)(struct buf *out, const struct route_metrics *metrics,
                                   const struct labels *labels))
{
    size_t count;
    const struct route_entry *entries = router_entries(app->router, &count);

    for (size_t i = 0; i < count; i++)
        put(out, &entries[i].metrics,
            &(struct labels){method_name(entries[i].route->method), entries[i].path});
    put(out, &app->unmatched, &(struct labels){"", STR("none")});
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buf *out, const char *name, const char *type, const char *help,
                   int64_t value)
{
    head(out, name, type, help);
    buf_addf(out, "%s %lld\n", name, (long long)value);
}

static void put_server(struct buf *out, const struct http_stats *stats)
{
    single(out, "touchpoint_connections_open", "gauge", "Client connections that are open.",
           get(&stats->connections_open));
    single(out, "touchpoint_connections_accepted_total", "counter", "Connections accepted.",
           get(&stats->connections_accepted));
    single(out, "touchpoint_connections_refused_total", "counter", "Connections over the limit.",
           get(&stats->connections_refused));
    single(out, "touchpoint_http_requests_total", "counter", "Requests read whole.",
           get(&stats->requests));
    single(out, "touchpoint_http_refused_total", "counter", "Requests refused below the router.",
           get(&stats->refused_requests));
    single(out, "touchpoint_http_timeouts_total", "counter", "Deadlines that passed.",
           get(&stats->timeouts));
    single(out, "touchpoint_streams_open", "gauge", "Clients that are streamed to.",
           get(&stats->streams_open));
    single(out, "touchpoint_streams_cut_total", "counter", "Streams cut: read too slowly.",
           get(&stats->streams_cut));
    single(out, "touchpoint_http_in_bytes_total", "counter", "Bytes read.", get(&stats->bytes_in));
    single(out, "touchpoint_http_out_bytes_total", "counter", "Bytes written.",
           get(&stats->bytes_out));
}

static void put_hub(struct buf *out, const struct hub *hub)
{
    struct hub_stats stats;

    hub_stats(hub, &stats);
    single(out, "touchpoint_listeners", "gauge", "Clients that listen to events.", stats.listeners);
    single(out, "touchpoint_subscriptions", "gauge", "What they are subscribed to.",
           stats.subscriptions);
    single(out, "touchpoint_events_sent_total", "counter", "Events sent, to each listener.",
           stats.events_sent);
    single(out, "touchpoint_listeners_cut_total", "counter",
           "Listeners lost while something was sent to them.", stats.cut);
    single(out, "touchpoint_resyncs_total", "counter",
           "Subscriptions told to read the timeline again.", stats.resyncs);
}

static void put_store(struct buf *out, struct exec *exec)
{
    static const char *const kinds[] = {NULL, "none", "read", "report", "write"};
    struct exec_stats stats = {0};

    exec_stats(exec, &stats);
    head(out, "touchpoint_store_jobs_total", "counter", "Jobs done by the store's threads.");
    for (size_t i = TX_NONE; i <= TX_WRITE; i++)
        buf_addf(out, "touchpoint_store_jobs_total{transaction=\"%s\"} %lld\n", kinds[i],
                 (long long)stats.jobs[i]);
    single(out, "touchpoint_store_commits_total", "counter", "Commits of writes.", stats.commits);
    single(out, "touchpoint_store_committed_jobs_total", "counter",
           "Write jobs in those commits: how well commits are shared.", stats.batch_jobs);
    single(out, "touchpoint_store_reruns_total", "counter", "Transactions run again.",
           stats.reruns);
    single(out, "touchpoint_store_refused_total", "counter", "Jobs refused by a full queue.",
           stats.refused);
    single(out, "touchpoint_store_failed_total", "counter", "Jobs that failed.", stats.failed);
    single(out, "touchpoint_store_queued", "gauge", "Jobs that wait.", stats.queued);
    single(out, "touchpoint_store_ready", "gauge", "1 when the store takes writes.", stats.ready);
}

enum err metrics_reply(struct req *rq)
{
    struct app *app = rq->app;
    struct buf out;

    buf_init(&out, rq->cx.arena, METRICS_MAX);
    head(&out, "touchpoint_requests_total", "counter", "Requests answered, by route.");
    put_routes(&out, app, put_requests);
    head(&out, "touchpoint_request_seconds", "histogram",
         "From a request read whole to its answer sent.");
    put_routes(&out, app, put_latency);
    if (app->server)
        put_server(&out, http_server_stats(app->server));
    if (app->options.hub)
        put_hub(&out, app->options.hub);
    put_store(&out, app->options.exec);
    if (buf_failed(&out))
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The answer is larger than is sent.");
    return reply_text(rq, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out));
}
