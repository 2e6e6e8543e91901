/* How alike two texts are (SPEC.md §7): 0 for nothing in common, 1 for the same.
 *
 * Both are folded and split into words (app/search/fold.h), so case, accents, width, spaces and
 * punctuation do not matter; nor do "Re:", "Fwd:" and their like before a subject. Then two
 * things are compared, each by Dice's coefficient over multisets, twice what they share through
 * what they have:
 *
 *   letters  the trigrams of characters, spaces between words among them
 *   words    each word and each pair of neighbours (shingles); where a script sets no spaces,
 *            a character is a word
 *
 * Letters see past a typo, another ending, a moved word, which is what tells short texts apart;
 * but any two long texts of a language share most of their trigrams, and hardly a pair of words.
 * So the words' share in the result grows with the length of the shorter text, from none at
 * SIMILARITY_SHORT words to all at SIMILARITY_LONG. Paragraphs in another order cost next to
 * nothing, since neither looks at where in the text something stands. */
#ifndef APP_OUTREACH_SIMILARITY_H
#define APP_OUTREACH_SIMILARITY_H

#include "base/arena.h"
#include "base/str.h"

/* Of each text so many bytes are looked at, to the last whole character. */
#define SIMILARITY_TEXT_MAX KIB(2)
#define SIMILARITY_SHORT 8
#define SIMILARITY_LONG 40

/* A text that others are held against. It is taken apart once, when the first of them comes. */
struct sketch;

/* It looks at the texts later, which are well-formed UTF-8; NULL is an empty one. All it takes
 * comes from the arena, and ends with it. NULL past its budget. */
struct sketch *similarity_sketch(struct arena *arena, struct str subject, struct str body);

/* The subjects decide where one of the two has no body, else subject and body together.
 * Symmetric, and 1 for equal texts. Without a word in one: 0. Less than 0 past the arena's budget;
 * what the other text takes of the arena is given back. One thread at a time. The time is that of
 * going through the other text. */
double similarity_to(struct sketch *sketch, struct str subject, struct str body);

/* From here on people would call them the same message: what answers and pages say "alike" of. */
#define SIMILARITY_ALIKE 0.6

#endif
