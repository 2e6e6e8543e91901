#include "live/identity.h"

#include <string.h>

static void cut_name(struct str name, char *out, size_t size)
{
    size_t len = name.len < size ? name.len : size - 1;

    /* Not in the middle of a character. */
    while (len < name.len && len > 0 && ((unsigned char)name.ptr[len] & 0xC0) == 0x80)
        len--;
    if (len > 0)
        memcpy(out, name.ptr, len);
    memset(out + len, 0, size - len);
}

void identity_of(const struct actor *actor, struct identity *out)
{
    *out = (struct identity){
        .tenant_id = actor->tenant_id,
        .user_id = actor->user_id,
        .contact_id = actor->contact_id,
        .credential_id = actor->credential_id,
        .credential_kind = (char)actor->credential_kind,
        .may_follow_tenant = actor->role >= ROLE_AGENT,
        .may_audit = actor->role >= ROLE_ADMIN,
        .expires_us = actor->credential_expires_us,
    };
    cut_name(actor->user_name, out->name, sizeof(out->name));
}

bool identity_lost(const struct identity *was, const struct identity *now)
{
    return !uuid_equal(was->tenant_id, now->tenant_id) || !uuid_equal(was->user_id, now->user_id) ||
           !uuid_equal(was->contact_id, now->contact_id) ||
           (was->may_follow_tenant && !now->may_follow_tenant) ||
           (was->may_audit && !now->may_audit);
}
