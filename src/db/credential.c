#include "db/credential.h"

#include "base/base64url.h"

#include <sodium.h>
#include <string.h>

#define RAW_BYTES (16 + 16 + SECRET_BYTES)

_Static_assert(LOGIN_COOKIE_LEN == BASE64URL_LEN(RAW_BYTES), "a cookie is a credential's text");
_Static_assert(SECRET_TEXT_LEN == BASE64URL_LEN(SECRET_BYTES), "and a secret its own");
_Static_assert(SECRET_HASH_BYTES == crypto_hash_sha256_BYTES, "secrets are kept as SHA-256");

struct credential credential_new(struct uuid tenant_id, struct uuid id)
{
    struct credential made = {.tenant_id = tenant_id, .id = id};

    randombytes_buf(made.secret, sizeof(made.secret));
    return made;
}

void credential_cookie_text(const struct credential *credential, char out[LOGIN_COOKIE_LEN])
{
    uint8_t raw[RAW_BYTES];

    memcpy(raw, credential->tenant_id.bytes, 16);
    memcpy(raw + 16, credential->id.bytes, 16);
    memcpy(raw + 32, credential->secret, SECRET_BYTES);
    base64url_encode(raw, sizeof(raw), out);
}

bool credential_parse_cookie(struct str text, struct credential *out)
{
    uint8_t raw[RAW_BYTES];
    size_t len;

    if (!base64url_decode(text, raw, sizeof(raw), &len) || len != sizeof(raw))
        return false;
    memcpy(out->tenant_id.bytes, raw, 16);
    memcpy(out->id.bytes, raw + 16, 16);
    memcpy(out->secret, raw + 32, SECRET_BYTES);
    return !uuid_is_none(out->tenant_id) && !uuid_is_none(out->id);
}

static const char *const prefixes[] = {
    [FORM_KEY] = "tp_", [FORM_CONTACT_TOKEN] = "tpc_", [FORM_TICKET] = "tps_"};

size_t credential_text(const struct credential *credential, enum credential_form form,
                       char out[CREDENTIAL_LEN_MAX])
{
    const struct str prefix = str_of(prefixes[form]);

    memcpy(out, prefix.ptr, prefix.len);
    credential_cookie_text(credential, out + prefix.len);
    return prefix.len + LOGIN_COOKIE_LEN;
}

enum credential_form credential_parse(struct str text, struct credential *out)
{
    for (enum credential_form form = FORM_KEY; form <= FORM_TICKET; form++) {
        const struct str prefix = str_of(prefixes[form]);

        if (str_starts(text, prefix))
            return credential_parse_cookie(str_slice(text, prefix.len, text.len), out) ? form
                                                                                       : FORM_NONE;
    }
    return FORM_NONE;
}

bool credential_is_ticket(struct str text)
{
    return str_starts(text, str_of(prefixes[FORM_TICKET]));
}

void credential_hash(const struct credential *credential, uint8_t out[SECRET_HASH_BYTES])
{
    crypto_hash_sha256(out, credential->secret, SECRET_BYTES);
}

static bool same_hash(const uint8_t hash[SECRET_HASH_BYTES], struct str stored)
{
    return stored.len == SECRET_HASH_BYTES && sodium_memcmp(hash, stored.ptr, stored.len) == 0;
}

bool credential_matches(const struct credential *credential, struct str stored_hash)
{
    uint8_t hash[SECRET_HASH_BYTES];

    credential_hash(credential, hash);
    return same_hash(hash, stored_hash);
}

void secret_new(char out[SECRET_TEXT_LEN])
{
    uint8_t raw[SECRET_BYTES];

    randombytes_buf(raw, sizeof(raw));
    base64url_encode(raw, sizeof(raw), out);
}

void secret_hash(struct str text, uint8_t out[SECRET_HASH_BYTES])
{
    crypto_hash_sha256(out, (const uint8_t *)text.ptr, text.len);
}

bool secret_matches(struct str text, struct str stored_hash)
{
    uint8_t hash[SECRET_HASH_BYTES];

    if (!text.ptr)
        return false;
    secret_hash(text, hash);
    return same_hash(hash, stored_hash);
}
