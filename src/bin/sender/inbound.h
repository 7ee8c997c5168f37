/*
 * inbound.h
 *		Files incoming e-mails in the database.
 */
#ifndef SCRM_INBOUND_H
#define SCRM_INBOUND_H

/* Each returns an exit status of sysexits.h */
extern int inbound_stream(void);
extern int inbound_maildir(const char *directory);

#endif /* SCRM_INBOUND_H */
