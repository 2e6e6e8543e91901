/* touchpoint serve: the store, the routes and the network, put together. */
#include "app/demo/demo.h"
#include "app/routes.h"
#include "base/log.h"
#include "cli/audit_key.h"
#include "cli/client.h"
#include "cli/command.h"
#include "live/socketio.h"
#include "work/live_store.h"
#include "work/schedule.h"
#include "work/sealer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROXIES_MAX 16

struct serving {
    struct store_options store;
    struct exec *exec;
    struct app *app;
    struct http_server *server;
    struct schedule *schedule;
    struct sealer *sealer;
    struct live_store *live;
    struct socketio *socketio;
    char *url;
    uint8_t audit_key[AUDIT_SECRET_KEY_BYTES];
    char address[128];
    char socket_path[128];
    int port;
    long rate, connections, head_seconds, body_seconds, idle_seconds;
    struct str proxies[PROXIES_MAX];
    size_t proxy_count;
};

static struct http_server *stopping;

static void on_signal(int number)
{
    (void)number;
    http_server_stop(stopping);
}

/* There is no loop left to stop, and soon no server. */
static void ignore_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGTERM, &ignore, NULL);
    sigaction(SIGINT, &ignore, NULL);
}

static void handle_signals(struct http_server *server)
{
    struct sigaction stop = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    stopping = server;
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* "127.0.0.1:8081", "[::1]:0", ":8081". */
static bool parse_listen(const char *text, struct serving *serving)
{
    const char *colon = strrchr(text, ':');
    struct str address = colon == NULL ? STR_NULL : (struct str){text, (size_t)(colon - text)};
    int64_t port = 0;

    if (colon == NULL || !str_to_int(str_of(colon + 1), &port) || port < 0 || port > 65535) {
        fprintf(stderr, "touchpoint: --listen must be ADDRESS:PORT\n");
        return false;
    }
    if (str_starts(address, STR("[")) && str_ends(address, STR("]")))
        address = str_slice(address, 1, address.len - 1);
    if (address.len == 0)
        address = STR("0.0.0.0");
    if (address.len >= sizeof serving->address) {
        fprintf(stderr, "touchpoint: --listen: the address is too long\n");
        return false;
    }
    snprintf(serving->address, sizeof serving->address, "%.*s", STR_FMT(address));
    serving->port = (int)port;
    return true;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "localhost") == 0;
}

static bool parse_proxies(const char *text, struct serving *serving)
{
    struct str rest = str_of(text);

    while (rest.ptr != NULL) {
        struct str one;

        rest = str_cut(rest, ',', &one);
        if (serving->proxy_count == PROXIES_MAX) {
            fprintf(stderr, "touchpoint: --trust-proxy: at most %d addresses\n", PROXIES_MAX);
            return false;
        }
        serving->proxies[serving->proxy_count++] = str_trim(one);
    }
    return true;
}

static bool configure(const struct options *options, struct serving *serving)
{
    long db_connections = 0, queue = 0;

    if (!store_options_from(options, &serving->store, &serving->url) ||
        !parse_listen(option_text(options, "listen"), serving) ||
        !parse_proxies(option_text(options, "trust-proxy"), serving) ||
        !option_number(options, "db-connections", 1, 200, &db_connections) ||
        !option_number(options, "queue", 1, 1000000, &queue) ||
        !option_number(options, "rate", 0, 1000000, &serving->rate) ||
        !option_number(options, "connections", 1, 1000000, &serving->connections) ||
        !option_number(options, "head-seconds", 1, 3600, &serving->head_seconds) ||
        !option_number(options, "body-seconds", 1, 3600, &serving->body_seconds) ||
        !option_number(options, "idle-seconds", 1, 86400, &serving->idle_seconds))
        return false;
    serving->store.listen_url = option_text(options, "db-listen");
    serving->store.connections = (int)db_connections;
    serving->store.queue_max = (size_t)queue;
    if (option_switch(options, "demo") && !is_loopback(serving->address)) {
        fprintf(stderr, "touchpoint: --demo listens on loopback only\n");
        return false;
    }
    if ((option_text(options, "tls-certificate") == NULL) !=
        (option_text(options, "tls-key") == NULL)) {
        fprintf(stderr, "touchpoint: --tls-certificate and --tls-key go together\n");
        return false;
    }
    if (mkdir(serving->store.data_dir, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "touchpoint: %s: %s\n", serving->store.data_dir, strerror(errno));
        return false;
    }
    return audit_key_load(options, serving->audit_key) &&
           admin_socket_path(serving->store.data_dir, serving->socket_path,
                             sizeof serving->socket_path);
}

/* Every connection is a file: all that the system lets this process have, for its usual 1,024
 * are few. */
static void raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool post(void *server, void (*fn)(void *), void *context)
{
    return http_server_post(server, fn, context);
}

static void every(void *server, int seconds, void (*fn)(void *), void *context)
{
    http_server_every(server, seconds, fn, context);
}

static void tick_socketio(void *socketio)
{
    socketio_tick(socketio, time_monotonic_us() / 1000);
}

/* Nothing may be answered any more, not even on the way out. The reason is in the log. */
static void end_at_once(const char *reason)
{
    (void)reason;
    _exit(EXIT_FAILED);
}

