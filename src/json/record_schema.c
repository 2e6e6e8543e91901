#include "json/record.h"

#include <string.h>

static void add_type(const char *type, bool nullable, struct json_out *out)
{
    JSON_KEY(out, "type");
    if (!nullable) {
        json_text(out, str_of(type));
        return;
    }
    json_array_begin(out);
    json_text(out, str_of(type));
    json_text(out, STR("null"));
    json_array_end(out);
}

static void add_format(const char *format, struct json_out *out)
{
    JSON_KEY(out, "format");
    json_text(out, str_of(format));
}

static void add_bound(const char *key, int64_t value, struct json_out *out)
{
    json_key(out, str_of(key));
    json_int(out, value);
}

/* Bodies may say an alias; answers never do. */
static void add_enum(const struct enum_names *names, enum schema_for what, bool nullable,
                     struct json_out *out)
{
    JSON_KEY(out, "enum");
    json_array_begin(out);
    for (size_t i = 0; i < names->count; i++)
        json_text(out, str_of(names->names[i]));
    for (size_t i = 0; i < names->alias_count && what != SCHEMA_ANSWER; i++)
        json_text(out, str_of(names->aliases[i].name));
    if (nullable)
        json_nil(out);
    json_array_end(out);
}

static void add_text(const struct field *field, int64_t min, int64_t max, struct json_out *out)
{
    if (field->format)
        add_format(field->format->name, out);
    if (min > 0)
        add_bound("minLength", min, out);
    if (max > 0)
        add_bound("maxLength", max, out);
}

static void add_range(const struct field *field, struct json_out *out)
{
    if (field->min == 0 && field->max == 0)
        return;
    if (field->min != INT64_MIN)
        add_bound("minimum", field->min, out);
    if (field->max != INT64_MAX)
        add_bound("maximum", field->max, out);
}

static void add_record(const struct record *record, enum schema_for what, bool nullable,
                       struct json_out *out);

static void add_items(const struct field *field, enum schema_for what, struct json_out *out)
{
    /* An item is whole, also in a patch. */
    enum schema_for whole = what == SCHEMA_PATCH ? SCHEMA_BODY : what;

    JSON_KEY(out, "items");
    json_object_begin(out);
    switch (field->of) {
    case F_UUID:
        add_type("string", false, out);
        add_format("uuid", out);
        break;
    case F_ENUM:
        add_type("string", false, out);
        add_enum(field->names, whole, false, out);
        break;
    case F_OBJECT:
        add_record(field->record, whole, false, out);
        break;
    default:
        add_type("string", false, out);
        add_text(field, 1, LIST_TEXT_MAX, out);
    }
    json_object_end(out);
    if (field->min > 0 && what != SCHEMA_ANSWER) /* one that nobody gave is answered empty */
        add_bound("minItems", field->min, out);
    if (field->max > 0)
        add_bound("maxItems", field->max, out);
    if (field->unique) {
        JSON_KEY(out, "uniqueItems");
        json_bool(out, true);
    }
}

static void add_value(const struct field *field, enum schema_for what, struct json_out *out)
{
    /* A list is never answered as null, but a patch may clear it so. */
    bool nullable = what != SCHEMA_ANSWER ? field_takes_null(field, what == SCHEMA_PATCH)
                                          : (field->flags & NULLABLE && field->type != F_LIST) ||
                                                field->flags & MAY_LACK;

    switch (field->type) {
    case F_UUID:
        add_type("string", nullable, out);
        add_format("uuid", out);
        break;
    case F_TEXT:
        add_type("string", nullable, out);
        add_text(field, field->min, field->max, out);
        break;
    case F_ENUM:
        add_type("string", nullable, out);
        add_enum(field->names, what, nullable, out);
        break;
    case F_BOOL:
        add_type("boolean", false, out);
        break;
    case F_INT:
        add_type("integer", nullable, out);
        add_format("int64", out);
        add_range(field, out);
        break;
    case F_TIME:
        add_type("string", nullable, out);
        add_format("date-time", out);
        break;
    case F_REAL:
        add_type("number", nullable, out);
        add_range(field, out);
        break;
    case F_JSON:
        add_type("object", nullable, out);
        break;
    case F_LIST:
        add_type("array", nullable, out);
        add_items(field, what, out);
        break;
    case F_OBJECT:
        add_record(field->record, what, nullable, out);
        break;
    case F_VIEW:
        break;
    }
}

void field_schema(const struct field *field, enum schema_for what, struct json_out *out)
{
    struct str view = field->type == F_VIEW ? str_of(field->schema) : STR_NULL;
    /* One that is NULLABLE says null in its own schema. */
    bool clears = view.ptr && !(field->flags & NULLABLE) && what == SCHEMA_PATCH &&
                  field_takes_null(field, true);

    if (view.ptr && !clears && !field->doc && !field->example) {
        json_raw(out, view);
        return;
    }
    json_object_begin(out);
    if (view.ptr) { /* beside the view's own words */
        json_key(out, clears ? STR("anyOf") : STR("allOf"));
        json_array_begin(out);
        json_raw(out, view);
        if (clears)
            json_raw(out, STR("{\"type\":\"null\"}"));
        json_array_end(out);
    }
    add_value(field, what, out);
    if (field->doc) {
        JSON_KEY(out, "description");
        json_text(out, str_of(field->doc));
    }
    if (field->example) {
        JSON_KEY(out, "examples");
        json_array_begin(out);
        json_raw(out, str_of(field->example));
        json_array_end(out);
    }
    json_object_end(out);
}

static bool is_shown(const struct field *field, enum schema_for what)
{
    if (field->flags & COLUMN_ONLY)
        return false;
    if (what == SCHEMA_ANSWER)
        return !(field->flags & WRITE_ONLY);
    if (field->flags & READ_ONLY || (field->type == F_VIEW && !field->take))
        return false;
    return what != SCHEMA_PATCH || !(field->flags & IMMUTABLE);
}

static bool is_required(const struct field *field, enum schema_for what)
{
    if (!is_shown(field, what) || what == SCHEMA_PATCH)
        return false;
    return what == SCHEMA_ANSWER ? !(field->flags & (OMIT_NULL | SECRET))
                                 : (field->flags & REQUIRED) != 0;
}

static void add_record(const struct record *record, enum schema_for what, bool nullable,
                       struct json_out *out)
{
    bool any = false;

    add_type("object", nullable, out);
    JSON_KEY(out, "properties");
    json_object_begin(out);
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];

        if (!is_shown(field, what))
            continue;
        json_key(out, str_of(field->name));
        field_schema(field, what, out);
        any = any || is_required(field, what);
    }
    json_object_end(out);
    if (any) {
        JSON_KEY(out, "required");
        json_array_begin(out);
        for (size_t i = 0; i < record->count; i++) {
            if (is_required(&record->fields[i], what))
                json_text(out, str_of(record->fields[i].name));
        }
        json_array_end(out);
    }
    JSON_KEY(out, "additionalProperties");
    json_bool(out, false);
}

void record_schema(const struct record *record, enum schema_for what, struct json_out *out)
{
    json_object_begin(out);
    add_record(record, what, false, out);
    json_object_end(out);
}
