#include "http/openapi.h"

#include "http/auth.h"
#include "http/page.h"
#include "http/problem.h"
#include "json/json.h"

#include <ctype.h>

#define OPENAPI_MAX MIB(16)
#define COMPONENTS_MAX 1024

struct component {
    const struct record *record;
    enum schema_for what;
};

/* What is written, and which records it needs. */
struct document {
    struct json_out out;
    struct component components[COMPONENTS_MAX];
    size_t component_count;
    bool too_many;
};

static const char *const suffixes[] = {
    [SCHEMA_ANSWER] = "", [SCHEMA_BODY] = "Input", [SCHEMA_PATCH] = "Patch"};

static void member(struct json_out *out, const char *key, const char *text)
{
    json_key(out, str_of(key));
    json_text(out, str_of(text));
}

static void put_reference(struct document *document, const struct record *record,
                          enum schema_for what)
{
    struct json_out *out = &document->out;
    struct buf text;
    size_t i = 0;

    while (i < document->component_count &&
           (document->components[i].record != record || document->components[i].what != what))
        i++;
    if (i == document->component_count) {
        if (i == COMPONENTS_MAX)
            document->too_many = true;
        else
            document->components[document->component_count++] = (struct component){record, what};
    }
    buf_init(&text, NULL, 256);
    buf_addf(&text, "#/components/schemas/%s%s", record->name, suffixes[what]);
    json_object_begin(out);
    JSON_KEY(out, "$ref");
    json_text(out, buf_str(&text));
    json_object_end(out);
    buf_clear(&text);
}

/* ------------------------------------------------------------------ parameters */

static void put_parameter(struct json_out *out, const char *name, const char *in, bool required,
                          const char *doc, const char *schema)
{
    json_object_begin(out);
    member(out, "name", name);
    member(out, "in", in);
    if (required) {
        JSON_KEY(out, "required");
        json_bool(out, true);
    }
    if (doc)
        member(out, "description", doc);
    JSON_KEY(out, "schema");
    json_raw(out, str_of(schema));
    json_object_end(out);
}

static void put_path_parameter(struct json_out *out, struct str name)
{
    bool is_id = str_is(name, "id") || str_ends(name, STR("_id"));

    json_object_begin(out);
    JSON_KEY(out, "name");
    json_text(out, name);
    member(out, "in", "path");
    JSON_KEY(out, "required");
    json_bool(out, true);
    JSON_KEY(out, "schema");
    json_raw(out, is_id ? STR("{\"type\":\"string\",\"format\":\"uuid\"}")
                        : STR("{\"type\":\"string\"}"));
    json_object_end(out);
}

/* Lists stand in a query as one text, comma-separated: style form, explode false. */
static void put_query_parameter(struct json_out *out, const struct field *field)
{
    if (field->flags & (COLUMN_ONLY | READ_ONLY))
        return;
    json_object_begin(out);
    member(out, "name", field->name);
    member(out, "in", "query");
    if (field->flags & REQUIRED) {
        JSON_KEY(out, "required");
        json_bool(out, true);
    }
    if (field->doc)
        member(out, "description", field->doc);
    if (field->type == F_LIST) {
        member(out, "style", "form");
        JSON_KEY(out, "explode");
        json_bool(out, false);
    }
    JSON_KEY(out, "schema");
    field_schema(field, SCHEMA_BODY, out);
    json_object_end(out);
}

/* Whether it writes a record that is there: then If-Match guards it. A POST does where it
 * answers the record of its path. */
static bool is_guarded(const struct route_entry *entry)
{
    const struct route *route = entry->route;

    if (route->method == HTTP_POST)
        return entry->param_count > 0 && route->answers == ANSWER_RECORD &&
               record_field(route->answer, STR("version"));
    return route->method == HTTP_PUT || route->method == HTTP_PATCH || route->method == HTTP_DELETE;
}

static void put_parameters(struct json_out *out, const struct route_entry *entry)
{
    const struct route *route = entry->route;

    JSON_KEY(out, "parameters");
    json_array_begin(out);
    for (size_t i = 0; i < entry->param_count; i++)
        put_path_parameter(out, entry->param_names[i]);
    for (size_t i = 0; route->query && i < route->query->count; i++)
        put_query_parameter(out, &route->query->fields[i]);
    for (size_t i = 0; (route->flags & ROUTE_PAGED) && i < page_parameter_count; i++)
        put_parameter(out, page_parameters[i].name, "query", false, page_parameters[i].doc,
                      route->answers == ANSWER_EVENTS && page_parameters[i].events_schema
                          ? page_parameters[i].events_schema
                          : page_parameters[i].schema);
    if (route->method == HTTP_POST && route->tx == TX_WRITE)
        put_parameter(out, "Idempotency-Key", "header", false,
                      "The same key and body answer the first answer again, for a day.",
                      "{\"type\":\"string\",\"minLength\":1,\"maxLength\":257}");
    if (is_guarded(entry))
        put_parameter(out, "If-Match", "header", false,
                      "The ETag of the record as it was read: 412 when it has changed since.",
                      "{\"type\":\"string\"}");
    json_array_end(out);
}

