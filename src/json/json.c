#include "json/json.h"

#include <jansson.h>
#include <string.h>

#define DIGITS_OF(number) #number
#define DIGITS(number) DIGITS_OF(number)

static void release_value(void *value)
{
    json_decref(value);
}

static enum err malformed(struct error *error, const char *reason, int line, int column)
{
    return error_set(error, ERR_MALFORMED,
                     "The text is not JSON as it must be: %s (line %d, column %d).", reason, line,
                     column);
}

static enum err malformed_at(struct error *error, const char *reason, struct str text, size_t at)
{
    int line = 1, column = 1;

    for (size_t i = 0; i < at; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return malformed(error, reason, line, column);
}

/* What Jansson lets through: it goes 2,048 levels deep, knows no limit on values, and skips
 * a NUL byte that stands behind a number. False with the error filled. */
static bool shape_fits(struct str text, struct error *error)
{
    size_t depth = 0, values = 1;
    const char *nul = text.len > 0 ? memchr(text.ptr, '\0', text.len) : NULL;
    bool in_text = false;

    if (nul) {
        malformed_at(error, "it holds a NUL byte", text, (size_t)(nul - text.ptr));
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
            continue;
        }
        switch (c) {
        case '"':
            in_text = true;
            break;
        case '{':
        case '[':
            values++;
            if (++depth > JSON_DEPTH_MAX) {
                malformed_at(error, "it is nested more than " DIGITS(JSON_DEPTH_MAX) " levels deep",
                             text, i);
                return false;
            }
            break;
        case '}':
        case ']':
            if (depth > 0)
                depth--;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
    }
    if (values > JSON_VALUES_MAX) {
        error_set(error, ERR_TOO_LARGE, "The JSON has more than %d values.", JSON_VALUES_MAX);
        return false;
    }
    return true;
}

/* Jansson's own words quote the text, which may be anybody's secret. */
static const char *reason(const json_error_t *from)
{
    switch (json_error_code(from)) {
    case json_error_invalid_utf8:
        return "it is not valid UTF-8";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows after its end";
    case json_error_duplicate_key:
        return "a key is given twice";
    case json_error_numeric_overflow:
        return "a number is out of range";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds a NUL character";
    default:
        return strncmp(from->text, "invalid Unicode", 15) == 0
                   ? "a text holds half a surrogate pair"
                   : "there is a syntax error";
    }
}

enum err json_parse(struct arena *arena, struct str text, struct json_t **out, struct error *error)
{
    json_error_t from;
    json_t *value;

    *out = NULL;
    if (!shape_fits(text, error))
        return error->code;
    value = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                       &from);
    if (!value && json_error_code(&from) == json_error_out_of_memory)
        return error_set(error, ERR_TOO_LARGE, "The JSON takes too much memory.");
    if (!value)
        return malformed(error, reason(&from), from.line, from.column);
    if (!arena_defer(arena, release_value, value))
        return error_set(error, ERR_TOO_LARGE, "The JSON takes too much memory.");
    *out = value;
    return OK;
}

enum json_kind json_kind_of(const struct json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return JSON_IS_OBJECT;
    case JSON_ARRAY:
        return JSON_IS_ARRAY;
    case JSON_STRING:
        return JSON_IS_TEXT;
    case JSON_INTEGER:
        return JSON_IS_INT;
    case JSON_REAL:
        return JSON_IS_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_IS_BOOL;
    default:
        return JSON_IS_NULL;
    }
}

