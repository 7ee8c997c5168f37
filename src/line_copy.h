/*
 * line_copy.h
 *		Lines of opportunities become lines of quotes.
 */
#ifndef SCRM_LINE_COPY_H
#define SCRM_LINE_COPY_H

#include "postgres.h"

/* Copies the product lines of an opportunity to a draft, in their order */
extern void line_copy(Datum opportunity_id, Datum quote_id);

#endif /* SCRM_LINE_COPY_H */
