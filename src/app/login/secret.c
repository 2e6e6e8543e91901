#include "app/login/secret.h"

#include <sodium.h>

#define TOKEN_PREFIX STR("tpt_")
#define TOKEN_BYTES (16 + 16 + LOGIN_SECRET_BYTES)
#define TOKEN_BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define TOKEN_BASE64_SIZE sodium_base64_ENCODED_LEN(TOKEN_BYTES, TOKEN_BASE64)

static void hash_bytes(struct login_secret *secret)
{
    (void)crypto_hash_sha256(secret->hash, secret->bytes, sizeof secret->bytes);
}

void login_secret_make(struct login_secret *out)
{
    randombytes_buf(out->bytes, sizeof out->bytes);
    hash_bytes(out);
}

struct str login_secret_hash(const struct login_secret *secret)
{
    return (struct str){(const char *)secret->hash, sizeof secret->hash};
}

struct str text_digest(struct arena *arena, struct str text)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char *hex = arena_alloc(arena, 2 * sizeof digest);

    if (hex == NULL)
        return STR_NULL;
    (void)crypto_hash_sha256(digest, (const unsigned char *)text.ptr, text.len);
    str_to_hex(digest, sizeof digest, hex);
    return (struct str){hex, 2 * sizeof digest};
}

struct str token_text(struct arena *arena, struct uuid tenant_id, struct uuid id,
                      const struct login_secret *secret)
{
    const struct str prefix = TOKEN_PREFIX;
    uint8_t raw[TOKEN_BYTES];
    char *text = arena_alloc(arena, prefix.len + TOKEN_BASE64_SIZE);

    if (text == NULL)
        return STR_NULL;
    memcpy(raw, tenant_id.bytes, 16);
    memcpy(raw + 16, id.bytes, 16);
    memcpy(raw + 32, secret->bytes, LOGIN_SECRET_BYTES);
    memcpy(text, prefix.ptr, prefix.len);
    (void)sodium_bin2base64(text + prefix.len, TOKEN_BASE64_SIZE, raw, sizeof raw, TOKEN_BASE64);
    sodium_memzero(raw, sizeof raw);
    return (struct str){text, prefix.len + TOKEN_BASE64_SIZE - 1};
}

bool token_parse(struct str text, struct uuid *tenant_id, struct uuid *id,
                 struct login_secret *secret)
{
    const struct str prefix = TOKEN_PREFIX;
    uint8_t raw[TOKEN_BYTES];
    size_t len = 0;

    if (!str_starts(text, prefix) || text.len != prefix.len + TOKEN_BASE64_SIZE - 1)
        return false;
    if (sodium_base642bin(raw, sizeof raw, text.ptr + prefix.len, text.len - prefix.len, NULL, &len,
                          NULL, TOKEN_BASE64) != 0 ||
        len != sizeof raw)
        return false;
    memcpy(tenant_id->bytes, raw, 16);
    memcpy(id->bytes, raw + 16, 16);
    memcpy(secret->bytes, raw + 32, LOGIN_SECRET_BYTES);
    hash_bytes(secret);
    sodium_memzero(raw, sizeof raw);
    return true;
}
