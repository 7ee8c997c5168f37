/*
 * kept_row.c
 *		Keeps what a session has made of rows, such as parsed templates.
 *
 * Memory: a context per row, until another version or another row takes its place.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "kept_row.h"

static KeptRow *find_place(KeptRows *rows, int64 key);
static void keep(KeptRows *rows, KeptRow *place, int64 key, const LookupScan *scan);

void *
kept_row_get(KeptRows *rows, int64 key, const LookupScan *scan)
{
	KeptRow *place = find_place(rows, key);

	if (place->key != key || place->xmin != scan->xmin ||
		!ItemPointerEquals(&place->place, (ItemPointer) &scan->place))
		keep(rows, place, key, scan);
	return place;
}

/* find_place returns the place of a row, or the one that it is to take. */
static KeptRow *
find_place(KeptRows *rows, int64 key)
{
	char *places = rows->places;

	for (int i = 0; i < rows->nplaces; i++)
	{
		KeptRow *place = (KeptRow *) (places + i * rows->size);

		if (place->key == key)
			return place;
	}
	rows->next = (rows->next + 1) % rows->nplaces;
	return (KeptRow *) (places + rows->next * rows->size);
}

static void
keep(KeptRows *rows, KeptRow *place, int64 key, const LookupScan *scan)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "sales_crm kept row", ALLOCSET_SMALL_SIZES);
	KeptRow *new = palloc0(rows->size);
	MemoryContext caller = MemoryContextSwitchTo(context);

	*new = (KeptRow){.key = key, .xmin = scan->xmin, .place = scan->place, .context = context};
	rows->read(new, &scan->row);
	MemoryContextSwitchTo(caller);
	if (place->context != NULL)
		MemoryContextDelete(place->context);
	MemoryContextSetParent(context, TopMemoryContext);
	memcpy(place, new, rows->size);
	pfree(new);
}
