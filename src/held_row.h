/*
 * held_row.h
 *		Rows that are there until this transaction ends, because it has made or locked them.
 */
#ifndef SCRM_HELD_ROW_H
#define SCRM_HELD_ROW_H

#include "postgres.h"

#include "access/attnum.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/* Whether a row with this value in a bigint column that is unique is known to be held */
extern bool held_row_known(Relation table, AttrNumber column, int64 key);

/* The same for who reads it: where such a row was when it was remembered, if it was */
extern bool held_row_place(Relation table, AttrNumber column, int64 key, ItemPointer place);

/* Remembers one that is locked FOR KEY SHARE at least, or was written by this transaction */
extern void held_row_remember(Relation table, AttrNumber column, int64 key, ItemPointer place);

#endif /* SCRM_HELD_ROW_H */
