/* The words that a filter looks for. Only for the files of this folder. */
#ifndef APP_CUSTOMER_SEARCH_H
#define APP_CUSTOMER_SEARCH_H

#include "app/customer/customer.h"

#define CUSTOMER_WORDS_MAX 8 /* :word_0 to :word_7 */

/* A range of customer_words; both ends belong to it. */
struct customer_word {
    struct str from, to;
};

struct customer_search {
    struct customer_word words[CUSTOMER_WORDS_MAX]; /* all must be found */
    size_t word_count;
    bool finds_nothing; /* what was asked holds no word */
};

/* Of `q`, `email` and `phone`. */
void customer_search_begin(struct ctx *cx, const struct customer_filter *filter,
                           struct customer_search *out);

#endif
