/* Keys and cookies as text, and back. */
#include "store_kit.h"

#include <string.h>

#include "db/credential.h"

#define KEY_LEN (3 + LOGIN_COOKIE_LEN)

static const struct uuid tenant = {{1, 2, 3, 4}}, own = {{5, 6, 7, [15] = 8}};

static void text_and_back(void **state)
{
    (void)state;
    struct credential made = credential_new(tenant, own), read;
    char key[CREDENTIAL_LEN_MAX], cookie[LOGIN_COOKIE_LEN];

    assert_int_equal(credential_text(&made, FORM_KEY, key), KEY_LEN);
    credential_cookie_text(&made, cookie);
    assert_memory_equal(key, "tp_", 3);
    assert_int_equal(credential_parse((struct str){key, KEY_LEN}, &read), FORM_KEY);
    assert_true(uuid_equal(read.tenant_id, tenant));
    assert_true(uuid_equal(read.id, own));
    assert_memory_equal(read.secret, made.secret, SECRET_BYTES);
    memset(&read, 0, sizeof(read));
    assert_true(credential_parse_cookie((struct str){cookie, sizeof(cookie)}, &read));
    assert_memory_equal(read.secret, made.secret, SECRET_BYTES);
}

static void forms_differ(void **state)
{
    (void)state;
    struct credential made = credential_new(tenant, own), read;
    char text[CREDENTIAL_LEN_MAX];

    for (enum credential_form form = FORM_KEY; form <= FORM_TICKET; form++) {
        const size_t len = credential_text(&made, form, text);
        const struct str whole = {text, len};

        memset(&read, 0, sizeof(read));
        assert_int_equal(credential_parse(whole, &read), form);
        assert_true(uuid_equal(read.id, own));
        assert_memory_equal(read.secret, made.secret, SECRET_BYTES);
        assert_int_equal(credential_is_ticket(whole), form == FORM_TICKET);
        assert_int_equal(credential_parse(str_slice(whole, 0, whole.len - 1), &read), FORM_NONE);
    }
}

static void secrets_differ(void **state)
{
    (void)state;
    struct credential a = credential_new(tenant, own), b = credential_new(tenant, own);
    char x[SECRET_TEXT_LEN], y[SECRET_TEXT_LEN];

    assert_memory_not_equal(a.secret, b.secret, SECRET_BYTES);
    secret_new(x);
    secret_new(y);
    assert_memory_not_equal(x, y, sizeof(x));
}

static void what_is_no_key(void **state)
{
    (void)state;
    struct credential made = credential_new(tenant, own), read;
    char text[CREDENTIAL_LEN_MAX + 1];
    static const char odd[] = {'+', '/', '=', ' ', '\0', '\n', '.'};

    credential_text(&made, FORM_KEY, text);
    text[KEY_LEN] = 'A';
    assert_int_equal(credential_parse((struct str){text, KEY_LEN + 1}, &read), FORM_NONE);
    for (size_t len = 0; len < KEY_LEN; len++)
        assert_int_equal(credential_parse((struct str){text, len}, &read), FORM_NONE);
    for (size_t i = 0; i < sizeof(odd); i++) {
        char kept = text[40];

        text[40] = odd[i];
        assert_int_equal(credential_parse((struct str){text, KEY_LEN}, &read), FORM_NONE);
        text[40] = kept;
    }
    /* Bits beyond the last byte: a second spelling of the same key. */
    text[KEY_LEN - 1] = text[KEY_LEN - 1] == 'B' ? 'C' : 'B';
    assert_int_equal(credential_parse((struct str){text, KEY_LEN}, &read), FORM_NONE);
    text[0] = 'T';
    assert_int_equal(credential_parse((struct str){text, KEY_LEN}, &read), FORM_NONE);
    assert_int_equal(credential_parse(STR_NULL, &read), FORM_NONE);
    assert_false(credential_parse_cookie(STR_NULL, &read));
}

static void no_nil_ids(void **state)
{
    (void)state;
    struct credential made = credential_new(UUID_NONE, own), read;
    char text[CREDENTIAL_LEN_MAX];

    credential_text(&made, FORM_KEY, text);
    assert_int_equal(credential_parse((struct str){text, KEY_LEN}, &read), FORM_NONE);
    made = credential_new(tenant, UUID_NONE);
    credential_text(&made, FORM_KEY, text);
    assert_int_equal(credential_parse((struct str){text, KEY_LEN}, &read), FORM_NONE);
}

static void matching(void **state)
{
    (void)state;
    struct credential made = credential_new(tenant, own);
    uint8_t hash[SECRET_HASH_BYTES];
    struct str stored = {(const char *)hash, sizeof(hash)};
    char text[SECRET_TEXT_LEN];

    credential_hash(&made, hash);
    assert_true(credential_matches(&made, stored));
    assert_false(credential_matches(&made, (struct str){stored.ptr, 31}));
    assert_false(credential_matches(&made, STR_NULL));
    made.secret[31] ^= 1;
    assert_false(credential_matches(&made, stored));

    secret_new(text);
    secret_hash((struct str){text, sizeof(text)}, hash);
    assert_true(secret_matches((struct str){text, sizeof(text)}, stored));
    assert_false(secret_matches((struct str){text, sizeof(text) - 1}, stored));
    assert_false(secret_matches(STR_NULL, stored));
}

/* SHA-256 of "abc", FIPS 180-2 appendix B.1. */
static void the_hash_is_sha256(void **state)
{
    (void)state;
    uint8_t hash[SECRET_HASH_BYTES], expected[SECRET_HASH_BYTES];

    assert_true(
        str_from_hex(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
                     expected, sizeof(expected)));
    secret_hash(STR("abc"), hash);
    assert_memory_equal(hash, expected, sizeof(hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),      cmocka_unit_test(forms_differ),
        cmocka_unit_test(secrets_differ),     cmocka_unit_test(what_is_no_key),
        cmocka_unit_test(no_nil_ids),         cmocka_unit_test(matching),
        cmocka_unit_test(the_hash_is_sha256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
