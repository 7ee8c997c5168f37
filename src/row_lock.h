/*
 * row_lock.h
 *		Locks a row of a table of sales_crm without a statement.
 */
#ifndef SCRM_ROW_LOCK_H
#define SCRM_ROW_LOCK_H

#include "postgres.h"

#include "nodes/lockoptions.h"

#include "lookup.h"

/*
 * Locks the row with the key until the end of the transaction, as SELECT … FOR does, waiting for
 * others; row, unless NULL, gets it as it is then, in the current memory context. Returns whether it is
 * there.
 * lookup is by one column, a key. Errors: 40001 when another session changed it after the snapshot of
 * the transaction
 */
extern bool row_lock(Lookup *lookup, Datum key, LockTupleMode mode, Row *row);

#endif /* SCRM_ROW_LOCK_H */