struct str json_value_text(const struct json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

int64_t json_value_int(const struct json_t *value)
{
    return json_integer_value(value);
}

double json_value_real(const struct json_t *value)
{
    return json_number_value(value);
}

bool json_value_bool(const struct json_t *value)
{
    return json_is_true(value);
}

size_t json_item_count(const struct json_t *array)
{
    return json_array_size(array);
}

const struct json_t *json_item(const struct json_t *array, size_t index)
{
    return json_array_get(array, index);
}

const struct json_t *json_member_of(const struct json_t *object, const char *name)
{
    return json_object_get(object, name);
}

/* Jansson's iterators take no const, though they change nothing. */
static json_t *iterable(const json_t *object)
{
    return (json_t *)(uintptr_t)object;
}

static void show_member(struct json_member *member)
{
    member->value = json_object_iter_value(member->at);
    member->name = (struct str){json_object_iter_key(member->at), 0};
    if (member->at)
        member->name.len = json_object_iter_key_len(member->at);
}

struct json_member json_member_first(const struct json_t *object)
{
    struct json_member member = {.object = object, .at = json_object_iter(iterable(object))};

    show_member(&member);
    return member;
}

void json_member_next(struct json_member *member)
{
    member->at = json_object_iter_next(iterable(member->object), member->at);
    show_member(member);
}

static void write_value(struct json_out *out, const json_t *value);

static void write_merged(struct json_out *out, const json_t *target, const json_t *patch)
{
    json_object_begin(out);
    for (struct json_member at = json_member_first(target); at.value; json_member_next(&at)) {
        const json_t *change = json_object_get(patch, at.name.ptr);

        if (json_is_null(change))
            continue;
        json_key(out, at.name);
        if (json_is_object(change))
            write_merged(out, json_is_object(at.value) ? at.value : NULL, change);
        else
            write_value(out, change ? change : at.value);
    }
    for (struct json_member at = json_member_first(patch); at.value; json_member_next(&at)) {
        if (json_is_null(at.value) || json_object_get(target, at.name.ptr))
            continue;
        json_key(out, at.name);
        if (json_is_object(at.value)) /* its nulls go too */
            write_merged(out, NULL, at.value);
        else
            write_value(out, at.value);
    }
    json_object_end(out);
}

static void write_value(struct json_out *out, const json_t *value)
{
    switch (json_kind_of(value)) {
    case JSON_IS_NULL:
        json_nil(out);
        return;
    case JSON_IS_BOOL:
        json_bool(out, json_is_true(value));
        return;
    case JSON_IS_INT:
        json_int(out, json_integer_value(value));
        return;
    case JSON_IS_REAL:
        json_double(out, json_real_value(value));
        return;
    case JSON_IS_TEXT:
        json_text(out, json_value_text(value));
        return;
    case JSON_IS_ARRAY:
        json_array_begin(out);
        for (size_t i = 0; i < json_array_size(value); i++)
            write_value(out, json_array_get(value, i));
        json_array_end(out);
        return;
    case JSON_IS_OBJECT:
        json_object_begin(out);
        for (struct json_member at = json_member_first(value); at.value; json_member_next(&at)) {
            json_key(out, at.name);
            write_value(out, at.value);
        }
        json_object_end(out);
        return;
    }
}

enum err json_merge(struct arena *arena, struct str target, struct str patch, size_t max,
                    struct str *out, struct error *error)
{
    struct json_t *onto = NULL, *change;
    struct json_out writer;
    struct buf buf;

    if (target.ptr)
        TRY(json_parse(arena, target, &onto, error));
    TRY(json_parse(arena, patch, &change, error));
    buf_init(&buf, arena, max);
    json_out_init(&writer, &buf);
    write_merged(&writer, onto, change);
    if (buf_failed(&buf))
        return error_set(error, ERR_TOO_LARGE, "The merged JSON is larger than %zu bytes.", max);
    *out = buf_str(&buf);
    return OK;
}

/* What follows walks JSON that was found to be right; on anything else it stays inside
 * the text and finds nothing. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_spaces(struct str text, size_t at)
{
    while (at < text.len && is_space(text.ptr[at]))
        at++;
    return at;
}

/* From the opening quote to behind the closing one. */
static size_t skip_string(struct str text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.ptr[at] == '\\')
            at++;
        else if (text.ptr[at] == '"')
            return at + 1;
    }
    return text.len;
}

static size_t skip_value(struct str text, size_t at)
{
    size_t depth = 0;

    while (at < text.len) {
        char c = text.ptr[at];

        if (c == '"') {
            at = skip_string(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
            continue;
        } else {
            while (at < text.len && !is_space(text.ptr[at]) && !strchr(",]}", text.ptr[at]))
                at++;
        }
        if (depth == 0)
            return at;
    }
    return text.len;
}

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return ((unsigned)c | 0x20U) - 'a' + 10;
}

static unsigned hex_unit(const char *four)
{
    return hex_digit(four[0]) << 12 | hex_digit(four[1]) << 8 | hex_digit(four[2]) << 4 |
           hex_digit(four[3]);
}

