/*
 * row_scan.h
 *		The rows of a table that have a key, read without a statement of SQL.
 *
 * For what many small statements do: an SQL statement of its own costs more than the few rows.
 */
#ifndef SCRM_ROW_SCAN_H
#define SCRM_ROW_SCAN_H

#include "postgres.h"

#include "access/genam.h"
#include "utils/snapshot.h"

#include "row.h"

typedef struct RowScan
{
	Relation relation;
	Snapshot snapshot;
	SysScanDesc scan;
	Row row; /* the present one, after row_scan_next() */
} RowScan;

/*
 * Begins with the rows of which a column, an int8, is the key: all that are committed now or written
 * by this transaction, whoever may see them
 */
extern void row_scan_open(RowScan *scan, RowMap *map, int column, int64 key);

/* Gives the next row, in any order, until the next call; false after the last one */
extern bool row_scan_next(RowScan *scan);
extern void row_scan_close(RowScan *scan);

#endif /* SCRM_ROW_SCAN_H */
