/*
 * outbox.h
 *		What must leave the database: waking the senders, telling listeners.
 */
#ifndef SCRM_OUTBOX_H
#define SCRM_OUTBOX_H

#include "postgres.h"

/* Tells those who listen to sales_crm_event, at commit: {"event": …, "id": …} */
extern void outbox_tell(const char *event, int64 id);

extern void outbox_init(void);
extern void outbox_floor_init(void);

#endif /* SCRM_OUTBOX_H */
