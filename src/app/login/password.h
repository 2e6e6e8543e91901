/* Passwords: Argon2id by libsodium. Each call takes tens of milliseconds and 64 MiB, so
 * they run on the store's slow threads (TX_NONE) and nowhere else: those are few, which
 * bounds the memory and keeps the writer free. */
#ifndef APP_PASSWORD_H
#define APP_PASSWORD_H

#include "db/ctx.h"

#define PASSWORD_MIN 12 /* code points */
#define PASSWORD_MAX 256

/* The text that is stored, in cx->arena. ERR_UNAVAILABLE without memory for it. */
enum err password_hash(struct ctx *cx, struct str password, struct str *out);

/* Whether it is this password. `stored` may be STR_NULL (no such user, no password set):
 * then the answer is no, and takes as long as a true check. */
enum err password_check(struct ctx *cx, struct str password, struct str stored, bool *out);

/* Whether `stored` was made with other parameters than password_hash() uses now. */
bool password_is_dated(struct str stored);

/* Adds the fault to cx->error and gives ERR_INVALID when it is the person's own name or
 * e-mail address, in whatever case. `field` names it. */
enum err password_check_choice(struct ctx *cx, const char *field, struct str password,
                               struct str email, struct str name);

#endif
