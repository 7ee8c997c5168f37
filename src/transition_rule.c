/*
 * transition_rule.c
 *		The rules about moves of opportunities from one phase to another.
 *
 * They are the table below, tried from top to bottom: the first that matches decides, and
 * opportunity_change remembers its name. The view sales_crm.transition_rule shows the table.
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "configuration.h"
#include "error.h"
#include "transition.h"
#include "transition_rule.h"

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

static int from_state(const Move *move);
static int to_state(const Move *move);
static bool condition_holds(TransitionCondition condition, const Move *move);
static void state_text(StringInfo text, int set, const char *const names[], int count);

const char *
transition_rule(const Move *move)
{
	return transition_decide(move)->name;
}

const TransitionRule *
transition_decide(const Move *move)
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
