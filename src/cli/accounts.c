/* touchpoint tenant|user|key: thin requests to the routes of the same names. The answer is
 * printed as JSON, so that a script can read it; secrets are in it once. */
#include "base/buf.h"
#include "cli/client.h"
#include "cli/command.h"
#include "json/json.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define REQUEST_MAX KIB(16)
#define TARGET_TEXT_MAX 1024

/* Prints the answer: indented where people read, in one line where programs do. */
static void print_answer(struct str body)
{
    json_t *root = json_loadb(body.ptr, body.len, JSON_DECODE_ANY, NULL);

    if (root != NULL) {
        json_dumpf(root, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
        putchar('\n');
    }
    json_decref(root);
}

static int request(const struct options *options, enum http_method method, const char *target,
                   struct str body)
{
    struct client *client = client_open(options);
    struct app_answer answer;
    int status = EXIT_FAILED;

    if (client == NULL)
        return EXIT_FAILED;
    if (client_call_fine(client, method, target, body, &answer)) {
        if (answer.body.len > 0)
            print_answer(answer.body);
        status = EXIT_FINE;
    }
    client_close(client);
    return status;
}

/* Writes "name": value for an option that was given. */
static void put_option(struct json_out *out, const struct options *options, const char *option,
                       const char *member)
{
    const char *value = option_text(options, option);

    if (value == NULL)
        return;
    json_key(out, str_of(member));
    json_text(out, str_of(value));
}

static int post(const struct options *options, const char *target,
                void (*put)(struct json_out *out, const struct options *options))
{
    struct buf buf;
    struct json_out out;
    int status;

    buf_init(&buf, NULL, REQUEST_MAX);
    json_out_init(&out, &buf);
    json_object_begin(&out);
    put(&out, options);
    json_object_end(&out);
    status = request(options, HTTP_POST, target, buf_str(&buf));
    buf_clear(&buf);
    return status;
}

/* tenant --------------------------------------------------------------------------- */

static void put_tenant(struct json_out *out, const struct options *options)
{
    JSON_KEY(out, "name");
    json_text(out, str_of(options->operands[0]));
    put_option(out, options, "slug", "slug");
    put_option(out, options, "timezone", "timezone");
    put_option(out, options, "admin", "admin_email");
    put_option(out, options, "admin-name", "admin_name");
    if (option_switch(options, "key")) {
        JSON_KEY(out, "key");
        json_bool(out, true);
    }
}

static int tenant_create(const struct options *options)
{
    if (!data_dir_make(option_text(options, "data")))
        return EXIT_FAILED;
    return post(options, "/api/v1/tenants", put_tenant);
}

static int tenant_list(const struct options *options)
{
    return request(options, HTTP_GET, "/api/v1/tenants?limit=200", STR_NULL);
}

/* user ----------------------------------------------------------------------------- */

/* The id of the user with that address, as its own text. */
static bool find_user(struct client *client, const char *email, char id[UUID_TEXT_LEN + 1])
{
    char *escaped = curl_easy_escape(NULL, email, 0);
    char target[TARGET_TEXT_MAX];
    struct app_answer answer;
    const char *text;
    json_t *root;
    bool found;

    snprintf(target, sizeof target, "/api/v1/users?email=%s", escaped != NULL ? escaped : "");
    curl_free(escaped);
    if (!client_call_fine(client, HTTP_GET, target, STR_NULL, &answer))
        return false;
    root = json_loadb(answer.body.ptr, answer.body.len, 0, NULL);
    text =
        json_string_value(json_object_get(json_array_get(json_object_get(root, "data"), 0), "id"));
    found = text != NULL;
    if (found)
        snprintf(id, UUID_TEXT_LEN + 1, "%s", text);
    else
        fprintf(stderr, "touchpoint: no user has the address %s\n", email);
    json_decref(root);
    return found;
}

static void put_user(struct json_out *out, const struct options *options)
{
    JSON_KEY(out, "email");
    json_text(out, str_of(options->operands[0]));
    put_option(out, options, "name", "name");
    put_option(out, options, "role", "role");
}

static int user_invite(const struct options *options)
{
    return post(options, "/api/v1/users", put_user);
}

static int user_list(const struct options *options)
{
    return request(options, HTTP_GET, "/api/v1/users?limit=200", STR_NULL);
}

/* POST /users/{id}/ACTION for the user whose address is the first operand. */
static int user_action(const struct options *options, const char *action, struct str body)
{
    struct client *client = client_open(options);
    char id[UUID_TEXT_LEN + 1];
    char target[TARGET_TEXT_MAX];
    struct app_answer answer;
    int status = EXIT_FAILED;

    if (client == NULL)
        return EXIT_FAILED;
    if (find_user(client, options->operands[0], id)) {
        snprintf(target, sizeof target, "/api/v1/users/%s/%s", id, action);
        if (client_call_fine(client, HTTP_POST, target, body, &answer)) {
            if (answer.body.len > 0)
                print_answer(answer.body);
            status = EXIT_FINE;
        }
    }
    client_close(client);
    return status;
}

static int user_reset(const struct options *options)
{
    return user_action(options, "reset", STR_NULL);
}

static int user_deactivate(const struct options *options)
{
    const char *heir = option_text(options, "reassign-to");
    struct client *client;
    char id[UUID_TEXT_LEN + 1];
    char body[TARGET_TEXT_MAX];

    if (heir == NULL)
        return user_action(options, "deactivate", STR("{}"));
    client = client_open(options);
    if (client == NULL)
        return EXIT_FAILED;
    if (!find_user(client, heir, id)) {
        client_close(client);
        return EXIT_FAILED;
    }
    client_close(client);
    snprintf(body, sizeof body, "{\"reassign_to\":\"%s\"}", id);
    return user_action(options, "deactivate", str_of(body));
}

/* A line typed without being shown, or the first line of standard input. */
static bool read_password(char *out, int out_size)
{
    struct termios before;
    const bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    bool fine;

    if (terminal) {
        struct termios hidden = before;

        hidden.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
        fprintf(stderr, "New password: ");
    }
    fine = fgets(out, out_size, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (fine)
        out[strcspn(out, "\r\n")] = '\0';
    return fine;
}

static int user_password(const struct options *options)
{
    char password[1024];
    struct buf buf;
    struct json_out out;
    int status;

    if (!read_password(password, sizeof password)) {
        fprintf(stderr, "touchpoint: the password is read from standard input\n");
        return EXIT_USAGE;
    }
    buf_init(&buf, NULL, REQUEST_MAX);
    json_out_init(&out, &buf);
    json_object_begin(&out);
    JSON_KEY(&out, "password");
    json_text(&out, str_of(password));
    json_object_end(&out);
    status = user_action(options, "password", buf_str(&buf));
    explicit_bzero(password, sizeof password);
    explicit_bzero(buf.ptr, buf.len);
    buf_clear(&buf);
    return status;
}

/* key ------------------------------------------------------------------------------ */

static int key_create(const struct options *options)
{
    struct client *client = client_open(options);
    char id[UUID_TEXT_LEN + 1];
    struct buf buf;
    struct json_out out;
    struct app_answer answer;
    int status = EXIT_FAILED;

    if (client == NULL)
        return EXIT_FAILED;
    buf_init(&buf, NULL, REQUEST_MAX);
    json_out_init(&out, &buf);
    if (find_user(client, options->operands[0], id)) {
        json_object_begin(&out);
        JSON_KEY(&out, "user_id");
        json_text(&out, str_of(id));
        put_option(&out, options, "name", "name");
        put_option(&out, options, "role", "role");
        put_option(&out, options, "expires-at", "expires_at");
        json_object_end(&out);
        if (client_call_fine(client, HTTP_POST, "/api/v1/keys", buf_str(&buf), &answer)) {
            print_answer(answer.body);
            status = EXIT_FINE;
        }
    }
    buf_clear(&buf);
    client_close(client);
    return status;
}

static int key_list(const struct options *options)
{
    return request(options, HTTP_GET, "/api/v1/keys?limit=200", STR_NULL);
}

static int key_revoke(const struct options *options)
{
    char target[TARGET_TEXT_MAX];
    struct uuid id;

    if (!uuid_parse(str_of(options->operands[0]), &id)) {
        fprintf(stderr, "touchpoint: a key is named by its id (see key list)\n");
        return EXIT_USAGE;
    }
    snprintf(target, sizeof target, "/api/v1/keys/%s", options->operands[0]);
    return request(options, HTTP_DELETE, target, STR_NULL);
}

static const struct option store_only[] = {STORE_OPTIONS};
static const struct option in_tenant[] = {STORE_OPTIONS, OPTION_TENANT};
static const struct option tenant_create_options[] = {
    STORE_OPTIONS,
    {"slug", "SLUG", NULL, "its name in addresses and sign-in; made from NAME if left out"},
    {"timezone", "ZONE", NULL, "an IANA name; UTC if left out"},
    {"admin", "EMAIL", NULL, "makes its first user, an admin"},
    {"admin-name", "NAME", NULL, "what the first user is called"},
    {"key", NULL, NULL, "also makes an API key for that user"},
};
static const struct option user_invite_options[] = {
    STORE_OPTIONS,
    OPTION_TENANT,
    {"name", "NAME", NULL, "what the user is called"},
    {"role", "ROLE", "agent", "viewer, agent, manager or admin"},
};
static const struct option user_deactivate_options[] = {
    STORE_OPTIONS,
    OPTION_TENANT,
    {"reassign-to", "EMAIL", NULL, "who takes over customers, companies and follow-ups"},
};
static const struct option key_create_options[] = {
    STORE_OPTIONS,
    OPTION_TENANT,
    {"name", "NAME", "command line", "what the key is for"},
    {"role", "ROLE", "agent", "at most the user's own"},
    {"expires-at", "TIME", NULL, "RFC 3339; never if left out"},
};

#define OPTIONS(table) table, COUNT_OF(table)

const struct command command_tenant_create = {"tenant create",
                                              "NAME",
                                              "make a tenant, its first admin and a key",
                                              OPTIONS(tenant_create_options),
                                              1,
                                              1,
                                              tenant_create};
const struct command command_tenant_list = {
    "tenant list", "", "list the tenants", OPTIONS(store_only), 0, 0, tenant_list};
const struct command command_user_invite = {
    "user invite",
    "EMAIL",
    "make a user and a one-time token for the first password",
    OPTIONS(user_invite_options),
    1,
    1,
    user_invite};
const struct command command_user_list = {"user list", "", "list the users", OPTIONS(in_tenant),
                                          0,           0,  user_list};
const struct command command_user_reset = {
    "user reset", "EMAIL", "make a one-time token for a new password", OPTIONS(in_tenant), 1, 1,
    user_reset};
const struct command command_user_password = {
    "user password", "EMAIL", "set a password, read from standard input", OPTIONS(in_tenant), 1, 1,
    user_password};
const struct command command_user_deactivate = {"user deactivate",
                                                "EMAIL",
                                                "end a user's access and hand over what was theirs",
                                                OPTIONS(user_deactivate_options),
                                                1,
                                                1,
                                                user_deactivate};
const struct command command_key_create = {"key create",
                                           "EMAIL",
                                           "make an API key of that user, shown once",
                                           OPTIONS(key_create_options),
                                           1,
                                           1,
                                           key_create};
const struct command command_key_list = {
    "key list", "", "list the API keys", OPTIONS(in_tenant), 0, 0, key_list};
const struct command command_key_revoke = {
    "key revoke", "ID", "end an API key", OPTIONS(in_tenant), 1, 1, key_revoke};
