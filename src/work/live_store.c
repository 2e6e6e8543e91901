#include "work/live_store.h"

#include "app/timeline/timeline_feed.h"
#include "base/log.h"
#include "db/caller.h"
#include "db/notice.h"
#include "live/identity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CREDENTIAL_TEXT_BYTES 512

/* For the loop, in the order in which it came. */
struct item {
    void (*run)(struct live_store *store, struct item *item); /* on the loop thread; frees */
    struct item *next;
};

struct live_store {
    struct exec *exec;
    struct hub *hub;
    struct live_loop loop;
    bool is_postgres;
    _Atomic bool is_heard; /* the other nodes are listened to, and may be told */
    struct uuid node_id;

    pthread_mutex_t lock; /* of these */
    struct item *first, *last;
    bool is_posted; /* the loop is on its way */
    bool is_lossy;  /* there was no memory for a notice */

    /* The loop's own. */
    bool is_stopped;
    int ticks;
    bool is_looking;         /* a job of the net is under way */
    struct hub_place *heads; /* as it read them last */
    size_t head_count;
    struct uuid demo_tenant_id, demo_user_id; /* none: it is no demo */
};

/* To the loop */

static void drain(void *context)
{
    struct live_store *store = context;
    struct item *items;

    pthread_mutex_lock(&store->lock);
    items = store->first;
    store->first = store->last = NULL;
    store->is_posted = false;
    pthread_mutex_unlock(&store->lock);
    while (items) {
        struct item *item = items;

        items = item->next;
        item->run(store, item);
    }
}

/* Any thread. What cannot be posted for want of memory the next tick finds. */
static void hand_over(struct live_store *store, struct item *item)
{
    bool post;

    item->next = NULL;
    pthread_mutex_lock(&store->lock);
    if (store->last)
        store->last->next = item;
    else
        store->first = item;
    store->last = item;
    post = store->loop.post && !store->is_posted;
    store->is_posted = store->is_posted || post;
    pthread_mutex_unlock(&store->lock);
    if (post && !store->loop.post(store->loop.keeper, drain, store)) {
        pthread_mutex_lock(&store->lock);
        store->is_posted = false;
        pthread_mutex_unlock(&store->lock);
    }
}

/* Questions of the hub: a job each */

struct question {
    struct item item; /* first */
    struct job job;
    struct live_store *store;
    enum err (*ask)(struct ctx *cx, struct question *question);
    void (*answer)(struct question *question);
    enum err result;
    struct arena *arena;
    struct error error;
    void *asker;

    struct identity identity; /* who asks; with `authenticate`: who it is */
    struct uuid first_id, second_id;
    int64_t after, limit;
    char text[CREDENTIAL_TEXT_BYTES];
    size_t text_len;

    /* Answers; in the arena. */
    struct uuid found_id;
    int64_t number, head, upto;
    struct live_event *events;
    size_t event_count;
    struct hub_place *places;
    size_t place_count;

    union {
        void (*read)(void *asker, enum err err, const struct live_event *events, size_t count,
                     int64_t upto, int64_t head);
        void (*place)(void *asker, enum err err, struct uuid customer_id, int64_t since,
                      int64_t head);
        void (*simple)(void *asker, enum err err);
        void (*recheck)(void *asker, enum err err, int64_t expires_us);
        void (*identity)(void *asker, enum err err, const struct identity *identity);
    } done;
};

static struct question *of_job(struct job *job)
{
    return (struct question *)((char *)job - offsetof(struct question, job));
}

static enum err run_question(struct job *job, struct db *db, struct id_source *ids)
{
    struct question *question = of_job(job);
    struct ctx cx = {.db = db,
                     .error = &question->error,
                     .now_us = time_now_us(),
                     .ids = ids,
                     .actor.tenant_id = question->identity.tenant_id};

    /* It may run again. */
    arena_free(question->arena);
    question->arena = cx.arena = arena_new(REQUEST_ARENA_MAX);
    if (!cx.arena)
        return ERR_UNAVAILABLE;
    error_clear(&question->error);
    return question->ask(&cx, question);
}

static void answer_question(struct live_store *store, struct item *item)
{
    struct question *question = (struct question *)item;

    (void)store;
    question->answer(question);
    arena_free(question->arena);
    free(question);
}

static void question_done(struct job *job, enum err result)
{
    struct question *question = of_job(job);

    question->result = result;
    if (result == ERR_INTERNAL)
        LOG(ERROR, "a stream's question failed",
            LOG_TEXT("detail", str_of(question->error.detail)));
    hand_over(question->store, &question->item);
}

