#include "app/timeline/audit.h"

#include "http/app.h"

extern const struct resource audit_resource;

static enum err checkpoint(struct req *rq)
{
    const uint8_t *key = app_settings(rq->app)->audit_key;
    struct checkpoint made;

    if (key == NULL)
        return error_set(rq->cx.error, ERR_UNAVAILABLE, "This server has no key to sign with.");
    TRY(audit_checkpoint(&rq->cx, key, &made));
    return reply_record(rq, &checkpoint_record, &made);
}

static const struct route routes[] = {
    {HTTP_GET, "/checkpoint", ROLE_ADMIN, TX_READ, checkpoint,
     "Get where the chain of sealed events stands, signed", ANSWER_RECORD,
     .answer = &checkpoint_record},
};
static const char *const mounts[] = {"/audit"};
const struct resource audit_resource = {"audit", mounts, COUNT_OF(mounts), routes,
                                        COUNT_OF(routes)};
