/*
 * quote_link.h
 *		Links by which customers reach a quote.
 */
#ifndef SCRM_QUOTE_LINK_H
#define SCRM_QUOTE_LINK_H

#include "postgres.h"

#include "row.h"

typedef struct QuoteLink
{
	int64 quote_link_id;
	int64 quote_id;
	NullableDatum channel;
	NullableDatum recipient_name;
	NullableDatum recipient_email;
} QuoteLink;

/*
 * The link of a token, which may be NULL. locking: locks the opportunity and then the quote, and
 * looks again, since the link may have been revoked meanwhile. Errors: SC103 for a token that is
 * unknown, revoked, expired or malformed, all alike
 */
extern QuoteLink quote_link_find(text *token, bool locking);

#endif /* SCRM_QUOTE_LINK_H */
