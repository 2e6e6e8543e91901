#include "base/unit.h"

#include "base/time.h"
#include "specimen.h"

#define ID_1 "0190163d-8694-739b-aea5-966c26f8ad91"

struct fixture {
    struct arena *arena;
    struct error error;
    struct specimen specimen;
    struct given given;
    struct decoding in;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(MIB(8));
    f->in = (struct decoding){.arena = f->arena, .error = &f->error};
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

static enum err query(struct fixture *f, struct str text)
{
    memset(&f->specimen, 0, sizeof(f->specimen));
    error_clear(&f->error);
    return record_decode_query(&specimen_record, text, &f->in, &f->specimen, &f->given);
}

static enum err texts(struct fixture *f, const struct str *names, const struct str *values,
                      size_t count)
{
    memset(&f->specimen, 0, sizeof(f->specimen));
    error_clear(&f->error);
    return record_decode_texts(&specimen_record, names, values, count, &f->in, &f->specimen,
                               &f->given);
}

static void expect(const struct fixture *f, const char *field, const char *code)
{
    for (size_t i = 0; i < f->error.fault_count && i < FAULTS_MAX; i++) {
        if (strcmp(f->error.faults[i].field, field) == 0) {
            assert_string_equal(f->error.faults[i].code, code);
            return;
        }
    }
    fail_msg("no fault of %s", field);
}

static void all_types(void **state)
{
    struct fixture *f = *state;
    const struct specimen *s = &f->specimen;

    assert_int_equal(query(f, STR("owner_id=" ID_1 "&subject=a+b%26c%3D%C3%A4&description="
                                  "&&kind=phone&active=true&count=7&started_at=2026-01-31T10%3A00"
                                  "%3A00%2B01:00&rank=-5&ratio=0.5&score=1e2&metadata=%7B%22a%22"
                                  ":1%7D&tags=x,+y&people=" ID_1 "&kinds=call,chat&place=%7B%22x"
                                  "%22:3%7D&shout=hey!&parts=[%7B%22label%22:%22l%22%7D]")),
                     OK);
    assert_int_equal(s->owner_id.bytes[15], 0x91);
    assert_str(s->subject, "a b&c=\xC3\xA4");
    assert_str(s->text, "");
    assert_int_equal(s->kind, KIND_CALL);
    assert_true(s->active);
    assert_int_equal(s->count, 7);
    assert_int_equal(time_year(s->started_at), 2026);
    assert_true(s->rank.set && s->rank.value == -5);
    assert_true(s->ratio == 0.5 && s->score.value == 100.0);
    assert_str(s->metadata, "{\"a\":1}");
    assert_int_equal(s->tags.count, 2);
    assert_str(*LIST_AT(s->tags, struct str, 1), "y");
    assert_int_equal(s->people.count, 1);
    assert_int_equal(*LIST_AT(s->kinds, int, 1), KIND_CHAT);
    assert_int_equal(s->place.x, 3);
    assert_str(s->shout, "hey!");
    assert_int_equal(s->parts.count, 1);
    assert_true(given_has(&f->given, &specimen_record, "description"));
    assert_false(given_has(&f->given, &specimen_record, "ended_at"));
}

static void faults(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(query(f, STR("id=" ID_1 "&owner_id=&descripton=x&email=e&kind=&active=1&"
                                  "count=0x1&started_at=2026-01-31&rank=%201&ratio=nan&score=0x1p3"
                                  "&metadata=7&tags=a,,b&people=x&kinds=fax&place=[&shout=hey&"
                                  "count=3&parts=x")),
                     ERR_INVALID);
    expect(f, "id", "read_only");
    expect(f, "owner_id", "bad_format");
    expect(f, "descripton", "unknown_field");
    expect(f, "email", "bad_format");
    expect(f, "kind", "not_one_of");
    expect(f, "active", "bad_format");
    expect(f, "count", "bad_format");
    expect(f, "started_at", "bad_format");
    expect(f, "rank", "bad_format");
    expect(f, "ratio", "bad_format");
    expect(f, "score", "bad_format");
    expect(f, "metadata", "wrong_type");
    expect(f, "tags[1]", "too_short");
    expect(f, "people[0]", "bad_format");
    expect(f, "kinds[0]", "not_one_of");
    expect(f, "place", "bad_format");
    expect(f, "shout", "bad_format");
    expect(f, "parts", "bad_format");
    expect(f, "subject", "required");
    assert_int_equal(f->error.fault_count, 20); /* and count, which is there twice */
}

static void twice(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(query(f, STR("subject=a&subject=b&sub%6Aect=c")), ERR_INVALID);
    expect(f, "subject", "repeated");
    assert_int_equal(f->error.fault_count, 2);
    assert_str(f->specimen.subject, "a");
}

static void malformed(void **state)
{
    static const struct str bad[] = {
        STR("subject=%"),    STR("subject=%4"),        STR("subject=%zz"),  STR("subject=%00"),
        STR("subject=a\0b"), STR("subject=%FF"),       STR("subject=%C3"),  STR("subject=\xC0\x80"),
        STR("%C3=1"),        STR("subject=%ED%A0%80"), STR("a=1&b=%2&c=3"), STR("subject=%4\xC3"),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(query(f, bad[i]), ERR_MALFORMED);
        assert_int_equal(f->error.code, ERR_MALFORMED);
    }
}

static void empty_queries(void **state)
{
    static const struct field fields[] = {FIELD(point, x, F_INT, 0)};
    static const struct record record = RECORD_NAMED("Filter", point, fields);
    struct fixture *f = *state;
    struct point point = {5, 0};
    struct given given;

    error_clear(&f->error);
    assert_int_equal(record_decode_query(&record, STR(""), &f->in, &point, &given), OK);
    assert_int_equal(record_decode_query(&record, STR_NULL, &f->in, &point, &given), OK);
    assert_int_equal(record_decode_query(&record, STR("&&"), &f->in, &point, &given), OK);
    assert_int_equal(point.x, 5);
    assert_false(given_any(&given));
    assert_int_equal(record_decode_query(&record, STR("="), &f->in, &point, &given), ERR_INVALID);
    assert_int_equal(record_decode_query(&record, STR("x"), &f->in, &point, &given), ERR_INVALID);
}

static void cells(void **state)
{
    static const struct str names[] = {STR("subject"), STR("rank"), STR("tags"), STR("email"),
                                       STR("nonsense")};
    struct fixture *f = *state;

    assert_int_equal(
        texts(f, names, (const struct str[]){STR("s"), STR(""), STR("a, b"), STR("")}, 4), OK);
    assert_false(given_has(&f->given, &specimen_record, "rank")); /* empty is not given */
    assert_int_equal(f->specimen.tags.count, 2);

    assert_int_equal(
        texts(f, names,
              (const struct str[]){STR(""), STR("x"), STR("\xFF"), STR("a@b.c"), STR("1")}, 5),
        ERR_INVALID);
    expect(f, "subject", "required");
    expect(f, "rank", "bad_format");
    expect(f, "tags", "bad_format");
    expect(f, "nonsense", "unknown_field");
    assert_int_equal(f->error.fault_count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types), cmocka_unit_test(faults),        cmocka_unit_test(twice),
        cmocka_unit_test(malformed), cmocka_unit_test(empty_queries), cmocka_unit_test(cells),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
