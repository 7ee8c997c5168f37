/*
 * outbox.h
 *		What must leave the database: waking the senders, telling listeners.
 */
#ifndef SCRM_OUTBOX_H
#define SCRM_OUTBOX_H

extern void outbox_init(void);
extern void outbox_floor_init(void);

#endif /* SCRM_OUTBOX_H */
