#include "http/router.h"

#include <string.h>

#define ROUTER_MAX MIB(8)
#define SEGMENTS_MAX 16
#define METHODS HTTP_HEAD /* HEAD and OPTIONS have no routes of their own */

struct node {
    struct str literal;
    struct node *next;     /* of the same parent */
    struct node *children; /* literal ones */
    struct node *param;    /* the one that takes any segment */
    struct route_entry *entries[METHODS];
};

struct router {
    struct arena *arena;
    struct node root;
    struct route_entry *entries;
    size_t count;
};

struct segments {
    struct str at[SEGMENTS_MAX];
    size_t count;
};

static const char *const names[] = {"GET",    "POST", "PUT",     "PATCH",
                                    "DELETE", "HEAD", "OPTIONS", "OTHER"};

const char *method_name(enum http_method method)
{
    return names[method];
}

/* FNV-1a: stays the same over restarts and nodes, which cursors outlive. */
static uint32_t tag_of(uint32_t tag, const char *text)
{
    for (; *text; text++)
        tag = (tag ^ (uint8_t)*text) * UINT32_C(16777619);
    return tag;
}

/* ------------------------------------------------------------------ making it */

static const char *shape_fault(const struct route *route)
{
    bool takes_body =
        route->method == HTTP_POST || route->method == HTTP_PUT || route->method == HTTP_PATCH;

    if (route->method >= METHODS)
        return "its method cannot have a route";
    if (route->role <= ROLE_NONE || route->role > ROLE_OPERATOR)
        return "it names no role";
    if (route->tx <= TX_UNSET || route->tx > TX_WRITE)
        return "it names no transaction";
    if (!route->handle || !route->summary || route->answers == ANSWER_UNSET)
        return "it lacks a handler, a summary or the shape of its answer";
    if ((route->answers == ANSWER_RECORD || route->answers == ANSWER_CREATED ||
         route->answers == ANSWER_LIST || route->answers == ANSWER_EVENTS) &&
        !route->answer)
        return "it lacks the record of its answer";
    if (route->answers == ANSWER_OTHER && !route->other_answer)
        return "it lacks the media type of its answer";
    if (route->body && !takes_body)
        return "its method takes no body";
    if ((route->flags & (ROUTE_ROWS | ROUTE_PATCH | ROUTE_OPTIONAL_BODY)) && !route->body)
        return "it lacks the record of its body";
    if ((route->flags & ROUTE_RAW) && (route->body || !takes_body))
        return "a body of any bytes has no record, and a method that takes it";
    if ((route->flags & ROUTE_PAGED) && route->method != HTTP_GET)
        return "only GET has pages";
    if ((route->flags & ROUTE_INLINE) && (route->role != ROLE_PUBLIC || route->tx != TX_NONE))
        return "what is answered on the loop thread must be public and without a transaction";
    if ((route->flags & ROUTE_STREAM) && route->tx != TX_WRITE)
        return "a stream may be opened by a ticket, which is used up: it must be able to write";
    return NULL;
}

static const char *records_fault(const struct route *route)
{
    const struct record *records[] = {route->answer, route->body, route->query};

    for (size_t i = 0; i < COUNT_OF(records); i++) {
        const char *fault = records[i] ? record_fault(records[i]) : NULL;

        if (fault)
            return fault;
    }
    return NULL;
}

static struct node *literal_child(struct router *router, struct node *node, struct str literal)
{
    struct node *child;

    for (child = node->children; child; child = child->next) {
        if (str_equal(child->literal, literal))
            return child;
    }
    child = ARENA_NEW(router->arena, struct node);
    if (child) {
        child->literal = literal;
        child->next = node->children;
        node->children = child;
    }
    return child;
}

static enum err wrong(struct error *error, const struct route_entry *entry, const char *why)
{
    return error_set(error, ERR_INTERNAL, "The route %s %.*s is wrong: %s.",
                     entry->route->method < METHODS ? names[entry->route->method] : "?",
                     STR_FMT(entry->path), why);
}

