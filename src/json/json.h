/* JSON in and out.
 *
 * In: Jansson parses; json_parse() adds what it lets through (depth, size) and says
 * where. Out: a direct writer into a buf. Values of one record come and go by its
 * field table (json/record.h); this is what that is made of. */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

/* Jansson's value; jansson.h itself stays in json/. */
struct json_t;

/* RFC 8259, and strict: duplicate keys, invalid UTF-8, lone surrogates, NUL characters,
 * numbers out of range, more than JSON_DEPTH_MAX levels and trailing bytes are
 * ERR_MALFORMED, with line and column in the detail. More than JSON_VALUES_MAX values are
 * ERR_TOO_LARGE: they would unfold to many times their text. The value lives as long as
 * the arena. */
enum err json_parse(struct arena *arena, struct str text, struct json_t **out, struct error *error);

/* What a parsed value is, for the `take` of a view (json/record.h). A value of another
 * kind reads as STR_NULL, 0 items or NULL. */
enum json_kind {
    JSON_IS_NULL,
    JSON_IS_BOOL,
    JSON_IS_INT,
    JSON_IS_REAL,
    JSON_IS_TEXT,
    JSON_IS_ARRAY,
    JSON_IS_OBJECT
};
enum json_kind json_kind_of(const struct json_t *value);
struct str json_value_text(const struct json_t *value);
int64_t json_value_int(const struct json_t *value);
double json_value_real(const struct json_t *value); /* of an integer as well */
bool json_value_bool(const struct json_t *value);
size_t json_item_count(const struct json_t *array);
const struct json_t *json_item(const struct json_t *array, size_t index);
const struct json_t *json_member_of(const struct json_t *object, const char *name);
/* The members in the order they came: value NULL is the end.
 *     for (struct json_member at = json_member_first(object); at.value; json_member_next(&at)) */
struct json_member {
    struct str name;
    const struct json_t *value;
    const struct json_t *object;
    void *at; /* Jansson's */
};
struct json_member json_member_first(const struct json_t *object);
void json_member_next(struct json_member *member);

/* JSON Merge Patch (RFC 7396) of one object onto another, both as text that has passed
 * json_parse(); `target` may be STR_NULL. ERR_TOO_LARGE past `max` bytes. */
enum err json_merge(struct arena *arena, struct str target, struct str patch, size_t max,
                    struct str *out, struct error *error);

/* The bytes of the member `name` of the object that `text` holds, as they came.
 * `text` must have passed json_parse(). STR_NULL when there is no such member. */
struct str json_raw_member(struct str text, struct str name);
/* The bytes of the items of the array that `text` holds: calls fn for each. */
void json_raw_items(struct str text, void (*fn)(void *context, size_t index, struct str item),
                    void *context);
/* The same of the members of an object; `key` is raw too (json_raw_text() reads it). */
void json_raw_members(struct str text, void (*fn)(void *context, struct str key, struct str value),
                      void *context);
/* Adds to `out` what the JSON string `raw` (with its quotes) says. */
void json_raw_text(struct str raw, struct buf *out);

/* Out. Commas are the writer's business; keys and values alternate in objects. Texts must
 * be UTF-8. Look at buf_failed() at the end. */
struct json_out {
    struct buf *buf;
    bool need_comma;
};

void json_out_init(struct json_out *out, struct buf *buf);
void json_object_begin(struct json_out *out);
void json_object_end(struct json_out *out);
void json_array_begin(struct json_out *out);
void json_array_end(struct json_out *out);
void json_key(struct json_out *out, struct str key);
/* The same for a key that is written as JSON already, colon and all. */
void json_key_raw(struct json_out *out, struct str key_and_colon);
void json_text(struct json_out *out, struct str text); /* ptr NULL gives null */
void json_int(struct json_out *out, int64_t value);
/* The shortest form that reads back the same; what is no number (infinite) gives null.
 * (json_real and json_null are Jansson's names, and a program has one of each.) */
void json_double(struct json_out *out, double value);
void json_bool(struct json_out *out, bool value);
void json_nil(struct json_out *out);
void json_uuid(struct json_out *out, struct uuid id); /* none gives null */
void json_time(struct json_out *out, int64_t us);     /* RFC 3339, UTC */
void json_raw(struct json_out *out, struct str json); /* already JSON; ptr NULL gives null */

#define JSON_KEY(out, literal) json_key((out), STR(literal))

#endif
