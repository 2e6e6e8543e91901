/* Where a list is asked to begin. */
#include "http_unit.h"

#include "http/page.h"

#define TAG UINT32_C(0x01020304)

static struct arena *arena;
static struct error error;
static struct page page;
static struct str rest;

static int make(void **state)
{
    (void)state;
    arena = arena_new(MIB(1));
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void parse_as(const char *query, bool wants_csv)
{
    error_clear(&error);
    page_parse(str_of(query), TAG, &page_of_records, wants_csv, arena, &error, &page, &rest);
}

static void parse(const char *query)
{
    parse_as(query, false);
}

static void assert_fault(const char *query, const char *field, const char *code)
{
    parse(query);
    for (size_t i = 0; i < error.fault_count; i++) {
        if (strcmp(error.faults[i].field, field) == 0 && strcmp(error.faults[i].code, code) == 0)
            return;
    }
    fail_msg("%s has no fault %s of %s", query, code, field);
}

static void pages_of_events_are_longer(void **state)
{
    struct error events_error;
    struct page events;

    (void)state;
    error_clear(&events_error);
    page_parse(STR(""), TAG, &page_of_events, false, arena, &events_error, &events, &rest);
    assert_int_equal(events.limit, 50);
    page_parse(STR("limit=500&page=3"), TAG, &page_of_events, false, arena, &events_error, &events,
               &rest);
    assert_int_equal(events.limit, 500);
    assert_int_equal(events.offset, 1000);
    assert_int_equal(events_error.fault_count, 0);
    page_parse(STR("limit=501"), TAG, &page_of_events, false, arena, &events_error, &events, &rest);
    assert_int_equal(events_error.fault_count, 1);
    assert_string_equal(events_error.faults[0].code, "too_large");
}

static void three_spellings(void **state)
{
    (void)state;
    parse("");
    assert_int_equal(error.fault_count, 0);
    assert_int_equal(page.limit, 20);
    assert_int_equal(page.offset, 0);
    assert_int_equal(page.number, 1);
    assert_true(page.cursor_time == TIME_END);
    assert_text(page.cursor_text, "");
    assert_true(uuid_equal(page.cursor_id, UUID_MAX));
    parse("page=3&page_size=50");
    assert_int_equal(page.limit, 50);
    assert_int_equal(page.offset, 100);
    assert_int_equal(page.number, 3);
    parse("limit=10&offset=25");
    assert_int_equal(page.limit, 10);
    assert_int_equal(page.offset, 25);
    assert_int_equal(page.number, 3);
    parse("limit=200&offset=10000");
    assert_int_equal(error.fault_count, 0);
}

static void filters_are_left(void **state)
{
    (void)state;
    parse("type=call&page=2&q=a%26b&limit=5&x");
    assert_text(rest, "type=call&q=a%26b&x");
    assert_int_equal(page.number, 2);
    parse("type=call");
    assert_text(rest, "type=call");
    parse("page=2");
    assert_int_equal(rest.len, 0);
}

static void every_fault(void **state)
{
    (void)state;
    assert_fault("page=0", "page", "too_small");
    assert_fault("page=x", "page", "wrong_type");
    assert_fault("page=", "page", "wrong_type");
    assert_fault("page", "page", "wrong_type");
    assert_fault("page=99999999999999999999", "page", "wrong_type");
    assert_fault("page=9223372036854775807", "page", "too_large");
    assert_fault("page=502&page_size=20", "page", "too_large");
    assert_fault("page_size=201", "page_size", "too_large");
    assert_fault("limit=201", "limit", "too_large");
    assert_fault("limit=0", "limit", "too_small");
    assert_fault("limit=-1", "limit", "too_small");
    assert_fault("offset=10001", "offset", "too_large");
    assert_fault("offset=-1", "offset", "too_small");
    assert_fault("page=1&page=1", "page", "repeated");
    assert_fault("page=1&offset=0", "offset", "conflict");
    assert_fault("limit=1&page_size=1", "limit", "conflict");
    assert_fault("cursor=x&page=1", "cursor", "conflict");
    assert_fault("cursor=x&offset=1", "cursor", "conflict");
    assert_fault("cursor=x&page=0", "page", "too_small");
    assert_fault("cursor=", "cursor", "bad_format");
    assert_fault("format=xml", "format", "not_one_of");
    parse("page=0&limit=0&format=x&offset=-1");
    assert_int_equal(error.fault_count,
                     5); /* format; page and offset together; limit; offset; page */
    assert_int_equal(error.code, ERR_INVALID);
}

static void as_csv(void **state)
{
    (void)state;
    parse("format=csv");
    assert_true(page.csv);
    assert_int_equal(page.limit, CSV_ROWS_MAX);
    parse("format=csv&limit=5000");
    assert_int_equal(error.fault_count, 0);
    assert_int_equal(page.limit, 5000);
    parse_as("", true);
    assert_true(page.csv);
    parse_as("format=json", true);
    assert_false(page.csv);
    assert_int_equal(page.limit, 20);
}

static struct str cursor_of(int64_t time, struct str text)
{
    struct list_key key = {time, text, {{9, [15] = 7}}};
    struct str cursor = cursor_encode(&key, TAG, arena);

    assert_non_null(cursor.ptr);
    return cursor;
}

static void cursors_come_back(void **state)
{
    static const int64_t times[] = {0, -1, TIME_MIN_US, TIME_MAX_US, TIME_END, 1234567890123456};
    char query[8192];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        snprintf(query, sizeof(query), "limit=7&cursor=%.*s",
                 STR_FMT(cursor_of(times[i], STR_NULL)));
        parse(query);
        assert_int_equal(error.fault_count, 0);
        assert_true(page.by_cursor);
        assert_int_equal(page.number, 0);
        assert_int_equal(page.offset, 0);
        assert_int_equal(page.limit, 7);
        assert_true(page.cursor_time == times[i]);
        assert_int_equal(page.cursor_id.bytes[0], 9);
    }
    assert_true(cursor_decode(cursor_of(0, STR("")), TAG, arena, &page));
    assert_text(page.cursor_text, "");
    assert_true(cursor_decode(cursor_of(0, STR("m\xC3\xBCller")), TAG, arena, &page));
    assert_text(page.cursor_text, "m\xC3\xBCller");
}

