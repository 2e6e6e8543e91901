#include "app/outreach/similarity.h"

#include "app/search/fold.h"
#include "base/limits.h"

#include <stdlib.h>

/* What mail programs put before a subject, folded. */
static const char *const prefixes[] = {
    "re", "fw", "fwd", "aw", "wg", "antw", "sv", "vs", "rv", "tr", "回复", "答复", "转发", "回覆",
};

struct prints {
    uint32_t *hashes; /* sorted */
    size_t count, room;
};

/* What is left of a text. */
struct sketch {
    struct prints letters, words;
    size_t word_count;
};

/* Of a text that is gone through. */
struct sketching {
    struct sketch *sketch;
    uint32_t last[2]; /* characters */
    uint32_t last_word;
};

static uint32_t mix(uint32_t hash, uint32_t value)
{
    uint64_t product = ((uint64_t)hash + 0x9E3779B9u) * 0xD6E8FEB86659FD93u;

    product = (product ^ (product >> 32) ^ value) * 0xD6E8FEB86659FD93u;
    return (uint32_t)(product >> 32);
}

static void add_print(struct prints *prints, uint32_t hash)
{
    if (prints->count < prints->room)
        prints->hashes[prints->count++] = hash;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* `character`: its bytes; that two of them differ is all that matters. */
static void add_letter(struct sketching *sketching, uint32_t character)
{
    if (sketching->last[1])
        add_print(&sketching->sketch->letters,
                  mix(mix(sketching->last[0], sketching->last[1]), character));
    sketching->last[0] = sketching->last[1];
    sketching->last[1] = character;
}

static void add_letters(struct sketching *sketching, struct str word)
{
    uint32_t character = 0;

    add_letter(sketching, ' ');
    for (size_t i = 0; i < word.len; i++) {
        const unsigned char byte = (unsigned char)word.ptr[i];

        if (i > 0 && (byte & 0xC0) != 0x80) {
            add_letter(sketching, character);
            character = 0;
        }
        character = character << 8 | byte;
    }
    add_letter(sketching, character);
}

static void add_word(struct sketching *sketching, struct str word)
{
    struct prints *words = &sketching->sketch->words;
    uint32_t hash = 1;

    for (size_t i = 0; i < word.len; i++)
        hash = mix(hash, (unsigned char)word.ptr[i]);
    add_print(words, hash);
    if (sketching->sketch->word_count++ > 0)
        add_print(words, mix(sketching->last_word, hash));
    sketching->last_word = hash;
}

/* Each of the characters alone, where there are no spaces to tell words by. */
static void add_words(struct sketching *sketching, struct str word)
{
    struct str rest;

    while (fold_suffixes(word, &rest, 1) == 1) {
        add_word(sketching, str_slice(word, 0, word.len - rest.len));
        word = rest;
    }
    add_word(sketching, word);
}

static void add_text(struct sketching *sketching, struct str folded)
{
    struct str word;

    while (fold_next_word(&folded, &word)) {
        add_letters(sketching, word);
        add_words(sketching, word);
    }
}

static bool is_prefix(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (str_is(word, prefixes[i]))
            return true;
    return false;
}

/* Without "Re:", "AW: Re:", "Fwd[2]:". */
static struct str strip(struct str subject)
{
    struct str word, rest = subject;

    while (fold_next_word(&rest, &word) && is_prefix(word)) {
        while (rest.len > 0 && (rest.ptr[0] == '[' || rest.ptr[0] == ']' || rest.ptr[0] == ' ' ||
                                (rest.ptr[0] >= '0' && rest.ptr[0] <= '9')))
            rest = str_slice(rest, 1, rest.len);
        if (rest.len == 0 || rest.ptr[0] != ':')
            break;
        rest = str_slice(rest, 1, rest.len);
        subject = rest;
    }
    return subject;
}

static struct str begin_of(struct str text, size_t max_bytes)
{
    size_t end = max_bytes;

    if (text.len <= max_bytes)
        return text;
    while (end > 0 && ((unsigned char)text.ptr[end] & 0xC0) == 0x80)
        end--;
    return str_slice(text, 0, end);
}

static bool make_prints(struct arena *arena, struct prints *prints, size_t room)
{
    *prints = (struct prints){ARENA_ARRAY(arena, room, uint32_t), 0, room};
    return prints->hashes != NULL;
}

static bool sketch_of(struct arena *arena, struct str subject, struct str body, struct sketch *out)
{
    const struct str begin = begin_of(subject, SIMILARITY_TEXT_MAX);
    const struct str head = fold_text(arena, begin);
    const struct str text = fold_text(arena, begin_of(body, SIMILARITY_TEXT_MAX - begin.len));
    /* No more trigrams than characters and spaces, nor more words and pairs of them. */
    const size_t room = 2 * (head.len + text.len + 4);
    struct sketching sketching = {.sketch = out};

    *out = (struct sketch){0};
    if (!head.ptr || !text.ptr || !make_prints(arena, &out->letters, room) ||
        !make_prints(arena, &out->words, room))
        return false;
    add_text(&sketching, strip(head));
    add_text(&sketching, text);
    add_letter(&sketching, ' ');
    qsort(out->letters.hashes, out->letters.count, sizeof(uint32_t), compare);
    qsort(out->words.hashes, out->words.count, sizeof(uint32_t), compare);
    return true;
}

/* Twice what they share through what they have. */
static double dice(const struct prints *a, const struct prints *b)
{
    size_t i = 0, j = 0, shared = 0;

    while (i < a->count && j < b->count) {
        if (a->hashes[i] == b->hashes[j]) {
            shared++;
            i++;
            j++;
        } else if (a->hashes[i] < b->hashes[j]) {
            i++;
        } else {
            j++;
        }
    }
    return a->count + b->count > 0 ? 2.0 * (double)shared / (double)(a->count + b->count) : 0;
}

static double compare_sketches(const struct sketch *a, const struct sketch *b)
{
    /* Of the shorter one. */
    const size_t words = a->word_count < b->word_count ? a->word_count : b->word_count;
    double share = ((double)words - SIMILARITY_SHORT) / (SIMILARITY_LONG - SIMILARITY_SHORT);
    double letters;

    if (words == 0)
        return 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    letters = dice(&a->letters, &b->letters);
    return letters + share * (dice(&a->words, &b->words) - letters);
}

double similarity(struct arena *arena, struct str subject_a, struct str body_a,
                  struct str subject_b, struct str body_b)
{
    const struct arena_mark mark = arena_mark(arena);
    const bool bodies = body_a.len > 0 && body_b.len > 0;
    struct sketch a, b;
    double result = -1;

    if (sketch_of(arena, subject_a, bodies ? body_a : STR_NULL, &a) &&
        sketch_of(arena, subject_b, bodies ? body_b : STR_NULL, &b))
        result = compare_sketches(&a, &b);
    arena_release(arena, mark);
    return result;
}
