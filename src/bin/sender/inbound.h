/*
 * inbound.h
 *		Takes incoming messages: from standard input, or from a Maildir.
 */
#ifndef SCRM_INBOUND_H
#define SCRM_INBOUND_H

#include <stdbool.h>

#include <glib.h>
#include <libpq-fe.h>

/*
 * What becomes of a message; cut says that it was too long. Returns an exit status of sysexits.h: at
 * EX_OK it is taken, at any other the MTA or the Maildir keeps it.
 */
typedef int (*InboundTaker)(PGconn *connection, const GByteArray *bytes, bool cut);

/* Files an e-mail in the database */
extern int inbound_take_email(PGconn *connection, const GByteArray *bytes, bool cut);

/* Each returns an exit status of sysexits.h */
extern int inbound_stream(InboundTaker take);
extern int inbound_maildir(InboundTaker take, const char *directory);

#endif /* SCRM_INBOUND_H */
