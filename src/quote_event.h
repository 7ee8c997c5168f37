/*
 * quote_event.h
 *		Events of quotes: what is appended to their chains.
 */
#ifndef SCRM_QUOTE_EVENT_H
#define SCRM_QUOTE_EVENT_H

#include "postgres.h"

#include "utils/jsonb.h"

/*
 * Appends to what happened to a quote; by the session's member, unless it happened through a link,
 * whose key is given then
 */
extern void
quote_event_append(int64 quote_id, const char *kind, NullableDatum quote_link_id, Jsonb *data);

/* The same for a member, 0 for none, who did something with a link */
extern void quote_event_append_by(int64 quote_id, const char *kind, int64 member_id,
								  NullableDatum quote_link_id, Jsonb *data);

#endif /* SCRM_QUOTE_EVENT_H */