static void cursors_of_others_are_refused(void **state)
{
    struct str good = cursor_of(5, STR_NULL), text = cursor_of(0, STR("abc"));
    char changed[256] = "";

    (void)state;
    assert_true(cursor_decode(good, TAG, arena, &page));
    assert_false(cursor_decode(good, TAG + 1, arena, &page));
    assert_false(cursor_decode(STR_NULL, TAG, arena, &page));
    for (size_t len = 0; len < good.len; len++)
        assert_false(cursor_decode((struct str){good.ptr, len}, TAG, arena, &page));
    for (size_t i = 0; i < 8; i++) { /* version, tag and kind: 6 bytes, 8 characters */
        memcpy(changed, good.ptr, good.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(cursor_decode((struct str){changed, good.len}, TAG, arena, &page));
    }
    memcpy(changed, text.ptr, text.len);
    changed[text.len] = '=';
    assert_false(cursor_decode((struct str){changed, text.len + 1}, TAG, arena, &page));
    /* No time at all, no UTF-8, NUL, no id, too long. */
    assert_false(cursor_decode(cursor_of(TIME_MAX_US + 1, STR_NULL), TAG, arena, &page));
    assert_false(cursor_decode(cursor_of(INT64_MIN, STR_NULL), TAG, arena, &page));
    assert_false(cursor_decode(cursor_of(0, STR("\xFF")), TAG, arena, &page));
    assert_false(cursor_decode(cursor_of(0, STR("a\0b")), TAG, arena, &page));
    struct list_key nil = {0, STR("a"), UUID_NONE};
    assert_false(cursor_decode(cursor_encode(&nil, TAG, arena), TAG, arena, &page));
    struct list_key large = {0, {arena_alloc(arena, 5000), 5000}, {{1}}};
    assert_null(cursor_encode(&large, TAG, arena).ptr);
}

static void upwards(void **state)
{
    char query[256];

    (void)state;
    parse("");
    page_upwards(&page);
    assert_true(page.cursor_time == TIME_MIN_US);
    assert_false(uuid_is_none(page.cursor_id));
    snprintf(query, sizeof(query), "cursor=%.*s", STR_FMT(cursor_of(55, STR_NULL)));
    parse(query);
    page_upwards(&page);
    assert_int_equal(page.cursor_time, 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_spellings),
        cmocka_unit_test(pages_of_events_are_longer),
        cmocka_unit_test(filters_are_left),
        cmocka_unit_test(every_fault),
        cmocka_unit_test(as_csv),
        cmocka_unit_test(cursors_come_back),
        cmocka_unit_test(cursors_of_others_are_refused),
        cmocka_unit_test(upwards),
    };

    return cmocka_run_group_tests(tests, make, end);
}
