#include "app/login/login.h"

#include "app/login/login_sql.h"
#include "app/login/password.h"
#include "app/timeline/timeline.h"

struct account {
    struct uuid id;
    struct str email, name;
    struct str password_hash;
};
static const struct field account_fields[] = {
    FIELD(account, id, F_UUID, READ_ONLY),
    FIELD(account, email, F_TEXT, READ_ONLY),
    FIELD(account, name, F_TEXT, READ_ONLY),
    FIELD(account, password_hash, F_TEXT, READ_ONLY | NULLABLE),
};
static const struct record account_record = RECORD(account, account_fields);

/* --- Steps: transactions of a job that has none of its own -------------------------- */

struct step {
    struct ctx *cx;
    enum err (*fn)(struct ctx *cx, void *what);
    void *what;
};

static enum err run_step(void *context, struct db *db, struct id_source *ids)
{
    const struct step *step = context;
    struct ctx cx = *step->cx;

    cx.db = db;
    cx.ids = ids;
    error_clear(cx.error); /* it may run again */
    return step->fn(&cx, step->what);
}

static enum err in_transaction(struct ctx *cx, struct exec *exec, enum tx tx,
                               enum err (*fn)(struct ctx *cx, void *what), void *what)
{
    struct step step = {cx, fn, what};
    const enum err result = exec_transaction(exec, tx, run_step, &step);

    if (result == ERR_UNAVAILABLE && cx->error->code != ERR_UNAVAILABLE) {
        error_set(cx->error, result, "The store takes no work now.");
        cx->error->retry_after_s = 1;
    }
    return result;
}

/* --- Attempts ----------------------------------------------------------------------- */

/* A subject is counted where it belongs: an account of a tenant with the tenant, an address
 * and what no tenant has under an id that no tenant has. */
struct attempt {
    struct uuid tenant_id; /* UUID_MAX: there is no such tenant */
    struct str account;    /* subjects */
    struct str address;    /* ptr NULL: was not counted */
};

static struct str subject(struct arena *arena, const char *kind, struct str value)
{
    struct buf buf;

    /* Hashed, since people type passwords into the e-mail field. */
    buf_init(&buf, arena, 128);
    buf_add(&buf, str_of(kind));
    buf_add(&buf, text_digest(arena, value));
    return buf_str(&buf);
}

static struct attempt attempt_of(struct ctx *cx, struct uuid tenant_id, struct str email,
                                 struct str peer)
{
    return (struct attempt){
        .tenant_id = tenant_id,
        .account = subject(cx->arena, "account:", user_fold_email(cx->arena, email)),
        .address = peer.ptr != NULL ? subject(cx->arena, "address:", peer) : STR_NULL,
    };
}

static struct ctx for_tenant(const struct ctx *cx, struct uuid tenant_id)
{
    struct ctx out = *cx;

    out.actor.tenant_id = tenant_id;
    return out;
}

struct lock {
    struct maybe_int locked_until;
};
static const struct field lock_fields[] = {
    FIELD(lock, locked_until, F_TIME, READ_ONLY | NULLABLE),
};
static const struct record lock_record = RECORD(lock, lock_fields);

/* *wait_us is above 0 when it is locked. */
static enum err count_one(const struct ctx *caller, struct uuid tenant_id, struct str what,
                          int64_t most, int64_t *wait_us)
{
    struct ctx cx = for_tenant(caller, tenant_id);
    const int64_t window_start = cx.now_us - LOGIN_WINDOW_US;
    struct lock lock = {0};
    bool found = false;
    int64_t failures;

    *wait_us = 0;
    TRY(db_int(&cx, &sql_login_attempt,
               ARGS({"subject", v_text(what)}, {"window_start", v_time(window_start)},
                    {"most", v_int(most)}, {"lock_until", v_time(cx.now_us + LOGIN_LOCK_US)}),
               &failures));
    if (failures > 0)
        return OK;
    TRY(db_find(&cx, &sql_login_locked_until, ARGS({"subject", v_text(what)}), &lock_record, &lock,
                &found));
    *wait_us = lock.locked_until.value - cx.now_us;
    if (*wait_us < SECOND_US)
        *wait_us = SECOND_US;
    return OK;
}

/* The address first, always: two attempts never wait for each other crosswise. */
static enum err count_attempt(struct ctx *cx, const struct attempt *attempt, int64_t *wait_us)
{
    TRY(count_one(cx, UUID_MAX, attempt->address, LOGIN_ADDRESS_FAILURES, wait_us));
    if (*wait_us > 0)
        return OK;
    return count_one(cx, attempt->tenant_id, attempt->account, LOGIN_ACCOUNT_FAILURES, wait_us);
}

/* The account's failures are forgotten; of the address, which others share, this attempt. */
static enum err attempt_was_right(struct ctx *caller, const struct attempt *attempt)
{
    struct ctx anywhere = for_tenant(caller, UUID_MAX);
    struct ctx own = for_tenant(caller, attempt->tenant_id);

