/* The program between the network and the resources: routes requests, runs them on the
 * store, and answers. One of it in a process; `main.c` and the commands make it. */
#ifndef HTTP_APP_H
#define HTTP_APP_H

#include "http/route.h"

struct socketio;

/* Demo mode: a caller without credentials is this tenant's admin, on loopback only; a Host
 * that is not loopback or a foreign Origin is refused (SPEC.md §2). */
struct hub;
struct app_options {
    const struct resource *const *resources; /* app/routes.c */
    size_t resource_count;
    struct exec *exec;
    bool demo;
    struct uuid demo_tenant_id, demo_user_id;
    const char *public_url; /* for links, or NULL */
    /* Signs checkpoints (app/timeline/audit.h): AUDIT_SECRET_KEY_BYTES, or NULL. Outlives the
     * app. */
    const uint8_t *audit_key;
    struct hub *hub;           /* live/hub.h: what streams listen to, or NULL */
    struct socketio *socketio; /* live/socketio.h: what /socket.io/ hands requests to, or NULL */
    long rate_per_second;      /* requests of one credential; 0: no limit */
    bool access_log;           /* a log line per answer: never a query string, never a body */
};

struct app;

/* Builds the router. A table that is wrong (no role, twice the same path, a record that
 * record_fault() finds fault with) is ERR_INTERNAL with the reason in words. */
enum err app_new(const struct app_options *options, struct app **out, struct error *error);
void app_free(struct app *app);

/* The server's callbacks: pass `app` as their context. */
size_t app_body_max(void *app, enum http_method method, struct str path);
void app_handle(void *app, struct http_exchange *exchange);
void app_refuse(void *app, struct http_exchange *exchange, int status, const char *detail);
void app_finished(void *app, const struct http_exchange *exchange, size_t bytes_sent);
/* For /readyz and /metrics; may stay unset for commands. */
void app_set_server(struct app *app, struct http_server *server);

/* One request without a network, answered before it returns: what a command does when no
 * server holds the data folder. Runs as the operator, for the tenant of that slug (NULL:
 * none named; where there is one tenant, that one). The answer is in `arena`. */
struct app_answer {
    int status;
    struct str body;
    struct str link; /* the header of that name; ptr NULL without one */
};
enum err app_call(struct app *app, struct arena *arena, enum http_method method, const char *target,
                  const char *tenant_slug, struct str body, struct app_answer *out);

struct exec *app_exec(struct app *app);
const struct app_options *app_settings(const struct app *app);

#endif
