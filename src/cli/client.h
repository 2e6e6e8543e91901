/* How a command reaches the data: by the owner-only socket of the server that holds the
 * data folder, or, where none runs, by opening the store itself. Either way it makes the
 * same requests as anybody else would, as the operator. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/options.h"
#include "http/app.h"

struct client;

/* NULL, with a sentence on stderr, when the store cannot be reached. */
struct client *client_open(const struct options *options);
void client_close(struct client *client);

/* One request. The answer lives until the next one. False, with a sentence on stderr, when
 * none came; an answer with an error status is an answer. */
bool client_call(struct client *client, enum http_method method, const char *target,
                 struct str body, struct app_answer *out);
/* The same; an error status is told on stderr (every fault a line) and gives false. */
bool client_call_fine(struct client *client, enum http_method method, const char *target,
                      struct str body, struct app_answer *out);
/* Prints a problem+json for people. */
void client_print_problem(struct str problem);
/* The store without a server: NULL when a server is behind this client. */
struct exec *client_exec(struct client *client);

/* The store that the options name; false with a sentence on stderr. `*url` is to be freed. */
bool store_options_from(const struct options *options, struct store_options *out, char **url);
/* Makes the data folder, for its owner only, if it is not there; false with a sentence on
 * stderr. For commands that begin a store: others take a folder that is not there for a
 * misspelt one. */
bool data_dir_make(const char *data_dir);
/* DIR/touchpoint.sock; false when the path is too long for a socket. */
bool admin_socket_path(const char *data_dir, char *out, size_t out_size);

#endif
