/* Idempotency-Key on POST (SPEC.md §2): the same key and the same request answer the first
 * answer again. Kept per tenant and user, for 24 hours, in the transaction that it guards. */
#ifndef HTTP_IDEMPOTENCY_H
#define HTTP_IDEMPOTENCY_H

#include "base/err.h"
#include "base/time.h"
#include "base/uuid.h"

#include <pthread.h>

#define IDEMPOTENCY_HASH_BYTES 32

struct call;

struct idempotency {
    struct str key;                       /* ptr NULL: none */
    uint8_t hash[IDEMPOTENCY_HASH_BYTES]; /* of method, target and body */
    bool is_running; /* another request under it, by the same credential, was on its way */
    bool entered;
    uint8_t slot[IDEMPOTENCY_HASH_BYTES]; /* credential and key, among the running */
    struct idempotency *next;
    struct str body_without_secrets; /* what to remember, when it differs from the answer */
};

/* The requests with a key that are under way in this process. Any thread. */
#define RUNNING_BUCKETS 256
struct running_keys {
    pthread_mutex_t lock;
    struct idempotency *buckets[RUNNING_BUCKETS];
};

void running_init(struct running_keys *running);
void running_clear(struct running_keys *running);

/* On arrival: reads the header (a fault is added when it is no key) and enters the key. */
void idempotency_enter(struct call *call, struct error *error);
/* Hashes the request; for a thread that may take its time with a large body. */
void idempotency_hash(struct call *call);
/* In the transaction, after authentication: *replayed when the answer is there already.
 * ERR_CONFLICT while the first still runs, ERR_INVALID for another request's key. */
enum err idempotency_begin(struct call *call, bool *replayed);
/* In the transaction, after the handler: remembers a 2xx answer. */
enum err idempotency_store(struct call *call);
/* Whether an answer of this record shows what is shown once only. */
struct record;
bool record_has_secrets(const struct record *record);
/* When the fate is known. */
void idempotency_leave(struct call *call);

#endif
