#include "base/unit.h"

#include "base/time.h"
#include "specimen.h"

#include <stdio.h>

#define ID_1 "0190163d-8694-739b-aea5-966c26f8ad91"
#define ID_2 "0190163d-8694-739b-aea5-966c26f8ad92"

struct fixture {
    struct arena *arena;
    struct error error;
    struct specimen specimen;
    struct given given;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));

    fixture->arena = arena_new(MIB(8));
    *state = fixture;
    return fixture->arena ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    arena_free(fixture->arena);
    test_free(fixture);
    return 0;
}

static enum err decode_as(struct fixture *f, struct str json, bool patch)
{
    struct decoding in = {.arena = f->arena, .error = &f->error, .patch = patch};

    memset(&f->specimen, 0, sizeof(f->specimen));
    error_clear(&f->error);
    return record_decode(&specimen_record, json, &in, &f->specimen, &f->given);
}

static const struct fault *find(const struct fixture *f, const char *field)
{
    for (size_t i = 0; i < f->error.fault_count && i < FAULTS_MAX; i++) {
        if (strcmp(f->error.faults[i].field, field) == 0)
            return &f->error.faults[i];
    }
    return NULL;
}

static void expect(const struct fixture *f, const char *field, const char *code,
                   const char *message)
{
    const struct fault *fault = find(f, field);

    assert_non_null(fault);
    assert_string_equal(fault->code, code);
    if (message)
        assert_string_equal(fault->message, message);
}

static struct str encode(struct fixture *f, const struct specimen *specimen, bool secrets)
{
    struct json_out out;
    struct buf *buf = ARENA_NEW(f->arena, struct buf);

    buf_init(buf, f->arena, MIB(1));
    json_out_init(&out, buf);
    record_encode(&specimen_record, specimen, secrets, &out);
    assert_false(buf_failed(buf));
    return buf_str(buf);
}

static void the_table_is_right(void **state)
{
    (void)state;
    assert_null(record_fault(&specimen_record));
}

static void everything(void **state)
{
    struct fixture *f = *state;
    const struct specimen *s = &f->specimen;
    const struct part *part;

    assert_int_equal(
        decode_as(f,
                  STR("{\"owner_id\":\"" ID_1 "\",\"subject\":\"H\xC3\xA4llo\",\"description\":"
                      "\"two\\nlines\",\"email\":\"a@b.c\",\"password\":\"12345678\",\"kind\":"
                      "\"phone\",\"active\":true,\"count\":7,\"started_at\":"
                      "\"2026-01-31T10:00:00+01:00\",\"rank\":-1,\"ended_at\":"
                      "\"2026-01-31T09:00:00.5Z\",\"ratio\":1,\"score\":0.25,"
                      "\"metad\\u0061ta\": { \"b\" : 1.0, \"a\":[1,  2] },\"tags\":[\"x\",\"y\"],"
                      "\"people\":[\"" ID_1 "\",\"" ID_2 "\"],\"kinds\":[\"chat\",\"call\"],"
                      "\"parts\":[{\"label\":\"p\",\"weight\":5,\"extra\":{\"z\": 1}},"
                      "{\"label\":\"q\"}],\"place\":{\"x\":1,\"y\":2},\"main_part\":"
                      "{\"label\":\"m\"},\"shout\":\"hey!\"}"),
                  false),
        OK);
    assert_int_equal(s->owner_id.bytes[15], 0x91);
    assert_str(s->subject, "H\xC3\xA4llo");
    assert_str(s->text, "two\nlines");
    assert_str(s->email, "a@b.c");
    assert_int_equal(s->kind, KIND_CALL);
    assert_true(s->active);
    assert_int_equal(s->count, 7);
    assert_int_equal(s->ended_at.value - s->started_at, SECOND_US / 2);
    assert_true(s->rank.set && s->rank.value == -1);
    assert_true(s->ratio == 1.0 && s->score.set && s->score.value == 0.25);
    assert_str(s->metadata, "{ \"b\" : 1.0, \"a\":[1,  2] }"); /* as it came */
    assert_int_equal(s->tags.count, 2);
    assert_str(*LIST_AT(s->tags, struct str, 1), "y");
    assert_int_equal(LIST_AT(s->people, struct uuid, 1)->bytes[15], 0x92);
    assert_int_equal(*LIST_AT(s->kinds, int, 0), KIND_CHAT);
    assert_int_equal(s->parts.count, 2);
    part = LIST_AT(s->parts, struct part, 0);
    assert_str(part->extra, "{\"z\": 1}");
    assert_true(part->weight.set);
    assert_false(part[1].weight.set);
    assert_int_equal(s->place.y, 2);
    assert_str(s->main_part.label, "m");
    assert_str(s->shout, "hey!");
    assert_true(given_has(&f->given, &specimen_record, "metadata"));
    assert_false(given_has(&f->given, &specimen_record, "id"));
    assert_false(given_has(&f->given, &specimen_record, "no such field"));

    assert_str(
        encode(f, s, true),
        "{\"id\":null,\"owner_id\":\"" ID_1 "\",\"subject\":\"H\xC3\xA4llo\",\"description\":"
        "\"two\\nlines\",\"email\":\"a@b.c\",\"secret\":null,\"kind\":\"call\",\"active\":true,"
        "\"count\":7,\"started_at\":\"2026-01-31T09:00:00Z\",\"rank\":-1,\"ended_at\":"
        "\"2026-01-31T09:00:00.5Z\",\"ratio\":1,\"score\":0.25,\"metadata\":{ \"b\" : 1.0, "
        "\"a\":[1,  2] },\"tags\":[\"x\",\"y\"],\"people\":[\"" ID_1 "\",\"" ID_2 "\"],\"kinds\":"
        "[\"chat\",\"call\"],\"parts\":[{\"label\":\"p\",\"weight\":5,\"extra\":{\"z\": 1}},"
        "{\"label\":\"q\",\"weight\":null}],\"place\":{\"x\":1,\"y\":2},\"main_part\":{\"label\":"
        "\"m\",\"weight\":null},\"shout\":\"hey!\"}");
}

