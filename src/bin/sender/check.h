/*
 * check.h
 *		sales_crm_sender --check
 */
#ifndef SCRM_CHECK_H
#define SCRM_CHECK_H

#include "config.h"

/*
 * Tries what delivering needs: the database, its rights, whether it may send, and the mail server up
 * to the login. Prints a line each; takes the configuration over. Returns EX_OK or EX_UNAVAILABLE.
 */
extern int check_all(Config *config);

/* Tries the mail server, without an e-mail: what is wrong, to be freed, or NULL */
extern char *smtp_check(const Config *config);

#endif /* SCRM_CHECK_H */
