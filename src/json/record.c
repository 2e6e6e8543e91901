#include "json/record.h"

#include <stdio.h>
#include <string.h>

/* Past it, comparing each item with each other would take too long. */
#define UNIQUE_ITEMS_MAX 1000

const char *field_column(const struct field *field)
{
    return field->column ? field->column : field->name;
}

void *field_member(const struct field *field, void *record)
{
    return (char *)record + field->offset;
}

static const void *member_of(const struct field *field, const void *record)
{
    return (const char *)record + field->offset;
}

const struct field *record_field(const struct record *record, struct str json_name)
{
    if (json_name.len == 0)
        return NULL;
    for (size_t i = 0; i < record->count; i++) {
        const char *name = record->fields[i].name;

        if (name[0] == json_name.ptr[0] && str_is(json_name, name))
            return &record->fields[i];
    }
    return NULL;
}

const char *enum_name(const struct enum_names *names, int value)
{
    return value >= 1 && (size_t)value <= names->count ? names->names[value - 1] : NULL;
}

int enum_value(const struct enum_names *names, struct str name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_is(name, names->names[i]))
            return (int)i + 1;
    }
    for (size_t i = 0; i < names->alias_count; i++) {
        if (str_is(name, names->aliases[i].name))
            return names->aliases[i].value;
    }
    return 0;
}

static bool bit_of(const struct given *given, size_t index)
{
    return given->bits[index / 64] >> (index % 64) & 1;
}

bool given_has(const struct given *given, const struct record *record, const char *field_name)
{
    const struct field *field = record_field(record, str_of(field_name));

    return field && bit_of(given, (size_t)(field - record->fields));
}

bool given_any(const struct given *given)
{
    for (size_t i = 0; i < COUNT_OF(given->bits); i++) {
        if (given->bits[i])
            return true;
    }
    return false;
}

static bool real_same(double a, double b)
{
    return !(a < b) && !(a > b);
}

/* Null, zero, false or empty; an empty text is something. */
static bool is_blank(const struct field *field, const void *record)
{
    const void *member = member_of(field, record);

    switch (field->type) {
    case F_BOOL:
        return !*(const bool *)member;
    case F_INT:
    case F_TIME:
        return field->flags & NULLABLE ? !((const struct maybe_int *)member)->set
                                       : *(const int64_t *)member == 0;
    case F_REAL:
        return field->flags & NULLABLE ? !((const struct maybe_real *)member)->set
                                       : real_same(*(const double *)member, 0);
    case F_LIST:
        return ((const struct list *)member)->count == 0;
    case F_OBJECT:
        for (size_t i = 0; i < field->record->count; i++) {
            if (!is_blank(&field->record->fields[i], member))
                return false;
        }
        return true;
    case F_VIEW:
        return true;
    default:
        return field_is_null(field, record);
    }
}

bool field_takes_null(const struct field *field, bool patch)
{
    const bool is_list = field->type == F_LIST || (field->type == F_VIEW && field->of != 0);

    return (field->flags & NULLABLE) ||
           (patch && is_list && !(field->flags & REQUIRED) && field->min == 0);
}

bool field_is_null(const struct field *field, const void *record)
{
    const void *member = member_of(field, record);

    switch (field->type) {
    case F_UUID:
        return uuid_is_none(*(const struct uuid *)member);
    case F_TEXT:
    case F_JSON:
        return !((const struct str *)member)->ptr;
    case F_ENUM:
        return *(const int *)member == 0;
    case F_INT:
    case F_TIME:
    case F_REAL:
    case F_OBJECT:
        return field->flags & NULLABLE && is_blank(field, record);
    default:
        return false;
    }
}

static bool text_same(struct str a, struct str b)
{
    return !a.ptr == !b.ptr && str_equal(a, b);
}

static bool list_same(const struct field *field, const struct list *a, const struct list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        struct given difference;

        switch (field->of) {
        case F_TEXT:
            if (!text_same(*LIST_AT(*a, struct str, i), *LIST_AT(*b, struct str, i)))
                return false;
            break;
        case F_UUID:
            if (!uuid_equal(*LIST_AT(*a, struct uuid, i), *LIST_AT(*b, struct uuid, i)))
                return false;
            break;
        case F_ENUM:
            if (*LIST_AT(*a, int, i) != *LIST_AT(*b, int, i))
                return false;
            break;
        default:
            difference =
                record_difference(field->record, (const char *)a->items + i * field->record->size,
                                  (const char *)b->items + i * field->record->size);
            if (given_any(&difference))
                return false;
        }
    }
    return true;
}

