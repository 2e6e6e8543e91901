#include "base/time.h"
#include "live/hub_state.h"

#include <stdlib.h>
#include <string.h>

#define OPS_MAX 8 /* spellings that one event is kept in while it goes round */

/* An event has two free JSON texts and others, in the store's row and in its record, which may have
 * grown by doubling. Were a page too much for the store, it would never come. */
_Static_assert((size_t)PAGE_EVENTS * 10 * FREE_JSON_MAX <= REQUEST_ARENA_MAX,
               "a page fits into memory");

struct ask *ask_new(struct listener *listener)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (!ask)
        return NULL;
    ask->hub = listener->hub;
    ask->listener = listener;
    ask->next = listener->asks;
    if (ask->next)
        ask->next->previous = ask;
    listener->asks = ask;
    listener->ask_count++;
    return ask;
}

void ask_free(struct ask *ask)
{
    struct listener *listener = ask->listener;

    if (listener) {
        if (ask->previous)
            ask->previous->next = ask->next;
        else
            listener->asks = ask->next;
        if (ask->next)
            ask->next->previous = ask->previous;
        listener->ask_count--;
    }
    if (ask->subscription)
        ask->subscription->ask = NULL;
    free(ask);
}

int64_t hub_now_us(const struct hub *hub)
{
    return hub->store.now_us ? hub->store.now_us(hub->store.context) : time_now_us();
}

/* Who may see what */

bool may_see(const struct listener *listener, const struct live_event *event)
{
    const struct identity *identity = listener->identity;

    if (event->expires_us != 0 && event->expires_us <= hub_now_us(listener->hub))
        return false;
    if (!uuid_is_none(identity->contact_id))
        return event->visible_to_client && !uuid_is_none(event->timeline_id);
    if (!event->visible_to_agent)
        return false;
    return !uuid_is_none(event->timeline_id) || identity->may_audit ||
           (!uuid_is_none(identity->user_id) && uuid_equal(event->addressee_id, identity->user_id));
}

static bool is_wanted(const struct subscription *subscription, const struct live_event *event)
{
    switch (subscription->kind) {
    case TO_CUSTOMER:
        return uuid_equal(subscription->customer_id, event->timeline_id);
    case TO_MINE:
        return uuid_equal(subscription->listener->identity->user_id, event->addressee_id);
    case TO_TENANT:
        return true;
    }
    return false;
}

/* Listeners */

void listener_dismiss(struct listener *listener, enum err why, const char *detail)
{
    if (listener->is_dismissed)
        return;
    listener->is_dismissed = true;
    listener->ops->dismiss(listener, why, detail);
}

void listener_send(struct listener *listener, struct message *message)
{
    if (listener->is_dismissed)
        return;
    if (!message) {
        listener_dismiss(listener, ERR_UNAVAILABLE, "The server has no memory left.");
    } else if (!listener->ops->send(listener, message)) {
        listener->is_dismissed = true;
        listener->hub->stats.cut++;
    }
}

void listener_frame(struct listener *listener, struct str op, struct buf *json)
{
    struct message *message = NULL;

    if (!listener->is_dismissed) {
        if (!buf_failed(json))
            message = listener->ops->frame(op, buf_str(json));
        listener_send(listener, message);
        message_drop(message);
    }
    buf_clear(json);
}

/* Subscriptions */

struct subscription *subscription_new(struct listener *listener, enum subscription_kind kind)
{
    struct subscription *made = NULL;

    if (listener->subscription_count < SUBSCRIPTIONS_MAX)
        made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    made->listener = listener;
    made->kind = kind;
    made->state = PLACING;
    made->of_listener = listener->subscriptions;
    listener->subscriptions = made;
    listener->subscription_count++;
    return made;
}

/* The list that pushes find it by. */
static struct subscription **list_of(const struct subscription *subscription)
{
    switch (subscription->kind) {
    case TO_CUSTOMER:
        return &subscription->room->subscriptions;
    case TO_MINE:
        return &subscription->listener->group->subscriptions;
    case TO_TENANT:
        break;
    }
    return &subscription->listener->feed->subscriptions;
}

struct room *room_find(const struct feed *feed, struct uuid customer_id)
{
    return (struct room *)uuid_map_find(&feed->rooms, customer_id);
}

