/*
 * money.h
 *		What an offer comes to: lines, discounts and VAT, in whole minor units of its currency.
 *
 * The rules are those of EN 16931 (the net amount of a line, BT-131; totals, BR-CO-10 to 17). An
 * offer is opened, gets its discount and its lines, and is computed once.
 */
#ifndef SCRM_MONEY_H
#define SCRM_MONEY_H

#include "postgres.h"

#include "compat.h"
#include "configuration.h"

/* Decimals of quantities and unit prices, and of percentages */
#define MONEY_DECIMALS 6
#define MONEY_PERCENT_DECIMALS 4
#define MONEY_HUNDRED_PERCENT INT64CONST(1000000)

/* Amounts stay below it, in the major unit: 10^15 */
#define MONEY_AMOUNT_LIMIT INT64CONST(1000000000000000)

typedef enum MoneyDiscountKind
{
	DISCOUNT_NONE,
	DISCOUNT_PERCENT,
	DISCOUNT_AMOUNT,
} MoneyDiscountKind;

typedef struct MoneyDiscount
{
	MoneyDiscountKind kind;
	int64 value; /* ten-thousandths of a percent, or minor units */
} MoneyDiscount;

/* What a line asks for */
typedef struct MoneyLine
{
	int64 quantity;	  /* millionths, not 0 */
	int64 unit_price; /* millionths, not negative */
	MoneyDiscount discount;
	int64 tax_percent; /* ten-thousandths of a percent */
	char category[3];  /* of the tax, EN 16931 */
	bool optional;	   /* outside the totals */
} MoneyLine;

/* What it comes to, in minor units */
typedef struct OfferLine
{
	int64 list;		/* quantity × unit price */
	int64 amount;	/* less the line's own discount; in terms of prices, with or without VAT */
	int64 discount; /* its share of the whole offer's discount, in the same terms */
	int64 net;		/* amount without VAT */
	int64 base;		/* less the share, without VAT */
	int64 vat;		/* filled in by the method per_line */
	int rate;		/* index into rates; -1 where the line has no amount */
	bool optional;
} OfferLine;

/* The lines with one category and percentage of VAT */
typedef struct OfferRate
{
	int64 percent;
	char category[3];
	int64 amount; /* as in OfferLine, and so on */
	int64 discount;
	int64 net;
	int64 base;
	int64 vat;
} OfferRate;

typedef struct Offer
{
	const Currency *currency;
	VatMethod method;
	bool prices_include_tax;
	bool for_lines;	  /* the caller wants to know what lines come to */
	bool wants_lines; /* lines are to be kept, for that or for the method */
	int64 limit;	  /* of amounts */
	MoneyDiscount given;
	int nlines;
	int line_capacity;
	OfferLine *lines;
	int nrates;
	int rate_capacity;
	OfferRate *rates; /* by percent, descending, and category, once computed */
	int64 list;		  /* sums over the lines that are not optional */
	int64 amount;
	int64 discount; /* of the whole offer, in terms of prices */
	int64 net;		/* total without VAT */
	int64 vat;
	int64 gross;
} Offer;

/* An offer without lines, in the current memory context */
extern Offer *
money_offer(const Currency *currency, VatMethod method, bool prices_include_tax, bool wants_lines);

/* Errors: 23514 for a discount below 0, above 100 % or of too many decimals */
extern void
money_check_discount(const Currency *currency, NullableDatum percent, NullableDatum amount);
extern void money_set_discount(Offer *offer, NullableDatum percent, NullableDatum amount);

/*
 * The line with the values of numeric columns. Errors: 23514 for a value out of its range, 23502
 * for one that is missing
 */
extern MoneyLine money_line(const Currency *currency, NullableDatum quantity,
							NullableDatum unit_price, NullableDatum discount_percent,
							NullableDatum discount_amount, NullableDatum tax_percent);

/* Errors: 22003 when amounts get too large, 23514 for a discount above the line's amount */
extern void money_add_line(Offer *offer, const MoneyLine *line);

/* A heading or text, which has a place among the lines and no amount */
extern void money_add_text(Offer *offer);

/* Errors: 23514 for a discount above the total */
extern void money_compute(Offer *offer);

/* What discount part of list is, in ten-thousandths of a percent, rounded up */
extern int64 money_percent(int64 list, int64 discounted);

/* Raises 23514 */
pg_noreturn extern void money_refuse(const char *message, const char *detail, const char *hint);

#endif /* SCRM_MONEY_H */
