/* Who listens to what: the sealed events of each tenant, fanned out in the order of their
 * numbers to those who subscribed, and what listeners tell each other (presence). Protocols
 * (websocket.c, sse.c, socketio.c) are `listeners` with a spelling of their own; the store is
 * behind `struct hub_store`. All of it belongs to the loop thread.
 *
 * SPEC.md §5, Realtime. Each subscription has a place: the number up to which it has been
 * served. It begins behind `since` (or now), reads what it missed from the table, and goes
 * over to what is pushed when it has caught up; so nothing is skipped and nothing comes twice
 * by one connection. */
#ifndef LIVE_HUB_H
#define LIVE_HUB_H

#include "base/err.h"
#include "base/uuid.h"
#include "live/message.h"

#include <stdint.h>

/* Who a listener is, as the store found it; texts are copied where they are kept. */
struct identity {
    struct uuid tenant_id;
    struct uuid user_id;       /* none: a contact, or the operator */
    struct uuid contact_id;    /* a contact token's customer; sees only that timeline, and of it
                                  what is visible_to_client */
    struct uuid credential_id; /* none in the demo */
    char credential_kind;      /* 'k' key, 'l' sign-in, 'c' contact token, 'd' demo, 'o' operator */
    bool may_follow_tenant;    /* agents and up */
    bool may_audit;            /* admins: events of users, keys and policies */
    int64_t expires_us;        /* of the credential; 0: never */
    char name[64];             /* for presence: cut at a character's end */
};

/* An event as it is streamed. */
struct live_event {
    int64_t number;
    struct uuid id;
    struct uuid timeline_id;  /* none: of other records */
    struct uuid addressee_id; /* a user; none: nobody in particular, or the contact */
    bool visible_to_client, visible_to_agent;
    int64_t expires_us;        /* 0: never */
    struct str type;           /* "tag_added" */
    struct str json;           /* the record as the API answers it */
    struct str lead_contacted; /* seed 004's {"leadId",…} for an outbound touch, else STR_NULL */
};

struct hub;
struct listener;

/* How a protocol spells what it is told. A message is made once for all listeners of the same
 * ops. NULL without memory (the listener is dismissed). `send` and `dismiss` come while the hub
 * goes through its lists: hub_leave() follows later, not inside them. */
struct listener_ops {
    struct message *(*event)(const struct live_event *event);
    /* Everything else: `op` is "presence", "resync", "error", "read", "subscribed",
     * "unsubscribed", "acknowledged"; `json` is the whole frame, {"op":…,…}. */
    struct message *(*frame)(struct str op, struct str json);
    /* False: it was cut, or is gone; it will leave by itself. */
    bool (*send)(struct listener *listener, struct message *message);
    /* Its rights are gone, or it misbehaved: `detail` (a literal) is told, then it is closed. */
    void (*dismiss)(struct listener *listener, enum err why, const char *detail);
    /* Bytes not yet the kernel's, so that catching up waits for a slow reader instead of running
     * into its bound. NULL: never waits. */
    size_t (*backlog)(const struct listener *listener);
};

struct subscription;
struct ask;

/* Embedded in the protocol's own struct. The hub's to read and write, but for `ops`. */
struct listener {
    const struct listener_ops *ops;
    struct hub *hub;           /* NULL once it has left */
    struct identity *identity; /* heap; hub_leave frees */
    struct feed *feed;         /* of its tenant */
    struct group *group;       /* of its user or contact, or NULL */
    struct proof *proof;       /* its credential, or NULL */
    struct listener *previous, *next;
    struct listener *group_previous, *group_next;
    struct listener *recheck_previous, *recheck_next;
    struct subscription *subscriptions;
    struct ask *asks; /* of the store, and not answered yet */
    size_t subscription_count, lagging_count, ask_count;
    int64_t last_number; /* of the event that it was pushed last */
    bool is_dismissed, is_reading, is_read_stale, is_rechecking, waits_for_recheck;
};

/* Where a new subscription begins, and to what a stream is subscribed from the start, by the
 * query of its URL. */
struct wish {
    struct str since;    /* an event id as it was given, or STR_NULL: from now on */
    struct str customer; /* an id as it was given, or STR_NULL */
    struct str feed;     /* "mine", "tenant", or STR_NULL */
};

/* Answers of the store come on the loop thread, in `done`, which is called exactly once, also
 * when the hub has forgotten why it asked. `err` ERR_UNAVAILABLE: try later. */