static struct room *room_of(struct feed *feed, struct uuid customer_id)
{
    struct room *room = room_find(feed, customer_id);

    if (room)
        return room;
    room = calloc(1, sizeof(*room));
    if (!room)
        return NULL;
    room->node.key = customer_id;
    if (!uuid_map_add(&feed->rooms, &room->node)) {
        free(room);
        return NULL;
    }
    feed->hub->has_presence_news = true;
    return room;
}

void room_settle(struct feed *feed, struct room *room)
{
    if (room->subscriptions)
        return;
    for (const struct person *person = room->people; person; person = person->next)
        if (person->announced != PRESENCE_LEFT)
            return; /* the other nodes are to be told first */
    uuid_map_remove(&feed->rooms, &room->node);
    presence_free(room);
    free(room);
}

bool subscription_link(struct subscription *subscription)
{
    struct feed *feed = subscription->listener->feed;
    struct subscription **list;

    if (subscription->kind == TO_CUSTOMER) {
        subscription->room = room_of(feed, subscription->customer_id);
        if (!subscription->room)
            return false;
    }
    list = list_of(subscription);
    subscription->next = *list;
    if (subscription->next)
        subscription->next->previous = subscription;
    *list = subscription;
    subscription->is_linked = true;
    feed->subscription_count++;
    feed->hub->stats.subscriptions++;
    return true;
}

void subscription_unlink(struct subscription *subscription)
{
    struct feed *feed = subscription->listener->feed;

    if (subscription->room)
        presence_set(subscription, PRESENCE_LEFT);
    if (subscription->previous)
        subscription->previous->next = subscription->next;
    else
        *list_of(subscription) = subscription->next;
    if (subscription->next)
        subscription->next->previous = subscription->previous;
    subscription->previous = subscription->next = NULL;
    subscription->is_linked = false;
    feed->subscription_count--;
    feed->hub->stats.subscriptions--;
    if (subscription->room)
        room_settle(feed, subscription->room);
    subscription->room = NULL;
}

void subscription_free(struct subscription *subscription)
{
    struct listener *listener = subscription->listener;
    struct subscription **at = &listener->subscriptions;

    if (subscription->ask)
        subscription->ask->subscription = NULL;
    while (*at != subscription)
        at = &(*at)->of_listener;
    *at = subscription->of_listener;
    listener->subscription_count--;
    if (subscription->state == LAGGING)
        listener->lagging_count--;
    if (subscription->is_linked)
        subscription_unlink(subscription);
    free(subscription);
}

void subscription_end(struct subscription *subscription)
{
    if (subscription->state == LAGGING && subscription->listener->subscription_count > 1) {
        subscription->is_leaving = true;
        subscription->left = subscription->place;
        if (subscription->room)
            presence_set(subscription, PRESENCE_LEFT);
    } else {
        subscription_free(subscription);
    }
}

/* Catching up */

/* Kept back from all others of the listener, for one that lags will read it; and where that reads
 * of all customers, all is, so that none overtakes another of the same customer. */
static bool is_held(const struct listener *listener, const struct live_event *event)
{
    for (const struct subscription *s = listener->subscriptions; s; s = s->of_listener)
        if (s->state == LAGGING && s->boundary < event->number && s->place < event->number &&
            (s->kind != TO_CUSTOMER || is_wanted(s, event)))
            return true;
    return false;
}

/* Of an event that was pushed: does it still miss it? */
static bool is_missed(const struct listener *listener, const struct live_event *event)
{
    const bool held = is_held(listener, event);
    bool missed = false;

    for (const struct subscription *s = listener->subscriptions; s; s = s->of_listener) {
        if (s->state == PLACING || s->start >= event->number || !is_wanted(s, event))
            continue;
        if (s->state == LIVE ? !held : event->number <= (s->is_leaving ? s->left : s->place))
            return false; /* it came already */
        missed = missed || !s->is_leaving;
    }
    return missed && may_see(listener, event);
}

/* All that lagged has what it missed. */
static void become_live(struct listener *listener)
{
    for (struct subscription *s = listener->subscriptions, *next; s; s = next) {
        next = s->of_listener;
        if (s->state != LAGGING)
            continue;
        s->state = LIVE;
        listener->lagging_count--;
        if (s->is_leaving)
            subscription_free(s);
    }
}

