#include "base/unit.h"

#include "json/format.h"

#include <string.h>

static void check(const struct text_format *format, const char *const *good, size_t good_count,
                  const char *const *bad, size_t bad_count)
{
    for (size_t i = 0; i < good_count; i++) {
        if (!format->check(str_of(good[i])))
            fail_msg("%s refuses \"%s\"", format->name, good[i]);
    }
    for (size_t i = 0; i < bad_count; i++) {
        if (format->check(str_of(bad[i])))
            fail_msg("%s accepts \"%s\"", format->name, bad[i]);
    }
    assert_true(strncmp(format->message, "must be ", 8) == 0);
}

#define CHECK(format, good, bad) check((format), (good), COUNT_OF(good), (bad), COUNT_OF(bad))

static void email(void **state)
{
    static const char *const good[] = {"a@b.c", "john.doe+tag@mail.example.com", "o'neil@x-y.org",
                                       "a@xn--bcher-kva.example"};
    static const char *const bad[] = {"",
                                      "a",
                                      "@",
                                      "a@",
                                      "@b.c",
                                      "a@b",
                                      "a@b.",
                                      "a@.b",
                                      "a..b@c.d",
                                      ".a@b.c",
                                      "a.@b.c",
                                      "a b@c.d",
                                      "a@b c.d",
                                      "a@-b.c",
                                      "a@b-.c",
                                      "a@b@c.d",
                                      "\"a b\"@c.d",
                                      "a@[127.0.0.1]",
                                      "a@b\n.c",
                                      "a@b_c.d",
                                      "\xC3\xA4@b.c",
                                      "a@b.c\r\nBcc: x@y.z"};
    char text[400];

    (void)state;
    CHECK(&format_email, good, bad);
    memset(text, 'a', sizeof(text));
    memcpy(text + 64, "@b.example", 10);
    assert_true(format_email.check((struct str){text, 74}));
    memset(text, 'a', sizeof(text));
    memcpy(text + 65, "@b.example", 10);
    assert_false(format_email.check((struct str){text, 75}));
    memset(text, 'a', sizeof(text));
    text[10] = '@';
    for (size_t i = 60; i < sizeof(text); i += 50)
        text[i] = '.';
    assert_true(format_email.check((struct str){text, 254}));
    assert_false(format_email.check((struct str){text, 255}));
}

static void phone(void **state)
{
    static const char *const good[] = {"+4917012", "+491701234567", "+123456789012345"};
    static const char *const bad[] = {"",
                                      "+",
                                      "4917012345",
                                      "+0123456789",
                                      "+123456",
                                      "+1234567890123456",
                                      "+49 170 123",
                                      "+49-1701234",
                                      "+4917012a",
                                      "++4917012",
                                      "0049170123456"};

    (void)state;
    CHECK(&format_phone, good, bad);
}

static void url(void **state)
{
    static const char *const good[] = {"http://a",
                                       "https://example.com/x?y=1#z",
                                       "HTTPS://EXAMPLE.COM:8443",
                                       "http://127.0.0.1:8081/",
                                       "http://[::1]:80/x",
                                       "https://a.b/%7Eme?x=y"};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "ftp://a",
                                      "javascript:alert(1)",
                                      "http:/a",
                                      "http://",
                                      "http:///x",
                                      "http://a b",
                                      "http://a/ b",
                                      "http://a/%zz",
                                      "http://a/%2",
                                      "http://user:x@a/",
                                      "http://a:0/",
                                      "http://a:65536/",
                                      "http://a:/",
                                      "http://[::1",
                                      "http://[a]/",
                                      "http://-a/",
                                      "http://a/<x>",
                                      "http://a/\"",
                                      "http://a/#x#y",
                                      "http://a/\n",
                                      "http://a_b/",
                                      "http://a/[x]"};

    (void)state;
    CHECK(&format_url, good, bad);
}

static void locale(void **state)
{
    static const char *const good[] = {
        "de",         "pt-BR",     "zh-Hant-TW",       "es-419",     "sl-rozaj-biske",
        "de-CH-1996", "zh-yue-HK", "en-US-u-islamcal", "de-a-value", "x-test",
        "en-x-a-b",   "haw",       "abcdefgh"};
    static const char *const bad[] = {
        "",           "d",    "d-DE",      "de-",       "-de",       "de_DE",        "de--DE",
        "de-u",       "de-x", "x",         "de-DE-u-x", "abcdefghi", "de-abcdefghi", "de-DE-AT",
        "de-AT-Latn", "1de",  "d\xC3\xA4", "de-a-b"};

    (void)state;
    CHECK(&format_locale, good, bad);
}

static void timezone_name(void **state)
{
    static const char *const good[] = {"Europe/Berlin", "UTC", "America/New_York"};
    static const char *const bad[] = {"", "Europe/Atlantis", "../../etc/passwd", "/etc/passwd"};

    (void)state;
    CHECK(&format_timezone, good, bad);
}

static void slug(void **state)
{
    static const char *const good[] = {"a", "spring-sale-2", "7"};
    static const char *const bad[] = {"", "-", "a-", "-a", "a--b", "A", "a_b", "a b", "\xC3\xA4"};

    (void)state;
    CHECK(&format_slug, good, bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(email),  cmocka_unit_test(phone),         cmocka_unit_test(url),
        cmocka_unit_test(locale), cmocka_unit_test(timezone_name), cmocka_unit_test(slug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
