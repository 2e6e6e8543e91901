/* The store as the hub asks it (live/hub.h, struct hub_store), and the store's news for the hub:
 *
 *     commit ── notices (any store thread) ── loop ── hub ── a read ── store thread ── loop
 *
 * No polling on that path. On PostgreSQL the nodes tell each other what was sealed, read and
 * viewed; those texts are hints and may be lost, so every NET_SECONDS the chains' heads of the
 * tenants that have listeners are read as well, by one job: what a node did not hear of it finds
 * there. */
#ifndef WORK_LIVE_STORE_H
#define WORK_LIVE_STORE_H

#include "db/exec.h"
#include "live/hub.h"

#define NET_SECONDS 2

struct live_store;

/* What the loop lends: `post` calls fn(context) on the loop thread soon; `every`
 * (work/schedule.h) again and again. */
struct live_loop {
    void *keeper;
    bool (*post)(void *keeper, void (*fn)(void *), void *context);
    void (*every)(void *keeper, int seconds, void (*fn)(void *), void *context);
};

/* Listens to commits from here on, so before there are jobs; nobody is told yet. NULL without
 * memory. */
struct live_store *live_store_new(struct exec *exec);
/* Who has no credential is this user. Before live_store_start(). */
void live_store_demo(struct live_store *store, struct uuid tenant_id, struct uuid user_id);
/* The hub's; it lives until live_store_free(). */
struct hub *live_store_hub(const struct live_store *store);
/* From here on the hub is told. Before the loop runs, once. */
void live_store_start(struct live_store *store, const struct live_loop *loop);
/* On the loop's thread, after the loop has ended and before exec_close(): nothing is asked of the
 * store any more. NULL is fine. */
void live_store_stop(struct live_store *store);
/* When neither jobs nor the loop call it any more: after exec_close(), and after what the loop
 * was still posted. Frees the hub. NULL is fine. */
void live_store_free(struct live_store *store);

#endif
