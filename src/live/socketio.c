#include "live/socketio.h"

#include "json/record.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS_MAX 15
#define ANSWER_REF "ack:" /* a "ref" of ours: the answer goes to the packet of that id */
#define COMMAND_ARENA MIB(4)
#define ERROR_JSON_MAX KIB(64)

struct socketio {
    struct hub *hub;
    struct engine *engine;
};

enum state { WAITING, ASKING, CONNECTED };

struct client {
    struct listener listener; /* first */
    struct socketio *socketio;
    struct engine_session *session;
    char *credential;      /* of the handshake; NULL: one that cannot be */
    struct asking *asking; /* ASKING */
    enum state state;
    int64_t connect_by_ms; /* not CONNECTED: then it is closed; 0: from the next tick on */
    bool is_dismissed;     /* it was told; the next tick closes */
};

/* What a CONNECT says. */
struct wishes {
    struct str token, ticket, since, customer, feed;
};
static const struct field wishes_fields[] = {
    FIELD(wishes, token, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = HANDSHAKE_TEXT_MAX),
    FIELD(wishes, ticket, F_TEXT, NULLABLE | ONE_LINE, .min = 1, .max = HANDSHAKE_TEXT_MAX),
    FIELD(wishes, since, F_TEXT, NULLABLE | ONE_LINE, .max = 64),
    FIELD(wishes, customer, F_TEXT, NULLABLE | ONE_LINE, .max = 64),
    FIELD(wishes, feed, F_TEXT, NULLABLE | ONE_LINE, .max = 64),
};
static const struct record wishes_record = RECORD_NAMED("SocketioConnect", wishes, wishes_fields);

/* While the store looks a credential up. */
struct asking {
    struct client *client; /* NULL: it left */
    struct arena *arena;   /* of the wishes */
    struct wishes wishes;
};

/* ------------------------------------------------------------------ packets */

static size_t digits(struct str text)
{
    size_t count = 0;

    while (count < text.len && text.ptr[count] >= '0' && text.ptr[count] <= '9')
        count++;
    return count;
}

bool socketio_packet_parse(struct str text, struct socketio_packet *out)
{
    size_t count;

    if (text.len == 0 || text.ptr[0] < SOCKETIO_CONNECT || text.ptr[0] > SOCKETIO_BINARY_ACK)
        return false;
    *out = (struct socketio_packet){(enum socketio_type)text.ptr[0], STR("/"), STR_NULL, STR_NULL};
    if (out->type == SOCKETIO_BINARY_EVENT || out->type == SOCKETIO_BINARY_ACK)
        return true;
    text = str_slice(text, 1, text.len);
    if (str_starts(text, STR("/"))) {
        text = str_cut(text, ',', &out->space);
        if (!text.ptr)
            return true;
    }
    count = digits(text);
    if (count > ID_DIGITS_MAX)
        return false;
    if (count > 0)
        out->id = str_slice(text, 0, count);
    if (count < text.len)
        out->json = str_slice(text, count, text.len);
    return true;
}

/* ------------------------------------------------------------------ spellings */

/* Names that a client's own library keeps for itself, or that mean something else here. */
static const char *const taken_names[] = {
    "connect",        "connect_error", "disconnect",   "disconnecting", "newListener",
    "removeListener", "event",         "presence",     "resync",        "read",
    "error",          "subscribed",    "unsubscribed", "acknowledged",  "lead:contacted"};

static struct str name_of(struct str event_type)
{
    for (size_t i = 0; i < COUNT_OF(taken_names); i++) {
        if (str_is(event_type, taken_names[i]))
            return STR("event");
    }
    return event_type;
}

/* 42["name",{…}] */
static struct message *event_message(struct str name, struct str json)
{
    struct message *message;
    struct json_out out;
    struct buf packet;

    buf_init(&packet, NULL, json.len + 6 * name.len + 16);
    buf_add(&packet, STR("42"));
    json_out_init(&out, &packet);
    json_array_begin(&out);
    json_text(&out, name);
    json_raw(&out, json);
    json_array_end(&out);
    message = buf_failed(&packet) ? NULL : engine_message(buf_str(&packet));
    buf_clear(&packet);
    return message;
}

static struct message *spell_event(const struct live_event *event)
{
    struct message *message = event_message(name_of(event->type), event->json);

    if (!event->lead_contacted.ptr)
        return message;
    return engine_join(message, event_message(STR("lead:contacted"), event->lead_contacted));
}

static void copy_without_ref(void *context, struct str key, struct str value)
{
    struct buf *out = context;

    if (buf_failed(out) || str_is(key, "\"ref\""))
        return;
    if (out->ptr[out->len - 1] != '{')
        buf_add_char(out, ',');
    buf_add(out, key);
    buf_add_char(out, ':');
    buf_add(out, value);
}

