/* The hub against a store that the test drives: what it answers when, in which order, and what
 * it fails to answer, is drawn at random. */
#include "live/hub.h"

#include "base/buf.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS_MAX 4000
#define ASKS 4096
#define CUSTOMERS 4
#define USERS 2
#define TARGETS (CUSTOMERS + 2) /* the customers, mine, tenant */
#define MINE CUSTOMERS
#define TENANT (CUSTOMERS + 1)

static struct uuid id_of(unsigned kind, unsigned number)
{
    struct uuid id = {{1, (uint8_t)kind}};

    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

enum { KIND_TENANT = 1, KIND_CUSTOMER, KIND_USER, KIND_EVENT, KIND_KEY };

/* --- The store ------------------------------------------------------------------------- */

enum ask_kind { READ, PLACE, ACKNOWLEDGE, RECHECK };

struct ask_made {
    enum ask_kind kind;
    void *asker;
    struct uuid timeline_id, customer_id, since_id;
    int64_t after, head;
    size_t limit;
    void (*read)(void *, enum err, const struct live_event *, size_t, int64_t, int64_t);
    void (*place)(void *, enum err, struct uuid, int64_t, int64_t);
    void (*simple)(void *, enum err);
    void (*recheck)(void *, enum err, int64_t);
};

struct store {
    struct live_event events[EVENTS_MAX + 1]; /* by number */
    char jsons[EVENTS_MAX + 1][24];
    int64_t head, oldest, told; /* told: notices up to here were delivered, or lost */
    struct ask_made asks[ASKS];
    size_t ask_count;
    struct uuid alias, alias_of; /* a customer that was merged into another */
    int64_t now_us;
    enum err rights;
    int64_t expires_us; /* of all credentials */
    char announced[HUB_TEXT_MAX * 4];
    size_t announced_len;
    uint64_t random;
};

static unsigned draw(struct store *store, unsigned below)
{
    store->random = store->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(store->random >> 33) % below;
}

static struct ask_made *ask_add(struct store *store, enum ask_kind kind, void *asker)
{
    struct ask_made *ask = &store->asks[store->ask_count++];

    assert_true(store->ask_count < ASKS);
    *ask = (struct ask_made){.kind = kind, .asker = asker, .head = store->head};
    return ask;
}

static void store_read(void *context, struct uuid tenant_id, struct uuid timeline_id, int64_t after,
                       size_t limit,
                       void (*done)(void *, enum err, const struct live_event *, size_t, int64_t,
                                    int64_t),
                       void *asker)
{
    struct ask_made *ask = ask_add(context, READ, asker);

    (void)tenant_id;
    ask->timeline_id = timeline_id;
    ask->after = after;
    ask->limit = limit < 7 ? limit : 7; /* many pages */
    ask->read = done;
}

static void store_place(void *context, const struct identity *identity, struct uuid customer_id,
                        struct uuid since_id,
                        void (*done)(void *, enum err, struct uuid, int64_t, int64_t), void *asker)
{
    struct ask_made *ask = ask_add(context, PLACE, asker);

    (void)identity;
    ask->customer_id = customer_id;
    ask->since_id = since_id;
    ask->place = done;
}

static void store_acknowledge(void *context, const struct identity *identity, struct uuid event_id,
                              void (*done)(void *, enum err), void *asker)
{
    (void)identity;
    (void)event_id;
    ask_add(context, ACKNOWLEDGE, asker)->simple = done;
}

static void store_recheck(void *context, const struct identity *identity,
                          void (*done)(void *, enum err, int64_t), void *asker)
{
    (void)identity;
    ask_add(context, RECHECK, asker)->recheck = done;
}

static void store_announce(void *context, struct str text)
{
    struct store *store = context;

    assert_true(text.len <= HUB_TEXT_MAX);
    assert_true(store->announced_len + text.len < sizeof(store->announced));
    memcpy(store->announced + store->announced_len, text.ptr, text.len);
    store->announced_len += text.len;
}

static int64_t store_now(void *context)
{
    return ((struct store *)context)->now_us;
}

static struct hub *hub_over(struct store *store)
{
    struct hub *hub = hub_new(&(struct hub_store){.context = store,
                                                  .read = store_read,
                                                  .place = store_place,
                                                  .acknowledge = store_acknowledge,
                                                  .recheck = store_recheck,
                                                  .announce = store_announce,
                                                  .now_us = store_now});

