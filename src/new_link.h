/*
 * new_link.h
 *		New links to quotes.
 */
#ifndef SCRM_NEW_LINK_H
#define SCRM_NEW_LINK_H

#include "postgres.h"

/* The arguments of sales_crm.add_quote_link(), which may all be NULL */
typedef struct NewLink
{
	NullableDatum quote_id; /* of a quote that is locked */
	NullableDatum channel;
	NullableDatum recipient_name;  /* filled in from the contact where it is NULL */
	NullableDatum recipient_email; /* the same */
	NullableDatum contact_id;
	NullableDatum expires_at;
} NewLink;

/*
 * Makes the link, revokes the one before it of the same recipient and channel, and returns the new
 * one's key, with its token. Errors: 23502, 23503, 23514
 */
extern int64 new_link_add(NewLink *link, text **token);

#endif /* SCRM_NEW_LINK_H */
