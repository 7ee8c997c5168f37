/*
 * opportunity.c
 *		The guard of sales_crm.opportunity: fills in what a statement left out, checks values and
 *		transitions, keeps phase_since, closed_at, updated_at and revision.
 *
 * It works row by row before the row is stored, for every way in which a row can come or change,
 * and writes nothing but the row: what follows from it is written once per statement, by
 * history.c and follow_up.c.
 *
 * Memory: the executor's per-tuple context. The map of columns lives as long as the session, and
 * a relcache callback marks it when the table changes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "configuration.h"
#include "error.h"
#include "member.h"
#include "money.h"
#include "opportunity.h"
#include "plan.h"
#include "product_line.h"
#include "transition.h"
#include "trigger.h"
#include "value.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_guard);

const OpportunityColumnInfo opportunity_columns[OPPORTUNITY_COLUMNS] = {
	[OPPORTUNITY_ID] = {"opportunity_id", INT8OID, false},
	[OPPORTUNITY_NAME] = {"name", TEXTOID, true},
	[OPPORTUNITY_ACCOUNT_ID] = {"account_id", INT8OID, true},
	[OPPORTUNITY_CONTACT_ID] = {"contact_id", INT8OID, true},
	[OPPORTUNITY_PIPELINE_ID] = {"pipeline_id", INT8OID, true},
	[OPPORTUNITY_PHASE_ID] = {"phase_id", INT8OID, true},
	[OPPORTUNITY_OWNER_ID] = {"owner_id", INT8OID, true},
	[OPPORTUNITY_SOURCE_ID] = {"source_id", INT8OID, true},
	[OPPORTUNITY_AMOUNT] = {"amount", NUMERICOID, true},
	[OPPORTUNITY_CURRENCY] = {"currency", TEXTOID, true},
	[OPPORTUNITY_EXPECTED_ON] = {"expected_on", DATEOID, true},
	[OPPORTUNITY_PROBABILITY_OVERRIDE] = {"probability_override", NUMERICOID, true},
	[OPPORTUNITY_LOST_REASON_ID] = {"lost_reason_id", INT8OID, true},
	[OPPORTUNITY_DISCOUNT_PERCENT] = {"discount_percent", NUMERICOID, true},
	[OPPORTUNITY_DISCOUNT_AMOUNT] = {"discount_amount", NUMERICOID, true},
	[OPPORTUNITY_PRICES_INCLUDE_TAX] = {"prices_include_tax", BOOLOID, true},
	[OPPORTUNITY_VAT_METHOD] = {"vat_method", TEXTOID, true},
	[OPPORTUNITY_PHASE_SINCE] = {"phase_since", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CLOSED_AT] = {"closed_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CREATED_AT] = {"created_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_CREATED_BY] = {"created_by", INT8OID, false},
	[OPPORTUNITY_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID, false},
	[OPPORTUNITY_REVISION] = {"revision", INT8OID, false},
};

/* What the guard knows while it works on one row */
typedef struct Guard
{
	Move move;
	const OpportunityRow *old; /* NULL for INSERT */
	OpportunityRow *new;
	bool follows;	   /* the amount has just been made what product lines come to */
	TimestampTz now;   /* when the transaction began */
	TimestampTz clock; /* the present moment */
} Guard;

/* The map of the table itself */
static OpportunityMap table_map;
static Oid table_map_oid = InvalidOid;
static bool table_map_valid = false;

static void relcache_callback(Datum arg, Oid relid);
static void guard_insert(Guard *guard);
static void guard_update(Guard *guard);
static void choose_first_phase(Guard *guard);
static void resolve_phase(Guard *guard);
static void keep_times_of_new(Guard *guard);
static void keep_times_of_move(Guard *guard);
static void check_times_in_order(const Guard *guard);
static void check_values(Guard *guard);
static void check_discount(const Guard *guard, const Currency *currency);
static void follow_lines(Guard *guard);
static void check_source(const Guard *guard);
static void check_given(const Guard *guard, OpportunityColumn column, const char *hint);
static void check_identity(const Guard *guard);
static void check_frozen(const Guard *guard);
static bool is_merge_of_accounts(const Guard *guard);
static void check_still_filled(const Guard *guard);
static bool row_changes(const Guard *guard);