/* Without memory to tell they count as different: an edit too many harms nobody. */
static bool view_same(const struct field *field, const void *a, const void *b)
{
    struct buf texts[2];
    bool same;

    for (size_t i = 0; i < 2; i++) {
        struct json_out out;

        buf_init(&texts[i], NULL, ANSWER_MAX);
        json_out_init(&out, &texts[i]);
        field->put(&out, i == 0 ? a : b);
    }
    same = !buf_failed(&texts[0]) && !buf_failed(&texts[1]) &&
           str_equal(buf_str(&texts[0]), buf_str(&texts[1]));
    buf_clear(&texts[0]);
    buf_clear(&texts[1]);
    return same;
}

static bool field_same(const struct field *field, const void *record_a, const void *record_b)
{
    const void *a = member_of(field, record_a), *b = member_of(field, record_b);
    struct given difference;

    switch (field->type) {
    case F_UUID:
        return uuid_equal(*(const struct uuid *)a, *(const struct uuid *)b);
    case F_TEXT:
    case F_JSON:
        return text_same(*(const struct str *)a, *(const struct str *)b);
    case F_ENUM:
        return *(const int *)a == *(const int *)b;
    case F_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case F_INT:
    case F_TIME:
        if (field->flags & NULLABLE) {
            const struct maybe_int *x = a, *y = b;

            return x->set == y->set && (!x->set || x->value == y->value);
        }
        return *(const int64_t *)a == *(const int64_t *)b;
    case F_REAL:
        if (field->flags & NULLABLE) {
            const struct maybe_real *x = a, *y = b;

            return x->set == y->set && (!x->set || real_same(x->value, y->value));
        }
        return real_same(*(const double *)a, *(const double *)b);
    case F_LIST:
        return list_same(field, a, b);
    case F_OBJECT:
        difference = record_difference(field->record, a, b);
        return !given_any(&difference);
    case F_VIEW:
        return !field->put || !field->take || view_same(field, record_a, record_b);
    }
    return false;
}

struct given record_difference(const struct record *record, const void *a, const void *b)
{
    struct given difference = {0};

    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];

        if (!(field->flags & (READ_ONLY | SUMMARY)) && !field_same(field, a, b))
            difference.bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return difference;
}

static enum err merge_json(const struct field *field, const struct str *patch, struct str *current,
                           struct arena *arena, struct error *error)
{
    struct error why;

    why.fault_count = 0;
    if (json_merge(arena, *current, *patch, FREE_JSON_MAX, current, &why) == OK)
        return OK;
    if (arena_exhausted(arena))
        return error_set(error, ERR_TOO_LARGE, "The request takes too much memory.");
    return error_fault(error, field->name, "too_long", "must be at most %zu bytes long when merged",
                       FREE_JSON_MAX);
}

enum err record_merge(const struct record *record, const struct given *given, const void *patch,
                      void *current, struct arena *arena, struct error *error)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];
        const struct given_object *object = NULL;

        if (!bit_of(given, i))
            continue;
        if (field->type == F_JSON && !field_is_null(field, patch)) {
            TRY(merge_json(field, member_of(field, patch), field_member(field, current), arena,
                           error));
            continue;
        }
        if (field->type == F_OBJECT) {
            object = given->objects;
            while (object && object->field != i)
                object = object->next;
        }
        if (object)
            TRY(record_merge(field->record, &object->given, member_of(field, patch),
                             field_member(field, current), arena, error));
        else if (field->size > 0)
            memcpy(field_member(field, current), member_of(field, patch), field->size);
    }
    return OK;
}

static size_t size_of_type(const struct field *field)
{
    bool nullable = field->flags & NULLABLE;

    switch (field->type) {
    case F_UUID:
        return sizeof(struct uuid);
    case F_TEXT:
    case F_JSON:
        return sizeof(struct str);
    case F_ENUM:
        return sizeof(int);
    case F_BOOL:
        return sizeof(bool);
    case F_INT:
    case F_TIME:
        return nullable ? sizeof(struct maybe_int) : sizeof(int64_t);
    case F_REAL:
        return nullable ? sizeof(struct maybe_real) : sizeof(double);
    case F_LIST:
        return sizeof(struct list);
    case F_OBJECT:
        return field->record ? field->record->size : 0;
    case F_VIEW:
        return field->size;
    }
    return 0;
}

static const char *names_fault(const struct enum_names *names)
{
    if (!names || !names->names || names->count == 0)
        return "an enum needs names";
    for (size_t i = 0; i < names->alias_count; i++) {
        if (!enum_name(names, names->aliases[i].value))
            return "an alias names no value";
    }
    return NULL;
}

