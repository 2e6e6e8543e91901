/* The chain that makes the audit tamper-evident (SPEC.md §5; DESIGN.md "sealed once, read by
 * all"). Each tenant's events are numbered densely in the order of commits, and each number
 * has a hash:
 *
 *     text hash     SHA-256("touchpoint text 1" salt title description payload metadata)
 *     content hash  SHA-256("touchpoint event 1" tenant event contact … created_at text hash)
 *     hash          SHA-256("touchpoint seal 1" hash before, number, event id, expiry, content)
 *
 * Every part stands behind its length, so that no two events read alike; docs/TIMELINE.md has
 * the layout byte for byte. The chain begins with 32 zero bytes. Texts are behind a salted
 * commitment of their own: erased, they leave the chain as it is. A seal whose event is gone
 * still carries the chain on: it is the event's stub. */
#ifndef APP_SEAL_H
#define APP_SEAL_H

#include "app/timeline/timeline.h"
#include "db/exec.h"

#define HASH_BYTES 32
#define SALT_BYTES 16

/* An event that waits for its number. */
struct unsealed {
    struct uuid tenant_id, event_id;
    uint8_t content_hash[HASH_BYTES];
    struct maybe_int expires_at;
    struct uuid timeline_id, addressee_id, subject_id; /* for the notice (db/notice.h) */
};

/* Of the texts with their salt. */
void seal_text_hash(const struct event *event, uint8_t out[HASH_BYTES]);
/* Of an event's immutable columns, and of text_hash in the place of its texts. */
void seal_content_hash(struct uuid tenant_id, const struct event *event,
                       const uint8_t text_hash[HASH_BYTES], uint8_t out[HASH_BYTES]);
/* The next link. */
void seal_link(const uint8_t before[HASH_BYTES], int64_t number, struct uuid event_id,
               struct maybe_int expires_at, const uint8_t content_hash[HASH_BYTES],
               uint8_t out[HASH_BYTES]);

/* Has a written event sealed: by the end of this batch (SQLite), or by the sealer. */
enum err seal_later(struct ctx *cx, const struct event *event);

/* Seals up to `limit` of what waits, of all tenants, in the order in which it was written;
 * *done: how many. On PostgreSQL it takes the sealer's turn first, so that one node seals at a
 * time: it waits for the node that has it, and one that died or froze in the middle loses it
 * within three seconds. A write transaction; the cx has no tenant. */
enum err seal_waiting(struct ctx *cx, int64_t limit, int64_t *done);

#endif