/* ------------------------------------------------------------------ bodies */

static void put_rows_schema(struct document *document, const struct route *route,
                            enum schema_for what)
{
    struct json_out *out = &document->out;

    JSON_KEY(out, "oneOf");
    json_array_begin(out);
    json_object_begin(out);
    member(out, "type", "array");
    JSON_KEY(out, "maxItems");
    json_int(out, BULK_ROWS_MAX);
    JSON_KEY(out, "items");
    put_reference(document, route->body, what);
    json_object_end(out);
    json_object_begin(out);
    member(out, "type", "object");
    JSON_KEY(out, "properties");
    json_object_begin(out);
    JSON_KEY(out, "rows");
    json_object_begin(out);
    member(out, "type", "array");
    JSON_KEY(out, "maxItems");
    json_int(out, BULK_ROWS_MAX);
    JSON_KEY(out, "items");
    put_reference(document, route->body, what);
    json_object_end(out);
    json_object_end(out);
    JSON_KEY(out, "required");
    json_raw(out, STR("[\"rows\"]"));
    JSON_KEY(out, "additionalProperties");
    json_bool(out, false);
    json_object_end(out);
    json_array_end(out);
}

static void put_body(struct document *document, const struct route *route)
{
    struct json_out *out = &document->out;
    enum schema_for what = route->flags & ROUTE_PATCH ? SCHEMA_PATCH : SCHEMA_BODY;

    if (route->flags & ROUTE_RAW) {
        JSON_KEY(out, "requestBody");
        json_raw(out, STR("{\"required\":true,\"content\":{\"*/*\":{}}}"));
    }
    if (!route->body)
        return;
    JSON_KEY(out, "requestBody");
    json_object_begin(out);
    JSON_KEY(out, "required");
    json_bool(out, !(route->flags & ROUTE_OPTIONAL_BODY));
    JSON_KEY(out, "content");
    json_object_begin(out);
    for (int patch = 0; patch <= (route->flags & ROUTE_PATCH ? 1 : 0); patch++) {
        json_key(out, patch ? STR("application/merge-patch+json") : STR("application/json"));
        json_object_begin(out);
        JSON_KEY(out, "schema");
        if (route->flags & ROUTE_ROWS) {
            json_object_begin(out);
            put_rows_schema(document, route, what);
            json_object_end(out);
        } else {
            put_reference(document, route->body, what);
        }
        json_object_end(out);
    }
    json_object_end(out);
    json_object_end(out);
}

/* ------------------------------------------------------------------ answers */

#define ROWS_SCHEMA                                                                                \
    "{\"type\":\"object\",\"properties\":{\"rows\":{\"type\":\"array\",\"items\":{\"type\":"       \
    "\"object\",\"properties\":{\"index\":{\"type\":\"integer\"},\"status\":{\"type\":"            \
    "\"integer\"},\"id\":{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"},\"detail\":"         \
    "{\"type\":\"string\"},\"errors\":{\"type\":\"array\",\"items\":{\"$ref\":"                    \
    "\"#/components/schemas/Fault\"}}},\"required\":[\"index\",\"status\"],"                       \
    "\"additionalProperties\":false}},\"succeeded\":{\"type\":\"integer\"},\"failed\":"            \
    "{\"type\":\"integer\"}},\"required\":[\"rows\",\"succeeded\",\"failed\"],"                    \
    "\"additionalProperties\":false}"