void
opportunity_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
}

void
opportunity_map_fill(OpportunityMap *map, TupleDesc tupdesc)
{
	for (int column = 0; column < OPPORTUNITY_COLUMNS; column++)
	{
		const OpportunityColumnInfo *wanted = &opportunity_columns[column];
		AttrNumber attnum = InvalidAttrNumber;

		for (int i = 0; i < tupdesc->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

			if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), wanted->name) == 0)
				attnum = attribute->attnum;
		}
		if (attnum == InvalidAttrNumber)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("sales_crm.opportunity has no column \"%s\"", wanted->name),
							errdetail("The functions of sales_crm work with it."),
							errhint("Add or rename it back; columns of your own are welcome.")));
		if (TupleDescAttr(tupdesc, attnum - 1)->atttypid != wanted->type)
			ereport(
				ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg(
					 "column \"%s\" of sales_crm.opportunity has another type than sales_crm gave it",
					 wanted->name),
				 errdetail("It has type %s instead of %s.",
						   format_type_be(TupleDescAttr(tupdesc, attnum - 1)->atttypid),
						   format_type_be(wanted->type)),
				 errhint("ALTER the column back to its type.")));
		map->attnums[column] = attnum;
	}
}

const OpportunityMap *
opportunity_map(Relation relation)
{
	if (!table_map_valid || RelationGetRelid(relation) != table_map_oid)
	{
		if (RelationGetRelid(relation) != plan_relation("opportunity"))
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("trigger functions of sales_crm.opportunity do not serve table \"%s\"",
							RelationGetRelationName(relation)),
					 errhint("Drop the trigger on that table.")));
		table_map_oid = RelationGetRelid(relation);
		opportunity_map_fill(&table_map, RelationGetDescr(relation));
		table_map_valid = true;
	}
	return &table_map;
}

/* opportunity_differs compares a column of two rows of the same type. */
bool
opportunity_differs(const OpportunityRow *a, const OpportunityRow *b, OpportunityColumn column)
{
	int i = a->map->attnums[column] - 1;
	Form_pg_attribute attribute = TupleDescAttr(a->tupdesc, i);

	if (a->nulls[i] || b->nulls[i])
		return a->nulls[i] != b->nulls[i];
	if (attribute->atttypid == NUMERICOID) /* 100 is 100.00 */
		return !DatumGetBool(DirectFunctionCall2(numeric_eq, a->values[i], b->values[i]));
	return !datum_image_eq(a->values[i], b->values[i], attribute->attbyval, attribute->attlen);
}

Datum
scrm_opportunity_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "opportunity_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	const OpportunityMap *map = opportunity_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	int natts = RelationGetDescr(trigger->tg_relation)->natts;
	OpportunityRow old;
	OpportunityRow given;
	OpportunityRow new;
	Guard guard;

	if (!inserting && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);

	given = opportunity_row(map, inserting ? trigger->tg_trigslot : trigger->tg_newslot);
	new = given;
	new.values = memcpy(palloc_array(Datum, natts), given.values, sizeof(Datum) * natts);
	new.nulls = memcpy(palloc_array(bool, natts), given.nulls, sizeof(bool) * natts);
	guard.new = &new;
	guard.old = NULL;
	guard.follows = false;
	guard.now = GetCurrentTransactionStartTimestamp();
	guard.clock = GetCurrentTimestamp();
	guard.move.configuration = configuration_get();
	guard.move.member = member_current();
	if (inserting)
		guard_insert(&guard);
	else
	{
		old = opportunity_row(map, trigger->tg_trigslot);
		guard.old = &old;
		guard_update(&guard);
	}
	return PointerGetDatum(heap_form_tuple(new.tupdesc, new.values, new.nulls));
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid == InvalidOid || relid == table_map_oid)
		table_map_valid = false;
}

