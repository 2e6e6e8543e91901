#include "http/rate.h"

#include "base/limits.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8 /* places that one caller may stand in: two cache lines */
#define SETS (RATE_CALLERS / WAYS)
#define NS_PER_US 1000

_Static_assert((SETS & (SETS - 1)) == 0, "a mask finds the set");

/* A bucket as one time: when it is full again. It is empty when that lies a whole burst ahead,
 * and the same as a new one when it is past (the generic cell rate algorithm). */
struct bucket {
    uint64_t caller; /* 0: free */
    int64_t full_at_ns;
};

struct rate {
    int64_t interval_ns, burst_ns;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose who shares a set */
    struct bucket buckets[RATE_CALLERS];
};

enum err rate_new(long per_second, struct rate **out, struct error *error)
{
    struct rate *rate = calloc(1, sizeof(*rate));

    if (!rate)
        return error_set(error, ERR_INTERNAL, "There is no memory to begin with.");
    rate->interval_ns = SECOND_US * NS_PER_US / per_second;
    rate->burst_ns = RATE_BURST_SECONDS * SECOND_US * NS_PER_US;
    randombytes_buf(rate->key, sizeof(rate->key));
    *out = rate;
    return OK;
}

void rate_free(struct rate *rate)
{
    free(rate);
}

static uint64_t hash(const struct rate *rate, const void *bytes, size_t len)
{
    uint64_t hashed;

    _Static_assert(sizeof(hashed) == crypto_shorthash_BYTES, "a hash is a number");
    crypto_shorthash((uint8_t *)&hashed, bytes, len, rate->key);
    return hashed ? hashed : 1;
}

static uint64_t peer_hash(const struct rate *rate, struct str peer)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    /* Whoever has one address of an IPv6 network has all of them. */
    if (peer.len < sizeof(text) && memchr(peer.ptr, ':', peer.len)) {
        memcpy(text, peer.ptr, peer.len);
        text[peer.len] = '\0';
        if (inet_pton(AF_INET6, text, &address) == 1)
            return hash(rate, &address, sizeof(address) / 2);
    }
    return hash(rate, peer.ptr, peer.len);
}

static struct bucket *find(struct rate *rate, uint64_t caller)
{
    struct bucket *set = &rate->buckets[(caller & (SETS - 1)) * WAYS];

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].caller == caller)
            return &set[i];
    return NULL;
}

static struct bucket *find_or_add(struct rate *rate, uint64_t caller)
{
    struct bucket *set = &rate->buckets[(caller & (SETS - 1)) * WAYS];
    struct bucket *found = find(rate, caller);

    if (found)
        return found;
    found = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].full_at_ns < found->full_at_ns)
            found = &set[i];
    *found = (struct bucket){.caller = caller};
    return found;
}

bool rate_take(struct rate *rate, struct str credential, struct str peer, int64_t now_us,
               int64_t *retry_after_s)
{
    const int64_t now_ns = now_us * NS_PER_US;
    struct bucket *bucket =
        credential.len > 0 ? find(rate, hash(rate, credential.ptr, credential.len)) : NULL;
    int64_t full_at_ns;

    if (!bucket)
        bucket = find_or_add(rate, peer_hash(rate, peer));
    full_at_ns = (bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns) + rate->interval_ns;
    if (full_at_ns - now_ns > rate->burst_ns) {
        const int64_t second_ns = SECOND_US * NS_PER_US;

        *retry_after_s = (full_at_ns - now_ns - rate->burst_ns + second_ns - 1) / second_ns;
        return false;
    }
    bucket->full_at_ns = full_at_ns;
    return true;
}

void rate_prove(struct rate *rate, struct str credential, int64_t now_us)
{
    struct bucket *bucket;

    if (credential.len == 0)
        return;
    bucket = find_or_add(rate, hash(rate, credential.ptr, credential.len));
    /* A new one is in use: it is not what makes room next. */
    if (bucket->full_at_ns == 0)
        bucket->full_at_ns = now_us * NS_PER_US;
}
