/* RFC 4648 §5: one spelling for every value. */
#include "unit.h"

#include "base/base64url.h"

#include <string.h>

/* RFC 4648 §10, less the padding. */
static void vectors(void **state)
{
    static const struct {
        const char *plain, *text;
    } all[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
               {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    char text[16];
    uint8_t plain[16];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        size_t plain_len = strlen(all[i].plain);

        base64url_encode((const uint8_t *)all[i].plain, plain_len, text);
        assert_true(str_is((struct str){text, BASE64URL_LEN(plain_len)}, all[i].text));
        assert_true(base64url_decode(str_of(all[i].text), plain, sizeof(plain), &len));
        assert_int_equal(len, plain_len);
        assert_memory_equal(plain, all[i].plain, len);
    }
}

static void every_byte(void **state)
{
    uint8_t bytes[256], back[256];
    char text[BASE64URL_LEN(256)];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(255 - i);
    base64url_encode(bytes, sizeof(bytes), text);
    assert_memory_equal(text, "__79", 4);
    assert_true(base64url_decode((struct str){text, sizeof(text)}, back, sizeof(back), &len));
    assert_int_equal(len, sizeof(bytes));
    assert_memory_equal(back, bytes, sizeof(bytes));
    assert_false(base64url_decode((struct str){text, sizeof(text)}, back, 255, &len));
}

static void other_spellings(void **state)
{
    static const char *const wrong[] = {"Z",    "Zg==", "Zh",    "Zm9=",  "Zm 9",
                                        "Zm+v", "Zm/v", "Zm9\n", "Zm9vZ", "\xC3\xA4\xC3\xA4",
                                        "Zm9"};
    uint8_t plain[16];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (base64url_decode(str_of(wrong[i]), plain, sizeof(plain), &len))
            fail_msg("%s is taken", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(every_byte),
                                       cmocka_unit_test(other_spellings)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
