/* What people type and what is stored fold to the same text, in any script. */
#include "base/unit.h"

#include "app/search/fold.h"
#include "base/limits.h"

#include <string.h>

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(MIB(4));
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void assert_folds(const char *text, const char *expected)
{
    struct str folded = fold_text(arena, str_of(text));

    if (!str_equal(folded, str_of(expected)))
        fail_msg("'%s' folds to '%.*s', not '%s'", text, STR_FMT(folded), expected);
}

static void test_case_and_accents_fold(void **state)
{
    (void)state;
    assert_folds("ÉCOLE Straße", "ecole strasse");
    assert_folds("Müller", "muller");
    assert_folds("Mu\xCC\x88ller", "muller"); /* the same, written with a combining mark */
    assert_folds("Łódź Ørsted Ærø ĐÀ NẴNG", "lodz orsted aero da nang");
    assert_folds("İstanbul Ilıca", "istanbul ilica");
    assert_folds("ΣΊΣΥΦΟΣ", "σισυφοσ");
    assert_folds("σίσυφος", "σισυφοσ");
    assert_folds("Йод Ёлка", "иод елка");
    assert_folds("ﬁnal ＦＵＬＬ ①", "final full 1");
}

static void test_spaces_become_one(void **state)
{
    (void)state;
    assert_folds(" \t Anna \xC2\xA0\n  Lee ", "anna lee");
    assert_folds("", "");
    assert_folds("\xCC\x88", ""); /* a mark alone */
    assert_folds("a\xC2\xAD"
                 "b",
                 "ab");             /* a soft hyphen */
    assert_folds("\xC2\xA8x", "x"); /* a mark's own letter: space and mark */
}

static void test_scripts_without_case_stay(void **state)
{
    (void)state;
    assert_folds("山田 太郎", "山田 太郎");
    assert_folds("שָׁלוֹם", "שלום");
    assert_folds("مُحَمَّد", "محمد");
}

static void test_keys_are_cut_at_a_character(void **state)
{
    (void)state;
    assert_str(fold_key(arena, STR("日本語"), 8), "日本");
    assert_str(fold_key(arena, STR("日本語"), 9), "日本語");
    assert_str(fold_key(arena, STR("日本語"), 2), "");
}

static void test_words_stand_between_what_is_no_letter(void **state)
{
    struct str words[8];

    (void)state;
    assert_int_equal(fold_words(STR("o'brien, anna-lee (crm-42)"), words, 8), 6);
    assert_str(words[0], "o");
    assert_str(words[1], "brien");
    assert_str(words[3], "lee");
    assert_str(words[5], "42");
    assert_int_equal(fold_words(STR("a b c"), words, 2), 2);
    assert_int_equal(fold_words(STR("...!"), words, 8), 0);
    assert_int_equal(fold_words(STR(""), words, 8), 0);
}

static void test_long_words_are_cut(void **state)
{
    char text[3 * FOLD_WORD_MAX];
    struct str word;

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(fold_words((struct str){text, sizeof text}, &word, 1), 1);
    assert_int_equal(word.len, FOLD_WORD_MAX);
}

static void test_words_begin_inside_where_no_spaces_are_written(void **state)
{
    struct str suffixes[8];

    (void)state;
    assert_int_equal(fold_suffixes(STR("山田太郎"), suffixes, 8), 3);
    assert_str(suffixes[1], "太郎");
    assert_int_equal(fold_suffixes(STR("山田太郎"), suffixes, 1), 1);
    assert_int_equal(fold_suffixes(STR("anna"), suffixes, 8), 0);
}

static void test_numbers_lose_their_dress(void **state)
{
    (void)state;
    assert_str(fold_digits(arena, STR("+49 (30) 1234-56")), "4930123456");
    assert_str(fold_digits(arena, STR("０３０/12")), "03012");
    assert_null(fold_digits(arena, STR("030 x 12")).ptr);
    assert_null(fold_digits(arena, STR("+ -")).ptr);
    assert_null(fold_digits(arena, STR("")).ptr);
}

static void test_a_range_holds_what_begins_with_it(void **state)
{
    struct str end = fold_range_end(arena, STR("ann"));

    (void)state;
    assert_true(str_compare(STR("ann"), end) < 0);
    assert_true(str_compare(STR("anna"), end) < 0);
    assert_true(str_compare(STR("ann\xEF\xBF\xBD"), end) < 0);
    assert_true(str_compare(STR("ano"), end) > 0);
    assert_true(str_is_utf8(end));
}

static void test_a_spent_budget_is_told(void **state)
{
    struct arena *small = arena_new(KIB(8));
    char text[6000];

    (void)state;
    memset(text, 'x', sizeof text);
    assert_non_null(small);
    while (arena_alloc(small, 64))
        ;
    assert_null(fold_text(small, (struct str){text, sizeof text}).ptr);
    assert_null(fold_range_end(small, (struct str){text, sizeof text}).ptr);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case_and_accents_fold),
        cmocka_unit_test(test_spaces_become_one),
        cmocka_unit_test(test_scripts_without_case_stay),
        cmocka_unit_test(test_keys_are_cut_at_a_character),
        cmocka_unit_test(test_words_stand_between_what_is_no_letter),
        cmocka_unit_test(test_long_words_are_cut),
        cmocka_unit_test(test_words_begin_inside_where_no_spaces_are_written),
        cmocka_unit_test(test_numbers_lose_their_dress),
        cmocka_unit_test(test_a_range_holds_what_begins_with_it),
        cmocka_unit_test(test_a_spent_budget_is_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
