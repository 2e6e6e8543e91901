/* The document parses, and every route stands in it as the router has it. */
#include "http_unit.h"

#include "http/auth.h"
#include "http/builtin.h"
#include "http/docs.h"
#include "http/openapi.h"

struct pet {
    struct uuid id;
    struct str name, token;
    int64_t version;
};

static const struct field pet_fields[] = {
    FIELD(pet, id, F_UUID, READ_ONLY),
    FIELD(pet, name, F_TEXT, REQUIRED, .min = 1, .max = 20,
          .doc = "What <it> is \"called\" & more"),
    FIELD(pet, token, F_TEXT, READ_ONLY | NULLABLE | SECRET),
    FIELD(pet, version, F_INT, READ_ONLY),
};
static const struct record pet_record = RECORD_NAMED("Pet", pet, pet_fields);
static const struct record other_record = RECORD_NAMED("Pet", pet, pet_fields);

struct pet_query {
    struct str q;
    struct list names;
};
static const struct field pet_query_fields[] = {
    FIELD(pet_query, q, F_TEXT, 0),
    FIELD(pet_query, names, F_LIST, 0, .of = F_TEXT),
};
static const struct record pet_query_record = RECORD(pet_query, pet_query_fields);

static enum err nothing(struct req *rq)
{
    (void)rq;
    return OK;
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_VIEWER, TX_READ, nothing, "List pets", ANSWER_LIST, &pet_record,
     .query = &pet_query_record, .flags = ROUTE_PAGED},
    {HTTP_POST, "", ROLE_AGENT, TX_WRITE, nothing, "Make a pet", ANSWER_CREATED, &pet_record,
     &pet_record, .flags = 0},
    {HTTP_GET, "/{id}", ROLE_VIEWER, TX_READ, nothing, "Get a pet", ANSWER_RECORD, &pet_record,
     .flags = 0},
    {HTTP_PATCH, "/{id}", ROLE_MANAGER, TX_WRITE, nothing, "Change a pet", ANSWER_RECORD,
     &pet_record, &pet_record, .flags = ROUTE_PATCH},
    {HTTP_POST, "/{id}/restore", ROLE_AGENT, TX_WRITE, nothing, "Restore a pet", ANSWER_RECORD,
     &pet_record, .flags = 0},
    {HTTP_DELETE, "/{id}", ROLE_ADMIN, TX_WRITE, nothing, "Delete a pet", ANSWER_NONE, .flags = 0},
    {HTTP_POST, "/bulk", ROLE_AGENT, TX_WRITE, nothing, "Make pets", ANSWER_ROWS,
     .body = &pet_record, .flags = ROUTE_ROWS},
    {HTTP_PUT, "/by-name/{name}", ROLE_AGENT, TX_WRITE, nothing, "Make or change", ANSWER_RECORD,
     &pet_record, &pet_record, .flags = ROUTE_UPSERT},
};
static const char *const mounts[] = {"/pets", "/zoo/pets"};
static const struct resource resource = {"pets", mounts, 2, routes, COUNT_OF(routes)};
static const struct resource *const all[] = {&resource, &builtin_resource};

static struct router *router;
static struct buf text;
static json_t *document;

static int make(void **state)
{
    struct error error = {0};

    (void)state;
    assert_int_equal(router_new(all, COUNT_OF(all), &router, &error), OK);
    assert_int_equal(openapi_make(router, &text, &error), OK);
    document = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    return document ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_decref(document);
    buf_clear(&text);
    router_free(router);
    return 0;
}

static json_t *operation(const char *path, const char *method)
{
    json_t *found =
        json_object_get(json_object_get(json_object_get(document, "paths"), path), method);

    if (!found)
        fail_msg("%s %s is not in the document", method, path);
    return found;
}

static void every_route_is_there(void **state)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    static const char *const transactions[] = {"", "none", "read", "report", "write"};
    size_t count, operations = 0;
    struct route_entry *entries = router_entries(router, &count);
    const char *path;
    json_t *item;

    (void)state;
    assert_int_equal(count, 2 * COUNT_OF(routes) + builtin_resource.route_count);
    for (size_t i = 0; i < count; i++) {
        char pattern[256];

        snprintf(pattern, sizeof(pattern), "%.*s", STR_FMT(entries[i].path));
        json_t *found = operation(pattern, methods[entries[i].route->method]);
        assert_string_equal(json_member_text(found, "summary"), entries[i].route->summary);
        assert_string_equal(json_member_text(found, "x-role"), role_name(entries[i].route->role));
        assert_string_equal(json_member_text(found, "x-transaction"),
                            transactions[entries[i].route->tx]);
    }
    json_object_foreach (json_object_get(document, "paths"), path, item) {
        operations += json_object_size(item);
    }
    assert_int_equal(operations, count);
}

static void operation_ids_differ(void **state)
{
    json_t *seen = json_object(), *item, *one;
    const char *path, *method;

    (void)state;
    json_object_foreach (json_object_get(document, "paths"), path, item) {
        json_object_foreach (item, method, one) {
            const char *id = json_member_text(one, "operationId");

            assert_null(json_object_get(seen, id));
            json_object_set_new(seen, id, json_true());
        }
    }
    json_decref(seen);
}

