/* What is told after a commit, and between the nodes of one PostgreSQL. */
#include "store_kit.h"

#include "base/time.h"
#include "db/notice.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* After a commit */

struct told {
    pthread_mutex_t mutex;
    int64_t numbers[64];
    size_t count;
};

static void tell(void *context, const struct notice *notices, size_t count)
{
    struct told *told = context;

    pthread_mutex_lock(&told->mutex);
    for (size_t i = 0; i < count; i++) {
        must(told->count < COUNT_OF(told->numbers));
        told->numbers[told->count++] = notices[i].at_us;
    }
    pthread_mutex_unlock(&told->mutex);
}

static enum err notify(struct ctx *cx, int64_t n)
{
    return db_notify(cx, &(struct notice){.kind = NOTICE_READ, .at_us = n});
}

static enum err notify_late(struct ctx *cx, const void *items, size_t count)
{
    const int64_t *numbers = items;

    for (size_t i = 0; i < count; i++)
        TRY(notify(cx, numbers[i]));
    return OK;
}

static enum err notify_some(struct ctx *cx, void *context)
{
    const int64_t late = 9;

    (void)context;
    TRY(notify(cx, 1));
    TRY(db_savepoint(cx));
    TRY(notify(cx, 100));
    TRY(db_rollback_to(cx));
    TRY(db_defer(cx, notify_late, &late, sizeof late));
    TRY(db_savepoint(cx));
    TRY(notify(cx, 2));
    TRY(db_release(cx));
    return notify(cx, 3);
}

static enum err notify_and_fail(struct ctx *cx, void *context)
{
    (void)context;
    TRY(notify(cx, 200));
    return error_set(cx->error, ERR_CONFLICT, "No.");
}

static enum err fail_late(struct ctx *cx, const void *items, size_t count)
{
    (void)items;
    (void)count;
    return error_set(cx->error, ERR_INTERNAL, "No.");
}

static enum err notify_before_a_failing_commit(struct ctx *cx, void *context)
{
    (void)context;
    TRY(notify(cx, 300));
    return db_defer(cx, fail_late, "", 1);
}

static enum err notify_while_reading(struct ctx *cx, void *context)
{
    (void)context;
    return notify(cx, 400);
}

/* exec_transaction() returns after done(), so what it made is told by then. */
static void test_told_after_the_commit(void **state)
{
    static const int64_t expected[] = {1, 2, 3, 9};
    struct test_store *store = *state;
    struct told told = {.mutex = PTHREAD_MUTEX_INITIALIZER}, same = told;

    exec_on_commit(store->exec, tell, &told);
    exec_on_commit(store->exec, tell, &same);
    assert_int_equal(store_kit_run(store, TX_WRITE, notify_and_fail, NULL), ERR_CONFLICT);
    assert_int_not_equal(store_kit_run(store, TX_WRITE, notify_before_a_failing_commit, NULL), OK);
    assert_int_equal(store_kit_run(store, TX_READ, notify_while_reading, NULL), ERR_INTERNAL);
    assert_int_equal(told.count, 0);
    assert_int_equal(store_kit_run(store, TX_WRITE, notify_some, NULL), OK);
    assert_int_equal(told.count, COUNT_OF(expected));
    assert_int_equal(same.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(told.numbers[i], expected[i]);
}

/* Between nodes */

struct node_ear {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    int lost;
    char texts[8192];
};

static void hear(void *context, struct str text)
{
    struct node_ear *ear = context;
    const size_t len = strlen(ear->texts);

    pthread_mutex_lock(&ear->mutex);
    if (!text.ptr)
        ear->lost++;
    else if (text.len < 64)
        snprintf(ear->texts + len, sizeof ear->texts - len, "%.*s ", STR_FMT(text));
    else
        snprintf(ear->texts + len, sizeof ear->texts - len, "<%zu> ", text.len);
    pthread_cond_broadcast(&ear->more);
    pthread_mutex_unlock(&ear->mutex);
}

static void init_ear(struct node_ear *ear)
{
    *ear = (struct node_ear){.texts = ""};
    pthread_mutex_init(&ear->mutex, NULL);
    pthread_cond_init(&ear->more, NULL);
}

/* Until it has heard all that, and so often that something may be lost. */
static void await(struct node_ear *ear, int lost, const char *texts)
{
    pthread_mutex_lock(&ear->mutex);
    while (ear->lost < lost || strlen(ear->texts) < strlen(texts))
        pthread_cond_wait(&ear->more, &ear->mutex);
    assert_int_equal(ear->lost, lost);
    assert_string_equal(ear->texts, texts);
    pthread_mutex_unlock(&ear->mutex);
}

static void await_hearing(struct exec *exec, bool hears)
{
    while (exec_hears(exec) != hears)
        pause_ms(10);
}

static void announce(struct exec *exec, const char *text)
{
    assert_true(exec_announce(exec, str_of(text)));
}

static void test_nodes_hear_each_other(void **state)
{
    static char longest[NOTICE_TEXT_MAX + 1];
    struct test_store *store = *state;
    struct exec *other = NULL;
    struct node_ear one, two;
    char expected[4096] = "";

    init_ear(&one);
    init_ear(&two);
    if (!store->is_postgres) {
        assert_int_equal(exec_listen(store->exec, hear, &one), OK);
        assert_true(exec_hears(store->exec));
        assert_false(exec_announce(store->exec, STR("a")));
        return;
    }
    assert_false(exec_announce(store->exec, STR("too early")));
    assert_int_equal(exec_open(&store->options, &other, &store->error), OK);
    assert_int_equal(exec_listen(store->exec, hear, &one), OK);
    assert_int_equal(exec_listen(other, hear, &two), OK);
    await(&one, 1, "");
    await(&two, 1, "");
    for (int i = 0; i < 200; i++) {
        char text[16];

        snprintf(text, sizeof text, "n%d", i);
        announce(store->exec, text);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "n%d ", i);
    }
    await(&one, 1, expected);
    await(&two, 1, expected);
    memset(longest, 'x', sizeof longest);
    assert_false(exec_announce(other, (struct str){longest, sizeof longest}));
    assert_true(exec_announce(other, (struct str){longest, NOTICE_TEXT_MAX}));
    snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "<%d> ",
             NOTICE_TEXT_MAX);
    await(&one, 1, expected);
    await(&two, 1, expected);
    announce(store->exec, "goodbye");
    exec_close(store->exec);
    store->exec = NULL;
    snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "goodbye ");
    await(&two, 1, expected);
    exec_close(other);
}

