#include "app/outreach/similarity.h"

#include "app/search/fold.h"
#include "base/limits.h"

/* What mail programs put before a subject, folded. */
static const char *const prefixes[] = {
    "re", "fw", "fwd", "aw", "wg", "antw", "sv", "vs", "rv", "tr", "回复", "答复", "转发", "回覆",
};

/* A print of a text, and how often the text has it. */
struct print {
    uint32_t hash;
    uint16_t count; /* 0: a free place */
    uint16_t left;  /* of them, not yet met in the other text */
};
_Static_assert(SIMILARITY_TEXT_MAX * 18 / 3 * 2 < UINT16_MAX,
               "counts hold all prints of a text: three bytes fold to 18 characters at most");

/* With open addressing: where a print's own place is taken, it stands in the next free one. */
struct prints {
    struct print *places;
    uint32_t mask; /* their number, a power of two, less one */
    uint32_t total;
};

/* A text taken apart. */
struct whole {
    struct prints letters, words;
    uint32_t word_count;
};

struct sketch {
    struct arena *arena;
    struct str subject, body;
    struct whole *wholes[2]; /* [1]: with the body; NULL: nobody has asked yet */
};

/* A text that is gone through: to take it apart, or to meet what another one was taken into. */
struct walk {
    struct whole *whole;
    bool meets;
    uint32_t letters, words; /* prints so far */
    uint32_t letters_shared, words_shared;
    uint32_t word_count;
    uint32_t last[2]; /* characters */
    uint64_t last_word;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    const uint64_t product = (hash ^ value) * 0xD6E8FEB86659FD93u;

    return product ^ product >> 32;
}

static struct print *find(const struct prints *prints, uint32_t hash)
{
    uint32_t at = hash & prints->mask;

    while (prints->places[at].count > 0 && prints->places[at].hash != hash)
        at = (at + 1) & prints->mask;
    return &prints->places[at];
}

/* 1 where the text that is met has one more of it. */
static uint32_t add_print(const struct walk *walk, const struct prints *prints, uint64_t hash)
{
    struct print *print = find(prints, (uint32_t)hash);

    if (!walk->meets) {
        print->hash = (uint32_t)hash;
        print->count++;
        return 0;
    }
    if (print->left == 0)
        return 0;
    print->left--;
    return 1;
}

/* `character`: its bytes; that two of them differ is all that matters. */
static void add_letter(struct walk *walk, uint32_t character)
{
    if (walk->last[1]) {
        const uint64_t before = mix(0, (uint64_t)walk->last[0] << 32 | walk->last[1]);

        walk->letters++;
        walk->letters_shared += add_print(walk, &walk->whole->letters, mix(before, character));
    }
    walk->last[0] = walk->last[1];
    walk->last[1] = character;
}

static void add_letters(struct walk *walk, struct str word)
{
    uint32_t character = 0;

    add_letter(walk, ' ');
    for (size_t i = 0; i < word.len; i++) {
        const unsigned char byte = (unsigned char)word.ptr[i];

        if (i > 0 && (byte & 0xC0) != 0x80) {
            add_letter(walk, character);
            character = 0;
        }
        character = character << 8 | byte;
    }
    add_letter(walk, character);
}

static void add_shingle(struct walk *walk, uint64_t hash)
{
    walk->words++;
    walk->words_shared += add_print(walk, &walk->whole->words, hash);
}

static void add_word(struct walk *walk, struct str word)
{
    uint64_t hash = 1;

    for (size_t i = 0; i < word.len; i++)
        hash = mix(hash, (unsigned char)word.ptr[i]);
    add_shingle(walk, hash);
    if (walk->word_count++ > 0)
        add_shingle(walk, mix(mix(1, walk->last_word), hash));
    walk->last_word = hash;
}

/* Each of the characters alone, where there are no spaces to tell words by. */
static void add_words(struct walk *walk, struct str word)
{
    struct str rest;

    while (fold_suffixes(word, &rest, 1) == 1) {
        add_word(walk, str_slice(word, 0, word.len - rest.len));
        word = rest;
    }
    add_word(walk, word);
}