static void a_zeroed_record_is_nulls(void **state)
{
    struct fixture *f = *state;
    struct specimen zero = {0};

    assert_str(encode(f, &zero, false),
               "{\"id\":null,\"owner_id\":null,\"subject\":null,\"description\":null,\"kind\":null,"
               "\"active\":false,\"count\":0,\"started_at\":\"1970-01-01T00:00:00Z\",\"rank\":null,"
               "\"ended_at\":null,\"ratio\":0,\"score\":null,\"metadata\":null,\"tags\":[],"
               "\"people\":[],\"kinds\":[],\"parts\":[],\"place\":{\"x\":0,\"y\":0},"
               "\"main_part\":null,\"shout\":null}");
}

static void every_fault_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        decode_as(f,
                  STR("{\"id\":\"" ID_1 "\",\"owner_id\":\"x\",\"subjct\":1,\"description\":7,"
                      "\"email\":\"nobody\",\"password\":\"short\",\"kind\":\"fax\",\"active\":1,"
                      "\"count\":101,\"started_at\":\"yesterday\",\"rank\":1.0,\"ended_at\":5,"
                      "\"ratio\":-1.5,\"score\":\"1\",\"metadata\":[],\"tags\":[\"a\",\"b\",\"c\","
                      "\"d\"],\"people\":[\"" ID_1 "\",7,\"?\"],\"kinds\":\"call\",\"parts\":["
                      "{\"label\":\"p\",\"weight\":6,\"size\":1},{\"weight\":null},3],\"place\":[],"
                      "\"main_part\":{\"label\":\"\",\"made_by\":\"" ID_1 "\"},\"shout\":\"hey\","
                      "\"hidden\":1,\"zzz\":1}"),
                  false),
        ERR_INVALID);
    assert_int_equal(f->error.code, ERR_INVALID);
    expect(f, "id", "read_only", "is set by the server and cannot be given");
    expect(f, "owner_id", "bad_format", "must be a UUID");
    expect(f, "subjct", "unknown_field", "is not a field of Specimen (did you mean subject?)");
    expect(f, "subject", "required", "must be given");
    expect(f, "description", "wrong_type", "must be a text");
    expect(f, "email", "bad_format", NULL);
    expect(f, "password", "too_short", "must be exactly 8 characters long");
    expect(f, "kind", "not_one_of", "must be one of: call, email, chat");
    expect(f, "active", "wrong_type", "must be true or false");
    expect(f, "count", "too_large", "must be at most 100");
    expect(f, "started_at", "bad_format", NULL);
    expect(f, "rank", "wrong_type", "must be a whole number");
    expect(f, "ended_at", "wrong_type", NULL);
    expect(f, "ratio", "too_small", "must be -1 to 1");
    expect(f, "score", "wrong_type", "must be a number");
    expect(f, "metadata", "wrong_type", "must be an object");
    expect(f, "tags", "too_long", "must have at most 3 items");
    expect(f, "people[1]", "wrong_type", NULL);
    expect(f, "people[2]", "bad_format", "must be a UUID");
    expect(f, "kinds", "wrong_type", "must be a list");
    expect(f, "parts[0].weight", "too_large", "must be -5 to 5");
    expect(f, "parts[0].size", "unknown_field", "is not a field of Part");
    expect(f, "parts[1].label", "required", NULL);
    expect(f, "parts[2]", "wrong_type", "must be an object");
    expect(f, "place", "wrong_type", "must be an object");
    expect(f, "main_part.label", "too_short", "must be 1 to 10 characters long");
    expect(f, "main_part.made_by", "read_only", NULL);
    expect(f, "shout", "bad_format", "must end with !");
    expect(f, "hidden", "unknown_field", NULL);
    expect(f, "zzz", "unknown_field", "is not a field of Specimen");
    assert_int_equal(f->error.fault_count, 30);
}

static void nulls(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode_as(f,
                               STR("{\"subject\":null,\"active\":null,\"count\":null,\"people\":"
                                   "null,\"place\":null,\"rank\":null,\"tags\":null,\"owner_id\":"
                                   "null,\"metadata\":null,\"main_part\":null,\"shout\":null}"),
                               false),
                     ERR_INVALID);
    expect(f, "subject", "not_nullable", "must not be null");
    expect(f, "active", "not_nullable", NULL);
    expect(f, "count", "not_nullable", NULL);
    expect(f, "people", "not_nullable", NULL);
    expect(f, "place", "not_nullable", NULL);
    assert_int_equal(f->error.fault_count, 5);
    assert_true(given_has(&f->given, &specimen_record, "rank"));
}

