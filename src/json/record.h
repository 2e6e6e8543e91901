/* One description of a record, and every codec from it.
 *
 * A struct is described once by a field table. From the table come: decoding and
 * validation of a JSON body or a query string (with every fault, not the first),
 * encoding as JSON and CSV, its JSON Schema for OpenAPI, and, in db/, the binding of
 * parameters and the reading of rows. A route family that spells fields differently
 * has another table of names over the same struct.
 *
 *     struct note { struct uuid id; struct str text; struct maybe_int pinned_at; };
 *
 *     static const struct field note_fields[] = {
 *         FIELD(note, id, F_UUID, READ_ONLY),
 *         FIELD(note, text, F_TEXT, REQUIRED, .min = 1, .max = 4000),
 *         FIELD(note, pinned_at, F_TIME, NULLABLE),
 *     };
 *     const struct record note_record = RECORD(note, note_fields);
 *
 * What a C member looks like, by type:
 *
 *     F_UUID  struct uuid       UUID_NONE is null
 *     F_TEXT  struct str        ptr NULL is null
 *     F_ENUM  int (any enum)    0 is null: the first name has value 1
 *     F_BOOL  bool
 *     F_INT   int64_t           with NULLABLE: struct maybe_int
 *     F_TIME  int64_t, µs       with NULLABLE: struct maybe_int
 *     F_REAL  double            with NULLABLE: struct maybe_real
 *     F_JSON  struct str        a JSON object as the bytes that came; ptr NULL is null
 *     F_LIST  struct list       of what `.of` says; count 0 is the empty list, never null.
 *                               In a patch null clears it (RFC 7396), unless it is REQUIRED
 *                               or has a `.min`
 *     F_OBJECT a struct by value, described by `.record`
 *     F_VIEW  what VIEW_OF() names, if anything: `.put` and `.take` translate;
 *             `.schema` says what it looks like; with `.of` it stands for a list
 *
 * The length of a text counts code points. ONE_LINE refuses control characters and line ends;
 * other text refuses control characters except tab and line ends. The texts of a list are
 * 1 to LIST_TEXT_MAX code points each. An F_JSON has FREE_JSON_MAX bytes at most.
 *
 * So a zeroed struct is a record of nulls, and no member needs a flag beside it. */
#ifndef JSON_RECORD_H
#define JSON_RECORD_H

#include "json/json.h"

enum field_type {
    F_UUID = 1,
    F_TEXT,
    F_ENUM,
    F_BOOL,
    F_INT,
    F_TIME,
    F_REAL,
    F_JSON,
    F_LIST,
    F_OBJECT,
    F_VIEW
};

/* Flags */
enum {
    REQUIRED = 1 << 0,    /* must be given on create, never null */
    NULLABLE = 1 << 1,    /* null may be given, and PATCH clears it so */
    READ_ONLY = 1 << 2,   /* answers only; giving it is the fault `read_only` */
    IMMUTABLE = 1 << 3,   /* given on create; in a PATCH the fault `immutable` */
    WRITE_ONLY = 1 << 4,  /* bodies only: a password */
    SECRET = 1 << 5,      /* shown once: left out when a remembered answer is replayed */
    COLUMN_ONLY = 1 << 6, /* a column of the row and nothing in JSON */
    NO_COLUMN = 1 << 7,   /* JSON and nothing in the row */
    ONE_LINE = 1 << 8,    /* text without control characters */
    OMIT_NULL = 1 << 9,   /* left out of the answer when null (else written as null) */
    SUMMARY = 1 << 10,    /* kept by the server: not part of ETag or of what people edit */
    MAY_LACK = 1 << 11,   /* null in an answer, where another way in did not require it */
};

struct maybe_int {
    bool set;
    int64_t value;
};

struct maybe_real {
    bool set;
    double value;
};

/* clang-format off */
#define SOME(x) {true, (x)}
/* clang-format on */

struct list {
    void *items; /* struct str, struct uuid, int (F_ENUM) or structs of `.record`, in the arena */
    size_t count;
};

/* Adds the items of `more`, `item_size` bytes each, behind those of *list. */
enum err list_append(struct arena *arena, struct list *list, const struct list *more,
                     size_t item_size, struct error *error);

#define LIST_AT(list, type, index) (&((type *)(list).items)[index])

/* Names of an enum, value 1 first. `aliases` are accepted too and come out as the name. */
struct enum_names {
    const char *const *names;
    size_t count;
    const struct enum_alias {
        const char *name;
        int value;
    } * aliases;
    size_t alias_count;
};

/* clang-format off */
#define ENUM_NAMES(array) {(array), COUNT_OF(array), NULL, 0}
#define ENUM_NAMES_ALIASED(array, alias_array)                                                     \
    {(array), COUNT_OF(array), (alias_array), COUNT_OF(alias_array)}