static const char *list_fault(const struct field *field)
{
    switch (field->of) {
    case F_TEXT:
    case F_UUID:
        break;
    case F_ENUM:
        if (names_fault(field->names))
            return names_fault(field->names);
        break;
    case F_OBJECT:
        if (!field->record)
            return "a list of objects needs their record";
        if (field->unique)
            return "objects of a list cannot be told apart: .unique is for texts, ids and enums";
        break;
    default:
        return "a list says in .of what it is of: F_TEXT, F_UUID, F_ENUM or F_OBJECT";
    }
    if (field->unique && (field->max == 0 || field->max > UNIQUE_ITEMS_MAX))
        return "a list of unique items needs a maximum of at most 1000";
    return NULL;
}

static const char *type_fault(const struct field *field)
{
    unsigned flags = field->flags;

    if (field->type < F_UUID || field->type > F_VIEW)
        return "unknown type";
    if (field->type == F_OBJECT && !field->record)
        return "an object needs its record";
    if (field->size != size_of_type(field))
        return "the member's size is not that of the type (NULLABLE numbers are maybe_int, "
               "maybe_real)";
    if (field->max < field->min)
        return "the maximum is less than the minimum";
    if (field->type == F_ENUM && names_fault(field->names))
        return names_fault(field->names);
    if (field->type == F_LIST && list_fault(field))
        return list_fault(field);
    if (field->format && field->type != F_TEXT && !(field->type == F_LIST && field->of == F_TEXT))
        return "a format is for texts";
    if (field->type == F_BOOL && flags & NULLABLE)
        return "a bool cannot be null";
    if (flags & REQUIRED && flags & (NULLABLE | READ_ONLY))
        return "REQUIRED is neither NULLABLE nor READ_ONLY";
    if (flags & READ_ONLY && flags & (WRITE_ONLY | IMMUTABLE))
        return "READ_ONLY is neither WRITE_ONLY nor IMMUTABLE";
    if (flags & COLUMN_ONLY && flags & NO_COLUMN)
        return "neither in JSON nor in the row";
    if (field->type != F_VIEW)
        return NULL;
    if (!field->put && !(flags & WRITE_ONLY))
        return "a view needs .put";
    if (!field->take && flags & (REQUIRED | WRITE_ONLY))
        return "a view that is given needs .take";
    if (field->take && field->size == 0 && !(flags & IMMUTABLE))
        return "a view that a patch may give says which member it fills (VIEW_OF)";
    if (flags & OMIT_NULL)
        return "a view is always written";
    if (!field->schema)
        return "a view needs its schema";
    return NULL;
}

/* The words of the fault, with the field's name before them. One buffer for each thread
 * is enough: the caller says it and stops. */
static const char *say(const struct record *record, const struct field *field, const char *fault)
{
    static _Thread_local char words[256];

    snprintf(words, sizeof(words), "%s.%s: %s", record->name, field->name ? field->name : "?",
             fault);
    return words;
}

const char *record_fault(const struct record *record)
{
    static const struct field none = {.name = "*"};

    if (!record->name || record->size == 0)
        return "a record needs a name and a size";
    if (record->count > FIELDS_MAX)
        return say(record, &none, "too many fields (FIELDS_MAX)");
    for (size_t i = 0; i < record->count; i++) {
        const struct field *field = &record->fields[i];
        const char *fault;

        if (!field->name || !field->name[0])
            return say(record, field, "a field needs a name");
        if (field->offset + field->size > record->size)
            return say(record, field, "the member is not inside the record");
        fault = type_fault(field);
        if (fault)
            return say(record, field, fault);
        for (size_t j = 0; j < i; j++) {
            const struct field *other = &record->fields[j];

            if (!(field->flags & COLUMN_ONLY) && !(other->flags & COLUMN_ONLY) &&
                strcmp(field->name, other->name) == 0)
                return say(record, field, "the name is there twice");
            if (!(field->flags & NO_COLUMN) && !(other->flags & NO_COLUMN) &&
                strcmp(field_column(field), field_column(other)) == 0)
                return say(record, field, "the column is there twice");
        }
        if (field->record && record_fault(field->record))
            return record_fault(field->record);
    }
    return NULL;
}

enum err list_append(struct arena *arena, struct list *list, const struct list *more,
                     size_t item_size, struct error *error)
{
    char *items;

    if (list->count == 0) {
        *list = *more;
        return OK;
    }
    if (more->count == 0)
        return OK;
    items = arena_array(arena, list->count + more->count, item_size);
    if (!items)
        return error_set(error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    memcpy(items, list->items, list->count * item_size);
    memcpy(items + list->count * item_size, more->items, more->count * item_size);
    *list = (struct list){items, list->count + more->count};
    return OK;
}
