/*
 * outbox.c
 *		Wakes the senders when a transaction has queued messages, and tells applications that
 *		listen what happened. The only caller of Async_Notify().
 *
 * A commit that notifies holds a lock of the whole cluster until it is flushed, so that notifying
 * commits queue up behind each other. The table message is the truth, and a sender that is awake
 * finds in it what all others have committed meanwhile; hence the gate: right before its commit, a
 * transaction that has queued messages tries to get an advisory lock, and notifies only if it does.
 * Whoever does not get it commits beside one that does, or right after. What its sender's next look
 * misses, the looks that follow find.
 *
 * Both kinds of notification are kept until the transaction is about to commit: with that the
 * gate is held for the commit alone, and a transaction that is prepared notifies nobody, instead of
 * failing.
 *
 * Events cannot share a notification, so whoever has some does take that lock, but does not wait for
 * the disk with it: the commit is written without waiting, as with synchronous_commit = off, and
 * waited for as soon as the locks are gone, before the client hears of it. Others may see the rows
 * that much earlier than a crash could no longer take them back; what they write on top is
 * behind them in the WAL, and as lost or as safe. With synchronous standbys commits wait as ever.
 *
 * Memory: events live in TopTransactionContext.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "outbox.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_message_guard);
PG_FUNCTION_INFO_V1(scrm_tell);
PG_FUNCTION_INFO_V1(scrm_database_identity);

#define WAKE_UP_CHANNEL "sales_crm_outbox"
#define EVENT_CHANNEL "sales_crm_event"

/* The second key of the advisory lock; the first is the oid of the schema */
#define GATE_KEY 3
/* As pg_try_advisory_xact_lock(int, int) has it */
#define ADVISORY_LOCK_OF_TWO_KEYS 2

typedef enum NotifyMode
{
	NOTIFY_GATED,
	NOTIFY_ALWAYS,
	NOTIFY_OFF,
} NotifyMode;

typedef struct Event
{
	SubTransactionId subid; /* whose rollback takes it back */
	char *payload;
} Event;

static const struct config_enum_entry notify_modes[] = {
	{"gated", NOTIFY_GATED, false},
	{"always", NOTIFY_ALWAYS, false},
	{"off", NOTIFY_OFF, false},
	{NULL, 0, false},
};

/* sales_crm.notify */
static int notify_mode = NOTIFY_GATED;

static bool wake_up_pending = false;
static List *events = NIL;

/* How often, and in which distance in microseconds, the lock of notifications is looked for */
#define TURN_LOOKS 100
#define TURN_PAUSE 300

/* synchronous_commit as it was before a commit that is to be waited for later; off: there is none */
static int commit_waits = SYNCHRONOUS_COMMIT_OFF;

static HeapTuple guard_available_at(TriggerData *trigger, HeapTuple row, bool replaces);
static void transaction_callback(XactEvent event, void *arg);
static void subtransaction_callback(SubXactEvent event, SubTransactionId subid,
									SubTransactionId parent, void *arg);
static void
release_callback(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg);
static void notify_before_commit(void);
static void wait_later(void);
static void take_turn(void);
static bool gate_is_ours(void);

void
outbox_init(void)
{
	DefineCustomEnumVariable(
		"sales_crm.notify", "Sets when a commit wakes the senders.",
		"gated: unless another one is just doing so; always: each one that queued messages; off: "
		"never, senders look by themselves each second.",
		&notify_mode, NOTIFY_GATED, notify_modes, PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(transaction_callback, NULL);
	RegisterSubXactCallback(subtransaction_callback, NULL);
	RegisterResourceReleaseCallback(release_callback, NULL);
	outbox_floor_init();
}

/*
 * scrm_message_guard is a row trigger of message: no message becomes available earlier than it is
 * written, which outbox_floor.c relies on, and whoever may deliver it is woken.
 */
Datum
scrm_message_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "message_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple row = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;

	return PointerGetDatum(guard_available_at(trigger, row, is_update));
}

/*
 * guard_available_at sets available_at to now where it is earlier or NULL, unless an update leaves
 * it alone. The transaction gets its number before the clock is read: see outbox_floor.c.
 */
