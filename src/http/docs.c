#include "http/docs.h"

#include "http/auth.h"
#include "http/page.h"

#include <string.h>

#define DOCS_MAX MIB(16)
#define SHOWN_MAX 1024

const char docs_css[] =
    ":root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:#0b6e6e}\n"
    "@media(prefers-color-scheme:dark){:root{--accent:#5cc8c8}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:68rem;padding:1rem 1.25rem 4rem;"
    "font:1rem/1.5 system-ui,sans-serif}\n"
    "h1{margin:.5rem 0}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}\n"
    "h3{margin:0;font-size:1rem;font-weight:600}\n"
    "a{color:var(--accent)}\n"
    "code,.path{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0}\n"
    "article{border:1px solid var(--line);border-radius:.4rem;margin:.75rem 0;padding:.6rem "
    ".8rem}\n"
    "article p{margin:.2rem 0}\n"
    ".method{display:inline-block;min-width:4.2rem;font-weight:700;color:var(--accent)}\n"
    ".role{color:GrayText;font-size:.9em}\n"
    "summary{cursor:pointer}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.93em}\n"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;"
    "border-bottom:1px solid var(--soft)}\n"
    "caption{text-align:left;font-weight:600;padding:.4rem 0}\n";

static void text(struct buf *out, struct str raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        switch (raw.ptr[i]) {
        case '<':
            buf_add(out, STR("&lt;"));
            break;
        case '>':
            buf_add(out, STR("&gt;"));
            break;
        case '&':
            buf_add(out, STR("&amp;"));
            break;
        case '"':
            buf_add(out, STR("&quot;"));
            break;
        case '\'':
            buf_add(out, STR("&#39;"));
            break;
        default:
            buf_add_char(out, raw.ptr[i]);
        }
    }
}

static void text_c(struct buf *out, const char *raw)
{
    text(out, str_of(raw));
}

/* ------------------------------------------------------------------ fields */

static const char *type_name(enum field_type type)
{
    static const char *const names[] = {[F_UUID] = "id",        [F_TEXT] = "text",
                                        [F_ENUM] = "one of",    [F_BOOL] = "true or false",
                                        [F_INT] = "integer",    [F_TIME] = "time",
                                        [F_REAL] = "number",    [F_JSON] = "object",
                                        [F_LIST] = "list of",   [F_OBJECT] = "object",
                                        [F_VIEW] = "see schema"};
    return names[type];
}

static void put_names(struct buf *out, const struct enum_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        buf_add(out, i == 0 ? STR(" <code>") : STR(", <code>"));
        text_c(out, names->names[i]);
        buf_add(out, STR("</code>"));
    }
}

static void put_type(struct buf *out, const struct field *field)
{
    text_c(out, type_name(field->type));
    if (field->type == F_LIST)
        buf_addf(out, " %s", field->of == F_OBJECT ? "objects" : type_name(field->of));
    if (field->names)
        put_names(out, field->names);
    if (field->record) {
        buf_add(out, STR(" ("));
        text_c(out, field->record->name);
        buf_add_char(out, ')');
    }
    if (field->format) {
        buf_add(out, STR(", "));
        text_c(out, field->format->name);
    }
    if (field->min != 0 && field->min != INT64_MIN)
        buf_addf(out, ", at least %lld", (long long)field->min);
    if (field->max != 0 && field->max != INT64_MAX)
        buf_addf(out, ", at most %lld", (long long)field->max);
}

static void put_field(struct buf *out, const struct field *field, enum schema_for what)
{
    buf_add(out, STR("<tr><td><code>"));
    text_c(out, field->name);
    buf_add(out, STR("</code></td><td>"));
    put_type(out, field);
    buf_add(out, STR("</td><td>"));
    if (what == SCHEMA_BODY && (field->flags & REQUIRED))
        buf_add(out, STR("required. "));
    if (field->flags & NULLABLE || (what == SCHEMA_ANSWER && field->flags & MAY_LACK))
        buf_add(out, STR("may be null. "));
    if (field->flags & SECRET)
        buf_add(out, STR("shown once. "));
    if (field->doc)
        text_c(out, field->doc);
    buf_add(out, STR("</td></tr>\n"));
}