static void defaults_stay_and_null_clears(void **state)
{
    struct fixture *f = *state;
    struct specimen s = {.text = STR("default"), .rank = SOME(5), .count = 3};
    struct decoding in = {.arena = f->arena, .error = &f->error};

    error_clear(&f->error);
    assert_int_equal(
        record_decode(&specimen_record, STR("{\"subject\":\"s\",\"rank\":null}"), &in, &s, NULL),
        OK);
    assert_str(s.text, "default");
    assert_int_equal(s.count, 3);
    assert_false(s.rank.set);
}

static void texts(void **state)
{
    struct fixture *f = *state;

    /* Twenty code points of three bytes each are twenty characters. */
    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
                                   "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
                                   "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
                                   "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
                                   "\xE2\x82\xAC\"}"),
                               false),
                     OK);
    assert_int_equal(decode_as(f, STR("{\"subject\":\"123456789012345678901\"}"), false),
                     ERR_INVALID);
    expect(f, "subject", "too_long", "must be 1 to 20 characters long");
    assert_int_equal(decode_as(f, STR("{\"subject\":\"\"}"), false), ERR_INVALID);
    expect(f, "subject", "too_short", NULL);
}

static void control_characters(void **state)
{
    static const char *const bad_line[] = {"\\n",      "\\t",          "\\u0001",      "\x7F",
                                           "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9", "\\u001f"};
    static const char *const bad_text[] = {"\\u0001", "\\b", "\\f", "\\u001f", "\\u001b"};
    struct fixture *f = *state;
    char body[100];

    for (size_t i = 0; i < COUNT_OF(bad_line); i++) {
        snprintf(body, sizeof(body), "{\"subject\":\"a%sb\"}", bad_line[i]);
        assert_int_equal(decode_as(f, str_of(body), false), ERR_INVALID);
        expect(f, "subject", "bad_format", "must be a single line without control characters");
    }
    for (size_t i = 0; i < COUNT_OF(bad_text); i++) {
        snprintf(body, sizeof(body), "{\"subject\":\"s\",\"description\":\"a%sb\"}", bad_text[i]);
        assert_int_equal(decode_as(f, str_of(body), false), ERR_INVALID);
        expect(f, "description", "bad_format", "must not contain control characters");
    }
    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"\xC2\xA0\xE2\x80\xA7\xE2\x80\xAA\","
                                   "\"description\":\"\\r\\n\\t\x7F\xC2\x85\"}"),
                               false),
                     OK);
}

static void lists(void **state)
{
    struct fixture *f = *state;
    char body[1000];
    char long_tag[LIST_TEXT_MAX + 2] = {0};

    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"s\",\"tags\":[\"a\",\"b\",\"a\"],\"people\":["
                                   "\"" ID_1 "\",\"" ID_2 "\",\"" ID_2 "\"],\"kinds\":[\"call\","
                                   "\"phone\",\"fax\"]}"),
                               false),
                     ERR_INVALID);
    expect(f, "tags[2]", "repeated", "is in the list already, at 0");
    expect(f, "people[2]", "repeated", "is in the list already, at 1");
    expect(f, "kinds[2]", "not_one_of", NULL);
    assert_int_equal(f->error.fault_count, 3);

    memset(long_tag, 'x', LIST_TEXT_MAX + 1);
    snprintf(body, sizeof(body), "{\"subject\":\"s\",\"tags\":[\"\",\"%s\",null]}", long_tag);
    assert_int_equal(decode_as(f, str_of(body), false), ERR_INVALID);
    expect(f, "tags[0]", "too_short", NULL);
    expect(f, "tags[1]", "too_long", "must be 1 to 255 characters long");
    expect(f, "tags[2]", "wrong_type", NULL);

    assert_int_equal(decode_as(f, STR("{\"subject\":\"s\",\"tags\":[],\"parts\":[]}"), false), OK);
    assert_int_equal(f->specimen.tags.count, 0);
}

static void free_json(void **state)
{
    struct fixture *f = *state;
    size_t len = FREE_JSON_MAX + 100;
    char *body = test_malloc(len);
    int head = snprintf(body, len, "{\"subject\":\"s\",\"metadata\":{\"a\":\"");
    size_t raw_start = (size_t)head - 6, end;

    assert_true(head > 0);
    end = raw_start + FREE_JSON_MAX;
    memset(body + head, 'x', end - (size_t)head);
    memcpy(body + end - 2, "\"}}", 3);
    assert_int_equal(decode_as(f, (struct str){body, end + 1}, false), OK);
    assert_int_equal(f->specimen.metadata.len, FREE_JSON_MAX);
    memcpy(body + end - 2, "x\"}}", 4);
    assert_int_equal(decode_as(f, (struct str){body, end + 2}, false), ERR_INVALID);
    expect(f, "metadata", "too_long", "must be at most 65536 bytes long");
    test_free(body);
}

