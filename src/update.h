/*
 * update.h
 *		One row of a table of sales_crm, updated without a statement.
 *
 * The row is locked as it is by then and written again. Everything that an UPDATE has is had: BEFORE
 * and AFTER triggers per row and per statement, transition tables, generated columns, constraints,
 * indexes, foreign keys. It opens indexes only when the row gets new entries in them.
 */
#ifndef SCRM_UPDATE_H
#define SCRM_UPDATE_H

#include "postgres.h"

#include "lookup.h"
#include "plan.h"

#define UPDATE_MAX_COLUMNS 6

/* A module has a static one */
typedef struct Update
{
	Lookup lookup; /* by a column that is a key */
	int ncolumns;
	int columns[UPDATE_MAX_COLUMNS]; /* of the map: those that are set */
	ScrmPlan plan; /* filled in by update_row() for tables with what only a statement does */
} Update;

/*
 * Updates the row with the key, if it is there, as the tables' owner; returns whether it was written.
 * values are those of the columns, of their types; NULL leaves them as they are, for rows whose new
 * values are the work of their guard, a BEFORE trigger. Errors: 40001 when another session changed
 * it after the snapshot of the transaction, 27000, those of triggers and constraints
 */
extern bool update_row(Update *update, Datum key, const NullableDatum *values);

#endif /* SCRM_UPDATE_H */