static bool shown(const struct field *field, enum schema_for what)
{
    if (field->flags & COLUMN_ONLY)
        return false;
    if (what == SCHEMA_ANSWER)
        return !(field->flags & WRITE_ONLY);
    return !(field->flags & READ_ONLY) && !(what == SCHEMA_PATCH && (field->flags & IMMUTABLE));
}

static void table_begin(struct buf *out, const char *caption)
{
    buf_add(out, STR("<div class=\"scroll\"><table><caption>"));
    text_c(out, caption);
    buf_add(out, STR("</caption><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Type</th>"
                     "<th scope=\"col\">Meaning</th></tr></thead><tbody>\n"));
}

static void table_end(struct buf *out)
{
    buf_add(out, STR("</tbody></table></div>\n"));
}

static void put_record(struct buf *out, const struct record *record, enum schema_for what,
                       const char *caption)
{
    table_begin(out, caption);
    for (size_t i = 0; i < record->count; i++) {
        if (shown(&record->fields[i], what))
            put_field(out, &record->fields[i], what);
    }
    table_end(out);
}

static void put_page_parameters(struct buf *out)
{
    buf_add(out, STR("<article id=\"pages\"><h3>Pages</h3>\n"));
    table_begin(out, "Parameters");
    for (size_t i = 0; i < page_parameter_count; i++) {
        buf_addf(out, "<tr><td><code>%s</code></td><td></td><td>", page_parameters[i].name);
        text_c(out, page_parameters[i].doc);
        buf_add(out, STR("</td></tr>\n"));
    }
    table_end(out);
    buf_add(out, STR("</article>\n"));
}

/* Records that many routes share stand once, at the end. */
struct shown_record {
    const struct record *record;
    enum schema_for what;
};

struct shown_records {
    struct shown_record at[SHOWN_MAX];
    size_t count;
};

static void put_record_name(struct buf *out, const struct shown_record *shown_record)
{
    static const char *const suffixes[] = {
        [SCHEMA_ANSWER] = "", [SCHEMA_BODY] = "Input", [SCHEMA_PATCH] = "Patch"};

    text_c(out, shown_record->record->name);
    text_c(out, suffixes[shown_record->what]);
}

static void put_link(struct buf *out, struct shown_records *records, const struct record *record,
                     enum schema_for what)
{
    struct shown_record wanted = {record, what};
    size_t i = 0;

    while (i < records->count && (records->at[i].record != record || records->at[i].what != what))
        i++;
    if (i == records->count && i < SHOWN_MAX)
        records->at[records->count++] = wanted;
    buf_add(out, STR("<a href=\"#record-"));
    put_record_name(out, &wanted);
    buf_add(out, STR("\">"));
    put_record_name(out, &wanted);
    buf_add(out, STR("</a>"));
}

static void put_records(struct buf *out, const struct shown_records *records)
{
    buf_add(out, STR("<section><h2 id=\"records\">Records</h2>\n"));
    for (size_t i = 0; i < records->count; i++) {
        buf_add(out, STR("<article id=\"record-"));
        put_record_name(out, &records->at[i]);
        buf_add(out, STR("\"><h3>"));
        put_record_name(out, &records->at[i]);
        buf_add(out, STR("</h3>\n"));
        put_record(out, records->at[i].record, records->at[i].what, "Fields");
        buf_add(out, STR("</article>\n"));
    }
    put_page_parameters(out);
    buf_add(out, STR("</section>\n"));
}

/* ------------------------------------------------------------------ routes */

static const char *answer_words(const struct route *route)
{
    static const char *const words[] = {
        [ANSWER_RECORD] = "200 and the record",
        [ANSWER_CREATED] = "201, Location and the record",
        [ANSWER_LIST] = "200 and a page of records",
        [ANSWER_EVENTS] = "200 and a page of events",
        [ANSWER_ROWS] = "200 and an answer for each row",
        [ANSWER_NONE] = "204",
        [ANSWER_OTHER] = "200 and ",
    };
    return words[route->answers];
}

