/* cmocka wants these headers before its own; and how tests here look at answers. */
#ifndef TESTS_UNIT_HTTP_UNIT_H
#define TESTS_UNIT_HTTP_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "http/server.h"

static inline struct str response_header(const struct http_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->response.header_count; i++) {
        if (str_equal_nocase(exchange->response.headers[i].name, str_of(name)))
            return exchange->response.headers[i].value;
    }
    return STR_NULL;
}

static inline json_t *response_json(const struct http_exchange *exchange)
{
    json_t *json = json_loadb(exchange->response.body.ptr, exchange->response.body.len,
                              JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(json);
    return json;
}

static inline const char *json_member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "(none)";
}

static inline json_int_t json_member_int(const json_t *object, const char *name)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    return json_integer_value(json_object_get(object, name));
}

#define assert_text(s, expected)                                                                   \
    do {                                                                                           \
        struct str assert_text_ = (s);                                                             \
        if (!str_is(assert_text_, (expected)))                                                     \
            fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(assert_text_), (expected));                 \
    } while (0)

#endif
