/*
 * format.h
 *		Numbers, amounts and dates as people of a locale write them.
 */
#ifndef SCRM_FORMAT_H
#define SCRM_FORMAT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/date.h"

typedef struct Language Language;

/* The language of a locale; English for those that are not known */
extern const Language *format_language(const char *locale, size_t length);

/* What numeric_out() makes of the text of a number; may be the text. Errors: 22P02 */
extern char *format_digits(char *text);

/* Digits are what numeric_out() gives. Errors: 22023 for decimals out of range, 22008 for infinity */
extern char *format_number(const char *digits, const Language *language, int decimals);
extern char *format_percent(const char *digits, const Language *language);
extern char *
format_amount(const char *digits, const char *currency, const Language *language, int decimals);
extern char *format_date(DateADT day, const Language *language);

/* As date_out() writes it where DateStyle is ISO */
extern char *format_iso_day(DateADT day);

/* The day in words and the time to the second, in a time zone */
extern char *format_moment(TimestampTz at, const text *time_zone, const Language *language);

#endif /* SCRM_FORMAT_H */
