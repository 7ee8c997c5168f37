/*
 * decimal.h
 *		Numerics of few digits as whole numbers, for exact and fast arithmetic.
 */
#ifndef SCRM_DECIMAL_H
#define SCRM_DECIMAL_H

#include "postgres.h"

#ifndef HAVE_INT128
#error "sales_crm needs a compiler with 128-bit integers"
#endif

/* The largest whole number, in either direction */
#define DECIMAL_MAX INT64CONST(9000000000000000000)

typedef enum DecimalFit
{
	DECIMAL_FITS,
	DECIMAL_NOT_FINITE,		   /* NaN or Infinity */
	DECIMAL_TOO_MANY_DECIMALS, /* more than the scale */
	DECIMAL_OUT_OF_RANGE,	   /* beyond DECIMAL_MAX once scaled */
} DecimalFit;

/* value × 10^scale as a whole number, with scale from 0 to 18; *result is set when it fits */
extern DecimalFit decimal_from_numeric(Datum value, int scale, int64 *result);

/* value / 10^scale as a numeric with that many decimals */
extern Datum decimal_to_numeric(int64 value, int scale);

/* 10^exponent, with exponent from 0 to 18 */
extern int64 decimal_power(int exponent);

/* numerator / denominator, rounded half away from zero; denominator > 0 */
static inline int128
decimal_divide(int128 numerator, int128 denominator)
{
	/* Most fit 64 bits, whose division is several times faster */
	if (numerator > -DECIMAL_MAX / 2 && numerator < DECIMAL_MAX / 2 &&
		denominator < DECIMAL_MAX / 2)
	{
		int64 n = (int64) numerator;
		int64 d = (int64) denominator;

		return n >= 0 ? (n + d / 2) / d : -((-n + d / 2) / d);
	}
	return numerator >= 0 ? (numerator + denominator / 2) / denominator
						  : -((-numerator + denominator / 2) / denominator);
}

/* The greatest whole number that is not above numerator / denominator; denominator > 0 */
static inline int128
decimal_floor(int128 numerator, int128 denominator)
{
	int128 quotient = numerator / denominator;

	return numerator % denominator < 0 ? quotient - 1 : quotient;
}

#endif /* SCRM_DECIMAL_H */
