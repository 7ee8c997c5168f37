/*
 * format.c
 *		Numbers, amounts and dates as people of a locale write them: English, French, Dutch, German.
 *
 * Nothing is rounded here: what is printed is what is stored. Blanks inside a number never break
 * a line.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

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

typedef struct Language
{
	const char code[3];
	const char *group; /* between thousands */
	const char *point;
	bool symbol_first;
	const char *symbol_space; /* between a symbol and its number */
	const char *percent;
	const char *day_suffix;
	const char *months[MONTHS_PER_YEAR];
} Language;

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

static const Language *find_language(const text *locale);
static int decimals_wanted(FunctionCallInfo fcinfo, int argument);
static void add_signed(StringInfo out, const char *digits, int decimals, const Language *language);
static void add_number(StringInfo out, const char *digits, int decimals, const Language *language);

/* value numeric, locale text, decimals integer: text */
Datum
scrm_format_number(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));
	const Language *language = find_language(PG_GETARG_TEXT_PP(1));
	StringInfoData out;

	initStringInfo(&out);
	add_signed(&out, digits, decimals_wanted(fcinfo, 2), language);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* value numeric, locale text: text */
Datum
scrm_format_percent(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));
	const Language *language = find_language(PG_GETARG_TEXT_PP(1));
	StringInfoData out;

	initStringInfo(&out);
	add_signed(&out, digits, 0, language);
	appendStringInfoString(&out, language->percent);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* amount numeric, currency text, locale text, decimals integer: text */
Datum
scrm_format_amount(PG_FUNCTION_ARGS)
{
	const char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));
	const char *currency = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const Language *language = find_language(PG_GETARG_TEXT_PP(2));
	int decimals = decimals_wanted(fcinfo, 3);
	const char *symbol = currency;
	const char *space = language->symbol_space;
	StringInfoData out;

	for (int i = 0; i < (int) lengthof(symbols); i++)
	{
		if (strcmp(symbols[i].code, currency) == 0)
			symbol = symbols[i].symbol;
	}
	if (symbol == currency)
		space = NO_BREAK_SPACE;

	initStringInfo(&out);
	/* English writes -€5.00, Dutch € -5,00, French and German -5,00 € */
	if (*digits == '-' && !(language->symbol_first && *language->symbol_space != '\0'))
		appendStringInfoChar(&out, *digits++);
	if (language->symbol_first)
		appendStringInfo(&out, "%s%s", symbol, space);
	add_signed(&out, digits, decimals, language);
	if (!language->symbol_first)
		appendStringInfo(&out, "%s%s", space, symbol);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* day date, locale text: text */
Datum
scrm_format_date(PG_FUNCTION_ARGS)
{
	DateADT day = PG_GETARG_DATEADT(0);
	const Language *language = find_language(PG_GETARG_TEXT_PP(1));
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
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d%s%s" NO_BREAK_SPACE "%s %d", d, first,
											  language->day_suffix, language->months[m - 1], y)));
}

/* at timestamptz, time_zone text, locale text: text, the day in words and the time to the second */
Datum
scrm_format_moment(PG_FUNCTION_ARGS)
{
	Datum local = DirectFunctionCall2(timestamptz_zone, PG_GETARG_DATUM(1), PG_GETARG_DATUM(0));
	Datum day = DirectFunctionCall1(timestamp_date, local);
	char *date =
		TextDatumGetCString(DirectFunctionCall2(scrm_format_date, day, PG_GETARG_DATUM(2)));
	int64 seconds =
		(DatumGetTimestamp(local) - DatumGetDateADT(day) * USECS_PER_DAY) / USECS_PER_SEC;

	PG_RETURN_TEXT_P(cstring_to_text(psprintf(
		"%s, %02d:%02d:%02d", date, (int) (seconds / SECS_PER_HOUR),
		(int) (seconds / SECS_PER_MINUTE % MINS_PER_HOUR), (int) (seconds % SECS_PER_MINUTE))));
}

/* find_language takes the first part of a locale such as fr, fr_BE or fr-BE. */
static const Language *
find_language(const text *locale)
{
	const char *code = VARDATA_ANY(locale);

	for (int i = 0; i < (int) lengthof(languages) && VARSIZE_ANY_EXHDR(locale) >= 2; i++)
	{
		if (memcmp(languages[i].code, code, 2) == 0)
			return &languages[i];
	}
	return &languages[0];
}

static int
decimals_wanted(FunctionCallInfo fcinfo, int argument)
{
	int decimals = PG_GETARG_INT32(argument);

	if (decimals < 0 || decimals > MAX_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of decimals is out of range"), errdetail("It is %d.", decimals),
				 errhint("Give a number from 0 to %d.", MAX_DECIMALS)));
	return decimals;
}

static void
add_signed(StringInfo out, const char *digits, int decimals, const Language *language)
{
	if (*digits == '-')
		appendStringInfoChar(out, *digits++);
	add_number(out, digits, decimals, language);
}

/* add_number writes digits without a sign; zeros at their end go, down to so many decimals. */
static void
add_number(StringInfo out, const char *digits, int decimals, const Language *language)
{
	int whole = (int) strspn(digits, "0123456789");
	int fraction = digits[whole] == '.' ? (int) strlen(digits + whole + 1) : 0;

	/* NaN and Infinity */
	if (whole == 0)
	{
		appendStringInfoString(out, digits);
		return;
	}
	for (int i = 0; i < whole; i++)
	{
		if (i > 0 && (whole - i) % 3 == 0)
			appendStringInfoString(out, language->group);
		appendStringInfoChar(out, digits[i]);
	}
	while (fraction > decimals && digits[whole + fraction] == '0')
		fraction--;
	if (fraction == 0 && decimals == 0)
		return;
	appendStringInfoString(out, language->point);
	appendBinaryStringInfo(out, digits + whole + 1, fraction);
	for (int i = fraction; i < decimals; i++)
		appendStringInfoChar(out, '0');
}
