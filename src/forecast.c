/*
 * forecast.c
 *		Says what each opportunity of a statement does to the forecast.
 *
 * An opportunity counts in one cell: its phase, owner, source, month and currency. An UPDATE that
 * changes several of these is taken apart into steps, in the order of the columns that
 * opportunity_change records: amount, currency, month, probability, owner, source, phase. Each step
 * counts the opportunity out of where it was and into where it is then, so that the steps of a
 * change always add up to the whole change, and each has one cause.
 *
 * Memory: that of the ledger, see ledger.c.
 */
#include "postgres.h"

#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "compaction.h"
#include "compat.h"
#include "configuration.h"
#include "ledger.h"
#include "opportunity.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_ledger);

/* How an opportunity counts */
typedef struct Standing
{
	LedgerCell cell;
	LedgerMeasure measure;
	const Phase *phase;
} Standing;

static bool counts_otherwise(const OpportunityRow *old, const OpportunityRow *new);
static void
standing_of(Standing *standing, const OpportunityRow *row, const Configuration *configuration);
static void add_steps(Ledger *ledger, const Standing *old, const Standing *new);
static void
add_step(Ledger *ledger, LedgerCause out, LedgerCause in, Standing *from, const Standing *to);
static int compare_amounts(const LedgerMeasure *old, const LedgerMeasure *new);
static LedgerCause cause_of_move(const Phase *from, const Phase *to);
static DateADT month_of(DateADT day);

Datum
scrm_opportunity_ledger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "opportunity_ledger", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = opportunity_map(trigger->tg_relation);
	const Configuration *configuration;
	TriggerRows rows;
	Ledger ledger;

	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		compaction_append_truncation();
		return PointerGetDatum(NULL);
	}

	configuration = configuration_get();
	ledger_open(&ledger);
	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		OpportunityRow old;
		OpportunityRow new;
		Standing was;
		Standing is;

		if (rows.old_row != NULL)
			old = row_in_slot(map, rows.old_row);
		if (rows.new_row != NULL)
			new = row_in_slot(map, rows.new_row);
		if (rows.old_row != NULL && rows.new_row != NULL && !counts_otherwise(&old, &new))
			continue;

		if (rows.old_row != NULL)
			standing_of(&was, &old, configuration);
		if (rows.new_row != NULL)
			standing_of(&is, &new, configuration);
		if (rows.old_row == NULL)
			ledger_add(&ledger, CAUSE_CREATED, &is.cell, &is.measure, 1);
		else if (rows.new_row == NULL)
			ledger_add(&ledger, CAUSE_DELETED, &was.cell, &was.measure, -1);
		else
			add_steps(&ledger, &was, &is);
	}
	trigger_close_rows(&rows);
	ledger_close(&ledger);
	return PointerGetDatum(NULL);
}

/* counts_otherwise says whether any column that decides about cell or measure has changed. */
static bool
counts_otherwise(const OpportunityRow *old, const OpportunityRow *new)
{
	static const OpportunityColumn deciding[] = {
		OPPORTUNITY_AMOUNT,	  OPPORTUNITY_CURRENCY,	 OPPORTUNITY_EXPECTED_ON,
		OPPORTUNITY_OWNER_ID, OPPORTUNITY_SOURCE_ID, OPPORTUNITY_PROBABILITY_OVERRIDE,
		OPPORTUNITY_PHASE_ID, OPPORTUNITY_CLOSED_AT,
	};

	for (size_t i = 0; i < lengthof(deciding); i++)
	{
		if (opportunity_differs(old, new, deciding[i]))
			return true;
	}
	return false;
}

static void
standing_of(Standing *standing, const OpportunityRow *row, const Configuration *configuration)
{
	LedgerCell *cell = &standing->cell;
	Datum currency = opportunity_value(row, OPPORTUNITY_CURRENCY);
	const struct varlena *code = PG_DETOAST_DATUM_PACKED(currency);

	memset(standing, 0, sizeof(Standing));
	standing->phase =
		configuration_find_phase(configuration, opportunity_key(row, OPPORTUNITY_PHASE_ID));
	if (standing->phase == NULL)
		elog(ERROR, "phase " INT64_FORMAT " does not exist",
			 opportunity_key(row, OPPORTUNITY_PHASE_ID));
	cell->phase_id = standing->phase->phase_id;
	cell->owner_id = opportunity_key(row, OPPORTUNITY_OWNER_ID);
	cell->source_id = opportunity_key(row, OPPORTUNITY_SOURCE_ID);
	memcpy(cell->currency, VARDATA_ANY(code),
		   Min(VARSIZE_ANY_EXHDR(code), sizeof(cell->currency) - 1));
	if (!opportunity_is_null(row, OPPORTUNITY_CLOSED_AT))
		cell->month = month_of(
			configuration_local_date(configuration, opportunity_time(row, OPPORTUNITY_CLOSED_AT)));
	else if (!opportunity_is_null(row, OPPORTUNITY_EXPECTED_ON))
		cell->month = month_of(DatumGetDateADT(opportunity_value(row, OPPORTUNITY_EXPECTED_ON)));
	else
		cell->month = LEDGER_UNDATED;

	standing->measure.amount.isnull = opportunity_is_null(row, OPPORTUNITY_AMOUNT);
	standing->measure.amount.value = opportunity_value(row, OPPORTUNITY_AMOUNT);
	standing->measure.override.isnull =
		opportunity_is_null(row, OPPORTUNITY_PROBABILITY_OVERRIDE) ||
		!opportunity_is_null(row, OPPORTUNITY_CLOSED_AT);
	standing->measure.override.value = opportunity_value(row, OPPORTUNITY_PROBABILITY_OVERRIDE);
}

