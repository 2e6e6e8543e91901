/* What is kept beside a customer's row: its words for search, its tags, and the totals of
 * the lists it stands in. Only for the files of this folder; cx as in customer.h. */
#ifndef APP_CUSTOMER_INDEX_H
#define APP_CUSTOMER_INDEX_H

#include "app/customer/customer.h"

#define CUSTOMER_NAME_KEY_MAX 240 /* bytes of the sort key */
#define CUSTOMER_KEPT_TAG_MAX 64  /* bytes: the longest key of a kept total */

enum err customer_index_add(struct ctx *cx, const struct customer *customer);
enum err customer_index_remove(struct ctx *cx, const struct customer *customer);
enum err customer_index_change(struct ctx *cx, const struct customer *before,
                               const struct customer *after);
/* The totals of the lists by status alone, and by method. */
enum err customer_index_status(struct ctx *cx, int before, int after);
enum err customer_index_method(struct ctx *cx, struct str before, struct str after);

/* Addresses are compared whatever their case. NULL: none is the same. */
struct customer_address *customer_find_address(const struct list *addresses, struct str address);
bool customer_has_tag(const struct list *tags, struct str tag);
/* What the raw key of one of the custom_fields says. */
struct str customer_field_name(struct ctx *cx, struct str raw_key);
/* One of an address list is the primary one: `chosen`, or none where that is NULL. */
void customer_mark_primary(struct list *addresses, const struct customer_address *chosen);

/* For a change of status by whatever cause. */
enum err customer_status_event(struct ctx *cx, struct uuid id, int before, int after);

#endif
