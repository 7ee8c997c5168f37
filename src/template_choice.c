/*
 * template_choice.c
 *		Chooses the template of a new quote: a default one of the customer's language, else one of the
 *		company's.
 *
 * Memory: the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "configuration.h"
#include "template_choice.h"

PG_FUNCTION_INFO_V1(scrm_choose_quote_template);

static const RowColumn columns[CHOICE_COLUMNS] = {
	[CHOICE_ID] = {"quote_template_id", INT8OID},
	[CHOICE_LOCALE] = {"locale", TEXTOID},
	[CHOICE_INTRODUCTION] = {"introduction", TEXTOID},
	[CHOICE_TERMS] = {"terms", TEXTOID},
	[CHOICE_VALID_DAYS] = {"valid_days", INT4OID},
	[CHOICE_IS_DEFAULT] = {"is_default", BOOLOID},
	[CHOICE_ACTIVE] = {"active", BOOLOID},
};
static RowMap table_map = ROW_MAP("quote_template", columns);

static int64 choose(const char *locale, LookupTime time);
static int fitness(const Row *row, const char *locale);

/* locale text: quote_template_id bigint */
Datum
scrm_choose_quote_template(PG_FUNCTION_ARGS)
{
	int64 chosen = choose(PG_ARGISNULL(0) ? configuration_get()->locale
										  : text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  LOOKUP_CALLER);

	if (chosen == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(chosen);
}

bool
template_choose(NullableDatum quote_template_id, const char *locale, LookupTime time, Row *chosen)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {CHOICE_ID}};

	if (quote_template_id.isnull)
		quote_template_id.value = Int64GetDatum(choose(locale, time));
	return lookup_row(&lookup, time, &quote_template_id.value, chosen) &&
		   DatumGetBool(row_value(chosen, CHOICE_ACTIVE));
}

bool
template_same_language(const char *locale, const char *other)
{
	return strncmp(locale, other, 2) == 0;
}

/* choose returns the key of the fittest template, of those the first; 0: none is active. */
static int64
choose(const char *locale, LookupTime time)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {CHOICE_ACTIVE}};
	Datum active[] = {BoolGetDatum(true)};
	LookupScan scan;
	int64 chosen = 0;
	int best = -1;

	lookup_begin(&scan, &lookup, time, active);
	while (lookup_next(&scan))
	{
		int64 key = DatumGetInt64(row_value(&scan.row, CHOICE_ID));
		int fit = fitness(&scan.row, locale);

		if (fit > best || (fit == best && key < chosen))
		{
			chosen = key;
			best = fit;
		}
	}
	lookup_end(&scan);
	return chosen;
}

/* fitness: the language counts most, then that it is a default, the country, the company's language. */
static int
fitness(const Row *row, const char *locale)
{
	const char *given = row_text(row, CHOICE_LOCALE);

	return (template_same_language(given, locale) ? 8 : 0) +
		   (DatumGetBool(row_value(row, CHOICE_IS_DEFAULT)) ? 4 : 0) +
		   (strcmp(given, locale) == 0 ? 2 : 0) +
		   (template_same_language(given, configuration_get()->locale) ? 1 : 0);
}