static enum err insert(struct router *router, struct route_entry *entry, struct error *error)
{
    struct node *node = &router->root;
    struct str rest = entry->path, segment;
    size_t depth = 0;

    if (rest.len == 0 || rest.ptr[0] != '/')
        return wrong(error, entry, "its path does not begin with a slash");
    rest = rest.len == 1 ? STR_NULL : str_slice(rest, 1, rest.len);
    while (rest.ptr) {
        rest = str_cut(rest, '/', &segment);
        /* Only the last may be empty: "/socket.io/" is another path than "/socket.io". */
        if ((segment.len == 0 && rest.ptr) || ++depth > SEGMENTS_MAX)
            return wrong(error, entry, "its path has an empty segment or too many");
        if (str_starts(segment, STR("{"))) {
            if (segment.len < 3 || segment.ptr[segment.len - 1] != '}' ||
                entry->param_count == PATH_PARAMS_MAX)
                return wrong(error, entry, "its path has too many parameters or a broken one");
            entry->param_names[entry->param_count++] = str_slice(segment, 1, segment.len - 1);
            if (!node->param)
                node->param = ARENA_NEW(router->arena, struct node);
            node = node->param;
        } else {
            node = literal_child(router, node, segment);
        }
        if (!node)
            return error_set(error, ERR_INTERNAL, "There is no memory for the routes.");
    }
    if (node->entries[entry->route->method])
        return wrong(error, entry, "it stands there twice");
    node->entries[entry->route->method] = entry;
    entry->node = node;
    return OK;
}

static enum err add(struct router *router, const struct resource *resource, const char *mount,
                    const struct route *route, struct error *error)
{
    struct route_entry *entry = &router->entries[router->count];
    struct buf path;
    const char *fault;

    buf_init(&path, router->arena, TARGET_MAX);
    if (!(route->flags & ROUTE_ROOT))
        buf_add(&path, STR(API_ROOT));
    buf_add(&path, str_of(mount));
    buf_add(&path, str_of(route->path));
    if (buf_failed(&path))
        return error_set(error, ERR_INTERNAL, "There is no memory for the routes.");
    entry->resource = resource;
    entry->mount = mount;
    entry->route = route;
    entry->path = buf_str(&path);
    entry->list_tag = tag_of(tag_of(UINT32_C(2166136261), resource->mounts[0]), route->path);
    fault = shape_fault(route);
    if (!fault)
        fault = records_fault(route);
    if (fault)
        return wrong(error, entry, fault);
    router->count++;
    return insert(router, entry, error);
}

enum err router_new(const struct resource *const *resources, size_t count, struct router **out,
                    struct error *error)
{
    struct arena *arena = arena_new(ROUTER_MAX);
    struct router *router = arena ? ARENA_NEW(arena, struct router) : NULL;
    size_t total = 0;
    enum err err = OK;

    for (size_t i = 0; i < count; i++)
        total += resources[i]->mount_count * resources[i]->route_count;
    if (router) {
        router->arena = arena;
        router->entries = ARENA_ARRAY(arena, total, struct route_entry);
    }
    if (!router || !router->entries) {
        arena_free(arena);
        return error_set(error, ERR_INTERNAL, "There is no memory for the routes.");
    }
    for (size_t i = 0; i < count && err == OK; i++) {
        const struct resource *resource = resources[i];

        for (size_t m = 0; m < resource->mount_count && err == OK; m++) {
            for (size_t r = 0; r < resource->route_count && err == OK; r++)
                err = add(router, resource, resource->mounts[m], &resource->routes[r], error);
        }
    }
    if (err != OK) {
        arena_free(arena);
        return err;
    }
    for (size_t i = 0; i < router->count; i++) {
        const struct node *below = router->entries[i].node->param;

        router->entries[i].has_child = below && below->entries[HTTP_GET];
    }
    *out = router;
    return OK;
}

