/*
 * token.h
 *		Secrets for links.
 */
#ifndef SCRM_TOKEN_H
#define SCRM_TOKEN_H

#include "postgres.h"

/* As sales_crm.make_token() */
extern text *token_make(void);

#endif /* SCRM_TOKEN_H */
