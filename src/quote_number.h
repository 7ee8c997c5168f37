/*
 * quote_number.h
 *		Numbers of quotes.
 */
#ifndef SCRM_QUOTE_NUMBER_H
#define SCRM_QUOTE_NUMBER_H

#include "postgres.h"

/*
 * The next number of a quote. The transaction keeps others from numbering quotes until it ends. Errors:
 * 40001 when another session numbered one after the snapshot of the transaction
 */
extern text *quote_number_next(void);

#endif /* SCRM_QUOTE_NUMBER_H */
