/*
 * bounce.h
 *		Notes in the database which e-mails came back.
 */
#ifndef SCRM_BOUNCE_H
#define SCRM_BOUNCE_H

#include "inbound.h"

/* An InboundTaker: takes a delivery status notification; what is none is left at that */
extern int bounce_take(PGconn *connection, const GByteArray *bytes, bool cut);

#endif /* SCRM_BOUNCE_H */