    if (attempt->address.ptr != NULL)
        TRY(db_run(&anywhere, &sql_login_attempt_right,
                   ARGS({"subject", v_text(attempt->address)})));
    return db_run(&own, &sql_login_attempts_forget, ARGS({"subject", v_text(attempt->account)}));
}

static enum err locked(struct ctx *cx, int64_t wait_us)
{
    cx->error->retry_after_s = (wait_us + SECOND_US - 1) / SECOND_US;
    return error_set(cx->error, ERR_TOO_MANY, "Too many attempts: wait before the next one.");
}

static enum err record(struct ctx *cx, struct uuid user_id, const char *event_type)
{
    return timeline_record(cx, &(struct event){.subject_type = STR("user"),
                                               .subject_id = user_id,
                                               .event_type = str_of(event_type),
                                               .category = CATEGORY_SYSTEM});
}

/* --- Signing in --------------------------------------------------------------------- */

struct signing_in {
    const struct sign_in *in;
    struct signed_in *out;
    struct attempt attempt;
    int64_t wait_us;
    struct account account; /* zero: there is none */
    struct str new_hash;
    bool still_right;
};

static enum err find_tenant(struct ctx *cx, struct str slug, struct tenant *out, bool *found)
{
    if (slug.ptr != NULL)
        return tenant_by_slug(cx, slug, out, found);
    TRY(tenant_only(cx, out, found));
    if (!*found)
        return error_fault(cx->error, "tenant", "required", "must be given");
    return OK;
}

static enum err begin_sign_in(struct ctx *cx, void *what)
{
    struct signing_in *to = what;
    bool found = false;

    TRY(find_tenant(cx, to->in->tenant, &to->out->tenant, &found));
    to->attempt =
        attempt_of(cx, found ? to->out->tenant.id : UUID_MAX, to->in->email, to->in->peer);
    TRY(count_attempt(cx, &to->attempt, &to->wait_us));
    cx->actor.tenant_id = to->attempt.tenant_id;
    return db_find(cx, &sql_login_user,
                   ARGS({"email_folded", v_text(user_fold_email(cx->arena, to->in->email))}),
                   &account_record, &to->account, &found);
}

static enum err finish_sign_in(struct ctx *cx, void *what)
{
    struct signing_in *to = what;
    struct signed_in *out = to->out;
    struct account now = {0};
    bool found = false;

    cx->actor.tenant_id = out->tenant.id;
    cx->actor.user_id = to->account.id;
    TRY(db_find(cx, &sql_login_user_locked, ARGS({"id", v_uuid(to->account.id)}), &account_record,
                &now, &found));
    to->still_right = found && str_equal(now.password_hash, to->account.password_hash);
    if (!to->still_right)
        return OK;
    TRY(attempt_was_right(cx, &to->attempt));
    TRY(db_run(cx, &sql_login_user_seen,
               ARGS({"id", v_uuid(now.id)}, {"password_hash", v_text(to->new_hash)})));
    TRY(db_run(cx, &sql_logins_expire, ARGS({"user_id", v_uuid(now.id)})));
    out->login_id = uuid_new(cx->ids, cx->now_us);
    out->expires_at = cx->now_us + to->in->life_us;
    TRY(db_run(cx, &sql_login_insert,
               ARGS({"id", v_uuid(out->login_id)}, {"user_id", v_uuid(now.id)},
                    {"secret_hash", v_bytes(login_secret_hash(&out->secret))},
                    {"csrf_hash", v_bytes(to->in->csrf_hash)},
                    {"expires_at", v_time(out->expires_at)})));
    TRY(user_get(cx, now.id, &out->user));
    return record(cx, now.id, "user_signed_in");
}

static enum err wrong(struct ctx *cx)
{
    return error_set(cx->error, ERR_UNAUTHENTICATED,
                     "The tenant, the e-mail address or the password is wrong.");
}

enum err login_sign_in(struct ctx *cx, struct exec *exec, const struct sign_in *in,
                       struct signed_in *out)
{
    struct signing_in to = {.in = in, .out = out};
    bool right = false;

    TRY(in_transaction(cx, exec, TX_WRITE, begin_sign_in, &to));
    if (to.wait_us > 0)
        return locked(cx, to.wait_us);
    TRY(password_check(cx, in->password, to.account.password_hash, &right));
    if (!right)
        return wrong(cx);
    to.new_hash = to.account.password_hash;
    if (password_is_dated(to.new_hash))
        TRY(password_hash(cx, in->password, &to.new_hash));
    login_secret_make(&out->secret);
    TRY(in_transaction(cx, exec, TX_WRITE, finish_sign_in, &to));
    return to.still_right ? OK : wrong(cx);
}

enum err login_sign_out(struct ctx *cx)
{
    TRY(db_run(cx, &sql_login_delete, ARGS({"id", v_uuid(cx->actor.credential_id)})));
    return db_changed(cx) > 0 ? record(cx, cx->actor.user_id, "user_signed_out") : OK;
}

/* --- Passwords ---------------------------------------------------------------------- */

