/*
 * quote_move.c
 *		Moves the opportunity of a quote that was answered or has expired.
 *
 * A rule of the pipeline may forbid the move; the answer stands all the same, so that the move is
 * made in a subtransaction.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "configuration.h"
#include "error.h"
#include "lookup.h"
#include "opportunity.h"
#include "quote.h"
#include "quote_move.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_move_opportunity_of);

static const Phase *find_target(const OpportunityRow *opportunity, const char *target);
static bool is_target(const Phase *phase, const char *target);
static NullableDatum lost_reason(const OpportunityRow *opportunity, const Phase *phase);
static char *move(const OpportunityRow *opportunity, const Phase *phase);
static bool forbids(int code);

/* quote_id bigint, target text: why not, or NULL */
Datum
scrm_move_opportunity_of(PG_FUNCTION_ARGS)
{
	Row quote = quote_require(fcinfo->args[0]);
	char *problem = quote_move_opportunity(&quote, text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

char *
quote_move_opportunity(const Row *quote, const char *target)
{
	OpportunityRow opportunity;
	const Phase *phase;

	if (!opportunity_find(DatumGetInt64(row_value(quote, QUOTE_COLUMN_OPPORTUNITY_ID)),
						  &opportunity))
		return NULL;
	if (!opportunity_is_null(&opportunity, OPPORTUNITY_CLOSED_AT))
		return "the opportunity is closed";
	phase = find_target(&opportunity, target);
	return phase == NULL ? NULL : move(&opportunity, phase);
}

/* find_target returns the first phase that the target means, unless the opportunity is there or beyond. */
static const Phase *
find_target(const OpportunityRow *opportunity, const char *target)
{
	const Configuration *configuration = configuration_get();
	const Phase *present =
		configuration_find_phase(configuration, opportunity_key(opportunity, OPPORTUNITY_PHASE_ID));

	for (int i = 0; present != NULL && i < configuration->nphases; i++)
	{
		const Phase *phase = configuration->ordered_phases[i];

		if (phase->pipeline == present->pipeline && phase->active && is_target(phase, target))
			return phase != present &&
						   (phase->outcome != OUTCOME_OPEN || phase->position > present->position)
					   ? phase
					   : NULL;
	}
	return NULL;
}

static bool
is_target(const Phase *phase, const char *target)
{
	if (strcmp(target, "signed") == 0)
		return phase->on_quote_signed;
	return phase->outcome == (strcmp(target, "lost") == 0 ? OUTCOME_LOST : OUTCOME_EXPIRED);
}

/* lost_reason returns the reason that the opportunity gets: what it has, unless it is lost without. */
static NullableDatum
lost_reason(const OpportunityRow *opportunity, const Phase *phase)
{
	NullableDatum reason = opportunity_nullable(opportunity, OPPORTUNITY_LOST_REASON_ID);
	Row company;

	if (!reason.isnull || phase->outcome != OUTCOME_LOST)
		return reason;
	company = company_get();
	return row_nullable(&company, COMPANY_DECLINING_LOST_REASON_ID);
}

static char *
move(const OpportunityRow *opportunity, const Phase *phase)
{
	static Update update = {
		.lookup = {.map = &opportunity_table, .ncolumns = 1, .columns = {OPPORTUNITY_ID}},
		.ncolumns = 2,
		.columns = {OPPORTUNITY_PHASE_ID, OPPORTUNITY_LOST_REASON_ID},
	};
	NullableDatum values[] = {
		batch_value(Int64GetDatum(phase->phase_id)),
		lost_reason(opportunity, phase),
	};
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char *volatile problem = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		(void) update_row(&update, opportunity_value(opportunity, OPPORTUNITY_ID), values);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (!forbids(error->sqlerrcode))
			ReThrowError(error);
		problem = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return problem;
}

/* forbids says whether an error is a rule of the pipeline that says no. */
static bool
forbids(int code)
{
	return code == ERRCODE_SCRM_TRANSITION_NOT_ALLOWED ||
		   code == ERRCODE_SCRM_REQUIREMENTS_NOT_MET || code == ERRCODE_SCRM_NOT_PERMITTED;
}