static struct message *spell_frame(struct str op, struct str json)
{
    struct str ref = json_raw_member(json, STR("ref"));
    struct message *message;
    struct buf packet;

    if (!str_starts(ref, STR("\"" ANSWER_REF)))
        return event_message(op, json);
    /* 43ID[{…}]: for the callback, which knows what it asked. */
    buf_init(&packet, NULL, json.len + 64);
    buf_add(&packet, STR("43"));
    buf_add(&packet, str_slice(ref, sizeof(ANSWER_REF), ref.len - 1));
    buf_add(&packet, STR("[{"));
    json_raw_members(json, copy_without_ref, &packet);
    buf_add(&packet, STR("}]"));
    message = buf_failed(&packet) ? NULL : engine_message(buf_str(&packet));
    buf_clear(&packet);
    return message;
}

/* ------------------------------------------------------------------ out */

static bool listener_sends(struct listener *listener, struct message *message)
{
    return engine_send(((struct client *)listener)->session, message);
}

static size_t listener_backlog(const struct listener *listener)
{
    return engine_backlog(((const struct client *)listener)->session);
}

/* {"op":"error",…}, or without "op". */
static void error_json(const struct error *error, bool has_op, struct buf *buf)
{
    struct json_out out;

    buf_init(buf, NULL, ERROR_JSON_MAX);
    json_out_init(&out, buf);
    json_object_begin(&out);
    if (has_op) {
        JSON_KEY(&out, "op");
        json_text(&out, STR("error"));
    }
    hub_problem(&out, error);
    json_object_end(&out);
}

/* 42["error",{…}]; with `last`, 41 behind it: that client does not come again by itself. */
static void tell(struct client *client, const struct error *error, bool last)
{
    struct message *message = NULL;
    struct buf json;

    error_json(error, true, &json);
    if (!buf_failed(&json))
        message = event_message(STR("error"), buf_str(&json));
    buf_clear(&json);
    if (last)
        message = engine_join(message, engine_message(STR("41")));
    if (message)
        engine_send(client->session, message);
    message_drop(message);
}

/* The hub is inside of something: the end itself waits for the tick. */
static void listener_dismissed(struct listener *listener, enum err why, const char *detail)
{
    struct client *client = (struct client *)listener;
    struct error error;

    error_clear(&error);
    error_set(&error, why, "%s", detail);
    client->is_dismissed = true;
    tell(client, &error, why != ERR_UNAVAILABLE);
}

static const struct listener_ops listener_ops = {
    .event = spell_event,
    .frame = spell_frame,
    .send = listener_sends,
    .dismiss = listener_dismissed,
    .backlog = listener_backlog,
};

/* ------------------------------------------------------------------ CONNECT */

/* 44{"message":…,"data":{…}}, and the end. */
static void refuse(struct client *client, const struct error *error)
{
    struct message *message = NULL;
    struct buf problem, packet;
    struct json_out out;

    error_json(error, false, &problem);
    buf_init(&packet, NULL, 2 * ERROR_JSON_MAX);
    buf_add(&packet, STR("44"));
    json_out_init(&out, &packet);
    json_object_begin(&out);
    JSON_KEY(&out, "message");
    json_text(&out, error->detail[0] ? str_of(error->detail) : STR("Some of it is not valid."));
    JSON_KEY(&out, "data");
    json_raw(&out, buf_str(&problem));
    json_object_end(&out);
    if (!buf_failed(&packet) && !buf_failed(&problem))
        message = engine_message(buf_str(&packet));
    buf_clear(&packet);
    buf_clear(&problem);
    if (message)
        engine_send(client->session, message);
    message_drop(message);
    engine_close(client->session, CLOSE_NORMAL, "The connection was refused.");
}

static void welcome(struct client *client, const struct wishes *wishes)
{
    const struct wish wish = {wishes->since, wishes->customer, wishes->feed};
    uint8_t bytes[ENGINE_SID_BYTES];
    char sid[ENGINE_SID_LEN];
    struct message *message;
    char packet[64];
    int len;

    /* Not the session's: this one is shown to the program above. */
    randombytes_buf(bytes, sizeof(bytes));
    str_to_hex(bytes, sizeof(bytes), sid);
    len = snprintf(packet, sizeof(packet), "40{\"sid\":\"%.*s\"}", (int)sizeof(sid), sid);
    message = engine_message((struct str){packet, (size_t)len});
    if (!message || !engine_send(client->session, message))
        client->is_dismissed = true;
    message_drop(message);
    hub_wish(&client->listener, &wish);
}

