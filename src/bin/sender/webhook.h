/*
 * webhook.h
 *		Delivers webhooks: the kind of delivery, and what may be reached.
 */
#ifndef SCRM_WEBHOOK_H
#define SCRM_WEBHOOK_H

#include "delivery.h"

extern const DeliveryKind webhook_kind;

#endif /* SCRM_WEBHOOK_H */
