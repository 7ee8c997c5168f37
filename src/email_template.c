/*
 * email_template.c
 *		Finds the templates of e-mails and keeps them parsed.
 *
 * Memory: that of kept_row.h; what is rendered, the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "company_row.h"
#include "compat.h"
#include "email_template.h"
#include "email_text.h"
#include "lookup.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_find_email_template);

#define MAX_KEPT 32

/* Locales that are looked for, the best one first */
#define MAX_WANTED 5

typedef enum TemplateColumn
{
	TEMPLATE_ID,
	TEMPLATE_EVENT,
	TEMPLATE_LOCALE,
	TEMPLATE_SUBJECT,
	TEMPLATE_BODY_TEXT,
	TEMPLATE_BODY_HTML,
	TEMPLATE_ACTIVE,
} TemplateColumn;

static const RowColumn columns[] = {
	[TEMPLATE_ID] = {"email_template_id", INT8OID}, [TEMPLATE_EVENT] = {"event", TEXTOID},
	[TEMPLATE_LOCALE] = {"locale", TEXTOID},		[TEMPLATE_SUBJECT] = {"subject", TEXTOID},
	[TEMPLATE_BODY_TEXT] = {"body_text", TEXTOID},	[TEMPLATE_BODY_HTML] = {"body_html", TEXTOID},
	[TEMPLATE_ACTIVE] = {"active", BOOLOID},
};
static RowMap table_map = ROW_MAP("email_template", columns);

static char *language(const char *locale);
static int rank(const char *const *wanted, const char *locale);
static bool is_before(const char *a, const char *b);
static void read_row(void *thing, const Row *row);

/* event text, locale text: bigint */
Datum
scrm_find_email_template(PG_FUNCTION_ARGS)
{
	Row company = company_get();
	int64 found =
		email_template_find(PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)),
							PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
							row_text(&company, COMPANY_LOCALE));

	if (found == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(found);
}

int64
email_template_find(const char *event, const char *locale, const char *company_locale)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {TEMPLATE_EVENT}};
	const char *wanted[MAX_WANTED] = {locale, language(locale), company_locale,
									  language(company_locale), "en"};
	Datum key[] = {event == NULL ? (Datum) 0 : CStringGetTextDatum(event)};
	int64 found = 0;
	int best_rank = 0;
	char *best = NULL;
	LookupScan scan;

	if (event == NULL)
		return 0;
	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, key);
	while (lookup_next(&scan))
	{
		char *other;
		int other_rank;

		if (!DatumGetBool(row_value(&scan.row, TEMPLATE_ACTIVE)))
			continue;
		other = row_text(&scan.row, TEMPLATE_LOCALE);
		other_rank = rank(wanted, other);
		if (best != NULL &&
			(other_rank > best_rank || (other_rank == best_rank && !is_before(other, best))))
			continue;
		best = other;
		best_rank = other_rank;
		found = DatumGetInt64(row_value(&scan.row, TEMPLATE_ID));
	}
	lookup_end(&scan);
	return found;
}

static char *
language(const char *locale)
{
	if (locale == NULL)
		return NULL;
	return pnstrdup(locale, pg_mbcharcliplen(locale, (int) strlen(locale), 2));
}

/* rank returns the place of a locale among those wanted, or the one after the last. */
static int
rank(const char *const *wanted, const char *locale)
{
	int place = 0;

	while (place < MAX_WANTED && (wanted[place] == NULL || strcmp(wanted[place], locale) != 0))
		place++;
	return place;
}

static bool
is_before(const char *a, const char *b)
{
	return varstr_cmp(a, (int) strlen(a), b, (int) strlen(b), DEFAULT_COLLATION_OID) < 0;
}

EmailTemplate *
email_template_get(int64 email_template_id)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {TEMPLATE_ID}};
	static EmailTemplate places[MAX_KEPT];
	static KeptRows kept = {
		.places = places,
		.nplaces = MAX_KEPT,
		.size = sizeof(EmailTemplate),
		.read = read_row,
	};
	Datum key[] = {Int64GetDatum(email_template_id)};
	EmailTemplate *template;
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, key);
	if (!lookup_next(&scan))
		elog(ERROR, "email template " INT64_FORMAT " is gone", email_template_id);
	template = kept_row_get(&kept, email_template_id, &scan);
	lookup_end(&scan);
	return template;
}

static void
read_row(void *thing, const Row *row)
{
	static const TemplateColumn parts[EMAIL_PARTS] = {
		[EMAIL_PART_SUBJECT] = TEMPLATE_SUBJECT,
		[EMAIL_PART_TEXT] = TEMPLATE_BODY_TEXT,
		[EMAIL_PART_HTML] = TEMPLATE_BODY_HTML,
	};
	EmailTemplate *template = thing;

	for (int i = 0; i < EMAIL_PARTS; i++)
	{
		if (row_is_null(row, parts[i]))
			continue;
		template->sources[i] = DatumGetTextPCopy(row_value(row, parts[i]));
		if (i != EMAIL_PART_HTML)
			template->sources[i] = email_text_template(template->sources[i]);
	}
}

char *
email_template_render(EmailTemplate *template, EmailPart part, const MustacheValue *data)
{
	MustacheValue none = {.kind = MUSTACHE_OBJECT};
	size_t length;
	char *output;

	if (template->sources[part] == NULL)
		return NULL;
	if (template->parsed[part] == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(template->kept.context);

		template->parsed[part] = render_prepare(template->sources[part]);
		MemoryContextSwitchTo(caller);
	}
	output = render_prepared(template->parsed[part], data, &none, &length);
	return pnstrdup(output, length);
}
