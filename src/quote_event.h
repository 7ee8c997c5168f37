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

#endif /* SCRM_QUOTE_EVENT_H */
