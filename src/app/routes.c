#include "app/routes.h"

extern const struct resource company_resource;
extern const struct resource customer_resource;
extern const struct resource session_resource;
extern const struct resource customer_session_resource;
extern const struct resource interaction_resource;
extern const struct resource import_resource;
extern const struct resource key_resource;
extern const struct resource login_resource;
extern const struct resource me_resource;
extern const struct resource tenant_resource;
extern const struct resource tenants_resource;
extern const struct resource user_resource;

const struct resource *const app_resources[] = {
    &login_resource,    &me_resource,      &tenant_resource,           &tenants_resource,
    &user_resource,     &key_resource,     &customer_session_resource, &session_resource,
    &customer_resource, &company_resource, &interaction_resource,      &import_resource,
};
const size_t app_resource_count = COUNT_OF(app_resources);
