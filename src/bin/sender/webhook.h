/*
 * webhook.h
 *		Delivers webhooks: the kind of delivery, and what may be reached.
 */
#ifndef SCRM_WEBHOOK_H
#define SCRM_WEBHOOK_H

#include "delivery.h"

extern const DeliveryKind webhook_kind;

/* Connects to a webhook's server and says nothing: what is wrong, to be freed, or NULL */
extern char *webhook_check(const Config *config, const char *url);

#endif /* SCRM_WEBHOOK_H */
