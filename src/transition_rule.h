/*
 * transition_rule.h
 *		The rule that decides about a move, for transition.c.
 */
#ifndef SCRM_TRANSITION_RULE_H
#define SCRM_TRANSITION_RULE_H

#include "postgres.h"

#include "transition.h"

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
	int from;		  /* where the opportunity is, and where it would be, as sets */
	int to;
	int policy; /* that of the target's pipeline */
	TransitionCondition condition;
	int sqlerrcode; /* 0 = allowed */
	const char *description;
} TransitionRule;

/* There is always one */
extern const TransitionRule *transition_decide(const Move *move);

#endif /* SCRM_TRANSITION_RULE_H */
