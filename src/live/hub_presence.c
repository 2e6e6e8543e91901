/* Who else has a customer open. Each node tells the others of its own users (all of them again
 * every ANNOUNCE_SECONDS), and forgets what it was told and hears no more.
 *
 * Lines between nodes, parts separated by spaces, several in a text:
 *     p NODE TENANT CUSTOMER USER STATE NAME    this user has it open there; 0: no more
 *     q NODE TENANT CUSTOMER                    who has it open with you? */
#include "base/time.h"
#include "live/hub_state.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"left", "viewing", "writing"};

/* Over all screens, here and on the other nodes. */
static enum presence state_here(const struct person *person)
{
    return person->writing > 0   ? PRESENCE_WRITING
           : person->viewing > 0 ? PRESENCE_VIEWING
                                 : PRESENCE_LEFT;
}

static enum presence state_of(const struct person *person)
{
    enum presence state = state_here(person);

    for (size_t i = 0; i < person->node_count; i++)
        if (person->nodes[i].state > state)
            state = person->nodes[i].state;
    return state;
}

static void put_person(struct json_out *out, const struct person *person, enum presence state)
{
    json_object_begin(out);
    JSON_KEY(out, "user_id");
    json_uuid(out, person->user_id);
    JSON_KEY(out, "name");
    json_text(out, str_of(person->name));
    JSON_KEY(out, "state");
    json_text(out, str_of(state_names[state]));
    json_object_end(out);
}

static void begin_frame(struct buf *buf, struct json_out *out, struct uuid customer_id)
{
    frame_begin(buf, out, "presence");
    JSON_KEY(out, "customer");
    json_uuid(out, customer_id);
    JSON_KEY(out, "users");
    json_array_begin(out);
}

static void end_frame(struct json_out *out)
{
    json_array_end(out);
    json_object_end(out);
}

static bool is_shown(const struct subscription *subscription, const struct person *person)
{
    const struct identity *identity = subscription->listener->identity;

    return uuid_is_none(identity->contact_id) && !uuid_equal(identity->user_id, person->user_id);
}

/* The room hears of a change, once for all spellings. */
static void tell_room(const struct room *room, struct person *person)
{
    const enum presence state = state_of(person);
    const struct listener_ops *spelt = NULL;
    struct message *message = NULL;
    struct json_out out;
    struct buf buf;

    if (state == person->told)
        return;
    person->told = state;
    begin_frame(&buf, &out, room->node.key);
    put_person(&out, person, state);
    end_frame(&out);
    for (struct subscription *s = room->subscriptions, *next; s; s = next) {
        struct listener *listener = s->listener;

        next = s->next;
        if (!is_shown(s, person) || listener->is_dismissed)
            continue;
        if (spelt != listener->ops) {
            message_drop(message);
            message =
                buf_failed(&buf) ? NULL : listener->ops->frame(STR("presence"), buf_str(&buf));
            spelt = listener->ops;
        }
        listener_send(listener, message);
    }
    message_drop(message);
    buf_clear(&buf);
}

void presence_snapshot(const struct subscription *subscription)
{
    struct json_out out;
    struct buf buf;
    size_t count = 0;

    begin_frame(&buf, &out, subscription->room->node.key);
    for (const struct person *p = subscription->room->people; p; p = p->next) {
        if (p->told == PRESENCE_LEFT || !is_shown(subscription, p))
            continue;
        put_person(&out, p, p->told);
        count++;
    }
    end_frame(&out);
    if (count > 0)
        listener_frame(subscription->listener, STR("presence"), &buf);
    else
        buf_clear(&buf);
}

static struct person *person_of(struct room *room, struct uuid user_id, struct str name,
                                bool may_add)
{
    struct person *person = room->people;

    while (person && !uuid_equal(person->user_id, user_id))
        person = person->next;
    if (person || !may_add || room->people_count == PEOPLE_MAX)
        return person;
    person = calloc(1, sizeof(*person));
    if (!person)
        return NULL;
    person->user_id = user_id;
    for (size_t i = 0; i < name.len && i < sizeof(person->name) - 1; i++)
        person->name[i] = (unsigned char)name.ptr[i] < ' ' ? ' ' : name.ptr[i];
    person->next = room->people;
    room->people = person;
    room->people_count++;
    return person;
}

/* Who is nowhere any more, and whose leaving was told. */
static void forget_people(struct room *room)
{
    struct person **at = &room->people;

    while (*at) {
        struct person *person = *at;

        if (person->told == PRESENCE_LEFT && person->announced == PRESENCE_LEFT &&
            state_of(person) == PRESENCE_LEFT) {
            *at = person->next;
            free(person);
            room->people_count--;
        } else {
            at = &person->next;
        }
    }
}

void presence_free(struct room *room)
{
    while (room->people) {
        struct person *person = room->people;

        room->people = person->next;
        free(person);
    }
}

void presence_set(struct subscription *subscription, enum presence state)
{
    struct listener *listener = subscription->listener;
    struct person *person;

    if (subscription->presence == state)
        return;
    person = person_of(subscription->room, listener->identity->user_id,
                       str_of(listener->identity->name), true);
    if (!person)
        return;
    if (subscription->presence == PRESENCE_VIEWING)
        person->viewing--;
    else if (subscription->presence == PRESENCE_WRITING)
        person->writing--;
    if (state == PRESENCE_VIEWING)
        person->viewing++;
    else if (state == PRESENCE_WRITING)
        person->writing++;
    subscription->presence = state;
    tell_room(subscription->room, person);
    listener->hub->has_presence_news = true;
    forget_people(subscription->room);
}

/* Between nodes */

struct lines {
    struct hub *hub;
    struct buf buf;
};

