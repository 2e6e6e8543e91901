/* How often one caller may ask: a token bucket for each credential that was found good, and
 * one for each address from which requests come without such a one. In memory only, in a table
 * of fixed size: what was not used for longest makes room, which forgets nothing that
 * still limits anybody unless more callers than RATE_CALLERS ask at the same moment. A server
 * node counts for itself. Loop thread only. (SPEC.md §2: 429 with Retry-After.)
 *
 * A credential is known by a keyed hash of its whole text, secret included: nobody can use up
 * another's bucket, and invented credentials count for the address that they come from. */
#ifndef HTTP_RATE_H
#define HTTP_RATE_H

#include "base/err.h"
#include "base/str.h"

struct rate;

/* `per_second` requests, RATE_BURST_SECONDS of them at once. */
enum err rate_new(long per_second, struct rate **out, struct error *error);
void rate_free(struct rate *rate); /* NULL is fine */

/* Takes one from the credential's bucket if rate_prove() knows it, else from the address's.
 * False: it is empty, and has something again in *retry_after_s. `credential` may be STR_NULL;
 * `peer` is an address in text (an IPv6 caller is its /64). */
bool rate_take(struct rate *rate, struct str credential, struct str peer, int64_t now_us,
               int64_t *retry_after_s);

/* The credential was found good: from now on it has a bucket of its own. */
void rate_prove(struct rate *rate, struct str credential, int64_t now_us);

#endif