static struct question *question_new(struct live_store *store,
                                     enum err (*ask)(struct ctx *cx, struct question *question),
                                     void (*answer)(struct question *question), void *asker)
{
    struct question *question = calloc(1, sizeof(*question));

    if (!question)
        return NULL;
    question->item.run = answer_question;
    question->job = (struct job){.tx = TX_READ, .run = run_question, .done = question_done};
    question->store = store;
    question->ask = ask;
    question->answer = answer;
    question->asker = asker;
    return question;
}

/* The answer comes later in any case, as the hub expects. */
static void submit(struct question *question)
{
    if (!question->store->is_stopped && exec_submit(question->store->exec, &question->job))
        return;
    question->result = ERR_UNAVAILABLE;
    hand_over(question->store, &question->item);
}

/* Whom the listener's credential makes by now: rights are looked at whenever they are used. */
static enum err become(struct ctx *cx, const struct question *question)
{
    const struct identity *was = &question->identity;
    struct identity now;

    TRY(caller_again(cx, (enum credential_kind)was->credential_kind, was->credential_id,
                     was->user_id));
    identity_of(&cx->actor, &now);
    if (identity_lost(was, &now))
        return error_set(cx->error, ERR_UNAUTHENTICATED, "These rights have ended.");
    return OK;
}

static void live_event_of(struct ctx *cx, const struct event *event, struct live_event *out)
{
    *out = (struct live_event){
        .number = event->number,
        .id = event->id,
        .timeline_id = event->timeline_id,
        .addressee_id = event->addressee_id,
        .visible_to_client = event->visible_to_client,
        .visible_to_agent = event->visible_to_agent,
        .expires_us = event->expires_at.set ? event->expires_at.value : 0,
        .type = event->event_type,
        .json = timeline_json(cx, event),
        .lead_contacted = timeline_lead_contacted(cx, event),
    };
}

static enum err ask_read(struct ctx *cx, struct question *question)
{
    struct feed_portion portion;
    enum err err =
        timeline_feed(cx, question->first_id, question->after, question->limit, &portion);

    question->head = portion.head;
    question->upto = portion.upto;
    TRY(err);
    question->events = ARENA_ARRAY(cx->arena, portion.rows.count, struct live_event);
    question->event_count = portion.rows.count;
    for (size_t i = 0; i < portion.rows.count && question->events; i++)
        live_event_of(cx, LIST_AT(portion.rows, struct event, i), &question->events[i]);
    return arena_exhausted(cx->arena)
               ? error_set(cx->error, ERR_UNAVAILABLE, "There is no memory for these events.")
               : OK;
}

static void answer_read(struct question *question)
{
    question->done.read(question->asker, question->result, question->events,
                        question->result == OK ? question->event_count : 0, question->upto,
                        question->head);
}

static void read_events(void *context, struct uuid tenant_id, struct uuid timeline_id,
                        int64_t after, size_t limit,
                        void (*done)(void *asker, enum err err, const struct live_event *events,
                                     size_t count, int64_t upto, int64_t head),
                        void *asker)
{
    struct question *question = question_new(context, ask_read, answer_read, asker);

    if (!question) {
        done(asker, ERR_UNAVAILABLE, NULL, 0, after, 0);
        return;
    }
    question->identity.tenant_id = tenant_id;
    question->first_id = timeline_id;
    question->after = after;
    question->limit = (int64_t)limit;
    question->done.read = done;
    submit(question);
}

static enum err ask_place(struct ctx *cx, struct question *question)
{
    bool found = true;

    TRY(become(cx, question));
    question->found_id = question->first_id;
    if (!uuid_is_none(question->first_id))
        TRY(timeline_owner(cx, question->first_id, &question->found_id));
    TRY(timeline_head(cx, &question->head));
    if (!uuid_is_none(question->second_id))
        TRY(timeline_number(cx, question->second_id, question->head, &question->number, &found));
    return found ? OK : ERR_STALE;
}

static void answer_place(struct question *question)
{
    question->done.place(question->asker, question->result, question->found_id, question->number,
                         question->head);
}

static void
place(void *context, const struct identity *identity, struct uuid customer_id, struct uuid since_id,
      void (*done)(void *asker, enum err err, struct uuid customer_id, int64_t since, int64_t head),
      void *asker)
{
    struct question *question = question_new(context, ask_place, answer_place, asker);

    if (!question) {
        done(asker, ERR_UNAVAILABLE, UUID_NONE, 0, 0);
        return;
    }
    question->identity = *identity;
    question->first_id = customer_id;
    question->second_id = since_id;
    question->done.place = done;
    submit(question);
}

