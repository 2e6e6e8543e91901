/* Texts between the nodes of one PostgreSQL, by LISTEN and NOTIFY, on a connection and a
 * thread of their own: a NOTIFY inside a transaction that writes data would have all such
 * transactions wait for each other at their commits. */
#include "db/backend.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CONNECT_US (5 * SECOND_US)
#define BACKOFF_FIRST_US (SECOND_US / 10)
#define BACKOFF_MOST_US (2 * SECOND_US)
/* A connection that has said nothing for so long is asked whether it lives, and given up when
 * it does not answer in time. */
#define ASK_US (2 * SECOND_US)
#define ANSWER_US (2 * SECOND_US)
#define WAITING_MAX 4096
#define TOGETHER_MAX 32 /* texts sent by one statement */
#define CHANNEL_MAX 32

/* Whoever has the same tables has the same channel. */
#define CHANNEL_SQL                                                                                \
    "SELECT 'touchpoint_' || CAST(CAST(CAST('contact_events' AS regclass) AS oid) AS text)"

struct announcement {
    struct announcement *next;
    char text[];
};

struct postgres_listener {
    void (*heard)(void *context, struct str text);
    void *context;
    char *url;
    bool listens;
    int wake_fd; /* eventfd: something is to be sent, or it ends */
    pthread_t thread;
    bool started;
    PGconn *connection; /* the thread's, as is what follows it */
    char channel[CHANNEL_MAX];
    int64_t failures; /* to connect, in a row */
    size_t sent;      /* the first texts of the list are under way */
    bool asked;       /* a statement is under way */
    int64_t asked_us, answered_us;
    atomic_bool closing, hears;
    pthread_mutex_t mutex; /* of the list */
    struct announcement *first, *last;
    size_t waiting;
};

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* Waits for the socket (none: negative), for what others want, or until `until_us`. False when
 * it is to end. */
static bool wait_for(struct postgres_listener *listener, int fd, short events, int64_t until_us)
{
    struct pollfd polled[2] = {{.fd = listener->wake_fd, .events = POLLIN},
                               {.fd = fd, .events = events}};
    const int64_t left_us = until_us - time_monotonic_us();
    uint64_t count;

    if (poll(polled, fd < 0 ? 1 : 2, left_us > 0 ? (int)(left_us / 1000 + 1) : 0) > 0 &&
        (polled[0].revents & POLLIN) != 0 && read(listener->wake_fd, &count, sizeof count) < 0 &&
        errno != EAGAIN)
        LOG(WARN, "a wake-up could not be read", LOG_INT("errno", errno));
    return !listener->closing;
}

/* Connecting */

static bool connect_until(struct postgres_listener *listener, int64_t until_us)
{
    const char *const names[] = {"application_name", "client_encoding", "dbname", NULL};
    const char *const values[] = {"touchpoint listen", "UTF8", listener->url, NULL};
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    listener->connection = PQconnectStartParams(names, values, 1);
    if (!listener->connection || PQstatus(listener->connection) == CONNECTION_BAD)
        return false;
    PQsetNoticeProcessor(listener->connection, ignore_notice, NULL);
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || time_monotonic_us() >= until_us ||
            !wait_for(listener, PQsocket(listener->connection),
                      status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us))
            return false;
        status = PQconnectPoll(listener->connection);
    }
    return PQsetnonblocking(listener->connection, 1) == 0;
}