static void terminate_all(const struct test_store *store)
{
    PGconn *admin = PQconnectdb(getenv("TOUCHPOINT_TEST_POSTGRES"));
    const char *const values[] = {store->schema};

    PQclear(PQexecParams(admin,
                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                         " WHERE application_name = $1",
                         1, NULL, values, NULL, NULL, 0));
    PQfinish(admin);
}

static void test_a_broken_connection_is_made_anew(void **state)
{
    struct test_store *store = *state;
    struct node_ear ear;

    init_ear(&ear);
    assert_int_equal(exec_listen(store->exec, hear, &ear), OK);
    await(&ear, 1, "");
    for (int i = 1; i <= 3; i++) {
        terminate_all(store);
        await(&ear, 1 + i, "");
    }
    assert_true(exec_hears(store->exec));
    announce(store->exec, "again");
    await(&ear, 4, "again ");
}

/* A way to the server that at some time lets nothing through any more, and tells nobody: what
 * a pulled cable looks like. New connections are as good as ever. */

#define PAIRS_MAX 16
#define WAY_URL_MAX 1200

static struct way {
    char dir[64], path[128], server[128];
    int listener;
    pthread_t thread;
    atomic_bool ends, silent;
    struct {
        int fds[2];
        bool silent;
    } pairs[PAIRS_MAX];
    int count;
} way;