/* As it stands when the loop comes from the network: what one turn sends goes at its end. */
static size_t backlog(const struct listener *listener)
{
    return listener->ops->backlog ? listener->ops->backlog(listener) : 0;
}

static void catch_up_failed(struct listener *listener, enum err err)
{
    if (err != ERR_NOT_FOUND)
        return; /* hub_tick() tries again */
    for (const struct subscription *s = listener->subscriptions; s; s = s->of_listener)
        if (s->state == LAGGING && !s->is_leaving)
            tell_resync(s);
    become_live(listener);
}

static void caught_up(void *asker, enum err err, const struct live_event *events, size_t count,
                      int64_t upto, int64_t head)
{
    struct ask *ask = asker;
    struct listener *listener = ask->listener;
    size_t bytes;

    (void)head;
    if (!listener) {
        ask_free(ask);
        return;
    }
    listener->is_reading = false;
    if (listener->is_read_stale || listener->lagging_count == 0 || listener->is_dismissed) {
        ask_free(ask);
        listener_catch_up(listener);
        return;
    }
    if (err != OK) {
        ask_free(ask);
        catch_up_failed(listener, err);
        return;
    }
    bytes = backlog(listener);
    if (bytes > TURN_BYTES) {
        ask_free(ask); /* a slow reader: hub_tick() looks again */
        return;
    }
    if (upto > listener->feed->pushed)
        upto = listener->feed->pushed; /* the rest comes when it is pushed */
    /* A send may have the listener leave: then the ask forgets it. */
    for (size_t i = 0; i < count && events[i].number <= upto && ask->listener; i++) {
        struct message *message;

        if (bytes > TURN_BYTES) {
            upto = events[i].number - 1;
            break;
        }
        if (listener->is_dismissed || !is_missed(listener, &events[i]))
            continue;
        bytes += events[i].json.len;
        message = listener->ops->event(&events[i]);
        listener->hub->stats.events_sent++;
        listener_send(listener, message);
        message_drop(message);
    }
    if (!ask->listener) {
        ask_free(ask);
        return;
    }
    for (struct subscription *s = listener->subscriptions; s; s = s->of_listener)
        if (s->state == LAGGING && s->place < upto)
            s->place = upto;
    if (upto >= listener->feed->pushed)
        become_live(listener);
    /* A page that brought nothing on: what it needs is not there yet. */
    if (upto > ask->after)
        listener_catch_up(listener);
    ask_free(ask);
}

void listener_catch_up(struct listener *listener)
{
    struct hub *hub = listener->hub;
    struct uuid timeline_id = UUID_NONE;
    int64_t after = INT64_MAX;
    bool same = true;
    struct ask *ask;

    if (listener->is_reading || listener->lagging_count == 0 || listener->is_dismissed)
        return;
    for (const struct subscription *s = listener->subscriptions; s; s = s->of_listener) {
        if (s->state != LAGGING)
            continue;
        if (after != INT64_MAX)
            same = same && uuid_equal(s->customer_id, timeline_id);
        timeline_id = s->customer_id; /* none where it is no customer's */
        if (s->place < after)
            after = s->place;
    }
    if (after >= listener->feed->pushed) {
        become_live(listener);
        return;
    }
    ask = ask_new(listener);
    if (!ask)
        return;
    ask->after = after;
    listener->is_reading = true;
    listener->is_read_stale = false;
    hub->store.read(hub->store.context, listener->identity->tenant_id,
                    same ? timeline_id : UUID_NONE, after, PAGE_EVENTS, caught_up, ask);
}

/* Pushing */

/* One event on its round, with what it was made into. */
struct round {
    const struct live_event *event;
    struct {
        const struct listener_ops *ops;
        struct message *message;
    } made[OPS_MAX];
    size_t made_count;
};

static struct message *spelling(struct round *round, const struct listener_ops *ops)
{
    struct message *message;

    for (size_t i = 0; i < round->made_count; i++)
        if (round->made[i].ops == ops)
            return message_keep(round->made[i].message);
    message = ops->event(round->event);
    if (message && round->made_count < OPS_MAX) {
        round->made[round->made_count].ops = ops;
        round->made[round->made_count++].message = message_keep(message);
    }
    return message;
}

