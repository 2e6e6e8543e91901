#include "app/search/words.h"

#include "app/search/fold.h"

#include <string.h>

#define WORDS_MAX KIB(512) /* bytes of one row's words; PostgreSQL takes 1 MiB */
/* A middle dot: no letter, digit or mark, so no text has a word with it. */
#define MARK "\xC2\xB7"

static struct str mark_of(struct ctx *cx)
{
    char *text = arena_alloc(cx->arena, sizeof(MARK) + 2 * sizeof(struct uuid));

    if (!text)
        return STR_NULL;
    memcpy(text, MARK, sizeof(MARK) - 1);
    str_to_hex(cx->actor.tenant_id.bytes, sizeof(struct uuid), text + sizeof(MARK) - 1);
    return (struct str){text, sizeof(MARK) - 1 + 2 * sizeof(struct uuid)};
}

/* The first word of *rest, which moves behind it. */
static bool next_word(struct str *rest, struct str *word)
{
    if (fold_words(*rest, word, 1) == 0)
        return false;
    *rest = str_slice(*rest, (size_t)(word->ptr + word->len - rest->ptr), rest->len);
    return true;
}

/* Whether a script without spaces begins the word: then a suffix begins there. */
static bool is_unspaced(struct str word)
{
    char text[1 + FOLD_WORD_MAX];
    struct str suffix;

    if (word.len == 0 || word.len > FOLD_WORD_MAX)
        return false;
    text[0] = 'a';
    memcpy(text + 1, word.ptr, word.len);
    return fold_suffixes((struct str){text, word.len + 1}, &suffix, 1) == 1 &&
           suffix.ptr == text + 1;
}

/* The bytes of the first PIECE_POINTS code points. */
static size_t piece_len(struct str text)
{
    size_t points = 0, at = 0;

    for (; at < text.len; at++) {
        if (((unsigned char)text.ptr[at] & 0xC0) != 0x80 && points++ == PIECE_POINTS)
            break;
    }
    return at;
}

static void add_token(struct buf *out, struct str token)
{
    /* What no longer fits cannot be searched for, which is better than to refuse the text. */
    if (out->len + token.len + 1 < WORDS_MAX) {
        buf_add_char(out, ' ');
        buf_add(out, token);
    }
}

static void add_words(struct arena *arena, struct buf *out, struct str text)
{
    struct str rest, word, suffixes[FOLD_WORD_MAX];

    if (!text.ptr)
        return;
    rest = fold_text(arena, text);
    while (rest.ptr && next_word(&rest, &word)) {
        const size_t count = fold_suffixes(word, suffixes, COUNT_OF(suffixes));

        add_token(out, is_unspaced(word) ? str_slice(word, 0, piece_len(word)) : word);
        for (size_t i = 0; i < count; i++)
            add_token(out, str_slice(suffixes[i], 0, piece_len(suffixes[i])));
    }
}

struct str search_words(struct ctx *cx, const struct str *texts, size_t count)
{
    struct buf words;

    buf_init(&words, cx->arena, WORDS_MAX);
    buf_add(&words, mark_of(cx));
    for (size_t i = 0; i < count; i++)
        add_words(cx->arena, &words, texts[i]);
    return buf_failed(&words) ? STR_NULL : buf_str(&words);
}

/* --- Asking ---------------------------------------------------------------------------- */

static void add_term(struct search *search, struct str text, bool prefix)
{
    if (search->count < SEARCH_TERMS_MAX)
        search->terms[search->count++] = (struct search_term){text, prefix};
}

static void add_terms(struct search *search, struct str word, bool last)
{
    if (!is_unspaced(word)) {
        add_term(search, word, last);
        return;
    }
    while (word.len > 0) {
        const size_t len = piece_len(word);

        add_term(search, str_slice(word, 0, len), true);
        word = str_slice(word, len, word.len);
    }
}

/* Terms hold letters, digits and marks only, so nothing in them ends the quotes. */
static struct str match_of(struct ctx *cx, const struct search *search)
{
    const bool postgres = db_is_postgres(cx);
    struct buf match;

    buf_init(&match, cx->arena, KIB(64));
    buf_addf(&match, postgres ? "'%.*s'" : "\"%.*s\"", STR_FMT(mark_of(cx)));
    for (size_t i = 0; i < search->count; i++) {
        const struct search_term *term = &search->terms[i];

        buf_addf(&match, postgres ? " & '%.*s'" : " AND \"%.*s\"", STR_FMT(term->text));
        if (term->prefix)
            buf_add(&match, postgres ? STR(":*") : STR(" *"));
    }
    return buf_failed(&match) ? STR_NULL : buf_str(&match);
}

enum err search_parse(struct ctx *cx, struct str q, struct search *out)
{
    struct str rest = fold_text(cx->arena, q), word, next;
    bool more;

    *out = (struct search){.count = 0};
    if (!rest.ptr)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    more = next_word(&rest, &word);
    while (more) {
        more = next_word(&rest, &next);
        add_terms(out, word, !more);
        word = next;
    }
    out->match = match_of(cx, out);
    if (!out->match.ptr)
        return error_set(cx->error, ERR_TOO_LARGE, "The request unfolds to more than is allowed.");
    return OK;
}

static bool has_word(struct str words, const struct search_term *term)
{
    const char *at = words.ptr, *end = words.ptr + words.len;

    while ((at = memmem(at, (size_t)(end - at), term->text.ptr, term->text.len)) != NULL) {
        const char *after = at + term->text.len;

        if (at > words.ptr && at[-1] == ' ' && (term->prefix || after == end || *after == ' '))
            return true;
        at++;
    }
    return false;
}

bool search_found(const struct search *search, struct str words)
{
    for (size_t i = 0; i < search->count; i++) {
        if (!words.ptr || !has_word(words, &search->terms[i]))
            return false;
    }
    return true;
}
