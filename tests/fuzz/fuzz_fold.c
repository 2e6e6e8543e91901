/* What is folded is well-formed, folds to itself, and holds words that lie in it. */
#include "app/search/fold.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(struct str folded)
{
    struct str words[FOLD_WORDS_MAX];
    size_t count = fold_words(folded, words, FOLD_WORDS_MAX);

    for (size_t i = 0; i < count; i++) {
        struct str again[2], suffixes[8];
        size_t suffix_count = fold_suffixes(words[i], suffixes, 8);

        if (words[i].len == 0 || words[i].len > FOLD_WORD_MAX || !str_is_utf8(words[i]) ||
            fold_words(words[i], again, 2) != 1 || !str_equal(again[0], words[i]))
            abort();
        for (size_t k = 0; k < suffix_count; k++) {
            if (!str_ends(words[i], suffixes[k]) || !str_is_utf8(suffixes[k]))
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, folded;
    struct arena *arena;

    if (size > 2000 || !str_is_utf8(text))
        return 0;
    arena = arena_new(MIB(4));
    if (!arena)
        return 0;
    folded = fold_text(arena, text);
    if (!folded.ptr || !str_is_utf8(folded) || !str_equal(folded, fold_text(arena, folded)) ||
        fold_key(arena, text, 40).len > 40)
        abort();
    check_words(folded);
    fold_digits(arena, text);
    arena_free(arena);
    return 0;
}