static void not_an_object(void **state)
{
    struct fixture *f = *state;
    struct decoding in = {.arena = f->arena, .error = &f->error, .path = "rows[3]."};

    assert_int_equal(decode_as(f, STR("[]"), false), ERR_INVALID);
    expect(f, "", "wrong_type", "must be an object");
    assert_int_equal(decode_as(f, STR("{\"subject\":"), false), ERR_MALFORMED);
    assert_int_equal(f->error.fault_count, 0);
    error_clear(&f->error);
    assert_int_equal(record_decode(&specimen_record, STR("7"), &in, &f->specimen, NULL),
                     ERR_INVALID);
    expect(f, "rows[3]", "wrong_type", NULL);
    error_clear(&f->error);
    assert_int_equal(
        record_decode(&specimen_record, STR("{\"parts\":[{}]}"), &in, &f->specimen, NULL),
        ERR_INVALID);
    expect(f, "rows[3].subject", "required", NULL);
    expect(f, "rows[3].parts[0].label", "required", NULL);
}

static void strange_names(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"s\",\"\":1,\"a\\n\\u001b[31m\":2,\"descripton\""
                                   ":3,\"idd\":4,\"xx\":5}"),
                               false),
                     ERR_INVALID);
    expect(f, "", "unknown_field", NULL);
    expect(f, "a??[31m", "unknown_field", NULL);
    expect(f, "descripton", "unknown_field",
           "is not a field of Specimen (did you mean description?)");
    expect(f, "idd", "unknown_field", "is not a field of Specimen");
    expect(f, "xx", "unknown_field", "is not a field of Specimen");

    /* A long one is cut between two characters. */
    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"s\",\"12345678901234567890123456789012345678901"
                                   "23456789012345678901\xE2\x82\xAC\xE2\x82\xAC\":1}"),
                               false),
                     ERR_INVALID);
    expect(f, "1234567890123456789012345678901234567890123456789012345678901", "unknown_field",
           NULL);
}

static void long_enums_are_cut_between_names(void **state)
{
    static const char *const names[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "cccccccccccccccccccccccccccccc", "dddddddddddddddddddddddddddddd",
        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "ffffffffffffffffffffffffffffff"};
    static const struct enum_names many = ENUM_NAMES(names);
    static const struct field fields[] = {
        {.name = "k", .type = F_ENUM, .size = sizeof(int), .names = &many}};
    static const struct record record = {"Many", sizeof(int), fields, 1};
    struct fixture *f = *state;
    struct decoding in = {.arena = f->arena, .error = &f->error};
    int value = 0;

    error_clear(&f->error);
    assert_int_equal(record_decode(&record, STR("{\"k\":\"g\"}"), &in, &value, NULL), ERR_INVALID);
    expect(f, "k", "not_one_of",
           "must be one of: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, "
           "cccccccccccccccccccccccccccccc, dddddddddddddddddddddddddddddd, …");
}

static void patches(void **state)
{
    struct fixture *f = *state;
    struct specimen current;

    assert_int_equal(decode_as(f, STR("{\"owner_id\":\"" ID_1 "\",\"subject\":null}"), true),
                     ERR_INVALID);
    expect(f, "owner_id", "immutable", "cannot be changed once it is set");
    expect(f, "subject", "not_nullable", NULL);
    assert_int_equal(f->error.fault_count, 2);

    /* Null clears a list, also one that is shown by a view; but not one that must be there. */
    assert_int_equal(decode_as(f, STR("{\"people\":null,\"parts\":null,\"tags\":null}"), true), OK);
    assert_true(given_has(&f->given, &specimen_record, "people"));
    assert_int_equal(f->specimen.people.count + f->specimen.parts.count, 0);
    assert_int_equal(decode_as(f, STR("{\"party\":null}"), true), OK);
    assert_true(given_has(&f->given, &specimen_record, "party"));
    assert_int_equal(decode_as(f, STR("{\"subject\":\"s\",\"party\":null}"), false), ERR_INVALID);
    expect(f, "party", "not_nullable", NULL);
    assert_false(
        field_takes_null(&(struct field){.type = F_LIST, .of = F_TEXT, .flags = REQUIRED}, true));
    assert_false(field_takes_null(&(struct field){.type = F_LIST, .of = F_TEXT, .min = 1}, true));

    /* An item of a list is whole; a nested object is merged. */
    assert_int_equal(decode_as(f, STR("{\"parts\":[{}],\"main_part\":{}}"), true), ERR_INVALID);
    expect(f, "parts[0].label", "required", NULL);
    assert_int_equal(f->error.fault_count, 1);

    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"old\",\"rank\":1,\"place\":{\"x\":1,\"y\":2},"
                                   "\"main_part\":{\"label\":\"m\",\"weight\":2,\"extra\":"
                                   "{\"k\":1,\"l\":2}},\"metadata\":{\"a\":1,\"b\":{\"c\":2}},"
                                   "\"tags\":[\"x\"],\"shout\":\"a!\"}"),
                               false),
                     OK);
    current = f->specimen;
    assert_int_equal(decode_as(f,
                               STR("{\"rank\":null,\"place\":{\"y\":7},\"main_part\":{\"weight\":"
                                   "null,\"extra\":{\"k\":null}},\"metadata\":{\"b\":{\"d\":3}},"
                                   "\"tags\":[],\"shout\":\"b!\"}"),
                               true),
                     OK);
    assert_int_equal(
        record_merge(&specimen_record, &f->given, &f->specimen, &current, f->arena, &f->error), OK);
    assert_str(current.subject, "old");
    assert_false(current.rank.set);
    assert_int_equal(current.place.x, 1);
    assert_int_equal(current.place.y, 7);
    assert_str(current.main_part.label, "m");
    assert_false(current.main_part.weight.set);
    assert_str(current.main_part.extra, "{\"l\":2}");
    assert_str(current.metadata, "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}");
    assert_int_equal(current.tags.count, 0);
    assert_str(current.shout, "b!");

    assert_int_equal(decode_as(f, STR("{\"metadata\":null,\"main_part\":null}"), true), OK);
    assert_int_equal(
        record_merge(&specimen_record, &f->given, &f->specimen, &current, f->arena, &f->error), OK);
    assert_null(current.metadata.ptr);
    assert_null(current.main_part.label.ptr);
}