    assert_non_null(hub);
    return hub;
}

static void answer_read(struct store *store, const struct ask_made *ask, int64_t head)
{
    struct live_event page[8];
    size_t count = 0;
    int64_t upto = ask->after;

    if (ask->after < store->oldest) {
        ask->read(ask->asker, ERR_NOT_FOUND, NULL, 0, ask->after, head);
        return;
    }
    /* A portion of numbers, as the real one. */
    while (upto < head && count < ask->limit && upto < ask->after + 20) {
        const struct live_event *event = &store->events[++upto];

        if (uuid_is_none(ask->timeline_id) || uuid_equal(event->timeline_id, ask->timeline_id))
            page[count++] = *event;
    }
    ask->read(ask->asker, OK, page, count, upto, head);
}

/* One of those that wait; as the store stood at some moment since it was asked. */
static void answer(struct store *store, size_t index, enum err failure)
{
    struct ask_made ask = store->asks[index];
    const int64_t head = ask.head + draw(store, (unsigned)(store->head - ask.head) + 1);
    int64_t since = 0;

    store->asks[index] = store->asks[--store->ask_count];
    switch (ask.kind) {
    case READ:
        if (failure)
            ask.read(ask.asker, failure, NULL, 0, ask.after, 0);
        else
            answer_read(store, &ask, head);
        break;
    case PLACE:
        since =
            uuid_is_none(ask.since_id) ? 0 : ask.since_id.bytes[14] * 256 + ask.since_id.bytes[15];
        if (!uuid_is_none(store->alias) && uuid_equal(ask.customer_id, store->alias))
            ask.customer_id = store->alias_of;
        ask.place(ask.asker, since > head ? ERR_STALE : OK, ask.customer_id, since, head);
        break;
    case ACKNOWLEDGE:
        ask.simple(ask.asker, OK);
        break;
    case RECHECK:
        ask.recheck(ask.asker, store->rights, store->expires_us);
        break;
    }
}

static void answer_all(struct store *store)
{
    while (store->ask_count > 0)
        answer(store, 0, OK);
}

static void write_event(struct store *store, int customer, int addressee, bool to_agent)
{
    struct live_event *event = &store->events[++store->head];
    char *json = store->jsons[store->head];

    snprintf(json, sizeof(store->jsons[0]), "%lld", (long long)store->head);
    *event = (struct live_event){
        .number = store->head,
        .id = id_of(KIND_EVENT, (unsigned)store->head),
        .timeline_id = customer < 0 ? UUID_NONE : id_of(KIND_CUSTOMER, (unsigned)customer),
        .addressee_id = addressee < 0 ? UUID_NONE : id_of(KIND_USER, (unsigned)addressee),
        .visible_to_agent = to_agent,
        .visible_to_client = !to_agent,
        .type = STR("note_added"),
        .json = str_of(json),
    };
}

static void notice(struct store *store, struct hub *hub)
{
    const struct live_event *event = &store->events[++store->told];

    hub_sealed(hub, &(struct sealed){.tenant_id = id_of(KIND_TENANT, 0),
                                     .number = event->number,
                                     .timeline_id = event->timeline_id,
                                     .addressee_id = event->addressee_id,
                                     .is_known = true});
}

static void settle(struct store *store, struct hub *hub)
{
    while (store->told < store->head)
        notice(store, hub);
    hub_sealed(hub, &(struct sealed){.tenant_id = id_of(KIND_TENANT, 0), .number = store->head});
    for (int i = 0; i < 20; i++) {
        answer_all(store);
        hub_tick(hub);
    }
    answer_all(store);
}

/* --- Listeners --------------------------------------------------------------------------- */

struct client {
    struct listener listener; /* first */
    int64_t seen[EVENTS_MAX];
    int64_t owed[EVENTS_MAX][TARGETS]; /* what it was subscribed to when it saw that, and from
                                          where; 0: not */
    size_t seen_count;
    char frames[16384]; /* a line each */
    size_t frames_len;
    enum err dismissed;
    bool is_cut;
    /* The property test's: what it has been told of its subscriptions. */
    struct {
        bool is_asked, is_there, had_since;
        int64_t start;
    } targets[TARGETS];
    struct store *store;
    int64_t base;
    bool no_since;
};

static struct message *spell_event(const struct live_event *event)
{
    return message_new(event->json);
}

static struct message *spell_frame(struct str op, struct str json)
{
    (void)op;
    return message_new(json);
}

static bool take(struct listener *listener, struct message *message)
{
    struct client *client = (struct client *)listener;
    const struct str text = message_str(message);
    int64_t number;

    if (client->is_cut)
        return false;
    if (str_to_int(text, &number)) {
        for (int t = 0; t < TARGETS; t++)
            client->owed[client->seen_count][t] =
                client->targets[t].is_there ? client->targets[t].start + 1 : 0;
        client->seen[client->seen_count++] = number;
    } else {
        assert_true(client->frames_len + text.len + 2 < sizeof(client->frames));
        memcpy(client->frames + client->frames_len, text.ptr, text.len);
        client->frames_len += text.len;
        client->frames[client->frames_len++] = '\n';
        client->frames[client->frames_len] = '\0';
    }
    return true;
}

static void be_dismissed(struct listener *listener, enum err why, const char *detail)
{
    assert_non_null(detail);
    ((struct client *)listener)->dismissed = why;
}

static const struct listener_ops ops = {spell_event, spell_frame, take, be_dismissed, NULL};

static struct identity user(unsigned number)
{
    return (struct identity){.tenant_id = id_of(KIND_TENANT, 0),
                             .user_id = id_of(KIND_USER, number),
                             .credential_id = id_of(KIND_KEY, number),
                             .credential_kind = 'k',
                             .may_follow_tenant = true,
                             .name = "Ann"};
}

static void join(struct hub *hub, struct client *client, struct identity identity)
{
    *client = (struct client){.dismissed = OK};
    assert_true(hub_join(hub, &client->listener, &ops, &identity));
}

static void say(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct client *client, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_true(hub_command(&client->listener, str_of(text)));
}

static const char *text_of(struct uuid id, char out[UUID_TEXT_LEN + 1])
{
    uuid_format(id, out);
    out[UUID_TEXT_LEN] = '\0';
    return out;
}

static void subscribe(struct client *client, int target, int64_t since)
{
    char subject[80], behind[64] = "", id[UUID_TEXT_LEN + 1];

    if (target < CUSTOMERS)
        snprintf(subject, sizeof(subject), "\"customer\":\"%s\"",
                 text_of(id_of(KIND_CUSTOMER, (unsigned)target), id));
    else
        snprintf(subject, sizeof(subject), "\"feed\":\"%s\"", target == MINE ? "mine" : "tenant");
    if (since >= 0)
        snprintf(behind, sizeof(behind), ",\"since\":\"%s\"",
                 text_of(id_of(KIND_EVENT, (unsigned)since), id));
    say(client, "{\"op\":\"subscribe\",%s%s,\"ref\":\"t%d\"}", subject, behind, target);
}

static void unsubscribe(struct client *client, int target)
{
    char id[UUID_TEXT_LEN + 1];

    if (target < CUSTOMERS)
        say(client, "{\"op\":\"unsubscribe\",\"customer\":\"%s\"}",
            text_of(id_of(KIND_CUSTOMER, (unsigned)target), id));
    else
        say(client, "{\"op\":\"unsubscribe\",\"feed\":\"%s\"}", target == MINE ? "mine" : "tenant");
}

static bool was_told(const struct client *client, const char *what)
{
    return strstr(client->frames, what) != NULL;
}

static void forget_frames(struct client *client)
{
    client->frames_len = 0;
    client->frames[0] = '\0';
}

/* --- Each event once, in order ------------------------------------------------------------ */

#define CLIENTS 5

static bool wants(const struct client *client, unsigned user_number, int target,
                  const struct live_event *event)
{
    (void)client;
    if (!event->visible_to_agent)
        return false;
    if (uuid_is_none(event->timeline_id) &&
        !uuid_equal(event->addressee_id, id_of(KIND_USER, user_number)))
        return false;
    if (target == TENANT)
        return true;
    if (target == MINE)
        return uuid_equal(event->addressee_id, id_of(KIND_USER, user_number));
    return uuid_equal(event->timeline_id, id_of(KIND_CUSTOMER, (unsigned)target));
}

/* What it has been told since the last look. */
static void note_answers(struct store *store, struct client *client)
{
    for (int t = 0; t < TARGETS; t++) {
        char ref[16];

        snprintf(ref, sizeof(ref), "\"t%d\"", t);
        if (!client->targets[t].is_asked || client->targets[t].is_there || !was_told(client, ref))
            continue;
        client->targets[t].is_there = true;
        if (!client->targets[t].had_since)
            client->targets[t].start = store->head;
    }
    assert_false(was_told(client, "\"error\""));
    assert_false(was_told(client, "resync"));
    forget_frames(client);
}

static void check_client(struct store *store, const struct client *client, unsigned user_number)
{
    static unsigned char seen[EVENTS_MAX + 1];
    size_t last[CUSTOMERS] = {0}; /* its place, and one more */

    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < client->seen_count; i++) {
        const int64_t number = client->seen[i];
        const struct live_event *event = &store->events[number];

        assert_int_equal(seen[number], 0); /* once */
        seen[number] = 1;
        assert_true(wants(client, user_number, TENANT, event)); /* may see it */
        if (!uuid_is_none(event->timeline_id)) {
            const unsigned customer = event->timeline_id.bytes[15];

            /* In order: what comes later was not owed yet. */
            for (int t = 0; t < TARGETS && last[customer] > 0; t++)
                assert_true(number > client->seen[last[customer] - 1] ||
                            !wants(client, user_number, t, event) ||
                            client->owed[last[customer] - 1][t] == 0 ||
                            client->owed[last[customer] - 1][t] > number);
            if (last[customer] == 0 || number > client->seen[last[customer] - 1])
                last[customer] = i + 1;
        }
    }
    for (int t = 0; t < TARGETS; t++) {
        if (!client->targets[t].is_there)
            continue;
        for (int64_t n = client->targets[t].start + 1; n <= store->head; n++)
            if (wants(client, user_number, t, &store->events[n]))
                assert_int_equal(seen[n], 1); /* none is missing */
    }
}

