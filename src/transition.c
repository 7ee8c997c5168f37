/*
 * transition.c
 *		Decides whether an opportunity may move from one phase to another.
 *
 * The rules are the table below, tried from top to bottom: the first that matches decides, and
 * opportunity_change remembers its name. The view sales_crm.transition_rule shows the table.
 * Beside them, the target must be active and have its required fields filled in.
 *
 * This module decides and writes nothing.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "compat.h"
#include "error.h"
#include "plan.h"
#include "transition.h"

PG_FUNCTION_INFO_V1(scrm_explain_transition);
PG_FUNCTION_INFO_V1(scrm_transition_rules);

/* Where the opportunity is, and where it would be, as sets */
#define FROM_NEW 0x01
#define FROM_OPEN 0x02
#define FROM_FINAL 0x04
#define FROM_ANY (FROM_NEW | FROM_OPEN | FROM_FINAL)

#define TO_SAME 0x01
#define TO_OPEN 0x02
#define TO_WON 0x04
#define TO_LOST 0x08
#define TO_EXPIRED 0x10
#define TO_OPEN_ELSEWHERE 0x20 /* in another pipeline */
#define TO_FINAL_ELSEWHERE 0x40
#define TO_FINAL (TO_WON | TO_LOST | TO_EXPIRED)
#define TO_ANY (TO_OPEN | TO_FINAL)
#define TO_ELSEWHERE (TO_OPEN_ELSEWHERE | TO_FINAL_ELSEWHERE)

#define POLICY_ANY (-1)

typedef enum TransitionCondition
{
	WHEN_ALWAYS,
	WHEN_MANAGER,
	WHEN_FIRST_PHASE,
	WHEN_LATER,
	WHEN_LISTED,
	WHEN_LISTED_FOR_MANAGERS,
	WHEN_LISTED_AND_MANAGER,
} TransitionCondition;

typedef struct TransitionRule
{
	const char *name; /* kept in opportunity_change: never renamed, never reused */
	int from;
	int to;
	int policy; /* that of the target's pipeline */
	TransitionCondition condition;
	int sqlerrcode; /* 0 = allowed */
	const char *description;
} TransitionRule;

