/* Errors as the caller sees them. */
#include "http_unit.h"

#include "http/problem.h"

static struct arena *arena;
static struct http_exchange exchange;
static struct error error;

static int make(void **state)
{
    (void)state;
    arena = arena_new(MIB(1));
    exchange = (struct http_exchange){.arena = arena, .request_id = STR("req-1")};
    error_clear(&error);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void statuses(void **state)
{
    static const struct {
        enum err code;
        int status;
    } all[] = {{ERR_MALFORMED, 400},   {ERR_UNAUTHENTICATED, 401}, {ERR_FORBIDDEN, 403},
               {ERR_NOT_FOUND, 404},   {ERR_METHOD, 405},          {ERR_TIMEOUT, 408},
               {ERR_CONFLICT, 409},    {ERR_STALE, 412},           {ERR_TOO_LARGE, 413},
               {ERR_MEDIA_TYPE, 415},  {ERR_INVALID, 422},         {ERR_TOO_MANY, 429},
               {ERR_UNAVAILABLE, 503}, {ERR_INTERNAL, 500},        {ERR_RERUN, 500}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_int_equal(problem_status(all[i].code), all[i].status);
        problem_respond(&exchange, all[i].code, NULL);
        json_t *json = response_json(&exchange);
        assert_int_equal(exchange.response.status, all[i].status);
        assert_int_equal(json_member_int(json, "status"), all[i].status);
        assert_string_equal(json_member_text(json, "type"), "about:blank");
        assert_string_equal(json_member_text(json, "request_id"), "req-1");
        assert_true(strlen(json_member_text(json, "title")) > 3);
        assert_true(strlen(json_member_text(json, "detail")) > 10);
        assert_null(json_object_get(json, "errors"));
        json_decref(json);
        assert_text(response_header(&exchange, "content-type"), "application/problem+json");
    }
}

static void headers_by_status(void **state)
{
    (void)state;
    problem_respond(&exchange, ERR_UNAUTHENTICATED, NULL);
    assert_text(response_header(&exchange, "www-authenticate"), "Bearer realm=\"touchpoint\"");
    error_set(&error, ERR_TOO_MANY, "Slow down.");
    error.retry_after_s = 3600;
    problem_respond(&exchange, ERR_TOO_MANY, &error);
    assert_text(response_header(&exchange, "retry-after"), "3600");
    assert_null(response_header(&exchange, "www-authenticate").ptr);
    problem_respond(&exchange, ERR_UNAVAILABLE, NULL);
    assert_text(response_header(&exchange, "retry-after"), "1");
}

static void every_fault_is_told(void **state)
{
    (void)state;
    error_fault(&error, "subject", "required", "must be given");
    error_fault(&error, "rows[3].e\"mail", "bad_format", "must be an <address>");
    problem_respond(&exchange, ERR_INVALID, &error);
    json_t *json = response_json(&exchange), *faults = json_object_get(json, "errors");
    assert_int_equal(json_array_size(faults), 2);
    assert_string_equal(json_member_text(json_array_get(faults, 0), "field"), "subject");
    assert_string_equal(json_member_text(json_array_get(faults, 0), "code"), "required");
    assert_string_equal(json_member_text(json_array_get(faults, 1), "field"), "rows[3].e\"mail");
    assert_string_equal(json_member_text(json_array_get(faults, 1), "message"),
                        "must be an <address>");
    assert_null(json_object_get(json, "errors_total"));
    json_decref(json);
}

static void more_faults_than_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < FAULTS_MAX + 6; i++)
        error_fault(&error, "x", "unknown_field", "is not known");
    problem_respond(&exchange, ERR_INVALID, &error);
    json_t *json = response_json(&exchange);
    assert_int_equal(json_array_size(json_object_get(json, "errors")), FAULTS_MAX);
    assert_int_equal(json_member_int(json, "errors_total"), FAULTS_MAX + 6);
    json_decref(json);
}

static void what_is_inside_stays_inside(void **state)
{
    (void)state;
    error_set(&error, ERR_INTERNAL, "no such column: secret_hash");
    problem_respond(&exchange, ERR_INTERNAL, &error);
    json_t *json = response_json(&exchange);
    assert_null(strstr(json_member_text(json, "detail"), "secret_hash"));
    json_decref(json);
    /* Words that belong to another failure are not told either. */
    error_set(&error, ERR_CONFLICT, "mine");
    problem_respond(&exchange, ERR_UNAVAILABLE, &error);
    json = response_json(&exchange);
    assert_null(strstr(json_member_text(json, "detail"), "mine"));
    json_decref(json);
}

static void below_the_router(void **state)
{
    (void)state;
    problem_respond_status(&exchange, 431, NULL);
    assert_int_equal(exchange.response.status, 431);
    problem_respond_status(&exchange, 400, "Two Host fields.");
    json_t *json = response_json(&exchange);
    assert_string_equal(json_member_text(json, "detail"), "Two Host fields.");
    json_decref(json);
    problem_respond_status(&exchange, 299, NULL);
    assert_int_equal(exchange.response.status, 500);
}

static void without_memory(void **state)
{
    (void)state;
    struct arena *small = arena_new(64);

    assert_null(arena_alloc(small, 1000));
    exchange.arena = small;
    problem_respond(&exchange, ERR_UNAVAILABLE, NULL);
    assert_int_equal(exchange.response.status, 413);
    json_t *json = response_json(&exchange);
    assert_int_equal(json_member_int(json, "status"), 413);
    json_decref(json);
    arena_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statuses, make, end),
        cmocka_unit_test_setup_teardown(headers_by_status, make, end),
        cmocka_unit_test_setup_teardown(every_fault_is_told, make, end),
        cmocka_unit_test_setup_teardown(more_faults_than_are_kept, make, end),
        cmocka_unit_test_setup_teardown(what_is_inside_stays_inside, make, end),
        cmocka_unit_test_setup_teardown(below_the_router, make, end),
        cmocka_unit_test_setup_teardown(without_memory, make, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