static void client_step(struct store *store, struct hub *hub, struct client *client,
                        unsigned user_number)
{
    const int target = (int)draw(store, TARGETS);
    bool is_placing = false;

    for (int t = 0; t < TARGETS; t++)
        is_placing = is_placing || (client->targets[t].is_asked && !client->targets[t].is_there);
    if (!client->targets[target].is_asked) {
        const bool with_since = !client->no_since && draw(store, 2) == 0;

        client->targets[target].is_asked = true;
        client->targets[target].had_since = with_since;
        client->targets[target].start = client->base;
        subscribe(client, target, with_since ? client->base : -1);
    } else if (draw(store, 4) == 0 && client->targets[target].is_there && !is_placing &&
               client->listener.lagging_count == 0) {
        unsubscribe(client, target);
        client->targets[target].is_asked = client->targets[target].is_there = false;
        client->no_since = true; /* what it forgot it might be sent again */
    } else if (draw(store, 12) == 0) {
        hub_leave(&client->listener);
        join(hub, client, user(user_number));
        client->base = store->head > 0 ? 1 + (int64_t)draw(store, (unsigned)store->head) : -1;
        client->no_since = client->base < 0;
    }
}

static void run_seed(uint64_t seed)
{
    struct store *store = calloc(1, sizeof(*store));
    struct client *clients = calloc(CLIENTS, sizeof(*clients));
    struct hub *hub;

    assert_non_null(store);
    assert_non_null(clients);
    store->random = seed;
    store->now_us = 1;
    hub = hub_over(store);
    for (unsigned i = 0; i < CLIENTS; i++) {
        join(hub, &clients[i], user(i % USERS));
        clients[i].no_since = true;
    }
    for (int step = 0; step < 600; step++) {
        switch (draw(store, 8)) {
        case 0:
        case 1:
            for (unsigned n = 1 + draw(store, 5); n > 0; n--)
                write_event(store, draw(store, 8) == 0 ? -1 : (int)draw(store, CUSTOMERS),
                            (int)draw(store, USERS + 2) - 2, draw(store, 8) != 0);
            break;
        case 2:
            if (store->told < store->head && draw(store, 20) == 0)
                store->told++; /* lost */
            else if (store->told < store->head)
                notice(store, hub);
            break;
        case 3:
        case 4:
            if (store->ask_count > 0)
                answer(store, draw(store, (unsigned)store->ask_count),
                       draw(store, 16) == 0 ? ERR_UNAVAILABLE : OK);
            break;
        case 5:
        case 6: {
            const unsigned which = draw(store, CLIENTS);

            client_step(store, hub, &clients[which], which % USERS);
            break;
        }
        case 7:
            if (draw(store, 4) == 0)
                hub_tick(hub);
            break;
        }
        for (size_t i = 0; i < CLIENTS; i++)
            note_answers(store, &clients[i]);
    }
    settle(store, hub);
    for (unsigned i = 0; i < CLIENTS; i++) {
        note_answers(store, &clients[i]);
        check_client(store, &clients[i], i % USERS);
        hub_leave(&clients[i].listener);
    }
    answer_all(store);
    hub_free(hub);
    free(clients);
    free(store);
}