static void
set(OpportunityRow *row, OpportunityColumn column, Datum value)
{
	row->values[row->map->attnums[column] - 1] = value;
	row->nulls[row->map->attnums[column] - 1] = false;
}

static void
set_null(OpportunityRow *row, OpportunityColumn column)
{
	row->values[row->map->attnums[column] - 1] = (Datum) 0;
	row->nulls[row->map->attnums[column] - 1] = true;
}

/* time_of returns a time that is not NULL. */
static TimestampTz
time_of(const OpportunityRow *row, OpportunityColumn column)
{
	return DatumGetTimestampTz(opportunity_value(row, column));
}

static bool
changed(const Guard *guard, OpportunityColumn column)
{
	return guard->old == NULL || opportunity_differs(guard->old, guard->new, column);
}

static void
guard_insert(Guard *guard)
{
	OpportunityRow *new = guard->new;
	const Configuration *configuration = guard->move.configuration;
	int64 member_id = guard->move.member.member_id;
	Datum none;

	guard->move.from = NULL;
	if (opportunity_is_null(new, OPPORTUNITY_PHASE_ID))
		choose_first_phase(guard);
	resolve_phase(guard);
	if (opportunity_is_null(new, OPPORTUNITY_CURRENCY))
		set(new, OPPORTUNITY_CURRENCY, CStringGetTextDatum(configuration->currency));
	if (opportunity_is_null(new, OPPORTUNITY_PRICES_INCLUDE_TAX))
		set(new, OPPORTUNITY_PRICES_INCLUDE_TAX, BoolGetDatum(configuration->prices_include_tax));
	if (opportunity_is_null(new, OPPORTUNITY_VAT_METHOD))
		set(new, OPPORTUNITY_VAT_METHOD,
			CStringGetTextDatum(configuration_vat_method_name(configuration->vat_method)));
	if (member_id != 0 && opportunity_is_null(new, OPPORTUNITY_OWNER_ID))
		set(new, OPPORTUNITY_OWNER_ID, Int64GetDatum(member_id));
	if (member_id != 0 && opportunity_is_null(new, OPPORTUNITY_CREATED_BY))
		set(new, OPPORTUNITY_CREATED_BY, Int64GetDatum(member_id));
	keep_times_of_new(guard);
	set(new, OPPORTUNITY_UPDATED_AT, TimestampTzGetDatum(guard->now));
	set(new, OPPORTUNITY_REVISION, Int64GetDatum(1));
	check_values(guard);
	if (!opportunity_is_null(new, OPPORTUNITY_DISCOUNT_PERCENT))
		(void) product_line_total(new, guard->move.member, true, &none);
	transition_require(&guard->move, new);
}

static void
guard_update(Guard *guard)
{
	OpportunityRow *new = guard->new;
	const OpportunityRow *old = guard->old;
	Datum total;

	set(new, OPPORTUNITY_UPDATED_AT, opportunity_value(old, OPPORTUNITY_UPDATED_AT));
	set(new, OPPORTUNITY_REVISION, opportunity_value(old, OPPORTUNITY_REVISION));
	guard->follows = product_line_recomputes(new, guard->move.member, &total);
	if (guard->follows)
	{
		set(new, OPPORTUNITY_AMOUNT, total);
		if (!changed(guard, OPPORTUNITY_AMOUNT)) /* 100 stays 100, not 100.00 */
			set(new, OPPORTUNITY_AMOUNT, opportunity_value(old, OPPORTUNITY_AMOUNT));
	}
	if (!row_changes(guard))
		return;
	check_identity(guard);

	/* A change of pipeline alone means its first phase */
	if (changed(guard, OPPORTUNITY_PIPELINE_ID) && !changed(guard, OPPORTUNITY_PHASE_ID) &&
		!opportunity_is_null(new, OPPORTUNITY_PIPELINE_ID))
		choose_first_phase(guard);
	guard->move.from = configuration_find_phase(guard->move.configuration,
												opportunity_key(old, OPPORTUNITY_PHASE_ID));
	resolve_phase(guard);
	if (guard->move.from == NULL)
		elog(ERROR, "phase " INT64_FORMAT " does not exist",
			 opportunity_key(old, OPPORTUNITY_PHASE_ID));

	check_values(guard);
	if (guard->move.to != guard->move.from)
	{
		transition_require(&guard->move, new);
		if (guard->move.from->outcome == OUTCOME_LOST && guard->move.to->outcome != OUTCOME_LOST &&
			!changed(guard, OPPORTUNITY_LOST_REASON_ID))
			set_null(new, OPPORTUNITY_LOST_REASON_ID);
	}
	else
		check_still_filled(guard);
	follow_lines(guard);
	check_frozen(guard);
	keep_times_of_move(guard);
	set(new, OPPORTUNITY_UPDATED_AT, TimestampTzGetDatum(guard->now));
	set(new, OPPORTUNITY_REVISION, Int64GetDatum(opportunity_key(old, OPPORTUNITY_REVISION) + 1));
}

