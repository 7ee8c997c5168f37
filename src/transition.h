/*
 * transition.h
 *		Whether an opportunity may move from one phase to another.
 */
#ifndef SCRM_TRANSITION_H
#define SCRM_TRANSITION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "compat.h"
#include "configuration.h"
#include "member.h"
#include "opportunity.h"

typedef struct Move
{
	const Configuration *configuration;
	const Phase *from; /* NULL for a new opportunity */
	const Phase *to;   /* equal to from when it stays */
	Member member;
} Move;

/* A condition that a move does not meet, with the error that says so */
typedef struct TransitionFailure
{
	const char *rule;
	int sqlerrcode;
	char *message;
	char *detail;
	char *hint;
} TransitionFailure;

/* The name of the rule that decides about the move, as in the view transition_rule */
extern const char *transition_rule(const Move *move);

/* All conditions that the move of a row does not meet, as TransitionFailure */
extern List *transition_failures(const Move *move, const OpportunityRow *row);

/* The failure for fields that a phase requires and the row lacks, or NULL */
extern TransitionFailure *transition_missing_fields(const Phase *phase, const OpportunityRow *row);

/* Errors: SC001, SC003, SC004, SC201 for a move that is not allowed */
extern void transition_require(const Move *move, const OpportunityRow *row);

pg_noreturn extern void transition_raise(const TransitionFailure *failure);

#endif /* SCRM_TRANSITION_H */