struct hub_store {
    void *context;
    /* Up to `limit` sealed events with number > after, in order, of one timeline (none: all);
     * `upto`: the number up to which all was looked at (it may be more than the last event's,
     * or have no event at all); `head`: the last number there is. What lies so far back that it
     * is not read any more is ERR_NOT_FOUND: read the timeline again. Events live until done
     * returns. */
    void (*read)(void *context, struct uuid tenant_id, struct uuid timeline_id, int64_t after,
                 size_t limit,
                 void (*done)(void *asker, enum err err, const struct live_event *events,
                              size_t count, int64_t upto, int64_t head),
                 void *asker);
    /* What a subscription needs: the customer's own id (an alias is followed; ERR_NOT_FOUND for
     * an unknown one), the number of `since` (ERR_STALE: unknown, or not of this tenant; the
     * rest is told all the same), and the head. Either may be none. */
    void (*place)(void *context, const struct identity *identity, struct uuid customer_id,
                  struct uuid since_id,
                  void (*done)(void *asker, enum err err, struct uuid customer_id, int64_t since,
                               int64_t head),
                  void *asker);
    /* The addressee says that it has the event. OK also where there was nothing to mark. */
    void (*acknowledge)(void *context, const struct identity *identity, struct uuid event_id,
                        void (*done)(void *asker, enum err err), void *asker);
    /* Are these rights still there? ERR_UNAUTHENTICATED: no. With OK: until when, as of now; a
     * sign-in that is used lasts longer than it was said to. 0: for ever. */
    void (*recheck)(void *context, const struct identity *identity,
                    void (*done)(void *asker, enum err err, int64_t expires_us), void *asker);
    /* A text proves someone: "tp_…" or "tpc_…" (a token), "tps_…" (a ticket), "cookie:" and the
     * value of a sign-in's cookie, whose origin the asker has looked at; "": the demo's caller
     * without a credential, where it is the demo. ERR_UNAUTHENTICATED. The text is copied. */
    void (*authenticate)(void *context, struct str credential,
                         void (*done)(void *asker, enum err err, const struct identity *identity),
                         void *asker);
    /* To the hubs of other nodes (hub_heard()); at most HUB_TEXT_MAX bytes. */
    void (*announce)(void *context, struct str text);
    /* The wall clock; NULL: time_now_us(). */
    int64_t (*now_us)(void *context);
};

#define HUB_TEXT_MAX 7800

/* `store` is copied. NULL without memory. */
struct hub *hub_new(const struct hub_store *store);
/* After the loop has ended; those who still listen were closed before. NULL is fine. */
void hub_free(struct hub *hub);

/* The store's news, on the loop thread. */
struct sealed {
    struct uuid tenant_id;
    int64_t number;
    struct uuid timeline_id, addressee_id, subject_id; /* db/notice.h; all none: not known */
    bool is_known; /* else whoever follows the tenant at all may be meant */
};
void hub_sealed(struct hub *hub, const struct sealed *sealed);
void hub_read(struct hub *hub, struct uuid tenant_id, struct uuid user_id, struct uuid event_id,
              struct uuid timeline_id, bool up_to, int64_t at_us);
/* A text of hub_store.announce, of this node or another. STR_NULL: some may have been lost. */
void hub_heard(struct hub *hub, struct str text);
/* About once a second: what failed is tried again, credentials expire, presence is told to the
 * other nodes and forgotten of those that fell silent. */
void hub_tick(struct hub *hub);
/* The tenants that have listeners, up to `max` of them, and how far each was looked at: for who
 * looks whether a notice was lost. Also of those who follow nothing yet: they have rights. */
struct hub_place {
    struct uuid tenant_id;
    int64_t known;
};
size_t hub_places(const struct hub *hub, struct hub_place *out, size_t max);
size_t hub_tenants(const struct hub *hub); /* how many */

/* Listeners. The identity is copied. False without memory, or where the process has too many. */
bool hub_join(struct hub *hub, struct listener *listener, const struct listener_ops *ops,
              const struct identity *identity);
/* Idempotent. Its subscriptions and presence end. */
void hub_leave(struct listener *listener);
/* What it wishes from the start; faults are told as `error` frames, never more than one each. */
void hub_wish(struct listener *listener, const struct wish *wish);
/* A client's frame: {"op":"subscribe","customer":ID,"since":ID}, {"op":"subscribe",
 * "feed":"mine"|"tenant"}, "unsubscribe", {"op":"ack","id":ID}, {"op":"presence","customer":ID,
 * "state":"viewing"|"writing"|"left"}. A member "ref" (a text of up to 64 characters) comes back
 * in the frame that answers: "subscribed", "unsubscribed", "acknowledged", "error". False: it is
 * not JSON, or no object - the protocol closes. Anything else that is wrong is an `error` frame
 * (a problem: title, status, detail, errors[]), and nothing more. */
bool hub_command(struct listener *listener, struct str json);

/* What a socket.io handshake needs. */
const struct hub_store *hub_store_of(const struct hub *hub);
/* Adds the members of an `error` frame but "op": title, status, detail, errors. */
struct json_out;
void hub_problem(struct json_out *out, const struct error *error);

/* For /metrics; any thread. */
struct hub_stats {
    int64_t listeners, subscriptions, events_sent, cut, resyncs;
};
void hub_stats(const struct hub *hub, struct hub_stats *out);

#endif