static void push_to_all(struct round *round, struct subscription *first)
{
    const struct live_event *event = round->event;

    for (struct subscription *s = first, *next; s; s = next) {
        struct listener *listener = s->listener;
        struct message *message;

        next = s->next;
        if (s->state != LIVE || event->number <= s->start || listener->is_dismissed ||
            event->number <= listener->last_number || !may_see(listener, event) ||
            (listener->lagging_count > 0 && is_held(listener, event)))
            continue;
        listener->last_number = event->number;
        listener->hub->stats.events_sent++;
        message = spelling(round, listener->ops);
        listener_send(listener, message);
        message_drop(message);
    }
}

static void push(struct feed *feed, const struct live_event *event)
{
    struct round round = {.event = event};
    const struct room *room;
    const struct group *group;

    push_to_all(&round, feed->subscriptions);
    room = uuid_is_none(event->timeline_id) ? NULL : room_find(feed, event->timeline_id);
    if (room)
        push_to_all(&round, room->subscriptions);
    group = uuid_is_none(event->addressee_id)
                ? NULL
                : (struct group *)uuid_map_find(&feed->groups, event->addressee_id);
    if (group)
        push_to_all(&round, group->subscriptions);
    for (size_t i = 0; i < round.made_count; i++)
        message_drop(round.made[i].message);
}

/* Nothing that far back is read any more: everybody reads their timelines again. */
static void resync_all(struct feed *feed, int64_t head)
{
    feed->pushed = head;
    for (struct listener *l = feed->listeners, *next; l; l = next) {
        next = l->next;
        for (const struct subscription *s = l->subscriptions; s; s = s->of_listener)
            if (s->state != PLACING && !s->is_leaving)
                tell_resync(s);
        become_live(l);
    }
}

static void pushed(void *asker, enum err err, const struct live_event *events, size_t count,
                   int64_t upto, int64_t head)
{
    struct feed *feed = asker;
    size_t i, bytes = 0;

    feed->is_reading = false;
    if (err == ERR_NOT_FOUND) {
        resync_all(feed, head);
    } else if (err != OK || upto <= feed->pushed) {
        feed->wait_ticks = 1 << (feed->failures < 3 ? feed->failures++ : 3);
        return;
    } else {
        for (i = 0; i < count && bytes <= TURN_BYTES; i++) {
            push(feed, &events[i]);
            bytes += events[i].json.len;
        }
        feed->pushed = i < count ? events[i].number - 1 : upto;
    }
    feed->failures = 0;
    if (head > feed->known)
        feed->known = head;
    feed_pull(feed);
}

void feed_pull(struct feed *feed)
{
    const struct hub_store *store = &feed->hub->store;
    size_t limit;

    if (feed->is_reading || feed->wait_ticks > 0 || feed->pushed < 0 || feed->known <= feed->pushed)
        return;
    if (feed->subscription_count == 0) {
        feed->pushed = feed->known;
        return;
    }
    limit = PUSH_SENDS / feed->listener_count;
    if (limit < 8)
        limit = 8;
    feed->is_reading = true;
    store->read(store->context, feed->node.key, UUID_NONE, feed->pushed,
                limit < PAGE_EVENTS ? limit : PAGE_EVENTS, pushed, feed);
}

void feed_saw_head(struct feed *feed, int64_t head)
{
    if (head > feed->known)
        feed->known = head;
    if (feed->pushed < 0)
        feed->pushed = head;
    feed_pull(feed);
}

struct feed *feed_find(const struct hub *hub, struct uuid tenant_id)
{
    return (struct feed *)uuid_map_find(&hub->feeds, tenant_id);
}

static bool is_interesting(const struct feed *feed, const struct sealed *sealed)
{
    const struct group *group;

    if (!sealed->is_known || feed->subscriptions ||
        (!uuid_is_none(sealed->timeline_id) && room_find(feed, sealed->timeline_id)))
        return true;
    group = (const struct group *)uuid_map_find(&feed->groups, sealed->addressee_id);
    return group && group->subscriptions;
}

/* Rights */

static void next_rechecks(struct hub *hub);

