/* What a transaction wants known once it is on disk, and not before: that events were
 * written, sealed, or read. Dropped with the job or savepoint that rolls back. A notice is a
 * hint: the tables are the truth, and who heard nothing finds it there. */
#ifndef DB_NOTICE_H
#define DB_NOTICE_H

#include "db/ctx.h"
#include "db/exec.h"

enum notice_kind {
    NOTICE_WRITTEN = 1, /* PostgreSQL: events wait for their seal */
    NOTICE_SEALED,      /* an event has its number */
    NOTICE_READ,        /* a user has read events: their other screens are told */
};

struct notice {
    enum notice_kind kind;
    struct uuid tenant_id;
    int64_t number;           /* SEALED */
    struct uuid event_id;     /* SEALED; READ: the event, or the last one of "up to here" */
    struct uuid timeline_id;  /* SEALED: the customer; READ: whose timeline, when `up_to` */
    struct uuid addressee_id; /* SEALED: the user it is for; READ: the user who read */
    struct uuid subject_id;   /* SEALED: the event's: the user, key, sign-in or token whose rights
                                 may have changed by it, or what else it is about */
    int64_t at_us;            /* READ: when */
    bool up_to;               /* READ: this one and all before it */
};

/* In a write transaction. */
enum err db_notify(struct ctx *cx, const struct notice *notice);

/* Who is told, in the order of commits on SQLite: called on a store thread after each commit
 * that left notices and before its jobs are done(), with all of that commit. Must not block,
 * nor use the store there (it may submit jobs). Up to four callers, in the order of these calls;
 * before there are jobs, or never again. */
void exec_on_commit(struct exec *exec,
                    void (*committed)(void *context, const struct notice *notices, size_t count),
                    void *context);

/* Between the nodes of one PostgreSQL: short texts (up to NOTICE_TEXT_MAX), heard by every
 * node that listens, this one too. Nothing waits for them and they may be lost. On SQLite,
 * where there is one node, nothing is sent and nothing heard. */
#define NOTICE_TEXT_MAX 7900

/* Any thread, after exec_listen(); the text is copied. False: not taken (no memory, too many
 * wait because the store is away, SQLite). */
bool exec_announce(struct exec *exec, struct str text);
/* `heard` is called on a thread of the store's own with each text, and with STR_NULL when
 * some may have been lost (at the first connection, and after each that broke). By way of a
 * pooler (store_options.pooled) it listens at store_options.listen_url, and not at all where
 * that is NULL. Once; ends with exec_close(). ERR_UNAVAILABLE without a thread. */
enum err exec_listen(struct exec *exec, void (*heard)(void *context, struct str text),
                     void *context);
/* Whether texts are heard right now. True on SQLite. */
bool exec_hears(struct exec *exec);

#endif