static void lines_end(struct lines *lines)
{
    if (lines->buf.len > 0 && !buf_failed(&lines->buf))
        lines->hub->store.announce(lines->hub->store.context, buf_str(&lines->buf));
    buf_reset(&lines->buf);
}

static void add_uuid(struct buf *buf, struct uuid id)
{
    char text[UUID_TEXT_LEN];

    uuid_format(id, text);
    buf_add_char(buf, ' ');
    buf_add(buf, (struct str){text, sizeof(text)});
}

static void line_begin(struct lines *lines, char kind, struct uuid tenant_id,
                       const struct room *room)
{
    /* The longest line has 4 ids and a name. */
    if (lines->buf.len + (size_t)4 * (UUID_TEXT_LEN + 1) + 72 > HUB_TEXT_MAX)
        lines_end(lines);
    buf_add_char(&lines->buf, kind);
    add_uuid(&lines->buf, lines->hub->node_id);
    add_uuid(&lines->buf, tenant_id);
    add_uuid(&lines->buf, room->node.key);
}

static void line_of_person(struct lines *lines, struct uuid tenant_id, const struct room *room,
                           struct person *person)
{
    person->announced = state_here(person);
    person->is_asked = false;
    line_begin(lines, 'p', tenant_id, room);
    add_uuid(&lines->buf, person->user_id);
    buf_addf(&lines->buf, " %d %s\n", (int)person->announced, person->name);
}

/* Nodes that fell silent. */
static void forget_nodes(const struct room *room, struct person *person, int64_t now_us)
{
    size_t kept = 0;

    for (size_t i = 0; i < person->node_count; i++)
        if (now_us - person->nodes[i].heard_us < FORGET_SECONDS * SECOND_US &&
            person->nodes[i].state != PRESENCE_LEFT)
            person->nodes[kept++] = person->nodes[i];
    person->node_count = kept;
    tell_room(room, person);
}

void presence_tick(struct hub *hub)
{
    const bool again = ++hub->ticks % ANNOUNCE_SECONDS == 0;
    const int64_t now_us = time_monotonic_us();
    struct lines lines = {.hub = hub};
    struct uuid_map_at at, inner;

    if (!again && !hub->has_presence_news)
        return;
    hub->has_presence_news = false;
    buf_init(&lines.buf, NULL, HUB_TEXT_MAX);
    for (struct uuid_node *node = uuid_map_first(&hub->feeds, &at); node;
         node = uuid_map_next(&hub->feeds, &at)) {
        struct feed *feed = (struct feed *)node;

        for (struct uuid_node *n = uuid_map_first(&feed->rooms, &inner); n;
             n = uuid_map_next(&feed->rooms, &inner)) {
            struct room *room = (struct room *)n;

            if (!room->is_asked && room->subscriptions) {
                room->is_asked = true;
                line_begin(&lines, 'q', feed->node.key, room);
                buf_add_char(&lines.buf, '\n');
            }
            for (struct person *p = room->people; p; p = p->next) {
                if (again)
                    forget_nodes(room, p, now_us);
                if (p->announced != state_here(p) || p->is_asked ||
                    (again && p->announced != PRESENCE_LEFT))
                    line_of_person(&lines, feed->node.key, room, p);
            }
            forget_people(room);
            room_settle(feed, room);
        }
    }
    lines_end(&lines);
    buf_clear(&lines.buf);
}

static void hear_person(struct room *room, struct uuid node_id, struct uuid user_id,
                        enum presence state, struct str name)
{
    struct person *person = person_of(room, user_id, name, state != PRESENCE_LEFT);
    size_t i = 0;

    if (!person)
        return;
    while (i < person->node_count && !uuid_equal(person->nodes[i].node_id, node_id))
        i++;
    if (i == SCREENS_NODES_MAX)
        return;
    if (i == person->node_count)
        person->node_count++;
    person->nodes[i] = (struct screen_node){node_id, state, time_monotonic_us()};
    tell_room(room, person);
    forget_people(room);
}

/* They hear it at the next tick. */
static void hear_question(struct hub *hub, struct room *room)
{
    for (struct person *p = room->people; p; p = p->next) {
        if (state_here(p) == PRESENCE_LEFT)
            continue;
        p->is_asked = true;
        hub->has_presence_news = true;
    }
}

static bool take_uuid(struct str *rest, struct uuid *out)
{
    struct str part;

    *rest = str_cut(*rest, ' ', &part);
    return uuid_parse(part, out);
}

static void hear_line(struct hub *hub, struct str line)
{
    struct uuid node_id, tenant_id, customer_id, user_id;
    struct str rest, kind, state;
    struct feed *feed;
    struct room *room;
    int64_t number = 0;

    rest = str_cut(line, ' ', &kind);
    if (!take_uuid(&rest, &node_id) || uuid_equal(node_id, hub->node_id) ||
        !take_uuid(&rest, &tenant_id) || !take_uuid(&rest, &customer_id))
        return;
    feed = feed_find(hub, tenant_id);
    room = feed ? room_find(feed, customer_id) : NULL;
    if (!room)
        return;
    if (str_is(kind, "q")) {
        hear_question(hub, room);
    } else if (str_is(kind, "p") && take_uuid(&rest, &user_id)) {
        rest = str_cut(rest, ' ', &state);
        if (str_to_int(state, &number) && number >= PRESENCE_LEFT && number <= PRESENCE_WRITING &&
            str_is_utf8(rest))
            hear_person(room, node_id, user_id, (enum presence)number, rest);
    }
}

void presence_heard(struct hub *hub, struct str text)
{
    while (text.ptr && text.len > 0) {
        struct str line;

        text = str_cut(text, '\n', &line);
        hear_line(hub, line);
    }
}
