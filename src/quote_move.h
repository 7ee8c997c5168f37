/*
 * quote_move.h
 *		Moves of opportunities that answers to quotes bring.
 */
#ifndef SCRM_QUOTE_MOVE_H
#define SCRM_QUOTE_MOVE_H

#include "postgres.h"

#include "row.h"

/*
 * Moves the opportunity of a quote to the phase that is marked on_quote_signed (target signed), or
 * whose outcome is target (lost, expired), if there is one and it is not behind. Returns why not,
 * when the opportunity is closed or a rule of its pipeline forbids the move, else NULL
 */
extern char *quote_move_opportunity(const Row *quote, const char *target);

#endif /* SCRM_QUOTE_MOVE_H */
