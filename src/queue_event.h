/*
 * queue_event.h
 *		What happened to a quote leaves the database.
 */
#ifndef SCRM_QUEUE_EVENT_H
#define SCRM_QUEUE_EVENT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "row.h"

/* As sales_crm.queue_event(); data may be NULL */
extern void queue_event(const Row *quote, const char *event, const Jsonb *data);

/* The name of an event, as an argument of a function. Errors: 22004 without one */
extern char *queue_event_name(NullableDatum event);

#endif /* SCRM_QUEUE_EVENT_H */
