/* A record with a field of every type, for the tests and fuzz targets of json/. */
#ifndef TESTS_UNIT_JSON_SPECIMEN_H
#define TESTS_UNIT_JSON_SPECIMEN_H

#include "json/format.h"
#include "json/record.h"

#include <string.h>

enum kind { KIND_CALL = 1, KIND_EMAIL, KIND_CHAT };

struct part {
    struct str label;
    struct maybe_int weight;
    struct str extra;
    struct uuid made_by;
};

struct point {
    int64_t x, y;
};

struct specimen {
    struct uuid id, owner_id;
    struct str subject, text, email, secret, password;
    enum kind kind;
    bool active;
    int64_t count, started_at;
    struct maybe_int rank, ended_at;
    double ratio;
    struct maybe_real score;
    struct str metadata;
    struct list tags, people, kinds, parts;
    struct point place;
    struct part main_part;
    struct str shout;
    int64_t hidden;
};

static const char *const kind_names[] = {"call", "email", "chat"};
static const struct enum_alias kind_aliases[] = {{"phone", KIND_CALL}};
static const struct enum_names kinds = ENUM_NAMES_ALIASED(kind_names, kind_aliases);

static const struct field part_fields[] = {
    FIELD(part, label, F_TEXT, REQUIRED, .min = 1, .max = 10),
    FIELD(part, weight, F_INT, NULLABLE, .min = -5, .max = 5),
    FIELD(part, extra, F_JSON, NULLABLE | OMIT_NULL),
    FIELD(part, made_by, F_UUID, READ_ONLY | NULLABLE | OMIT_NULL),
};
static const struct record part_record = RECORD_NAMED("Part", part, part_fields);

static const struct field point_fields[] = {
    FIELD(point, x, F_INT, 0),
    FIELD(point, y, F_INT, 0),
};
static const struct record point_record = RECORD_NAMED("Point", point, point_fields);

static void shout_put(struct json_out *out, const void *record)
{
    const struct specimen *specimen = record;

    json_text(out, specimen->shout);
}

/* Texts that end with an exclamation mark, which is not kept. */
static enum err shout_take(const struct decoding *in, const struct json_t *value, void *record)
{
    struct specimen *specimen = record;
    struct str text = json_value_text(value);

    if (!text.ptr)
        return decoding_fault(in, "shout", "wrong_type", "must be a text");
    if (!str_ends(text, STR("!")))
        return decoding_fault(in, "shout", "bad_format", "must end with %s", "!");
    specimen->shout = str_copy(in->arena, text);
    return OK;
}

/* A view of the list of people, which takes any list for an empty one. */
static enum err party_take(const struct decoding *in, const struct json_t *value, void *record)
{
    (void)in;
    (void)value;
    ((struct specimen *)record)->people = (struct list){NULL, 0};
    return OK;
}

static const struct field specimen_fields[] = {
    FIELD(specimen, id, F_UUID, READ_ONLY | NULLABLE),
    FIELD(specimen, owner_id, F_UUID, NULLABLE | IMMUTABLE),
    FIELD(specimen, subject, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 20,
          .doc = "What it is about", .example = "\"Hello\""),
    FIELD_AS(specimen, "description", text, F_TEXT, NULLABLE),
    FIELD(specimen, email, F_TEXT, NULLABLE | OMIT_NULL, .format = &format_email),
    FIELD(specimen, secret, F_TEXT, READ_ONLY | SECRET | NULLABLE),
    FIELD(specimen, password, F_TEXT, WRITE_ONLY | NULLABLE, .min = 8, .max = 8),
    FIELD(specimen, kind, F_ENUM, NULLABLE, .names = &kinds),
    FIELD(specimen, active, F_BOOL, 0),
    FIELD(specimen, count, F_INT, SUMMARY, .min = 0, .max = 100),
    FIELD(specimen, started_at, F_TIME, 0),
    FIELD(specimen, rank, F_INT, NULLABLE),
    FIELD(specimen, ended_at, F_TIME, NULLABLE),
    FIELD(specimen, ratio, F_REAL, 0, .min = -1, .max = 1),
    FIELD(specimen, score, F_REAL, NULLABLE),
    FIELD(specimen, metadata, F_JSON, NULLABLE),
    FIELD(specimen, tags, F_LIST, NULLABLE, .of = F_TEXT, .max = 3, .unique = true),
    FIELD(specimen, people, F_LIST, 0, .of = F_UUID, .max = 100, .unique = true),
    FIELD(specimen, kinds, F_LIST, 0, .of = F_ENUM, .names = &kinds),
    FIELD(specimen, parts, F_LIST, 0, .of = F_OBJECT, .record = &part_record, .max = 4),
    FIELD(specimen, place, F_OBJECT, 0, .record = &point_record),
    FIELD(specimen, main_part, F_OBJECT, NULLABLE, .record = &part_record),
    VIEW_OF(specimen, "shout", shout, shout_put, shout_take, NULLABLE,
            .schema = "{\"type\":[\"string\",\"null\"]}"),
    VIEW_OF(specimen, "party", people, NULL, party_take, WRITE_ONLY, .of = F_UUID,
            .schema = "{\"type\":\"array\"}"),
    FIELD(specimen, hidden, F_INT, COLUMN_ONLY),
};
static const struct record specimen_record = RECORD_NAMED("Specimen", specimen, specimen_fields);

#endif