static void put_list_schema(struct document *document, const struct route *route)
{
    struct json_out *out = &document->out;
    const bool events = route->answers == ANSWER_EVENTS;

    json_object_begin(out);
    member(out, "type", "object");
    JSON_KEY(out, "properties");
    json_object_begin(out);
    json_key(out, events ? STR("events") : STR("data"));
    json_object_begin(out);
    member(out, "type", "array");
    JSON_KEY(out, "items");
    put_reference(document, route->answer, SCHEMA_ANSWER);
    json_object_end(out);
    JSON_KEY(out, "total");
    json_raw(out, STR("{\"type\":\"integer\",\"minimum\":0}"));
    JSON_KEY(out, "total_capped");
    json_raw(out,
             STR("{\"type\":\"boolean\",\"description\":\"There are more than total says.\"}"));
    JSON_KEY(out, "page");
    json_raw(out, STR("{\"type\":[\"integer\",\"null\"],\"minimum\":1}"));
    json_key(out, events ? STR("limit") : STR("page_size"));
    json_raw(out, STR("{\"type\":\"integer\",\"minimum\":0}"));
    JSON_KEY(out, "next_cursor");
    json_raw(out, STR("{\"type\":[\"string\",\"null\"]}"));
    json_object_end(out);
    JSON_KEY(out, "required");
    json_raw(out, events ? STR("[\"events\",\"total\",\"page\",\"limit\",\"next_cursor\"]")
                         : STR("[\"data\",\"total\",\"page\",\"page_size\",\"next_cursor\"]"));
    JSON_KEY(out, "additionalProperties");
    json_bool(out, false);
    json_object_end(out);
}

static void put_answer_schema(struct document *document, const struct route *route)
{
    struct json_out *out = &document->out;

    switch (route->answers) {
    case ANSWER_LIST:
    case ANSWER_EVENTS:
        put_list_schema(document, route);
        break;
    case ANSWER_ROWS:
        json_raw(out, STR(ROWS_SCHEMA));
        break;
    case ANSWER_STREAM:
        json_raw(out, STR("{\"type\":\"string\"}"));
        break;
    case ANSWER_OTHER:
        json_raw(out,
                 route->other_schema ? str_of(route->other_schema) : STR("{\"type\":\"string\"}"));
        break;
    default:
        put_reference(document, route->answer, SCHEMA_ANSWER);
    }
}

static bool is_list(const struct route *route)
{
    return route->answers == ANSWER_LIST || route->answers == ANSWER_EVENTS;
}

static void put_answer_headers(struct json_out *out, const struct route *route, bool created)
{
    bool has_version =
        !is_list(route) && route->answer && record_field(route->answer, STR("version"));

    JSON_KEY(out, "headers");
    json_object_begin(out);
    if (created) {
        JSON_KEY(out, "Location");
        json_raw(out, STR("{\"schema\":{\"type\":\"string\"}}"));
    }
    if (has_version) {
        JSON_KEY(out, "ETag");
        json_raw(out, STR("{\"schema\":{\"type\":\"string\"}}"));
    }
    JSON_KEY(out, "X-Request-Id");
    json_raw(out, STR("{\"schema\":{\"type\":\"string\"}}"));
    json_object_end(out);
}

static void put_success(struct document *document, const struct route *route, const char *status)
{
    struct json_out *out = &document->out;
    bool has_table = is_list(route) && (route->flags & ROUTE_PAGED);
    struct str media, others = STR("application/json");

    if (route->answers == ANSWER_STREAM)
        others = STR("text/event-stream");
    if (route->answers == ANSWER_OTHER)
        others = str_of(route->other_answer);
    json_key(out, str_of(status));
    json_object_begin(out);
    member(out, "description", route->summary);
    put_answer_headers(out, route, status[2] == '1');
    if (route->answers != ANSWER_NONE) {
        JSON_KEY(out, "content");
        json_object_begin(out);
        do {
            others = str_cut(others, ',', &media);
            str_cut(str_trim(media), ';', &media); /* the type without its parameters */
            json_key(out, media);
            json_object_begin(out);
            JSON_KEY(out, "schema");
            put_answer_schema(document, route);
            json_object_end(out);
        } while (others.ptr);
        if (has_table) {
            JSON_KEY(out, "text/csv");
            json_raw(out, STR("{\"schema\":{\"type\":\"string\"}}"));
        }
        json_object_end(out);
    }
    json_object_end(out);
}

