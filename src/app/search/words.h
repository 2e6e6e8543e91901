/* The index of texts: which words a row is found by, and what a question asks of them. Both
 * stores index the same words (fold.h), so that both find the same rows: FTS5 by its ascii
 * tokenizer on SQLite, a tsvector on PostgreSQL. The tenant's mark, a word that no text can
 * hold, stands first in both, so a question cannot reach another tenant's rows. */
#ifndef APP_SEARCH_WORDS_H
#define APP_SEARCH_WORDS_H

#include "db/db.h"

/* Words longer than this in scripts without spaces are found by pieces. */
#define PIECE_POINTS 8
#define SEARCH_TERMS_MAX 64

struct search_term {
    struct str text;
    bool prefix; /* words that begin so will do */
};

struct search {
    struct search_term terms[SEARCH_TERMS_MAX];
    size_t count;     /* 0: the question has no words */
    struct str match; /* as the store's index wants it, with the tenant's mark */
};

/* All words of a row's texts (null ones are left out) with the actor's tenant's mark, as the
 * index takes them. STR_NULL past the arena's budget. */
struct str search_words(struct ctx *cx, const struct str *texts, size_t count);
/* The last word of `q` may be a beginning. */
enum err search_parse(struct ctx *cx, struct str q, struct search *out);
/* Whether words that search_words() gave answer the question: what the index would say. */
bool search_found(const struct search *search, struct str words);

#endif
