/*
 * queue_message.h
 *		New messages of the outbox.
 */
#ifndef SCRM_QUEUE_MESSAGE_H
#define SCRM_QUEUE_MESSAGE_H

#include "postgres.h"

/* The arguments of sales_crm.queue_message(), in their order */
typedef enum MessageArgument
{
	MESSAGE_KIND,
	MESSAGE_EVENT,
	MESSAGE_PAYLOAD,
	MESSAGE_RECIPIENT,
	MESSAGE_ORDER_KEY,
	MESSAGE_DEDUP_KEY,
	MESSAGE_EXPIRES_AT,
	MESSAGE_OPPORTUNITY_ID,
	MESSAGE_QUOTE_ID,
	MESSAGE_WEBHOOK_ID,
	MESSAGE_WAITS_FOR,
	MESSAGE_ID, /* NULL: a new one */
} MessageArgument;

#define MESSAGE_ARGUMENTS (MESSAGE_ID + 1)

/* Queues a message and returns its key; NULL where its dedup_key was queued before */
extern NullableDatum queue_message(const NullableDatum *message);

/* Notes which e-mail, as it is filed, a message delivers; NULL: none */
extern void queue_message_filed(NullableDatum message_id, NullableDatum email_id);

#endif /* SCRM_QUEUE_MESSAGE_H */
