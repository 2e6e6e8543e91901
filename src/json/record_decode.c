#include "json/record.h"

#include "base/time.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 192 /* more than a fault keeps: error_fault() cuts UTF-8 where it may */
#define MESSAGE_MAX_BYTES sizeof(((struct fault *)0)->message)
#define REAL_TEXT_MAX 64
#define NO_ITEM SIZE_MAX
#define NAME_MAX_BYTES 64 /* of a field that we look for similar ones to */

/* Where in the input we are. The path is put together only when something is wrong. */
struct place {
    const struct decoding *in;
    const char *name;
    size_t item;
};

static const char *path_before(const struct decoding *in)
{
    return in->path ? in->path : "";
}

static void place_path(const struct place *place, const char *end, char out[PATH_MAX_BYTES])
{
    const char *before = path_before(place->in);

    if (place->item == NO_ITEM)
        snprintf(out, PATH_MAX_BYTES, "%s%s%s", before, place->name, end);
    else
        snprintf(out, PATH_MAX_BYTES, "%s%s[%zu]%s", before, place->name, place->item, end);
}

static enum err fault(const struct place *place, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err fault(const struct place *place, const char *code, const char *format, ...)
{
    char path[PATH_MAX_BYTES], message[MESSAGE_MAX_BYTES];
    va_list args;

    place_path(place, "", path);
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return error_fault(place->in->error, path, code, "%s", message);
}

enum err decoding_fault(const struct decoding *in, const char *name, const char *code,
                        const char *format, ...)
{
    char path[PATH_MAX_BYTES], message[MESSAGE_MAX_BYTES];
    struct place place = {in, name, NO_ITEM};
    va_list args;

    place_path(&place, "", path);
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return error_fault(in->error, path, code, "%s", message);
}

static enum err no_memory(const struct decoding *in)
{
    return error_set(in->error, ERR_TOO_LARGE, "The request takes too much memory.");
}

/* Faults are gathered: only what is worse than a fault ends the decoding. */
#define GATHER(result, call)                                                                       \
    do {                                                                                           \
        enum err gathered_ = (call);                                                               \
        if (gathered_ != OK && gathered_ != ERR_INVALID)                                           \
            return gathered_;                                                                      \
        if (gathered_ != OK)                                                                       \
            (result) = ERR_INVALID;                                                                \
    } while (0)

/* --- Unknown fields ------------------------------------------------------------------ */

/* Levenshtein's distance, for short names. */
static size_t distance(struct str a, struct str b)
{
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = corner + (a.ptr[i - 1] != b.ptr[j - 1]);

            corner = row[j];
            if (corner + 1 < best)
                best = corner + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

static const char *similar_name(const struct record *record, struct str name)
{
    size_t best = name.len < 4 ? 2 : 3; /* at most 1 or 2 off */
    const char *found = NULL;

    for (size_t i = 0; i < record->count && name.len <= NAME_MAX_BYTES; i++) {
        struct str other = str_of(record->fields[i].name);
        size_t off;

        if (record->fields[i].flags & (COLUMN_ONLY | READ_ONLY) || other.len > NAME_MAX_BYTES)
            continue;
        off = distance(name, other);
        if (off < best && off < name.len) {
            best = off;
            found = record->fields[i].name;
        }
    }
    return found;
}

/* The name goes back into the answer: without control characters, and not all of it. */
static enum err unknown_field(const struct record *record, struct str name,
                              const struct decoding *in)
{
    char shown[NAME_MAX_BYTES];
    const char *similar = similar_name(record, name);
    size_t len = name.len < sizeof(shown) ? name.len : sizeof(shown) - 1;
    struct place place = {in, shown, NO_ITEM};

    while (len > 0 && len < name.len && ((unsigned char)name.ptr[len] & 0xC0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        shown[i] = (unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7F ? '?' : name.ptr[i];
    shown[len] = '\0';
    if (similar)
        return fault(&place, "unknown_field", "is not a field of %s (did you mean %s?)",
                     record->name, similar);
    return fault(&place, "unknown_field", "is not a field of %s", record->name);
}

/* A hidden column is no field to the outside. */
static const struct field *find_field(const struct record *record, struct str name)
{
    const struct field *field = record_field(record, name);

    while (field && field->flags & COLUMN_ONLY) { /* one that is shown may have the same name */
        const struct field *end = record->fields + record->count;

        for (field++; field < end && !str_is(name, field->name); field++)
            ;
        if (field == end)
            field = NULL;
    }
    return field;
}

/* --- Texts --------------------------------------------------------------------------- */

struct text_look {
    size_t code_points;
    bool control;  /* any that a text of several lines may not hold */
    bool line_end; /* tab, line end, or any other control character */
};

/* `text` is UTF-8. */
static struct text_look look_at(struct str text)
{
    struct text_look look = {0};

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        look.code_points += (c & 0xC0) != 0x80;
        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t')
            look.control = true;
        if (c < 0x20 || c == 0x7F)
            look.line_end = true;
        if (c == 0xC2 && (unsigned char)text.ptr[i + 1] < 0xA0) /* C1 */
            look.line_end = true;
        if (c == 0xE2 && (unsigned char)text.ptr[i + 1] == 0x80 &&
            ((unsigned char)text.ptr[i + 2] & 0xFE) == 0xA8) /* U+2028, U+2029 */
            look.line_end = true;
    }
    return look;
}

static enum err length_fault(const struct place *place, const char *code, int64_t min, int64_t max)
{
    if (min == max)
        return fault(place, code, "must be exactly %lld characters long", (long long)min);
    if (min == 0)
        return fault(place, code, "must be at most %lld characters long", (long long)max);
    return fault(place, code, "must be %lld to %lld characters long", (long long)min,
                 (long long)max);
}

static enum err take_text(const struct field *field, struct str text, int64_t min, int64_t max,
                          const struct place *place, struct str *out)
{
    struct text_look look = look_at(text);

    if (!place->in->stored) {
        if (min != 0 || max != 0) {
            if ((int64_t)look.code_points < min)
                return length_fault(place, "too_short", min, max);
            if ((int64_t)look.code_points > max)
                return length_fault(place, "too_long", min, max);
        }
        if (field->flags & ONE_LINE && (look.line_end || look.control))
            return fault(place, "bad_format", "must be a single line without control characters");
        if (look.control)
            return fault(place, "bad_format", "must not contain control characters");
        if (field->format && !field->format->check(text))
            return fault(place, "bad_format", "%s", field->format->message);
    }
    *out = str_copy(place->in->arena, text);
    return out->ptr ? OK : no_memory(place->in);
}

static enum err take_uuid(struct str text, const struct place *place, struct uuid *out)
{
    if (uuid_parse(text, out))
        return OK;
    return fault(place, "bad_format", "must be a UUID");
}

static enum err take_enum(const struct enum_names *names, struct str text,
                          const struct place *place, int *out)
{
    char list[MESSAGE_MAX_BYTES];
    size_t len = 0;

    *out = enum_value(names, text);
    if (*out)
        return OK;
    for (size_t i = 0; i < names->count; i++) {
        size_t need = strlen(names->names[i]) + 2;

        if (len + need + sizeof("must be one of: …") > sizeof(list)) {
            memcpy(list + len, "…", sizeof("…"));
            return fault(place, "not_one_of", "must be one of: %s", list);
        }
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", names->names[i],
                                i + 1 < names->count ? ", " : "");
    }
    return fault(place, "not_one_of", "must be one of: %s", list);
}

static enum err take_time(struct str text, const struct place *place, int64_t *out)
{
    if (time_parse(text, out) && *out >= TIME_MIN_US && *out <= TIME_MAX_US)
        return OK;
    return fault(place, "bad_format",
                 "must be a time with its offset from UTC, like 2026-01-31T09:30:00Z");
}

/* --- Numbers ------------------------------------------------------------------------- */

static enum err range_fault(const struct field *field, const struct place *place, bool small)
{
    const char *code = small ? "too_small" : "too_large";

    if (!small && (field->min == 0 || field->min == INT64_MIN))
        return fault(place, code, "must be at most %lld", (long long)field->max);
    if (field->max == INT64_MAX)
        return fault(place, code, "must be at least %lld", (long long)field->min);
    return fault(place, code, "must be %lld to %lld", (long long)field->min, (long long)field->max);
}

static enum err take_int(const struct field *field, int64_t value, const struct place *place,
                         void *member)
{
    if (!place->in->stored && (field->min != 0 || field->max != 0) &&
        (value < field->min || value > field->max))
        return range_fault(field, place, value < field->min);
    if (field->flags & NULLABLE)
        *(struct maybe_int *)member = (struct maybe_int)SOME(value);
    else
        *(int64_t *)member = value;
    return OK;
}

static enum err take_real(const struct field *field, double value, const struct place *place,
                          void *member)
{
    if (!place->in->stored && (field->min != 0 || field->max != 0) &&
        (value < (double)field->min || value > (double)field->max))
        return range_fault(field, place, value < (double)field->min);
    if (field->flags & NULLABLE)
        *(struct maybe_real *)member = (struct maybe_real)SOME(value);
    else
        *(double *)member = value;
    return OK;
}

static void put_time(const struct field *field, int64_t us, void *member)
{
    if (field->flags & NULLABLE)
        *(struct maybe_int *)member = (struct maybe_int)SOME(us);
    else
        *(int64_t *)member = us;
}

static enum err wrong_type(const struct field *field, const struct place *place)
{
    static const char *const must_be[] = {
        [F_UUID] = "must be a text: a UUID",
        [F_TEXT] = "must be a text",
        [F_ENUM] = "must be a text: one of the known names",
        [F_BOOL] = "must be true or false",
        [F_INT] = "must be a whole number",
        [F_TIME] = "must be a text: a time like 2026-01-31T09:30:00Z",
        [F_REAL] = "must be a number",
        [F_JSON] = "must be an object",
        [F_LIST] = "must be a list",
        [F_OBJECT] = "must be an object",
        [F_VIEW] = "has the wrong type",
    };
    enum field_type type = place->item != NO_ITEM ? field->of : field->type;

    return fault(place, "wrong_type", "%s", must_be[type]);
}

/* --- Lists --------------------------------------------------------------------------- */

static size_t item_size(const struct field *field)
{
    switch (field->of) {
    case F_TEXT:
        return sizeof(struct str);
    case F_UUID:
        return sizeof(struct uuid);
    case F_ENUM:
        return sizeof(int);
    default:
        return field->record->size;
    }
}

static enum err list_length(const struct field *field, size_t count, const struct place *place)
{
    bool too_short = (int64_t)count < field->min;

    if (place->in->stored || (field->min == 0 && field->max == 0) ||
        (!too_short && (int64_t)count <= field->max))
        return OK;
    if (field->min == 0)
        return fault(place, "too_long", "must have at most %lld items", (long long)field->max);
    return fault(place, too_short ? "too_short" : "too_long", "must have %lld to %lld items",
                 (long long)field->min, (long long)field->max);
}

/* A text, id or enum of a list. */
static enum err take_item(const struct field *field, struct str text, const struct place *place,
                          void *item)
{
    switch (field->of) {
    case F_UUID:
        return take_uuid(text, place, item);
    case F_ENUM:
        return take_enum(field->names, text, place, item);
    default:
        return take_text(field, text, 1, LIST_TEXT_MAX, place, item);
    }
}

static bool item_same(const struct field *field, const char *a, const char *b)
{
    if (field->of == F_TEXT)
        return str_equal(*(const struct str *)(const void *)a,
                         *(const struct str *)(const void *)b);
    return memcmp(a, b, item_size(field)) == 0;
}

static enum err check_repeats(const struct field *field, const struct list *list,
                              const struct place *place)
{
    const char *items = list->items;
    size_t size = item_size(field);
    enum err result = OK;

    for (size_t i = 1; field->unique && i < list->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (item_same(field, items + i * size, items + j * size)) {
                struct place at = {place->in, place->name, i};

                result = fault(&at, "repeated", "is in the list already, at %zu", j);
                break;
            }
        }
    }
    return result;
}

static enum err new_list(const struct field *field, size_t count, const struct place *place,
                         struct list *list)
{
    *list = (struct list){NULL, 0};
    TRY(list_length(field, count, place));
    if (count == 0)
        return OK;
    list->items = arena_array(place->in->arena, count, item_size(field));
    if (!list->items)
        return no_memory(place->in);
    list->count = count;
    return OK;
}

/* Objects of a list need their own bytes, for the F_JSON in them. */
struct raw_cut {
    struct str *items;
    size_t count;
};

static void keep_raw(void *context, size_t index, struct str item)
{
    struct raw_cut *cut = context;

    if (index < cut->count)
        cut->items[index] = item;
}

static enum err take_objects(const struct field *field, const struct json_t *value, struct str raw,
                             const struct place *place, struct list *list)
{
    struct raw_cut cut = {NULL, list->count};
    enum err result = OK;

    if (list->count == 0)
        return OK;
    cut.items = ARENA_ARRAY(place->in->arena, list->count, struct str);
    if (!cut.items)
        return no_memory(place->in);
    json_raw_items(raw, keep_raw, &cut);
    for (size_t i = 0; i < list->count; i++) {
        const struct json_t *item = json_item(value, i);
        struct place at = {place->in, place->name, i};
        char path[PATH_MAX_BYTES];
        struct decoding in = *place->in;

        if (json_kind_of(item) != JSON_IS_OBJECT) {
            result = wrong_type(field, &at);
            continue;
        }
        place_path(&at, ".", path);
        in.path = path;
        in.patch = false;
        GATHER(result, record_decode_value(field->record, item, cut.items[i], &in,
                                           (char *)list->items + i * field->record->size, NULL));
    }
    return result;
}

static enum err take_list(const struct field *field, const struct json_t *value, struct str raw,
                          const struct place *place, struct list *list)
{
    enum err result = OK;

    if (json_kind_of(value) != JSON_IS_ARRAY)
        return wrong_type(field, place);
    TRY(new_list(field, json_item_count(value), place, list));
    if (field->of == F_OBJECT)
        return take_objects(field, value, raw, place, list);
    for (size_t i = 0; i < list->count; i++) {
        const struct json_t *item = json_item(value, i);
        struct place at = {place->in, place->name, i};

        if (json_kind_of(item) != JSON_IS_TEXT)
            result = wrong_type(field, &at);
        else
            GATHER(result, take_item(field, json_value_text(item), &at,
                                     (char *)list->items + i * item_size(field)));
    }
    if (result == OK)
        result = check_repeats(field, list, place);
    return result;
}

/* --- One field ----------------------------------------------------------------------- */

/* What only the client may be wrong about: whether it may be given at all. */
static enum err check_allowed(const struct field *field, bool null, const struct place *place)
{
    const struct decoding *in = place->in;

    if (in->stored)
        return OK;
    if (field->flags & READ_ONLY || (field->type == F_VIEW && !field->take))
        return fault(place, "read_only", "is set by the server and cannot be given");
    if (in->patch && field->flags & IMMUTABLE)
        return fault(place, "immutable", "cannot be changed once it is set");
    if (null && !field_takes_null(field, in->patch))
        return fault(place, "not_nullable", "must not be null");
    return OK;
}

static enum err take_free_json(struct str raw, const struct place *place, struct str *out)
{
    if (raw.len > FREE_JSON_MAX)
        return fault(place, "too_long", "must be at most %zu bytes long", FREE_JSON_MAX);
    *out = str_copy(place->in->arena, raw);
    return out->ptr ? OK : no_memory(place->in);
}

static enum err take_object(const struct field *field, const struct json_t *value, struct str raw,
                            const struct place *place, void *member, struct given *given)
{
    char path[PATH_MAX_BYTES];
    struct decoding in = *place->in;

    if (json_kind_of(value) != JSON_IS_OBJECT)
        return wrong_type(field, place);
    place_path(place, ".", path);
    in.path = path;
    return record_decode_value(field->record, value, raw, &in, member, given);
}

static enum err take_value(const struct field *field, const struct json_t *value, struct str raw,
                           const struct place *place, void *record, struct given *nested)
{
    void *member = field_member(field, record);
    enum json_kind kind = json_kind_of(value);
    int64_t us;

    switch (field->type) {
    case F_UUID:
        if (kind != JSON_IS_TEXT)
            break;
        return take_uuid(json_value_text(value), place, member);
    case F_TEXT:
        if (kind != JSON_IS_TEXT)
            break;
        return take_text(field, json_value_text(value), field->min, field->max, place, member);
    case F_ENUM:
        if (kind != JSON_IS_TEXT)
            break;
        return take_enum(field->names, json_value_text(value), place, member);
    case F_BOOL:
        if (kind != JSON_IS_BOOL)
            break;
        *(bool *)member = json_value_bool(value);
        return OK;
    case F_INT:
        if (kind != JSON_IS_INT)
            break;
        return take_int(field, json_value_int(value), place, member);
    case F_TIME:
        if (kind != JSON_IS_TEXT)
            break;
        TRY(take_time(json_value_text(value), place, &us));
        put_time(field, us, member);
        return OK;
    case F_REAL:
        if (kind != JSON_IS_INT && kind != JSON_IS_REAL)
            break;
        return take_real(field, json_value_real(value), place, member);
    case F_JSON:
        if (kind != JSON_IS_OBJECT)
            break;
        return take_free_json(raw, place, member);
    case F_LIST:
        return take_list(field, value, raw, place, member);
    case F_OBJECT:
        return take_object(field, value, raw, place, member, nested);
    case F_VIEW:
        return field->take(place->in, value, record);
    }
    return wrong_type(field, place);
}

static enum err decode_field(const struct field *field, const struct json_t *value, struct str raw,
                             const struct place *place, void *record, struct given *nested)
{
    bool null = json_kind_of(value) == JSON_IS_NULL;

    TRY(check_allowed(field, null, place));
    if (!null)
        return take_value(field, value, raw, place, record, nested);
    if (field->size > 0)
        memset(field_member(field, record), 0, field->size);
    return OK;
}

enum err field_decode(const struct field *field, const struct json_t *value, struct str raw,
                      const struct decoding *in, void *out)
{
    struct place place = {in, field->name, NO_ITEM};

    return decode_field(field, value, raw, &place, out, NULL);
}

/* --- Records ------------------------------------------------------------------------- */

static bool was_given(const struct given *given, size_t index)
{
    return given->bits[index / 64] >> (index % 64) & 1;
}

static void mark_given(struct given *given, size_t index)
{
    given->bits[index / 64] |= UINT64_C(1) << (index % 64);
}

static enum err check_required(const struct record *record, const struct given *given,
                               const struct decoding *in)
{
    enum err result = OK;

    for (size_t i = 0; i < record->count && !in->patch && !in->stored; i++) {
        const struct field *field = &record->fields[i];
        struct place place = {in, field->name, NO_ITEM};

        if (field->flags & REQUIRED && !(field->flags & COLUMN_ONLY) && !was_given(given, i))
            result = fault(&place, "required", "must be given");
    }
    return result;
}

static enum err new_object(struct given *given, size_t index, const struct decoding *in,
                           struct given **out)
{
    struct given_object *object = ARENA_NEW(in->arena, struct given_object);

    if (!object)
        return no_memory(in);
    object->field = index;
    object->next = given->objects;
    given->objects = object;
    *out = &object->given;
    return OK;
}

/* What the calls of one object share. */
struct members {
    const struct record *record;
    struct str raw;
    const struct decoding *in;
    void *out;
    struct given *given;
};

static enum err decode_member(struct members *to, struct str name, const struct json_t *value)
{
    const struct field *field = find_field(to->record, name);
    struct given *nested = NULL;
    struct str raw = STR_NULL;
    struct place place = {to->in, NULL, NO_ITEM};

    if (!field)
        return to->in->stored ? OK : unknown_field(to->record, name, to->in);
    place.name = field->name;
    mark_given(to->given, (size_t)(field - to->record->fields));
    if (field->type == F_JSON || field->type == F_OBJECT ||
        (field->type == F_LIST && field->of == F_OBJECT))
        raw = json_raw_member(to->raw, name);
    if (field->type == F_OBJECT && to->in->patch && json_kind_of(value) == JSON_IS_OBJECT)
        TRY(new_object(to->given, (size_t)(field - to->record->fields), to->in, &nested));
    return decode_field(field, value, raw, &place, to->out, nested);
}

enum err record_decode_value(const struct record *record, const struct json_t *value,
                             struct str raw, const struct decoding *in, void *out,
                             struct given *given)
{
    struct given mine;
    struct members to = {record, raw, in, out, given ? given : &mine};
    enum err result = OK;

    memset(to.given, 0, sizeof(*to.given));
    if (json_kind_of(value) != JSON_IS_OBJECT) {
        size_t len = strlen(path_before(in));
        char path[PATH_MAX_BYTES];

        /* "rows[3]." without its dot: it is the whole that is wrong */
        snprintf(path, sizeof(path), "%.*s", len > 0 ? (int)len - 1 : 0, path_before(in));
        return error_fault(in->error, path, "wrong_type", "must be an object");
    }
    for (struct json_member at = json_member_first(value); at.value; json_member_next(&at))
        GATHER(result, decode_member(&to, at.name, at.value));
    GATHER(result, check_required(record, to.given, in));
    return result;
}

enum err record_decode(const struct record *record, struct str json, const struct decoding *in,
                       void *out, struct given *given)
{
    struct json_t *value;

    if (given)
        memset(given, 0, sizeof(*given));
    TRY(json_parse(in->arena, json, &value, in->error));
    return record_decode_value(record, value, json, in, out, given);
}

enum err list_decode(const struct field *field, struct arena *arena, struct str json,
                     struct list *out, struct error *error)
{
    struct error why;
    struct decoding in = {.arena = arena, .error = &why, .path = "", .stored = true};
    struct place place = {&in, field->name, NO_ITEM};
    struct json_t *value;
    enum err result;

    *out = (struct list){NULL, 0};
    if (!json.ptr || str_is(json, "[]"))
        return OK;
    error_clear(&why);
    result = json_parse(arena, json, &value, &why);
    if (result == OK)
        result = take_list(field, value, json, &place, out);
    if (result == ERR_TOO_LARGE)
        return error_set(error, ERR_TOO_LARGE, "%s", why.detail);
    if (result != OK)
        return error_set(error, ERR_INTERNAL, "What is stored in %s cannot be read.", field->name);
    return OK;
}

/* --- From texts ---------------------------------------------------------------------- */

/* The grammar of JSON's numbers; strtod() alone takes hexadecimal, "inf" and spaces too. */
static bool parse_real(struct str text, double *out)
{
    char copy[REAL_TEXT_MAX];
    char *end;
    size_t digits = text.len > 0 && text.ptr[0] == '-';

    if (text.len == 0 || text.len >= sizeof(copy) || digits == text.len || text.ptr[digits] < '0' ||
        text.ptr[digits] > '9')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr("0123456789+-.eE", text.ptr[i]) || text.ptr[i] == '\0')
            return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

static enum err take_list_text(const struct field *field, struct str text,
                               const struct place *place, struct list *list)
{
    size_t count = text.len > 0;
    enum err result = OK;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    TRY(new_list(field, count, place, list));
    for (size_t i = 0; i < count; i++) {
        struct place at = {place->in, place->name, i};
        struct str item;

        text = str_cut(text, ',', &item);
        GATHER(result,
               take_item(field, str_trim(item), &at, (char *)list->items + i * item_size(field)));
    }
    return result == OK ? check_repeats(field, list, place) : result;
}

/* Views and objects come as their JSON; to a view, what is no JSON is a text. */
static enum err take_json_text(const struct field *field, struct str text,
                               const struct place *place, void *record, struct given *nested)
{
    struct json_t *value;
    struct error why;

    error_clear(&why);
    if (json_parse(place->in->arena, text, &value, &why) == OK &&
        (field->type != F_VIEW || json_kind_of(value) >= JSON_IS_ARRAY))
        return take_value(field, value, text, place, record, nested);
    if (why.code == ERR_TOO_LARGE)
        return error_set(place->in->error, ERR_TOO_LARGE, "%s", why.detail);
    if (field->type == F_VIEW) {
        struct json_out out;
        struct buf quoted;

        buf_init(&quoted, place->in->arena, 6 * text.len + 2);
        json_out_init(&out, &quoted);
        json_text(&out, text);
        if (buf_failed(&quoted))
            return no_memory(place->in);
        TRY(json_parse(place->in->arena, buf_str(&quoted), &value, place->in->error));
        return field->take(place->in, value, record);
    }
    return fault(place, "bad_format", "must be JSON");
}

/* `text` is UTF-8. */
static enum err take_from_text(const struct field *field, struct str text,
                               const struct place *place, void *record)
{
    void *member = field_member(field, record);
    int64_t number;
    double real;

    switch (field->type) {
    case F_UUID:
        return take_uuid(text, place, member);
    case F_TEXT:
        return take_text(field, text, field->min, field->max, place, member);
    case F_ENUM:
        return take_enum(field->names, text, place, member);
    case F_BOOL:
        if (!str_is(text, "true") && !str_is(text, "false"))
            return fault(place, "bad_format", "must be true or false");
        *(bool *)member = str_is(text, "true");
        return OK;
    case F_INT:
        if (!str_to_int(text, &number))
            return fault(place, "bad_format", "must be a whole number");
        return take_int(field, number, place, member);
    case F_TIME:
        TRY(take_time(text, place, &number));
        put_time(field, number, member);
        return OK;
    case F_REAL:
        if (!parse_real(text, &real))
            return fault(place, "bad_format", "must be a number");
        return take_real(field, real, place, member);
    case F_LIST:
        if (field->of != F_OBJECT)
            return take_list_text(field, text, place, member);
        break;
    default:
        break;
    }
    return take_json_text(field, text, place, record, NULL);
}

static enum err decode_text(struct members *to, struct str name, struct str text)
{
    const struct field *field = find_field(to->record, name);
    struct place place = {to->in, NULL, NO_ITEM};
    size_t index;

    if (!field)
        return to->in->lax ? OK : unknown_field(to->record, name, to->in);
    place.name = field->name;
    index = (size_t)(field - to->record->fields);
    if (was_given(to->given, index))
        return fault(&place, "repeated", "is given twice");
    mark_given(to->given, index);
    TRY(check_allowed(field, false, &place));
    return take_from_text(field, text, &place, to->out);
}

enum err record_decode_texts(const struct record *record, const struct str *names,
                             const struct str *texts, size_t count, const struct decoding *in,
                             void *out, struct given *given)
{
    struct given mine;
    struct members to = {record, STR_NULL, in, out, given ? given : &mine};
    enum err result = OK;

    memset(to.given, 0, sizeof(*to.given));
    for (size_t i = 0; i < count; i++) {
        if (texts[i].len == 0)
            continue;
        if (!str_is_utf8(texts[i])) {
            const struct field *field = find_field(record, names[i]);
            struct place place = {in, field ? field->name : "", NO_ITEM};

            if (field)
                mark_given(to.given, (size_t)(field - record->fields));
            result = fault(&place, "bad_format", "must be valid UTF-8");
            continue;
        }
        GATHER(result, decode_text(&to, names[i], texts[i]));
    }
    GATHER(result, check_required(record, to.given, in));
    return result;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum err unescape_form(struct str text, const struct decoding *in, struct str *out)
{
    char *bytes = arena_alloc(in->arena, text.len + 1);
    size_t len = 0;

    if (!bytes)
        return no_memory(in);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_value(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return error_set(in->error, ERR_MALFORMED,
                                 "The query string holds a broken percent escape.");
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return error_set(in->error, ERR_MALFORMED, "The query string holds a NUL character.");
        bytes[len++] = c;
    }
    *out = (struct str){bytes, len};
    if (!str_is_utf8(*out))
        return error_set(in->error, ERR_MALFORMED, "The query string is not valid UTF-8.");
    return OK;
}

enum err record_decode_query(const struct record *record, struct str query,
                             const struct decoding *in, void *out, struct given *given)
{
    struct given mine;
    struct members to = {record, STR_NULL, in, out, given ? given : &mine};
    enum err result = OK;

    memset(to.given, 0, sizeof(*to.given));
    while (query.len > 0) {
        struct str pair, name, value;

        query = str_cut(query, '&', &pair);
        if (pair.len == 0)
            continue;
        value = str_cut(pair, '=', &name);
        TRY(unescape_form(name, in, &name));
        TRY(unescape_form(value, in, &value));
        GATHER(result, decode_text(&to, name, value));
    }
    GATHER(result, check_required(record, to.given, in));
    return result;
}