static void authenticated(void *asker, enum err err, const struct identity *identity)
{
    struct asking *asking = asker;
    struct client *client = asking->client;
    struct wishes wishes = asking->wishes;
    struct arena *arena = asking->arena;
    struct error error;

    free(asking);
    if (client) {
        error_clear(&error);
        client->asking = NULL;
        if (err == ERR_UNAUTHENTICATED)
            error_set(&error, err, "This needs a valid credential.");
        else if (err != OK)
            error_set(&error, ERR_UNAVAILABLE, "The server cannot take this now; try again soon.");
        else if (!hub_join(client->socketio->hub, &client->listener, &listener_ops, identity))
            error_set(&error, ERR_UNAVAILABLE, "There are too many clients; try again soon.");
        if (error.code == OK) {
            client->state = CONNECTED;
            engine_settle(client->session);
            welcome(client, &wishes);
        } else {
            refuse(client, &error);
        }
    }
    arena_free(arena);
}

/* What came with the packet stands before what the handshake brought. STR_NULL: no credential
 * can be that; "": none was given. */
static struct str credential_of(const struct client *client, const struct wishes *wishes)
{
    struct str given = wishes->token.ptr ? wishes->token : wishes->ticket;

    if (given.ptr)
        return str_starts(given, STR("tp")) ? given : STR_NULL;
    return str_of(client->credential);
}

static void ask(struct client *client, struct asking *asking)
{
    const struct hub_store *store = hub_store_of(client->socketio->hub);
    struct str credential = credential_of(client, &asking->wishes);

    asking->client = client;
    client->asking = asking;
    client->state = ASKING;
    if (credential.ptr)
        store->authenticate(store->context, credential, authenticated, asking);
    else
        authenticated(asking, ERR_UNAUTHENTICATED, NULL);
}

static void refuse_space(struct client *client, struct str space)
{
    struct message *message = NULL;
    struct buf packet;

    buf_init(&packet, NULL, space.len + 64);
    buf_add(&packet, STR("44"));
    buf_add(&packet, space);
    buf_add(&packet, STR(",{\"message\":\"Invalid namespace\"}"));
    if (!buf_failed(&packet))
        message = engine_message(buf_str(&packet));
    buf_clear(&packet);
    if (message)
        engine_send(client->session, message);
    message_drop(message);
}

static void connect_client(struct client *client, const struct socketio_packet *packet)
{
    struct asking *asking;
    struct error error;

    if (!str_is(packet->space, "/")) {
        refuse_space(client, packet->space);
        return;
    }
    if (client->state != WAITING) {
        engine_close(client->session, CLOSE_POLICY, "The client is connected already.");
        return;
    }
    error_clear(&error);
    asking = calloc(1, sizeof(*asking));
    if (asking)
        asking->arena = arena_new(COMMAND_ARENA);
    if (!asking || !asking->arena) {
        free(asking);
        error_set(&error, ERR_UNAVAILABLE, "The server has no memory left.");
        refuse(client, &error);
        return;
    }
    struct decoding in = {.arena = asking->arena, .error = &error};
    struct str json = packet->json.ptr ? packet->json : STR("{}");
    if (record_decode(&wishes_record, json, &in, &asking->wishes, NULL) == OK) {
        ask(client, asking);
        return;
    }
    refuse(client, &error);
    arena_free(asking->arena);
    free(asking);
}

/* ------------------------------------------------------------------ EVENT */

/* ["name",{…}] */
struct event_items {
    struct str name, data;
    size_t count;
};

static void take_item(void *context, size_t index, struct str item)
{
    struct event_items *items = context;

    if (index == 0)
        items->name = item;
    else if (index == 1)
        items->data = item;
    items->count = index + 1;
}

struct command {
    struct buf *buf;
    struct arena *arena;
    bool has_id;
};

/* What the client must not say by itself is ours: "op", and "ref" where there is a callback. */
static void take_member(void *context, struct str key, struct str value)
{
    struct command *command = context;
    struct buf name;

    buf_init(&name, command->arena, FRAME_MAX);
    json_raw_text(key, &name);
    if (str_is(buf_str(&name), "op") || (command->has_id && str_is(buf_str(&name), "ref")))
        return;
    buf_add_char(command->buf, ',');
    buf_add(command->buf, key);
    buf_add_char(command->buf, ':');
    buf_add(command->buf, value);
}

static void run_command(struct client *client, const struct event_items *items, struct str id,
                        struct arena *arena)
{
    struct buf buf;
    struct command command = {&buf, arena, id.ptr != NULL};

    buf_init(&buf, arena, 2 * FRAME_MAX);
    buf_add(&buf, STR("{\"op\":"));
    buf_add(&buf, items->name);
    if (items->data.ptr)
        json_raw_members(items->data, take_member, &command);
    if (id.ptr)
        buf_addf(&buf, ",\"ref\":\"" ANSWER_REF "%.*s\"", STR_FMT(id));
    buf_add_char(&buf, '}');
    if (buf_failed(&buf) || !hub_command(&client->listener, buf_str(&buf)))
        engine_close(client->session, CLOSE_TRY_LATER, "There is no memory.");
}

