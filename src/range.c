/*
 * range.c
 *		How much independent deals bring in all: the aggregate sales_crm.amount_range().
 *
 * The sum of n deals can take up to 2^n values, but few where amounts are multiples of something
 * or deals are few. So the distribution is first built exactly: the sorted list of possible sums
 * with their probabilities, each deal merging the list with the same list shifted by its amount.
 * Sums less likely than 1e-30 are left out, which never adds up to 1e-15.
 *
 * A list that outgrows EXACT_SUMS or EXACT_STEPS is given up for an approximation: the
 * GRID_DEALS deals with the largest standard deviations are convolved on a grid, around a normal
 * distribution that stands for the many small others. Deals enter centred (as what they bring
 * beyond their mean), so that the grid need only cover the likely sums, and a shift that is not a
 * multiple of the step is split over both neighbours, which keeps the mean exact; the variance that
 * the splitting adds is taken back from the normal part as far as it goes. doc/range.md has the
 * bounds of the error.
 *
 * Memory: the deals in the aggregate's context, 24 bytes each; the lists in the caller's, freed
 * before returning.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(scrm_amount_range_add);
PG_FUNCTION_INFO_V1(scrm_amount_range_end);

/* Amounts are counted in millionths: no currency has more decimals */
#define UNIT_DECIMALS 6
#define UNIT 1000000
#define UNITS_MAX INT64CONST(9000000000000000000)

#define EXACT_SUMS (1 << 19)
#define EXACT_STEPS (1 << 25)
#define EXACT_FORGET 1e-30

#define GRID_CELLS (1 << 14)
#define GRID_DEALS 1000
#define GRID_WIDTH 10.0 /* standard deviations on each side */

#define QUANTILES 3

static const double quantiles[QUANTILES] = {0.1, 0.5, 0.9};

/* Forgives the rounding of probabilities when they are compared with a quantile */
#define QUANTILE_SLACK 1e-12

typedef struct Deal
{
	int64 units;		/* amount in millionths, unless the sum is too large for them */
	double amount;		/* the same as a number */
	double probability; /* strictly between 0 and 1 */
} Deal;

typedef struct RangeState
{
	int64 certain_units; /* of deals with probability 1 */
	double certain;
	int64 total_units;
	bool too_large; /* the units overflow: approximate */
	int64 ndeals;
	int64 capacity;
	Deal *deals;
} RangeState;

/* The possible sums, ascending, with their probabilities */
typedef struct SumList
{
	int count;
	int64 *sums;
	double *masses;
} SumList;

static double percent(Datum probability);
static void state_add(RangeState *state, Datum amount, double probability);
static bool range_exact(const RangeState *state, int64 *found);
static void list_quantiles(const SumList *list, int64 *found);
static bool merge_deal(const SumList *from, SumList *into, const Deal *deal);
static void range_approximate(const RangeState *state, double *found);
static void grid_quantiles(const RangeState *state, double *found);
static void grid_start(double *grid, double step, double sigma);
static void grid_shift(double *into, const double *from, double shift, double weight);
static Datum quantile_array(const Datum *found, bool exact);

Datum
scrm_amount_range_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate;
	MemoryContext caller;
	RangeState *state;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "amount_range_add called outside of an aggregate");
	caller = MemoryContextSwitchTo(aggregate);
	if (PG_ARGISNULL(0))
		state = palloc0(sizeof(RangeState));
	else
		state = (RangeState *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		state_add(state, PG_GETARG_DATUM(1), percent(PG_GETARG_DATUM(2)));
	MemoryContextSwitchTo(caller);
	PG_RETURN_POINTER(state);
}

Datum
scrm_amount_range_end(PG_FUNCTION_ARGS)
{
	const RangeState *state;
	int64 units[QUANTILES];
	double amounts[QUANTILES];
	Datum found[QUANTILES];

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "amount_range_end called outside of an aggregate");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (const RangeState *) PG_GETARG_POINTER(0);
	if (range_exact(state, units))
	{
		for (int i = 0; i < QUANTILES; i++)
			found[i] = NumericGetDatum(
				int64_div_fast_to_numeric(state->certain_units + units[i], UNIT_DECIMALS));
		PG_RETURN_DATUM(quantile_array(found, true));
	}
	range_approximate(state, amounts);
	for (int i = 0; i < QUANTILES; i++)
		found[i] = DirectFunctionCall1(float8_numeric, Float8GetDatum(state->certain + amounts[i]));
	PG_RETURN_DATUM(quantile_array(found, false));
}

/* percent returns a probability in percent as a fraction. Errors: 22003 outside of 0 to 100. */
static double
percent(Datum probability)
{
	double value = DatumGetFloat8(DirectFunctionCall1(numeric_float8, probability)) / 100;

	/* NaN is no number between 0 and 1 either */
	if (!(value >= 0 && value <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("probability is out of range"),
				 errdetail("It is %g.", value * 100), errhint("Give percent, from 0 to 100.")));
	return value;
}

