#include "app/login/login.h"

#include "app/login/password.h"
#include "db/credential.h"
#include "http/app.h"
#include "http/route.h"

extern const struct resource login_resource;

/* --- Signing in and out ------------------------------------------------------------- */

struct credentials {
    struct str tenant, email, password;
};
static const struct field credentials_fields[] = {
    FIELD(credentials, tenant, F_TEXT, ONE_LINE, .min = 1, .max = 63,
          .doc = "The tenant's slug; may be left out where there is one tenant",
          .example = "\"acme\""),
    FIELD(credentials, email, F_TEXT, REQUIRED | ONE_LINE, .min = 1, .max = 254,
          .example = "\"ada@example.com\""),
    FIELD(credentials, password, F_TEXT, REQUIRED | WRITE_ONLY, .min = 1, .max = PASSWORD_MAX),
};
static const struct record credentials_record =
    RECORD_NAMED("SignIn", credentials, credentials_fields);

struct login_answer {
    struct user user;
    struct tenant tenant;
    struct str csrf_token;
    int64_t expires_at;
};
static const struct field login_answer_fields[] = {
    FIELD(login_answer, user, F_OBJECT, READ_ONLY, .record = &user_record),
    FIELD(login_answer, tenant, F_OBJECT, READ_ONLY, .record = &tenant_record),
    FIELD(login_answer, csrf_token, F_TEXT, READ_ONLY | SECRET,
          .doc = "Goes into X-CSRF-Token of every request that changes something"),
    FIELD(login_answer, expires_at, F_TIME, READ_ONLY, .doc = "Use puts it off"),
};
static const struct record login_answer_record =
    RECORD_NAMED("SignedIn", login_answer, login_answer_fields);

/* `value` empty and `age_s` 0 make the browser forget it. */
static enum err set_cookie(struct req *rq, struct str value, int64_t age_s)
{
    struct buf buf;

    buf_init(&buf, rq->cx.arena, 512);
    buf_addf(&buf, "%s=%.*s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s", LOGIN_COOKIE,
             STR_FMT(value), (long long)age_s, rq->exchange->request.secure ? "; Secure" : "");
    if (buf_failed(&buf))
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The answer is larger than is allowed.");
    http_header_add(rq->exchange, "Set-Cookie", buf_str(&buf));
    return OK;
}

static enum err sign_in(struct req *rq)
{
    const struct credentials *given = rq->body;
    char *csrf = arena_alloc(rq->cx.arena, SECRET_TEXT_LEN);
    uint8_t csrf_hash[SECRET_HASH_BYTES];
    struct sign_in in = {given->tenant,
                         given->email,
                         given->password,
                         rq->exchange->request.peer,
                         {(const char *)csrf_hash, sizeof csrf_hash},
                         LOGIN_IDLE_US};
    struct signed_in made = {0};
    struct login_answer answer = {0};
    struct credential cookie = {0};
    char text[LOGIN_COOKIE_LEN];

    if (csrf == NULL)
        return error_set(rq->cx.error, ERR_TOO_LARGE, "The answer is larger than is allowed.");
    secret_new(csrf);
    secret_hash((struct str){csrf, SECRET_TEXT_LEN}, csrf_hash);
    TRY(login_sign_in(&rq->cx, app_exec(rq->app), &in, &made));
    cookie.tenant_id = made.tenant.id;
    cookie.id = made.login_id;
    memcpy(cookie.secret, made.secret.bytes, sizeof cookie.secret);
    credential_cookie_text(&cookie, text);
    TRY(set_cookie(rq, (struct str){text, sizeof text}, LOGIN_LIFE_US / SECOND_US));
    answer.user = made.user;
    answer.tenant = made.tenant;
    answer.csrf_token = (struct str){csrf, SECRET_TEXT_LEN};
    answer.expires_at = made.expires_at;
    return reply_record(rq, &login_answer_record, &answer);
}

static enum err sign_out(struct req *rq)
{
    TRY(login_sign_out(&rq->cx));
    TRY(set_cookie(rq, STR(""), 0));
    return reply_none(rq);
}

/* --- Passwords ---------------------------------------------------------------------- */

struct password_body {
    struct str token, current_password, password;
};
#define NEW_PASSWORD .min = PASSWORD_MIN, .max = PASSWORD_MAX

static const struct field by_token_fields[] = {
    FIELD(password_body, token, F_TEXT, REQUIRED | ONE_LINE | WRITE_ONLY, .min = 1, .max = 200),
    FIELD(password_body, password, F_TEXT, REQUIRED | WRITE_ONLY, NEW_PASSWORD),
};
static const struct record by_token_record =
    RECORD_NAMED("PasswordByToken", password_body, by_token_fields);

static const struct field own_password_fields[] = {
    FIELD(password_body, current_password, F_TEXT, REQUIRED | WRITE_ONLY, .min = 1,
          .max = PASSWORD_MAX),
    FIELD_AS(password_body, "new_password", password, F_TEXT, REQUIRED | WRITE_ONLY, NEW_PASSWORD),
};
static const struct record own_password_record =
    RECORD_NAMED("PasswordChange", password_body, own_password_fields);

static const struct field set_password_fields[] = {
    FIELD(password_body, password, F_TEXT, REQUIRED | WRITE_ONLY, NEW_PASSWORD),
};
static const struct record set_password_record =
    RECORD_NAMED("PasswordSet", password_body, set_password_fields);

static enum err password_by_token(struct req *rq)
{
    const struct password_body *body = rq->body;

    TRY(login_set_password_by_token(&rq->cx, app_exec(rq->app), body->token, body->password));
    return reply_none(rq);
}

static enum err own_password(struct req *rq)
{
    const struct password_body *body = rq->body;

    TRY(login_change_password(&rq->cx, app_exec(rq->app), rq->exchange->request.peer,
                              body->current_password, body->password));
    return reply_none(rq);
}

static enum err password_of_user(struct req *rq)
{
    const struct password_body *body = rq->body;
    struct uuid id;

    TRY(path_id(rq, 0, &id));
    TRY(login_set_password(&rq->cx, app_exec(rq->app), id, body->password));
    return reply_none(rq);
}

static const struct route routes[] = {
    {HTTP_POST, "/login", ROLE_PUBLIC, TX_NONE, sign_in, "Sign in a browser", ANSWER_RECORD,
     .answer = &login_answer_record, .body = &credentials_record, .flags = ROUTE_NO_CSRF},
    {HTTP_POST, "/logout", ROLE_VIEWER, TX_WRITE, sign_out, "Sign this browser out", ANSWER_NONE,
     .answer = NULL},
    {HTTP_POST, "/password", ROLE_PUBLIC, TX_NONE, password_by_token,
     "Set a password by an invitation or a reset token", ANSWER_NONE, .body = &by_token_record,
     .flags = ROUTE_NO_CSRF},
    {HTTP_POST, "/me/password", ROLE_VIEWER, TX_NONE, own_password, "Change the own password",
     ANSWER_NONE, .body = &own_password_record},
    {HTTP_POST, "/users/{id}/password", ROLE_OPERATOR, TX_NONE, password_of_user,
     "Set a user's password", ANSWER_NONE, .body = &set_password_record},
};
static const char *const mounts[] = {""};
const struct resource login_resource = {"login", mounts, COUNT_OF(mounts), routes,
                                        COUNT_OF(routes)};