static void test_each_event_once_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        run_seed(seed);
}

/* --- The rest ------------------------------------------------------------------------------ */

struct fixture {
    struct store store;
    struct hub *hub;
    struct client a, b;
};

static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->store.random = 7;
    fixture->store.now_us = 1000;
    fixture->hub = hub_over(&fixture->store);
    join(fixture->hub, &fixture->a, user(0));
    join(fixture->hub, &fixture->b, user(1));
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    hub_leave(&fixture->a.listener);
    hub_leave(&fixture->b.listener);
    hub_leave(&fixture->b.listener); /* once more does nothing */
    answer_all(&fixture->store);
    hub_free(fixture->hub);
    free(fixture);
}

static void test_unsubscribed_while_it_lags(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 10; i++)
        write_event(&f->store, i % 2, -1, true);
    subscribe(&f->a, TENANT, -1);
    answer_all(&f->store);
    subscribe(&f->a, 0, 2);
    answer(&f->store, 0, OK);
    assert_int_equal(f->a.listener.lagging_count, 1);
    write_event(&f->store, 0, -1, true); /* 11: held for the one that lags */
    write_event(&f->store, 1, -1, true);
    settle(&f->store, f->hub);
    assert_int_equal(f->a.listener.lagging_count, 0);
    write_event(&f->store, 0, -1, true); /* 13 */
    subscribe(&f->a, 1, 1);
    answer(&f->store, 0, OK);
    unsubscribe(&f->a, 1);
    settle(&f->store, f->hub);
    for (int64_t n = 11; n <= 13; n++) {
        size_t times = 0;

        for (size_t i = 0; i < f->a.seen_count; i++)
            times += f->a.seen[i] == n;
        assert_int_equal(times, 1);
    }
    fixture_free(f);
}

