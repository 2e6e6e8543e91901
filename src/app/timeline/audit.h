/* Verifying the chain (seal.h), and the checkpoints it is held against (SPEC.md §5). */
#ifndef APP_AUDIT_H
#define APP_AUDIT_H

#include "app/timeline/seal.h"

#define AUDIT_SIGNATURE_BYTES 64
#define AUDIT_PUBLIC_KEY_BYTES 32
#define AUDIT_SECRET_KEY_BYTES 64
#define AUDIT_FINGERPRINT_TEXT 33 /* 32 hex digits and a NUL */

/* Where a tenant's chain stood, signed (Ed25519). Kept by the tenant, outside the store: it is
 * what shows that the end was not cut off, nor everything written anew. */
struct checkpoint {
    struct uuid tenant_id;
    int64_t number;
    struct str hash; /* 64 hex digits, as are … */
    int64_t made_at;
    struct str public_key; /* … the signer's key and … */
    struct str signature;  /* … the signature over "touchpoint checkpoint 1", tenant, number,
                              hash, time */
};
extern const struct record checkpoint_record;

/* Of the actor's tenant, as its chain stands. */
enum err audit_checkpoint(struct ctx *cx, const uint8_t secret_key[AUDIT_SECRET_KEY_BYTES],
                          struct checkpoint *out);
/* Its signature is right. (Whose key it is, its keeper knows.) */
bool audit_checkpoint_holds(const struct checkpoint *checkpoint);
/* Half of the SHA-256 of the signer's key, for people to compare. "" where there is none. */
void audit_fingerprint(const struct checkpoint *checkpoint, char out[AUDIT_FINGERPRINT_TEXT]);

enum audit_finding {
    AUDIT_FINE = 0,
    AUDIT_CHANGED,  /* an event does not say what was sealed */
    AUDIT_REMOVED,  /* an event is gone, and neither expiry nor a sealed erasure says why */
    AUDIT_ADDED,    /* an event that was neither sealed nor waits for it */
    AUDIT_BROKEN,   /* a seal does not follow from the one before: changed, removed, swapped */
    AUDIT_CUT,      /* the chain ends before the checkpoint, or the table before the chain */
    AUDIT_REWRITTEN /* the chain is whole and is not the one of the checkpoint: it was written
                       anew at this number or before */
};

struct audit_result {
    enum audit_finding finding;
    int64_t number;        /* of the first row that is wrong; 0 where it has none */
    struct uuid event_id;  /* its event, where it is known */
    int64_t verified;      /* rows that were right */
    int64_t stubs, erased; /* of them: without their event, without its texts */
    int64_t waiting;       /* events that are still to be sealed: not verified */
    char detail[200];      /* in words */
};

/* Reads the actor's tenant's whole chain and every event, in a TX_REPORT transaction (one
 * moment of the store), up to the first row that is wrong. `checkpoint` may be NULL; one of
 * another tenant, or whose signature is wrong, is ERR_INVALID. `progress` (or NULL) hears of
 * every few hundred rows, and ends it by false: ERR_TIMEOUT. Anything but OK means that it could
 * not be verified, not that it is wrong. */
enum err audit_verify(struct ctx *cx, const struct checkpoint *checkpoint,
                      bool (*progress)(void *context, int64_t done, int64_t total), void *context,
                      struct audit_result *out);

#endif
