/* How alike two texts are (SPEC.md §7): 0 for nothing in common, 1 for the same. */
#ifndef APP_OUTREACH_SIMILARITY_H
#define APP_OUTREACH_SIMILARITY_H

#include "base/arena.h"
#include "base/str.h"

/* Of each text so many bytes are looked at. */
#define SIMILARITY_TEXT_MAX KIB(8)

/* The subjects decide where one of the two has no body, else subject and body together. Case,
 * accents, width and punctuation do not matter. Symmetric. Two empty texts: 0. Less than 0 past
 * the arena's budget. */
double similarity(struct arena *arena, struct str subject_a, struct str body_a,
                  struct str subject_b, struct str body_b);

/* From here on people would call them the same message: what answers and pages say "alike" of. */
#define SIMILARITY_ALIKE 0.6

#endif
