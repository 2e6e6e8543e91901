#include "json/record.h"

#include <string.h>

#define CSV_HIDDEN (WRITE_ONLY | COLUMN_ONLY | SECRET)

/* RFC 4180 §2: what holds a quote, a comma or a line end stands in quotes. */
static void add_cell(struct buf *out, struct str text)
{
    bool plain = true;

    for (size_t i = 0; i < text.len && plain; i++)
        plain =
            text.ptr[i] != '"' && text.ptr[i] != ',' && text.ptr[i] != '\r' && text.ptr[i] != '\n';
    if (plain) {
        buf_add(out, text);
        return;
    }
    buf_add_char(out, '"');
    while (text.ptr) {
        struct str head;

        text = str_cut(text, '"', &head);
        buf_add(out, head);
        if (text.ptr)
            buf_add(out, STR("\"\""));
    }
    buf_add_char(out, '"');
}

/* +491701234567, -5: no formula, whatever column it stands in. */
static bool is_signed_number(struct str text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && text.ptr[i] != ' ' && text.ptr[i] != '.')
            return false;
    }
    return text.len > 1 && (text.ptr[0] == '+' || text.ptr[0] == '-');
}

/* Whether a spreadsheet would run it. Customers write some of these texts, and whoever opens the
 * table trusts it. */
static bool is_formula(struct str text)
{
    return text.len > 0 && memchr("=+-@\t\r", text.ptr[0], 6) && !is_signed_number(text);
}

/* What somebody wrote: an apostrophe before a formula makes it a text. */
static void add_text_cell(struct buf *out, struct str text)
{
    struct buf guarded;

    if (!is_formula(text)) {
        add_cell(out, text);
        return;
    }
    buf_init(&guarded, NULL, text.len + 1);
    buf_add_char(&guarded, '\'');
    buf_add(&guarded, text);
    if (buf_failed(&guarded))
        out->failed = true;
    add_cell(out, buf_str(&guarded));
    buf_clear(&guarded);
}

/* A value that only its JSON writer knows: null is empty, a text is what it says. */
static void add_json_cell(struct buf *out, struct str json)
{
    struct buf text;

    if (str_is(json, "null"))
        return;
    if (json.len == 0 || json.ptr[0] != '"') {
        add_cell(out, json);
        return;
    }
    buf_init(&text, NULL, json.len);
    json_raw_text(json, &text);
    if (buf_failed(&text))
        out->failed = true;
    add_text_cell(out, buf_str(&text));
    buf_clear(&text);
}

static void add_list_cell(struct buf *out, const struct field *field, const struct list *list)
{
    struct buf joined;

    buf_init(&joined, NULL, out->max);
    for (size_t i = 0; i < list->count; i++) {
        char id[UUID_TEXT_LEN];

        if (i > 0)
            buf_add(&joined, STR("; "));
        if (field->of == F_TEXT) {
            buf_add(&joined, *LIST_AT(*list, struct str, i));
        } else if (field->of == F_ENUM) {
            buf_add(&joined, str_of(enum_name(field->names, *LIST_AT(*list, int, i))));
        } else {
            uuid_format(*LIST_AT(*list, struct uuid, i), id);
            buf_add(&joined, (struct str){id, sizeof(id)});
        }
    }
    if (buf_failed(&joined))
        out->failed = true;
    add_text_cell(out, buf_str(&joined));
    buf_clear(&joined);
}

static void add_field(struct buf *out, const struct field *field, const void *record)
{
    const void *member = (const char *)record + field->offset;
    struct json_out writer;
    struct buf json;

    if (field_is_null(field, record))
        return;
    if (field->type == F_TEXT) {
        add_text_cell(out, *(const struct str *)member);
        return;
    }
    if (field->type == F_LIST && field->of != F_OBJECT) {
        add_list_cell(out, field, member);
        return;
    }
    buf_init(&json, NULL, out->max);
    json_out_init(&writer, &json);
    field_encode(field, record, &writer);
    if (buf_failed(&json))
        out->failed = true;
    add_json_cell(out, buf_str(&json));
    buf_clear(&json);
}

void record_csv_header(const struct record *record, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].flags & CSV_HIDDEN)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        add_cell(out, str_of(record->fields[i].name));
    }
    buf_add(out, STR("\r\n"));
}

void record_csv_row(const struct record *record, const void *value, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].flags & CSV_HIDDEN)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        add_field(out, &record->fields[i], value);
    }
    buf_add(out, STR("\r\n"));
}
