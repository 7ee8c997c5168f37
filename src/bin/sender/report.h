/*
 * report.h
 *		Tells the database what became of deliveries, and keeps their leases meanwhile.
 */
#ifndef SCRM_REPORT_H
#define SCRM_REPORT_H

#include <stdbool.h>

#include "delivery.h"
#include "session.h"

/* Takes over a delivery that has ended, and frees it when the database knows */
extern void report_add(Delivery *delivery);

/* Sends what is to be reported, where the connection is there and nothing is under way */
extern void report_work(Session *session);

/* Whether nothing is left to be reported */
extern bool report_is_empty(void);

/* Asks for a longer lease; lost is called where the message is no longer this sender's */
extern void
report_extend(Session *session, Delivery *delivery, double lease, void (*lost)(Delivery *delivery));

/* Frees what could not be reported */
extern void report_forget(Session *session);

#endif /* SCRM_REPORT_H */
