/* What clients say, and what they are answered. */
#include "live/hub_state.h"

#include <stdlib.h>
#include <string.h>

#define COMMAND_ARENA MIB(1)

/* Frames */

void frame_begin(struct buf *buf, struct json_out *out, const char *op)
{
    buf_init(buf, NULL, FRAME_MAX * 4);
    json_out_init(out, buf);
    json_object_begin(out);
    JSON_KEY(out, "op");
    json_text(out, str_of(op));
}

void frame_subject(struct json_out *out, const struct subscription *subscription)
{
    switch (subscription->kind) {
    case TO_CUSTOMER:
        JSON_KEY(out, "customer");
        json_uuid(out, uuid_is_none(subscription->customer_id) ? subscription->asked_id
                                                               : subscription->customer_id);
        break;
    case TO_MINE:
        JSON_KEY(out, "feed");
        json_text(out, STR("mine"));
        break;
    case TO_TENANT:
        JSON_KEY(out, "feed");
        json_text(out, STR("tenant"));
        break;
    }
}

static void put_ref(struct json_out *out, const struct ask *ask)
{
    if (ask->ref_len > 0) {
        JSON_KEY(out, "ref");
        json_text(out, (struct str){ask->ref, ask->ref_len});
    }
}

static void tell_subject(const struct subscription *subscription, const char *op,
                         const struct ask *ask)
{
    struct buf buf;
    struct json_out out;

    frame_begin(&buf, &out, op);
    if (ask)
        put_ref(&out, ask);
    frame_subject(&out, subscription);
    json_object_end(&out);
    listener_frame(subscription->listener, str_of(op), &buf);
}

void tell_resync(const struct subscription *subscription)
{
    subscription->listener->hub->stats.resyncs++;
    tell_subject(subscription, "resync", NULL);
}

/* RFC 9457, as http/problem.c has it. */
static const struct problem {
    enum err code;
    int status;
    const char *title, *detail;
} problems[] = {
    {ERR_INTERNAL, 500, "Internal error", "Something is wrong in the server."},
    {ERR_MALFORMED, 400, "Malformed request", "The frame is malformed."},
    {ERR_UNAUTHENTICATED, 401, "Not authenticated", "The credential is not valid."},
    {ERR_FORBIDDEN, 403, "Forbidden", "This is not allowed."},
    {ERR_NOT_FOUND, 404, "Not found", "There is no such record."},
    {ERR_INVALID, 422, "Invalid input", "The frame has faults."},
    {ERR_TOO_MANY, 429, "Too many requests", "That is too much at once."},
    {ERR_UNAVAILABLE, 503, "Unavailable", "The server cannot do this now. Try again."},
};

void hub_problem(struct json_out *out, const struct error *error)
{
    const struct problem *problem = &problems[0];

    for (size_t i = 0; i < COUNT_OF(problems); i++)
        if (problems[i].code == error->code)
            problem = &problems[i];
    JSON_KEY(out, "title");
    json_text(out, str_of(problem->title));
    JSON_KEY(out, "status");
    json_int(out, problem->status);
    JSON_KEY(out, "detail");
    json_text(out, str_of(error->detail[0] && problem->code != ERR_INTERNAL ? error->detail
                                                                            : problem->detail));
    if (error->fault_count == 0)
        return;
    JSON_KEY(out, "errors");
    json_array_begin(out);
    for (size_t i = 0; i < error->fault_count && i < FAULTS_MAX; i++) {
        const struct fault *fault = &error->faults[i];

        json_object_begin(out);
        JSON_KEY(out, "field");
        json_text(out, str_of(fault->field));
        JSON_KEY(out, "code");
        json_text(out, str_of(fault->code));
        JSON_KEY(out, "message");
        json_text(out, str_of(fault->message));
        json_object_end(out);
    }
    json_array_end(out);
}

void tell_error(struct listener *listener, const struct ask *ask, const struct error *error)
{
    struct buf buf;
    struct json_out out;

    frame_begin(&buf, &out, "error");
    put_ref(&out, ask);
    hub_problem(&out, error);
    json_object_end(&out);
    listener_frame(listener, STR("error"), &buf);
}

