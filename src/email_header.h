/*
 * email_header.h
 *		Texts and addresses that may stand in the header of an e-mail.
 */
#ifndef SCRM_EMAIL_HEADER_H
#define SCRM_EMAIL_HEADER_H

#include "postgres.h"

/* A text as it may stand in a header: on one line, up to 400 characters; NULL when nothing is left */
extern char *email_header_text(const char *text);

/*
 * A given text without blanks around it, NULL when it is empty. Errors: 22023 for control characters,
 * with which a header could be smuggled in, or more than 400 characters; field is what it is for
 */
extern char *email_header_check(const char *field, const char *text);

/* Whether a text is one plain address, and one that has to be, or NULL. Errors: 22023 */
extern bool email_address_is_valid(const char *text);
extern void email_address_check(const char *field, const char *text);

/* An address in lower case, as suppressed_address has it, and as it has that of a person who was erased */
extern char *email_address_lower(const char *address);
extern char *email_address_hidden(const char *address);

#endif /* SCRM_EMAIL_HEADER_H */