/* One byte or one escape of a JSON string, as UTF-8: the number of bytes written. */
static size_t unescape(struct str inner, size_t *at, char out[4])
{
    char c = inner.ptr[(*at)++];
    unsigned point;

    if (c != '\\' || *at >= inner.len) {
        out[0] = c;
        return 1;
    }
    c = inner.ptr[(*at)++];
    switch (c) {
    case 'b':
        out[0] = '\b';
        return 1;
    case 'f':
        out[0] = '\f';
        return 1;
    case 'n':
        out[0] = '\n';
        return 1;
    case 'r':
        out[0] = '\r';
        return 1;
    case 't':
        out[0] = '\t';
        return 1;
    case 'u':
        break;
    default: /* quote, slash, backslash */
        out[0] = c;
        return 1;
    }
    if (inner.len - *at < 4) {
        *at = inner.len;
        return 0;
    }
    point = hex_unit(inner.ptr + *at) & 0xFFFF;
    *at += 4;
    if (point >= 0xD800 && point < 0xDC00 && inner.len - *at >= 6) {
        point =
            0x10000 + ((point - 0xD800) << 10) + ((hex_unit(inner.ptr + *at + 2) - 0xDC00) & 0x3FF);
        *at += 6;
    }
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* A key may be written with escapes: it is what it says that counts. */
static bool key_is(struct str inner, struct str name)
{
    size_t at = 0, matched = 0;

    if (inner.len == 0 || !memchr(inner.ptr, '\\', inner.len))
        return str_equal(inner, name);
    while (at < inner.len) {
        char bytes[4];
        size_t len = unescape(inner, &at, bytes);

        if (len > name.len - matched || memcmp(bytes, name.ptr + matched, len) != 0)
            return false;
        matched += len;
    }
    return matched == name.len;
}

void json_raw_members(struct str text, void (*fn)(void *context, struct str key, struct str value),
                      void *context)
{
    size_t at = skip_spaces(text, 0);

    if (at >= text.len || text.ptr[at] != '{')
        return;
    at = skip_spaces(text, at + 1);
    while (at < text.len && text.ptr[at] == '"') {
        size_t key = at, key_end = skip_string(text, at), value;

        at = skip_spaces(text, key_end);
        if (key_end - key < 2 || at >= text.len || text.ptr[at] != ':')
            return;
        value = skip_spaces(text, at + 1);
        at = skip_value(text, value);
        fn(context, str_slice(text, key, key_end), str_slice(text, value, at));
        at = skip_spaces(text, at);
        if (at >= text.len || text.ptr[at] != ',')
            return;
        at = skip_spaces(text, at + 1);
    }
}

struct member_search {
    struct str name, found;
};

static void look_at_member(void *context, struct str key, struct str value)
{
    struct member_search *search = context;

    if (!search->found.ptr && key_is(str_slice(key, 1, key.len - 1), search->name))
        search->found = value;
}

struct str json_raw_member(struct str text, struct str name)
{
    struct member_search search = {name, STR_NULL};

    json_raw_members(text, look_at_member, &search);
    return search.found;
}

void json_raw_items(struct str text, void (*fn)(void *context, size_t index, struct str item),
                    void *context)
{
    size_t at = skip_spaces(text, 0);

    if (at >= text.len || text.ptr[at] != '[')
        return;
    at = skip_spaces(text, at + 1);
    for (size_t index = 0; at < text.len && text.ptr[at] != ']'; index++) {
        size_t end = skip_value(text, at);

        if (end == at)
            return;
        fn(context, index, str_slice(text, at, end));
        at = skip_spaces(text, end);
        if (at >= text.len || text.ptr[at] != ',')
            return;
        at = skip_spaces(text, at + 1);
    }
}

void json_raw_text(struct str raw, struct buf *out)
{
    struct str inner;

    if (raw.len < 2 || raw.ptr[0] != '"')
        return;
    inner = str_slice(raw, 1, raw.len - 1);
    for (size_t at = 0; at < inner.len;) {
        char bytes[4];
        size_t len = unescape(inner, &at, bytes);

        buf_add(out, (struct str){bytes, len});
    }
}