static void tell_failure(struct listener *listener, const struct ask *ask, enum err err)
{
    struct error error = {0};

    error_set(&error, err, "%s", "");
    tell_error(listener, ask, &error);
}

/* Subscribing */

static struct subscription *find(const struct listener *listener, enum subscription_kind kind,
                                 struct uuid customer_id)
{
    for (struct subscription *s = listener->subscriptions; s; s = s->of_listener)
        if (s->kind == kind && !s->is_leaving &&
            (kind != TO_CUSTOMER || uuid_equal(s->asked_id, customer_id) ||
             uuid_equal(s->customer_id, customer_id)))
            return s;
    return NULL;
}

/* The same customer by another of its ids. */
static const struct subscription *twin_of(const struct subscription *subscription,
                                          struct uuid customer_id)
{
    for (const struct subscription *s = subscription->listener->subscriptions; s;
         s = s->of_listener)
        if (s != subscription && s->state != PLACING && s->kind == TO_CUSTOMER && !s->is_leaving &&
            uuid_equal(s->customer_id, customer_id))
            return s;
    return NULL;
}

/* Where it begins. True: what lies before is too far back. */
static bool begin(struct subscription *subscription, bool has_since, int64_t since, int64_t head)
{
    struct listener *listener = subscription->listener;
    const int64_t pushed = listener->feed->pushed;

    subscription->state = LIVE;
    subscription->start = subscription->place = pushed;
    if (!has_since)
        return false;
    if (head - since > RESUME_MAX)
        return true;
    subscription->start = subscription->place = since;
    if (since < pushed) {
        subscription->state = LAGGING;
        subscription->boundary = pushed;
        listener->lagging_count++;
        listener->is_read_stale = true;
    }
    return false;
}

static void placed(void *asker, enum err err, struct uuid customer_id, int64_t since, int64_t head)
{
    struct ask *ask = asker;
    struct listener *listener = ask->listener;
    struct subscription *subscription = ask->subscription;
    bool is_gone = err == ERR_STALE;

    if (!listener || !subscription)
        goto out;
    /* Unknown to a contact's app, as any customer but its own, by whatever id. */
    if ((err == OK || is_gone) && !uuid_is_none(listener->identity->contact_id) &&
        !uuid_equal(listener->identity->contact_id, customer_id)) {
        err = ERR_NOT_FOUND;
        is_gone = false;
    }
    if (err != OK && !is_gone) {
        subscription_free(subscription);
        tell_failure(listener, ask, err);
        goto out;
    }
    if (subscription->kind == TO_CUSTOMER) {
        const struct subscription *twin = twin_of(subscription, customer_id);

        if (twin) {
            tell_subject(twin, "subscribed", ask);
            subscription_free(subscription);
            goto out;
        }
        subscription->customer_id = customer_id;
    }
    feed_saw_head(listener->feed, head);
    if (!subscription_link(subscription)) {
        subscription_free(subscription);
        tell_failure(listener, ask, ERR_UNAVAILABLE);
        goto out;
    }
    subscription->ask = NULL;
    ask->subscription = NULL;
    is_gone = begin(subscription, ask->has_since && !is_gone, since, head) || is_gone;
    tell_subject(subscription, "subscribed", ask);
    if (is_gone)
        tell_resync(subscription);
    if (subscription->kind == TO_CUSTOMER)
        presence_snapshot(subscription);
    feed_pull(listener->feed);
    listener_catch_up(listener);
out:
    ask_free(ask);
}

static void move(struct subscription *subscription, struct uuid customer_id)
{
    const struct subscription *twin = twin_of(subscription, customer_id);

    if (twin) {
        tell_subject(subscription, "unsubscribed", NULL);
        tell_resync(twin);
        subscription_free(subscription);
        return;
    }
    subscription_unlink(subscription);
    subscription->customer_id = customer_id;
    if (subscription_link(subscription))
        tell_resync(subscription);
    else
        listener_dismiss(subscription->listener, ERR_UNAVAILABLE, "The server has no memory left.");
}

static void place_again(struct subscription *subscription);

