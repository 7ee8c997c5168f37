/*
 * history.c
 *		Writes what opportunities have been through: phase_stay and opportunity_change, once per
 *		statement.
 *
 * Memory: batches in the context of the trigger call.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "batch.h"
#include "compat.h"
#include "configuration.h"
#include "format.h"
#include "insert.h"
#include "member.h"
#include "opportunity.h"
#include "transition.h"
#include "trigger.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_history);

/* Columns in the order of the plans' arguments */
static const RowColumn stay_columns[] = {
	{"opportunity_id", INT8OID},
	{"phase_id", INT8OID},
	{"entered_at", TIMESTAMPTZOID},
	{"by", INT8OID},
};
static RowMap stay_map = ROW_MAP("phase_stay", stay_columns);

/* The same table, for who ends a stay */
enum
{
	STAY_ID,
	STAY_OPPORTUNITY_ID,
	STAY_LEFT_AT,
};

static const RowColumn left_columns[] = {
	[STAY_ID] = {"phase_stay_id", INT8OID},
	[STAY_OPPORTUNITY_ID] = {"opportunity_id", INT8OID},
	[STAY_LEFT_AT] = {"left_at", TIMESTAMPTZOID},
};
static RowMap left_map = ROW_MAP("phase_stay", left_columns);

static const RowColumn change_columns[] = {
	{"opportunity_id", INT8OID}, {"field", TEXTOID}, {"old", TEXTOID}, {"new", TEXTOID},
	{"rule", TEXTOID},			 {"by", INT8OID},
};
static RowMap change_map = ROW_MAP("opportunity_change", change_columns);

static void write_stay(const NullableDatum *stay);
static void write_move(const NullableDatum *move);
static void end_stay(Datum opportunity_id, NullableDatum left_at);
static void write_change(const NullableDatum *change);

static BatchPlan enter_plan = {
	.sql = "INSERT INTO sales_crm.phase_stay (opportunity_id, phase_id, entered_at, by)"
		   " SELECT n.opportunity_id, n.phase_id, n.entered_at, $4"
		   " FROM @rows AS n (opportunity_id, phase_id, entered_at)",
	.ncolumns = 3,
	.nargs = 4,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID},
	.write_one = write_stay,
};

/* A move, with the change of phase_id that goes with it */
static BatchPlan move_plan = {
	.sql = "WITH o AS (UPDATE sales_crm.phase_stay s SET left_at = n.entered_at"
		   "  FROM @rows AS n (opportunity_id, phase_id, entered_at, old, rule)"
		   "  WHERE s.opportunity_id = n.opportunity_id AND s.left_at IS NULL),"
		   " e AS (INSERT INTO sales_crm.phase_stay (opportunity_id, phase_id, entered_at, by)"
		   "  SELECT n.opportunity_id, n.phase_id, n.entered_at, $6"
		   "  FROM @rows AS n (opportunity_id, phase_id, entered_at, old, rule))"
		   " INSERT INTO sales_crm.opportunity_change (opportunity_id, field, old, new, rule, by)"
		   " SELECT n.opportunity_id, 'phase_id', n.old, n.phase_id::text, n.rule, $6"
		   " FROM @rows AS n (opportunity_id, phase_id, entered_at, old, rule)",
	.ncolumns = 5,
	.nargs = 6,
	.types = {INT8OID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, INT8OID},
	.write_one = write_move,
};

/* Puts the stays of opportunities in their order, the present one last */
static BatchPlan settle_plan = {
	.sql =
		"UPDATE sales_crm.phase_stay s SET left_at = x.next_entered_at FROM ("
		"  SELECT y.phase_stay_id, lead(y.entered_at) OVER (PARTITION BY y.opportunity_id"
		"   ORDER BY y.entered_at, (y.phase_id, y.entered_at) = (o.phase_id, o.phase_since),"
		"   y.phase_stay_id) AS next_entered_at"
		"  FROM sales_crm.phase_stay y JOIN sales_crm.opportunity o USING (opportunity_id)"
		"  WHERE y.opportunity_id IN (SELECT n.opportunity_id FROM @rows AS n (opportunity_id))) x"
		" WHERE s.phase_stay_id = x.phase_stay_id"
		"  AND s.left_at IS DISTINCT FROM x.next_entered_at",
	.ncolumns = 1,
	.nargs = 1,
	.types = {INT8OID},
};

