#include "app/customer/customer_search.h"

#include "app/search/fold.h"

#include <string.h>

/* Words of one `q`. All must match, so more than these would hardly narrow it. */
#define SEARCH_WORDS_MAX 6
_Static_assert(SEARCH_WORDS_MAX + 2 <= CUSTOMER_WORDS_MAX, "and a whole address and number");

static void add_exact(struct customer_search *search, struct str word)
{
    search->words[search->word_count++] = (struct customer_word){.from = word, .to = word};
}

static void add_prefix(struct ctx *cx, struct customer_search *search, struct str prefix)
{
    if (search->word_count < SEARCH_WORDS_MAX)
        search->words[search->word_count++] =
            (struct customer_word){.from = prefix, .to = fold_range_end(cx->arena, prefix)};
}

/* "0301234", "0049301234" and "+49301234" find what begins "301234" and "49301234". */
static struct str without_zeros(struct str word)
{
    size_t zeros = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return word;
    }
    while (zeros + 1 < word.len && word.ptr[zeros] == '0')
        zeros++;
    return str_slice(word, zeros, word.len);
}

static void add_query(struct ctx *cx, struct customer_search *search, struct str q)
{
    struct str digits = fold_digits(cx->arena, q), rest, run;

    if (digits.ptr) {
        add_prefix(cx, search, without_zeros(digits));
        return;
    }
    rest = fold_text(cx->arena, q);
    while (rest.ptr) {
        struct str words[SEARCH_WORDS_MAX];
        size_t count;

        rest = str_cut(rest, ' ', &run);
        count = fold_words(run, words, SEARCH_WORDS_MAX);
        while (run.len > 0 && strchr("=@<(\"'", run.ptr[0])) /* no address begins so */
            run = str_slice(run, 1, run.len);
        if (count > 0 && memchr(run.ptr, '@', run.len)) {
            add_prefix(cx, search, run);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            add_prefix(cx, search, without_zeros(words[i]));
    }
    search->finds_nothing = search->word_count == 0;
}

static struct str exact(struct ctx *cx, struct str text)
{
    struct buf buf;

    buf_init(&buf, cx->arena, text.len + 1);
    buf_add_char(&buf, '=');
    buf_add(&buf, text);
    return buf_failed(&buf) ? STR_NULL : buf_str(&buf);
}

void customer_search_begin(struct ctx *cx, const struct customer_filter *filter,
                           struct customer_search *out)
{
    *out = (struct customer_search){.word_count = 0};
    if (filter->q.ptr)
        add_query(cx, out, filter->q);
    if (filter->email.ptr)
        add_exact(out, exact(cx, fold_text(cx->arena, filter->email)));
    if (filter->phone.ptr) {
        struct str digits = fold_digits(cx->arena, filter->phone);

        if (digits.ptr)
            add_exact(out, exact(cx, digits));
        else
            out->finds_nothing = true;
    }
}
