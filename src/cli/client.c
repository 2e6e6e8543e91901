#include "cli/client.h"

#include "app/routes.h"
#include "cli/audit_key.h"
#include "work/sealer.h"
#include "json/json.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CALL_MEMORY_MAX MIB(256)
#define CONNECTIONS 2 /* a command makes a request at a time */

struct client {
    const char *tenant;
    struct arena *arena; /* of the newest answer */
    /* A server holds the folder: */
    CURL *curl;
    char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];
    /* None does: */
    struct exec *exec;
    struct sealer *sealer;
    struct app *app;
    char *url;
    uint8_t audit_key[AUDIT_SECRET_KEY_BYTES];
};

bool admin_socket_path(const char *data_dir, char *out, size_t out_size)
{
    return snprintf(out, out_size, "%s/touchpoint.sock", data_dir) < (int)out_size;
}

bool store_options_from(const struct options *options, struct store_options *out, char **url)
{
    const char *file = option_text(options, "db-file");
    const char *given = option_text(options, "db");

    *out = (struct store_options){.data_dir = option_text(options, "data"),
                                  .pooled = option_switch(options, "db-pooled")};
    *url = NULL;
    if (given != NULL && file != NULL) {
        fprintf(stderr, "touchpoint: give --db or --db-file, not both\n");
        return false;
    }
    if (file != NULL) {
        *url = secret_from_file(file);
        if (*url == NULL)
            return false;
    } else if (given != NULL) {
        *url = strdup(given);
    }
    out->url = *url;
    return true;
}

bool data_dir_make(const char *data_dir)
{
    if (mkdir(data_dir, S_IRWXU) == 0 || errno == EEXIST)
        return true;
    fprintf(stderr, "touchpoint: %s: %s\n", data_dir, strerror(errno));
    return false;
}

/* Whether somebody listens there. */
static bool answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open;

    if (fd < 0)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    open = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return open;
}

static bool open_store(struct client *client, const struct options *options,
                       const struct store_options *store)
{
    struct error error = {0};
    struct app_options app = {.resources = app_resources, .resource_count = app_resource_count};

    if (option_known(options, "audit-key")) {
        if (!audit_key_load(options, client->audit_key))
            return false;
        app.audit_key = client->audit_key;
    }
    if (exec_open(store, &client->exec, &error) == OK) {
        app.exec = client->exec;
        client->sealer = sealer_new(client->exec);
        if (client->sealer == NULL)
            (void)error_set(&error, ERR_UNAVAILABLE, "There is no memory to begin with.");
        else if (app_new(&app, &client->app, &error) == OK)
            return true;
    }
    fprintf(stderr, "touchpoint: %s\n", error.detail);
    return false;
}

struct client *client_open(const struct options *options)
{
    struct client *client = calloc(1, sizeof *client);
    struct store_options store;
    bool fine;

    if (client == NULL)
        return NULL;
    client->tenant = option_text(options, "tenant");
    client->arena = arena_new(CALL_MEMORY_MAX);
    fine = client->arena != NULL && store_options_from(options, &store, &client->url);
    if (fine && client->url == NULL &&
        admin_socket_path(store.data_dir, client->socket_path, sizeof client->socket_path) &&
        answers(client->socket_path)) {
        client->curl = curl_easy_init();
        fine = client->curl != NULL;
    } else if (fine) {
        store.connections = CONNECTIONS;
        fine = open_store(client, options, &store);
    }
    if (fine)
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    if (client->curl != NULL)
        curl_easy_cleanup(client->curl);
    app_free(client->app);
    if (client->exec != NULL)
        exec_close(client->exec);
    sealer_free(client->sealer);
    arena_free(client->arena);
    explicit_bzero(client->audit_key, sizeof client->audit_key);
    free(client->url);
    free(client);
}

struct exec *client_exec(struct client *client)
{
    return client->exec;
}

static size_t collect(char *bytes, size_t size, size_t count, void *buf)
{
    buf_add(buf, (struct str){bytes, size * count});
    return buf_failed(buf) ? 0 : size * count;
}

static const char *method_name(enum http_method method)
{
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

    return names[method];
}

static bool call_server(struct client *client, enum http_method method, const char *target,
                        struct str body, struct app_answer *out)
{
    char url[512];
    char tenant[160];
    char problem[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    struct curl_header *link;
    struct buf answer;
    CURLcode code;
    long status = 0;

    buf_init(&answer, client->arena, ANSWER_MAX);
    snprintf(url, sizeof url, "http://localhost%s", target);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (client->tenant != NULL) {
        snprintf(tenant, sizeof tenant, "X-Touchpoint-Tenant: %s", client->tenant);
        headers = curl_slist_append(headers, tenant);
    }
    curl_easy_reset(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method_name(method));
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &answer);
    if (body.ptr != NULL) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.ptr);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    }
    code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        fprintf(stderr, "touchpoint: the server did not answer: %s\n",
                problem[0] != '\0' ? problem : curl_easy_strerror(code));
        return false;
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    *out = (struct app_answer){.status = (int)status, .body = buf_str(&answer)};
    if (curl_easy_header(client->curl, "Link", 0, CURLH_HEADER, -1, &link) == CURLHE_OK)
        out->link = str_copy(client->arena, str_of(link->value));
    return true;
}

bool client_call(struct client *client, enum http_method method, const char *target,
                 struct str body, struct app_answer *out)
{
    arena_reset(client->arena);
    if (client->curl != NULL)
        return call_server(client, method, target, body, out);
    if (app_call(client->app, client->arena, method, target, client->tenant, body, out) == OK)
        return true;
    fprintf(stderr, "touchpoint: the store did not answer\n");
    return false;
}

void client_print_problem(struct str problem)
{
    json_t *root = json_loadb(problem.ptr, problem.len, 0, NULL);
    const char *detail = json_string_value(json_object_get(root, "detail"));
    const char *title = json_string_value(json_object_get(root, "title"));
    size_t i;
    json_t *fault;

    fprintf(stderr, "touchpoint: %s\n",
            detail != NULL  ? detail
            : title != NULL ? title
                            : "the request was refused");
    json_array_foreach (json_object_get(root, "errors"), i, fault) {
        const char *field = json_string_value(json_object_get(fault, "field"));
        const char *message = json_string_value(json_object_get(fault, "message"));

        fprintf(stderr, "  %s %s\n", field != NULL ? field : "", message != NULL ? message : "");
    }
    json_decref(root);
}

bool client_call_fine(struct client *client, enum http_method method, const char *target,
                      struct str body, struct app_answer *out)
{
    if (!client_call(client, method, target, body, out))
        return false;
    if (out->status < 400)
        return true;
    client_print_problem(out->body);
    return false;
}
