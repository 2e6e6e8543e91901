/* The demo tenant: a small invented team, its customers, and a few hundred believable
 * interactions of all types, made by the same functions as everything else (SPEC.md §2).
 * The same each time but for the dates, which lie around now. */
#ifndef APP_DEMO_H
#define APP_DEMO_H

#include "db/exec.h"

/* Makes the demo tenant in one transaction, unless it is there. Waits; not on the loop
 * thread. `*user_id` is its admin. */
enum err demo_load(struct exec *exec, struct uuid *tenant_id, struct uuid *user_id,
                   struct error *error);

#endif
