#include "unit.h"

#include "base/err.h"

#include <string.h>

static struct error error;

static int clear(void **state)
{
    (void)state;
    error_clear(&error);
    return 0;
}

static enum err fails(void)
{
    return error_set(&error, ERR_CONFLICT, "Number %d is taken by %s.", 7, "another");
}

static enum err passes_on(bool *came_back)
{
    TRY(OK);
    TRY(fails());
    *came_back = true;
    return OK;
}

static void set_and_pass_on(void **state)
{
    bool came_back = false;

    (void)state;
    assert_int_equal(passes_on(&came_back), ERR_CONFLICT);
    assert_false(came_back);
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_string_equal(error.detail, "Number 7 is taken by another.");
}

static void faults_in_order(void **state)
{
    (void)state;
    assert_int_equal(error_fault(&error, "rows[3].email", "required", "An address is needed."),
                     ERR_INVALID);
    assert_int_equal(error_fault(&error, NULL, "too_many", "At most %d.", 5), ERR_INVALID);
    assert_int_equal(error.code, ERR_INVALID);
    assert_true(strlen(error.detail) > 0);
    assert_int_equal(error.fault_count, 2);
    assert_string_equal(error.faults[0].field, "rows[3].email");
    assert_string_equal(error.faults[0].code, "required");
    assert_string_equal(error.faults[0].message, "An address is needed.");
    assert_string_equal(error.faults[1].field, "");
    assert_string_equal(error.faults[1].message, "At most 5.");

    error.retry_after_s = 9;
    error_clear(&error);
    assert_int_equal(error.code, OK);
    assert_int_equal(error.fault_count, 0);
    assert_int_equal(error.retry_after_s, 0);
    assert_string_equal(error.detail, "");
}

static void too_many_faults_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < FAULTS_MAX + 10; i++)
        error_fault(&error, "field", "code", "%d", i);
    assert_int_equal(error.fault_count, FAULTS_MAX + 10);
    assert_string_equal(error.faults[0].message, "0");
    assert_string_equal(error.faults[FAULTS_MAX - 1].message, "63");
}

/* Whatever the length, what is kept is a whole number of characters, and no more than
 * one of them shorter than the room. */
static void long_texts_stay_utf8(void **state)
{
    static const char *const characters[] = {"x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[1200] = "";
            size_t width = strlen(characters[i]), len = shift, kept;

            memset(text, '.', shift);
            for (; len < 1000; len += width)
                memcpy(text + len, characters[i], width);
            error_set(&error, ERR_INTERNAL, "%s", text);
            kept = strlen(error.detail);
            assert_true(kept + width >= sizeof(error.detail) && kept < sizeof(error.detail));
            assert_int_equal((kept - shift) % width, 0);
            assert_memory_equal(error.detail, text, kept);
            error_clear(&error);
            error_fault(&error, text, "code", "%s", text);
            assert_true(str_is_utf8(str_of(error.faults[0].field)));
            assert_true(str_is_utf8(str_of(error.faults[0].message)));
            assert_true(strlen(error.faults[0].field) + width >= sizeof(error.faults[0].field));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(set_and_pass_on, clear),
        cmocka_unit_test_setup(faults_in_order, clear),
        cmocka_unit_test_setup(too_many_faults_are_counted, clear),
        cmocka_unit_test_setup(long_texts_stay_utf8, clear),
    };

    return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