static void test_nobody_interested_reads_nothing(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    subscribe(&f->a, 0, -1);
    answer_all(&f->store);
    for (int i = 0; i < 5; i++) {
        write_event(&f->store, 1, -1, true);
        notice(&f->store, f->hub);
        assert_int_equal(f->store.ask_count, 0);
    }
    write_event(&f->store, 0, -1, true);
    notice(&f->store, f->hub);
    assert_int_equal(f->store.ask_count, 1);
    assert_int_equal(f->store.asks[0].after, 5);
    answer_all(&f->store);
    assert_int_equal(f->a.seen_count, 1);
    fixture_free(f);
}

static void test_too_far_back_or_unknown(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (int i = 0; i < 50; i++)
        write_event(&f->store, 0, -1, true);
    f->store.oldest = 20;
    subscribe(&f->a, 0, 3); /* the store does not read it any more */
    settle(&f->store, f->hub);
    assert_true(was_told(&f->a, "resync"));
    assert_int_equal(f->a.seen_count, 0);
    subscribe(&f->b, 0, 999); /* nobody knows that one */
    settle(&f->store, f->hub);
    assert_true(was_told(&f->b, "resync"));
    write_event(&f->store, 0, -1, true);
    settle(&f->store, f->hub);
    assert_int_equal(f->a.seen_count, 1);
    assert_int_equal(f->b.seen_count, 1);
    fixture_free(f);
}