static void put_records_of(struct buf *out, struct shown_records *records,
                           const struct route *route)
{
    if (route->body) {
        buf_add(out, route->flags & ROUTE_ROWS ? STR("<p>Rows of the body: ") : STR("<p>Body: "));
        put_link(out, records, route->body,
                 route->flags & ROUTE_PATCH ? SCHEMA_PATCH : SCHEMA_BODY);
        buf_add(out, STR("</p>\n"));
    }
    if (route->answer) {
        buf_add(out, STR("<p>Answer: "));
        put_link(out, records, route->answer, SCHEMA_ANSWER);
        if (route->flags & ROUTE_PAGED)
            buf_add(out, STR(", in <a href=\"#pages\">pages</a>"));
        buf_add(out, STR("</p>\n"));
    }
    if (route->query) {
        buf_add(out, STR("<details><summary>Query</summary>\n"));
        put_record(out, route->query, SCHEMA_BODY, "Parameters");
        buf_add(out, STR("</details>\n"));
    }
}

static void put_route(struct buf *out, struct shown_records *records,
                      const struct route_entry *entry)
{
    const struct route *route = entry->route;

    buf_add(out, STR("<article><h3><span class=\"method\">"));
    text_c(out, method_name(route->method));
    buf_add(out, STR("</span> <span class=\"path\">"));
    text(out, entry->path);
    buf_add(out, STR("</span></h3>\n<p>"));
    text_c(out, route->summary);
    buf_add(out, STR(". <span class=\"role\">"));
    text_c(out, role_name(route->role));
    if (route->role != ROLE_PUBLIC && route->role != ROLE_OPERATOR)
        buf_add(out, STR(" and up"));
    buf_add(out, STR("; answers "));
    text_c(out, answer_words(route));
    if (route->answers == ANSWER_OTHER)
        text_c(out, route->other_answer);
    buf_add(out, STR("</span></p>\n"));
    put_records_of(out, records, route);
    buf_add(out, STR("</article>\n"));
}

static bool begins_resource(const struct route_entry *entries, size_t index)
{
    return index == 0 || !str_equal(str_of(entries[index].resource->name),
                                    str_of(entries[index - 1].resource->name));
}

static void put_anchor(struct buf *out, const struct resource *resource)
{
    for (const char *c = resource->name; *c; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        buf_add_char(out, plain ? *c : '-');
    }
}

enum err docs_make(const struct router *router, struct buf *out, struct error *error)
{
    size_t count;
    const struct route_entry *entries = router_entries(router, &count);
    struct shown_records *records = calloc(1, sizeof(*records));

    buf_init(out, NULL, DOCS_MAX);
    if (!records)
        return error_set(error, ERR_INTERNAL, "There is no memory for /docs.");
    buf_add(out,
            STR("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<title>Touchpoint API</title>\n<link rel=\"stylesheet\" href=\"/docs.css\">\n"
                "</head><body>\n<header><h1>Touchpoint API</h1>\n"
                "<p>Version " TOUCHPOINT_VERSION ". Made from the tables that the server itself "
                "works by; for programs it stands at <a href=\"/openapi.json\">/openapi.json</a>."
                "</p></header>\n<nav aria-label=\"Resources\"><ul>\n"));
    for (size_t i = 0; i < count; i++) {
        if (begins_resource(entries, i)) {
            buf_add(out, STR("<li><a href=\"#"));
            put_anchor(out, entries[i].resource);
            buf_add(out, STR("\">"));
            text_c(out, entries[i].resource->name);
            buf_add(out, STR("</a></li>\n"));
        }
    }
    buf_add(out, STR("<li><a href=\"#records\">records</a></li>\n</ul></nav>\n<main>\n"));
    for (size_t i = 0; i < count; i++) {
        if (begins_resource(entries, i)) {
            buf_add(out, i == 0 ? STR("<section>") : STR("</section>\n<section>"));
            buf_add(out, STR("<h2 id=\""));
            put_anchor(out, entries[i].resource);
            buf_add(out, STR("\">"));
            text_c(out, entries[i].resource->name);
            buf_add(out, STR("</h2>\n"));
        }
        put_route(out, records, &entries[i]);
    }
    buf_add(out, STR("</section>\n"));
    put_records(out, records);
    buf_add(out, STR("</main></body></html>\n"));
    free(records);
    if (buf_failed(out))
        return error_set(error, ERR_INTERNAL, "/docs is larger than it may be.");
    return OK;
}
