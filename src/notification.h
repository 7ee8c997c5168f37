/*
 * notification.h
 *		What sellers are to know of their quotes.
 */
#ifndef SCRM_NOTIFICATION_H
#define SCRM_NOTIFICATION_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "row.h"

/* As sales_crm.notify_seller(); body and data may be NULL */
extern void notify_seller(const Row *quote, const char *event, const char *body, const Jsonb *data);

#endif /* SCRM_NOTIFICATION_H */