/*
 * choose_first_phase fills in the first open phase of the given pipeline, or of the default one.
 */
static void
choose_first_phase(Guard *guard)
{
	const Configuration *configuration = guard->move.configuration;
	const Pipeline *pipeline;
	const Phase *first;

	if (opportunity_is_null(guard->new, OPPORTUNITY_PIPELINE_ID))
	{
		pipeline = configuration_default_pipeline(configuration);
		if (pipeline == NULL)
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("no pipeline is the default"),
							errhint("INSERT INTO sales_crm.pipeline one with is_default, or name a "
									"pipeline_id."),
							value_column("pipeline_id")));
	}
	else
	{
		int64 pipeline_id = opportunity_key(guard->new, OPPORTUNITY_PIPELINE_ID);

		pipeline = configuration_find_pipeline(configuration, pipeline_id);
		if (pipeline == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("pipeline does not exist"),
					 errdetail("sales_crm.pipeline has no key " INT64_FORMAT ".", pipeline_id),
					 errhint("SELECT pipeline_id, name FROM sales_crm.pipeline shows those there "
							 "are."),
					 value_column("pipeline_id")));
	}
	first = configuration_first_phase(configuration, pipeline);
	if (first == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" has no open phase", pipeline->name),
				 errhint("INSERT INTO sales_crm.phase one without outcome, or name a phase_id."),
				 value_column("phase_id")));
	set(guard->new, OPPORTUNITY_PIPELINE_ID, Int64GetDatum(pipeline->pipeline_id));
	set(guard->new, OPPORTUNITY_PHASE_ID, Int64GetDatum(first->phase_id));
}

/*
 * resolve_phase finds the phase in which the row is to be, and makes sure that it belongs to the
 * row's pipeline. A new row that names only a phase gets its pipeline.
 */
static void
resolve_phase(Guard *guard)
{
	OpportunityRow *new = guard->new;
	int64 phase_id = opportunity_key(new, OPPORTUNITY_PHASE_ID);
	const Phase *phase;

	if (opportunity_is_null(new, OPPORTUNITY_PHASE_ID) ||
		(guard->old != NULL && opportunity_is_null(new, OPPORTUNITY_PIPELINE_ID)))
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
						errmsg("an opportunity is always in a phase of a pipeline"),
						errdetail("The statement sets pipeline_id or phase_id to NULL."),
						errhint("Name the phase to move to, or leave both out."),
						value_column("phase_id")));
	phase = configuration_find_phase(guard->move.configuration, phase_id);
	if (phase == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION), errmsg("phase does not exist"),
				 errdetail("sales_crm.phase has no key " INT64_FORMAT ".", phase_id),
				 errhint("SELECT phase_id, name FROM sales_crm.phase shows those there are."),
				 value_column("phase_id")));
	if (opportunity_is_null(new, OPPORTUNITY_PIPELINE_ID))
		set(new, OPPORTUNITY_PIPELINE_ID, Int64GetDatum(phase->pipeline->pipeline_id));
	else if (opportunity_key(new, OPPORTUNITY_PIPELINE_ID) != phase->pipeline->pipeline_id)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_PHASE_NOT_IN_PIPELINE),
				 errmsg("phase \"%s\" is not in the opportunity's pipeline", phase->name),
				 errdetail("The phase belongs to pipeline \"%s\" (" INT64_FORMAT
						   "), the row says pipeline " INT64_FORMAT ".",
						   phase->pipeline->name, phase->pipeline->pipeline_id,
						   opportunity_key(new, OPPORTUNITY_PIPELINE_ID)),
				 errhint("Set pipeline_id too, to move the opportunity to another pipeline."),
				 value_column("phase_id")));
	guard->move.to = phase;
}