static const TransitionRule rules[] = {
	{"create_open", FROM_NEW, TO_OPEN, POLICY_ANY, WHEN_ALWAYS, 0,
	 "begins in an open phase, with its follow-up"},
	{"create_closed", FROM_NEW, TO_FINAL, POLICY_ANY, WHEN_ALWAYS, 0,
	 "is recorded as already completed, without follow-up"},
	{"edit", FROM_ANY, TO_SAME, POLICY_ANY, WHEN_ALWAYS, 0, "stays where it is"},

	{"leave_closed", FROM_FINAL, TO_ELSEWHERE, POLICY_ANY, WHEN_ALWAYS,
	 ERRCODE_SCRM_OPPORTUNITY_CLOSED, "a completed opportunity keeps its pipeline"},
	{"close_elsewhere", FROM_OPEN, TO_FINAL_ELSEWHERE, POLICY_ANY, WHEN_ALWAYS,
	 ERRCODE_SCRM_TRANSITION_NOT_ALLOWED, "is completed in its own pipeline, not in another"},
	{"change_pipeline", FROM_OPEN, TO_OPEN_ELSEWHERE, POLICY_FREE, WHEN_ALWAYS, 0,
	 "goes on in another pipeline"},
	{"change_pipeline_first", FROM_OPEN, TO_OPEN_ELSEWHERE, POLICY_ANY, WHEN_FIRST_PHASE, 0,
	 "begins anew in another pipeline"},
	{"change_pipeline_later", FROM_OPEN, TO_OPEN_ELSEWHERE, POLICY_ANY, WHEN_ALWAYS,
	 ERRCODE_SCRM_TRANSITION_NOT_ALLOWED,
	 "enters a pipeline that orders its moves only by the first phase"},

	{"reopen", FROM_FINAL, TO_OPEN, POLICY_ANY, WHEN_MANAGER, 0,
	 "is reopened; closed_at is cleared"},
	{"reopen_refused", FROM_FINAL, TO_OPEN, POLICY_ANY, WHEN_ALWAYS, ERRCODE_SCRM_NOT_PERMITTED,
	 "only managers reopen"},
	{"correct_outcome", FROM_FINAL, TO_FINAL, POLICY_ANY, WHEN_MANAGER, 0,
	 "gets another outcome; closed_at is set again"},
	{"correct_outcome_refused", FROM_FINAL, TO_FINAL, POLICY_ANY, WHEN_ALWAYS,
	 ERRCODE_SCRM_NOT_PERMITTED, "only managers correct an outcome"},

	{"listed", FROM_OPEN, TO_ANY, POLICY_LISTED, WHEN_LISTED, 0,
	 "makes a move of phase_transition"},
	{"listed_for_managers", FROM_OPEN, TO_ANY, POLICY_LISTED, WHEN_LISTED_AND_MANAGER, 0,
	 "makes a move that phase_transition reserves for managers"},
	{"listed_for_managers_refused", FROM_OPEN, TO_ANY, POLICY_LISTED, WHEN_LISTED_FOR_MANAGERS,
	 ERRCODE_SCRM_NOT_PERMITTED, "phase_transition reserves the move for managers"},
	{"not_listed", FROM_OPEN, TO_ANY, POLICY_LISTED, WHEN_ALWAYS,
	 ERRCODE_SCRM_TRANSITION_NOT_ALLOWED, "phase_transition does not have the move"},

	{"win", FROM_OPEN, TO_WON, POLICY_ANY, WHEN_ALWAYS, 0,
	 "is won; closed_at is set, follow-up tasks are closed"},
	{"lose", FROM_OPEN, TO_LOST, POLICY_ANY, WHEN_ALWAYS, 0,
	 "is lost; closed_at is set, follow-up tasks are closed"},
	{"expire", FROM_OPEN, TO_EXPIRED, POLICY_ANY, WHEN_ALWAYS, 0,
	 "expires; closed_at is set, follow-up tasks are closed"},

	{"move", FROM_OPEN, TO_OPEN, POLICY_FREE, WHEN_ALWAYS, 0, "moves to any open phase"},
	{"advance", FROM_OPEN, TO_OPEN, POLICY_FORWARD, WHEN_LATER, 0, "moves to a later phase"},
	{"go_back", FROM_OPEN, TO_OPEN, POLICY_FORWARD, WHEN_ALWAYS,
	 ERRCODE_SCRM_TRANSITION_NOT_ALLOWED, "the pipeline only goes forward"},
};

static const TransitionRule *decide(const Move *move);
static int from_state(const Move *move);
static int to_state(const Move *move);
static bool condition_holds(TransitionCondition condition, const Move *move);
static TransitionFailure *
failure_make(const char *rule, int sqlerrcode, char *message, char *detail, char *hint);
static TransitionFailure *refused(const Move *move, const TransitionRule *rule);
static char *allowed_phases(const Move *move);
static bool field_is_filled(const OpportunityRow *row, const char *field);
static void state_text(StringInfo text, int set, const char *const names[], int count);

const char *
transition_rule(const Move *move)
{
	return decide(move)->name;
}