static void recheck_drop(struct listener *listener)
{
    struct hub *hub = listener->hub;

    if (!listener->waits_for_recheck)
        return;
    listener->waits_for_recheck = false;
    if (listener->recheck_previous)
        listener->recheck_previous->recheck_next = listener->recheck_next;
    else
        hub->rechecks = listener->recheck_next;
    if (listener->recheck_next)
        listener->recheck_next->recheck_previous = listener->recheck_previous;
    else
        hub->rechecks_end = listener->recheck_previous;
    listener->recheck_previous = listener->recheck_next = NULL;
}

/* What is asked while the store is answering is asked again: that answer may be older. */
static void recheck(struct listener *listener)
{
    struct hub *hub = listener->hub;

    if (listener->is_dismissed || listener->waits_for_recheck)
        return;
    listener->waits_for_recheck = true;
    listener->recheck_previous = hub->rechecks_end;
    if (hub->rechecks_end)
        hub->rechecks_end->recheck_next = listener;
    else
        hub->rechecks = listener;
    hub->rechecks_end = listener;
}

static void rechecked(void *asker, enum err err, int64_t expires_us)
{
    struct ask *ask = asker;
    struct hub *hub = ask->hub;
    struct listener *listener = ask->listener;

    hub->rechecks_running--;
    if (listener) {
        listener->is_rechecking = false;
        if (err == OK)
            listener->identity->expires_us = expires_us;
        else if (err == ERR_UNAVAILABLE)
            recheck(listener);
        else
            listener_dismiss(listener, ERR_UNAUTHENTICATED, "These rights have ended.");
    }
    ask_free(ask);
    if (err != ERR_UNAVAILABLE)
        next_rechecks(hub);
}

static void next_rechecks(struct hub *hub)
{
    const struct listener *last = hub->rechecks_end; /* what fails at once waits again behind it */

    for (struct listener *l = hub->rechecks, *next; l && hub->rechecks_running < RECHECKS_MAX;
         l = next) {
        struct ask *ask;

        next = l == last ? NULL : l->recheck_next;
        if (l->is_rechecking)
            continue;
        ask = ask_new(l);
        if (!ask)
            return;
        recheck_drop(l);
        l->is_rechecking = true;
        hub->rechecks_running++;
        hub->store.recheck(hub->store.context, l->identity, rechecked, ask);
    }
}

/* `subject_id`: a user, a contact or a credential, if it is one that listens; none: all. */
static void recheck_some(struct feed *feed, struct uuid subject_id)
{
    if (!uuid_is_none(subject_id) && !uuid_map_find(&feed->groups, subject_id) &&
        !uuid_map_find(&feed->proofs, subject_id))
        return;
    for (struct listener *l = feed->listeners; l; l = l->next)
        if (uuid_is_none(subject_id) || uuid_equal(l->identity->user_id, subject_id) ||
            uuid_equal(l->identity->credential_id, subject_id) ||
            uuid_equal(l->identity->contact_id, subject_id))
            recheck(l);
    next_rechecks(feed->hub);
}

/* News */

void hub_sealed(struct hub *hub, const struct sealed *sealed)
{
    struct feed *feed = feed_find(hub, sealed->tenant_id);

    if (!feed)
        return;
    if (sealed->is_known && !uuid_is_none(sealed->subject_id)) {
        recheck_some(feed, sealed->subject_id);
        customer_changed(feed, sealed->subject_id);
    }
    if (sealed->number <= feed->known)
        return;
    /* What went unheard may have withdrawn a right. */
    if (!sealed->is_known)
        recheck_some(feed, UUID_NONE);
    feed->known = sealed->number;
    if (feed->pushed == sealed->number - 1 && !feed->is_reading && !is_interesting(feed, sealed))
        feed->pushed = sealed->number;
    feed_pull(feed);
}

void hub_read(struct hub *hub, struct uuid tenant_id, struct uuid user_id, struct uuid event_id,
              struct uuid timeline_id, bool up_to, int64_t at_us)
{
    const struct feed *feed = feed_find(hub, tenant_id);
    const struct group *group =
        feed ? (const struct group *)uuid_map_find(&feed->groups, user_id) : NULL;