/* Every $ref leads somewhere. */
static void check_references(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;

    if (json_is_array(value)) {
        for (index = 0; index < json_array_size(value); index++)
            check_references(json_array_get(value, index));
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
        if (strcmp(key, "$ref") == 0) {
            const char *target = json_string_value(item);
            json_t *at = document;
            struct str rest = str_of(target + 2), step;

            while (rest.ptr) {
                rest = str_cut(rest, '/', &step);
                at = json_object_getn(at, step.ptr, step.len);
            }
            if (!at)
                fail_msg("%s leads nowhere", target);
        }
        check_references(item);
    }
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    check_references(document);
}

static bool has_parameter(const json_t *found, const char *name, const char *in)
{
    json_t *item;
    size_t i;

    json_array_foreach (json_object_get(found, "parameters"), i, item) {
        if (strcmp(json_member_text(item, "name"), name) == 0)
            return strcmp(json_member_text(item, "in"), in) == 0;
    }
    return false;
}

static bool answers(const json_t *found, const char *status)
{
    return json_object_get(json_object_get(found, "responses"), status) != NULL;
}

static void what_an_operation_says(void **state)
{
    json_t *list = operation("/api/v1/zoo/pets", "get"), *create, *change;

    (void)state;
    assert_true(has_parameter(list, "q", "query"));
    assert_true(has_parameter(list, "names", "query"));
    assert_true(has_parameter(list, "cursor", "query"));
    assert_true(has_parameter(list, "page_size", "query"));
    assert_true(answers(list, "200") && answers(list, "401") && answers(list, "422"));
    assert_false(answers(list, "412"));
    assert_null(json_object_get(list, "security"));

    create = operation("/api/v1/pets", "post");
    assert_true(has_parameter(create, "Idempotency-Key", "header"));
    assert_true(answers(create, "201") && answers(create, "409") && answers(create, "415"));
    assert_false(answers(create, "200"));
    assert_false(has_parameter(create, "If-Match", "header") || answers(create, "412"));
    assert_false(answers(operation("/api/v1/pets/bulk", "post"), "412"));
    assert_true(json_is_true(json_object_get(json_object_get(create, "requestBody"), "required")));

    change = operation("/api/v1/pets/{id}/restore", "post");
    assert_true(has_parameter(change, "If-Match", "header"));
    assert_true(answers(change, "412"));
    change = operation("/api/v1/pets/{id}", "patch");
    assert_true(has_parameter(change, "id", "path"));
    assert_true(has_parameter(change, "If-Match", "header"));
    assert_true(answers(change, "412"));
    assert_non_null(
        json_object_get(json_object_get(json_object_get(change, "requestBody"), "content"),
                        "application/merge-patch+json"));
    assert_true(answers(operation("/api/v1/pets/{id}", "delete"), "204"));
    change = operation("/api/v1/pets/by-name/{name}", "put");
    assert_true(answers(change, "200") && answers(change, "201"));
    assert_int_equal(json_array_size(json_object_get(operation("/healthz", "get"), "security")), 0);
    assert_non_null(json_object_get(operation("/healthz", "get"), "security"));
}

static void two_records_of_one_name(void **state)
{
    const struct route wrong[] = {
        {HTTP_GET, "/a", ROLE_VIEWER, TX_READ, nothing, "s", ANSWER_RECORD, &pet_record,
         .flags = 0},
        {HTTP_GET, "/b", ROLE_VIEWER, TX_READ, nothing, "s", ANSWER_RECORD, &other_record,
         .flags = 0},
    };
    const struct resource both = {"both", mounts, 1, wrong, 2};
    const struct resource *const only[] = {&both};
    struct router *made;
    struct error error = {0};
    struct buf out;

    (void)state;
    assert_int_equal(router_new(only, 1, &made, &error), OK);
    assert_int_equal(openapi_make(made, &out, &error), ERR_INTERNAL);
    assert_non_null(strstr(error.detail, "Pet"));
    buf_clear(&out);
    router_free(made);
}

static void docs_escape_and_contact_nobody(void **state)
{
    struct error error = {0};
    struct buf page;

    (void)state;
    assert_int_equal(docs_make(router, &page, &error), OK);
    buf_add_char(&page, '\0');
    assert_false(buf_failed(&page));
    assert_non_null(strstr(page.ptr, "What &lt;it&gt; is &quot;called&quot; &amp; more"));
    assert_null(strstr(page.ptr, "<it>"));
    assert_null(strstr(page.ptr, "<script"));
    assert_null(strstr(page.ptr, "style="));
    assert_null(strstr(page.ptr, "://"));
    assert_non_null(strstr(page.ptr, "/api/v1/zoo/pets/{id}"));
    assert_null(strstr(docs_css, "://"));
    assert_null(strstr(docs_css, "@import"));
    buf_clear(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_there),
        cmocka_unit_test(operation_ids_differ),
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(what_an_operation_says),
        cmocka_unit_test(two_records_of_one_name),
        cmocka_unit_test(docs_escape_and_contact_nobody),
    };

    return cmocka_run_group_tests(tests, make, end);
}
