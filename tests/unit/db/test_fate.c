/* What a job is told when the connection to PostgreSQL breaks: at the commit, where nobody
 * can know, and before. A proxy in between breaks it. */
#include "store_kit.h"

#include "base/time.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAIRS_MAX 32

enum mode {
    PASS,
    CUT_BEFORE_COMMIT, /* the server never sees it */
    CUT_AFTER_COMMIT,  /* the server does it, and nobody hears */
    REFUSE,
};

struct pair {
    int client, server;
    bool committing; /* the server's answer to the COMMIT is swallowed */
};

static struct proxy {
    atomic_int mode;
    atomic_bool ends;
    int listener;
    pthread_t thread;
    struct pair pairs[PAIRS_MAX];
    char host[108], port[16]; /* where the server is */
    char dir[64];
} proxy;

static int open_socket(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    must(strlen(path) < sizeof(address->sun_path));
    memcpy(address->sun_path, path, strlen(path) + 1);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int connect_to_server(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct sockaddr_un address;
    char path[160];
    int fd;

    if (proxy.host[0] == '/') {
        snprintf(path, sizeof(path), "%s/.s.PGSQL.%s", proxy.host, proxy.port);
        fd = open_socket(path, &address);
        must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
        return fd;
    }
    must(getaddrinfo(proxy.host, proxy.port, &hints, &found) == 0);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(fd, found->ai_addr, found->ai_addrlen) == 0);
    freeaddrinfo(found);
    return fd;
}

static void cut(struct pair *pair)
{
    close(pair->client);
    close(pair->server);
    *pair = (struct pair){-1, -1, false};
}

static void take_client(void)
{
    const int client = accept(proxy.listener, NULL, NULL);

    must(client >= 0);
    if (atomic_load(&proxy.mode) == REFUSE) {
        close(client);
        return;
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (proxy.pairs[i].client < 0) {
            proxy.pairs[i] = (struct pair){client, connect_to_server(), false};
            return;
        }
    }
    must(false);
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

/* The name of the prepared statement stands in a Bind message between two NULs. */
static void pass_on(struct pair *pair, bool from_client)
{
    static char bytes[65536];
    const ssize_t len = recv(from_client ? pair->client : pair->server, bytes, sizeof(bytes), 0);
    const int mode = atomic_load(&proxy.mode);

    if (len <= 0 || pair->committing || mode == REFUSE) {
        cut(pair);
        return;
    }
    if (from_client && mode != PASS && memmem(bytes, (size_t)len, "\0commit", 8)) {
        atomic_store(&proxy.mode, PASS);
        if (mode == CUT_BEFORE_COMMIT) {
            cut(pair);
            return;
        }
        pair->committing = true;
    }
    send_all(from_client ? pair->server : pair->client, bytes, (size_t)len);
}

static void *run_proxy(void *context)
{
    (void)context;
    while (!atomic_load(&proxy.ends)) {
        struct pollfd polls[1 + (size_t)2 * PAIRS_MAX] = {{.fd = proxy.listener, .events = POLLIN}};

        for (size_t i = 0; i < PAIRS_MAX; i++) {
            polls[1 + 2 * i] = (struct pollfd){.fd = proxy.pairs[i].client, .events = POLLIN};
            polls[2 + 2 * i] = (struct pollfd){.fd = proxy.pairs[i].server, .events = POLLIN};
        }
        must(poll(polls, COUNT_OF(polls), 20) >= 0);
        for (size_t i = 0; i < (size_t)2 * PAIRS_MAX; i++) {
            struct pair *pair = &proxy.pairs[i / 2];

            if (pair->client >= 0 && atomic_load(&proxy.mode) == REFUSE)
                cut(pair);
            else if (pair->client >= 0 && polls[1 + i].revents != 0)
                pass_on(pair, i % 2 == 0);
        }
        if (polls[0].revents != 0)
            take_client();
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (proxy.pairs[i].client >= 0)
            cut(&proxy.pairs[i]);
    }
    return NULL;
}

static void find_server(void)
{
    PQconninfoOption *options = PQconninfoParse(getenv("TOUCHPOINT_TEST_POSTGRES"), NULL);

    assert_non_null(options);
    snprintf(proxy.host, sizeof(proxy.host), "/var/run/postgresql");
    snprintf(proxy.port, sizeof(proxy.port), "5432");
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (option->val && strcmp(option->keyword, "host") == 0)
            snprintf(proxy.host, sizeof(proxy.host), "%s", option->val);
        if (option->val && strcmp(option->keyword, "port") == 0)
            snprintf(proxy.port, sizeof(proxy.port), "%s", option->val);
    }
    PQconninfoFree(options);
}