static void test_rights(void **state)
{
    struct fixture *f = fixture_new();
    struct client contact, viewer;
    struct identity of_contact = {.tenant_id = id_of(KIND_TENANT, 0),
                                  .contact_id = id_of(KIND_CUSTOMER, 0),
                                  .credential_id = id_of(KIND_KEY, 9),
                                  .credential_kind = 'c'};
    struct identity of_viewer = user(3);

    (void)state;
    of_viewer.may_follow_tenant = false;
    join(f->hub, &contact, of_contact);
    join(f->hub, &viewer, of_viewer);
    subscribe(&viewer, TENANT, -1);
    assert_true(was_told(&viewer, "\"status\":403"));
    subscribe(&contact, TENANT, -1);
    assert_true(was_told(&contact, "\"status\":403"));
    forget_frames(&contact);
    subscribe(&contact, 1, -1);
    answer_all(&f->store);
    assert_true(was_told(&contact, "\"status\":404"));
    subscribe(&contact, MINE, -1); /* their own timeline */
    subscribe(&viewer, 0, -1);
    answer_all(&f->store);
    write_event(&f->store, 0, -1, true);
    write_event(&f->store, 0, -1, false);
    settle(&f->store, f->hub);
    assert_int_equal(contact.seen_count, 1);
    assert_int_equal(contact.seen[0], 2);
    assert_int_equal(viewer.seen_count, 1);
    assert_int_equal(viewer.seen[0], 1);
    /* The key's end is asked for, and nobody else's. */
    f->store.rights = ERR_UNAUTHENTICATED;
    hub_sealed(f->hub, &(struct sealed){.tenant_id = id_of(KIND_TENANT, 0),
                                        .number = 1,
                                        .subject_id = id_of(KIND_KEY, 9),
                                        .is_known = true});
    assert_int_equal(f->store.ask_count, 1);
    answer_all(&f->store);
    assert_int_equal(contact.dismissed, ERR_UNAUTHENTICATED);
    assert_int_equal(viewer.dismissed, OK);
    /* By time; a sign-in that was used meanwhile lasts until its new end, and no longer. */
    viewer.listener.identity->expires_us = 2000;
    hub_tick(f->hub);
    assert_int_equal(f->store.ask_count, 0);
    f->store.now_us = 2000;
    f->store.rights = OK;
    f->store.expires_us = 5000;
    hub_tick(f->hub);
    answer_all(&f->store);
    assert_int_equal(viewer.dismissed, OK);
    f->store.now_us = 4999;
    hub_tick(f->hub);
    assert_int_equal(f->store.ask_count, 0);
    f->store.now_us = 5000;
    f->store.rights = ERR_UNAUTHENTICATED;
    hub_tick(f->hub);
    answer_all(&f->store);
    assert_int_equal(viewer.dismissed, ERR_UNAUTHENTICATED);
    hub_leave(&contact.listener);
    hub_leave(&viewer.listener);
    fixture_free(f);
}

/* Who follows nothing has rights as well, which may end unheard. */
static void test_rights_of_who_follows_nothing(void **state)
{
    struct hub_place place;
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(hub_places(f->hub, &place, 1), 1);
    assert_true(uuid_equal(place.tenant_id, id_of(KIND_TENANT, 0)));
    f->store.rights = ERR_UNAUTHENTICATED;
    hub_sealed(f->hub, &(struct sealed){.tenant_id = place.tenant_id, .number = 1});
    answer_all(&f->store);
    assert_int_equal(f->a.dismissed, ERR_UNAUTHENTICATED);
    fixture_free(f);
}

static void present(struct client *client, const char *presence)
{
    char id[UUID_TEXT_LEN + 1];

    say(client, "{\"op\":\"presence\",\"customer\":\"%s\",\"state\":\"%s\"}",
        text_of(id_of(KIND_CUSTOMER, 0), id), presence);
}