static void put_answers(struct document *document, const struct route_entry *entry)
{
    static const struct {
        const char *status;
        bool always, needs_credential, has_body, writes, edits;
    } problems[] = {
        {"400", true, false, false, false, false}, {"401", false, true, true, false, false},
        {"403", true, false, false, false, false}, {"404", true, false, false, false, false},
        {"408", true, false, false, false, false}, {"409", false, false, false, true, false},
        {"412", false, false, false, false, true}, {"413", true, false, false, false, false},
        {"415", false, false, true, false, false}, {"422", true, false, false, false, false},
        {"429", true, false, false, false, false}, {"431", true, false, false, false, false},
        {"500", true, false, false, false, false}, {"503", true, false, false, false, false},
    };
    const struct route *route = entry->route;
    struct json_out *out = &document->out;
    bool edits = is_guarded(entry);

    JSON_KEY(out, "responses");
    json_object_begin(out);
    if (route->answers == ANSWER_STREAM) {
        JSON_KEY(out, "101");
        json_raw(out, STR("{\"description\":\"A WebSocket from here on\"}"));
        JSON_KEY(out, "426");
        json_raw(out, STR("{\"$ref\":\"#/components/responses/Problem\"}"));
    }
    if (route->answers == ANSWER_NONE) {
        put_success(document, route, "204");
    } else {
        if (route->answers != ANSWER_CREATED || (route->flags & ROUTE_UPSERT))
            put_success(document, route, "200");
        if (route->answers == ANSWER_CREATED || (route->flags & ROUTE_UPSERT))
            put_success(document, route, "201");
    }
    for (size_t i = 0; i < COUNT_OF(problems); i++) {
        if (problems[i].always || (problems[i].needs_credential && route->role != ROLE_PUBLIC) ||
            (problems[i].has_body && route->body) ||
            (problems[i].writes && route->method != HTTP_GET) || (problems[i].edits && edits)) {
            json_key(out, str_of(problems[i].status));
            json_raw(out, STR("{\"$ref\":\"#/components/responses/Problem\"}"));
        }
    }
    json_object_end(out);
}

/* ------------------------------------------------------------------ operations */

/* "GET /api/v1/customers/{id}" is get_customers_id. */
static void put_operation_id(struct json_out *out, const struct route_entry *entry)
{
    struct buf text;
    struct str path = entry->path;

    if (str_starts(path, STR(API_ROOT)))
        path = str_slice(path, sizeof(API_ROOT) - 1, path.len);
    buf_init(&text, NULL, TARGET_MAX);
    for (const char *c = method_name(entry->route->method); *c; c++)
        buf_add_char(&text, (char)tolower((unsigned char)*c));
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];

        if (c == '/')
            buf_add_char(&text, '_');
        else if (c != '{' && c != '}')
            buf_add_char(&text, isalnum(c) ? (char)c : '_');
    }
    JSON_KEY(out, "operationId");
    json_text(out, buf_str(&text));
    buf_clear(&text);
}

#define OPEN_SECURITY "[{\"key\":[]},{\"login\":[]},{\"contact\":[]}"

static void put_operation(struct document *document, const struct route_entry *entry)
{
    static const char *const transactions[] = {NULL, "none", "read", "report", "write"};
    const struct route *route = entry->route;
    struct json_out *out = &document->out;

    json_object_begin(out);
    put_operation_id(out, entry);
    member(out, "summary", route->summary);
    JSON_KEY(out, "tags");
    json_array_begin(out);
    json_text(out, str_of(entry->resource->name));
    json_array_end(out);
    member(out, "x-role", role_name(route->role));
    member(out, "x-transaction", transactions[route->tx]);
    if (route->role <= ROLE_CONTACT) {
        JSON_KEY(out, "security");
        json_raw(out, route->role == ROLE_PUBLIC      ? STR("[]")
                      : (route->flags & ROUTE_STREAM) ? STR(OPEN_SECURITY ",{\"ticket\":[]}]")
                                                      : STR(OPEN_SECURITY "]"));
    }
    put_parameters(out, entry);
    put_body(document, route);
    put_answers(document, entry);
    json_object_end(out);
}

static bool is_first_of_path(const struct route_entry *entries, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (str_equal(entries[i].path, entries[index].path))
            return false;
    }
    return true;
}

static void put_paths(struct document *document, const struct router *router)
{
    struct json_out *out = &document->out;
    size_t count;
    const struct route_entry *entries = router_entries(router, &count);

    JSON_KEY(out, "paths");
    json_object_begin(out);
    for (size_t i = 0; i < count; i++) {
        if (!is_first_of_path(entries, i))
            continue;
        json_key(out, entries[i].path);
        json_object_begin(out);
        for (size_t k = i; k < count; k++) {
            if (str_equal(entries[k].path, entries[i].path)) {
                static const char *const names[] = {"get", "post", "put", "patch", "delete"};

                json_key(out, str_of(names[entries[k].route->method]));
                put_operation(document, &entries[k]);
            }
        }
        json_object_end(out);
    }
    json_object_end(out);
}

/* ------------------------------------------------------------------ components */

#define FAULT_SCHEMA                                                                               \
    "{\"type\":\"object\",\"properties\":{\"field\":{\"type\":\"string\"},\"code\":{\"type\":"     \
    "\"string\"},\"message\":{\"type\":\"string\"}},\"required\":[\"field\",\"code\","             \
    "\"message\"],\"additionalProperties\":false}"
