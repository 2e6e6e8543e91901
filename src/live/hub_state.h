/* What the hub keeps; for hub*.c only.
 *
 *     hub ── feed (a tenant with listeners) ── room (a customer) ── subscriptions, people
 *                    │                     └── group (a user) ── listeners, subscriptions
 *                    └── listeners ── subscriptions, asks
 *
 * A feed has looked at all events up to `pushed`. A subscription is live when it has been served
 * up to there as well, and then pushes serve it. Else it lags: its listener reads what it missed
 * by itself, one page after another, never beyond `pushed`; all that lags of one listener goes
 * along with the same reads and becomes live in the same moment. What is pushed meanwhile and a
 * lagging subscription will read, is held back from the listener's other subscriptions, so that
 * it comes once, and behind what it followed. */
#ifndef LIVE_HUB_STATE_H
#define LIVE_HUB_STATE_H

#include "live/hub.h"
#include "live/uuid_map.h"
#include "json/json.h"

#define REF_MAX 64          /* characters of a client's "ref" */
#define ASKS_MAX 1000       /* of one listener, that the store has not answered */
#define RECHECKS_MAX 16     /* under way at once */
#define PAGE_EVENTS 64      /* read at once: of the largest, so many fit into REQUEST_ARENA_MAX */
#define PUSH_SENDS 8192     /* sends of one turn of the loop, about */
#define TURN_BYTES KIB(64)  /* of events for one listener in one turn; they go at its end */
#define PEOPLE_MAX 200      /* shown of one customer's viewers */
#define SCREENS_NODES_MAX 8 /* other nodes on which one user has the same customer open */
#define ANNOUNCE_SECONDS 10
#define FORGET_SECONDS 30

enum subscription_kind { TO_CUSTOMER = 1, TO_MINE, TO_TENANT };
enum subscription_state { PLACING = 1, LAGGING, LIVE };
/* The stronger is the greater: a user with two screens shows it. */
enum presence { PRESENCE_LEFT = 0, PRESENCE_VIEWING, PRESENCE_WRITING };

struct subscription {
    struct listener *listener;
    struct subscription *of_listener;     /* the listener's next */
    struct subscription *previous, *next; /* of the room, the group or the tenant */
    struct room *room;                    /* TO_CUSTOMER, once it is placed */
    struct ask *ask;                      /* where it belongs, while the store is asked */
    enum subscription_kind kind;
    enum subscription_state state;
    enum presence presence;
    bool is_linked;
    bool is_place_stale; /* its customer changed again while the store was asked about it */
    bool is_leaving;     /* unsubscribed while it lagged: serves only what it held back of others */
    struct uuid asked_id, customer_id;
    int64_t start;    /* events behind it are wanted */
    int64_t place;    /* LAGGING: served up to here */
    int64_t left;     /* is_leaving: `place` when it was unsubscribed */
    int64_t boundary; /* LAGGING: up to here the others had been served when it came */
};

/* Who has a customer open. */
struct screen_node {
    struct uuid node_id;
    enum presence state;
    int64_t heard_us; /* monotonic */
};

struct person {
    struct person *next;
    struct uuid user_id;
    char name[64];
    size_t viewing, writing; /* screens at this node */
    enum presence told;      /* what the room was told last */
    enum presence announced; /* and the other nodes */
    bool is_asked;           /* another node asked */
    struct screen_node nodes[SCREENS_NODES_MAX];
    size_t node_count;
};

struct room {
    struct uuid_node node; /* the customer's id; first */
    struct subscription *subscriptions;
    struct person *people;
    size_t people_count;
    bool is_asked; /* the other nodes were asked who is there */
};

struct group {
    struct uuid_node node; /* the id of the user, or of a contact whose app listens; first */
    struct listener *listeners;
    struct subscription *subscriptions; /* to "mine" */
};

/* A credential that listeners have. */
struct proof {
    struct uuid_node node; /* its id; first */
    size_t listeners;
};

struct feed {
    struct uuid_node node; /* the tenant's id; first */
    struct hub *hub;
    int64_t pushed; /* -1: not known yet */
    int64_t known;  /* the highest number heard of */
    bool is_reading;
    int wait_ticks, failures;
    struct listener *listeners;
    size_t listener_count;
    struct subscription *subscriptions; /* to the tenant */
    size_t subscription_count;          /* that are placed, of all kinds */
    struct uuid_map rooms, groups, proofs;
};

struct hub {
    struct hub_store store;
    struct uuid node_id;
    struct uuid_map feeds;
    struct listener *rechecks, *rechecks_end; /* that wait */
    size_t rechecks_running;
    bool has_presence_news;
    int ticks;
    struct {
        _Atomic int64_t listeners, subscriptions, events_sent, cut, resyncs;
    } stats; /* written by the loop, read by /metrics */
};

/* What the store was asked for a listener, which may have left since. */
struct ask {
    struct hub *hub;
    struct listener *listener; /* NULL: it left */
    struct ask *previous, *next;
    struct subscription *subscription; /* NULL: unsubscribed since */
    struct uuid id;                    /* the event; or, of a read, the timeline */
    int64_t after;
    bool by_command; /* the answer is a frame with the ref */
    bool has_since;
    size_t ref_len;
    char ref[REF_MAX * 4];
};

struct ask *ask_new(struct listener *listener); /* NULL without memory */
void ask_free(struct ask *ask);

int64_t hub_now_us(const struct hub *hub);
struct feed *feed_find(const struct hub *hub, struct uuid tenant_id);
struct room *room_find(const struct feed *feed, struct uuid customer_id);
/* Frees it where nobody is in it any more. */
void room_settle(struct feed *feed, struct room *room);
/* Reads and pushes what is known and not pushed. */
void feed_pull(struct feed *feed);
/* The head of a tenant's events, as a read transaction saw it. */
void feed_saw_head(struct feed *feed, int64_t head);

bool may_see(const struct listener *listener, const struct live_event *event);
void listener_dismiss(struct listener *listener, enum err why, const char *detail);
void listener_send(struct listener *listener, struct message *message);
/* A frame for it alone. */
void listener_frame(struct listener *listener, struct str op, struct buf *json);
void listener_catch_up(struct listener *listener);

/* NULL without memory, or where the listener has as many as it may. */
struct subscription *subscription_new(struct listener *listener, enum subscription_kind kind);
/* Once its customer is known: from here on it counts. False without memory. */
bool subscription_link(struct subscription *subscription);
void subscription_unlink(struct subscription *subscription);
void subscription_free(struct subscription *subscription);
/* Ends it; one that lags goes on for the others of its listener. */
void subscription_end(struct subscription *subscription);

/* hub_command.c */
void frame_begin(struct buf *buf, struct json_out *out, const char *op);
void frame_subject(struct json_out *out, const struct subscription *subscription);
void tell_error(struct listener *listener, const struct ask *ask, const struct error *error);
void tell_resync(const struct subscription *subscription);
/* It may have been merged into another, or is itself again: who follows it is to follow that. */
void customer_changed(struct feed *feed, struct uuid customer_id);

/* hub_presence.c */
void presence_set(struct subscription *subscription, enum presence state);
void presence_snapshot(const struct subscription *subscription);
void presence_heard(struct hub *hub, struct str text);
void presence_tick(struct hub *hub);
void presence_free(struct room *room);

#endif
