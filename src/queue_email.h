/*
 * queue_email.h
 *		New e-mails of the outbox.
 */
#ifndef SCRM_QUEUE_EMAIL_H
#define SCRM_QUEUE_EMAIL_H

#include "postgres.h"

/* The arguments of sales_crm.queue_email(), in their order */
typedef enum EmailArgument
{
	EMAIL_EVENT,
	EMAIL_TO_ADDRESS,
	EMAIL_TO_NAME,
	EMAIL_LOCALE,
	EMAIL_DATA,
	EMAIL_OPPORTUNITY_ID,
	EMAIL_QUOTE_ID,
	EMAIL_ORDER_KEY,
	EMAIL_DEDUP_KEY,
	EMAIL_REPLY_TO,
	EMAIL_ATTACHMENTS,
	EMAIL_SUBJECT,
	EMAIL_BODY,
	EMAIL_MEMBER_ID,
	EMAIL_EXPIRES_AT,
	EMAIL_WAITS_FOR,
} EmailArgument;

#define EMAIL_ARGUMENTS (EMAIL_WAITS_FOR + 1)

/*
 * Queues an e-mail and returns its message; NULL where its dedup_key was queued before, the address is
 * suppressed or the event has no active template. Errors: those of the SQL function
 */
extern NullableDatum queue_email(const NullableDatum *email);

#endif /* SCRM_QUEUE_EMAIL_H */
