/*
 * money.c
 *		What an offer comes to: the one calculation behind opportunities, quotes and invoices.
 *
 * The amount of a line is quantity × unit price less its own discount, rounded half away from zero
 * to the minor unit. The whole offer's discount is split over the rates of VAT, and within a rate
 * over its lines, in proportion and by largest remainder, so that parts always sum. Method en16931
 * computes VAT once per rate on the discounted base (BR-CO-17), per_line for each line; prices that
 * include VAT are taken apart in the same two ways, from the gross down, which the total so hits.
 * Totals are sums of what is printed.
 *
 * Everything is a whole number: amounts in minor units, quantities and prices in millionths,
 * percentages in ten-thousandths. An amount stays below 10^15 and within 9 × 10^18 minor units, so
 * that no product of two of them leaves 128 bits. Nothing depends on the order of the lines.
 *
 * Memory: the context that was current when the offer was opened.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "decimal.h"
#include "money.h"

/* A part of a whole, to be split off by largest remainder */
typedef struct Part
{
	int64 *size; /* where it goes; the whole number below its ideal size so far */
	int128 remainder;
	int64 weight; /* of equal remainders the larger weight is first, then the lower index */
	int index;
} Part;

static int64 checked_amount(int128 amount, const Offer *offer);
static void add_to(int64 *sum, int64 amount, const Offer *offer);
static int find_rate(Offer *offer, const MoneyLine *line);
static OfferLine *new_line(Offer *offer);
static void sort_rates(Offer *offer);
static void split_over_rates(Offer *offer);
static void split_over_lines(Offer *offer, int rate, Part *parts);
static void tax_per_rate(Offer *offer, int rate, Part *parts);
static void tax_per_line(Offer *offer, int rate);
static void split(int64 whole, Part *parts, int nparts);
static int64 vat_of(const Offer *offer, int64 amount, int64 percent);

Offer *
money_offer(const Currency *currency, VatMethod method, bool prices_include_tax, bool wants_lines)
{
	Offer *offer = palloc0_array(Offer, 1);
	int64 unit = decimal_power(currency->minor_units);

	offer->limit =
		MONEY_AMOUNT_LIMIT > DECIMAL_MAX / unit ? DECIMAL_MAX : MONEY_AMOUNT_LIMIT * unit - 1;
	offer->currency = currency;
	offer->method = method;
	offer->prices_include_tax = prices_include_tax;
	offer->for_lines = wants_lines;
	offer->wants_lines = wants_lines || method == VAT_PER_LINE;
	return offer;
}

void
money_add_line(Offer *offer, const MoneyLine *line)
{
	int minor_units = offer->currency->minor_units;
	int64 unit = decimal_power(2 * MONEY_DECIMALS - minor_units);
	int128 product = (int128) line->quantity * line->unit_price;
	int64 list = checked_amount(decimal_divide(product, unit), offer);
	int64 size = list < 0 ? -list : list;
	int64 amount = list;
	OfferRate *rate;
	int rate_index;

	if (line->discount.kind == DISCOUNT_PERCENT)
		amount = (int64) decimal_divide(product * (MONEY_HUNDRED_PERCENT - line->discount.value),
										(int128) unit * MONEY_HUNDRED_PERCENT);
	else if (line->discount.kind == DISCOUNT_AMOUNT)
	{
		if (line->discount.value > size)
			money_refuse(
				"discount of a line exceeds its amount",
				psprintf("The discount is %s of %s.",
						 numeric_normalize(DatumGetNumeric(
							 decimal_to_numeric(line->discount.value, minor_units))),
						 numeric_normalize(DatumGetNumeric(decimal_to_numeric(size, minor_units)))),
				"Give at most the amount of the line.");
		amount = list < 0 ? list + line->discount.value : list - line->discount.value;
	}
	rate_index = find_rate(offer, line);
	if (offer->wants_lines)
		*new_line(offer) = (OfferLine){
			.list = list,
			.amount = amount,
			.rate = rate_index,
			.optional = line->optional,
		};
	if (line->optional)
		return;
	rate = &offer->rates[rate_index];
	add_to(&rate->amount, amount, offer);
	add_to(&offer->amount, amount, offer);
	add_to(&offer->list, list, offer);
}

void
money_add_text(Offer *offer)
{
	if (offer->wants_lines)
		*new_line(offer) = (OfferLine){.rate = -1};
}

void
money_compute(Offer *offer)
{
	Part *parts = palloc_array(Part, Max(offer->nlines, 1));

	sort_rates(offer);
	split_over_rates(offer);
	for (int i = 0; i < offer->nrates; i++)
	{
		if (offer->wants_lines)
			split_over_lines(offer, i, parts);
		if (offer->method == VAT_PER_LINE)
			tax_per_line(offer, i);
		else
			tax_per_rate(offer, i, parts);
		add_to(&offer->net, offer->rates[i].base, offer);
		add_to(&offer->vat, offer->rates[i].vat, offer);
	}
	offer->gross = offer->net;
	add_to(&offer->gross, offer->vat, offer);
	pfree(parts);
}

