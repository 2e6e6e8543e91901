#include "app/routes.h"

extern const struct resource attempt_resource;
extern const struct resource attempt_response_resource;
extern const struct resource audit_resource;
extern const struct resource company_resource;
extern const struct resource contact_check_resource;
extern const struct resource contact_event_resource;
extern const struct resource contact_token_resource;
extern const struct resource customer_resource;
extern const struct resource customer_merge_resource;
extern const struct resource export_resource;
extern const struct resource event_resource;
extern const struct resource report_resource;
extern const struct resource session_event_resource;
extern const struct resource session_resource;
extern const struct resource customer_session_resource;
extern const struct resource interaction_resource;
extern const struct resource import_resource;
extern const struct resource key_resource;
extern const struct resource login_resource;
extern const struct resource me_resource;
extern const struct resource outreach_policy_resource;
extern const struct resource socketio_resource;
extern const struct resource stream_resource;
extern const struct resource stream_ticket_resource;
extern const struct resource tenant_resource;
extern const struct resource tenants_resource;
extern const struct resource user_resource;

const struct resource *const app_resources[] = {
    &contact_token_resource,
    &stream_ticket_resource,
    &stream_resource,
    &socketio_resource,
    &login_resource,
    &me_resource,
    &tenant_resource,
    &tenants_resource,
    &user_resource,
    &key_resource,
    &customer_session_resource,
    &session_resource,
    &customer_resource,
    &company_resource,
    &interaction_resource,
    &attempt_resource,
    &attempt_response_resource,
    &import_resource,
    &audit_resource,
    &customer_merge_resource,
    &outreach_policy_resource,
    &contact_check_resource,
    &event_resource,
    &contact_event_resource,
    &session_event_resource,
    &export_resource,
    &report_resource,
};
const size_t app_resource_count = COUNT_OF(app_resources);
