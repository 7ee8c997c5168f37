/*
 * decimal.c
 *		Numerics of few digits as whole numbers.
 *
 * The digits are read from the stored form of numeric, which pg_upgrade keeps as it is; through
 * the functions of the backend, reading costs more than all of the arithmetic. The property test
 * of totals compares with SQL numerics.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/numeric.h"

#include "compat.h"
#include "decimal.h"

/* The stored form: a header, a weight unless it is in the header, digits of base 10,000 */
#define NUMERIC_FORM_MASK 0xC000
#define NUMERIC_FORM_NEGATIVE 0x4000
#define NUMERIC_FORM_SHORT 0x8000
#define NUMERIC_FORM_SPECIAL 0xC000
#define NUMERIC_SHORT_NEGATIVE 0x2000
#define NUMERIC_SHORT_WEIGHT_NEGATIVE 0x0040
#define NUMERIC_SHORT_WEIGHT 0x003F
#define DIGITS_PER_GROUP 4

static const int64 powers[] = {
	1,
	10,
	100,
	1000,
	10000,
	100000,
	1000000,
	10000000,
	100000000,
	1000000000,
	INT64CONST(10000000000),
	INT64CONST(100000000000),
	INT64CONST(1000000000000),
	INT64CONST(10000000000000),
	INT64CONST(100000000000000),
	INT64CONST(1000000000000000),
	INT64CONST(10000000000000000),
	INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000),
};

int64
decimal_power(int exponent)
{
	return powers[exponent];
}

/* read_uint16 reads a value that need not be aligned. */
static uint16
read_uint16(const char *from)
{
	uint16 value;

	memcpy(&value, from, sizeof(value));
	return value;
}

DecimalFit
decimal_from_numeric(Datum value, int scale, int64 *result)
{
	struct varlena *stored = PG_DETOAST_DATUM_PACKED(value);
	const char *at = VARDATA_ANY(stored);
	const char *end = at + VARSIZE_ANY_EXHDR(stored);
	uint16 header = read_uint16(at);
	bool negative;
	int exponent;
	int128 sum = 0;

	at += sizeof(uint16);
	if ((header & NUMERIC_FORM_MASK) == NUMERIC_FORM_SPECIAL)
		return DECIMAL_NOT_FINITE;
	if ((header & NUMERIC_FORM_MASK) == NUMERIC_FORM_SHORT)
	{
		int weight = header & NUMERIC_SHORT_WEIGHT;

		if (header & NUMERIC_SHORT_WEIGHT_NEGATIVE)
			weight |= ~NUMERIC_SHORT_WEIGHT;
		negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		exponent = weight * DIGITS_PER_GROUP + scale;
	}
	else
	{
		negative = (header & NUMERIC_FORM_MASK) == NUMERIC_FORM_NEGATIVE;
		exponent = (int16) read_uint16(at) * DIGITS_PER_GROUP + scale;
		at += sizeof(uint16);
	}

	for (; at < end; at += sizeof(uint16), exponent -= DIGITS_PER_GROUP)
	{
		int64 group = read_uint16(at);

		if (group == 0)
			continue;
		if (exponent > 18)
			return DECIMAL_OUT_OF_RANGE;
		if (exponent >= 0)
			sum += (int128) group * powers[exponent];
		else if (exponent > -DIGITS_PER_GROUP && group % powers[-exponent] == 0)
			sum += group / powers[-exponent];
		else
			return DECIMAL_TOO_MANY_DECIMALS;
	}
	if (sum > DECIMAL_MAX)
		return DECIMAL_OUT_OF_RANGE;
	*result = negative ? -(int64) sum : (int64) sum;
	return DECIMAL_FITS;
}

Datum
decimal_to_numeric(int64 value, int scale)
{
	return NumericGetDatum(int64_div_fast_to_numeric(value, scale));
}
