/*
 * quote_template.c
 *		Keeps the templates of quotes parsed, and makes documents of them.
 *
 * A company has few, and each is some kilobytes to decompress, hash and parse.
 *
 * Memory: that of kept_row.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "digest.h"
#include "kept_row.h"
#include "lookup.h"
#include "quote_template.h"
#include "quote_view.h"
#include "render.h"

/* The oldest makes room */
#define MAX_KEPT 8

typedef enum TemplateColumn
{
	TEMPLATE_ID,
	TEMPLATE_NAME,
	TEMPLATE_BODY,
	TEMPLATE_PARTIALS,
	TEMPLATE_CODE_ABOVE,
} TemplateColumn;

static const RowColumn columns[] = {
	[TEMPLATE_ID] = {"quote_template_id", INT8OID},
	[TEMPLATE_NAME] = {"name", TEXTOID},
	[TEMPLATE_BODY] = {"body", TEXTOID},
	[TEMPLATE_PARTIALS] = {"partials", JSONBOID},
	[TEMPLATE_CODE_ABOVE] = {"code_above", NUMERICOID},
};
static RowMap table_map = ROW_MAP("quote_template", columns);

static QuoteTemplate *get(int64 quote_template_id);
static void read_row(void *thing, const Row *row);
static void prepare(QuoteTemplate *template);
static char *digest(const text *body, Jsonb *partials);

text *
quote_template_render(int64 quote_template_id, Jsonb *facts)
{
	MustacheValue data = quote_view_tree(facts);
	QuoteTemplate *template = get(quote_template_id);
	size_t length;
	char *document;

	if (template->prepared == NULL)
		prepare(template);
	document = render_prepared(template->prepared, &data, &template->partial_tree, &length);
	return cstring_to_text_with_len(document, length);
}

const QuoteTemplate *
quote_template_get(int64 quote_template_id)
{
	return get(quote_template_id);
}

static QuoteTemplate *
get(int64 quote_template_id)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {TEMPLATE_ID}};
	static QuoteTemplate places[MAX_KEPT];
	static KeptRows kept = {
		.places = places,
		.nplaces = MAX_KEPT,
		.size = sizeof(QuoteTemplate),
		.read = read_row,
	};
	Datum key[] = {Int64GetDatum(quote_template_id)};
	QuoteTemplate *template;
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, key);
	if (!lookup_next(&scan))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("quote template " INT64_FORMAT " does not exist", quote_template_id),
				 errhint("SELECT quote_template_id, name FROM sales_crm.quote_template shows those "
						 "there are.")));
	template = kept_row_get(&kept, quote_template_id, &scan);
	lookup_end(&scan);
	return template;
}

static void
read_row(void *thing, const Row *row)
{
	QuoteTemplate *template = thing;

	template->name = DatumGetTextPCopy(row_value(row, TEMPLATE_NAME));
	template->code_above = row_nullable(row, TEMPLATE_CODE_ABOVE);
	if (!template->code_above.isnull)
		template->code_above.value = datumCopy(template->code_above.value, false, -1);
	template->body = DatumGetTextPCopy(row_value(row, TEMPLATE_BODY));
	template->partials = DatumGetJsonbPCopy(row_value(row, TEMPLATE_PARTIALS));
	template->sha256 = digest(template->body, template->partials);
}

static void
prepare(QuoteTemplate *template)
{
	MemoryContext caller = MemoryContextSwitchTo(template->kept.context);

	template->partial_tree = render_tree(&template->partials->root);
	template->prepared = render_prepare(template->body);
	MemoryContextSwitchTo(caller);
}

/* digest is encode(sha256(convert_to(body || partials::text, 'UTF8')), 'hex'). */
static char *
digest(const text *body, Jsonb *partials)
{
	StringInfoData content;

	initStringInfo(&content);
	appendBinaryStringInfo(&content, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body));
	(void) JsonbToCString(&content, &partials->root, VARSIZE(partials));
	return digest_hex(digest_of_string(content.data, content.len));
}