/*
 * add_steps goes from one standing to the other. When the opportunity is completed or reopened, its
 * month and whether its override counts change with the phase.
 */
static void
add_steps(Ledger *ledger, const Standing *old, const Standing *new)
{
	bool stays_open = old->phase->outcome == OUTCOME_OPEN && new->phase->outcome == OUTCOME_OPEN;
	int more = compare_amounts(&old->measure, &new->measure);
	LedgerCause phase_cause = cause_of_move(old->phase, new->phase);
	LedgerCause amount_cause = more > 0 ? CAUSE_AMOUNT_UP : CAUSE_AMOUNT_DOWN;
	Standing from = *old;
	Standing to = *old;

	if (more != 0)
	{
		to.measure.amount = new->measure.amount;
		add_step(ledger, amount_cause, amount_cause, &from, &to);
	}
	if (strcmp(old->cell.currency, new->cell.currency) != 0)
	{
		memcpy(to.cell.currency, new->cell.currency, sizeof(to.cell.currency));
		add_step(ledger, CAUSE_CURRENCY, CAUSE_CURRENCY, &from, &to);
	}
	if (stays_open && old->cell.month != new->cell.month)
	{
		to.cell.month = new->cell.month;
		add_step(ledger, CAUSE_SLIPPED_OUT, CAUSE_SLIPPED_IN, &from, &to);
	}
	if (stays_open)
	{
		to.measure.override = new->measure.override;
		add_step(ledger, CAUSE_REWEIGHTED, CAUSE_REWEIGHTED, &from, &to);
	}
	if (old->cell.owner_id != new->cell.owner_id)
	{
		to.cell.owner_id = new->cell.owner_id;
		add_step(ledger, CAUSE_OWNER, CAUSE_OWNER, &from, &to);
	}
	if (old->cell.source_id != new->cell.source_id)
	{
		to.cell.source_id = new->cell.source_id;
		add_step(ledger, CAUSE_SOURCE, CAUSE_SOURCE, &from, &to);
	}
	if (old->phase != new->phase || from.cell.month != new->cell.month)
		add_step(ledger, phase_cause, phase_cause, &from, new);
}

/* add_step counts out of one standing and into the next, which then is the one to go on from. */
static void
add_step(Ledger *ledger, LedgerCause out, LedgerCause in, Standing *from, const Standing *to)
{
	ledger_add(ledger, out, &from->cell, &from->measure, -1);
	ledger_add(ledger, in, &to->cell, &to->measure, 1);
	*from = *to;
}

/* compare_amounts says whether the amount goes up (1), down (-1) or stays; NULL is 0. */
static int
compare_amounts(const LedgerMeasure *old, const LedgerMeasure *new)
{
	Datum zero = NumericGetDatum(int64_to_numeric(0));

	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 new->amount.isnull ? zero : new->amount.value,
											 old->amount.isnull ? zero : old->amount.value));
}

static LedgerCause
cause_of_move(const Phase *from, const Phase *to)
{
	switch (to->outcome)
	{
		case OUTCOME_WON:
			return CAUSE_WON;
		case OUTCOME_LOST:
			return CAUSE_LOST;
		case OUTCOME_EXPIRED:
			return CAUSE_EXPIRED;
		case OUTCOME_OPEN:
			break;
	}
	if (from->outcome != OUTCOME_OPEN)
		return CAUSE_REOPENED;
	if (from->pipeline != to->pipeline)
		return CAUSE_PIPELINE;
	return to->position >= from->position ? CAUSE_ADVANCED : CAUSE_BACK;
}

/* month_of returns the first day of the month. */
static DateADT
month_of(DateADT day)
{
	int year;
	int month;
	int mday;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}
