/* The text of an API key, for the routes that make one. */
#ifndef APP_KEY_API_H
#define APP_KEY_API_H

#include "app/login/secret.h"

/* In the arena; STR_NULL past its budget. */
struct str key_text(struct arena *arena, struct uuid tenant_id, struct uuid key_id,
                    const struct login_secret *secret);

#endif
