/*
 * live_event.h
 *		Events that applications are told of in the moment of commit.
 */
#ifndef SCRM_LIVE_EVENT_H
#define SCRM_LIVE_EVENT_H

#include "postgres.h"

/* Tells them of an event that is switched on */
extern void live_event_tell(const char *event, int64 id);

#endif /* SCRM_LIVE_EVENT_H */
