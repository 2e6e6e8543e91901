/* Which route a path is for. */
#include "http_unit.h"

#include "http/router.h"

static enum err nothing(struct req *rq)
{
    (void)rq;
    return OK;
}

#define ROUTE(method, path)                                                                        \
    {                                                                                              \
        method, path, ROLE_VIEWER, TX_READ, nothing, "s", ANSWER_NONE, .flags = 0                  \
    }

static const struct route things[] = {
    ROUTE(HTTP_GET, ""),
    ROUTE(HTTP_POST, ""),
    ROUTE(HTTP_GET, "/{id}"),
    ROUTE(HTTP_DELETE, "/{id}"),
    ROUTE(HTTP_GET, "/search"),
    ROUTE(HTTP_GET, "/customer/{customer_id}"),
    ROUTE(HTTP_PUT, "/{id}/parts/{part_id}"),
    ROUTE(HTTP_GET, "/search/deep/only"),
};
static const char *const thing_mounts[] = {"/things", "/other/things"};
static const struct resource thing_resource = {"things", thing_mounts, 2, things, COUNT_OF(things)};
static const struct route roots[] = {
    {HTTP_GET, "/", ROLE_PUBLIC, TX_NONE, nothing, "s", ANSWER_NONE, .flags = ROUTE_ROOT},
    {HTTP_GET, "/health", ROLE_PUBLIC, TX_NONE, nothing, "s", ANSWER_NONE, .flags = ROUTE_ROOT},
};
static const char *const root_mounts[] = {""};
static const struct resource root_resource = {"roots", root_mounts, 1, roots, COUNT_OF(roots)};
static const struct resource *const all[] = {&thing_resource, &root_resource};

static struct router *router;
static char space[TARGET_MAX];

static int make(void **state)
{
    struct error error = {0};

    (void)state;
    return router_new(all, COUNT_OF(all), &router, &error) == OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    router_free(router);
    return 0;
}

static struct match match;

static enum err find(enum http_method method, const char *path)
{
    return router_match(router, method, str_of(path), space, &match);
}

#define assert_found(method, target, pattern)                                                      \
    do {                                                                                           \
        assert_int_equal(find(method, target), OK);                                                \
        assert_text(match.entry->path, pattern);                                                   \
    } while (0)

static void paths(void **state)
{
    (void)state;
    assert_found(HTTP_GET, "/", "/");
    assert_found(HTTP_GET, "/health", "/health");
    assert_found(HTTP_GET, "/api/v1/things", "/api/v1/things");
    assert_found(HTTP_POST, "/api/v1/things", "/api/v1/things");
    assert_int_equal(match.entry->route->method, HTTP_POST);
    assert_found(HTTP_GET, "/api/v1/other/things/x", "/api/v1/other/things/{id}");
    assert_text(match.params[0], "x");
    assert_found(HTTP_PUT, "/api/v1/things/a/parts/b", "/api/v1/things/{id}/parts/{part_id}");
    assert_text(match.params[0], "a");
    assert_text(match.params[1], "b");
    assert_text(match.entry->param_names[1], "part_id");
}

static void literals_before_parameters_and_back(void **state)
{
    (void)state;
    assert_found(HTTP_GET, "/api/v1/things/search", "/api/v1/things/search");
    assert_found(HTTP_GET, "/api/v1/things/searching", "/api/v1/things/{id}");
    assert_found(HTTP_GET, "/api/v1/things/customer", "/api/v1/things/{id}");
    assert_found(HTTP_GET, "/api/v1/things/search/deep/only", "/api/v1/things/search/deep/only");
    assert_found(HTTP_PUT, "/api/v1/things/search/parts/1", "/api/v1/things/{id}/parts/{part_id}");
    assert_text(match.params[0], "search");
}

static void nothing_there(void **state)
{
    static const char *const none[] = {
        "",
        "*",
        "api/v1/things",
        "//",
        "/api/v1",
        "/api/v1/",
        "/api/v1/things/",
        "/api/v1//things",
        "/health/",
        "/things",
        "/api/v1/things/a/b",
        "/api/v1/things/a/parts/b/",
        "/api/v1/x",
        "/Api/v1/things",
        "/api/v1/things/../things",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        if (find(HTTP_GET, none[i]) != ERR_NOT_FOUND)
            fail_msg("%s leads somewhere", none[i]);
    }
}

static void escapes(void **state)
{
    (void)state;
    assert_found(HTTP_GET, "/api/v1/%74hings", "/api/v1/things");
    assert_found(HTTP_GET, "/api/v1/things/a%2Fb%20c", "/api/v1/things/{id}");
    assert_text(match.params[0], "a/b c");
    assert_found(HTTP_GET, "/api/v1/things/%C3%A4%e2%82%ac", "/api/v1/things/{id}");
    assert_text(match.params[0], "\xC3\xA4\xE2\x82\xAC");
    assert_found(HTTP_PUT, "/api/v1/things/%41/parts/%42", "/api/v1/things/{id}/parts/{part_id}");
    assert_text(match.params[0], "A");
    assert_text(match.params[1], "B");
    assert_found(HTTP_GET, "/api/v1/things/%2e%2E", "/api/v1/things/{id}");
    assert_text(match.params[0], "..");

    static const char *const broken[] = {"%",     "%4",  "%zz", "%4g",
                                         "a%00b", "%ff", "%C3", "%ed%a0%80"};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        char path[64];

        snprintf(path, sizeof(path), "/api/v1/things/%s", broken[i]);
        if (find(HTTP_GET, path) != ERR_MALFORMED)
            fail_msg("%s is taken", path);
    }
}

