/*
 * opportunity.c
 *		The guard of sales_crm.opportunity: fills in what a statement left out, checks values and
 *		transitions, keeps phase_since, closed_at, updated_at and revision.
 *
 * It works row by row before the row is stored, for every way in which a row can come or change,
 * and writes nothing but the row: what follows from it is written once per statement, by
 * history.c and follow_up.c. What it refuses is in opportunity_check.c, where its columns are is
 * known in opportunity_row.c.
 *
 * Memory: the executor's per-tuple context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "configuration.h"
#include "error.h"
#include "member.h"
#include "opportunity.h"
#include "opportunity_guard.h"
#include "product_line.h"
#include "transition.h"
#include "trigger.h"
#include "value.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_guard);

static void guard_insert(Guard *guard);
static void guard_update(Guard *guard);
static void choose_first_phase(Guard *guard);
static void resolve_phase(Guard *guard);
static void keep_times_of_new(Guard *guard);
static void keep_times_of_move(Guard *guard);
static void check_times_in_order(const Guard *guard);
static void follow_lines(Guard *guard);
static bool row_changes(const Guard *guard);

Datum
scrm_opportunity_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger =
		trigger_require(fcinfo, "opportunity_guard", TRIGGER_EVENT_BEFORE, TRIGGER_EVENT_ROW);
	const AttrNumber *map = opportunity_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	OpportunityRow old;
	OpportunityRow given;
	OpportunityRow new;
	Guard guard;

	if (!inserting && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);

	given = row_in_slot(map, inserting ? trigger->tg_trigslot : trigger->tg_newslot);
	new = row_copy(&given);
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
		old = row_in_slot(map, trigger->tg_trigslot);
		guard.old = &old;
		guard_update(&guard);
	}
	return PointerGetDatum(heap_form_tuple(new.tupdesc, new.values, new.nulls));
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
		opportunity_set(new, OPPORTUNITY_CURRENCY, CStringGetTextDatum(configuration->currency));
	if (opportunity_is_null(new, OPPORTUNITY_PRICES_INCLUDE_TAX))
		opportunity_set(new, OPPORTUNITY_PRICES_INCLUDE_TAX,
						BoolGetDatum(configuration->prices_include_tax));
	if (opportunity_is_null(new, OPPORTUNITY_VAT_METHOD))
		opportunity_set(
			new, OPPORTUNITY_VAT_METHOD,
			CStringGetTextDatum(configuration_vat_method_name(configuration->vat_method)));
	if (member_id != 0 && opportunity_is_null(new, OPPORTUNITY_OWNER_ID))
		opportunity_set(new, OPPORTUNITY_OWNER_ID, Int64GetDatum(member_id));
	if (member_id != 0 && opportunity_is_null(new, OPPORTUNITY_CREATED_BY))
		opportunity_set(new, OPPORTUNITY_CREATED_BY, Int64GetDatum(member_id));
	keep_times_of_new(guard);
	opportunity_set(new, OPPORTUNITY_UPDATED_AT, TimestampTzGetDatum(guard->now));
	opportunity_set(new, OPPORTUNITY_REVISION, Int64GetDatum(1));
	guard_check_values(guard);
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

	opportunity_set(new, OPPORTUNITY_UPDATED_AT, opportunity_value(old, OPPORTUNITY_UPDATED_AT));
	opportunity_set(new, OPPORTUNITY_REVISION, opportunity_value(old, OPPORTUNITY_REVISION));
	guard->follows = product_line_recomputes(new, guard->move.member, &total);
	if (guard->follows)
	{
		opportunity_set(new, OPPORTUNITY_AMOUNT, total);
		if (!guard_changes(guard, OPPORTUNITY_AMOUNT)) /* 100 stays 100, not 100.00 */
			opportunity_set(new, OPPORTUNITY_AMOUNT, opportunity_value(old, OPPORTUNITY_AMOUNT));
	}
	if (!row_changes(guard))
		return;
	guard_check_identity(guard);

	/* A change of pipeline alone means its first phase */
	if (guard_changes(guard, OPPORTUNITY_PIPELINE_ID) &&
		!guard_changes(guard, OPPORTUNITY_PHASE_ID) &&
		!opportunity_is_null(new, OPPORTUNITY_PIPELINE_ID))
		choose_first_phase(guard);
	guard->move.from = configuration_find_phase(guard->move.configuration,
												opportunity_key(old, OPPORTUNITY_PHASE_ID));
	resolve_phase(guard);
	if (guard->move.from == NULL)
		elog(ERROR, "phase " INT64_FORMAT " does not exist",
			 opportunity_key(old, OPPORTUNITY_PHASE_ID));

	guard_check_values(guard);
	if (guard->move.to != guard->move.from)
	{
		transition_require(&guard->move, new);
		if (guard->move.from->outcome == OUTCOME_LOST && guard->move.to->outcome != OUTCOME_LOST &&
			!guard_changes(guard, OPPORTUNITY_LOST_REASON_ID))
			opportunity_set_null(new, OPPORTUNITY_LOST_REASON_ID);
	}
	else
		guard_check_still_filled(guard);
	follow_lines(guard);
	guard_check_frozen(guard);
	keep_times_of_move(guard);
	opportunity_set(new, OPPORTUNITY_UPDATED_AT, TimestampTzGetDatum(guard->now));
	opportunity_set(new, OPPORTUNITY_REVISION,
					Int64GetDatum(opportunity_key(old, OPPORTUNITY_REVISION) + 1));
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
	opportunity_set(guard->new, OPPORTUNITY_PIPELINE_ID, Int64GetDatum(pipeline->pipeline_id));
	opportunity_set(guard->new, OPPORTUNITY_PHASE_ID, Int64GetDatum(first->phase_id));
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
		opportunity_set(new, OPPORTUNITY_PIPELINE_ID, Int64GetDatum(phase->pipeline->pipeline_id));
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
		opportunity_set(new, OPPORTUNITY_CLOSED_AT,
						opportunity_is_null(new, OPPORTUNITY_PHASE_SINCE)
							? TimestampTzGetDatum(guard->now)
							: opportunity_value(new, OPPORTUNITY_PHASE_SINCE));
	if (opportunity_is_null(new, OPPORTUNITY_PHASE_SINCE))
	{
		if (final)
			opportunity_set(new, OPPORTUNITY_PHASE_SINCE,
							opportunity_value(new, OPPORTUNITY_CLOSED_AT));
		else if (!opportunity_is_null(new, OPPORTUNITY_CREATED_AT))
			opportunity_set(new, OPPORTUNITY_PHASE_SINCE,
							opportunity_value(new, OPPORTUNITY_CREATED_AT));
		else
			opportunity_set(new, OPPORTUNITY_PHASE_SINCE, TimestampTzGetDatum(guard->now));
	}
	if (opportunity_is_null(new, OPPORTUNITY_CREATED_AT))
	{
		created = Min(guard->now, opportunity_time(new, OPPORTUNITY_PHASE_SINCE));
		opportunity_set(new, OPPORTUNITY_CREATED_AT, TimestampTzGetDatum(created));
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
	bool since_stated = guard_changes(guard, OPPORTUNITY_PHASE_SINCE);
	bool closed_stated = guard_changes(guard, OPPORTUNITY_CLOSED_AT) &&
						 !opportunity_is_null(new, OPPORTUNITY_CLOSED_AT);
	TimestampTz old_since = opportunity_time(guard->old, OPPORTUNITY_PHASE_SINCE);

	if (guard->move.to == guard->move.from)
	{
		if (since_stated || guard_changes(guard, OPPORTUNITY_CLOSED_AT))
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
			since = opportunity_time(new, OPPORTUNITY_CLOSED_AT);
		opportunity_set(new, OPPORTUNITY_PHASE_SINCE, TimestampTzGetDatum(since));
	}
	if (!final)
	{
		if (closed_stated)
			value_refuse("closed_at", "an open opportunity has no closed_at",
						 psprintf("Phase \"%s\" is open.", guard->move.to->name),
						 "Name a final phase, or leave closed_at out.");
		opportunity_set_null(new, OPPORTUNITY_CLOSED_AT);
	}
	else if (!closed_stated)
		opportunity_set(new, OPPORTUNITY_CLOSED_AT,
						opportunity_value(new, OPPORTUNITY_PHASE_SINCE));

	if (opportunity_time(new, OPPORTUNITY_PHASE_SINCE) < old_since)
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

/*
 * follow_lines makes the amount what the product lines come to, when something changes on which
 * that depends, and refuses another one. Without lines that count, the amount is free.
 */
static void
follow_lines(Guard *guard)
{
	OpportunityRow *new = guard->new;
	bool discount = guard_changes(guard, OPPORTUNITY_DISCOUNT_PERCENT) ||
					guard_changes(guard, OPPORTUNITY_DISCOUNT_AMOUNT);
	bool terms = discount || guard_changes(guard, OPPORTUNITY_CURRENCY) ||
				 guard_changes(guard, OPPORTUNITY_PRICES_INCLUDE_TAX) ||
				 guard_changes(guard, OPPORTUNITY_VAT_METHOD);
	Datum total;

	if (!terms &&
		(guard->follows || !guard_changes(guard, OPPORTUNITY_AMOUNT) || product_line_sets(new)))
		return;
	if (!product_line_total(new, guard->move.member, discount, &total))
		return;
	if (guard_changes(guard, OPPORTUNITY_CURRENCY))
		value_refuse("currency", "currency of an opportunity with product lines does not change",
					 "Prices of its lines are in the present currency.",
					 "DELETE its product lines first, and add them again with their prices.");
	if (guard_changes(guard, OPPORTUNITY_AMOUNT) &&
		(opportunity_is_null(new, OPPORTUNITY_AMOUNT) ||
		 !DatumGetBool(
			 DirectFunctionCall2(numeric_eq, total, opportunity_value(new, OPPORTUNITY_AMOUNT)))))
		value_refuse(
			"amount", "amount of an opportunity with product lines follows them",
			psprintf("They come to %s.", DatumGetCString(DirectFunctionCall1(numeric_out, total))),
			"Change its product lines or its discount; without lines, the amount is free.");
	opportunity_set(new, OPPORTUNITY_AMOUNT,
					value_check_amount(
						total, value_check_currency(guard->move.configuration,
													opportunity_value(new, OPPORTUNITY_CURRENCY))));
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