/*
 * keep_times_of_new fills in created_at, phase_since and closed_at of a new row. An import may
 * state them; what it leaves out follows from what it states.
 */
static void
keep_times_of_new(Guard *guard)
{
	OpportunityRow *new = guard->new;
	bool final = guard->move.to->outcome != OUTCOME_OPEN;
	TimestampTz created;

	if (!final && !opportunity_is_null(new, OPPORTUNITY_CLOSED_AT))
		value_refuse("closed_at", "an open opportunity has no closed_at",
					 psprintf("Phase \"%s\" is open.", guard->move.to->name),
					 "Name a final phase, or leave closed_at out.");
	if (final && opportunity_is_null(new, OPPORTUNITY_CLOSED_AT))
		set(new, OPPORTUNITY_CLOSED_AT,
			opportunity_is_null(new, OPPORTUNITY_PHASE_SINCE)
				? TimestampTzGetDatum(guard->now)
				: opportunity_value(new, OPPORTUNITY_PHASE_SINCE));
	if (opportunity_is_null(new, OPPORTUNITY_PHASE_SINCE))
	{
		if (final)
			set(new, OPPORTUNITY_PHASE_SINCE, opportunity_value(new, OPPORTUNITY_CLOSED_AT));
		else if (!opportunity_is_null(new, OPPORTUNITY_CREATED_AT))
			set(new, OPPORTUNITY_PHASE_SINCE, opportunity_value(new, OPPORTUNITY_CREATED_AT));
		else
			set(new, OPPORTUNITY_PHASE_SINCE, TimestampTzGetDatum(guard->now));
	}
	if (opportunity_is_null(new, OPPORTUNITY_CREATED_AT))
	{
		created = Min(guard->now, time_of(new, OPPORTUNITY_PHASE_SINCE));
		set(new, OPPORTUNITY_CREATED_AT, TimestampTzGetDatum(created));
	}
	check_times_in_order(guard);
}

/*
 * keep_times_of_move sets phase_since and closed_at of a row that changes its phase, unless the
 * statement states them, and keeps those of a row that stays. A transaction that began before the
 * last move was committed cannot move before it.
 */
static void
keep_times_of_move(Guard *guard)
{
	OpportunityRow *new = guard->new;
	bool final = guard->move.to->outcome != OUTCOME_OPEN;
	bool since_stated = changed(guard, OPPORTUNITY_PHASE_SINCE);
	bool closed_stated =
		changed(guard, OPPORTUNITY_CLOSED_AT) && !opportunity_is_null(new, OPPORTUNITY_CLOSED_AT);
	TimestampTz old_since = time_of(guard->old, OPPORTUNITY_PHASE_SINCE);

	if (guard->move.to == guard->move.from)
	{
		if (since_stated || changed(guard, OPPORTUNITY_CLOSED_AT))
			value_refuse(since_stated ? "phase_since" : "closed_at",
						 "phase_since and closed_at change only with the phase",
						 psprintf("The opportunity stays in phase \"%s\".", guard->move.to->name),
						 "State them in the statement that moves the opportunity.");
		return;
	}
	if (opportunity_is_null(new, OPPORTUNITY_PHASE_SINCE))
		since_stated = false;
	if (!since_stated)
	{
		TimestampTz since = Max(guard->now, old_since);

		if (final && closed_stated)
			since = time_of(new, OPPORTUNITY_CLOSED_AT);
		set(new, OPPORTUNITY_PHASE_SINCE, TimestampTzGetDatum(since));
	}
	if (!final)
	{
		if (closed_stated)
			value_refuse("closed_at", "an open opportunity has no closed_at",
						 psprintf("Phase \"%s\" is open.", guard->move.to->name),
						 "Name a final phase, or leave closed_at out.");
		set_null(new, OPPORTUNITY_CLOSED_AT);
	}
	else if (!closed_stated)
		set(new, OPPORTUNITY_CLOSED_AT, opportunity_value(new, OPPORTUNITY_PHASE_SINCE));

	if (time_of(new, OPPORTUNITY_PHASE_SINCE) < old_since)
		value_refuse("phase_since", "an opportunity cannot leave a phase before it entered it",
					 psprintf("It is in phase \"%s\" since %s.", guard->move.from->name,
							  timestamptz_to_str(old_since)),
					 "State a later phase_since or closed_at, or leave them out.");
	check_times_in_order(guard);
}

