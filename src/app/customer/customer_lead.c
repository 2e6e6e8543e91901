#include "app/customer/customer_lead.h"

#include "app/customer/customer_sql.h"

/* clang-format off */
#define WALK_BY_NAME(lead)                                                                         \
    {&sql_customer_page_##lead##_by_name, &sql_customer_filtered_##lead##_by_name,                 \
     &sql_customer_edge_##lead##_by_name, &sql_customer_count_##lead##_by_name, NULL}
#define WALK_BY_CONTACT(lead, order)                                                               \
    {&sql_customer_page_##lead##_##order, &sql_customer_filtered_##lead##_##order,                 \
     &sql_customer_edge_##lead##_##order, &sql_customer_count_##lead##_by_contact,                 \
     &sql_customer_entries_##lead##_by_contact}

#define BY_NAME(lead) [CUSTOMERS_BY_NAME] = WALK_BY_NAME(lead)
#define BY_CONTACT(lead)                                                                           \
    [CUSTOMERS_LONGEST_AGO] = WALK_BY_CONTACT(lead, longest_ago),                                  \
    [CUSTOMERS_LATEST] = WALK_BY_CONTACT(lead, latest)

#define FEW_BY_NAME(lead) [CUSTOMERS_BY_NAME] = &sql_customer_few_##lead##_by_name
#define FEW_BY_CONTACT(lead)                                                                       \
    [CUSTOMERS_LONGEST_AGO] = &sql_customer_few_##lead##_longest_ago,                              \
    [CUSTOMERS_LATEST] = &sql_customer_few_##lead##_latest
/* clang-format on */

const struct customer_lead customers_by_all = {.total = "customers",
                                               .walks = {BY_NAME(all), BY_CONTACT(all)}};
const struct customer_lead customers_by_status = {.total = "customers.status",
                                                  .walks = {BY_NAME(status), BY_CONTACT(status)}};
const struct customer_lead customers_by_owner = {.total = "customers.owner",
                                                 .walks = {BY_NAME(owner), BY_CONTACT(owner)}};
const struct customer_lead customers_by_company = {.total = "customers.company",
                                                   .walks = {BY_NAME(company)},
                                                   .few = {FEW_BY_CONTACT(company)},
                                                   .few_count = &sql_customer_few_company_count};
const struct customer_lead customers_by_tag = {.total = "customers.tag",
                                               .walks = {BY_NAME(tag)},
                                               .few = {FEW_BY_CONTACT(tag)},
                                               .few_count = &sql_customer_few_tag_count};
const struct customer_lead customers_by_method = {.total = "customers.method",
                                                  .walks = {BY_CONTACT(method)},
                                                  .few = {FEW_BY_NAME(method)},
                                                  .few_count = &sql_customer_few_method_count};
const struct customer_lead customers_by_external = {
    .few = {FEW_BY_NAME(external), FEW_BY_CONTACT(external)},
    .few_count = &sql_customer_few_external_count};
const struct customer_lead customers_by_word = {.few = {FEW_BY_NAME(word), FEW_BY_CONTACT(word)},
                                                .few_count = &sql_customer_few_word_count,
                                                .few_alone = &sql_customer_few_word_alone};
const struct customer_lead customers_by_silence = {.few = {FEW_BY_NAME(silent)},
                                                   .few_count = &sql_customer_few_silent_count};
