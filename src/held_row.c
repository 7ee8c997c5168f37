/*
 * held_row.c
 *		Remembers which rows this transaction holds, so that the next foreign key to one needs no index.
 *
 * A place is only where to look first: the row is read again, for this transaction itself may have
 * taken it away or written it anew meanwhile. Others cannot take it away, nor change its key. What is
 * remembered ends with the transaction, with a subtransaction that is rolled back (its locks go, too),
 * and when any table changes its shape (TRUNCATE leaves places of which not even the page is there).
 *
 * Memory: a static table; the newest takes the place of another.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "held_row.h"
#include "row.h"

#define HELD_ROWS 64

typedef struct HeldRow
{
	Oid table; /* InvalidOid: none */
	AttrNumber column;
	int64 key;
	ItemPointerData place;
} HeldRow;

static HeldRow rows[HELD_ROWS];

/* What rows are valid for */
static FullTransactionId transaction;
static uint64 changes;

static HeldRow *find_place(Relation table, int64 key);
static void forget_outdated(void);
static void forget(void);
static void subtransaction_callback(SubXactEvent event, SubTransactionId mine,
									SubTransactionId parent, void *arg);

bool
held_row_known(Relation table, AttrNumber column, int64 key)
{
	TupleTableSlot *slot;
	ItemPointerData place;
	bool there;
	bool isnull;

	if (!held_row_place(table, column, key, &place))
		return false;
	slot = table_slot_create(table, NULL);
	there = table_tuple_fetch_row_version(table, &place, SnapshotSelf, slot) &&
			DatumGetInt64(slot_getattr(slot, column, &isnull)) == key && !isnull;
	ExecDropSingleTupleTableSlot(slot);
	return there;
}

/* held_row_place gives no transaction a number: those that only read hold nothing. */
bool
held_row_place(Relation table, AttrNumber column, int64 key, ItemPointer place)
{
	const HeldRow *row;

	if (!FullTransactionIdIsValid(GetTopFullTransactionIdIfAny()))
		return false;
	row = find_place(table, key);
	*place = row->place;
	return row->table == RelationGetRelid(table) && row->column == column && row->key == key;
}

void
held_row_remember(Relation table, AttrNumber column, int64 key, ItemPointer place)
{
	*find_place(table, key) = (HeldRow){
		.table = RelationGetRelid(table),
		.column = column,
		.key = key,
		.place = *place,
	};
}

static HeldRow *
find_place(Relation table, int64 key)
{
	forget_outdated();
	return &rows[(RelationGetRelid(table) + (uint64) key) % HELD_ROWS];
}

static void
forget_outdated(void)
{
	FullTransactionId current = GetTopFullTransactionId();
	uint64 current_changes = row_map_changes();

	if (!FullTransactionIdIsValid(transaction))
		RegisterSubXactCallback(subtransaction_callback, NULL);
	if (FullTransactionIdEquals(transaction, current) && changes == current_changes)
		return;
	forget();
	transaction = current;
	changes = current_changes;
}

static void
forget(void)
{
	memset(rows, 0, sizeof(rows));
}

static void
subtransaction_callback(SubXactEvent event, SubTransactionId mine pg_attribute_unused(),
						SubTransactionId parent pg_attribute_unused(),
						void *arg pg_attribute_unused())
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget();
}