/* clang-format on */

/* A shape of text beyond its length: json/format.h has the common ones. */
struct text_format {
    const char *name; /* JSON Schema "format": "email", … */
    bool (*check)(struct str text);
    const char *message; /* "must be an e-mail address" */
};

struct field;
struct record;

/* What a decode works with. */
struct decoding {
    struct arena *arena;
    struct error *error;
    bool patch;       /* JSON Merge Patch: nothing is required, IMMUTABLE may not be given */
    const char *path; /* NULL or "rows[3].": stands before field names in faults */
    bool stored;      /* from our own store: READ_ONLY fields come too, none is required */
    bool lax;         /* of texts: what the record has no field for is passed over */
};

/* What a body gave, by index in the table it was decoded with. Of nested objects it is
 * kept for patches only, which merge them member by member. */
#define FIELDS_MAX 128

struct given {
    uint64_t bits[FIELDS_MAX / 64];
    struct given_object *objects; /* in the arena of the decoding */
};

struct given_object {
    size_t field;
    struct given given;
    struct given_object *next;
};

struct field {
    const char *name;   /* in JSON */
    struct str key;     /* the name as JSON writes it, with its colon: the macros below make it */
    const char *column; /* in rows and parameters; NULL: the same as name */
    enum field_type type;
    unsigned flags;
    size_t offset, size;
    const struct enum_names *names;   /* F_ENUM, and the items of a list of them */
    int64_t min, max;                 /* code points, items, or the value; both 0: free */
    const struct text_format *format; /* F_TEXT and lists of it */
    enum field_type of;          /* F_LIST, and views of one: F_TEXT, F_UUID, F_ENUM or F_OBJECT */
    const struct record *record; /* F_OBJECT and lists of them */
    bool unique;                 /* F_LIST: a repeated item is the fault `repeated` */
    /* F_VIEW. take() tells what is wrong by decoding_fault(); without it: read only. It is
     * not called for null, which is zeros. */
    void (*put)(struct json_out *out, const void *record);
    enum err (*take)(const struct decoding *in, const struct json_t *value, void *record);
    const char *schema;  /* JSON Schema, for F_VIEW */
    const char *doc;     /* one line for the API's reader */
    const char *example; /* JSON */
};

struct record {
    const char *name; /* "Interaction": its name in OpenAPI */
    size_t size;
    const struct field *fields;
    size_t count;
};

