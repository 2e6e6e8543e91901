#include "app/search/fold.h"

#include "base/buf.h"

#include <utf8proc.h>

/* One code point folds to at most so many (U+FDFA, the longest, gives 18). */
#define POINTS_MAX 32
#define PRIVATE_END "\xF4\x8F\xBF\xBF" /* U+10FFFF, which no text has */

/* Letters that Unicode does not take apart, though people type them without the stroke. */
static const struct {
    utf8proc_int32_t from;
    const char *to;
} plain_letters[] = {
    {0x00E6, "ae"}, {0x00F0, "d"}, {0x00F8, "o"},  {0x00FE, "th"}, {0x0111, "d"}, {0x0127, "h"},
    {0x0131, "i"},  {0x0142, "l"}, {0x0153, "oe"}, {0x0167, "t"},  {0x0180, "b"}, {0x0268, "i"},
};

static void add_point(struct buf *out, utf8proc_int32_t point)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t len;

    for (size_t i = 0; i < COUNT_OF(plain_letters); i++) {
        if (plain_letters[i].from == point) {
            buf_add(out, str_of(plain_letters[i].to));
            return;
        }
    }
    len = utf8proc_encode_char(point, bytes);
    buf_add(out, (struct str){(const char *)bytes, (size_t)len});
}

static bool is_ascii(utf8proc_int32_t point)
{
    return point >= 0 && point < 0x80;
}

/* What ASCII folds to, all of it by hand, since most text is ASCII. */
static char fold_ascii(utf8proc_int32_t point)
{
    return (char)(point >= 'A' && point <= 'Z' ? point + ('a' - 'A') : point);
}

static bool is_space(utf8proc_int32_t point)
{
    if (is_ascii(point))
        return point <= ' ' || point == 0x7F;
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
        return true;
    default:
        return false;
    }
}

static bool is_dropped(utf8proc_int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CS:
        return true;
    default:
        return false;
    }
}

static bool in_word(utf8proc_int32_t point)
{
    if (is_ascii(point))
        return (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') ||
               (point >= 'A' && point <= 'Z');
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

/* The code point at `at`, which moves behind it; -1 at the end and where there is none. */
static utf8proc_int32_t next_point(struct str text, size_t *at)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t len;

    if (*at >= text.len)
        return -1;
    if ((unsigned char)text.ptr[*at] < 0x80)
        return text.ptr[(*at)++];
    len = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + *at,
                           (utf8proc_ssize_t)(text.len - *at), &point);
    if (len <= 0)
        return -1;
    *at += (size_t)len;
    return point;
}

/* With a space before it where there was one since the last. */
static void open_point(struct buf *out, bool *space)
{
    if (*space && out->len > 0)
        buf_add_char(out, ' ');
    *space = false;
}

struct str fold_text(struct arena *arena, struct str text)
{
    const utf8proc_option_t options =
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    struct buf out;
    size_t at = 0;
    utf8proc_int32_t point;
    bool space = false;

    buf_init(&out, arena, text.len * POINTS_MAX + 16);
    buf_add(&out, STR(""));
    while ((point = next_point(text, &at)) >= 0) {
        utf8proc_int32_t points[POINTS_MAX];
        int boundary = 0;
        utf8proc_ssize_t count = 0;

        if (is_space(point)) {
            space = true;
        } else if (is_ascii(point)) {
            open_point(&out, &space);
            buf_add_char(&out, fold_ascii(point));
        } else {
            count = utf8proc_decompose_char(point, points, POINTS_MAX, options, &boundary);
        }
        for (utf8proc_ssize_t i = 0; i < count && i < POINTS_MAX; i++) {
            if (is_space(points[i])) {
                space = true;
            } else if (!is_dropped(points[i])) {
                open_point(&out, &space);
                add_point(&out, points[i]);
            }
        }
    }
    if (buf_failed(&out))
        return STR_NULL;
    return out.len > 0 ? buf_str(&out) : STR("");
}

/* The longest beginning of `text` that ends at a code point. */
static struct str cut(struct str text, size_t max_bytes)
{
    size_t end = max_bytes;

    if (text.len <= max_bytes)
        return text;
    while (end > 0 && ((unsigned char)text.ptr[end] & 0xC0) == 0x80)
        end--;
    return str_slice(text, 0, end);
}

struct str fold_key(struct arena *arena, struct str text, size_t max_bytes)
{
    return cut(fold_text(arena, text), max_bytes);
}

bool fold_next_word(struct str *rest, struct str *word)
{
    size_t at = 0, begin = 0;
    bool inside = false;

    for (;;) {
        const size_t before = at;
        const utf8proc_int32_t point = next_point(*rest, &at);
        const bool of_word = point >= 0 && in_word(point);

        if (of_word && !inside)
            begin = before;
        if (!of_word && inside) {
            *word = str_slice(*rest, begin, before);
            *rest = str_slice(*rest, before, rest->len);
            return true;
        }
        inside = of_word;
        if (point < 0)
            return false;
    }
}

size_t fold_words(struct str folded, struct str *words, size_t max)
{
    size_t count = 0;

    while (count < max && fold_next_word(&folded, &words[count])) {
        words[count] = cut(words[count], FOLD_WORD_MAX);
        count++;
    }
    return count;
}

/* Scripts that set no spaces between words: Thai to Khmer, and what is Chinese,
 * Japanese or Yi. (Hangul is taken apart by folding, and Korean has spaces.) */
static bool is_unspaced(utf8proc_int32_t point)
{
    return (point >= 0x0E00 && point <= 0x0EFF) || (point >= 0x1000 && point <= 0x109F) ||
           (point >= 0x1780 && point <= 0x17FF) || (point >= 0x2E80 && point <= 0xA4CF) ||
           (point >= 0xF900 && point <= 0xFAFF) || (point >= 0x20000 && point <= 0x3FFFF);
}

size_t fold_suffixes(struct str word, struct str *suffixes, size_t max)
{
    size_t at = 0, count = 0;

    while (count < max) {
        size_t before = at;
        utf8proc_int32_t point = next_point(word, &at);

        if (point < 0)
            break;
        if (before > 0 && is_unspaced(point))
            suffixes[count++] = str_slice(word, before, word.len);
    }
    return count;
}

struct str fold_digits(struct arena *arena, struct str text)
{
    struct str folded = fold_text(arena, text);
    struct buf out;

    buf_init(&out, arena, folded.len + 1);
    for (size_t i = 0; i < folded.len; i++) {
        char c = folded.ptr[i];

        if (c >= '0' && c <= '9')
            buf_add_char(&out, c);
        else if (c != ' ' && c != '+' && c != '-' && c != '(' && c != ')' && c != '.' && c != '/')
            return STR_NULL;
    }
    return out.len > 0 && !buf_failed(&out) ? buf_str(&out) : STR_NULL;
}

struct str fold_range_end(struct arena *arena, struct str prefix)
{
    struct buf out;

    buf_init(&out, arena, prefix.len + sizeof PRIVATE_END);
    buf_add(&out, prefix);
    buf_add(&out, STR(PRIVATE_END));
    return buf_failed(&out) ? STR_NULL : buf_str(&out);
}
