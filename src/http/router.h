/* Which route a request is for: a tree of path segments, made once from the tables. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/metrics.h"
#include "http/route.h"

#define API_ROOT "/api/v1"

struct node;

/* A route where it stands: the same table row mounted twice makes two of these. */
struct route_entry {
    const struct resource *resource;
    const char *mount;
    const struct route *route;
    struct str path; /* "/api/v1/customers/{id}" */
    struct str param_names[PATH_PARAMS_MAX];
    size_t param_count;
    bool has_child; /* GET path + "/{…}" is a route too: where a created record is found */
    const struct node *node; /* router.c's own */
    uint32_t list_tag;       /* marks its cursors; the same for every mount of the row */
    struct route_metrics metrics;
};

struct router;

/* ERR_INTERNAL when a table is wrong, with the reason in words. The tables must outlive it. */
enum err router_new(const struct resource *const *resources, size_t count, struct router **out,
                    struct error *error);
void router_free(struct router *router);

struct match {
    struct route_entry *entry;
    struct str params[PATH_PARAMS_MAX];
    unsigned allowed; /* methods that the path takes, 1 << enum http_method each */
};

/* OK; ERR_NOT_FOUND; ERR_METHOD (`allowed` says which there are); ERR_MALFORMED for broken
 * percent-encoding, NUL and what is not UTF-8. `space` takes what is decoded: path.len
 * bytes, or NULL when the path has no '%'. A "%2F" is a slash inside its segment. */
enum err router_match(const struct router *router, enum http_method method, struct str path,
                      char *space, struct match *out);

/* "GET, HEAD, POST, OPTIONS" for a set of methods; `out` takes ALLOW_MAX bytes. */
#define ALLOW_MAX 64
size_t router_allow(unsigned allowed, char out[ALLOW_MAX]);

const char *method_name(enum http_method method);

/* All entries in the order of their tables. */
struct route_entry *router_entries(const struct router *router, size_t *count);

#endif