/* clang-format off */
#define FIELD_KEY(literal) {"\"" literal "\":", sizeof("\"" literal "\":") - 1}
#define FIELD(type_name, member, field_type, field_flags, ...)                                     \
    {.name = #member,                                                                              \
     .key = FIELD_KEY(#member),                                                                    \
     .type = (field_type),                                                                         \
     .flags = (field_flags),                                                                       \
     .offset = offsetof(struct type_name, member),                                                 \
     .size = sizeof(((struct type_name *)0)->member),                                              \
     __VA_ARGS__}
/* The same with another spelling in JSON; the column keeps the member's name. */
#define FIELD_AS(type_name, json_name, member, field_type, field_flags, ...)                       \
    {.name = json_name,                                                                            \
     .key = FIELD_KEY(json_name),                                                                  \
     .column = #member,                                                                            \
     .type = (field_type),                                                                         \
     .flags = (field_flags),                                                                       \
     .offset = offsetof(struct type_name, member),                                                 \
     .size = sizeof(((struct type_name *)0)->member),                                              \
     __VA_ARGS__}
#define VIEW(json_name, put_function, take_function, field_flags, ...)                             \
    {.name = json_name,                                                                            \
     .key = FIELD_KEY(json_name),                                                                  \
     .type = F_VIEW,                                                                               \
     .flags = (field_flags) | NO_COLUMN,                                                           \
     .put = (put_function),                                                                        \
     .take = (take_function),                                                                      \
     __VA_ARGS__}
/* A view of one member, which its `take` fills: record_merge() copies that. */
#define VIEW_OF(type_name, json_name, member, put_function, take_function, field_flags, ...)       \
    {.name = json_name,                                                                            \
     .key = FIELD_KEY(json_name),                                                                  \
     .type = F_VIEW,                                                                               \
     .flags = (field_flags) | NO_COLUMN,                                                           \
     .offset = offsetof(struct type_name, member),                                                 \
     .size = sizeof(((struct type_name *)0)->member),                                              \
     .put = (put_function),                                                                        \
     .take = (take_function),                                                                      \
     __VA_ARGS__}
#define RECORD(type_name, field_array)                                                             \
    {#type_name, sizeof(struct type_name), (field_array), COUNT_OF(field_array)}
#define RECORD_NAMED(open_api_name, type_name, field_array)                                        \
    {(open_api_name), sizeof(struct type_name), (field_array), COUNT_OF(field_array)}
/* clang-format on */

bool given_has(const struct given *given, const struct record *record, const char *field_name);

/* Decodes a JSON object into *out (of record->size, zeroed by the caller or holding
 * defaults). ERR_MALFORMED when it is no JSON; ERR_INVALID with every fault: unknown_field,
 * required, not_nullable, read_only, immutable, wrong_type, too_short, too_long, too_small,
 * too_large, not_one_of, bad_format, repeated; ERR_TOO_LARGE past the arena's budget.
 * What is decoded is copied into the arena. A list item is always whole: also in a patch
 * its REQUIRED fields are required. `given` may be NULL. */
enum err record_decode(const struct record *record, struct str json, const struct decoding *in,
                       void *out, struct given *given);
/* The same for a value that is parsed already; `raw` are its bytes (F_JSON keeps them). */
enum err record_decode_value(const struct record *record, const struct json_t *value,
                             struct str raw, const struct decoding *in, void *out,
                             struct given *given);
/* One field of a value that is parsed already: for the `take` of a view. */
enum err field_decode(const struct field *field, const struct json_t *value, struct str raw,
                      const struct decoding *in, void *out);
/* Adds a fault of the field `name`, the decoding's path before it. Gives ERR_INVALID. */
enum err decoding_fault(const struct decoding *in, const char *name, const char *code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same from a query string (application/x-www-form-urlencoded). A field given
 * twice is the fault `repeated`. Lists are comma-separated. A broken escape, a NUL or bytes
 * that are not UTF-8 are ERR_MALFORMED. */
enum err record_decode_query(const struct record *record, struct str query,
                             const struct decoding *in, void *out, struct given *given);
/* The same from texts, e.g. CSV cells: names[i] says which field texts[i] is for. An empty
 * text counts as not given. */
enum err record_decode_texts(const struct record *record, const struct str *names,
                             const struct str *texts, size_t count, const struct decoding *in,
                             void *out, struct given *given);

/* Puts what `patch` gave onto `current`, by RFC 7396: nested objects and F_JSON member by
 * member, all else whole. Pointers are shared, so the patch must live as long. Fails only
 * where an F_JSON does: past the arena's budget, or `too_long`. */
enum err record_merge(const struct record *record, const struct given *given, const void *patch,
                      void *current, struct arena *arena, struct error *error);
/* Which fields people edit (neither READ_ONLY nor SUMMARY) differ. Views are compared by
 * what they put. Same = given_any() is false. */
struct given record_difference(const struct record *record, const void *a, const void *b);
bool given_any(const struct given *given);

/* Writes the record as an object. `with_secrets` false leaves SECRET fields out. */
void record_encode(const struct record *record, const void *value, bool with_secrets,
                   struct json_out *out);
/* One field's value alone. */
void field_encode(const struct field *field, const void *record, struct json_out *out);
/* A list field as JSON text, which is how lists stand in a column, and back. Text that
 * does not fit is ERR_INTERNAL. */
void list_encode(const struct field *field, const struct list *list, struct json_out *out);
enum err list_decode(const struct field *field, struct arena *arena, struct str json,
                     struct list *out, struct error *error);

/* RFC 4180; lists joined by "; ", objects as JSON. SECRET fields are left out. A text that a
 * spreadsheet would run as a formula (it begins with = + - @, a tab or a carriage return, and is
 * no number with its sign) gets an apostrophe before it. */
void record_csv_header(const struct record *record, struct buf *out);
void record_csv_row(const struct record *record, const void *value, struct buf *out);

/* Its JSON Schema (2020-12). For a body: READ_ONLY fields left out, `required` listed
 * unless `patch`. For an answer: WRITE_ONLY left out, every other field required
 * except OMIT_NULL and SECRET. */
enum schema_for { SCHEMA_ANSWER, SCHEMA_BODY, SCHEMA_PATCH };
void record_schema(const struct record *record, enum schema_for what, struct json_out *out);
/* One field's schema, for a query parameter. */
void field_schema(const struct field *field, enum schema_for what, struct json_out *out);

const struct field *record_field(const struct record *record, struct str json_name);
const char *field_column(const struct field *field);
/* Whether it is written as null. A nested object is, where it is NULLABLE and holds only
 * null, zero, false and empty; bools and lists never are, numbers only where NULLABLE. */
bool field_is_null(const struct field *field, const void *record);
void *field_member(const struct field *field, void *record);
/* Whether a body may say null, which in a patch also clears a list. */
bool field_takes_null(const struct field *field, bool patch);

/* NULL for 0 and for values out of range. */
const char *enum_name(const struct enum_names *names, int value);
int enum_value(const struct enum_names *names, struct str name); /* 0: no such name */

/* For tests, and for debug builds at start: sizes fit the types, names are unique,
 * flags make sense. Gives the first fault in words, or NULL. */
const char *record_fault(const struct record *record);

#endif