List *
transition_failures(const Move *move, const OpportunityRow *row)
{
	const TransitionRule *rule = decide(move);
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
	OpportunityMap map;
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
	row.map = &map;
	row.values = palloc_array(Datum, row.tupdesc->natts);
	row.nulls = palloc_array(bool, row.tupdesc->natts);
	opportunity_map_fill(&map, row.tupdesc);
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

Datum
scrm_transition_rules(PG_FUNCTION_ARGS)
{
	static const char *const from_names[] = {"new", "open", "final"};
	static const char *const to_names[] = {
		"same phase",
		"open",
		"won",
		"lost",
		"expired",
		"open in another pipeline",
		"final in another pipeline",
	};
	static const char *const policy_names[] = {
		[POLICY_FREE] = "free",
		[POLICY_FORWARD] = "forward",
		[POLICY_LISTED] = "listed",
	};
	static const char *const condition_names[] = {
		[WHEN_ALWAYS] = "always",
		[WHEN_MANAGER] = "by a manager",
		[WHEN_FIRST_PHASE] = "to the first phase",
		[WHEN_LATER] = "to a later position",
		[WHEN_LISTED] = "in phase_transition",
		[WHEN_LISTED_FOR_MANAGERS] = "in phase_transition for managers",
		[WHEN_LISTED_AND_MANAGER] = "in phase_transition for managers, by a manager",
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		const TransitionRule *rule = &rules[i];
		bool allowed = rule->sqlerrcode == 0;
		StringInfoData from;
		StringInfoData to;
		Datum values[8];
		bool nulls[8] = {false};

		state_text(&from, rule->from, from_names, lengthof(from_names));
		state_text(&to, rule->to, to_names, lengthof(to_names));
		values[0] = CStringGetTextDatum(rule->name);
		values[1] = CStringGetTextDatum(from.data);
		values[2] = CStringGetTextDatum(to.data);
		values[3] =
			CStringGetTextDatum(rule->policy == POLICY_ANY ? "any" : policy_names[rule->policy]);
		values[4] = CStringGetTextDatum(condition_names[rule->condition]);
		values[5] = CStringGetTextDatum(allowed ? "allowed" : "refused");
		nulls[6] = allowed;
		values[6] = allowed ? (Datum) 0 : CStringGetTextDatum(unpack_sql_state(rule->sqlerrcode));
		values[7] = CStringGetTextDatum(rule->description);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static const TransitionRule *
decide(const Move *move)
{
	int from = from_state(move);
	int to = to_state(move);
	int policy = move->to->pipeline->policy;

	for (size_t i = 0; i < lengthof(rules); i++)
	{
		const TransitionRule *rule = &rules[i];

		if ((rule->from & from) != 0 && (rule->to & to) != 0 &&
			(rule->policy == POLICY_ANY || rule->policy == policy) &&
			condition_holds(rule->condition, move))
			return rule;
	}
	elog(ERROR, "no rule decides about the move to phase " INT64_FORMAT, move->to->phase_id);
}

static int
from_state(const Move *move)
{
	if (move->from == NULL)
		return FROM_NEW;
	return move->from->outcome == OUTCOME_OPEN ? FROM_OPEN : FROM_FINAL;
}

static int
to_state(const Move *move)
{
	if (move->to == move->from)
		return TO_SAME;
	if (move->from != NULL && move->from->pipeline != move->to->pipeline)
		return move->to->outcome == OUTCOME_OPEN ? TO_OPEN_ELSEWHERE : TO_FINAL_ELSEWHERE;
	switch (move->to->outcome)
	{
		case OUTCOME_WON:
			return TO_WON;
		case OUTCOME_LOST:
			return TO_LOST;
		case OUTCOME_EXPIRED:
			return TO_EXPIRED;
		case OUTCOME_OPEN:
			break;
	}
	return TO_OPEN;
}

static bool
condition_holds(TransitionCondition condition, const Move *move)
{
	const PhaseTransition *listed = NULL;

	if (condition >= WHEN_LISTED)
	{
		listed = configuration_find_transition(move->configuration, move->from->phase_id,
											   move->to->phase_id);
		if (listed == NULL)
			return false;
	}
	switch (condition)
	{
		case WHEN_ALWAYS:
			return true;
		case WHEN_MANAGER:
			return move->member.is_manager;
		case WHEN_FIRST_PHASE:
			return move->to == configuration_first_phase(move->configuration, move->to->pipeline);
		case WHEN_LATER:
			return move->to->position > move->from->position;
		case WHEN_LISTED:
			return !listed->managers_only;
		case WHEN_LISTED_FOR_MANAGERS:
			return listed->managers_only;
		case WHEN_LISTED_AND_MANAGER:
			return listed->managers_only && move->member.is_manager;
	}
	return false;
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
			decide(&other)->sqlerrcode == 0)
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

static void
state_text(StringInfo text, int set, const char *const names[], int count)
{
	initStringInfo(text);
	for (int i = 0; i < count; i++)
	{
		if ((set & (1 << i)) != 0)
			appendStringInfo(text, "%s%s", text->len > 0 ? " or " : "", names[i]);
	}
}
