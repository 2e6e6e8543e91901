/* GET /stream: the connection becomes a WebSocket or a stream of Server-Sent Events. */
#include "http/app.h"
#include "http/upgrade.h"
#include "live/identity.h"
#include "live/sse.h"
#include "live/websocket.h"

extern const struct resource stream_resource;

enum { FEED_MINE = 1, FEED_TENANT };
static const char *const feed_names[] = {"mine", "tenant"};
static const struct enum_names feeds = ENUM_NAMES(feed_names);

struct stream_query {
    struct uuid customer, since;
    int feed;
    struct str ticket; /* who asks has been found by it */
};

static const struct field query_fields[] = {
    FIELD(stream_query, customer, F_UUID, 0, .doc = "Subscribe to this customer's timeline"),
    FIELD(stream_query, feed, F_ENUM, 0, .names = &feeds,
          .doc = "Subscribe to what is addressed to you, or to all of the tenant (agents)"),
    FIELD(stream_query, since, F_UUID, 0,
          .doc = "The last event that was received: begin behind it. Last-Event-ID goes before"),
    FIELD(stream_query, ticket, F_TEXT, ONE_LINE, .max = 512,
          .doc = "Of POST /stream/tickets, where a header cannot be sent"),
};
static const struct record query_record = RECORD_NAMED("StreamQuery", stream_query, query_fields);

static struct str id_text(struct req *rq, struct uuid id)
{
    char *text;

    if (uuid_is_none(id))
        return STR_NULL;
    text = arena_alloc(rq->cx.arena, UUID_TEXT_LEN);
    if (!text)
        return STR_NULL;
    uuid_format(id, text);
    return (struct str){text, UUID_TEXT_LEN};
}

/* Events alone: "text/event-stream" among what is accepted. */
static bool wants_events(const struct http_request *request)
{
    struct str rest = http_header_get(request, "accept");

    while (rest.ptr) {
        struct str one, media;

        rest = str_cut(rest, ',', &one);
        str_cut(one, ';', &media);
        if (str_equal_nocase(str_trim(media), STR("text/event-stream")))
            return true;
    }
    return false;
}

static enum err open_stream(struct req *rq)
{
    const struct http_request *request = &rq->exchange->request;
    const struct stream_query *query = rq->query;
    struct hub *hub = app_settings(rq->app)->hub;
    struct identity identity;
    struct wish wish = {
        .since = id_text(rq, query->since),
        .customer = id_text(rq, query->customer),
        .feed = query->feed == 0 ? STR_NULL : str_of(enum_name(&feeds, query->feed)),
    };
    struct str last = http_header_get(request, "last-event-id");

    if (!uuid_is_none(query->customer) && query->feed != 0)
        return error_fault(rq->cx.error, "feed", "not_allowed", "must be left out beside customer");
    if (!hub)
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "Nothing is streamed here.");
    identity_of(&rq->cx.actor, &identity);
    if (upgrade_wanted(request) || !wants_events(request)) {
        TRY(upgrade_check(rq));
        return reply_stream(rq, 101, websocket_new(hub, &identity, &wish));
    }
    if (!wish.customer.ptr && !wish.feed.ptr)
        return error_fault(rq->cx.error, "customer", "required", "customer or feed is required");
    /* A browser that connects again says how far it came. */
    if (last.ptr && last.len > 0)
        wish.since = last;
    return reply_stream(rq, 200, sse_new(hub, &identity, &wish));
}

static const struct route routes[] = {
    {HTTP_GET, "", ROLE_CONTACT, TX_WRITE, open_stream,
     "Follow events as they happen, by WebSocket or as Server-Sent Events",
     .answers = ANSWER_STREAM, .query = &query_record, .flags = ROUTE_STREAM},
};
static const char *const mounts[] = {"/stream"};
const struct resource stream_resource = {"Stream", mounts, COUNT_OF(mounts), routes,
                                         COUNT_OF(routes)};