void router_free(struct router *router)
{
    if (router)
        arena_free(router->arena);
}

struct route_entry *router_entries(const struct router *router, size_t *count)
{
    *count = router->count;
    return router->entries;
}

/* ------------------------------------------------------------------ matching */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one segment into *space and moves it on. */
static enum err decode(struct str *segment, char **space)
{
    char *out = *space;
    size_t len = 0;

    if (memchr(segment->ptr, '%', segment->len)) {
        for (size_t i = 0; i < segment->len; i++) {
            char c = segment->ptr[i];

            if (c == '%') {
                bool whole = segment->len - i > 2;
                int high = whole ? hex_value(segment->ptr[i + 1]) : -1;
                int low = whole ? hex_value(segment->ptr[i + 2]) : -1;

                if (high < 0 || low < 0 || (high == 0 && low == 0))
                    return ERR_MALFORMED;
                c = (char)(high * 16 + low);
                i += 2;
            }
            out[len++] = c;
        }
        *segment = (struct str){out, len};
        *space = out + len;
    }
    return str_is_utf8(*segment) ? OK : ERR_MALFORMED;
}

static enum err split(struct str path, char *space, struct segments *out)
{
    out->count = 0;
    if (path.len == 0 || path.ptr[0] != '/')
        return ERR_NOT_FOUND;
    struct str rest = path.len == 1 ? STR_NULL : str_slice(path, 1, path.len);
    while (rest.ptr) {
        if (out->count == SEGMENTS_MAX)
            return ERR_NOT_FOUND;
        struct str *segment = &out->at[out->count++];
        rest = str_cut(rest, '/', segment);
        if (segment->len == 0 && rest.ptr)
            return ERR_NOT_FOUND;
        TRY(decode(segment, &space));
    }
    return OK;
}

static bool has_entry(const struct node *node)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (node->entries[i])
            return true;
    }
    return false;
}

/* Literals before parameters, and back when a literal leads nowhere. As deep as SEGMENTS_MAX. */
static const struct node *find(const struct node *node, const struct segments *segments,
                               size_t depth, size_t param_count, struct match *out)
{
    const struct node *found;

    if (depth == segments->count)
        return has_entry(node) ? node : NULL;
    for (const struct node *child = node->children; child; child = child->next) {
        if (str_equal(child->literal, segments->at[depth])) {
            found = find(child, segments, depth + 1, param_count, out);
            if (found)
                return found;
            break;
        }
    }
    if (!node->param || param_count == PATH_PARAMS_MAX || segments->at[depth].len == 0)
        return NULL;
    out->params[param_count] = segments->at[depth];
    return find(node->param, segments, depth + 1, param_count + 1, out);
}

enum err router_match(const struct router *router, enum http_method method, struct str path,
                      char *space, struct match *out)
{
    struct segments segments;
    const struct node *node;

    *out = (struct match){0};
    TRY(split(path, space, &segments));
    node = find(&router->root, &segments, 0, 0, out);
    if (!node)
        return ERR_NOT_FOUND;
    for (unsigned i = 0; i < METHODS; i++) {
        if (node->entries[i])
            out->allowed |= 1u << i;
    }
    if (out->allowed & (1u << HTTP_GET))
        out->allowed |= 1u << HTTP_HEAD;
    out->allowed |= 1u << HTTP_OPTIONS;
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    out->entry = method < METHODS ? node->entries[method] : NULL;
    return out->entry ? OK : ERR_METHOD;
}

size_t router_allow(unsigned allowed, char out[ALLOW_MAX])
{
    size_t len = 0;

    for (unsigned i = 0; i < HTTP_OTHER; i++) {
        if (allowed & (1u << i)) {
            size_t name_len = strlen(names[i]);

            if (len > 0) {
                memcpy(out + len, ", ", 2);
                len += 2;
            }
            memcpy(out + len, names[i], name_len);
            len += name_len;
        }
    }
    return len;
}