static void
state_add(RangeState *state, Datum amount, double probability)
{
	Deal deal = {.probability = probability};
	Datum units;

	deal.amount = DatumGetFloat8(DirectFunctionCall1(numeric_float8, amount));
	if (!(deal.amount >= 0 && deal.amount < 1e30))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("amount is out of range"),
				 errdetail("It is %g.", deal.amount), errhint("An amount is at least 0.")));
	if (deal.amount == 0 || probability == 0)
		return;
	if (deal.amount < (double) UNITS_MAX / UNIT)
	{
		units = DirectFunctionCall2(numeric_mul, amount, NumericGetDatum(int64_to_numeric(UNIT)));
		deal.units = DatumGetInt64(DirectFunctionCall1(numeric_int8, units));
	}
	else
		state->too_large = true;
	if (!state->too_large && state->total_units > UNITS_MAX - deal.units)
		state->too_large = true;
	if (!state->too_large)
		state->total_units += deal.units;

	if (probability == 1)
	{
		if (!state->too_large)
			state->certain_units += deal.units;
		state->certain += deal.amount;
		return;
	}
	if (state->ndeals == state->capacity)
	{
		state->capacity = Max(64, state->capacity * 2);
		state->deals = state->deals == NULL
						   ? palloc_array(Deal, state->capacity)
						   : repalloc_huge(state->deals, sizeof(Deal) * (Size) state->capacity);
	}
	state->deals[state->ndeals++] = deal;
}

/*
 * range_exact finds the quantiles of what the uncertain deals bring, unless there are too many
 * possible sums; then it returns false.
 */
static bool
range_exact(const RangeState *state, int64 *found)
{
	SumList lists[2];
	SumList *present = &lists[0];
	SumList *next = &lists[1];
	int64 steps = 0;
	bool exact = !state->too_large;

	if (!exact)
		return false;
	for (int i = 0; i < 2; i++)
	{
		lists[i].sums = palloc_array(int64, EXACT_SUMS);
		lists[i].masses = palloc_array(double, EXACT_SUMS);
	}
	present->count = 1;
	present->sums[0] = 0;
	present->masses[0] = 1;
	for (int64 i = 0; i < state->ndeals && exact; i++)
	{
		SumList *former = present;

		CHECK_FOR_INTERRUPTS();
		exact = steps < EXACT_STEPS && merge_deal(present, next, &state->deals[i]);
		steps += 2 * present->count;
		present = next;
		next = former;
	}
	if (exact)
		list_quantiles(present, found);
	for (int i = 0; i < 2; i++)
	{
		pfree(lists[i].sums);
		pfree(lists[i].masses);
	}
	return exact;
}

/* list_quantiles finds the smallest sums that are not exceeded with each probability. */
static void
list_quantiles(const SumList *list, int64 *found)
{
	int sum = 0;
	double reached = list->masses[0];

	for (int i = 0; i < QUANTILES; i++)
	{
		while (reached < quantiles[i] - QUANTILE_SLACK && sum + 1 < list->count)
			reached += list->masses[++sum];
		found[i] = list->sums[sum];
	}
}

/*
 * merge_deal makes the list of sums with one deal more: the list without it and the list with it,
 * merged. It returns false when there are too many.
 */
static bool
merge_deal(const SumList *from, SumList *into, const Deal *deal)
{
	double won = deal->probability;
	double lost = 1 - deal->probability;
	int without = 0;
	int with = 0;

	into->count = 0;
	while (with < from->count)
	{
		int64 sum_with = from->sums[with] + deal->units;
		int64 sum = sum_with;
		double mass = 0;

		if (without < from->count && from->sums[without] <= sum_with)
		{
			sum = from->sums[without];
			mass += lost * from->masses[without++];
		}
		if (sum == sum_with)
			mass += won * from->masses[with++];
		if (mass < EXACT_FORGET)
			continue;
		if (into->count == EXACT_SUMS)
			return false;
		into->sums[into->count] = sum;
		into->masses[into->count++] = mass;
	}
	return true;
}

static double
deal_variance(const Deal *deal)
{
	return deal->amount * deal->amount * deal->probability * (1 - deal->probability);
}

/* compare_variance puts the deals with the largest variance first. */
static int
compare_variance(const void *a, const void *b)
{
	double variance = deal_variance((const Deal *) a);
	double other = deal_variance((const Deal *) b);

	return (variance < other) - (variance > other);
}

/* range_approximate finds the quantiles of what the uncertain deals bring, as the top says. */
static void
range_approximate(const RangeState *state, double *found)
{
	if (state->ndeals == 0)
		memset(found, 0, sizeof(double) * QUANTILES);
	else
		grid_quantiles(state, found);
}