/* Waits for the outcome of what was sent; *out has one row and column, if that is wanted. */
static bool take_outcome(struct postgres_listener *listener, int64_t until_us, char *out,
                         size_t out_size)
{
    PGconn *connection = listener->connection;
    PGresult *result;
    bool fine = true;

    while (PQflush(connection) == 1 || PQisBusy(connection)) {
        if (time_monotonic_us() >= until_us ||
            !wait_for(listener, PQsocket(connection), POLLIN, until_us) ||
            PQconsumeInput(connection) != 1)
            return false;
    }
    while ((result = PQgetResult(connection)) != NULL) {
        const ExecStatusType status = PQresultStatus(result);

        fine = fine && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
        if (fine && out)
            snprintf(out, out_size, "%s", PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    return fine;
}

/* The channel's name is ours, of letters and digits. */
static bool begin_listening(struct postgres_listener *listener, int64_t until_us)
{
    char sql[16 + CHANNEL_MAX];

    if (PQsendQuery(listener->connection, CHANNEL_SQL) != 1 ||
        !take_outcome(listener, until_us, listener->channel, sizeof listener->channel))
        return false;
    if (!listener->listens)
        return true;
    snprintf(sql, sizeof sql, "LISTEN %s", listener->channel);
    return PQsendQuery(listener->connection, sql) == 1 && take_outcome(listener, until_us, NULL, 0);
}

static void disconnect(struct postgres_listener *listener)
{
    atomic_store(&listener->hears, false);
    PQfinish(listener->connection);
    listener->connection = NULL;
    listener->asked = false;
    listener->sent = 0; /* what was under way is sent again: who hears it twice minds nothing */
}

static void back_off(struct postgres_listener *listener)
{
    const int64_t failures = listener->failures++;
    int64_t wait_us = BACKOFF_FIRST_US << (failures < 10 ? failures : 10);
    const int64_t now_us = time_monotonic_us();

    if (failures == 0)
        LOG(WARN, "other nodes cannot be heard",
            LOG_TEXT("detail", str_of(listener->connection ? PQerrorMessage(listener->connection)
                                                           : "no memory")));
    disconnect(listener);
    if (wait_us > BACKOFF_MOST_US)
        wait_us = BACKOFF_MOST_US;
    while (time_monotonic_us() < now_us + wait_us) {
        if (!wait_for(listener, -1, 0, now_us + wait_us))
            return;
    }
}

static bool connect_to(struct postgres_listener *listener)
{
    const int64_t until_us = time_monotonic_us() + CONNECT_US;

    if (!connect_until(listener, until_us) || !begin_listening(listener, until_us)) {
        back_off(listener);
        return false;
    }
    listener->failures = 0;
    listener->answered_us = time_monotonic_us();
    if (listener->listens) {
        atomic_store(&listener->hears, true);
        listener->heard(listener->context, STR_NULL);
    }
    return true;
}

/* Sending */

/* The texts stay in the list until the server has them. */
static size_t first_texts(struct postgres_listener *listener, const char *texts[TOGETHER_MAX])
{
    size_t count = 0;

    pthread_mutex_lock(&listener->mutex);
    for (const struct announcement *at = listener->first; at && count < TOGETHER_MAX; at = at->next)
        texts[count++] = at->text;
    pthread_mutex_unlock(&listener->mutex);
    return count;
}

static void drop_sent(struct postgres_listener *listener)
{
    pthread_mutex_lock(&listener->mutex);
    for (; listener->sent > 0; listener->sent--) {
        struct announcement *gone = listener->first;

        assert(gone); /* others only append */
        listener->first = gone->next;
        if (!listener->first)
            listener->last = NULL;
        listener->waiting--;
        free(gone);
    }
    pthread_mutex_unlock(&listener->mutex);
}

/* Hints need no disk. An empty query asks only whether the server is there. */
static bool send_next(struct postgres_listener *listener)
{
    const char *values[TOGETHER_MAX + 1] = {listener->channel};
    const size_t count = first_texts(listener, values + 1);
    char sql[96 + 24 * TOGETHER_MAX];
    int len = snprintf(sql, sizeof sql, "SELECT set_config('synchronous_commit', 'off', true)");

    if (count == 0 && time_monotonic_us() < listener->answered_us + ASK_US)
        return true;
    for (size_t i = 0; i < count; i++)
        len += snprintf(sql + len, sizeof sql - (size_t)len, ", pg_notify($1, $%zu)", i + 2);
    listener->sent = count;
    listener->asked = true;
    listener->asked_us = time_monotonic_us();
    return (count == 0 ? PQsendQuery(listener->connection, "")
                       : PQsendQueryParams(listener->connection, sql, (int)count + 1, NULL, values,
                                           NULL, NULL, 0)) == 1;
}

/* Hearing */

static void hear(struct postgres_listener *listener)
{
    PGnotify *notify;

    while ((notify = PQnotifies(listener->connection)) != NULL) {
        listener->answered_us = time_monotonic_us();
        listener->heard(listener->context, str_of(notify->extra));
        PQfreemem(notify);
    }
}

static bool take_answers(struct postgres_listener *listener)
{
    PGresult *result;

    if (PQconsumeInput(listener->connection) != 1)
        return false;
    hear(listener);
    while (listener->asked && !PQisBusy(listener->connection)) {
        bool fine;

        result = PQgetResult(listener->connection);
        if (!result) {
            listener->asked = false;
            listener->answered_us = time_monotonic_us();
            drop_sent(listener);
            break;
        }
        fine = PQresultStatus(result) == PGRES_TUPLES_OK ||
               PQresultStatus(result) == PGRES_EMPTY_QUERY;
        PQclear(result);
        if (!fine)
            return false;
    }
    return PQstatus(listener->connection) == CONNECTION_OK;
}

/* False when the connection is no longer any good. */
static bool attend(struct postgres_listener *listener)
{
    int64_t until_us;
    int unsent;

    /* Before it waits: what was announced while it connected has woken it there. */
    if (!listener->asked && !send_next(listener))
        return false;
    until_us = listener->asked ? listener->asked_us + ANSWER_US : listener->answered_us + ASK_US;
    if (listener->asked && time_monotonic_us() >= until_us)
        return false;
    unsent = PQflush(listener->connection);
    if (unsent < 0)
        return false;
    (void)wait_for(listener, PQsocket(listener->connection),
                   unsent == 1 ? POLLIN | POLLOUT : POLLIN, until_us);
    return take_answers(listener);
}

static bool has_waiting(struct postgres_listener *listener)
{
    bool any;

    pthread_mutex_lock(&listener->mutex);
    any = listener->waiting > 0;
    pthread_mutex_unlock(&listener->mutex);
    return any;
}

/* What was announced before the end is still sent, where there is a connection. */
static void *listen_thread(void *context)
{
    struct postgres_listener *listener = context;

    while (!listener->closing || (listener->connection && has_waiting(listener))) {
        if (!listener->connection && !connect_to(listener))
            continue;
        if (!attend(listener))
            back_off(listener);
    }
    return NULL;
}

/* What callers use */

static void wake(struct postgres_listener *listener)
{
    const uint64_t one = 1;

    if (write(listener->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        LOG(WARN, "a thread could not be woken", LOG_INT("errno", errno));
}

enum err postgres_listen(const struct store_options *options,
                         void (*heard)(void *context, struct str text), void *context,
                         struct postgres_listener **out)
{
    struct postgres_listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return ERR_UNAVAILABLE;
    listener->heard = heard;
    listener->context = context;
    /* By way of a pooler it can still tell others. */
    listener->listens = options->listen_url || !options->pooled;
    listener->url = strdup(options->listen_url ? options->listen_url : options->url);
    listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&listener->mutex, NULL);
    listener->started = listener->url && listener->wake_fd >= 0 &&
                        pthread_create(&listener->thread, NULL, listen_thread, listener) == 0;
    if (!listener->started) {
        postgres_listener_close(listener);
        return ERR_UNAVAILABLE;
    }
    *out = listener;
    return OK;
}

bool postgres_announce(struct postgres_listener *listener, struct str text)
{
    struct announcement *announcement = malloc(sizeof *announcement + text.len + 1);
    bool taken;

    if (!announcement)
        return false;
    announcement->next = NULL;
    memcpy(announcement->text, text.ptr, text.len);
    announcement->text[text.len] = '\0';
    pthread_mutex_lock(&listener->mutex);
    taken = listener->waiting < WAITING_MAX && text.len > 0 && text.len <= NOTICE_TEXT_MAX;
    if (taken) {
        if (listener->last)
            listener->last->next = announcement;
        else
            listener->first = announcement;
        listener->last = announcement;
        listener->waiting++;
    }
    pthread_mutex_unlock(&listener->mutex);
    if (taken)
        wake(listener);
    else
        free(announcement);
    return taken;
}

bool postgres_hears(struct postgres_listener *listener)
{
    return atomic_load(&listener->hears);
}

void postgres_listener_close(struct postgres_listener *listener)
{
    if (!listener)
        return;
    if (listener->started) {
        listener->closing = true;
        wake(listener);
        pthread_join(listener->thread, NULL);
    }
    if (listener->connection)
        PQfinish(listener->connection);
    while (listener->first) {
        struct announcement *next = listener->first->next;

        free(listener->first);
        listener->first = next;
    }
    if (listener->wake_fd >= 0)
        close(listener->wake_fd);
    pthread_mutex_destroy(&listener->mutex);
    free(listener->url);
    free(listener);
}
