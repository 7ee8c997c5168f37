/*
 * outbox_floor.c
 *		Remembers from where on a session that delivers messages must look for them.
 *
 * Messages are found by the index on (kind, available_at). A message that is finished leaves its
 * entries there until VACUUM takes them away, which it cannot do while an older snapshot is in
 * use: a report of an hour would make each look for messages read an hour's entries. So a session
 * remembers a floor: below it there is no message.
 *
 * Why that is true: message_guard() gives each version of a message a time that is not earlier
 * than the moment of writing, read after its transaction has got its number. When a session
 * looks, it takes the time T, then the next number to be given, then a snapshot. What it does not
 * see there belongs to a transaction that is in progress, or that gets its number later and writes
 * no time before T. The new floor is the first message that the look sees, at most T; each
 * transaction in progress is remembered, and when it has ended, the next look begins at the T of
 * the look before the one that first met it, which it had no number at. Prepared transactions are
 * in progress, too. (Numbers of subtransactions may be taken for transactions that have ended;
 * that costs a longer look.)
 *
 * What the session itself has changed counts only when it has committed: a rollback, even to a
 * savepoint, puts the lowest floor back that the transaction began a look at.
 *
 * Two things could break that, clocks that are set back and rows written with triggers off; so
 * every five minutes, and whenever the clock is seen to go back, a look begins at the beginning.
 *
 * Memory: a few entries per kind in TopMemoryContext.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "outbox.h"

PG_FUNCTION_INFO_V1(scrm_outbox_floor);
PG_FUNCTION_INFO_V1(scrm_outbox_raise_floor);

#define MAX_KINDS 8
#define KIND_BYTES 16
/* Milliseconds after which a look begins at the beginning */
#define TRUST (5 * 60 * 1000)

/* A transaction that was in progress, and where a look must begin once it has ended */
typedef struct Unfinished
{
	TransactionId xid;
	TimestampTz since;
} Unfinished;

typedef struct Floor
{
	char kind[KIND_BYTES];
	TimestampTz floor;	   /* no message below it */
	TimestampTz looked_at; /* of the look in progress: the most that the floor may become */
	TimestampTz began_at;  /* of the look in progress: where it begins */
	TimestampTz swept_at;  /* when a look began at the beginning */
	TimestampTz undo; /* what a rollback puts back; DT_NOEND when the transaction has not looked */
	int nunfinished;
	int capacity;
	Unfinished *unfinished;
} Floor;

static Floor floors[MAX_KINDS];
static int nfloors = 0;

static Floor *floor_of(text *kind);
static void floor_begin(Floor *floor, Snapshot snapshot);
static bool is_unfinished(Snapshot snapshot, TransactionId xid);
static void remember_unfinished(Floor *floor, TransactionId xid, TimestampTz since);
static void transaction_callback(XactEvent event, void *arg);
static void subtransaction_callback(SubXactEvent event, SubTransactionId subid,
									SubTransactionId parent, void *arg);

void
outbox_floor_init(void)
{
	RegisterXactCallback(transaction_callback, NULL);
	RegisterSubXactCallback(subtransaction_callback, NULL);
}

/*
 * scrm_outbox_floor begins a look for messages of a kind: from where on the statements that follow
 * must look, and up to where. Errors: 0A000 in a transaction whose statements share a snapshot
 */
Datum
scrm_outbox_floor(PG_FUNCTION_ARGS)
{
	Floor *floor = floor_of(PG_GETARG_TEXT_PP(0));
	TimestampTz now;
	TimestampTz since = floor->looked_at;
	TransactionId next;
	Snapshot snapshot;

	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("messages are claimed in transactions with isolation level READ COMMITTED"),
				 errhint("BEGIN ISOLATION LEVEL READ COMMITTED, or claim outside a transaction "
						 "block of another level.")));
	now = GetCurrentTimestamp();
	next = ReadNextTransactionId();
	snapshot = GetLatestSnapshot();
	if (now < floor->looked_at || TimestampDifferenceExceeds(floor->swept_at, now, TRUST))
	{
		floor->floor = DT_NOBEGIN;
		floor->swept_at = now;
		since = DT_NOBEGIN;
	}
	floor->looked_at = now;
	floor_begin(floor, snapshot);
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		remember_unfinished(floor, snapshot->xip[i], since);
	/* A snapshot does not list what has begun since the last transaction that ended */
	for (TransactionId xid = snapshot->xmax; TransactionIdPrecedes(xid, next);)
	{
		remember_unfinished(floor, xid, since);
		TransactionIdAdvance(xid);
	}
	PG_RETURN_TIMESTAMPTZ(floor->began_at);
}

