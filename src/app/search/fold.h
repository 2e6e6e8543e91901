/* Folding of text for search words and sort keys: what people type and what is stored
 * meet in one form, whatever the case, the accents or the width of the letters. The
 * rules are Unicode's (compatibility decomposition, full case folding, nonspacing marks
 * dropped; utf8proc), so they hold for any script. Safe on any thread. */
#ifndef APP_SEARCH_FOLD_H
#define APP_SEARCH_FOLD_H

#include "base/arena.h"
#include "base/str.h"

/* A word is cut here: enough to tell names apart, and it bounds an index entry. */
#define FOLD_WORD_MAX 96 /* bytes */
/* Words taken from one text; what follows cannot be searched for. */
#define FOLD_WORDS_MAX 64

/* `text` must be well-formed UTF-8. "ÉCOLE Straße" gives "ecole strasse"; runs of spaces
 * become one, none at the ends. What folds to nothing (marks alone) gives "". STR_NULL
 * past the arena's budget. */
struct str fold_text(struct arena *arena, struct str text);

/* The same, cut to `max_bytes` at a code point: for sort keys. */
struct str fold_key(struct arena *arena, struct str text, size_t max_bytes);

/* Splits folded text into its words: runs of letters, digits and marks. Gives the count
 * (at most `max`); the words lie in `folded`. */
size_t fold_words(struct str folded, struct str *words, size_t max);
/* One after the other, each as long as it is: *rest is what stands behind it. False at the end. */
bool fold_next_word(struct str *rest, struct str *word);

/* Where a word may begin inside of one that is written without spaces (Chinese, Japanese,
 * Thai, …): what stands from there to the end. Nothing for other scripts. */
size_t fold_suffixes(struct str word, struct str *suffixes, size_t max);

/* The digits of a number as people write it: "+49 (30) 1234-56" gives "4930123456".
 * STR_NULL when it is not a number, or past the arena's budget. */
struct str fold_digits(struct arena *arena, struct str text);

/* The first text after all that begin with `prefix`, in byte order: the end of the range
 * that a prefix search reads. STR_NULL past the arena's budget. */
struct str fold_range_end(struct arena *arena, struct str prefix);

#endif