int64
money_percent(int64 list, int64 discounted)
{
	if (list <= 0 || discounted >= list)
		return 0;
	return (int64) -decimal_floor(-((int128) list - discounted) * MONEY_HUNDRED_PERCENT, list);
}

/* checked_amount returns minor units that are within what an amount may be. */
static int64
checked_amount(int128 amount, const Offer *offer)
{
	if (unlikely(amount > offer->limit || amount < -offer->limit))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("amount is out of range"),
				 errdetail("Amounts, and sums of them, stay within " INT64_FORMAT " %s.",
						   offer->limit / decimal_power(offer->currency->minor_units),
						   offer->currency->code),
				 errhint("Look for a quantity or unit price that is too large.")));
	return (int64) amount;
}

static void
add_to(int64 *sum, int64 amount, const Offer *offer)
{
	*sum = checked_amount((int128) *sum + amount, offer);
}

/* find_rate returns the index of a line's rate, which is new with the first line of its kind. */
static int
find_rate(Offer *offer, const MoneyLine *line)
{
	OfferRate *rate;

	for (int i = 0; i < offer->nrates; i++)
	{
		rate = &offer->rates[i];
		if (rate->percent == line->tax_percent && strcmp(rate->category, line->category) == 0)
			return i;
	}
	if (offer->nrates == offer->rate_capacity)
	{
		offer->rate_capacity = Max(4, offer->rate_capacity * 2);
		offer->rates = offer->rates == NULL
						   ? palloc_array(OfferRate, offer->rate_capacity)
						   : repalloc(offer->rates, sizeof(OfferRate) * offer->rate_capacity);
	}
	rate = &offer->rates[offer->nrates];
	memset(rate, 0, sizeof(OfferRate));
	rate->percent = line->tax_percent;
	strlcpy(rate->category, line->category, sizeof(rate->category));
	return offer->nrates++;
}

static OfferLine *
new_line(Offer *offer)
{
	if (offer->nlines == offer->line_capacity)
	{
		offer->line_capacity = Max(32, offer->line_capacity * 2);
		offer->lines = offer->lines == NULL
						   ? palloc_array(OfferLine, offer->line_capacity)
						   : repalloc(offer->lines, sizeof(OfferLine) * offer->line_capacity);
	}
	return &offer->lines[offer->nlines++];
}

static int
compare_rates(const void *a, const void *b)
{
	const OfferRate *rate = a;
	const OfferRate *other = b;

	if (rate->percent != other->percent)
		return rate->percent > other->percent ? -1 : 1;
	return strcmp(rate->category, other->category);
}

/* sort_rates puts the rates in an order that does not depend on that of the lines. */
static void
sort_rates(Offer *offer)
{
	OfferRate *before;
	int *moved;

	if (offer->nrates < 2)
		return;
	before = memcpy(palloc_array(OfferRate, offer->nrates), offer->rates,
					sizeof(OfferRate) * offer->nrates);
	moved = palloc_array(int, offer->nrates);
	qsort(offer->rates, offer->nrates, sizeof(OfferRate), compare_rates);
	for (int i = 0; i < offer->nrates; i++)
	{
		for (int j = 0; j < offer->nrates; j++)
		{
			if (compare_rates(&before[i], &offer->rates[j]) == 0)
				moved[i] = j;
		}
	}
	for (int i = 0; i < offer->nlines; i++)
	{
		if (offer->lines[i].rate >= 0)
			offer->lines[i].rate = moved[offer->lines[i].rate];
	}
	pfree(before);
	pfree(moved);
}

/* part_of makes a part whose ideal size is numerator / denominator. */
static Part
part_of(int64 *size, int128 numerator, int128 denominator, int64 weight, int index)
{
	int128 below = decimal_floor(numerator, denominator);

	*size = (int64) below;
	return (Part){
		.size = size,
		.remainder = numerator - below * denominator,
		.weight = weight,
		.index = index,
	};
}

/*
 * split_over_rates splits the whole offer's discount over the rates: a percentage of each, rounded
 * so that they sum to the rounded whole, or in proportion to their amounts.
 */
static void
split_over_rates(Offer *offer)
{
	bool percent = offer->given.kind == DISCOUNT_PERCENT;
	Part *parts = palloc_array(Part, Max(offer->nrates, 1));

	if (percent)
		offer->discount = (int64) decimal_divide((int128) offer->amount * offer->given.value,
												 MONEY_HUNDRED_PERCENT);
	else
		offer->discount = offer->given.value;
	if (!percent && offer->discount > Max(offer->amount, 0))
		money_refuse("discount exceeds the total",
					 psprintf("The discount is %s of %s.",
							  numeric_normalize(DatumGetNumeric(decimal_to_numeric(
								  offer->discount, offer->currency->minor_units))),
							  numeric_normalize(DatumGetNumeric(decimal_to_numeric(
								  offer->amount, offer->currency->minor_units)))),
					 "Lower discount_amount first, or use discount_percent.");
	if (percent || offer->discount != 0)
	{
		for (int i = 0; i < offer->nrates; i++)
		{
			OfferRate *rate = &offer->rates[i];
			int128 share = percent ? offer->given.value : offer->discount;

			parts[i] = part_of(&rate->discount, share * rate->amount,
							   percent ? MONEY_HUNDRED_PERCENT : offer->amount, 0, i);
		}
		split(offer->discount, parts, offer->nrates);
	}
	pfree(parts);
}

