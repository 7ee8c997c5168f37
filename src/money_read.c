/*
 * money_read.c
 *		The values of offers and their lines, from numeric to whole numbers.
 *
 * Memory: the current context, for what is in errors.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "decimal.h"
#include "money.h"

#define QUANTITY_LIMIT INT64CONST(1000000000)
#define PRICE_LIMIT INT64CONST(1000000000000)
#define MILLION INT64CONST(1000000)

static int64 read_decimal(const char *what, NullableDatum value, int scale, int64 low, int64 high);
static MoneyDiscount
read_discount(const Currency *currency, NullableDatum percent, NullableDatum amount);

void
money_check_discount(const Currency *currency, NullableDatum percent, NullableDatum amount)
{
	(void) read_discount(currency, percent, amount);
}

void
money_set_discount(Offer *offer, NullableDatum percent, NullableDatum amount)
{
	offer->given = read_discount(offer->currency, percent, amount);
}

MoneyLine
money_line(const Currency *currency, NullableDatum quantity, NullableDatum unit_price,
		   NullableDatum discount_percent, NullableDatum discount_amount, NullableDatum tax_percent)
{
	MoneyLine line = {.optional = false};

	line.quantity = read_decimal("quantity", quantity, MONEY_DECIMALS, -QUANTITY_LIMIT * MILLION,
								 QUANTITY_LIMIT * MILLION);
	if (line.quantity == 0)
		money_refuse("quantity must not be 0", "It is 0.",
					 "A return has a negative quantity; DELETE a line that is not wanted.");
	line.unit_price =
		read_decimal("unit_price", unit_price, MONEY_DECIMALS, 0, PRICE_LIMIT * MILLION);
	line.discount = read_discount(currency, discount_percent, discount_amount);
	line.tax_percent =
		read_decimal("tax_percent", tax_percent, MONEY_PERCENT_DECIMALS, 0, MONEY_HUNDRED_PERCENT);
	return line;
}

void
money_refuse(const char *message, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg_internal("%s", message),
					errdetail_internal("%s", detail), errhint("%s", hint)));
}

/* read_decimal reads a value from low to high, in units of the scale. */
static int64
read_decimal(const char *what, NullableDatum value, int scale, int64 low, int64 high)
{
	DecimalFit fit;
	int64 found = 0;

	if (value.isnull)
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("%s must be given", what),
						errdetail("It is NULL."), errhint("Give each item its %s.", what)));
	fit = decimal_from_numeric(value.value, scale, &found);
	if (fit == DECIMAL_NOT_FINITE)
		money_refuse(psprintf("%s is not a number", what), "NaN and Infinity cannot be summed.",
					 "Give a number.");
	if (fit == DECIMAL_TOO_MANY_DECIMALS)
		money_refuse(psprintf("%s has too many decimals", what),
					 psprintf("It is %s; %d decimals are allowed.",
							  DatumGetCString(DirectFunctionCall1(numeric_out, value.value)),
							  scale),
					 "Round it.");
	if (fit == DECIMAL_OUT_OF_RANGE || found < low || found > high)
		money_refuse(psprintf("%s is out of range", what),
					 psprintf("It is %s, and must be from " INT64_FORMAT " to " INT64_FORMAT ".",
							  DatumGetCString(DirectFunctionCall1(numeric_out, value.value)),
							  low / decimal_power(scale), high / decimal_power(scale)),
					 "Give a value within the range.");
	return found;
}

static MoneyDiscount
read_discount(const Currency *currency, NullableDatum percent, NullableDatum amount)
{
	MoneyDiscount discount = {.kind = DISCOUNT_NONE, .value = 0};

	if (!percent.isnull && !amount.isnull)
		money_refuse("a discount is a percentage or an amount, not both",
					 "Both discount_percent and discount_amount are given.",
					 "Set one of them to NULL.");
	if (!percent.isnull)
	{
		discount.kind = DISCOUNT_PERCENT;
		discount.value = read_decimal("discount_percent", percent, MONEY_PERCENT_DECIMALS, 0,
									  MONEY_HUNDRED_PERCENT);
	}
	else if (!amount.isnull)
	{
		int64 unit = decimal_power(currency->minor_units);

		discount.kind = DISCOUNT_AMOUNT;
		discount.value = read_decimal(
			"discount_amount", amount, currency->minor_units, 0,
			MONEY_AMOUNT_LIMIT > DECIMAL_MAX / unit ? DECIMAL_MAX : MONEY_AMOUNT_LIMIT * unit);
	}
	return discount;
}
