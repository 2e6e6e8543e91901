/* The commands: a table. Each gets its options and says with which status to end. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

struct command {
    const char *name;     /* "tenant create": up to two words */
    const char *operands; /* what follows the options: "NAME", or "" */
    const char *summary;
    const struct option *options;
    size_t option_count;
    size_t operands_least, operands_most;
    int (*run)(const struct options *options);
};

extern const struct command command_serve, command_migrate, command_import, command_backup,
    command_restore, command_tenant_create, command_tenant_list, command_user_invite,
    command_user_list, command_user_reset, command_user_password, command_user_deactivate,
    command_key_create, command_key_list, command_key_revoke, command_audit_checkpoint,
    command_audit_verify, command_export_timeline;

/* Options that several commands share. */
#define OPTION_CONFIG                                                                              \
    {                                                                                              \
        "config", "FILE", NULL, "lines of `option = value`; flags and environment come first"      \
    }
#define OPTION_DATA                                                                                \
    {                                                                                              \
        "data", "DIR", "touchpoint-data", "folder of the SQLite store, the lock and the socket"    \
    }
#define OPTION_DB                                                                                  \
    {                                                                                              \
        "db", "URL", NULL, "postgresql://…; without it the store is SQLite in the data folder"   \
    }
#define OPTION_DB_FILE                                                                             \
    {                                                                                              \
        "db-file", "FILE", NULL, "holds the URL, so that no password is in sight"                  \
    }
#define OPTION_DB_POOLED                                                                           \
    {                                                                                              \
        "db-pooled", NULL, NULL, "the URL leads through PgBouncer in transaction mode"             \
    }
#define OPTION_DB_LISTEN                                                                           \
    {                                                                                              \
        "db-listen", "URL", NULL, "past PgBouncer, for what other nodes tell; without it none do"  \
    }
#define OPTION_TENANT                                                                              \
    {                                                                                              \
        "tenant", "SLUG", NULL, "whose data; where there is one tenant it need not be said"        \
    }
#define OPTION_AUDIT_KEY                                                                           \
    {                                                                                              \
        "audit-key", "FILE", NULL,                                                                 \
            "what signs checkpoints; without it audit.key in the data folder, made if need be"     \
    }

#define STORE_OPTIONS OPTION_CONFIG, OPTION_DATA, OPTION_DB, OPTION_DB_FILE, OPTION_DB_POOLED

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#endif