static enum err ask_acknowledge(struct ctx *cx, struct question *question)
{
    TRY(become(cx, question));
    return timeline_acknowledge(cx, question->first_id);
}

static void answer_simple(struct question *question)
{
    question->done.simple(question->asker, question->result);
}

static void acknowledge(void *context, const struct identity *identity, struct uuid event_id,
                        void (*done)(void *asker, enum err err), void *asker)
{
    struct question *question = question_new(context, ask_acknowledge, answer_simple, asker);

    if (!question) {
        done(asker, ERR_UNAVAILABLE);
        return;
    }
    question->job.tx = TX_WRITE;
    question->identity = *identity;
    question->first_id = event_id;
    question->done.simple = done;
    submit(question);
}

static enum err ask_recheck(struct ctx *cx, struct question *question)
{
    TRY(become(cx, question));
    question->identity.expires_us = cx->actor.credential_expires_us;
    return OK;
}

static void answer_recheck(struct question *question)
{
    question->done.recheck(question->asker, question->result, question->identity.expires_us);
}

static void recheck(void *context, const struct identity *identity,
                    void (*done)(void *asker, enum err err, int64_t expires_us), void *asker)
{
    struct question *question = question_new(context, ask_recheck, answer_recheck, asker);

    if (!question) {
        done(asker, ERR_UNAVAILABLE, 0);
        return;
    }
    question->identity = *identity;
    question->done.recheck = done;
    submit(question);
}

static enum err ask_caller(struct ctx *cx, const struct question *question)
{
    const struct live_store *store = question->store;
    struct str text = {question->text, question->text_len};
    bool is_demo = !uuid_is_none(store->demo_user_id);
    struct caller_login login;

    if (text.len == 0)
        return is_demo ? caller_by_demo(cx, store->demo_tenant_id, store->demo_user_id)
                       : caller_refuse(cx);
    if (str_starts(text, STR("cookie:")))
        return caller_by_cookie(cx, str_slice(text, 7, text.len), &login);
    TRY(caller_by_text(cx, text));
    /* A ticket of the demo, and the server runs without it now. */
    if (cx->actor.credential_kind == CREDENTIAL_DEMO && !is_demo)
        return caller_refuse(cx);
    return OK;
}

static enum err ask_identity(struct ctx *cx, struct question *question)
{
    TRY(ask_caller(cx, question));
    identity_of(&cx->actor, &question->identity);
    return OK;
}

static void answer_identity(struct question *question)
{
    question->done.identity(question->asker, question->result,
                            question->result == OK ? &question->identity : NULL);
    explicit_bzero(question->text, sizeof(question->text));
}

static void authenticate(void *context, struct str credential,
                         void (*done)(void *asker, enum err err, const struct identity *identity),
                         void *asker)
{
    struct question *question;

    if (credential.len > sizeof(question->text)) { /* what is longer is none */
        done(asker, ERR_UNAUTHENTICATED, NULL);
        return;
    }
    question = question_new(context, ask_identity, answer_identity, asker);
    if (!question) {
        done(asker, ERR_UNAVAILABLE, NULL);
        return;
    }
    question->text_len = credential.len;
    if (question->text_len > 0)
        memcpy(question->text, credential.ptr, question->text_len);
    if (credential_is_ticket(credential))
        question->job.tx = TX_WRITE;
    question->done.identity = done;
    submit(question);
}

/* Notices, here and between nodes. Lines of a text, parts separated by spaces:
 *     s NODE TENANT ADDRESSEE TIMELINE SUBJECT NUMBER
 *     r NODE TENANT USER TIMELINE EVENT UP_TO AT
 * The hub's own texts begin with other letters. */

struct notices {
    struct item item; /* first */
    size_t count;
    struct notice notices[];
};

static void tell_hub(struct hub *hub, const struct notice *notice)
{
    if (notice->kind == NOTICE_SEALED)
        hub_sealed(hub, &(struct sealed){.tenant_id = notice->tenant_id,
                                         .number = notice->number,
                                         .timeline_id = notice->timeline_id,
                                         .addressee_id = notice->addressee_id,
                                         .subject_id = notice->subject_id,
                                         .is_known = true});
    else if (notice->kind == NOTICE_READ)
        hub_read(hub, notice->tenant_id, notice->addressee_id, notice->event_id,
                 notice->timeline_id, notice->up_to, notice->at_us);
}

static void tell_notices(struct live_store *store, struct item *item)
{
    const struct notices *notices = (const struct notices *)item;

    for (size_t i = 0; i < notices->count; i++)
        tell_hub(store->hub, &notices->notices[i]);
    free(item);
}

