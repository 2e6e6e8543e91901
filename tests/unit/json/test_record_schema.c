#include "base/unit.h"

#include "specimen.h"

struct fixture {
    struct arena *arena;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(MIB(4));
    *state = f;
    return f->arena ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    test_free(f);
    return 0;
}

/* Also sees to it that the schema is JSON. */
static struct str schema_of(struct fixture *f, const struct record *record, enum schema_for what)
{
    struct buf *buf = ARENA_NEW(f->arena, struct buf);
    struct json_out out;
    struct json_t *value;

    buf_init(buf, f->arena, MIB(1));
    json_out_init(&out, buf);
    record_schema(record, what, &out);
    assert_false(buf_failed(buf));
    error_clear(&f->error);
    assert_int_equal(json_parse(f->arena, buf_str(buf), &value, &f->error), OK);
    return buf_str(buf);
}

static struct str property(struct str schema, const char *name)
{
    return json_raw_member(json_raw_member(schema, STR("properties")), str_of(name));
}

static void answers(void **state)
{
    struct fixture *f = *state;
    struct str schema = schema_of(f, &specimen_record, SCHEMA_ANSWER);

    assert_str(json_raw_member(schema, STR("type")), "\"object\"");
    assert_str(json_raw_member(schema, STR("additionalProperties")), "false");
    assert_str(json_raw_member(schema, STR("required")),
               "[\"id\",\"owner_id\",\"subject\",\"description\",\"kind\",\"active\",\"count\","
               "\"started_at\",\"rank\",\"ended_at\",\"ratio\",\"score\",\"metadata\",\"tags\","
               "\"people\",\"kinds\",\"parts\",\"place\",\"main_part\",\"shout\"]");
    assert_str(property(schema, "id"), "{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"}");
    assert_str(property(schema, "subject"),
               "{\"type\":\"string\",\"minLength\":1,\"maxLength\":20,\"description\":"
               "\"What it is about\",\"examples\":[\"Hello\"]}");
    assert_str(property(schema, "email"), "{\"type\":[\"string\",\"null\"],\"format\":\"email\"}");
    assert_str(property(schema, "secret"), "{\"type\":[\"string\",\"null\"]}");
    assert_null(property(schema, "password").ptr);
    assert_null(property(schema, "hidden").ptr);
    assert_str(property(schema, "kind"),
               "{\"type\":[\"string\",\"null\"],\"enum\":[\"call\",\"email\",\"chat\",null]}");
    assert_str(property(schema, "active"), "{\"type\":\"boolean\"}");
    assert_str(property(schema, "count"), "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":"
                                          "0,\"maximum\":100}");
    assert_str(property(schema, "started_at"), "{\"type\":\"string\",\"format\":\"date-time\"}");
    assert_str(property(schema, "ended_at"),
               "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}");
    assert_str(property(schema, "ratio"), "{\"type\":\"number\",\"minimum\":-1,\"maximum\":1}");
    assert_str(property(schema, "metadata"), "{\"type\":[\"object\",\"null\"]}");
    assert_str(property(schema, "tags"),
               "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":"
               "255},\"maxItems\":3,\"uniqueItems\":true}");
    assert_str(property(schema, "kinds"),
               "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"call\",\"email\","
               "\"chat\"]}}");
    assert_str(json_raw_member(property(schema, "main_part"), STR("type")),
               "[\"object\",\"null\"]");
    assert_str(json_raw_member(property(schema, "main_part"), STR("required")),
               "[\"label\",\"weight\"]");
    assert_str(property(json_raw_member(property(schema, "parts"), STR("items")), "weight"),
               "{\"type\":[\"integer\",\"null\"],\"format\":\"int64\",\"minimum\":-5,\"maximum\":"
               "5}");
    assert_str(property(schema, "shout"), "{\"type\":[\"string\",\"null\"]}");
}

static void bodies(void **state)
{
    struct fixture *f = *state;
    struct str schema = schema_of(f, &specimen_record, SCHEMA_BODY);

    assert_str(json_raw_member(schema, STR("required")), "[\"subject\"]");
    assert_null(property(schema, "id").ptr);
    assert_null(property(schema, "secret").ptr);
    assert_str(property(schema, "password"),
               "{\"type\":[\"string\",\"null\"],\"minLength\":8,\"maxLength\":8}");
    assert_non_null(property(schema, "owner_id").ptr);
    assert_str(property(schema, "kind"), "{\"type\":[\"string\",\"null\"],\"enum\":[\"call\","
                                         "\"email\",\"chat\",\"phone\",null]}");
    assert_str(json_raw_member(property(schema, "tags"), STR("type")), "[\"array\",\"null\"]");
    assert_str(
        json_raw_member(json_raw_member(property(schema, "parts"), STR("items")), STR("required")),
        "[\"label\"]");
}

static void patches(void **state)
{
    struct fixture *f = *state;
    struct str schema = schema_of(f, &specimen_record, SCHEMA_PATCH);

    assert_null(json_raw_member(schema, STR("required")).ptr);
    assert_null(property(schema, "owner_id").ptr);
    assert_non_null(property(schema, "subject").ptr);
    assert_null(json_raw_member(property(schema, "main_part"), STR("required")).ptr);
    assert_str(json_raw_member(property(schema, "people"), STR("type")), "[\"array\",\"null\"]");
    assert_str(property(schema, "party"), "{\"anyOf\":[{\"type\":\"array\"},{\"type\":\"null\"}]}");
    assert_str(property(schema_of(f, &specimen_record, SCHEMA_BODY), "party"),
               "{\"type\":\"array\"}");
    assert_str(json_raw_member(property(schema_of(f, &specimen_record, SCHEMA_BODY), "people"),
                               STR("type")),
               "\"array\"");
    assert_str(
        json_raw_member(json_raw_member(property(schema, "parts"), STR("items")), STR("required")),
        "[\"label\"]");
}

static void documented_views(void **state)
{
    static const struct field field =
        VIEW("v", shout_put, NULL, 0, .schema = "{\"type\":\"null\"}", .doc = "Nothing");
    struct fixture *f = *state;
    struct json_out out;
    struct buf buf;

    buf_init(&buf, f->arena, 1000);
    json_out_init(&out, &buf);
    field_schema(&field, SCHEMA_ANSWER, &out);
    assert_str(buf_str(&buf), "{\"allOf\":[{\"type\":\"null\"}],\"description\":\"Nothing\"}");
}

/* What record_encode() writes has exactly the names that the schema knows and requires. */
static void answers_have_what_is_required(void **state)
{
    struct fixture *f = *state;
    struct str schema = schema_of(f, &specimen_record, SCHEMA_ANSWER);
    struct json_t *answer, *required;
    struct specimen zero = {0};
    struct json_out out;
    struct buf buf;

    buf_init(&buf, f->arena, 10000);
    json_out_init(&out, &buf);
    record_encode(&specimen_record, &zero, false, &out);
    assert_int_equal(json_parse(f->arena, buf_str(&buf), &answer, &f->error), OK);
    assert_int_equal(
        json_parse(f->arena, json_raw_member(schema, STR("required")), &required, &f->error), OK);
    for (size_t i = 0; i < json_item_count(required); i++)
        assert_non_null(json_member_of(answer, json_value_text(json_item(required, i)).ptr));
    for (struct json_member at = json_member_first(answer); at.value; json_member_next(&at))
        assert_non_null(property(schema, at.name.ptr).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(bodies),
        cmocka_unit_test(patches),
        cmocka_unit_test(documented_views),
        cmocka_unit_test(answers_have_what_is_required),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