static int set_up(void **state)
{
    static struct test_store store;
    struct sockaddr_un address;
    char path[108], more[128];

    find_server();
    snprintf(proxy.dir, sizeof(proxy.dir), "/tmp/touchpoint-proxy-XXXXXX");
    assert_non_null(mkdtemp(proxy.dir));
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy.dir);
    proxy.listener = open_socket(path, &address);
    assert_int_equal(bind(proxy.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(proxy.listener, 32), 0);
    for (size_t i = 0; i < PAIRS_MAX; i++)
        proxy.pairs[i] = (struct pair){-1, -1, false};
    atomic_store(&proxy.mode, PASS);
    atomic_store(&proxy.ends, false);
    assert_int_equal(pthread_create(&proxy.thread, NULL, run_proxy, NULL), 0);

    store_kit_prepare(&store, true);
    snprintf(more, sizeof(more), "&host=%s&port=5432", proxy.dir);
    assert_true(strlen(store.url) + strlen(more) < sizeof(store.url));
    memcpy(store.url + strlen(store.url), more, strlen(more) + 1);
    store_kit_reopen(&store);
    store_kit_sql(&store, "CREATE TABLE rows (n bigint NOT NULL)");
    *state = &store;
    return 0;
}

static int tear_down(void **state)
{
    store_kit_close(*state);
    atomic_store(&proxy.ends, true);
    pthread_join(proxy.thread, NULL);
    close(proxy.listener);
    store_kit_remove(proxy.dir);
    return 0;
}

static const struct query insert_query = {
    .name = "row_insert",
    .sqlite = "INSERT INTO rows (n) VALUES (1)",
    .postgres = "INSERT INTO rows (n) VALUES (1)",
    .writes = true,
};

static atomic_int runs;

static enum err insert(struct ctx *cx, void *context)
{
    (void)context;
    atomic_fetch_add(&runs, 1);
    return db_run(cx, &insert_query, NO_ARGS);
}

/* As a job, because exec_transaction() does not hand on `why`. */
struct told {
    struct job job;
    struct test_store *store;
    struct error error;
    char why[200];
    pthread_mutex_t mutex;
    pthread_cond_t known;
    bool is_known;
    enum err result;
};

static enum err run_told(struct job *job, struct db *db, struct id_source *ids)
{
    struct told *told = (struct told *)job;
    struct ctx cx = {.db = db, .error = &told->error, .actor = told->store->actor, .ids = ids};

    return insert(&cx, NULL);
}

static void done_told(struct job *job, enum err result)
{
    struct told *told = (struct told *)job;

    pthread_mutex_lock(&told->mutex);
    told->result = result;
    snprintf(told->why, sizeof(told->why), "%s", job->why ? job->why : "");
    told->is_known = true;
    pthread_cond_signal(&told->known);
    pthread_mutex_unlock(&told->mutex);
}

static struct told *insert_and_tell(struct test_store *store)
{
    static struct told told;

    told = (struct told){.job = {.tx = TX_WRITE, .run = run_told, .done = done_told},
                         .store = store,
                         .mutex = PTHREAD_MUTEX_INITIALIZER,
                         .known = PTHREAD_COND_INITIALIZER};
    atomic_store(&runs, 0);
    assert_true(exec_submit(store->exec, &told.job));
    pthread_mutex_lock(&told.mutex);
    while (!told.is_known)
        pthread_cond_wait(&told.known, &told.mutex);
    pthread_mutex_unlock(&told.mutex);
    return &told;
}

/* Either way it is the same silence, so the same words, and it is not tried again. */
static void check_unknown(struct test_store *store, enum mode mode, int64_t rows)
{
    const struct told *told;

    atomic_store(&proxy.mode, mode);
    told = insert_and_tell(store);
    assert_int_equal(told->result, ERR_UNAVAILABLE);
    assert_non_null(strstr(told->why, "whether the change was kept is not known"));
    assert_int_equal(atomic_load(&runs), 1);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM rows"), rows);
}

static void test_lost_at_commit(void **state)
{
    check_unknown(*state, CUT_BEFORE_COMMIT, 0);
    check_unknown(*state, CUT_AFTER_COMMIT, 1);
    check_unknown(*state, CUT_AFTER_COMMIT, 2);
}

static void test_server_away(void **state)
{
    struct test_store *store = *state;
    struct exec_stats stats;
    int64_t began_us;

    assert_int_equal(insert_and_tell(store)->result, OK);
    atomic_store(&proxy.mode, REFUSE);
    usleep(100 * 1000); /* the connections are cut */
    assert_int_equal(insert_and_tell(store)->result, ERR_UNAVAILABLE);
    exec_stats(store->exec, &stats);
    assert_false(stats.ready);
    began_us = time_monotonic_us();
    for (int i = 0; i < 20; i++)
        assert_int_equal(insert_and_tell(store)->result, ERR_UNAVAILABLE);
    assert_in_range(time_monotonic_us() - began_us, 0, 2 * SECOND_US); /* at once, each */
    atomic_store(&proxy.mode, PASS);
    for (int i = 0; i < 100 && !stats.ready; i++) { /* although nobody asks */
        usleep(100 * 1000);
        exec_stats(store->exec, &stats);
    }
    assert_true(stats.ready);
    assert_int_equal(insert_and_tell(store)->result, OK);
    assert_int_equal(store_kit_number(store, "SELECT count(*) FROM rows"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lost_at_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server_away, set_up, tear_down),
    };

    if (!store_kit_has_postgres())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