static void add_uuid(struct buf *buf, struct uuid id)
{
    char text[UUID_TEXT_LEN];

    uuid_format(id, text);
    buf_add_char(buf, ' ');
    buf_add(buf, (struct str){text, sizeof(text)});
}

static void add_line(const struct live_store *store, struct buf *buf, const struct notice *notice)
{
    buf_add_char(buf, notice->kind == NOTICE_SEALED ? 's' : 'r');
    add_uuid(buf, store->node_id);
    add_uuid(buf, notice->tenant_id);
    add_uuid(buf, notice->addressee_id);
    add_uuid(buf, notice->timeline_id);
    if (notice->kind == NOTICE_SEALED) {
        add_uuid(buf, notice->subject_id);
        buf_addf(buf, " %lld\n", (long long)notice->number);
    } else {
        add_uuid(buf, notice->event_id);
        buf_addf(buf, " %d %lld\n", notice->up_to, (long long)notice->at_us);
    }
}

/* To the other nodes. A text that is lost is found by their net. */
static void announce_notices(struct live_store *store, const struct notice *notices, size_t count)
{
    struct buf buf;

    buf_init(&buf, NULL, NOTICE_TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (notices[i].kind == NOTICE_WRITTEN)
            continue;
        if (buf.len + (size_t)6 * (UUID_TEXT_LEN + 1) + 48 > NOTICE_TEXT_MAX) {
            exec_announce(store->exec, buf_str(&buf));
            buf_reset(&buf);
        }
        add_line(store, &buf, &notices[i]);
    }
    if (buf.len > 0 && !buf_failed(&buf))
        exec_announce(store->exec, buf_str(&buf));
    buf_clear(&buf);
}

static void committed(void *context, const struct notice *all, size_t count)
{
    struct live_store *store = context;
    struct notices *kept;
    size_t told = 0;

    for (size_t i = 0; i < count; i++)
        told += all[i].kind != NOTICE_WRITTEN;
    if (told == 0)
        return;
    kept = malloc(sizeof(*kept) + told * sizeof(struct notice));
    if (kept) {
        kept->item.run = tell_notices;
        kept->count = 0;
        for (size_t i = 0; i < count; i++)
            if (all[i].kind != NOTICE_WRITTEN)
                kept->notices[kept->count++] = all[i];
        hand_over(store, &kept->item);
    } else {
        pthread_mutex_lock(&store->lock);
        store->is_lossy = true;
        pthread_mutex_unlock(&store->lock);
    }
    if (store->is_heard)
        announce_notices(store, all, count);
}

struct heard {
    struct item item; /* first */
    bool is_gap;
    size_t len;
    char text[];
};

/* Ids that are none are zeros, which uuid_parse() takes for no id. */
static struct uuid take_uuid(struct str *rest)
{
    struct uuid id = UUID_NONE;
    struct str part;

    *rest = str_cut(*rest, ' ', &part);
    return uuid_parse(part, &id) ? id : UUID_NONE;
}

static void hear_line(const struct live_store *store, struct str line)
{
    struct notice notice = {.kind = NOTICE_SEALED};
    struct str rest, kind, part;
    struct uuid node_id;
    int64_t up_to = 0;

    rest = str_cut(line, ' ', &kind);
    node_id = take_uuid(&rest);
    notice.tenant_id = take_uuid(&rest);
    notice.addressee_id = take_uuid(&rest);
    notice.timeline_id = take_uuid(&rest);
    if (uuid_equal(node_id, store->node_id) || uuid_is_none(notice.tenant_id))
        return;
    if (str_is(kind, "s")) {
        notice.subject_id = take_uuid(&rest);
        if (str_to_int(rest, &notice.number))
            tell_hub(store->hub, &notice);
    } else if (str_is(kind, "r")) {
        notice.kind = NOTICE_READ;
        notice.event_id = take_uuid(&rest);
        rest = str_cut(rest, ' ', &part);
        if (str_to_int(part, &up_to) && str_to_int(rest, &notice.at_us)) {
            notice.up_to = up_to != 0;
            tell_hub(store->hub, &notice);
        }
    }
}

static void tell_heard(struct live_store *store, struct item *item)
{
    const struct heard *heard = (const struct heard *)item;
    struct str text = {heard->text, heard->len};

    if (heard->is_gap) {
        hub_heard(store->hub, STR_NULL);
    } else if (text.len > 0 && (text.ptr[0] == 's' || text.ptr[0] == 'r')) {
        while (text.ptr && text.len > 0) {
            struct str line;

            text = str_cut(text, '\n', &line);
            hear_line(store, line);
        }
    } else {
        hub_heard(store->hub, text);
    }
    free(item);
}