static void differences(void **state)
{
    struct fixture *f = *state;
    struct specimen a, b;
    struct given difference;

    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"s\",\"tags\":[\"x\"],\"people\":[\"" ID_1 "\"],"
                                   "\"kinds\":[\"call\"],\"parts\":[{\"label\":\"p\"}]}"),
                               false),
                     OK);
    a = f->specimen;
    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"s\",\"tags\":[\"x\"],\"people\":[\"" ID_1 "\"],"
                                   "\"kinds\":[\"call\"],\"parts\":[{\"label\":\"p\"}]}"),
                               false),
                     OK);
    b = f->specimen;
    b.count = 9;       /* a summary */
    b.id.bytes[0] = 1; /* read only */
    difference = record_difference(&specimen_record, &a, &b);
    assert_false(given_any(&difference));

#define CHANGES(name, ...)                                                                         \
    do {                                                                                           \
        struct specimen c = b;                                                                     \
        __VA_ARGS__;                                                                               \
        difference = record_difference(&specimen_record, &a, &c);                                  \
        assert_true(given_has(&difference, &specimen_record, name));                               \
        difference.bits[0] &= difference.bits[0] - 1;                                              \
        assert_false(given_any(&difference));                                                      \
    } while (0)
    CHANGES("owner_id", c.owner_id.bytes[0] = 1);
    CHANGES("subject", c.subject = STR("t"));
    CHANGES("description", c.text = STR(""));
    CHANGES("kind", c.kind = KIND_CHAT);
    CHANGES("active", c.active = true);
    CHANGES("started_at", c.started_at = 1);
    CHANGES("rank", c.rank = (struct maybe_int)SOME(0));
    CHANGES("ratio", c.ratio = 0.5);
    CHANGES("score", c.score = (struct maybe_real)SOME(0));
    CHANGES("metadata", c.metadata = STR("{}"));
    CHANGES("tags", c.tags.count = 0);
    CHANGES("tags", c.tags.items = &(struct str){"y", 1});
    CHANGES("people", c.people.items = &(struct uuid){{1}});
    CHANGES("kinds", c.kinds.items = &(int){KIND_CHAT});
    CHANGES("parts", c.parts.items = &(struct part){.label = STR("q")});
    CHANGES("place", c.place.x = 1);
    CHANGES("main_part", c.main_part.weight = (struct maybe_int)SOME(0));
    CHANGES("shout", c.shout = STR("!"));
#undef CHANGES
}

static void secrets(void **state)
{
    struct fixture *f = *state;
    struct specimen s = {.subject = STR("s"), .secret = STR("tp_x"), .password = STR("12345678")};

    assert_non_null(strstr(str_to_c(f->arena, encode(f, &s, true)), "\"secret\":\"tp_x\""));
    assert_null(strstr(str_to_c(f->arena, encode(f, &s, false)), "secret"));
    assert_null(strstr(str_to_c(f->arena, encode(f, &s, true)), "password"));
}

static void lists_in_columns(void **state)
{
    struct fixture *f = *state;
    const struct field *parts = record_field(&specimen_record, STR("parts"));
    const struct field *tags = record_field(&specimen_record, STR("tags"));
    struct part items[2] = {{.label = STR("longer than ten"), .made_by = {{1, 2, 3}}},
                            {.label = STR("b"), .weight = SOME(9), .extra = STR("{\"a\":  1}")}};
    struct list list = {items, 2}, back;
    struct json_out out;
    struct buf buf;

    error_clear(&f->error);
    buf_init(&buf, f->arena, 10000);
    json_out_init(&out, &buf);
    list_encode(parts, &list, &out);
    /* What is stored is not held to limits that came later. */
    assert_int_equal(list_decode(parts, f->arena, buf_str(&buf), &back, &f->error), OK);
    assert_int_equal(back.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct part *part = LIST_AT(back, struct part, i);

        assert_true(str_equal(part->label, items[i].label));
        assert_true(str_equal(part->extra, items[i].extra));
        assert_true(uuid_equal(part->made_by, items[i].made_by));
        assert_int_equal(part->weight.set, items[i].weight.set);
        assert_int_equal(part->weight.value, items[i].weight.value);
    }
    assert_int_equal(list_decode(tags, f->arena, STR("[]"), &back, &f->error), OK);
    assert_int_equal(back.count, 0);
    assert_int_equal(list_decode(tags, f->arena, STR_NULL, &back, &f->error), OK);
    assert_int_equal(list_decode(tags, f->arena, STR("[\"a\","), &back, &f->error), ERR_INTERNAL);
    assert_int_equal(list_decode(tags, f->arena, STR("{}"), &back, &f->error), ERR_INTERNAL);
    assert_int_equal(list_decode(tags, f->arena, STR("[1]"), &back, &f->error), ERR_INTERNAL);
    assert_int_equal(f->error.fault_count, 0);
}

