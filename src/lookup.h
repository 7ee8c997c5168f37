/*
 * lookup.h
 *		Rows of the tables of sales_crm, found by a key without a statement.
 *
 * A query by a key costs ten times what it does: its plan is checked, locked, set up and taken down.
 * Modules that read a row or few by an index, in each statement of somebody else's, look them up.
 * Rows come as they are in the table, whatever the role may see: as for the tables' owner.
 */
#ifndef SCRM_LOOKUP_H
#define SCRM_LOOKUP_H

#include "postgres.h"

#include "access/genam.h"
#include "utils/snapshot.h"

#include "row.h"

#define LOOKUP_MAX_KEYS 2

/* A module has a static one per key that it looks up by */
typedef struct Lookup
{
	RowMap *map;
	int ncolumns;
	int columns[LOOKUP_MAX_KEYS]; /* of the map, in the order of the index that has them first */
	Oid index;					  /* filled in by this module; InvalidOid: there is none */
	RegProcedure equal[LOOKUP_MAX_KEYS]; /* that compare columns; the same */
	uint32 version;						 /* of the map, when all that was found; the same */
} Lookup;

typedef struct LookupScan
{
	Relation relation;
	Snapshot snapshot;
	SysScanDesc scan;
	Relation ordered;	   /* the index, while it is read backward */
	Row row;			   /* the present one, after lookup_next() */
	ItemPointerData place; /* where it is; the same */
	TransactionId xmin;	   /* who wrote it; the same */
} LookupScan;

/* Which rows, but for those that the transaction itself has written: */
typedef enum LookupTime
{
	LOOKUP_CALLER,	  /* that the calling query sees */
	LOOKUP_STATEMENT, /* that a new statement of the transaction would see */
	LOOKUP_LATEST,	  /* that are committed now */
} LookupTime;

/* keys are values of the columns. Without an index that has them, all of the table is read */
extern void lookup_begin(LookupScan *scan, Lookup *lookup, LookupTime time, const Datum *keys);

/*
 * The same for the rows with the key in all columns but the last, the greatest value in that first.
 * Errors: 55000 when no index has the columns
 */
extern void
lookup_begin_backward(LookupScan *scan, Lookup *lookup, LookupTime time, const Datum *keys);

/* Gives the next row, in no order unless backward, until the next call; false after the last one */
extern bool lookup_next(LookupScan *scan);
extern void lookup_end(LookupScan *scan);

/* The one row with a key, in the current memory context. Returns whether there is one */
extern bool lookup_row(Lookup *lookup, LookupTime time, const Datum *keys, Row *row);

/* Where the one row with a key is, of a lookup by one column. Returns whether there is one */
extern bool lookup_place(Lookup *lookup, LookupTime time, Datum key, ItemPointer place);

/* All rows with a key, in no order, in the current memory context. Returns how many there are */
extern int lookup_rows(Lookup *lookup, LookupTime time, const Datum *keys, Row **rows);

/* The first row of a scan backward. Returns whether there is one. Errors: 55000 */
extern bool lookup_last(Lookup *lookup, LookupTime time, const Datum *keys, Row *row);

#endif /* SCRM_LOOKUP_H */