    if (!group)
        return;
    for (struct listener *l = group->listeners, *next; l; l = next) {
        struct buf buf;
        struct json_out out;

        next = l->group_next;
        frame_begin(&buf, &out, "read");
        JSON_KEY(&out, "id");
        json_uuid(&out, event_id);
        if (up_to) {
            JSON_KEY(&out, "up_to");
            json_bool(&out, true);
            JSON_KEY(&out, "customer");
            json_uuid(&out, timeline_id);
        }
        JSON_KEY(&out, "read_at");
        json_time(&out, at_us);
        json_object_end(&out);
        listener_frame(l, STR("read"), &buf);
    }
}

void hub_heard(struct hub *hub, struct str text)
{
    struct uuid_map_at at;

    if (text.ptr) {
        presence_heard(hub, text);
        return;
    }
    /* A right may have been withdrawn in the silence. */
    for (struct uuid_node *node = uuid_map_first(&hub->feeds, &at); node;
         node = uuid_map_next(&hub->feeds, &at))
        recheck_some((struct feed *)node, UUID_NONE);
}

static void feed_free(struct feed *feed)
{
    struct uuid_map_at at;

    uuid_map_remove(&feed->hub->feeds, &feed->node);
    for (struct uuid_node *node = uuid_map_first(&feed->rooms, &at); node;
         node = uuid_map_next(&feed->rooms, &at)) {
        presence_free((struct room *)node);
        free(node);
    }
    uuid_map_clear(&feed->rooms);
    uuid_map_clear(&feed->groups);
    uuid_map_clear(&feed->proofs);
    free(feed);
}

void hub_tick(struct hub *hub)
{
    const int64_t now_us = hub_now_us(hub);
    struct uuid_map_at at;

    presence_tick(hub);
    for (struct uuid_node *node = uuid_map_first(&hub->feeds, &at); node;
         node = uuid_map_next(&hub->feeds, &at)) {
        struct feed *feed = (struct feed *)node;

        if (feed->listener_count == 0) {
            if (!feed->is_reading && feed->rooms.count == 0)
                feed_free(feed);
            continue;
        }
        if (feed->wait_ticks > 0)
            feed->wait_ticks--;
        feed_pull(feed);
        for (struct listener *l = feed->listeners, *next; l; l = next) {
            next = l->next;
            if (l->identity->expires_us != 0 && l->identity->expires_us <= now_us)
                recheck(l);
            if (backlog(l) <= TURN_BYTES)
                listener_catch_up(l);
        }
    }
    next_rechecks(hub);
}

/* Who listens */

static struct group *group_of(struct feed *feed, struct uuid user_id)
{
    struct group *group = (struct group *)uuid_map_find(&feed->groups, user_id);

    if (group)
        return group;
    group = calloc(1, sizeof(*group));
    if (!group)
        return NULL;
    group->node.key = user_id;
    if (!uuid_map_add(&feed->groups, &group->node)) {
        free(group);
        return NULL;
    }
    return group;
}

static struct feed *feed_of(struct hub *hub, struct uuid tenant_id)
{
    struct feed *feed = feed_find(hub, tenant_id);

    if (feed)
        return feed;
    feed = calloc(1, sizeof(*feed));
    if (!feed)
        return NULL;
    feed->hub = hub;
    feed->node.key = tenant_id;
    feed->pushed = -1;
    if (!uuid_map_add(&hub->feeds, &feed->node)) {
        free(feed);
        return NULL;
    }
    return feed;
}

/* False without memory. */
static bool join_group(struct feed *feed, struct listener *listener, struct uuid id)
{
    struct group *group;

    if (uuid_is_none(id))
        return true;
    group = group_of(feed, id);
    if (!group)
        return false;
    listener->group = group;
    listener->group_next = group->listeners;
    if (listener->group_next)
        listener->group_next->group_previous = listener;
    group->listeners = listener;
    return true;
}

static void leave_group(struct feed *feed, struct listener *listener)
{
    struct group *group = listener->group;

    if (!group)
        return;
    if (listener->group_previous)
        listener->group_previous->group_next = listener->group_next;
    else
        group->listeners = listener->group_next;
    if (listener->group_next)
        listener->group_next->group_previous = listener->group_previous;
    if (!group->listeners) {
        uuid_map_remove(&feed->groups, &group->node);
        free(group);
    }
}