static void test_presence(void **state)
{
    struct fixture *f = fixture_new();
    struct client second, late;

    (void)state;
    join(f->hub, &second, user(0)); /* another screen of a's user */
    present(&f->a, "viewing");
    assert_true(was_told(&f->a, "\"status\":404")); /* not subscribed */
    subscribe(&f->a, 0, -1);
    subscribe(&second, 0, -1);
    subscribe(&f->b, 0, -1);
    answer_all(&f->store);
    forget_frames(&f->a);
    forget_frames(&second);
    forget_frames(&f->b);
    present(&f->a, "viewing");
    assert_true(was_told(&f->b, "\"state\":\"viewing\""));
    assert_false(was_told(&f->a, "presence"));
    assert_false(was_told(&second, "presence"));
    forget_frames(&f->b);
    present(&second, "viewing"); /* the same user: nothing new */
    assert_false(was_told(&f->b, "presence"));
    present(&second, "writing");
    assert_true(was_told(&f->b, "\"state\":\"writing\""));
    join(f->hub, &late, user(5));
    subscribe(&late, 0, -1);
    answer_all(&f->store);
    assert_true(was_told(&late, "\"state\":\"writing\""));
    forget_frames(&f->b);
    hub_leave(&second.listener); /* the first screen is still there */
    assert_true(was_told(&f->b, "\"state\":\"viewing\""));
    forget_frames(&f->b);
    unsubscribe(&f->a, 0);
    assert_true(was_told(&f->b, "\"state\":\"left\""));
    hub_leave(&late.listener);
    fixture_free(f);
}

static void exchange(struct fixture *from, struct fixture *to)
{
    hub_tick(from->hub);
    if (from->store.announced_len > 0)
        hub_heard(to->hub, (struct str){from->store.announced, from->store.announced_len});
    from->store.announced_len = 0;
}

static void test_presence_across_nodes(void **state)
{
    struct fixture *one = fixture_new(), *two = fixture_new();

    (void)state;
    subscribe(&one->a, 0, -1);
    answer_all(&one->store);
    present(&one->a, "viewing");
    exchange(one, two); /* nobody there wants to know */
    subscribe(&two->b, 0, -1);
    answer_all(&two->store);
    assert_false(was_told(&two->b, "presence"));
    exchange(two, one); /* asks */
    exchange(one, two);
    assert_true(was_told(&two->b, "\"state\":\"viewing\""));
    present(&one->a, "left");
    exchange(one, two);
    assert_true(was_told(&two->b, "\"state\":\"left\""));
    hub_heard(two->hub, STR("p rubbish\nq\n\np 1 2 3 4 5 6"));
    fixture_free(one);
    fixture_free(two);
}

static void test_bad_frames(void **state)
{
    static const struct {
        const char *frame, *told;
    } cases[] = {
        {"{}", "\"field\":\"op\""},
        {"{\"op\":\"dance\",\"ref\":\"r\"}", "\"ref\":\"r\""},
        {"{\"op\":\"subscribe\"}", "\"field\":\"customer\""},
        {"{\"op\":\"subscribe\",\"customer\":\"x\",\"since\":\"y\"}", "\"field\":\"since\""},
        {"{\"op\":\"subscribe\",\"feed\":\"all\"}", "\"field\":\"feed\""},
        {"{\"op\":\"subscribe\",\"feed\":1}", "wrong_type"},
        {"{\"op\":\"ack\",\"id\":\"x\"}", "\"field\":\"id\""},
        {"{\"op\":\"ack\",\"idd\":\"x\"}", "unknown_field"},
        {"{\"op\":\"unsubscribe\",\"feed\":\"tenant\"}", "\"status\":404"},
        {"{\"op\":\"presence\",\"state\":\"asleep\"}", "\"field\":\"state\""},
    };
    struct fixture *f = fixture_new();
    char id[UUID_TEXT_LEN + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        forget_frames(&f->a);
        say(&f->a, "%s", cases[i].frame);
        assert_true(was_told(&f->a, "\"op\":\"error\""));
        assert_true(was_told(&f->a, cases[i].told));
    }
    assert_false(hub_command(&f->a.listener, STR("[]")));
    assert_false(hub_command(&f->a.listener, STR("{")));
    forget_frames(&f->a);
    say(&f->a, "{\"op\":\"ack\",\"id\":\"%s\",\"ref\":\"7\"}", text_of(id_of(KIND_EVENT, 1), id));
    answer_all(&f->store);
    assert_true(was_told(&f->a, "acknowledged"));
    for (unsigned i = 0; i <= SUBSCRIPTIONS_MAX; i++)
        say(&f->b, "{\"op\":\"subscribe\",\"customer\":\"%s\"}",
            text_of(id_of(KIND_CUSTOMER, 100 + i), id));
    assert_true(was_told(&f->b, "\"status\":429"));
    assert_int_equal(f->store.ask_count, SUBSCRIPTIONS_MAX);
    fixture_free(f);
}

