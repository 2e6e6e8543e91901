#include "json/record.h"

#include <string.h>

static void encode_record(const struct record *record, const void *value, bool with_secrets,
                          struct json_out *out);

static void encode_list(const struct field *field, const struct list *list, bool with_secrets,
                        struct json_out *out)
{
    json_array_begin(out);
    for (size_t i = 0; i < list->count; i++) {
        switch (field->of) {
        case F_TEXT:
            json_text(out, *LIST_AT(*list, struct str, i));
            break;
        case F_UUID:
            json_uuid(out, *LIST_AT(*list, struct uuid, i));
            break;
        case F_ENUM:
            json_text(out, str_of(enum_name(field->names, *LIST_AT(*list, int, i))));
            break;
        default:
            encode_record(field->record, (const char *)list->items + i * field->record->size,
                          with_secrets, out);
        }
    }
    json_array_end(out);
}

static void encode_field(const struct field *field, const void *record, bool with_secrets,
                         struct json_out *out)
{
    const void *member = (const char *)record + field->offset;

    if (field_is_null(field, record)) {
        json_nil(out);
        return;
    }
    switch (field->type) {
    case F_UUID:
        json_uuid(out, *(const struct uuid *)member);
        return;
    case F_TEXT:
        json_text(out, *(const struct str *)member);
        return;
    case F_ENUM:
        json_text(out, str_of(enum_name(field->names, *(const int *)member)));
        return;
    case F_BOOL:
        json_bool(out, *(const bool *)member);
        return;
    case F_INT:
        json_int(out, field->flags & NULLABLE ? ((const struct maybe_int *)member)->value
                                              : *(const int64_t *)member);
        return;
    case F_TIME:
        json_time(out, field->flags & NULLABLE ? ((const struct maybe_int *)member)->value
                                               : *(const int64_t *)member);
        return;
    case F_REAL:
        json_double(out, field->flags & NULLABLE ? ((const struct maybe_real *)member)->value
                                                 : *(const double *)member);
        return;
    case F_JSON:
        json_raw(out, *(const struct str *)member);
        return;
    case F_LIST:
        encode_list(field, member, with_secrets, out);
        return;
    case F_OBJECT:
        encode_record(field->record, member, with_secrets, out);
        return;
    case F_VIEW:
        field->put(out, record);
        return;
    }
}

static void encode_record(const struct record *record, const void *value, bool with_secrets,
                          struct json_out *out)
{
    unsigned hidden = WRITE_ONLY | COLUMN_ONLY | (with_secrets ? 0U : (unsigned)SECRET);

    json_object_begin(out);
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];

        if (field->flags & hidden)
            continue;
        if (field->flags & OMIT_NULL && field_is_null(field, value))
            continue;
        if (field->key.ptr)
            json_key_raw(out, field->key);
        else
            json_key(out, str_of(field->name));
        encode_field(field, value, with_secrets, out);
    }
    json_object_end(out);
}

void record_encode(const struct record *record, const void *value, bool with_secrets,
                   struct json_out *out)
{
    encode_record(record, value, with_secrets, out);
}

void field_encode(const struct field *field, const void *record, struct json_out *out)
{
    encode_field(field, record, true, out);
}

void list_encode(const struct field *field, const struct list *list, struct json_out *out)
{
    encode_list(field, list, true, out);
}
