/*
 * email_data.h
 *		What every template of e-mails may use.
 */
#ifndef SCRM_EMAIL_DATA_H
#define SCRM_EMAIL_DATA_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "row.h"

/* What an e-mail is about */
typedef struct EmailTopic
{
	NullableDatum quote_id;
	bool has_quote; /* there is one with that key */
	Row quote;
	NullableDatum opportunity_id; /* the quote's unless given */
} EmailTopic;

/* Who it is to; both may be NULL */
typedef struct EmailRecipient
{
	const char *name;
	const char *address;
} EmailRecipient;

extern EmailTopic email_topic_find(NullableDatum quote_id, NullableDatum opportunity_id);

/*
 * Company, where there is one quote, customer, opportunity and seller, and the recipient unless that is
 * NULL. The locale may be NULL. Errors: 22008 for a quote that is valid forever
 */
extern Jsonb *email_data(const EmailTopic *topic, const Row *company, const char *locale,
						 const EmailRecipient *recipient);

#endif /* SCRM_EMAIL_DATA_H */