#define PROBLEM_SCHEMA                                                                             \
    "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":"     \
    "\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"              \
    "\"request_id\":{\"type\":\"string\"},\"errors\":{\"type\":\"array\",\"items\":{\"$ref\":"     \
    "\"#/components/schemas/Fault\"}},\"errors_total\":{\"type\":\"integer\"},\"code\":{\"type\":" \
    "\"integer\",\"description\":\"Engine.IO's, at /socket.io/\"},\"message\":{\"type\":"          \
    "\"string\",\"description\":\"Engine.IO's, at /socket.io/\"},\"check\":{\"type\":"             \
    "\"object\",\"description\":\"What the outreach guard says: an "                               \
    "OutreachCheck\"}},\"required\":"                                                              \
    "[\"type\",\"title\",\"status\",\"detail\",\"request_id\"],\"additionalProperties\":false}"
#define PROBLEM_ANSWER                                                                             \
    "{\"Problem\":{\"description\":\"What went wrong (RFC 9457)\",\"content\":{\"" MEDIA_PROBLEM   \
    "\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}}"
#define SECURITY_SCHEMES                                                                           \
    "{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"An API key: tp_…\"},"   \
    "\"contact\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"A contact token: "     \
    "tpc_…, of one customer's own app. It opens the operations whose x-role is contact, and of " \
    "them what belongs to that customer.\"},"                                                      \
    "\"ticket\":{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"ticket\",\"description\":"        \
    "\"Opens "                                                                                     \
    "one stream, once: of POST /api/v1/stream/tickets.\"},"                                        \
    "\"login\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"" LOGIN_COOKIE                    \
    "\",\"description\":\"A browser that is signed in; what changes something also needs the "     \
    "header X-CSRF-Token.\"}}"

static enum err check_names(const struct document *document, struct error *error)
{
    for (size_t i = 0; i < document->component_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct component *a = &document->components[i], *b = &document->components[k];

            if (a->what == b->what && str_equal(str_of(a->record->name), str_of(b->record->name)))
                return error_set(error, ERR_INTERNAL, "Two records are called %s in OpenAPI.",
                                 a->record->name);
        }
    }
    return OK;
}

static void put_components(struct document *document)
{
    struct json_out *out = &document->out;
    struct buf name;

    JSON_KEY(out, "components");
    json_object_begin(out);
    JSON_KEY(out, "schemas");
    json_object_begin(out);
    JSON_KEY(out, "Problem");
    json_raw(out, STR(PROBLEM_SCHEMA));
    JSON_KEY(out, "Fault");
    json_raw(out, STR(FAULT_SCHEMA));
    buf_init(&name, NULL, 256);
    for (size_t i = 0; i < document->component_count; i++) {
        const struct component *component = &document->components[i];

        buf_reset(&name);
        buf_addf(&name, "%s%s", component->record->name, suffixes[component->what]);
        json_key(out, buf_str(&name));
        record_schema(component->record, component->what, out);
    }
    buf_clear(&name);
    json_object_end(out);
    JSON_KEY(out, "responses");
    json_raw(out, STR(PROBLEM_ANSWER));
    JSON_KEY(out, "securitySchemes");
    json_raw(out, STR(SECURITY_SCHEMES));
    json_object_end(out);
}

enum err openapi_make(const struct router *router, struct buf *out, struct error *error)
{
    struct document *document = calloc(1, sizeof(*document));
    enum err err;

    buf_init(out, NULL, OPENAPI_MAX);
    if (!document)
        return error_set(error, ERR_INTERNAL, "There is no memory for /openapi.json.");
    json_out_init(&document->out, out);
    json_object_begin(&document->out);
    member(&document->out, "openapi", "3.1.0");
    JSON_KEY(&document->out, "info");
    json_raw(&document->out,
             STR("{\"title\":\"Touchpoint\",\"version\":\"" TOUCHPOINT_VERSION
                 "\",\"description\":\"Every touch between an organisation and its customers.\"}"));
    JSON_KEY(&document->out, "security");
    json_raw(&document->out, STR("[{\"key\":[]},{\"login\":[]}]"));
    put_paths(document, router);
    put_components(document);
    json_object_end(&document->out);
    err = check_names(document, error);
    if (err == OK && (buf_failed(out) || document->too_many))
        err = error_set(error, ERR_INTERNAL, "/openapi.json is larger than it may be.");
    free(document);
    return err;
}