struct setting_password {
    struct uuid tenant_id, user_id;
    struct uuid token_id; /* none: not by a token */
    struct login_secret token;
    struct uuid kept_login; /* stays signed in */
    bool by_current;        /* `current` must still be the password, and was an attempt */
    struct str peer;
    struct attempt attempt;
    int64_t wait_us;
    const char *field; /* of `password` in the body */
    struct str password;
    struct account account;
    struct str new_hash;
};

static enum err bad_token(struct ctx *cx)
{
    return error_fault(cx->error, "token", "invalid_token",
                       "is unknown, was used already, or has expired");
}

static enum err check_choice(struct ctx *cx, const struct setting_password *to)
{
    return password_check_choice(cx, to->field, to->password, to->account.email, to->account.name);
}

static enum err find_by_token(struct ctx *cx, void *what)
{
    struct setting_password *to = what;
    bool found = false;

    cx->actor.tenant_id = to->tenant_id;
    TRY(db_find(
        cx, &sql_login_token_user,
        ARGS({"id", v_uuid(to->token_id)}, {"secret_hash", v_bytes(login_secret_hash(&to->token))}),
        &account_record, &to->account, &found));
    return found ? check_choice(cx, to) : bad_token(cx);
}

static enum err find_by_id(struct ctx *cx, void *what)
{
    struct setting_password *to = what;

    TRY(db_one(cx, &sql_login_user_by_id, ARGS({"id", v_uuid(to->user_id)}), &account_record,
               &to->account));
    return check_choice(cx, to);
}

static enum err find_and_count(struct ctx *cx, void *what)
{
    struct setting_password *to = what;

    TRY(find_by_id(cx, what));
    to->attempt = attempt_of(cx, to->tenant_id, to->account.email, to->peer);
    return count_attempt(cx, &to->attempt, &to->wait_us);
}

static enum err wrong_password(struct ctx *cx)
{
    return error_fault(cx->error, "current_password", "wrong", "is wrong");
}

static enum err write_password(struct ctx *cx, void *what)
{
    struct setting_password *to = what;
    struct account now = {0};

    cx->actor.tenant_id = to->tenant_id;
    TRY(db_one(cx, &sql_login_user_locked, ARGS({"id", v_uuid(to->account.id)}), &account_record,
               &now));
    if (to->by_current && !str_equal(now.password_hash, to->account.password_hash))
        return wrong_password(cx);
    if (!uuid_is_none(to->token_id)) {
        cx->actor.user_id = now.id;
        TRY(db_run(cx, &sql_login_token_use,
                   ARGS({"id", v_uuid(to->token_id)},
                        {"secret_hash", v_bytes(login_secret_hash(&to->token))})));
        if (db_changed(cx) == 0)
            return bad_token(cx);
    }
    TRY(db_run(cx, &sql_login_password_set,
               ARGS({"id", v_uuid(now.id)}, {"password_hash", v_text(to->new_hash)})));
    TRY(attempt_was_right(cx, &to->attempt));
    TRY(user_revoke_logins(cx, now.id, to->kept_login));
    return record(cx, now.id, "password_changed");
}

static enum err save_password(struct ctx *cx, struct exec *exec, struct setting_password *to)
{
    TRY(password_hash(cx, to->password, &to->new_hash));
    return in_transaction(cx, exec, TX_WRITE, write_password, to);
}

enum err login_set_password_by_token(struct ctx *cx, struct exec *exec, struct str token,
                                     struct str password)
{
    struct setting_password to = {.field = "password", .password = password};

    if (!token_parse(token, &to.tenant_id, &to.token_id, &to.token))
        return bad_token(cx);
    TRY(in_transaction(cx, exec, TX_READ, find_by_token, &to));
    to.attempt = attempt_of(cx, to.tenant_id, to.account.email, STR_NULL);
    return save_password(cx, exec, &to);
}

enum err login_change_password(struct ctx *cx, struct exec *exec, struct str peer,
                               struct str current, struct str password)
{
    struct setting_password to = {.tenant_id = cx->actor.tenant_id,
                                  .user_id = cx->actor.user_id,
                                  .kept_login = cx->actor.credential_id,
                                  .by_current = true,
                                  .field = "new_password",
                                  .password = password,
                                  .peer = peer};
    bool right = false;

    TRY(in_transaction(cx, exec, TX_WRITE, find_and_count, &to));
    if (to.wait_us > 0)
        return locked(cx, to.wait_us);
    TRY(password_check(cx, current, to.account.password_hash, &right));
    return right ? save_password(cx, exec, &to) : wrong_password(cx);
}

enum err login_set_password(struct ctx *cx, struct exec *exec, struct uuid user_id,
                            struct str password)
{
    struct setting_password to = {.tenant_id = cx->actor.tenant_id,
                                  .user_id = user_id,
                                  .field = "password",
                                  .password = password};

    TRY(in_transaction(cx, exec, TX_READ, find_by_id, &to));
    to.attempt = attempt_of(cx, to.tenant_id, to.account.email, STR_NULL);
    return save_password(cx, exec, &to);
}