static void take_event(struct client *client, const struct socketio_packet *packet)
{
    struct arena *arena = arena_new(COMMAND_ARENA);
    struct event_items items = {0};
    struct json_t *value;
    struct error error;

    if (!arena) {
        engine_close(client->session, CLOSE_TRY_LATER, "There is no memory.");
        return;
    }
    error_clear(&error);
    if (json_parse(arena, packet->json, &value, &error) != OK ||
        json_kind_of(value) != JSON_IS_ARRAY || json_item_count(value) == 0 ||
        json_kind_of(json_item(value, 0)) != JSON_IS_TEXT) {
        engine_close(client->session, CLOSE_PROTOCOL_ERROR, "An event is [\"name\",{…}].");
    } else {
        json_raw_items(packet->json, take_item, &items);
        if (items.count > 2 ||
            (items.count == 2 && json_kind_of(json_item(value, 1)) != JSON_IS_OBJECT)) {
            error_set(&error, ERR_MALFORMED, "An event takes one object, and a callback.");
            tell(client, &error, false);
        } else {
            run_command(client, &items, packet->id, arena);
        }
    }
    arena_free(arena);
}

/* ------------------------------------------------------------------ the engine's side */

static void *opened(void *context, struct engine_session *session,
                    const struct engine_caller *caller)
{
    struct client *client = calloc(1, sizeof(*client));
    const struct str *credential = &caller->credential;

    if (!client)
        return NULL;
    client->socketio = context;
    client->session = session;
    if (credential->ptr && credential->len <= HANDSHAKE_TEXT_MAX) {
        client->credential = calloc(1, credential->len + 1);
        if (!client->credential) {
            free(client);
            return NULL;
        }
        memcpy(client->credential, credential->ptr, credential->len);
    }
    return client;
}

static void take_packet(void *user, struct str text)
{
    struct client *client = user;
    struct socketio_packet packet;

    if (client->is_dismissed)
        return;
    if (!socketio_packet_parse(text, &packet)) {
        engine_close(client->session, CLOSE_PROTOCOL_ERROR, "This is no packet of Socket.IO.");
    } else if (packet.type == SOCKETIO_BINARY_EVENT || packet.type == SOCKETIO_BINARY_ACK) {
        engine_close(client->session, CLOSE_UNSUPPORTED, "Binary packets are not taken.");
    } else if (packet.type == SOCKETIO_CONNECT) {
        connect_client(client, &packet);
    } else if (client->state != CONNECTED || !str_is(packet.space, "/")) {
        engine_close(client->session, CLOSE_POLICY, "The client has to connect first.");
    } else if (packet.type == SOCKETIO_EVENT && packet.json.ptr) {
        take_event(client, &packet);
    } else if (packet.type == SOCKETIO_DISCONNECT) {
        hub_leave(&client->listener);
        memset(&client->listener, 0, sizeof(client->listener));
        client->state = WAITING;
        client->connect_by_ms = 0;
    } else if (packet.type != SOCKETIO_ACK) { /* nothing is asked of clients that they answer */
        engine_close(client->session, CLOSE_PROTOCOL_ERROR, "This is no packet of a client.");
    }
}

static void tick(void *user, int64_t now_ms)
{
    struct client *client = user;

    if (client->is_dismissed) {
        engine_close(client->session, CLOSE_POLICY, "See the error that came before.");
    } else if (client->state == CONNECTED) {
        return;
    } else if (client->connect_by_ms == 0) {
        client->connect_by_ms = now_ms + SOCKETIO_CONNECT_MS;
    } else if (now_ms >= client->connect_by_ms) {
        engine_close(client->session, CLOSE_POLICY, "The client did not connect in time.");
    }
}

static void closed(void *user)
{
    struct client *client = user;

    if (client->asking)
        client->asking->client = NULL;
    if (client->state == CONNECTED)
        hub_leave(&client->listener);
    free(client->credential);
    free(client);
}

static const struct engine_ops engine_ops = {opened, take_packet, tick, closed};

struct socketio *socketio_new(struct hub *hub, int64_t now_ms)
{
    struct socketio *socketio = calloc(1, sizeof(*socketio));

    if (!socketio)
        return NULL;
    socketio->hub = hub;
    socketio->engine = engine_new(&engine_ops, socketio, now_ms);
    if (!socketio->engine) {
        free(socketio);
        return NULL;
    }
    return socketio;
}

void socketio_free(struct socketio *socketio)
{
    if (!socketio)
        return;
    engine_free(socketio->engine);
    free(socketio);
}

void socketio_tick(struct socketio *socketio, int64_t now_ms)
{
    engine_tick(socketio->engine, now_ms);
}

struct engine *socketio_engine(const struct socketio *socketio)
{
    return socketio->engine;
}