static bool show_proof(struct feed *feed, struct listener *listener, struct uuid id)
{
    struct proof *proof = (struct proof *)uuid_map_find(&feed->proofs, id);

    if (uuid_is_none(id))
        return true;
    if (!proof) {
        proof = calloc(1, sizeof(*proof));
        if (!proof)
            return false;
        proof->node.key = id;
        if (!uuid_map_add(&feed->proofs, &proof->node)) {
            free(proof);
            return false;
        }
    }
    proof->listeners++;
    listener->proof = proof;
    return true;
}

static void drop_proof(struct feed *feed, struct listener *listener)
{
    if (!listener->proof || --listener->proof->listeners > 0)
        return;
    uuid_map_remove(&feed->proofs, &listener->proof->node);
    free(listener->proof);
}

bool hub_join(struct hub *hub, struct listener *listener, const struct listener_ops *ops,
              const struct identity *identity)
{
    struct feed *feed = feed_of(hub, identity->tenant_id);

    *listener = (struct listener){.ops = ops};
    if (!feed) /* hub_tick() frees one that nobody joined after all */
        return false;
    listener->identity = malloc(sizeof(*identity));
    if (!listener->identity)
        return false;
    *listener->identity = *identity;
    if (!join_group(feed, listener,
                    uuid_is_none(identity->user_id) ? identity->contact_id : identity->user_id) ||
        !show_proof(feed, listener, identity->credential_id)) {
        leave_group(feed, listener);
        free(listener->identity);
        *listener = (struct listener){.ops = ops};
        return false;
    }
    listener->hub = hub;
    listener->feed = feed;
    listener->next = feed->listeners;
    if (listener->next)
        listener->next->previous = listener;
    feed->listeners = listener;
    feed->listener_count++;
    hub->stats.listeners++;
    return true;
}

void hub_leave(struct listener *listener)
{
    struct feed *feed = listener->feed;

    if (!listener->hub)
        return;
    listener->is_dismissed = true;
    while (listener->asks) {
        struct ask *ask = listener->asks;

        listener->asks = ask->next;
        ask->listener = NULL;
        ask->previous = ask->next = NULL;
    }
    for (struct subscription *s = listener->subscriptions, *next; s; s = next) {
        next = s->of_listener;
        subscription_free(s);
    }
    recheck_drop(listener);
    leave_group(feed, listener);
    drop_proof(feed, listener);
    if (listener->previous)
        listener->previous->next = listener->next;
    else
        feed->listeners = listener->next;
    if (listener->next)
        listener->next->previous = listener->previous;
    feed->listener_count--;
    listener->hub->stats.listeners--;
    free(listener->identity);
    *listener = (struct listener){.ops = listener->ops, .is_dismissed = true};
}

/* The whole */

struct hub *hub_new(const struct hub_store *store)
{
    struct hub *hub = calloc(1, sizeof(*hub));
    struct id_source ids;

    if (!hub)
        return NULL;
    hub->store = *store;
    id_source_init(&ids);
    hub->node_id = uuid_new(&ids, time_now_us());
    return hub;
}

void hub_free(struct hub *hub)
{
    struct uuid_map_at at;

    if (!hub)
        return;
    for (struct uuid_node *node = uuid_map_first(&hub->feeds, &at); node;
         node = uuid_map_next(&hub->feeds, &at))
        feed_free((struct feed *)node);
    uuid_map_clear(&hub->feeds);
    free(hub);
}

size_t hub_tenants(const struct hub *hub)
{
    return hub->feeds.count;
}

size_t hub_places(const struct hub *hub, struct hub_place *out, size_t max)
{
    struct uuid_map_at at;
    size_t count = 0;

    for (const struct uuid_node *node = uuid_map_first(&hub->feeds, &at); node && count < max;
         node = uuid_map_next(&hub->feeds, &at)) {
        const struct feed *feed = (const struct feed *)node;

        if (feed->listener_count > 0)
            out[count++] = (struct hub_place){node->key, feed->known};
    }
    return count;
}

const struct hub_store *hub_store_of(const struct hub *hub)
{
    return &hub->store;
}

void hub_stats(const struct hub *hub, struct hub_stats *out)
{
    *out = (struct hub_stats){.listeners = hub->stats.listeners,
                              .subscriptions = hub->stats.subscriptions,
                              .events_sent = hub->stats.events_sent,
                              .cut = hub->stats.cut,
                              .resyncs = hub->stats.resyncs};
}