static int open_at(const char *path, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (listens)
        must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    else
        must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void pass_on(int pair, int side)
{
    char bytes[4096];
    const ssize_t got = read(way.pairs[pair].fds[side], bytes, sizeof bytes);

    if (got <= 0 || write(way.pairs[pair].fds[1 - side], bytes, (size_t)got) != got)
        way.pairs[pair].silent = true; /* closed at the end, with the others */
}

static void *pass(void *context)
{
    (void)context;
    while (!way.ends) {
        struct pollfd polled[1 + 2 * PAIRS_MAX] = {{.fd = way.listener, .events = POLLIN}};

        if (atomic_exchange(&way.silent, false)) {
            for (int i = 0; i < way.count; i++)
                way.pairs[i].silent = true;
        }
        for (int i = 0; i < 2 * way.count; i++)
            polled[1 + i] = (struct pollfd){
                .fd = way.pairs[i / 2].silent ? -1 : way.pairs[i / 2].fds[i % 2], .events = POLLIN};
        if (poll(polled, 1 + 2 * (nfds_t)way.count, 10) <= 0)
            continue;
        for (int i = 0; i < 2 * way.count; i++) {
            if (polled[1 + i].revents != 0)
                pass_on(i / 2, i % 2);
        }
        if (polled[0].revents != 0) {
            must(way.count < PAIRS_MAX);
            way.pairs[way.count].fds[0] = accept(way.listener, NULL, NULL);
            way.pairs[way.count].fds[1] = open_at(way.server, false);
            way.pairs[way.count++].silent = false;
        }
    }
    return NULL;
}

static void open_way(const struct test_store *store, char url[WAY_URL_MAX])
{
    PGconn *connection = PQconnectdb(store->url);

    way = (struct way){.dir = "/tmp/touchpoint-way-XXXXXX"};
    must(PQhost(connection)[0] == '/');
    must(mkdtemp(way.dir) != NULL);
    snprintf(way.server, sizeof way.server, "%s/.s.PGSQL.%s", PQhost(connection),
             PQport(connection));
    snprintf(way.path, sizeof way.path, "%s/.s.PGSQL.%s", way.dir, PQport(connection));
    must(snprintf(url, WAY_URL_MAX, "%s&host=%s", store->url, way.dir) < WAY_URL_MAX);
    PQfinish(connection);
    way.listener = open_at(way.path, true);
    must(pthread_create(&way.thread, NULL, pass, NULL) == 0);
}

static void close_way(void)
{
    way.ends = true;
    must(pthread_join(way.thread, NULL) == 0);
    for (int i = 0; i < way.count; i++) {
        close(way.pairs[i].fds[0]);
        close(way.pairs[i].fds[1]);
    }
    close(way.listener);
    store_kit_remove(way.dir);
}

/* By way of a pooler it listens at the other URL only. */
static void test_a_silent_connection_is_given_up(void **state)
{
    struct test_store *store = *state;
    struct node_ear ear;
    char url[WAY_URL_MAX];
    int64_t began_us;

    init_ear(&ear);
    open_way(store, url);
    store->options.pooled = true;
    store->options.listen_url = url;
    store_kit_reopen(store);
    assert_int_equal(exec_listen(store->exec, hear, &ear), OK);
    await(&ear, 1, "");
    announce(store->exec, "before");
    await(&ear, 1, "before ");
    way.silent = true;
    began_us = time_monotonic_us();
    await_hearing(store->exec, false);
    print_message("         noticed after %lld ms\n",
                  (long long)(time_monotonic_us() - began_us) / 1000);
    announce(store->exec, "meanwhile");
    await(&ear, 2, "before meanwhile ");
    exec_close(store->exec);
    store->exec = NULL;
    close_way();
}

static void test_by_way_of_a_pooler_it_tells_and_does_not_hear(void **state)
{
    struct test_store *store = *state;
    struct exec *other = NULL;
    struct node_ear pooled, direct;

    init_ear(&pooled);
    init_ear(&direct);
    assert_int_equal(exec_open(&store->options, &other, &store->error), OK);
    assert_int_equal(exec_listen(other, hear, &direct), OK);
    await(&direct, 1, "");
    store->options.pooled = true;
    store_kit_reopen(store);
    assert_int_equal(exec_listen(store->exec, hear, &pooled), OK);
    announce(store->exec, "told");
    await(&direct, 1, "told ");
    assert_false(exec_hears(store->exec));
    await(&pooled, 0, "");
    exec_close(other);
}

#define TESTS(store)                                                                               \
    {                                                                                              \
        STORE_TEST(test_told_after_the_commit, store),                                             \
            STORE_TEST(test_nodes_hear_each_other, store),                                         \
    }

static const struct CMUnitTest sqlite_tests[] = TESTS(sqlite);
static const struct CMUnitTest postgres_tests[] = TESTS(postgres);

static const struct CMUnitTest nodes_tests[] = {
    STORE_TEST(test_a_broken_connection_is_made_anew, postgres),
    STORE_TEST(test_a_silent_connection_is_given_up, postgres),
    STORE_TEST(test_by_way_of_a_pooler_it_tells_and_does_not_hear, postgres),
};

int main(void)
{
    int failed = store_kit_main(sqlite_tests, postgres_tests, COUNT_OF(sqlite_tests));

    if (store_kit_has_postgres())
        failed += cmocka_run_group_tests(nodes_tests, NULL, NULL);
    return failed;
}