static void placed_again(void *asker, enum err err, struct uuid customer_id, int64_t since,
                         int64_t head)
{
    struct ask *ask = asker;
    struct subscription *subscription = ask->listener ? ask->subscription : NULL;

    (void)since;
    (void)head;
    ask_free(ask);
    /* One that is leaving serves what was; a customer that was deleted stays where it was. */
    if (!subscription || subscription->is_leaving)
        return;
    if (subscription->is_place_stale)
        place_again(subscription);
    else if (err == ERR_UNAVAILABLE) /* it must not go on following what is empty now */
        listener_dismiss(subscription->listener, err, "The server cannot do this now. Try again.");
    else if (err == OK && !uuid_equal(customer_id, subscription->customer_id))
        move(subscription, customer_id);
}

/* What is asked while the store is answering is asked again: that answer may be older. */
static void place_again(struct subscription *subscription)
{
    struct listener *listener = subscription->listener;
    const struct hub_store *store = &listener->hub->store;
    struct ask *ask;

    subscription->is_place_stale = subscription->ask != NULL;
    if (subscription->is_place_stale)
        return;
    ask = ask_new(listener);
    if (!ask) {
        listener_dismiss(listener, ERR_UNAVAILABLE, "The server has no memory left.");
        return;
    }
    ask->subscription = subscription;
    subscription->ask = ask;
    store->place(store->context, listener->identity, subscription->asked_id, UUID_NONE,
                 placed_again, ask);
}

void customer_changed(struct feed *feed, struct uuid customer_id)
{
    const struct room *room = room_find(feed, customer_id);

    if (!room)
        return;
    for (struct subscription *s = room->subscriptions, *next; s; s = next) {
        next = s->next;
        /* A contact's rights are looked at as well, and end with what they stood for. */
        if (!s->is_leaving && uuid_is_none(s->listener->identity->contact_id))
            place_again(s);
    }
}

/* What a frame says; texts are in the arena of the command. */
struct command {
    struct listener *listener;
    struct error *error;
    struct ask *ask; /* has the ref */
    enum subscription_kind kind;
    struct uuid customer_id, since_id;
    bool has_since;
};

static void subscribe(struct command *command)
{
    struct listener *listener = command->listener;
    const struct identity *identity = listener->identity;
    struct hub *hub = listener->hub;
    struct subscription *subscription;
    struct ask *ask = command->ask;
    const struct subscription *twin = find(listener, command->kind, command->customer_id);

    if (twin) {
        if (twin->state != PLACING)
            tell_subject(twin, "subscribed", ask);
        ask_free(ask); /* else the first answer is on its way */
        return;
    }
    subscription = subscription_new(listener, command->kind);
    if (!subscription) {
        error_set(command->error, ERR_TOO_MANY, "A client may have %d subscriptions at most.",
                  SUBSCRIPTIONS_MAX);
        tell_error(listener, ask, command->error);
        ask_free(ask);
        return;
    }
    subscription->asked_id = command->customer_id;
    subscription->ask = ask;
    ask->subscription = subscription;
    ask->has_since = command->has_since;
    hub->store.place(hub->store.context, identity, command->customer_id, command->since_id, placed,
                     ask);
}

static enum err may_subscribe(const struct command *command)
{
    const struct identity *identity = command->listener->identity;

    switch (command->kind) {
    case TO_CUSTOMER:
        return OK;
    case TO_MINE:
        if (uuid_is_none(identity->user_id))
            return error_set(command->error, ERR_FORBIDDEN, "This credential is no user's.");
        return OK;
    case TO_TENANT:
        break;
    }
    if (!identity->may_follow_tenant)
        return error_set(command->error, ERR_FORBIDDEN, "Agents may follow the tenant's events.");
    return OK;
}

/* Reading frames */

static bool take_id(struct command *command, const char *field, struct str text, struct uuid *out)
{
    if (uuid_parse(text, out))
        return true;
    error_fault(command->error, field, text.ptr ? "bad_format" : "required",
                text.ptr ? "must be an id" : "is required");
    return false;
}