/* split_over_lines splits the discount of a rate over its lines, in the same way. */
static void
split_over_lines(Offer *offer, int rate, Part *parts)
{
	const OfferRate *whole = &offer->rates[rate];
	bool percent = offer->given.kind == DISCOUNT_PERCENT;
	int nparts = 0;

	if (!percent && (whole->discount == 0 || whole->amount == 0))
		return;
	for (int i = 0; i < offer->nlines; i++)
	{
		OfferLine *line = &offer->lines[i];
		int128 share = percent ? offer->given.value : whole->discount;
		int128 denominator = percent ? MONEY_HUNDRED_PERCENT : whole->amount;

		if (line->rate != rate || line->optional)
			continue;
		if (denominator < 0)
		{
			share = -share;
			denominator = -denominator;
		}
		parts[nparts] =
			part_of(&line->discount, share * line->amount, denominator, line->amount, i);
		nparts++;
	}
	split(whole->discount, parts, nparts);
}

/*
 * tax_per_rate computes the VAT of a rate once. Of prices that include it, the net amounts of the
 * lines are parts of the rate's.
 */
static void
tax_per_rate(Offer *offer, int rate, Part *parts)
{
	OfferRate *whole = &offer->rates[rate];
	int64 after = whole->amount - whole->discount;
	int128 percent = MONEY_HUNDRED_PERCENT + whole->percent;
	int nparts;

	whole->vat = vat_of(offer, after, whole->percent);
	whole->net = whole->amount;
	whole->base = after;
	if (offer->prices_include_tax)
	{
		whole->net -= vat_of(offer, whole->amount, whole->percent);
		whole->base -= whole->vat;
	}
	for (int pass = 0; pass < 2; pass++)
	{
		nparts = 0;
		for (int i = 0; i < offer->nlines; i++)
		{
			OfferLine *line = &offer->lines[i];
			int64 part = pass == 0 ? line->amount : line->amount - line->discount;
			int64 *size = pass == 0 ? &line->net : &line->base;

			if (line->rate != rate)
				continue;
			if (line->optional)
			{
				*size = pass == 0 ? part : 0;
				if (pass == 0 && offer->prices_include_tax)
					*size -= vat_of(offer, part, whole->percent);
			}
			else if (!offer->prices_include_tax)
				*size = part;
			else
			{
				parts[nparts] =
					part_of(size, (int128) part * MONEY_HUNDRED_PERCENT, percent, part, i);
				nparts++;
			}
		}
		split(pass == 0 ? whole->net : whole->base, parts, nparts);
	}
}

/* tax_per_line computes the VAT of each line of a rate, and sums it. */
static void
tax_per_line(Offer *offer, int rate)
{
	OfferRate *whole = &offer->rates[rate];

	for (int i = 0; i < offer->nlines; i++)
	{
		OfferLine *line = &offer->lines[i];

		if (line->rate != rate)
			continue;
		line->net = line->amount;
		if (offer->prices_include_tax)
			line->net -= vat_of(offer, line->amount, whole->percent);
		if (line->optional)
			continue;
		line->base = line->amount - line->discount;
		line->vat = vat_of(offer, line->base, whole->percent);
		if (offer->prices_include_tax)
			line->base -= line->vat;
		add_to(&whole->net, line->net, offer);
		add_to(&whole->base, line->base, offer);
		add_to(&whole->vat, line->vat, offer);
	}
}

static int
compare_parts(const void *a, const void *b)
{
	const Part *part = a;
	const Part *other = b;

	if (part->remainder != other->remainder)
		return part->remainder > other->remainder ? -1 : 1;
	if (part->weight != other->weight)
		return part->weight > other->weight ? -1 : 1;
	return part->index < other->index ? -1 : 1;
}

/* split gives what the parts lack of the whole, a minor unit each, to the largest remainders. */
static void
split(int64 whole, Part *parts, int nparts)
{
	int128 missing = whole;

	for (int i = 0; i < nparts; i++)
		missing -= *parts[i].size;
	if (nparts == 0 || missing == 0)
		return;
	if (missing < 0 || missing > nparts)
		elog(ERROR, "parts do not sum to their whole");
	qsort(parts, nparts, sizeof(Part), compare_parts);
	for (int i = 0; i < missing; i++)
		(*parts[i].size)++;
}

/* vat_of returns the VAT on an amount, or in it when prices include VAT. */
static int64
vat_of(const Offer *offer, int64 amount, int64 percent)
{
	return (int64) decimal_divide((int128) amount * percent, offer->prices_include_tax
																 ? MONEY_HUNDRED_PERCENT + percent
																 : MONEY_HUNDRED_PERCENT);
}