static HeapTuple
guard_available_at(TriggerData *trigger, HeapTuple row, bool replaces)
{
	TupleDesc tupdesc = RelationGetDescr(trigger->tg_relation);
	int column = SPI_fnumber(tupdesc, "available_at");
	bool isnull;
	Datum given;
	TimestampTz now;

	if (column <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"available_at\" of table \"%s\" does not exist",
							   RelationGetRelationName(trigger->tg_relation))));
	given = heap_getattr(row, column, tupdesc, &isnull);
	if (replaces && !isnull)
	{
		bool was_null;
		Datum before = heap_getattr(trigger->tg_trigtuple, column, tupdesc, &was_null);

		if (!was_null && DatumGetTimestampTz(before) == DatumGetTimestampTz(given))
			return row;
	}
	(void) GetCurrentTransactionId();
	now = GetCurrentTimestamp();
	if (!isnull && DatumGetTimestampTz(given) > now)
		return row;
	wake_up_pending = true;
	given = TimestampTzGetDatum(now);
	isnull = false;
	return heap_modify_tuple_by_cols(row, tupdesc, 1, &column, &given, &isnull);
}

/* event text, id bigint */
Datum
scrm_tell(PG_FUNCTION_ARGS)
{
	outbox_tell(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}

/* scrm_database_identity tells this database from its copies, unless they are physical ones. */
Datum
scrm_database_identity(PG_FUNCTION_ARGS pg_attribute_unused())
{
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId)));
}

/* outbox_tell keeps an event until the commit. */
void
outbox_tell(const char *name, int64 id)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	StringInfoData payload;
	Event *event = palloc(sizeof(Event));

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"event\":");
	escape_json(&payload, name);
	appendStringInfo(&payload, ",\"id\":" INT64_FORMAT "}", id);
	event->subid = GetCurrentSubTransactionId();
	event->payload = payload.data;
	events = lappend(events, event);
	MemoryContextSwitchTo(caller);
}

static void
transaction_callback(XactEvent event, void *arg pg_attribute_unused())
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (wake_up_pending || events != NIL)
				notify_before_commit();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wake_up_pending = false;
			events = NIL;
			break;
		default:
			break;
	}
}

static void
subtransaction_callback(SubXactEvent event, SubTransactionId subid, SubTransactionId parent,
						void *arg pg_attribute_unused())
{
	ListCell *cell;

	if (events == NIL || (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	foreach (cell, events)
	{
		Event *kept = lfirst(cell);

		if (kept->subid != subid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			kept->subid = parent;
		else
			events = foreach_delete_current(events, cell);
	}
}

/* release_callback waits for a commit whose locks are gone. */
static void
release_callback(ResourceReleasePhase phase, bool is_commit, bool is_top_level,
				 void *arg pg_attribute_unused())
{
	if (commit_waits == SYNCHRONOUS_COMMIT_OFF || !is_top_level ||
		phase != RESOURCE_RELEASE_AFTER_LOCKS)
		return;
	synchronous_commit = commit_waits;
	commit_waits = SYNCHRONOUS_COMMIT_OFF;
	if (is_commit)
		XLogFlush(XactLastCommitEnd);
}

static void
notify_before_commit(void)
{
	ListCell *cell;

	if (notify_mode == NOTIFY_OFF)
		return;
	if (events != NIL)
	{
		wait_later();
		take_turn();
	}
	foreach (cell, events)
		Async_Notify(EVENT_CHANNEL, ((Event *) lfirst(cell))->payload);
	if (wake_up_pending && (notify_mode == NOTIFY_ALWAYS || events != NIL || gate_is_ours()))
		Async_Notify(WAKE_UP_CHANNEL, NULL);
}

/* wait_later leaves the wait for the disk to release_callback, where nothing else is waited for. */
static void
wait_later(void)
{
	if (SyncRepStandbyNames != NULL && SyncRepStandbyNames[0] != '\0')
		return;
	commit_waits = synchronous_commit;
	synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
}

/*
 * take_turn gets the lock of notifications that the commit is going to need, by looking again and
 * again. The lock is held for an instant; who waits for it in its queue gets it while asleep, and
 * keeps it from everybody until it has a processor.
 */
static void
take_turn(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, InvalidOid, 0);
	for (int i = 0; i < TURN_LOOKS; i++)
	{
		if (LockAcquire(&tag, AccessExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
			return;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(TURN_PAUSE);
	}
}

/* gate_is_ours tries to get the lock, which the commit gives back. */
static bool
gate_is_ours(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, plan_namespace(), GATE_KEY, ADVISORY_LOCK_OF_TWO_KEYS);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}