static enum err start(const struct options *options, struct serving *serving, struct error *error)
{
    struct app_options app = {.resources = app_resources,
                              .resource_count = app_resource_count,
                              .demo = option_switch(options, "demo"),
                              .access_log = !option_switch(options, "quiet"),
                              .public_url = option_text(options, "public-url"),
                              .audit_key = serving->audit_key,
                              .rate_per_second = serving->rate};
    struct http_options http = {
        .address = serving->address,
        .port = serving->port,
        .admin_socket = serving->socket_path,
        .tls = {option_text(options, "tls-certificate"), option_text(options, "tls-key")},
        .trusted_proxies = serving->proxies,
        .trusted_proxy_count = serving->proxy_count,
        .connections_max = (size_t)serving->connections,
        .head_seconds = (int)serving->head_seconds,
        .body_seconds = (int)serving->body_seconds,
        .idle_seconds = (int)serving->idle_seconds,
        .body_max = app_body_max,
        .handle = app_handle,
        .refuse = app_refuse,
        .finished = app_finished,
    };

    serving->store.broken = end_at_once;
    raise_file_limit();
    TRY(exec_open(&serving->store, &serving->exec, error));
    serving->sealer = sealer_new(serving->exec);
    serving->live = live_store_new(serving->exec);
    if (serving->sealer == NULL || serving->live == NULL)
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    app.hub = live_store_hub(serving->live);
    serving->socketio = socketio_new(app.hub, time_monotonic_us() / 1000);
    if (serving->socketio == NULL)
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    app.socketio = serving->socketio;
    app.exec = serving->exec;
    if (app.demo)
        TRY(demo_load(serving->exec, &app.demo_tenant_id, &app.demo_user_id, error));
    live_store_demo(serving->live, app.demo_tenant_id, app.demo_user_id);
    TRY(app_new(&app, &serving->app, error));
    http.context = serving->app;
    TRY(http_server_new(&http, &serving->server, &serving->port, error));
    app_set_server(serving->app, serving->server);
    serving->schedule = schedule_new(serving->exec);
    if (serving->schedule == NULL)
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    schedule_start(serving->schedule, every, serving->server);
    sealer_start(serving->sealer, every, serving->server);
    http_server_every(serving->server, 1, tick_socketio, serving->socketio);
    live_store_start(serving->live, &(struct live_loop){serving->server, post, every});
    return OK;
}

static int serve(const struct options *options)
{
    struct serving serving = {0};
    struct error error = {0};
    int status = EXIT_FAILED;

    if (!configure(options, &serving)) {
        status = EXIT_USAGE;
        goto out;
    }
    if (start(options, &serving, &error) != OK) {
        fprintf(stderr, "touchpoint: %s\n", error.detail);
        goto out;
    }
    handle_signals(serving.server);
    printf("listening on %s://%s%s%s:%d\n",
           option_text(options, "tls-certificate") != NULL ? "https" : "http",
           strchr(serving.address, ':') != NULL ? "[" : "", serving.address,
           strchr(serving.address, ':') != NULL ? "]" : "", serving.port);
    fflush(stdout);
    if (http_server_run(serving.server) == OK)
        status = EXIT_FINE;
    ignore_signals();
out:
    schedule_stop(serving.schedule);
    live_store_stop(serving.live);
    /* The store finishes what it has taken before the server it answers to is gone. */
    if (serving.exec != NULL)
        exec_close(serving.exec);
    schedule_free(serving.schedule);
    sealer_free(serving.sealer);
    http_server_free(serving.server);
    app_free(serving.app);
    socketio_free(serving.socketio);
    live_store_free(serving.live);
    explicit_bzero(serving.audit_key, sizeof serving.audit_key);
    free(serving.url);
    return status;
}

#define TEXT_OF(macro) TEXT_OF_VALUE(macro)
#define TEXT_OF_VALUE(value) #value

static const struct option serve_options[] = {
    {"listen", "ADDRESS:PORT", "127.0.0.1:8081", "where to listen; port 0 picks a free one"},
    {"demo", NULL, NULL, "a tenant with invented data; no sign-in; loopback only"},
    STORE_OPTIONS,
    OPTION_DB_LISTEN,
    OPTION_AUDIT_KEY,
    {"db-connections", "N", "16", "connections to PostgreSQL"},
    {"tls-certificate", "FILE", NULL, "PEM, with its chain; then only TLS is spoken"},
    {"tls-key", "FILE", NULL, "PEM, its private key"},
    {"trust-proxy", "ADDRESSES", NULL, "whose X-Forwarded-* are believed, comma-separated"},
    {"public-url", "URL", NULL, "how the world reaches this server, for links"},
    {"rate", "N", "1000", "requests a second of one credential, past it 429; 0 for no limit"},
    {"connections", "N", TEXT_OF(CONNECTIONS_MAX), "clients connected at once, past it 503"},
    {"queue", "N", TEXT_OF(STORE_QUEUE_MAX), "requests that wait for the store, past it 503"},
    {"head-seconds", "N", TEXT_OF(HEAD_SECONDS), "for the head of a request to arrive"},
    {"body-seconds", "N", TEXT_OF(BODY_SECONDS), "for its body; large ones have longer"},
    {"idle-seconds", "N", TEXT_OF(IDLE_SECONDS), "a connection is kept between requests"},
    {"quiet", NULL, NULL, "no log line per request"},
};

const struct command command_serve = {
    "serve", "", "run the server", serve_options, COUNT_OF(serve_options), 0, 0, serve};
