/* What is kept beside a customer's row: its words for search, its tags, and the totals of
 * the lists it stands in. Only for the files of this folder; cx as in customer.h. */
#ifndef APP_CUSTOMER_INDEX_H
#define APP_CUSTOMER_INDEX_H

#include "app/customer/customer.h"

#define CUSTOMER_NAME_KEY_MAX 240 /* bytes of the sort key */

enum err customer_index_add(struct ctx *cx, const struct customer *customer);
enum err customer_index_remove(struct ctx *cx, const struct customer *customer);
enum err customer_index_change(struct ctx *cx, const struct customer *before,
                               const struct customer *after);
/* The total of the lists by status alone. */
enum err customer_index_status(struct ctx *cx, int before, int after);

/* For a change of status by whatever cause. */
enum err customer_status_event(struct ctx *cx, struct uuid id, int before, int after);

#endif
