/*
 * transition.c
 *		What a move of an opportunity from one phase to another fails on, if anything.
 *
 * The rules of transition_rule.c say whether it may move. Beside them, the target must be active and
 * have its required fields filled in.
 *
 * This module decides and writes nothing. Memory: the current context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "compat.h"
#include "error.h"
#include "plan.h"
#include "transition.h"
#include "transition_rule.h"

PG_FUNCTION_INFO_V1(scrm_explain_transition);

static TransitionFailure *
failure_make(const char *rule, int sqlerrcode, char *message, char *detail, char *hint);
static TransitionFailure *refused(const Move *move, const TransitionRule *rule);
static char *allowed_phases(const Move *move);
static bool field_is_filled(const OpportunityRow *row, const char *field);

List *
transition_failures(const Move *move, const OpportunityRow *row)
{
	const TransitionRule *rule = transition_decide(move);
	const Phase *to = move->to;
	List *failures = NIL;
	TransitionFailure *missing;

	if (to == move->from)
		return NIL;
	if (rule->sqlerrcode != 0)
		failures = lappend(failures, refused(move, rule));
	if (!to->active)
		failures = lappend(
			failures,
			failure_make("active_phase", ERRCODE_SCRM_TRANSITION_NOT_ALLOWED,
						 psprintf("phase \"%s\" is not active", to->name),
						 psprintf("Pipeline \"%s\" does not use it any more.", to->pipeline->name),
						 allowed_phases(move)));
	if (!to->pipeline->active && (move->from == NULL || move->from->pipeline != to->pipeline))
		failures = lappend(
			failures, failure_make("active_pipeline", ERRCODE_SCRM_TRANSITION_NOT_ALLOWED,
								   psprintf("pipeline \"%s\" is not active", to->pipeline->name),
								   pstrdup("It takes no more opportunities."),
								   pstrdup("Choose another pipeline, or set active to true "
										   "for this one.")));
	missing = transition_missing_fields(to, row);
	if (missing != NULL)
		failures = lappend(failures, missing);
	return failures;
}

TransitionFailure *
transition_missing_fields(const Phase *phase, const OpportunityRow *row)
{
	StringInfoData fields;

	if (phase->nrequired == 0)
		return NULL;
	initStringInfo(&fields);
	for (int i = 0; i < phase->nrequired; i++)
	{
		if (!field_is_filled(row, phase->required[i]))
			appendStringInfo(&fields, "%s%s", fields.len > 0 ? ", " : "", phase->required[i]);
	}
	if (fields.len == 0)
		return NULL;
	return failure_make("required_fields", ERRCODE_SCRM_REQUIREMENTS_NOT_MET,
						psprintf("phase \"%s\" requires fields that are empty", phase->name),
						psprintf("Empty: %s.", fields.data),
						psprintf("Fill in %s in the same statement.", fields.data));
}

void
transition_require(const Move *move, const OpportunityRow *row)
{
	List *failures = transition_failures(move, row);
	TransitionFailure *first;
	StringInfoData detail;

	if (failures == NIL)
		return;
	first = linitial(failures);
	initStringInfo(&detail);
	appendStringInfoString(&detail, first->detail);
	for (int i = 1; i < list_length(failures); i++)
	{
		const TransitionFailure *other = list_nth(failures, i);

		appendStringInfo(&detail, " Also, %s. %s", other->message, other->detail);
	}
	first->detail = detail.data;
	transition_raise(first);
}

void
transition_raise(const TransitionFailure *failure)
{
	ereport(ERROR, (errcode(failure->sqlerrcode), errmsg_internal("%s", failure->message),
					errdetail_internal("%s", failure->detail), errhint("%s", failure->hint)));
}

Datum
scrm_explain_transition(PG_FUNCTION_ARGS)
{
	static ScrmPlan plan = {
		.sql = "SELECT o.* FROM sales_crm.opportunity o WHERE o.opportunity_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum values[1] = {PG_GETARG_DATUM(0)};
	Move move;
	AttrNumber map[OPPORTUNITY_COLUMNS];
	OpportunityRow row;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	move.configuration = configuration_get();
	move.member = member_current();
	move.to = configuration_find_phase(move.configuration, PG_GETARG_INT64(1));

	plan_begin();
	if (plan_run(&plan, PLAN_READ_AS_CALLER, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("opportunity " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				 errhint("SELECT opportunity_id, name FROM sales_crm.opportunity shows those there "
						 "are.")));
	row.tupdesc = SPI_tuptable->tupdesc;
	row.attnums = map;
	row.values = palloc_array(Datum, row.tupdesc->natts);
	row.nulls = palloc_array(bool, row.tupdesc->natts);
	opportunity_map_fill(map, row.tupdesc);
	heap_deform_tuple(SPI_tuptable->vals[0], row.tupdesc, row.values, row.nulls);
	move.from =
		configuration_find_phase(move.configuration, opportunity_key(&row, OPPORTUNITY_PHASE_ID));
	if (move.to == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("phase " INT64_FORMAT " does not exist", PG_GETARG_INT64(1)),
				 errhint("SELECT phase_id, name FROM sales_crm.phase shows those there are.")));

	foreach (cell, transition_failures(&move, &row))
	{
		const TransitionFailure *failure = lfirst(cell);
		Datum output[5] = {
			CStringGetTextDatum(failure->rule),
			CStringGetTextDatum(unpack_sql_state(failure->sqlerrcode)),
			CStringGetTextDatum(failure->message),
			CStringGetTextDatum(failure->detail),
			CStringGetTextDatum(failure->hint),
		};
		bool nulls[5] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, output, nulls);
	}
	plan_end();
	return (Datum) 0;
}

static TransitionFailure *
failure_make(const char *rule, int sqlerrcode, char *message, char *detail, char *hint)
{
	TransitionFailure *failure = palloc_object(TransitionFailure);

	failure->rule = rule;
	failure->sqlerrcode = sqlerrcode;
	failure->message = message;
	failure->detail = detail;
	failure->hint = hint;
	return failure;
}

static TransitionFailure *
refused(const Move *move, const TransitionRule *rule)
{
	const Phase *from = move->from;
	const Phase *to = move->to;
	char *message;
	char *hint;

	switch (rule->sqlerrcode)
	{
		case ERRCODE_SCRM_OPPORTUNITY_CLOSED:
			message = psprintf("opportunity is closed in phase \"%s\"", from->name);
			hint =
				pstrdup("A manager can reopen it by moving it to an open phase of its pipeline.");
			break;
		case ERRCODE_SCRM_NOT_PERMITTED:
			message = psprintf("only a manager may move an opportunity from phase \"%s\" to \"%s\"",
							   from->name, to->name);
			hint = pstrdup("Ask a member with is_manager to do it.");
			break;
		default:
			message = psprintf("transition from phase \"%s\" to \"%s\" is not allowed", from->name,
							   to->name);
			hint = allowed_phases(move);
			break;
	}
	return failure_make(rule->name, rule->sqlerrcode, message,
						psprintf("Pipeline \"%s\", rule %s: %s.", to->pipeline->name, rule->name,
								 rule->description),
						hint);
}

/*
 * allowed_phases returns the hint that names the active phases which may be entered instead, in
 * the pipeline where the opportunity is.
 */
static char *
allowed_phases(const Move *move)
{
	const Pipeline *pipeline = move->from != NULL ? move->from->pipeline : move->to->pipeline;
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < move->configuration->nphases; i++)
	{
		Move other = *move;

		other.to = move->configuration->ordered_phases[i];
		if (other.to->pipeline == pipeline && other.to->active && other.to != move->from &&
			transition_decide(&other)->sqlerrcode == 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", other.to->name);
	}
	if (names.len == 0)
		return pstrdup("No phase can be entered from here.");
	return psprintf("Allowed next phases: %s.", names.data);
}

/*
 * field_is_filled says whether a column is there, not NULL and, for text, not blank. It may be a
 * column that the user has added.
 */
static bool
field_is_filled(const OpportunityRow *row, const char *field)
{
	for (int i = 0; i < row->tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row->tupdesc, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), field) != 0)
			continue;
		if (row->nulls[i])
			return false;
		if (attribute->atttypid == TEXTOID || attribute->atttypid == VARCHAROID)
		{
			const char *value = TextDatumGetCString(row->values[i]);

			return value[strspn(value, " \t\r\n\f\v")] != '\0';
		}
		return true;
	}
	return false;
}