static void add_text(struct walk *walk, struct str folded)
{
    struct str word;

    while (fold_next_word(&folded, &word)) {
        add_letters(walk, word);
        add_words(walk, word);
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

/* Folded, and the subject without what mail programs put before it. */
struct folded {
    struct str subject, body;
};

static bool fold(struct arena *arena, struct str subject, struct str body, struct folded *out)
{
    const struct str begin = begin_of(subject, SIMILARITY_TEXT_MAX);

    out->subject = strip(fold_text(arena, begin));
    out->body = fold_text(arena, begin_of(body, SIMILARITY_TEXT_MAX - begin.len));
    return out->subject.ptr && out->body.ptr;
}

static void walk_through(struct walk *walk, const struct folded *folded)
{
    add_text(walk, folded->subject);
    add_text(walk, folded->body);
    add_letter(walk, ' ');
}

/* Room for `most` prints, with a third of the places free. */
static bool make_prints(struct arena *arena, struct prints *prints, size_t most)
{
    size_t places = 16;

    while (places * 2 < most * 3)
        places *= 2;
    prints->places = ARENA_ARRAY(arena, places, struct print);
    prints->mask = (uint32_t)(places - 1);
    return prints->places != NULL;
}

/* NULL past the arena's budget. */
static struct whole *take_apart(struct arena *arena, struct str subject, struct str body)
{
    struct whole *whole = ARENA_NEW(arena, struct whole);
    struct walk walk = {.whole = whole};
    struct folded folded;
    size_t most;

    if (!whole || !fold(arena, subject, body, &folded))
        return NULL;
    /* Characters and a space before each word, between the texts and at the end. Of words there
     * are at most half as many as bytes, and as many pairs. */
    most = folded.subject.len + folded.body.len + 4;
    if (!make_prints(arena, &whole->letters, most) || !make_prints(arena, &whole->words, most))
        return NULL;
    walk_through(&walk, &folded);
    whole->letters.total = walk.letters;
    whole->words.total = walk.words;
    whole->word_count = walk.word_count;
    return whole;
}

static void leave_all(const struct prints *prints)
{
    for (size_t i = 0; i <= prints->mask; i++)
        prints->places[i].left = prints->places[i].count;
}

/* Twice what they share through what they have. */
static double dice(uint32_t shared, uint32_t a, uint32_t b)
{
    return a + b > 0 ? 2.0 * shared / (a + b) : 0;
}

static double compare(struct whole *whole, const struct folded *folded)
{
    struct walk walk = {.whole = whole, .meets = true};
    uint32_t words; /* of the shorter one */
    double share, letters;

    leave_all(&whole->letters);
    leave_all(&whole->words);
    walk_through(&walk, folded);
    words = walk.word_count < whole->word_count ? walk.word_count : whole->word_count;
    if (words == 0)
        return 0;
    share = ((double)words - SIMILARITY_SHORT) / (SIMILARITY_LONG - SIMILARITY_SHORT);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    letters = dice(walk.letters_shared, walk.letters, whole->letters.total);
    return letters + share * (dice(walk.words_shared, walk.words, whole->words.total) - letters);
}

struct sketch *similarity_sketch(struct arena *arena, struct str subject, struct str body)
{
    struct sketch *sketch = ARENA_NEW(arena, struct sketch);

    if (sketch)
        *sketch = (struct sketch){.arena = arena, .subject = subject, .body = body};
    return sketch;
}

double similarity_to(struct sketch *sketch, struct str subject, struct str body)
{
    const bool bodies = sketch->body.len > 0 && body.len > 0;
    struct whole **whole = &sketch->wholes[bodies];
    struct arena_mark mark;
    struct folded folded;
    double result = -1;

    if (!*whole)
        *whole = take_apart(sketch->arena, sketch->subject, bodies ? sketch->body : STR_NULL);
    if (!*whole)
        return -1;
    if ((*whole)->word_count == 0)
        return 0;
    mark = arena_mark(sketch->arena);
    if (fold(sketch->arena, subject, bodies ? body : STR_NULL, &folded))
        result = compare(*whole, &folded);
    arena_release(sketch->arena, mark);
    return result;
}
