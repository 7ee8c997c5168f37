/*
 * format.c
 *		Numbers, amounts and dates as people of a locale write them: English, French, Dutch, German.
 *
 * Nothing is rounded here: what is printed is what is stored. Blanks inside a number never break
 * a line.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "compat.h"
#include "format.h"

PG_FUNCTION_INFO_V1(scrm_format_number);
PG_FUNCTION_INFO_V1(scrm_format_percent);
PG_FUNCTION_INFO_V1(scrm_format_amount);
PG_FUNCTION_INFO_V1(scrm_format_date);
PG_FUNCTION_INFO_V1(scrm_format_moment);

#define NO_BREAK_SPACE "\xc2\xa0"
#define NARROW_NO_BREAK_SPACE "\xe2\x80\xaf"

#define MAX_DECIMALS 30

/* Bytes of numbers that are taken as they are; numeric has room for more */
#define MAX_PLAIN 1000

struct Language
{
	const char code[3];
	const char *group; /* between thousands */
	const char *point;
	bool symbol_first;
	const char *symbol_space; /* between a symbol and its number */
	const char *percent;
	const char *day_suffix;
	const char *months[MONTHS_PER_YEAR];
};

/* The first stands for the languages that are not here */
static const Language languages[] = {
	{"en",
	 ",",
	 ".",
	 true,
	 "",
	 "%",
	 "",
	 {"January", "February", "March", "April", "May", "June", "July", "August", "September",
	  "October", "November", "December"}},
	{"fr",
	 NARROW_NO_BREAK_SPACE,
	 ",",
	 false,
	 NO_BREAK_SPACE,
	 NO_BREAK_SPACE "%",
	 "",
	 {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
	  "octobre", "novembre", "décembre"}},
	{"nl",
	 ".",
	 ",",
	 true,
	 NO_BREAK_SPACE,
	 "%",
	 "",
	 {"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
	  "oktober", "november", "december"}},
	{"de",
	 ".",
	 ",",
	 false,
	 NO_BREAK_SPACE,
	 NO_BREAK_SPACE "%",
	 ".",
	 {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
	  "November", "Dezember"}},
};

/* Currencies that have a symbol everybody knows; others are written with their code */
static const struct
{
	const char code[4];
	const char *symbol;
} symbols[] = {{"EUR", "€"}, {"USD", "$"}, {"GBP", "£"}, {"JPY", "¥"}};

static const Language *language_of(const text *locale);
static void check_decimals(int decimals);
static bool is_plain(const char *text);
static size_t number_size(const char *digits, int decimals);
static char *put_number(char *to, const char *digits, int decimals, const Language *language);
static const char *skip_digits(const char *at);

/* value numeric, locale text, decimals integer: text */
Datum
scrm_format_number(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));

	PG_RETURN_TEXT_P(cstring_to_text(
		format_number(digits, language_of(PG_GETARG_TEXT_PP(1)), PG_GETARG_INT32(2))));
}

/* value numeric, locale text: text */
Datum
scrm_format_percent(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));

	PG_RETURN_TEXT_P(cstring_to_text(format_percent(digits, language_of(PG_GETARG_TEXT_PP(1)))));
}

/* amount numeric, currency text, locale text, decimals integer: text */
Datum
scrm_format_amount(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));

	PG_RETURN_TEXT_P(
		cstring_to_text(format_amount(digits, text_to_cstring(PG_GETARG_TEXT_PP(1)),
									  language_of(PG_GETARG_TEXT_PP(2)), PG_GETARG_INT32(3))));
}

/* day date, locale text: text */
Datum
scrm_format_date(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(
		cstring_to_text(format_date(PG_GETARG_DATEADT(0), language_of(PG_GETARG_TEXT_PP(1)))));
}

/* at timestamptz, time_zone text, locale text: text */
Datum
scrm_format_moment(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(format_moment(PG_GETARG_TIMESTAMPTZ(0), PG_GETARG_TEXT_PP(1),
												   language_of(PG_GETARG_TEXT_PP(2)))));
}

/* format_language takes the first part of a locale such as fr, fr_BE or fr-BE. */
const Language *
format_language(const char *locale, size_t length)
{
	for (int i = 0; i < (int) lengthof(languages) && length >= 2; i++)
	{
		if (memcmp(languages[i].code, locale, 2) == 0)
			return &languages[i];
	}
	return &languages[0];
}

