/* Buckets under a clock of our own. */
#include "http_unit.h"

#include "base/limits.h"
#include "base/time.h"
#include "http/rate.h"

#include <stdio.h>

#define PER_SECOND 10
#define BURST (PER_SECOND * RATE_BURST_SECONDS)
#define PEER STR("192.0.2.1")

static int open_rate(void **state)
{
    struct error error;

    return rate_new(PER_SECOND, (struct rate **)state, &error) == OK ? 0 : -1;
}

static int close_rate(void **state)
{
    rate_free(*state);
    return 0;
}

/* How many of `tries` at one moment are let through. */
static int taken(struct rate *rate, struct str credential, struct str peer, int64_t now_us,
                 int tries)
{
    int64_t retry_after_s;
    int count = 0;

    while (tries-- > 0)
        count += rate_take(rate, credential, peer, now_us, &retry_after_s);
    return count;
}

static void a_burst_then_the_rate(void **state)
{
    int64_t now_us = HOUR_US, retry_after_s = 0;

    assert_int_equal(taken(*state, STR_NULL, PEER, now_us, 3 * BURST), BURST);
    assert_false(rate_take(*state, STR_NULL, PEER, now_us, &retry_after_s));
    assert_int_equal(retry_after_s, 1);
    for (int i = 0; i < 5; i++) {
        now_us += SECOND_US;
        assert_int_equal(taken(*state, STR_NULL, PEER, now_us, BURST), PER_SECOND);
    }
    /* Who waits longer saves up one burst and no more. */
    now_us += HOUR_US;
    assert_int_equal(taken(*state, STR_NULL, PEER, now_us, 3 * BURST), BURST);
    assert_int_equal(taken(*state, STR_NULL, PEER, now_us + SECOND_US / PER_SECOND, 5), 1);
}

static void each_has_its_own(void **state)
{
    const struct str one = STR("Bearer one"), two = STR("Bearer two");

    rate_prove(*state, one, HOUR_US);
    rate_prove(*state, two, HOUR_US);
    assert_int_equal(taken(*state, one, PEER, HOUR_US, 3 * BURST), BURST);
    assert_int_equal(taken(*state, two, PEER, HOUR_US, 3 * BURST), BURST);
    assert_int_equal(taken(*state, STR_NULL, PEER, HOUR_US, 3 * BURST), BURST);
    assert_int_equal(taken(*state, STR_NULL, STR("192.0.2.2"), HOUR_US, 3 * BURST), BURST);
    /* To be found good again gives nothing back. */
    rate_prove(*state, one, HOUR_US);
    assert_int_equal(taken(*state, one, PEER, HOUR_US, 1), 0);
}

static void what_is_not_proven_counts_for_its_address(void **state)
{
    char text[32];
    int count = 0;

    for (int i = 0; i < 3 * BURST; i++) {
        int len = snprintf(text, sizeof(text), "Bearer %d", i);

        count += taken(*state, (struct str){text, (size_t)len}, PEER, HOUR_US, 1);
    }
    assert_int_equal(count, BURST);
    rate_prove(*state, STR("Bearer good"), HOUR_US);
    assert_int_equal(taken(*state, STR("Bearer good"), PEER, HOUR_US, 1), 1);
}

static void an_ipv6_network_is_one_caller(void **state)
{
    assert_int_equal(taken(*state, STR_NULL, STR("2001:db8::1"), HOUR_US, BURST), BURST);
    assert_int_equal(taken(*state, STR_NULL, STR("2001:db8::ffff:2"), HOUR_US, BURST), 0);
    assert_int_equal(taken(*state, STR_NULL, STR("2001:db8:0:1::1"), HOUR_US, BURST), BURST);
}

/* A flood of addresses makes no room in the bucket of who is being limited. */
static void the_table_is_bounded_and_keeps_who_is_limited(void **state)
{
    int64_t now_us = HOUR_US;
    char text[32];

    assert_int_equal(taken(*state, STR_NULL, PEER, now_us, BURST), BURST);
    for (int i = 0; i < 4 * RATE_CALLERS; i++) {
        int len = snprintf(text, sizeof(text), "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);

        assert_int_equal(taken(*state, STR_NULL, (struct str){text, (size_t)len}, now_us, 1), 1);
    }
    assert_int_equal(taken(*state, STR_NULL, PEER, now_us, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_then_the_rate, open_rate, close_rate),
        cmocka_unit_test_setup_teardown(each_has_its_own, open_rate, close_rate),
        cmocka_unit_test_setup_teardown(what_is_not_proven_counts_for_its_address, open_rate,
                                        close_rate),
        cmocka_unit_test_setup_teardown(an_ipv6_network_is_one_caller, open_rate, close_rate),
        cmocka_unit_test_setup_teardown(the_table_is_bounded_and_keeps_who_is_limited, open_rate,
                                        close_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
