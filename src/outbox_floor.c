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
 * A session that has just begun would read them all once. So floors are published in the table
 * message_floor, every five seconds while there is work, by the claim that has found them, and become
 * known when it commits: the lowest at which this session, or a transaction in progress, may have
 * something. Whoever commits later writes no earlier time, so that a session that begins with it
 * misses nothing; nor does a copy of the database, which has the messages of the same snapshot.
 *
 * What the session itself has changed counts only when it has committed: a rollback, even to a
 * savepoint, puts the lowest floor back that the transaction began a look at.
 *
 * Two things could break that, clocks that are set back and rows written with triggers off; so
 * every five minutes, whoever did it last, and whenever the clock is seen to go back, a look begins
 * at the beginning.
 *
 * Memory: a few entries per kind in TopMemoryContext.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "outbox.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(scrm_outbox_floor);
PG_FUNCTION_INFO_V1(scrm_outbox_raise_floor);

#define MAX_KINDS 8
#define KIND_BYTES 16
/* Milliseconds after which a look begins at the beginning */
#define TRUST (5 * 60 * 1000)
/*
 * Milliseconds between two publications; they are so much lower, since the clock of a standby that is
 * promoted may be behind
 */
#define PUBLISH (5 * 1000)

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
	TimestampTz published_at;
	TimestampTz known; /* what another session had published */
	TimestampTz undo;  /* what a rollback puts back; DT_NOEND when the transaction has not looked */
	int nunfinished;
	int capacity;
	Unfinished *unfinished;
} Floor;

static Floor floors[MAX_KINDS];
static int nfloors = 0;

/* A claim that publishes at the same time is not waited for */
static ScrmPlan publish_plan = {
	.sql = "WITH free AS (SELECT f.kind FROM sales_crm.message_floor f WHERE f.kind = $1 "
		   "FOR UPDATE SKIP LOCKED) "
		   "UPDATE sales_crm.message_floor f SET floor = $2, swept_at = $3 FROM free "
		   "WHERE f.kind = free.kind",
	.nargs = 3,
	.argtypes = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.by_key = true,
};
static ScrmPlan published_plan = {
	.sql = "SELECT f.floor, f.swept_at FROM sales_crm.message_floor f WHERE f.kind = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.by_key = true,
};

static Floor *floor_of(text *kind);
static void read_published(Floor *floor, text *kind);
static void publish(Floor *floor, text *kind);
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
		floor->known = DT_NOBEGIN;
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
	if (floor->swept_at == floor->looked_at ||
		(!PG_ARGISNULL(1) &&
		 TimestampDifferenceExceeds(floor->published_at, floor->looked_at, PUBLISH)))
		publish(floor, PG_GETARG_TEXT_PP(0));
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
	made->known = DT_NOBEGIN;
	made->undo = DT_NOEND;
	made->capacity = 16;
	made->unfinished = MemoryContextAlloc(TopMemoryContext, sizeof(Unfinished) * made->capacity);
	nfloors++;
	read_published(made, kind);
	return made;
}

/* read_published begins with what another session has published; transactions in progress have nothing below it. */
static void
read_published(Floor *floor, text *kind)
{
	Datum value = PointerGetDatum(kind);

	plan_begin();
	if (plan_run(&published_plan, PLAN_READ_LATEST, &value, NULL) == 1)
	{
		floor->floor = DatumGetTimestampTz(plan_value(SPI_tuptable, 0, 1).value);
		floor->looked_at = floor->floor;
		floor->known = floor->floor;
		floor->swept_at = DatumGetTimestampTz(plan_value(SPI_tuptable, 0, 2).value);
	}
	plan_end();
}

static void
publish(Floor *floor, text *kind)
{
	TimestampTz least = floor->floor;
	Datum values[3];

	for (int i = 0; i < floor->nunfinished; i++)
		least = Min(least, floor->unfinished[i].since);
	if (!TIMESTAMP_NOT_FINITE(least))
		least = Max(least - PUBLISH * INT64CONST(1000), floor->known);
	values[0] = PointerGetDatum(kind);
	values[1] = TimestampTzGetDatum(least);
	values[2] = TimestampTzGetDatum(floor->swept_at);
	plan_begin();
	plan_run(&publish_plan, PLAN_WRITE_LATEST, values, NULL);
	plan_end();
	floor->published_at = floor->looked_at;
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
