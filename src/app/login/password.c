#include "app/login/password.h"

#include "app/search/fold.h"

#include <sodium.h>

#define OPERATIONS crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEMORY_BYTES crypto_pwhash_MEMLIMIT_INTERACTIVE

static enum err no_memory(struct ctx *cx)
{
    cx->error->retry_after_s = 1;
    return error_set(cx->error, ERR_UNAVAILABLE, "There is no memory for this now.");
}

enum err password_hash(struct ctx *cx, struct str password, struct str *out)
{
    char *text = arena_alloc(cx->arena, crypto_pwhash_STRBYTES);

    if (text == NULL || sodium_init() < 0)
        return no_memory(cx);
    if (crypto_pwhash_str_alg(text, password.ptr, password.len, OPERATIONS, MEMORY_BYTES,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return no_memory(cx);
    *out = str_of(text);
    return OK;
}

/* libsodium wants a NUL-terminated text in an array of its full size. */
static bool stored_text(struct str stored, char out[crypto_pwhash_STRBYTES])
{
    memset(out, 0, crypto_pwhash_STRBYTES);
    if (stored.ptr == NULL || stored.len >= crypto_pwhash_STRBYTES)
        return false;
    memcpy(out, stored.ptr, stored.len);
    return true;
}

enum err password_check(struct ctx *cx, struct str password, struct str stored, bool *out)
{
    char text[crypto_pwhash_STRBYTES];
    struct str unused;

    *out = false;
    if (!stored_text(stored, text))
        return password_hash(cx, password, &unused); /* for its time alone */
    if (sodium_init() < 0)
        return no_memory(cx);
    *out = crypto_pwhash_str_verify(text, password.ptr, password.len) == 0;
    return OK;
}

bool password_is_dated(struct str stored)
{
    char text[crypto_pwhash_STRBYTES];

    return stored_text(stored, text) &&
           crypto_pwhash_str_needs_rehash(text, OPERATIONS, MEMORY_BYTES) != 0;
}

enum err password_check_choice(struct ctx *cx, const char *field, struct str password,
                               struct str email, struct str name)
{
    const struct str folded = fold_text(cx->arena, password);

    if (str_equal(folded, fold_text(cx->arena, email)) ||
        str_equal(folded, fold_text(cx->arena, name)))
        return error_fault(cx->error, field, "guessable",
                           "must not be the name or the e-mail address");
    return OK;
}