static void
grid_quantiles(const RangeState *state, double *found)
{
	Size size = sizeof(Deal) * (Size) state->ndeals;
	Deal *deals = memcpy(MemoryContextAllocHuge(CurrentMemoryContext, size), state->deals, size);
	double *grid = palloc_array(double, GRID_CELLS);
	double *next = palloc_array(double, GRID_CELLS);
	int64 gridded = Min(state->ndeals, GRID_DEALS);
	double mean = 0;
	double variance = 0;
	double rest = 0;
	double spread = 0;
	double step;

	qsort(deals, state->ndeals, sizeof(Deal), compare_variance);
	for (int64 i = 0; i < state->ndeals; i++)
	{
		mean += deals[i].amount * deals[i].probability;
		variance += deal_variance(&deals[i]);
		if (i >= gridded)
			rest += deal_variance(&deals[i]);
	}
	step = 2 * GRID_WIDTH * sqrt(variance) / GRID_CELLS;

	/* What splitting a shift of k + f steps adds is f (1 - f) steps squared */
	for (int64 i = 0; i < gridded; i++)
	{
		double lost = -deals[i].amount * deals[i].probability / step;
		double won = deals[i].amount * (1 - deals[i].probability) / step;
		double lost_part = lost - floor(lost);
		double won_part = won - floor(won);

		spread += (1 - deals[i].probability) * lost_part * (1 - lost_part) +
				  deals[i].probability * won_part * (1 - won_part);
	}
	grid_start(grid, step, sqrt(Max(rest - spread * step * step, 0)));
	for (int64 i = 0; i < gridded; i++)
	{
		double *former = grid;

		CHECK_FOR_INTERRUPTS();
		memset(next, 0, sizeof(double) * GRID_CELLS);
		grid_shift(next, grid, -deals[i].amount * deals[i].probability / step,
				   1 - deals[i].probability);
		grid_shift(next, grid, deals[i].amount * (1 - deals[i].probability) / step,
				   deals[i].probability);
		grid = next;
		next = former;
	}

	/* A cell's mass lies around its middle */
	for (int i = 0, cell = 0; i < QUANTILES; i++)
	{
		double reached = 0;

		for (cell = 0; cell < GRID_CELLS - 1 && reached + grid[cell] < quantiles[i]; cell++)
			reached += grid[cell];
		found[i] = (cell - GRID_CELLS / 2 - 0.5 + (quantiles[i] - reached) / grid[cell]) * step;
		found[i] = Max(mean + found[i], 0);
	}
	pfree(deals);
	pfree(grid);
	pfree(next);
}

/* grid_start lays a normal distribution around the middle; one without width is one cell. */
static void
grid_start(double *grid, double step, double sigma)
{
	double below = 0;

	memset(grid, 0, sizeof(double) * GRID_CELLS);
	if (sigma < step / 100)
	{
		grid[GRID_CELLS / 2] = 1;
		return;
	}
	for (int i = 0; i < GRID_CELLS; i++)
	{
		double end = (i - GRID_CELLS / 2 + 0.5) * step;
		double up_to = i == GRID_CELLS - 1 ? 1 : 0.5 * erfc(-end / sigma / M_SQRT2);

		grid[i] = up_to - below;
		below = up_to;
	}
}

/*
 * grid_shift adds a distribution, times a weight and shifted by a number of steps, to another.
 * What would fall off at an end stays there: it is beyond every quantile.
 */
static void
grid_shift(double *into, const double *from, double shift, double weight)
{
	double whole = floor(shift);
	double right = (shift - whole) * weight;
	double left = weight - right;
	int offset = (int) Max(Min(whole, GRID_CELLS), -GRID_CELLS);
	int first = Min(Max(-offset, 0), GRID_CELLS);
	int last = Max(Min(GRID_CELLS - 1 - offset, GRID_CELLS), first);
	double fallen_left = 0;
	double fallen_right = 0;

	for (int i = 0; i < first; i++)
		fallen_left += from[i];
	for (int i = last; i < GRID_CELLS; i++)
		fallen_right += from[i];
	for (int i = first; i < last; i++)
		into[i + offset] += left * from[i];
	for (int i = first; i < last; i++)
		into[i + offset + 1] += right * from[i];
	into[0] += weight * fallen_left;
	into[GRID_CELLS - 1] += weight * fallen_right;
}

static Datum
quantile_array(const Datum *found, bool exact)
{
	Datum elements[QUANTILES + 1];

	memcpy(elements, found, sizeof(Datum) * QUANTILES);
	elements[QUANTILES] = NumericGetDatum(int64_to_numeric(exact ? 1 : 0));
	return PointerGetDatum(
		construct_array(elements, QUANTILES + 1, NUMERICOID, -1, false, TYPALIGN_INT));
}