/* What the `take` of a view works with. */
static void one_field(void **state)
{
    struct fixture *f = *state;
    struct decoding in = {.arena = f->arena, .error = &f->error, .path = "rows[1]."};
    struct str text = STR("{\"a\":{\"k\":  1},\"b\":5}");
    struct specimen s = {0};
    struct json_t *value;

    error_clear(&f->error);
    assert_int_equal(json_parse(f->arena, text, &value, &f->error), OK);
    assert_int_equal(field_decode(record_field(&specimen_record, STR("metadata")),
                                  json_member_of(value, "a"), json_raw_member(text, STR("a")), &in,
                                  &s),
                     OK);
    assert_str(s.metadata, "{\"k\":  1}");
    assert_int_equal(field_decode(record_field(&specimen_record, STR("subject")),
                                  json_member_of(value, "b"), STR("5"), &in, &s),
                     ERR_INVALID);
    expect(f, "rows[1].subject", "wrong_type", "must be a text");
}

static void csv(void **state)
{
    struct fixture *f = *state;
    struct buf buf;

    buf_init(&buf, f->arena, 10000);
    record_csv_header(&specimen_record, &buf);
    assert_str(buf_str(&buf), "id,owner_id,subject,description,email,kind,active,count,started_at,"
                              "rank,ended_at,ratio,score,metadata,tags,people,kinds,parts,place,"
                              "main_part,shout\r\n");
    assert_int_equal(decode_as(f,
                               STR("{\"subject\":\"say \\\"hi\\\"\",\"description\":\"a,b\\nc\","
                                   "\"kind\":\"chat\",\"rank\":0,\"metadata\":{\"a\":1,\"b\":2},"
                                   "\"tags\":[\"x\",\"y,z\"],\"people\":[\"" ID_1 "\"],\"kinds\":"
                                   "[\"call\",\"email\"],\"shout\":\"\\\"\\u00e4\\\"!\"}"),
                               false),
                     OK);
    buf_reset(&buf);
    record_csv_row(&specimen_record, &f->specimen, &buf);
    assert_str(buf_str(&buf),
               ",,\"say \"\"hi\"\"\",\"a,b\nc\",,chat,false,0,1970-01-01T00:00:00Z,0,,0,,"
               "\"{\"\"a\"\":1,\"\"b\"\":2}\",\"x; y,z\"," ID_1 ",call; email,[],"
               "\"{\"\"x\"\":0,\"\"y\"\":0}\",,\"\"\"\xC3\xA4\"\"!\"\r\n");
}

/* A spreadsheet runs no text of a table as a formula, and numbers stay what they are. */
static void csv_formulas(void **state)
{
    static const struct {
        struct str subject, cell;
    } cases[] = {
        {STR("=1+1"), STR("'=1+1")},
        {STR("=HYPERLINK(\"x\")"), STR("\"'=HYPERLINK(\"\"x\"\")\"")},
        {STR("+cmd|' /C calc'!A0"), STR("'+cmd|' /C calc'!A0")},
        {STR("-2+3"), STR("'-2+3")},
        {STR("@SUM(A1)"), STR("'@SUM(A1)")},
        {STR("\t=1"), STR("'\t=1")},
        {STR("\r=1"), STR("\"'\r=1\"")},
        {STR("-"), STR("'-")},
        {STR("+491701234567"), STR("+491701234567")},
        {STR("+49 30 123"), STR("+49 30 123")},
        {STR("-5.25"), STR("-5.25")},
        {STR("a=1"), STR("a=1")},
        {STR("'=1"), STR("'=1")},
        {STR(""), STR("")},
    };
    struct fixture *f = *state;
    struct str tags[] = {STR("=x"), STR("y")};
    struct buf expected, row;

    buf_init(&expected, f->arena, 10000);
    buf_init(&row, f->arena, 10000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct specimen specimen = {.subject = cases[i].subject,
                                          .shout = cases[i].subject,
                                          .count = -7,
                                          .ratio = -1.5e-9,
                                          .tags = {tags, COUNT_OF(tags)}};

        buf_reset(&expected);
        buf_reset(&row);
        record_csv_row(&specimen_record, &specimen, &row);
        buf_addf(&expected,
                 ",,%.*s,,,,false,-7,1970-01-01T00:00:00Z,,,-1.5e-09,,,'=x; y,,,[],"
                 "\"{\"\"x\"\":0,\"\"y\"\":0}\",,%.*s\r\n",
                 STR_FMT(cases[i].cell), STR_FMT(cases[i].cell));
        assert_false(buf_failed(&row));
        assert_int_equal(row.len, expected.len);
        assert_memory_equal(row.ptr, expected.ptr, row.len);
    }
}