/* scrm_outbox_raise_floor ends a look: the first message that it has seen, or NULL for none. */
Datum
scrm_outbox_raise_floor(PG_FUNCTION_ARGS)
{
	Floor *floor = floor_of(PG_GETARG_TEXT_PP(0));
	TimestampTz first = PG_ARGISNULL(1) ? floor->looked_at : PG_GETARG_TIMESTAMPTZ(1);

	floor->floor = Min(first, floor->looked_at);
	PG_RETURN_VOID();
}

static Floor *
floor_of(text *kind)
{
	int length = VARSIZE_ANY_EXHDR(kind);
	Floor *made;

	for (int i = 0; i < nfloors; i++)
	{
		if ((int) strlen(floors[i].kind) == length &&
			memcmp(floors[i].kind, VARDATA_ANY(kind), length) == 0)
			return &floors[i];
	}
	if (length >= KIND_BYTES || nfloors == MAX_KINDS)
		elog(ERROR, "kinds of messages are too many, or their names too long");
	made = &floors[nfloors];
	memset(made, 0, sizeof(Floor));
	memcpy(made->kind, VARDATA_ANY(kind), length);
	made->floor = DT_NOBEGIN;
	made->undo = DT_NOEND;
	made->capacity = 16;
	made->unfinished = MemoryContextAlloc(TopMemoryContext, sizeof(Unfinished) * made->capacity);
	nfloors++;
	return made;
}

/* floor_begin says where the look begins: at the floor, or lower for what has ended since. */
static void
floor_begin(Floor *floor, Snapshot snapshot)
{
	TimestampTz began_at = floor->floor;
	int kept = 0;

	for (int i = 0; i < floor->nunfinished; i++)
	{
		Unfinished *known = &floor->unfinished[i];

		if (is_unfinished(snapshot, known->xid))
			floor->unfinished[kept++] = *known;
		else
			began_at = Min(began_at, known->since);
	}
	floor->nunfinished = kept;
	floor->began_at = began_at;
	floor->undo = Min(floor->undo, began_at);
}

static bool
is_unfinished(Snapshot snapshot, TransactionId xid)
{
	if (TransactionIdFollowsOrEquals(xid, snapshot->xmax))
		return true;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
	{
		if (TransactionIdEquals(snapshot->xip[i], xid))
			return true;
	}
	return false;
}

static void
remember_unfinished(Floor *floor, TransactionId xid, TimestampTz since)
{
	if (TransactionIdIsCurrentTransactionId(xid))
		return;
	for (int i = 0; i < floor->nunfinished; i++)
	{
		if (TransactionIdEquals(floor->unfinished[i].xid, xid))
			return;
	}
	if (floor->nunfinished == floor->capacity)
	{
		floor->capacity *= 2;
		floor->unfinished = repalloc(floor->unfinished, sizeof(Unfinished) * floor->capacity);
	}
	floor->unfinished[floor->nunfinished++] = (Unfinished){.xid = xid, .since = since};
}

static void
transaction_callback(XactEvent event, void *arg pg_attribute_unused())
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	for (int i = 0; i < nfloors; i++)
	{
		if (event != XACT_EVENT_COMMIT)
			floors[i].floor = Min(floors[i].floor, floors[i].undo);
		floors[i].undo = DT_NOEND;
	}
}

static void
subtransaction_callback(SubXactEvent event, SubTransactionId subid pg_attribute_unused(),
						SubTransactionId parent pg_attribute_unused(),
						void *arg pg_attribute_unused())
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	for (int i = 0; i < nfloors; i++)
		floors[i].floor = Min(floors[i].floor, floors[i].undo);
}