/* {"customer"} or {"feed"}, one of them. */
static bool take_subject(struct command *command, struct str customer, struct str feed)
{
    if (customer.ptr && feed.ptr) {
        error_fault(command->error, "feed", "not_allowed", "must be left out beside customer");
        return false;
    }
    if (customer.ptr) {
        command->kind = TO_CUSTOMER;
        return take_id(command, "customer", customer, &command->customer_id);
    }
    if (str_is(feed, "tenant")) {
        command->kind = TO_TENANT;
        return true;
    }
    if (str_is(feed, "mine")) {
        /* What is a contact's own is their timeline. */
        command->kind =
            uuid_is_none(command->listener->identity->contact_id) ? TO_MINE : TO_CUSTOMER;
        command->customer_id = command->listener->identity->contact_id;
        return true;
    }
    if (feed.ptr)
        error_fault(command->error, "feed", "not_one_of", "must be mine or tenant");
    else
        error_fault(command->error, "customer", "required", "customer or feed is required");
    return false;
}

static void take_since(struct command *command, struct str since)
{
    if (since.ptr)
        command->has_since = take_id(command, "since", since, &command->since_id);
}

static void do_subscribe(struct command *command, const struct json_t *frame)
{
    take_subject(command, json_value_text(json_member_of(frame, "customer")),
                 json_value_text(json_member_of(frame, "feed")));
    take_since(command, json_value_text(json_member_of(frame, "since")));
    if (command->error->fault_count == 0 && may_subscribe(command) == OK) {
        subscribe(command);
        command->ask = NULL;
    }
}

static void do_unsubscribe(struct command *command, const struct json_t *frame)
{
    struct subscription *subscription;

    if (!take_subject(command, json_value_text(json_member_of(frame, "customer")),
                      json_value_text(json_member_of(frame, "feed"))))
        return;
    subscription = find(command->listener, command->kind, command->customer_id);
    if (!subscription) {
        error_set(command->error, ERR_NOT_FOUND, "There is no such subscription.");
        return;
    }
    tell_subject(subscription, "unsubscribed", command->ask);
    subscription_end(subscription);
}

static void acknowledged(void *asker, enum err err)
{
    struct ask *ask = asker;

    if (ask->listener && err != OK) {
        tell_failure(ask->listener, ask, err);
    } else if (ask->listener) {
        struct buf buf;
        struct json_out out;

        frame_begin(&buf, &out, "acknowledged");
        put_ref(&out, ask);
        JSON_KEY(&out, "id");
        json_uuid(&out, ask->id);
        json_object_end(&out);
        listener_frame(ask->listener, STR("acknowledged"), &buf);
    }
    ask_free(ask);
}

static void do_acknowledge(struct command *command, const struct json_t *frame)
{
    const struct hub_store *store = &command->listener->hub->store;
    struct ask *ask = command->ask;

    if (!take_id(command, "id", json_value_text(json_member_of(frame, "id")), &ask->id))
        return;
    command->ask = NULL;
    store->acknowledge(store->context, command->listener->identity, ask->id, acknowledged, ask);
}

static void do_presence(struct command *command, const struct json_t *frame)
{
    const struct str state = json_value_text(json_member_of(frame, "state"));
    enum presence presence = PRESENCE_LEFT;
    struct subscription *subscription;

    take_id(command, "customer", json_value_text(json_member_of(frame, "customer")),
            &command->customer_id);
    if (str_is(state, "viewing"))
        presence = PRESENCE_VIEWING;
    else if (str_is(state, "writing"))
        presence = PRESENCE_WRITING;
    else if (!str_is(state, "left"))
        error_fault(command->error, "state", state.ptr ? "not_one_of" : "required",
                    "must be viewing, writing or left");
    if (command->error->fault_count > 0)
        return;
    if (uuid_is_none(command->listener->identity->user_id)) {
        error_set(command->error, ERR_FORBIDDEN, "This credential is no user's.");
        return;
    }
    subscription = find(command->listener, TO_CUSTOMER, command->customer_id);
    if (!subscription || subscription->state == PLACING) {
        error_set(command->error, ERR_NOT_FOUND, "Subscribe to the customer first.");
        return;
    }
    presence_set(subscription, presence);
}

static const struct op {
    const char *name;
    void (*run)(struct command *command, const struct json_t *frame);
    const char *members[5];
} ops[] = {
    {"subscribe", do_subscribe, {"customer", "feed", "since"}},
    {"unsubscribe", do_unsubscribe, {"customer", "feed"}},
    {"ack", do_acknowledge, {"id"}},
    {"presence", do_presence, {"customer", "state"}},
};

