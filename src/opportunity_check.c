/*
 * opportunity_check.c
 *		What the guard of sales_crm.opportunity refuses: values that no opportunity may have, changes
 *		of what is fixed or closed, emptying what the phase requires.
 *
 * Checks of single values are in value.c; whether a move is allowed is known in transition.c.
 *
 * Memory: the executor's per-tuple context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "configuration.h"
#include "error.h"
#include "money.h"
#include "opportunity.h"
#include "opportunity_guard.h"
#include "plan.h"
#include "transition.h"
#include "value.h"

static void check_given(const Guard *guard, OpportunityColumn column, const char *hint);
static void check_discount(const Guard *guard, const Currency *currency);
static void check_source(const Guard *guard);
static bool is_merge_of_accounts(const Guard *guard);

void
guard_check_values(Guard *guard)
{
	OpportunityRow *new = guard->new;
	const Currency *currency;

	check_given(guard, OPPORTUNITY_NAME, "Give it a name that people recognise.");
	check_given(guard, OPPORTUNITY_ACCOUNT_ID,
				"Name the account, after an INSERT INTO sales_crm.account when it is new.");
	check_given(guard, OPPORTUNITY_CURRENCY, "Use a code of ISO 4217, such as EUR.");
	if (guard_changes(guard, OPPORTUNITY_PRICES_INCLUDE_TAX))
		check_given(guard, OPPORTUNITY_PRICES_INCLUDE_TAX, "Say true or false.");
	if (guard_changes(guard, OPPORTUNITY_VAT_METHOD))
		check_given(guard, OPPORTUNITY_VAT_METHOD, "Use en16931 or per_line.");
	if (guard_changes(guard, OPPORTUNITY_NAME))
		value_check_name(opportunity_value(new, OPPORTUNITY_NAME));
	if (guard_changes(guard, OPPORTUNITY_AMOUNT) || guard_changes(guard, OPPORTUNITY_CURRENCY) ||
		guard_changes(guard, OPPORTUNITY_DISCOUNT_PERCENT) ||
		guard_changes(guard, OPPORTUNITY_DISCOUNT_AMOUNT))
	{
		currency = value_check_currency(guard->move.configuration,
										opportunity_value(new, OPPORTUNITY_CURRENCY));
		if (!opportunity_is_null(new, OPPORTUNITY_AMOUNT))
			opportunity_set(
				new, OPPORTUNITY_AMOUNT,
				value_check_amount(opportunity_value(new, OPPORTUNITY_AMOUNT), currency));
		check_discount(guard, currency);
	}
	if (guard_changes(guard, OPPORTUNITY_EXPECTED_ON) &&
		!opportunity_is_null(new, OPPORTUNITY_EXPECTED_ON))
		value_check_expected_on(opportunity_value(new, OPPORTUNITY_EXPECTED_ON));
	if (guard_changes(guard, OPPORTUNITY_PROBABILITY_OVERRIDE) &&
		!opportunity_is_null(new, OPPORTUNITY_PROBABILITY_OVERRIDE))
		value_check_probability(opportunity_value(new, OPPORTUNITY_PROBABILITY_OVERRIDE));
	if (guard_changes(guard, OPPORTUNITY_SOURCE_ID) &&
		!opportunity_is_null(new, OPPORTUNITY_SOURCE_ID))
		check_source(guard);
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

/* check_discount refuses a discount that no offer could have. */
static void
check_discount(const Guard *guard, const Currency *currency)
{
	NullableDatum percent = opportunity_nullable(guard->new, OPPORTUNITY_DISCOUNT_PERCENT);
	NullableDatum amount = opportunity_nullable(guard->new, OPPORTUNITY_DISCOUNT_AMOUNT);

	if (!percent.isnull || !amount.isnull)
		money_check_discount(currency, percent, amount);
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

void
guard_check_identity(const Guard *guard)
{
	static const OpportunityColumn fixed[] = {
		OPPORTUNITY_ID,
		OPPORTUNITY_CREATED_AT,
		OPPORTUNITY_CREATED_BY,
	};

	for (size_t i = 0; i < lengthof(fixed); i++)
	{
		if (guard_changes(guard, fixed[i]))
			value_refuse(opportunity_columns[fixed[i]].name,
						 psprintf("%s of an opportunity does not change",
								  opportunity_columns[fixed[i]].name),
						 psprintf("Opportunity " INT64_FORMAT " exists already.",
								  opportunity_key(guard->old, OPPORTUNITY_ID)),
						 "It can be stated on INSERT only.");
	}
}

void
guard_check_frozen(const Guard *guard)
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
		if (guard_changes(guard, frozen[i]) &&
			!(frozen[i] == OPPORTUNITY_ACCOUNT_ID && is_merge_of_accounts(guard)))
			ereport(
				ERROR,
				(errcode(ERRCODE_SCRM_OPPORTUNITY_CLOSED),
				 errmsg("%s of a closed opportunity is frozen",
						opportunity_columns[frozen[i]].name),
				 errdetail("Opportunity " INT64_FORMAT " was closed in phase \"%s\" at %s.",
						   opportunity_key(guard->old, OPPORTUNITY_ID), guard->move.from->name,
						   timestamptz_to_str(opportunity_time(guard->old, OPPORTUNITY_CLOSED_AT))),
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

void
guard_check_still_filled(const Guard *guard)
{
	TransitionFailure *failure = transition_missing_fields(guard->move.to, guard->new);
	TransitionFailure *before;

	if (failure == NULL)
		return;
	before = transition_missing_fields(guard->move.to, guard->old);
	if (before == NULL || strcmp(before->detail, failure->detail) != 0)
		transition_raise(failure);
}