static void
check_times_in_order(const Guard *guard)
{
	value_check_time(guard->new, OPPORTUNITY_CREATED_AT, guard->clock);
	value_check_time(guard->new, OPPORTUNITY_PHASE_SINCE, guard->clock);
	if (!opportunity_is_null(guard->new, OPPORTUNITY_CLOSED_AT))
	{
		value_check_time(guard->new, OPPORTUNITY_CLOSED_AT, guard->clock);
		value_check_order(guard->new, OPPORTUNITY_CREATED_AT, OPPORTUNITY_CLOSED_AT);
		value_check_order(guard->new, OPPORTUNITY_PHASE_SINCE, OPPORTUNITY_CLOSED_AT);
	}
	value_check_order(guard->new, OPPORTUNITY_CREATED_AT, OPPORTUNITY_PHASE_SINCE);
}

static void
check_values(Guard *guard)
{
	OpportunityRow *new = guard->new;
	const Currency *currency;

	check_given(guard, OPPORTUNITY_NAME, "Give it a name that people recognise.");
	check_given(guard, OPPORTUNITY_ACCOUNT_ID,
				"Name the account, after an INSERT INTO sales_crm.account when it is new.");
	check_given(guard, OPPORTUNITY_CURRENCY, "Use a code of ISO 4217, such as EUR.");
	if (changed(guard, OPPORTUNITY_PRICES_INCLUDE_TAX))
		check_given(guard, OPPORTUNITY_PRICES_INCLUDE_TAX, "Say true or false.");
	if (changed(guard, OPPORTUNITY_VAT_METHOD))
		check_given(guard, OPPORTUNITY_VAT_METHOD, "Use en16931 or per_line.");
	if (changed(guard, OPPORTUNITY_NAME))
		value_check_name(opportunity_value(new, OPPORTUNITY_NAME));
	if (changed(guard, OPPORTUNITY_AMOUNT) || changed(guard, OPPORTUNITY_CURRENCY) ||
		changed(guard, OPPORTUNITY_DISCOUNT_PERCENT) || changed(guard, OPPORTUNITY_DISCOUNT_AMOUNT))
	{
		currency = value_check_currency(guard->move.configuration,
										opportunity_value(new, OPPORTUNITY_CURRENCY));
		if (!opportunity_is_null(new, OPPORTUNITY_AMOUNT))
			set(new, OPPORTUNITY_AMOUNT,
				value_check_amount(opportunity_value(new, OPPORTUNITY_AMOUNT), currency));
		check_discount(guard, currency);
	}
	if (changed(guard, OPPORTUNITY_EXPECTED_ON) &&
		!opportunity_is_null(new, OPPORTUNITY_EXPECTED_ON))
		value_check_expected_on(opportunity_value(new, OPPORTUNITY_EXPECTED_ON));
	if (changed(guard, OPPORTUNITY_PROBABILITY_OVERRIDE) &&
		!opportunity_is_null(new, OPPORTUNITY_PROBABILITY_OVERRIDE))
		value_check_probability(opportunity_value(new, OPPORTUNITY_PROBABILITY_OVERRIDE));
	if (changed(guard, OPPORTUNITY_SOURCE_ID) && !opportunity_is_null(new, OPPORTUNITY_SOURCE_ID))
		check_source(guard);
}

