/* From who asks to who listens: what the hub keeps of an actor. */
#ifndef LIVE_IDENTITY_H
#define LIVE_IDENTITY_H

#include "base/actor.h"
#include "live/hub.h"

#include <stdbool.h>

/* Copies; the name is cut at a character's end. */
void identity_of(const struct actor *actor, struct identity *out);

/* Whether `now`, the same credential looked up again, has a right less than `was`, or stands for
 * somebody else (a contact that was merged): then it listens no more, and may come again. What
 * it has more by now it gets when it comes again. */
bool identity_lost(const struct identity *was, const struct identity *now);

#endif