static void the_budget_ends_it(void **state)
{
    struct fixture *f = *state;
    struct arena *small = arena_new(600);
    struct decoding in = {.arena = small, .error = &f->error};
    char body[1000] = "{\"subject\":\"s\",\"description\":\"";
    size_t head = strlen(body);

    assert_non_null(small);
    memset(body + head, 'x', 900);
    memcpy(body + head + 900, "\"}", 3);
    error_clear(&f->error);
    assert_int_equal(record_decode(&specimen_record, str_of(body), &in, &f->specimen, NULL),
                     ERR_TOO_LARGE);
    assert_int_equal(f->error.code, ERR_TOO_LARGE);
    arena_free(small);
}

static void enums(void **state)
{
    (void)state;
    assert_string_equal(enum_name(&kinds, KIND_CALL), "call");
    assert_string_equal(enum_name(&kinds, KIND_CHAT), "chat");
    assert_null(enum_name(&kinds, 0));
    assert_null(enum_name(&kinds, 4));
    assert_null(enum_name(&kinds, -1));
    assert_int_equal(enum_value(&kinds, STR("phone")), KIND_CALL);
    assert_int_equal(enum_value(&kinds, STR("Call")), 0);
    assert_int_equal(enum_value(&kinds, STR_NULL), 0);
}

static void wrong_tables(void **state)
{
    static const struct field twice[] = {FIELD(specimen, subject, F_TEXT, 0),
                                         FIELD_AS(specimen, "subject", text, F_TEXT, 0)};
    static const struct field same_column[] = {FIELD(specimen, subject, F_TEXT, 0),
                                               FIELD_AS(specimen, "title", subject, F_TEXT, 0)};
    static struct field many[FIELDS_MAX + 1];
    struct record record = {"R", sizeof(struct specimen), twice, 2};

    (void)state;
    assert_non_null(strstr(record_fault(&record), "name is there twice"));
    record.fields = same_column;
    assert_non_null(strstr(record_fault(&record), "column is there twice"));
    record = (struct record){"R", sizeof(struct specimen), many, COUNT_OF(many)};
    assert_non_null(strstr(record_fault(&record), "too many fields"));
    record = (struct record){NULL, 8, twice, 1};
    assert_non_null(record_fault(&record));
}

static void wrong_fields(void **state)
{
    static const struct enum_names none = {NULL, 0, NULL, 0};
    static const struct enum_alias bad_alias[] = {{"x", 4}};
    static const struct enum_names aliased = ENUM_NAMES_ALIASED(kind_names, bad_alias);
    static const struct field bad_field[] = {FIELD(specimen, rank, F_INT, 0)};
    static const struct record bad_inner = {"Inner", sizeof(struct point), bad_field, 1};
    const struct field bad[] = {
        FIELD(specimen, rank, F_INT, 0),
        FIELD(specimen, count, F_INT, NULLABLE),
        FIELD(specimen, ratio, F_REAL, NULLABLE),
        FIELD(specimen, subject, F_ENUM, 0, .names = &kinds),
        FIELD(specimen, kind, F_ENUM, 0),
        FIELD(specimen, kind, F_ENUM, 0, .names = &none),
        FIELD(specimen, kind, F_ENUM, 0, .names = &aliased),
        FIELD(specimen, tags, F_LIST, 0),
        FIELD(specimen, tags, F_LIST, 0, .of = F_INT),
        FIELD(specimen, tags, F_LIST, 0, .of = F_ENUM),
        FIELD(specimen, tags, F_LIST, 0, .of = F_OBJECT),
        FIELD(specimen, tags, F_LIST, 0, .of = F_TEXT, .unique = true),
        FIELD(specimen, tags, F_LIST, 0, .of = F_TEXT, .unique = true, .max = 1001),
        FIELD(specimen, tags, F_LIST, 0, .of = F_OBJECT, .record = &part_record, .unique = true,
              .max = 5),
        FIELD(specimen, place, F_OBJECT, 0),
        FIELD(specimen, place, F_OBJECT, 0, .record = &part_record),
        FIELD(specimen, place, F_OBJECT, 0, .record = &bad_inner),
        FIELD(specimen, subject, F_TEXT, 0, .min = 5, .max = 4),
        FIELD(specimen, subject, F_TEXT, 0, .min = 1),
        FIELD(specimen, count, F_INT, 0, .format = &format_email),
        FIELD(specimen, active, F_BOOL, NULLABLE),
        FIELD(specimen, subject, F_TEXT, REQUIRED | NULLABLE),
        FIELD(specimen, subject, F_TEXT, REQUIRED | READ_ONLY),
        FIELD(specimen, subject, F_TEXT, READ_ONLY | WRITE_ONLY),
        FIELD(specimen, subject, F_TEXT, READ_ONLY | IMMUTABLE),
        FIELD(specimen, subject, F_TEXT, COLUMN_ONLY | NO_COLUMN),
        VIEW("v", NULL, shout_take, IMMUTABLE, .schema = "{}"),
        VIEW("v", shout_put, NULL, REQUIRED, .schema = "{}"),
        VIEW("v", shout_put, shout_take, 0, .schema = "{}"),
        VIEW("v", shout_put, NULL, 0),
        VIEW("v", shout_put, NULL, OMIT_NULL, .schema = "{}"),
        {.name = "", .type = F_BOOL, .size = 1},
        {.name = "x", .size = 1},
        {.name = "x", .type = F_BOOL, .size = 1, .offset = sizeof(struct specimen)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct record record = {"R", sizeof(struct specimen), &bad[i], 1};

        if (!record_fault(&record))
            fail_msg("row %zu passes", i);
    }
}

/* --- What is encoded comes back the same --------------------------------------------- */

static uint64_t state_of_random = 88172645463325252U;

static uint64_t next_random(void)
{
    state_of_random ^= state_of_random << 13; /* xorshift64 */
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random;
}

static size_t below(size_t end)
{
    return (size_t)(next_random() % end);
}

static struct str random_text(struct arena *arena, size_t least, size_t most, bool one_line)
{
    static const char *const pieces[] = {"a",
                                         "Z",
                                         "0",
                                         " ",
                                         "\"",
                                         "\\",
                                         "/",
                                         "<",
                                         "&",
                                         "\xC3\xA4",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "\xEF\xBF\xBF",
                                         "\n",
                                         "\t",
                                         "\r",
                                         "\xE2\x80\xA8",
                                         "\x7F"};
    size_t count = least + below(most - least + 1);
    struct buf buf;

    buf_init(&buf, arena, 1000);
    for (size_t i = 0; i < count; i++)
        buf_add(&buf, str_of(pieces[below(one_line ? 13 : COUNT_OF(pieces))]));
    return buf_str(&buf);
}

static struct uuid random_uuid(void)
{
    struct uuid id;

    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] = (uint8_t)(next_random() >> 32 | 1);
    return id;
}