static BatchPlan change_plan = {
	.sql = "INSERT INTO sales_crm.opportunity_change (opportunity_id, field, old, new, rule, by)"
		   " SELECT n.opportunity_id, n.field, n.old, n.new, n.rule, $6"
		   " FROM @rows AS n (opportunity_id, field, old, new, rule)",
	.ncolumns = 5,
	.nargs = 6,
	.types = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID},
	.write_one = write_change,
};

/* Columns of which changes go to opportunity_change */
static const OpportunityColumn tracked[] = {
	OPPORTUNITY_NAME,
	OPPORTUNITY_ACCOUNT_ID,
	OPPORTUNITY_CONTACT_ID,
	OPPORTUNITY_AMOUNT,
	OPPORTUNITY_CURRENCY,
	OPPORTUNITY_EXPECTED_ON,
	OPPORTUNITY_PROBABILITY_OVERRIDE,
	OPPORTUNITY_OWNER_ID,
	OPPORTUNITY_SOURCE_ID,
	OPPORTUNITY_PIPELINE_ID,
	OPPORTUNITY_PHASE_ID,
	OPPORTUNITY_LOST_REASON_ID,
	OPPORTUNITY_DISCOUNT_PERCENT,
	OPPORTUNITY_DISCOUNT_AMOUNT,
	OPPORTUNITY_PRICES_INCLUDE_TAX,
	OPPORTUNITY_VAT_METHOD,
};

static void add_stay(Batch *stays, const OpportunityRow *row);
static void add_move(Batch *moves, const OpportunityRow *old, const OpportunityRow *new);
static void add_change(Batch *changes, const OpportunityRow *old, const OpportunityRow *new,
					   OpportunityColumn column);
static NullableDatum rule_text(const OpportunityRow *old, const OpportunityRow *new);
static NullableDatum value_text(const OpportunityRow *row, OpportunityColumn column);

Datum
scrm_opportunity_history(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "opportunity_history", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = opportunity_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	bool late = trigger_may_be_late(trigger);
	NullableDatum by = batch_key(member_current().member_id);
	TriggerRows rows;
	Batch stays;
	Batch settled;
	Batch changes;
	Batch moves;

	batch_open(&stays, &enter_plan);
	batch_set_constant(&stays, 3, by);
	batch_open(&settled, &settle_plan);
	batch_open(&changes, &change_plan);
	batch_set_constant(&changes, 5, by);
	batch_open(&moves, &move_plan);
	batch_set_constant(&moves, 5, by);

	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		OpportunityRow new = row_in_slot(map, rows.new_row);
		bool enters = true;

		if (!inserting)
		{
			OpportunityRow old = row_in_slot(map, rows.old_row);

			enters = opportunity_differs(&old, &new, OPPORTUNITY_PHASE_ID);
			for (size_t i = 0; i < lengthof(tracked); i++)
			{
				if ((tracked[i] != OPPORTUNITY_PHASE_ID || late) &&
					opportunity_differs(&old, &new, tracked[i]))
					add_change(&changes, &old, &new, tracked[i]);
			}
			if (enters && !late)
				add_move(&moves, &old, &new);
		}
		if (enters && (inserting || late))
			add_stay(&stays, &new);
		if (enters && late)
			opportunity_add_key(&settled, &new);
	}
	trigger_close_rows(&rows);
	batch_close(&stays);
	batch_close(&settled);
	batch_close(&changes);
	batch_close(&moves);
	return PointerGetDatum(NULL);
}

static void
add_stay(Batch *stays, const OpportunityRow *row)
{
	NullableDatum stay[] = {
		batch_value(opportunity_value(row, OPPORTUNITY_ID)),
		batch_value(opportunity_value(row, OPPORTUNITY_PHASE_ID)),
		batch_value(opportunity_value(row, OPPORTUNITY_PHASE_SINCE)),
	};

	batch_add(stays, stay);
}

