/*
 * quote_template.c
 *		Keeps the templates of quotes parsed, and makes documents of them.
 *
 * A company has few, and each is some kilobytes to decompress, hash and parse. What is kept is known
 * by the version of its row: where it is and which transaction wrote it.
 *
 * Memory: a context per template, until another version or another template takes its place.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "digest.h"
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
static AttrNumber attnums[lengthof(columns)];
static RowMap table_map = {
	.table = "quote_template",
	.columns = columns,
	.ncolumns = lengthof(columns),
	.attnums = attnums,
};

static QuoteTemplate kept[MAX_KEPT];
static int next_place;

static QuoteTemplate *get(int64 quote_template_id);
static QuoteTemplate *find_kept(int64 quote_template_id);
static void keep(QuoteTemplate *template, const LookupScan *scan);
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
	Datum key[] = {Int64GetDatum(quote_template_id)};
	QuoteTemplate *template = find_kept(quote_template_id);
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, key);
	if (!lookup_next(&scan))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("quote template " INT64_FORMAT " does not exist", quote_template_id),
				 errhint("SELECT quote_template_id, name FROM sales_crm.quote_template shows those "
						 "there are.")));
	if (template->quote_template_id != quote_template_id || template->xmin != scan.xmin ||
		!ItemPointerEquals(&template->place, &scan.place))
		keep(template, &scan);
	lookup_end(&scan);
	return template;
}

/* find_kept returns the place of a template, or the one that it is to take. */
static QuoteTemplate *
find_kept(int64 quote_template_id)
{
	for (int i = 0; i < MAX_KEPT; i++)
	{
		if (kept[i].quote_template_id == quote_template_id)
			return &kept[i];
	}
	next_place = (next_place + 1) % MAX_KEPT;
	return &kept[next_place];
}

/* keep reads the present row of a scan. An error leaves nothing kept. */
static void
keep(QuoteTemplate *template, const LookupScan *scan)
{
	const Row *row = &scan->row;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sales_crm quote template",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	QuoteTemplate new = {.xmin = scan->xmin, .place = scan->place, .context = context};

	new.quote_template_id = DatumGetInt64(row_value(row, TEMPLATE_ID));
	new.name = DatumGetTextPCopy(row_value(row, TEMPLATE_NAME));
	new.code_above = row_nullable(row, TEMPLATE_CODE_ABOVE);
	if (!new.code_above.isnull)
		new.code_above.value = datumCopy(new.code_above.value, false, -1);
	new.body = DatumGetTextPCopy(row_value(row, TEMPLATE_BODY));
	new.partials = DatumGetJsonbPCopy(row_value(row, TEMPLATE_PARTIALS));
	new.sha256 = digest(new.body, new.partials);
	MemoryContextSwitchTo(caller);
	if (template->context != NULL)
		MemoryContextDelete(template->context);
	MemoryContextSetParent(context, TopMemoryContext);
	*template = new;
}

static void
prepare(QuoteTemplate *template)
{
	MemoryContext caller = MemoryContextSwitchTo(template->context);

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