/* check_source refuses a source that is no longer offered; the foreign key, one that is not there. */
static void
check_source(const Guard *guard)
{
	const Source *source = configuration_find_source(
		guard->move.configuration, opportunity_key(guard->new, OPPORTUNITY_SOURCE_ID));

	if (source != NULL && !source->active)
		value_refuse("source_id", psprintf("source \"%s\" is not active", source->name),
					 "It is kept for the opportunities that have it.",
					 "Choose an active row of sales_crm.source, or set its active to true.");
}

/* check_discount refuses a discount that no offer could have. */
static void
check_discount(const Guard *guard, const Currency *currency)
{
	NullableDatum percent = {.value = (Datum) 0, .isnull = true};
	NullableDatum amount = {.value = (Datum) 0, .isnull = true};

	if (!opportunity_is_null(guard->new, OPPORTUNITY_DISCOUNT_PERCENT))
		percent = batch_value(opportunity_value(guard->new, OPPORTUNITY_DISCOUNT_PERCENT));
	if (!opportunity_is_null(guard->new, OPPORTUNITY_DISCOUNT_AMOUNT))
		amount = batch_value(opportunity_value(guard->new, OPPORTUNITY_DISCOUNT_AMOUNT));
	if (!percent.isnull || !amount.isnull)
		money_check_discount(currency, percent, amount);
}

/*
 * follow_lines makes the amount what the product lines come to, when something changes on which
 * that depends, and refuses another one. Without lines that count, the amount is free.
 */
static void
follow_lines(Guard *guard)
{
	OpportunityRow *new = guard->new;
	bool discount =
		changed(guard, OPPORTUNITY_DISCOUNT_PERCENT) || changed(guard, OPPORTUNITY_DISCOUNT_AMOUNT);
	bool terms = discount || changed(guard, OPPORTUNITY_CURRENCY) ||
				 changed(guard, OPPORTUNITY_PRICES_INCLUDE_TAX) ||
				 changed(guard, OPPORTUNITY_VAT_METHOD);
	Datum total;

	if (!terms && (guard->follows || !changed(guard, OPPORTUNITY_AMOUNT) || product_line_sets(new)))
		return;
	if (!product_line_total(new, guard->move.member, discount, &total))
		return;
	if (changed(guard, OPPORTUNITY_CURRENCY))
		value_refuse("currency", "currency of an opportunity with product lines does not change",
					 "Prices of its lines are in the present currency.",
					 "DELETE its product lines first, and add them again with their prices.");
	if (changed(guard, OPPORTUNITY_AMOUNT) &&
		(opportunity_is_null(new, OPPORTUNITY_AMOUNT) ||
		 !DatumGetBool(
			 DirectFunctionCall2(numeric_eq, total, opportunity_value(new, OPPORTUNITY_AMOUNT)))))
		value_refuse(
			"amount", "amount of an opportunity with product lines follows them",
			psprintf("They come to %s.", DatumGetCString(DirectFunctionCall1(numeric_out, total))),
			"Change its product lines or its discount; without lines, the amount is free.");
	set(new, OPPORTUNITY_AMOUNT,
		value_check_amount(total,
						   value_check_currency(guard->move.configuration,
												opportunity_value(new, OPPORTUNITY_CURRENCY))));
}

static void
check_given(const Guard *guard, OpportunityColumn column, const char *hint)
{
	if (opportunity_is_null(guard->new, column))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("%s of an opportunity must be given", opportunity_columns[column].name),
				 errdetail("It is NULL."), errhint("%s", hint),
				 value_column(opportunity_columns[column].name)));
}