static void random_specimen(struct arena *arena, struct specimen *s)
{
    size_t parts = below(5), people = below(6);

    *s = (struct specimen){.subject = random_text(arena, 1, 20, true),
                           .kind = (enum kind)below(4),
                           .active = below(2),
                           .count = (int64_t)below(101),
                           .started_at = (int64_t)(next_random() >> 13),
                           .ratio = (double)below(2001) / 1000 - 1};
    if (below(2))
        s->owner_id = random_uuid();
    if (below(2))
        s->text = random_text(arena, 0, 200, false);
    if (below(2))
        s->rank = (struct maybe_int)SOME((int64_t)next_random());
    if (below(2))
        s->ended_at = (struct maybe_int)SOME(-(int64_t)(next_random() >> 13));
    if (below(2))
        s->score = (struct maybe_real)SOME((double)next_random() / 3e7);
    if (below(2))
        s->metadata = STR("{\"a\" : [1.50, \"\\u00e4}\"], \"b\":{}}");
    s->parts = (struct list){ARENA_ARRAY(arena, parts + 1, struct part), parts};
    for (size_t i = 0; i < parts; i++)
        *LIST_AT(s->parts, struct part, i) =
            (struct part){.label = random_text(arena, 1, 10, false),
                          .weight = {below(2), 0},
                          .extra = below(2) ? STR("{\"deep\":{\"er\":[[]]}}") : STR_NULL};
    s->people = (struct list){ARENA_ARRAY(arena, people + 1, struct uuid), people};
    for (size_t i = 0; i < people; i++)
        *LIST_AT(s->people, struct uuid, i) = random_uuid();
    s->place = (struct point){(int64_t)next_random(), -(int64_t)below(10)};
    if (below(2))
        s->main_part.label = random_text(arena, 1, 10, false);
}

static void round_trips(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 500; i++) {
        struct decoding in = {.arena = f->arena, .error = &f->error, .stored = true};
        struct specimen s, back = {0};
        struct given difference;
        struct str json;

        arena_reset(f->arena);
        random_specimen(f->arena, &s);
        json = encode(f, &s, true);
        error_clear(&f->error);
        assert_int_equal(record_decode(&specimen_record, json, &in, &back, NULL), OK);
        difference = record_difference(&specimen_record, &s, &back);
        assert_false(given_any(&difference));
        assert_int_equal(s.count, back.count);
        assert_true(str_equal(encode(f, &back, true), json));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_right),
        cmocka_unit_test(everything),
        cmocka_unit_test(a_zeroed_record_is_nulls),
        cmocka_unit_test(every_fault_at_once),
        cmocka_unit_test(nulls),
        cmocka_unit_test(defaults_stay_and_null_clears),
        cmocka_unit_test(texts),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(lists),
        cmocka_unit_test(free_json),
        cmocka_unit_test(not_an_object),
        cmocka_unit_test(strange_names),
        cmocka_unit_test(long_enums_are_cut_between_names),
        cmocka_unit_test(patches),
        cmocka_unit_test(differences),
        cmocka_unit_test(secrets),
        cmocka_unit_test(lists_in_columns),
        cmocka_unit_test(one_field),
        cmocka_unit_test(csv),
        cmocka_unit_test(csv_formulas),
        cmocka_unit_test(the_budget_ends_it),
        cmocka_unit_test(enums),
        cmocka_unit_test(wrong_tables),
        cmocka_unit_test(wrong_fields),
        cmocka_unit_test(round_trips),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