static struct str allowed(void)
{
    static char allow[ALLOW_MAX];
    size_t len = router_allow(match.allowed, allow);

    return (struct str){allow, len};
}

static void methods(void **state)
{
    char allow[ALLOW_MAX];

    (void)state;
    assert_int_equal(find(HTTP_PATCH, "/api/v1/things/x"), ERR_METHOD);
    assert_text(allowed(), "GET, DELETE, HEAD, OPTIONS");
    assert_int_equal(find(HTTP_OTHER, "/api/v1/things/a/parts/b"), ERR_METHOD);
    assert_text(allowed(), "PUT, OPTIONS");
    assert_int_equal(find(HTTP_OPTIONS, "/api/v1/things"), ERR_METHOD);
    assert_found(HTTP_HEAD, "/api/v1/things/x", "/api/v1/things/{id}");
    assert_int_equal(match.entry->route->method, HTTP_GET);
    assert_int_equal(find(HTTP_HEAD, "/api/v1/things/a/parts/b"), ERR_METHOD);
    assert_true(router_allow(~0u, allow) <= ALLOW_MAX);
}

static void children_and_tags(void **state)
{
    struct route_entry *list;

    (void)state;
    assert_found(HTTP_POST, "/api/v1/things", "/api/v1/things");
    assert_true(match.entry->has_child);
    assert_found(HTTP_GET, "/api/v1/things/x", "/api/v1/things/{id}");
    assert_false(match.entry->has_child);
    find(HTTP_GET, "/api/v1/things");
    list = match.entry;
    find(HTTP_GET, "/api/v1/other/things");
    assert_int_equal(match.entry->list_tag, list->list_tag);
    find(HTTP_GET, "/api/v1/things/search");
    assert_int_not_equal(match.entry->list_tag, list->list_tag);
}

/* Tables that are wrong do not make a router. */
static void refuse_table(const struct route *routes, size_t count, const char *why)
{
    const struct resource resource = {"wrong", root_mounts, 1, routes, count};
    const struct resource *const only[] = {&resource};
    struct router *made = NULL;
    struct error error = {0};

    assert_int_equal(router_new(only, 1, &made, &error), ERR_INTERNAL);
    if (!strstr(error.detail, why))
        fail_msg("\"%s\" does not say \"%s\"", error.detail, why);
}

static void wrong_tables(void **state)
{
    (void)state;
    refuse_table((const struct route[]){ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/a")}, 2, "twice");
    refuse_table((const struct route[]){ROUTE(HTTP_GET, "/a/{x}"), ROUTE(HTTP_GET, "/a/{y}")}, 2,
                 "twice");
    refuse_table((const struct route[]){{HTTP_GET, "/a", ROLE_NONE, TX_READ, nothing, "s",
                                         ANSWER_NONE, .flags = 0}},
                 1, "role");
    refuse_table((const struct route[]){{HTTP_GET, "/a", ROLE_VIEWER, TX_UNSET, nothing, "s",
                                         ANSWER_NONE, .flags = 0}},
                 1, "transaction");
    refuse_table((const struct route[]){{HTTP_GET, "/a", ROLE_VIEWER, TX_READ, nothing, "s",
                                         ANSWER_LIST, .flags = 0}},
                 1, "record");
    refuse_table((const struct route[]){{HTTP_GET, "/a", ROLE_VIEWER, TX_READ, NULL, "s",
                                         ANSWER_NONE, .flags = 0}},
                 1, "handler");
    refuse_table((const struct route[]){ROUTE(HTTP_GET, "/a//b")}, 1, "empty segment");
    refuse_table((const struct route[]){ROUTE(HTTP_GET, "/{a}/{b}/{c}/{d}/{e}")}, 1, "parameters");
    refuse_table((const struct route[]){ROUTE(HTTP_HEAD, "/a")}, 1, "method");
    refuse_table((const struct route[]){{HTTP_GET, "/a", ROLE_VIEWER, TX_READ, nothing, "s",
                                         ANSWER_NONE, .flags = ROUTE_INLINE}},
                 1, "public");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),         cmocka_unit_test(literals_before_parameters_and_back),
        cmocka_unit_test(nothing_there), cmocka_unit_test(escapes),
        cmocka_unit_test(methods),       cmocka_unit_test(children_and_tags),
        cmocka_unit_test(wrong_tables),
    };

    return cmocka_run_group_tests(tests, make, end);
}
