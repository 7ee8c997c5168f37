/*
 * quote_freeze.h
 *		Quotes are frozen when they are sent.
 */
#ifndef SCRM_QUOTE_FREEZE_H
#define SCRM_QUOTE_FREEZE_H

#include "postgres.h"

#include "row.h"

/*
 * Freezes a draft that is locked, with its contact and units as in the active snapshot. Errors: SC201 for
 * too much discount, 55000 without items, SC110 and 54000 for a template that cannot be filled in
 */
extern void quote_freeze(const Row *quote);

#endif /* SCRM_QUOTE_FREEZE_H */