static void on_heard(void *context, struct str text)
{
    struct heard *heard = malloc(sizeof(*heard) + text.len);

    if (!heard)
        return; /* as lost as others are */
    heard->item.run = tell_heard;
    heard->is_gap = !text.ptr;
    heard->len = text.len;
    if (text.ptr)
        memcpy(heard->text, text.ptr, text.len);
    hand_over(context, &heard->item);
}

static void announce(void *context, struct str text)
{
    const struct live_store *store = context;

    if (store->is_heard)
        exec_announce(store->exec, text);
}

/* The net */

static enum err ask_heads(struct ctx *cx, struct question *question)
{
    for (size_t i = 0; i < question->place_count; i++) {
        cx->actor.tenant_id = question->places[i].tenant_id;
        TRY(timeline_head(cx, &question->places[i].known));
    }
    return OK;
}

static void tell_heads(struct live_store *store)
{
    for (size_t i = 0; i < store->head_count; i++)
        hub_sealed(store->hub, &(struct sealed){.tenant_id = store->heads[i].tenant_id,
                                                .number = store->heads[i].known});
    store->head_count = 0;
}

/* They are looked at when the next are asked for, since a notice may be on its way; or at once,
 * where none can be. */
static void answer_heads(struct question *question)
{
    struct live_store *store = question->store;

    store->is_looking = false;
    if (question->result == OK) {
        free(store->heads);
        store->heads = question->places;
        store->head_count = question->place_count;
        if (!store->is_stopped && !exec_hears(store->exec))
            tell_heads(store);
    } else {
        free(question->places);
    }
}

static void look(struct live_store *store)
{
    const size_t tenants = hub_tenants(store->hub);
    struct question *question;

    tell_heads(store);
    if (store->is_looking || tenants == 0)
        return;
    question = question_new(store, ask_heads, answer_heads, NULL);
    if (!question)
        return;
    question->places = calloc(tenants, sizeof(struct hub_place));
    question->place_count =
        question->places ? hub_places(store->hub, question->places, tenants) : 0;
    if (question->place_count == 0) {
        free(question->places);
        free(question);
        return;
    }
    store->is_looking = true;
    submit(question);
}

static void tick(void *context)
{
    struct live_store *store = context;
    bool is_lossy;

    pthread_mutex_lock(&store->lock);
    is_lossy = store->is_lossy;
    pthread_mutex_unlock(&store->lock);
    drain(store);
    hub_tick(store->hub);
    /* What was lost once is looked for from then on. */
    if ((store->is_postgres || is_lossy) && ++store->ticks % NET_SECONDS == 0)
        look(store);
}

/* The whole */

struct live_store *live_store_new(struct exec *exec)
{
    struct live_store *store = calloc(1, sizeof(*store));
    struct exec_stats stats;
    struct id_source ids;

    if (!store)
        return NULL;
    store->hub = hub_new(&(struct hub_store){.context = store,
                                             .read = read_events,
                                             .place = place,
                                             .acknowledge = acknowledge,
                                             .recheck = recheck,
                                             .authenticate = authenticate,
                                             .announce = announce});
    if (!store->hub) {
        free(store);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    store->exec = exec;
    exec_stats(exec, &stats);
    store->is_postgres = stats.is_postgres;
    id_source_init(&ids);
    store->node_id = uuid_new(&ids, time_now_us());
    exec_on_commit(exec, committed, store);
    return store;
}

void live_store_demo(struct live_store *store, struct uuid tenant_id, struct uuid user_id)
{
    store->demo_tenant_id = tenant_id;
    store->demo_user_id = user_id;
}

struct hub *live_store_hub(const struct live_store *store)
{
    return store->hub;
}

void live_store_start(struct live_store *store, const struct live_loop *loop)
{
    pthread_mutex_lock(&store->lock);
    store->loop = *loop;
    pthread_mutex_unlock(&store->lock);
    loop->every(loop->keeper, 1, tick, store);
    if (store->is_postgres && exec_listen(store->exec, on_heard, store) == OK)
        store->is_heard = true;
    else if (store->is_postgres)
        LOG(WARN, "other nodes are not heard", LOG_INT("every_seconds", NET_SECONDS));
}

void live_store_stop(struct live_store *store)
{
    if (store)
        store->is_stopped = true;
}

void live_store_free(struct live_store *store)
{
    if (!store)
        return;
    drain(store);
    hub_free(store->hub);
    free(store->heads);
    pthread_mutex_destroy(&store->lock);
    free(store);
}