static void test_merged(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    subscribe(&f->a, 0, -1);
    subscribe(&f->b, 0, -1);
    subscribe(&f->b, 1, -1);
    answer_all(&f->store);
    f->store.alias = id_of(KIND_CUSTOMER, 0);
    f->store.alias_of = id_of(KIND_CUSTOMER, 1);
    write_event(&f->store, 1, -1, true);
    f->store.told = 1;
    hub_sealed(f->hub, &(struct sealed){.tenant_id = id_of(KIND_TENANT, 0),
                                        .number = 1,
                                        .timeline_id = id_of(KIND_CUSTOMER, 1),
                                        .subject_id = id_of(KIND_CUSTOMER, 0),
                                        .is_known = true});
    settle(&f->store, f->hub);
    assert_true(was_told(&f->a, "resync"));
    assert_true(was_told(&f->b, "unsubscribed")); /* it has the other already */
    write_event(&f->store, 1, -1, true);
    settle(&f->store, f->hub);
    assert_int_equal(f->a.seen[f->a.seen_count - 1], 2);
    assert_int_equal(f->b.seen[f->b.seen_count - 1], 2);
    assert_int_equal(f->b.seen_count, 2);
    fixture_free(f);
}

/* The store is asked about the merge, and the merge is undone, before it answers. */
static void test_merged_and_undone(void **state)
{
    struct fixture *f = fixture_new();
    const struct sealed news = {.tenant_id = id_of(KIND_TENANT, 0),
                                .subject_id = id_of(KIND_CUSTOMER, 0),
                                .is_known = true};
    void *asker;

    (void)state;
    subscribe(&f->a, 0, -1);
    answer_all(&f->store);
    hub_sealed(f->hub, &news);
    asker = f->store.asks[0].asker;
    hub_sealed(f->hub, &news);
    assert_int_equal(f->store.ask_count--, 1); /* the first of them is answered, as it saw it */
    f->store.asks[0].place(asker, OK, id_of(KIND_CUSTOMER, 1), 0, 0);
    assert_int_equal(f->store.ask_count, 1);
    answer_all(&f->store);
    write_event(&f->store, 0, -1, true);
    write_event(&f->store, 1, -1, true);
    settle(&f->store, f->hub);
    assert_int_equal(f->a.seen_count, 1);
    assert_int_equal(f->a.seen[0], 1);
    /* Where nobody can say, it does not stay. */
    hub_sealed(f->hub, &news);
    assert_int_equal(f->store.ask_count--, 1);
    f->store.asks[0].place(f->store.asks[0].asker, ERR_UNAVAILABLE, UUID_NONE, 0, 0);
    assert_int_equal(f->a.dismissed, ERR_UNAVAILABLE);
    fixture_free(f);
}

static void test_marks_and_cut_clients(void **state)
{
    struct fixture *f = fixture_new();
    struct hub_stats stats;

    (void)state;
    subscribe(&f->a, TENANT, -1);
    subscribe(&f->b, TENANT, -1);
    answer_all(&f->store);
    hub_read(f->hub, id_of(KIND_TENANT, 0), id_of(KIND_USER, 0), id_of(KIND_EVENT, 1), UUID_NONE,
             false, 1000000);
    assert_true(was_told(&f->a, "\"op\":\"read\""));
    assert_false(was_told(&f->b, "\"op\":\"read\""));
    f->a.is_cut = true;
    write_event(&f->store, 0, -1, true);
    write_event(&f->store, 0, -1, true);
    settle(&f->store, f->hub);
    assert_int_equal(f->a.seen_count, 0);
    assert_int_equal(f->b.seen_count, 2);
    hub_stats(f->hub, &stats);
    assert_int_equal(stats.cut, 1);
    assert_int_equal(stats.listeners, 2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_once_in_order),
        cmocka_unit_test(test_unsubscribed_while_it_lags),
        cmocka_unit_test(test_nobody_interested_reads_nothing),
        cmocka_unit_test(test_too_far_back_or_unknown),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_rights_of_who_follows_nothing),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_presence_across_nodes),
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_merged_and_undone),
        cmocka_unit_test(test_marks_and_cut_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
