/*
 * kept_row.h
 *		What a session has made of rows of a table, kept as long as these stay as they are.
 *
 * A row is known by its version: where it is and which transaction wrote it.
 */
#ifndef SCRM_KEPT_ROW_H
#define SCRM_KEPT_ROW_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "lookup.h"
#include "row.h"

/* What begins each thing that is kept */
typedef struct KeptRow
{
	int64 key;			/* 0: nothing is kept here */
	TransactionId xmin; /* with the place, the version of the row */
	ItemPointerData place;
	MemoryContext context; /* of what else is kept */
} KeptRow;

/* A module has a static one */
typedef struct KeptRows
{
	void *places; /* an array of things, the oldest of which makes room */
	int nplaces;
	size_t size; /* of a thing */
	/* Fills in what follows the KeptRow; its context is the current one */
	void (*read)(void *thing, const Row *row);
	int next; /* the place that was taken last; filled in by kept_row_get() */
} KeptRows;

/*
 * The thing made of the present row of a scan, which has that key; valid until the next call. An error
 * of read() leaves nothing kept
 */
extern void *kept_row_get(KeptRows *rows, int64 key, const LookupScan *scan);

#endif /* SCRM_KEPT_ROW_H */
