/* What every domain function works with. No globals: the transaction, the memory,
 * the caller, the clock and the source of ids are all here, so that a test decides. */
#ifndef DB_CTX_H
#define DB_CTX_H

#include "base/actor.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "base/uuid.h"

struct db;

struct ctx {
    struct db *db;
    struct arena *arena;
    struct error *error;
    struct actor actor;
    int64_t now_us;
    struct id_source *ids;
};

#endif
