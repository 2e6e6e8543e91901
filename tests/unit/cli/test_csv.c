#include "base/unit.h"

#include "cli/csv.h"

#include <stdlib.h>
#include <string.h>

static struct csv *csv;

static int set_up(void **state)
{
    (void)state;
    csv = csv_open(',');
    return csv == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    csv_close(csv);
    return 0;
}

static enum csv_result line(const char *text, struct csv_row *out)
{
    return csv_line(csv, str_of(text), false, out);
}

static void rows_and_cells(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("a,b,c\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 1);
    assert_int_equal(row.count, 3);
    assert_str(row.cells[0], "a");
    assert_str(row.cells[2], "c");
    assert_int_equal(line("1,,\r\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 2);
    assert_int_equal(row.count, 3);
    assert_str(row.cells[0], "1");
    assert_str(row.cells[1], "");
    assert_str(row.cells[2], "");
}

static void quotes_hold_anything(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("\"a, \"\"b\"\"\",\"\"\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 2);
    assert_str(row.cells[0], "a, \"b\"");
    assert_str(row.cells[1], "");
}

static void a_cell_of_several_lines(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("x\n", &row), CSV_ROW_DONE);
    assert_int_equal(line("1,\"two\n", &row), CSV_ROW_OPEN);
    assert_int_equal(line("\n", &row), CSV_ROW_OPEN);
    assert_int_equal(line("lines\",3\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 2);
    assert_int_equal(row.count, 3);
    assert_str(row.cells[1], "two\n\nlines");
    assert_int_equal(line("y\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 5);
}

static void empty_lines_are_nothing(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("\n", &row), CSV_NOTHING);
    assert_int_equal(line("\r\n", &row), CSV_NOTHING);
    assert_int_equal(line("a\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 3);
    /* but a quoted nothing is a row of one cell */
    assert_int_equal(line("\"\"\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 1);
    assert_str(row.cells[0], "");
}

static void the_last_line_needs_no_end(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(csv_line(csv, STR("a,b"), true, &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 2);
    assert_str(row.cells[1], "b");
}

static void a_cell_that_never_closes(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("a,\"b\n", &row), CSV_ROW_OPEN);
    assert_int_equal(csv_line(csv, STR("c\n"), true, &row), CSV_FAULTY);
    assert_int_equal(row.line, 1);
}

static void a_fault_costs_its_row_only(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line("a,b\"c,d\n", &row), CSV_FAULTY);
    assert_int_equal(row.line, 1);
    assert_int_equal(line("e,f\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 2);
    assert_int_equal(row.count, 2);
    assert_str(row.cells[0], "e");
    assert_int_equal(line("\"g\"h,i\n", &row), CSV_FAULTY);
    assert_int_equal(line("j\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 4);
    assert_str(row.cells[0], "j");
}

static void blanks_stay_in_quotes_only(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(line(" a b , \" c \" \n", &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 2);
    assert_str(row.cells[0], "a b");
    assert_str(row.cells[1], " c ");
}

static void bytes_are_not_touched(void **state)
{
    struct csv_row row;

    (void)state;
    assert_int_equal(csv_line(csv, STR("\xEF\xBB\xBFn\xC3\xA4me,a\0b,\xff\n"), false, &row),
                     CSV_ROW_DONE);
    assert_int_equal(row.count, 3);
    assert_str(row.cells[0], "\xEF\xBB\xBFn\xC3\xA4me");
    assert_str(row.cells[1], "a\0b");
    assert_str(row.cells[2], "\xff");
}

static void other_delimiters(void **state)
{
    struct csv *other = csv_open(';');
    struct csv_row row;

    (void)state;
    assert_non_null(other);
    assert_int_equal(csv_line(other, STR("a,b;c\n"), false, &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 2);
    assert_str(row.cells[0], "a,b");
    csv_close(other);
    other = csv_open('\t');
    assert_non_null(other);
    assert_int_equal(csv_line(other, STR("a b\t\tc\n"), false, &row), CSV_ROW_DONE);
    assert_int_equal(row.count, 3);
    assert_str(row.cells[0], "a b");
    assert_str(row.cells[1], "");
    csv_close(other);
}

static void limits(void **state)
{
    struct csv_row row;
    char *commas = malloc(CSV_CELLS_MAX + 2);
    char *long_cell = malloc(CSV_ROW_BYTES_MAX + 2);

    (void)state;
    assert_non_null(commas);
    assert_non_null(long_cell);
    memset(commas, ',', CSV_CELLS_MAX - 1);
    commas[CSV_CELLS_MAX - 1] = '\n';
    assert_int_equal(csv_line(csv, (struct str){commas, CSV_CELLS_MAX}, false, &row), CSV_ROW_DONE);
    assert_int_equal(row.count, CSV_CELLS_MAX);
    memset(commas, ',', CSV_CELLS_MAX);
    commas[CSV_CELLS_MAX] = '\n';
    assert_int_equal(csv_line(csv, (struct str){commas, CSV_CELLS_MAX + 1}, false, &row),
                     CSV_FAULTY);
    memset(long_cell, 'x', CSV_ROW_BYTES_MAX + 1);
    long_cell[CSV_ROW_BYTES_MAX + 1] = '\n';
    assert_int_equal(csv_line(csv, (struct str){long_cell, CSV_ROW_BYTES_MAX + 2}, false, &row),
                     CSV_FAULTY);
    assert_int_equal(line("a\n", &row), CSV_ROW_DONE);
    assert_int_equal(row.line, 4);
    assert_str(row.cells[0], "a");
    free(commas);
    free(long_cell);
}

/* A quote that opens in a large file must not take the rest of it for one cell. */
static void an_open_cell_ends_somewhere(void **state)
{
    char text[4097];
    struct csv_row row;
    enum csv_result result = line("a,\"b\n", &row);

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 2] = '\n';
    text[sizeof(text) - 1] = '\0';
    for (size_t sent = 0; sent <= CSV_ROW_BYTES_MAX && result == CSV_ROW_OPEN;
         sent += sizeof(text) - 1)
        result = line(text, &row);
    assert_int_equal(result, CSV_FAULTY);
    assert_int_equal(row.line, 1);
    assert_int_equal(line("c\n", &row), CSV_ROW_DONE);
    assert_str(row.cells[0], "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_and_cells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotes_hold_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cell_of_several_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_lines_are_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_line_needs_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cell_that_never_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fault_costs_its_row_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(blanks_stay_in_quotes_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_delimiters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_cell_ends_somewhere, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
