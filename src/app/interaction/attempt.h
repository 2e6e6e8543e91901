/* Contact attempts: the third spelling of interactions, that of seed 004 (SPEC.md §4). */
#ifndef APP_ATTEMPT_H
#define APP_ATTEMPT_H

#include "app/interaction/interaction.h"

/* What POST takes. */
struct new_attempt {
    struct interaction touch; /* first: the families share views of it */
    int method;               /* by its own names: attempt_type() gives touch.type */
    struct override override;
};
int attempt_type(int method);

struct attempt_response {
    bool responded;
    struct maybe_int response_at;
};

/* Over struct interaction, for answers. */
extern const struct record attempt_record;
extern const struct record new_attempt_record, attempt_response_record;

#endif
