/*
 * update.h
 *		One row of a table of sales_crm, updated without a statement.
 *
 * For rows whose new values are the work of a guard, their BEFORE trigger: the row is locked as it is
 * by then and written again. Everything that an UPDATE has is had: BEFORE and AFTER triggers per row
 * and per statement, transition tables, generated columns, constraints, indexes, foreign keys. It
 * opens indexes only when the row gets new entries in them.
 */
#ifndef SCRM_UPDATE_H
#define SCRM_UPDATE_H

#include "postgres.h"

#include "lookup.h"
#include "plan.h"

/* A module has a static one */
typedef struct Update
{
	Lookup lookup; /* by an int8 that is a key */
	int column;	   /* the one that is said to be set, for triggers that ask */
	ScrmPlan plan; /* the same as a statement, for tables with what only a statement does */
} Update;

/*
 * Updates the row with the key, if it is there, as the tables' owner. Errors: 40001 when another
 * session changed it after the snapshot of the transaction, 27000, those of triggers and constraints
 */
extern void update_row(Update *update, int64 key);

#endif /* SCRM_UPDATE_H */
