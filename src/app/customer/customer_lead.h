/* What can lead to the rows of a list, and how it is read then. Only for the files of this
 * folder. */
#ifndef APP_CUSTOMER_LEAD_H
#define APP_CUSTOMER_LEAD_H

#include "app/customer/customer.h"

/* An index that has its entries in the order of the list, or a stretch of it. */
struct customer_walk {
    const struct query *page;     /* the rows, where nothing else is asked */
    const struct query *filtered; /* those that meet the other conditions */
    const struct query *edge;     /* the place of a row alone */
    const struct query *count;    /* how many meet the conditions */
    const struct query *entries;  /* how many there are; NULL: nobody asks */
};

struct customer_lead {
    const char *total;                          /* the list whose total is kept; NULL: none is */
    struct customer_walk walks[CUSTOMER_SORTS]; /* zeros: it has no such order */
    /* All rows at once, put in order; for those that lead to few. NULL: not needed. */
    const struct query *few[CUSTOMER_SORTS];
    const struct query *few_count; /* how many of them meet the conditions */
    const struct query *few_alone; /* where nothing else is asked; NULL: that total is kept */
};

extern const struct customer_lead customers_by_all, customers_by_status, customers_by_owner,
    customers_by_company, customers_by_tag, customers_by_method, customers_by_external,
    customers_by_word, customers_by_silence;

#endif