char *
format_digits(char *text)
{
	Datum number;

	if (is_plain(text))
		return text;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* is_plain tells, of most numbers, that numeric_out() writes them like this. */
static bool
is_plain(const char *text)
{
	const char *whole = *text == '-' ? text + 1 : text;
	const char *point = skip_digits(whole);
	const char *end = point;

	/* There is no -0, and 0 alone begins with one */
	if (point == whole || (*whole == '0' && (point > whole + 1 || whole > text)))
		return false;
	if (*point == '.')
	{
		end = skip_digits(point + 1);
		if (end == point + 1)
			return false;
	}
	return *end == '\0' && end - text <= MAX_PLAIN;
}

char *
format_number(const char *digits, const Language *language, int decimals)
{
	char *text;

	check_decimals(decimals);
	text = palloc(number_size(digits, decimals));
	*put_number(text, digits, decimals, language) = '\0';
	return text;
}

char *
format_percent(const char *digits, const Language *language)
{
	char *text = palloc(number_size(digits, 0) + strlen(language->percent));

	stpcpy(put_number(text, digits, 0, language), language->percent);
	return text;
}

char *
format_amount(const char *digits, const char *currency, const Language *language, int decimals)
{
	const char *symbol = currency;
	const char *space = language->symbol_space;
	char *text;
	char *to;

	check_decimals(decimals);
	for (int i = 0; i < (int) lengthof(symbols); i++)
	{
		if (strcmp(symbols[i].code, currency) == 0)
			symbol = symbols[i].symbol;
	}
	if (symbol == currency)
		space = NO_BREAK_SPACE;

	text = palloc(number_size(digits, decimals) + strlen(symbol) + strlen(space));
	to = text;
	/* English writes -€5.00, Dutch € -5,00, French and German -5,00 € */
	if (*digits == '-' && !(language->symbol_first && *language->symbol_space != '\0'))
		*to++ = *digits++;
	if (language->symbol_first)
		to = stpcpy(stpcpy(to, symbol), space);
	to = put_number(to, digits, decimals, language);
	if (!language->symbol_first)
		to = stpcpy(stpcpy(to, space), symbol);
	*to = '\0';
	return text;
}

char *
format_iso_day(DateADT day)
{
	struct pg_tm tm = {0};
	char text[MAXDATELEN + 1];

	if (DATE_NOT_FINITE(day))
		EncodeSpecialDate(day, text);
	else
	{
		j2date(day + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, text);
	}
	return pstrdup(text);
}

char *
format_date(DateADT day, const Language *language)
{
	const char *first = "";
	int y;
	int m;
	int d;

	if (DATE_NOT_FINITE(day))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("date is infinite"),
						errhint("Give a day of the calendar.")));
	j2date(day + POSTGRES_EPOCH_JDATE, &y, &m, &d);
	/* French counts the first of a month by its ordinal */
	if (d == 1 && strcmp(language->code, "fr") == 0)
		first = "er";
	return psprintf("%d%s%s" NO_BREAK_SPACE "%s %d", d, first, language->day_suffix,
					language->months[m - 1], y);
}

char *
format_moment(TimestampTz at, const text *time_zone, const Language *language)
{
	Datum local =
		DirectFunctionCall2(timestamptz_zone, PointerGetDatum(time_zone), TimestampTzGetDatum(at));
	Datum day = DirectFunctionCall1(timestamp_date, local);
	int64 seconds =
		(DatumGetTimestamp(local) - DatumGetDateADT(day) * USECS_PER_DAY) / USECS_PER_SEC;

	return psprintf("%s, %02d:%02d:%02d", format_date(DatumGetDateADT(day), language),
					(int) (seconds / SECS_PER_HOUR),
					(int) (seconds / SECS_PER_MINUTE % MINS_PER_HOUR),
					(int) (seconds % SECS_PER_MINUTE));
}

static const Language *
language_of(const text *locale)
{
	return format_language(VARDATA_ANY(locale), VARSIZE_ANY_EXHDR(locale));
}

static void
check_decimals(int decimals)
{
	if (decimals < 0 || decimals > MAX_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of decimals is out of range"), errdetail("It is %d.", decimals),
				 errhint("Give a number from 0 to %d.", MAX_DECIMALS)));
}

/* number_size is enough for what put_number() writes, and a byte to end it. */
static size_t
number_size(const char *digits, int decimals)
{
	/* A separator has up to three bytes, and stands before a digit */
	return strlen(digits) * 4 + decimals + 4;
}

/*
 * put_number writes digits and returns where they end; zeros at their end go, down to so many
 * decimals.
 */
static char *
put_number(char *to, const char *digits, int decimals, const Language *language)
{
	const char *point;
	int fraction;

	if (*digits == '-')
		*to++ = *digits++;
	point = skip_digits(digits);
	/* NaN and Infinity */
	if (point == digits)
		return stpcpy(to, digits);
	for (const char *at = digits; at < point; at++)
	{
		if (at > digits && (point - at) % 3 == 0)
			to = stpcpy(to, language->group);
		*to++ = *at;
	}
	fraction = *point == '.' ? (int) strlen(point + 1) : 0;
	while (fraction > decimals && point[fraction] == '0')
		fraction--;
	if (fraction == 0 && decimals == 0)
		return to;
	to = stpcpy(to, language->point);
	if (fraction > 0)
		memcpy(to, point + 1, fraction);
	to += fraction;
	for (int i = fraction; i < decimals; i++)
		*to++ = '0';
	return to;
}

static const char *
skip_digits(const char *at)
{
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}