/* check_identity refuses to change who an opportunity is and where it comes from. */
static void
check_identity(const Guard *guard)
{
	static const OpportunityColumn fixed[] = {
		OPPORTUNITY_ID,
		OPPORTUNITY_CREATED_AT,
		OPPORTUNITY_CREATED_BY,
	};

	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (changed(guard, fixed[i]))
			value_refuse(opportunity_columns[fixed[i]].name,
						 psprintf("%s of an opportunity does not change",
								  opportunity_columns[fixed[i]].name),
						 psprintf("Opportunity " INT64_FORMAT " exists already.",
								  opportunity_key(guard->old, OPPORTUNITY_ID)),
						 "It can be stated on INSERT only.");
	}
}

/* check_frozen refuses to change what counts of an opportunity that is closed and stays so. */
static void
check_frozen(const Guard *guard)
{
	static const OpportunityColumn frozen[] = {
		OPPORTUNITY_AMOUNT,
		OPPORTUNITY_CURRENCY,
		OPPORTUNITY_ACCOUNT_ID,
		OPPORTUNITY_OWNER_ID,
		OPPORTUNITY_DISCOUNT_PERCENT,
		OPPORTUNITY_DISCOUNT_AMOUNT,
		OPPORTUNITY_PRICES_INCLUDE_TAX,
		OPPORTUNITY_VAT_METHOD,
	};

	if (guard->move.from->outcome == OUTCOME_OPEN || guard->move.to->outcome == OUTCOME_OPEN)
		return;
	for (size_t i = 0; i < lengthof(frozen); i++)
	{
		if (changed(guard, frozen[i]) &&
			!(frozen[i] == OPPORTUNITY_ACCOUNT_ID && is_merge_of_accounts(guard)))
			ereport(ERROR,
					(errcode(ERRCODE_SCRM_OPPORTUNITY_CLOSED),
					 errmsg("%s of a closed opportunity is frozen",
							opportunity_columns[frozen[i]].name),
					 errdetail("Opportunity " INT64_FORMAT " was closed in phase \"%s\" at %s.",
							   opportunity_key(guard->old, OPPORTUNITY_ID), guard->move.from->name,
							   timestamptz_to_str(time_of(guard->old, OPPORTUNITY_CLOSED_AT))),
					 errhint("A manager can reopen it by moving it to an open phase of its "
							 "pipeline."),
					 value_column(opportunity_columns[frozen[i]].name)));
	}
}

/* is_merge_of_accounts says whether merge_accounts() made one of the old and the new account. */
static bool
is_merge_of_accounts(const Guard *guard)
{
	static ScrmPlan plan = {
		.sql = "SELECT FROM sales_crm.account_merge m WHERE m.removed_id = $1 AND m.kept_id = $2",
		.nargs = 2,
		.argtypes = {INT8OID, INT8OID},
	};
	Datum values[] = {
		opportunity_value(guard->old, OPPORTUNITY_ACCOUNT_ID),
		opportunity_value(guard->new, OPPORTUNITY_ACCOUNT_ID),
	};
	bool merged;

	plan_begin();
	merged = plan_run(&plan, PLAN_READ_LATEST, values, NULL) > 0;
	plan_end();
	return merged;
}

/*
 * check_still_filled refuses to empty a field that the present phase requires. One that was empty
 * before, since the requirement is newer than the row, does not hold up other changes.
 */
static void
check_still_filled(const Guard *guard)
{
	TransitionFailure *failure = transition_missing_fields(guard->move.to, guard->new);
	TransitionFailure *before;

	if (failure == NULL)
		return;
	before = transition_missing_fields(guard->move.to, guard->old);
	if (before == NULL || strcmp(before->detail, failure->detail) != 0)
		transition_raise(failure);
}

/* row_changes says whether any column, of the user's too, gets another value. */
static bool
row_changes(const Guard *guard)
{
	TupleDesc tupdesc = guard->new->tupdesc;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || attribute->attgenerated != '\0')
			continue;
		if (guard->old->nulls[i] != guard->new->nulls[i])
			return true;
		if (!guard->old->nulls[i] && !datum_image_eq(guard->old->values[i], guard->new->values[i],
													 attribute->attbyval, attribute->attlen))
			return true;
	}
	return false;
}