static void
add_move(Batch *moves, const OpportunityRow *old, const OpportunityRow *new)
{
	MemoryContext caller = MemoryContextSwitchTo(batch_context(moves));
	NullableDatum move[] = {
		batch_value(opportunity_value(new, OPPORTUNITY_ID)),
		batch_value(opportunity_value(new, OPPORTUNITY_PHASE_ID)),
		batch_value(opportunity_value(new, OPPORTUNITY_PHASE_SINCE)),
		value_text(old, OPPORTUNITY_PHASE_ID),
		rule_text(old, new),
	};

	batch_add(moves, move);
	MemoryContextSwitchTo(caller);
}

static void
add_change(Batch *changes, const OpportunityRow *old, const OpportunityRow *new,
		   OpportunityColumn column)
{
	MemoryContext caller = MemoryContextSwitchTo(batch_context(changes));
	NullableDatum change[] = {
		batch_value(opportunity_value(new, OPPORTUNITY_ID)),
		batch_value(CStringGetTextDatum(opportunity_columns[column].name)),
		value_text(old, column),
		value_text(new, column),
		rule_text(old, new),
	};

	batch_add(changes, change);
	MemoryContextSwitchTo(caller);
}

static void
write_stay(const NullableDatum *stay)
{
	static Insert insert = {.map = &stay_map};

	(void) insert_row(&insert, stay, NULL);
}

/* write_move: opportunity_id, phase_id, entered_at, old, rule, by */
static void
write_move(const NullableDatum *move)
{
	char *phase = psprintf(INT64_FORMAT, DatumGetInt64(move[1].value));
	NullableDatum stay[] = {move[0], move[1], move[2], move[5]};
	NullableDatum change[] = {
		move[0], batch_value(CStringGetTextDatum("phase_id")),
		move[3], batch_value(CStringGetTextDatum(phase)),
		move[4], move[5],
	};

	end_stay(move[0].value, move[2]);
	write_stay(stay);
	write_change(change);
}

/* end_stay ends the stay in which the opportunity is. */
static void
end_stay(Datum opportunity_id, NullableDatum left_at)
{
	static Lookup stays = {.map = &left_map, .ncolumns = 1, .columns = {STAY_OPPORTUNITY_ID}};
	static Update leave = {
		.lookup = {.map = &left_map, .ncolumns = 1, .columns = {STAY_ID}},
		.ncolumns = 1,
		.columns = {STAY_LEFT_AT},
	};
	LookupScan scan;
	Datum key = (Datum) 0;
	bool found = false;

	lookup_begin(&scan, &stays, LOOKUP_STATEMENT, &opportunity_id);
	while (!found && lookup_next(&scan))
	{
		found = row_is_null(&scan.row, STAY_LEFT_AT);
		key = row_value(&scan.row, STAY_ID);
	}
	lookup_end(&scan);
	if (found)
		(void) update_row(&leave, key, &left_at);
}

static void
write_change(const NullableDatum *change)
{
	static Insert insert = {.map = &change_map};

	(void) insert_row(&insert, change, NULL);
}

/* rule_text returns the id of the rule that allowed the change. */
static NullableDatum
rule_text(const OpportunityRow *old, const OpportunityRow *new)
{
	Move move = {.configuration = configuration_get(), .member = member_current()};

	move.from =
		configuration_find_phase(move.configuration, opportunity_key(old, OPPORTUNITY_PHASE_ID));
	move.to =
		configuration_find_phase(move.configuration, opportunity_key(new, OPPORTUNITY_PHASE_ID));
	return batch_value(CStringGetTextDatum(transition_rule(&move)));
}

/* value_text returns a value as text that does not depend on the session's settings. */
static NullableDatum
value_text(const OpportunityRow *row, OpportunityColumn column)
{
	Datum value = opportunity_value(row, column);

	if (opportunity_is_null(row, column))
		return batch_null();
	switch (opportunity_columns[column].type)
	{
		case INT8OID:
			return batch_value(CStringGetTextDatum(psprintf(INT64_FORMAT, DatumGetInt64(value))));
		case NUMERICOID:
			return batch_value(
				DirectFunctionCall1(textin, DirectFunctionCall1(numeric_out, value)));
		case BOOLOID:
			return batch_value(CStringGetTextDatum(DatumGetBool(value) ? "true" : "false"));
		case DATEOID:
			return batch_value(CStringGetTextDatum(format_iso_day(DatumGetDateADT(value))));
		default:
			return batch_value(PointerGetDatum(PG_DETOAST_DATUM_COPY(value)));
	}
}