static bool is_member(const struct op *op, struct str name)
{
    if (str_is(name, "op") || str_is(name, "ref"))
        return true;
    for (size_t i = 0; i < COUNT_OF(op->members) && op->members[i]; i++)
        if (str_is(name, op->members[i]))
            return true;
    return false;
}

/* Of another kind, or of no op that there is. */
static void check_members(struct command *command, const struct op *op, const struct json_t *frame)
{
    for (struct json_member at = json_member_first(frame); at.value; json_member_next(&at)) {
        char name[64];
        const size_t len = at.name.len < sizeof(name) - 1 ? at.name.len : sizeof(name) - 1;

        memcpy(name, at.name.ptr, len);
        name[len] = '\0';
        if (!is_member(op, at.name))
            error_fault(command->error, str_is_utf8(str_of(name)) ? name : "", "unknown_field",
                        "is not known");
        else if (json_kind_of(at.value) != JSON_IS_TEXT)
            error_fault(command->error, name, "wrong_type", "must be a text");
    }
}

static void take_ref(struct command *command, const struct json_t *frame)
{
    const struct str ref = json_value_text(json_member_of(frame, "ref"));

    if (!ref.ptr)
        return;
    if (str_code_points(ref) > REF_MAX) {
        error_fault(command->error, "ref", "too_long", "must have %d characters at most", REF_MAX);
        return;
    }
    memcpy(command->ask->ref, ref.ptr, ref.len);
    command->ask->ref_len = ref.len;
}

static void run(struct command *command, const struct json_t *frame)
{
    const struct str name = json_value_text(json_member_of(frame, "op"));

    take_ref(command, frame);
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (!str_is(name, ops[i].name))
            continue;
        check_members(command, &ops[i], frame);
        if (command->error->fault_count == 0)
            ops[i].run(command, frame);
        return;
    }
    error_fault(command->error, "op", name.ptr ? "not_one_of" : "required",
                "must be subscribe, unsubscribe, ack or presence");
}

/* Says what went wrong, if anything did, and lets go of the ask. */
static void finish(struct command *command)
{
    if (!command->ask)
        return;
    if (command->error->code != OK)
        tell_error(command->listener, command->ask, command->error);
    ask_free(command->ask);
}

bool hub_command(struct listener *listener, struct str json)
{
    struct error error = {0};
    struct command command = {.listener = listener, .error = &error};
    struct json_t *frame = NULL;
    struct arena *arena;
    bool is_object = false;

    if (listener->is_dismissed)
        return true;
    arena = arena_new(COMMAND_ARENA);
    if (!arena) {
        listener_dismiss(listener, ERR_UNAVAILABLE, "The server has no memory left.");
        return true;
    }
    if (json_parse(arena, json, &frame, &error) != OK || json_kind_of(frame) != JSON_IS_OBJECT)
        goto out;
    is_object = true;
    command.ask = ask_new(listener);
    if (!command.ask) {
        listener_dismiss(listener, ERR_UNAVAILABLE, "The server has no memory left.");
        goto out;
    }
    if (listener->ask_count > ASKS_MAX) {
        take_ref(&command, frame);
        error_set(&error, ERR_TOO_MANY, "%d frames wait for their answers.", ASKS_MAX);
    } else {
        run(&command, frame);
    }
    finish(&command);
out:
    arena_free(arena);
    return is_object;
}

void hub_wish(struct listener *listener, const struct wish *wish)
{
    struct error error = {0};
    struct command command = {.listener = listener, .error = &error};

    if (!wish->customer.ptr && !wish->feed.ptr && !wish->since.ptr)
        return;
    command.ask = ask_new(listener);
    if (!command.ask) {
        listener_dismiss(listener, ERR_UNAVAILABLE, "The server has no memory left.");
        return;
    }
    take_subject(&command, wish->customer, wish->feed);
    take_since(&command, wish->since);
    if (error.fault_count == 0 && may_subscribe(&command) == OK) {
        subscribe(&command);
        command.ask = NULL;
    }
    finish(&command);
}
