/*
 * signed_document.c
 *		sales_crm.add_evidence(): the frozen document of a quote with a page that proves its signature.
 *
 * The document is not rendered again: the page is rendered alone and put before the document's end.
 * It shows little of the snapshot, so that is read here, and not by quote_view_data(), whose
 * lines and VAT rates would take most of the time of a signature.
 *
 * Memory: all in the caller's context; texts of trees point into the arguments.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "color.h"
#include "compat.h"
#include "format.h"
#include "json.h"
#include "plan.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_add_evidence);

#define DOCUMENT_END "</body>"
#define DEFAULT_COLOR "#1f4e79"
#define FINGERPRINT_CHARACTERS 16

/* Members of an object in the order of mustache.h: shorter keys first */
#define MEMBER(name, what)                                             \
	{                                                                  \
		.key = (name), .key_length = sizeof(name) - 1, .value = (what) \
	}
#define OBJECT(array) \
	((MustacheValue){.kind = MUSTACHE_OBJECT, .length = lengthof(array), .members = (array)})

typedef struct Evidence
{
	JsonbContainer *snapshot;
	JsonbContainer *words;
	text *template;
	const Language *language;
	text *time_zone;
} Evidence;

static void read_texts(Evidence *evidence);
static char *render_page(const Evidence *evidence, const text *snapshot_text,
						 const Jsonb *signature, const Jsonb *events, size_t *length);
static MustacheValue read_company(const Evidence *evidence, MustacheMember *members);
static MustacheValue read_signature(const Evidence *evidence, const Jsonb *signature);
static MustacheValue read_events(const Evidence *evidence, const Jsonb *events);
static MustacheValue read_event(const Evidence *evidence, JsonbContainer *event);
static MustacheValue event_word(const Evidence *evidence, const char *kind);
static MustacheValue gross_text(const Evidence *evidence);
static char *moment_text(const Evidence *evidence, MustacheValue at);
static MustacheValue member_of(JsonbContainer *object, const char *key);
static char *text_of(MustacheValue value);
static MustacheValue text_value(const char *text);
static bool is_text(MustacheValue value, const char *text);
static size_t end_of_document(const char *html, size_t length);

/* html text, snapshot jsonb, snapshot_text text, signature jsonb, events jsonb: text */
Datum
scrm_add_evidence(PG_FUNCTION_ARGS)
{
	const text *html = PG_GETARG_TEXT_PP(0);
	size_t html_length = VARSIZE_ANY_EXHDR(html);
	size_t place = end_of_document(VARDATA_ANY(html), html_length);
	Evidence evidence = {.snapshot = &PG_GETARG_JSONB_P(1)->root};
	size_t length;
	char *page;
	text *document;
	char *to;

	read_texts(&evidence);
	page = render_page(&evidence, PG_GETARG_TEXT_PP(2), PG_GETARG_JSONB_P(3), PG_GETARG_JSONB_P(4),
					   &length);
	document = palloc(VARHDRSZ + html_length + length);
	SET_VARSIZE(document, VARHDRSZ + html_length + length);
	to = VARDATA(document);
	memcpy(to, VARDATA_ANY(html), place);
	memcpy(to + place, page, length);
	memcpy(to + place + length, VARDATA_ANY(html) + place, html_length - place);
	PG_RETURN_TEXT_P(document);
}

/* read_texts reads the template of the page and the words of the snapshot's locale. */
static void
read_texts(Evidence *evidence)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.evidence_body(), sales_crm.quote_words($1)",
		.nargs = 1,
		.argtypes = {TEXTOID},
	};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	char *given = text_of(member_of(evidence->snapshot, "locale"));
	char *locale = given != NULL ? given : "en";
	char *time_zone = text_of(member_of(evidence->snapshot, "time_zone"));
	Datum values[1];
	bool isnull;

	evidence->language = format_language(locale, strlen(locale));
	evidence->time_zone = cstring_to_text(time_zone != NULL ? time_zone : "UTC");
	values[0] = CStringGetTextDatum(locale);
	plan_begin();
	(void) plan_run(&plan, PLAN_READ_LATEST, values, NULL);
	spi = MemoryContextSwitchTo(caller);
	evidence->template =
		DatumGetTextPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	evidence->words =
		&DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull))
			 ->root;
	MemoryContextSwitchTo(spi);
	plan_end();
}

static char *
render_page(const Evidence *evidence, const text *snapshot_text, const Jsonb *signature,
			const Jsonb *events, size_t *length)
{
	MustacheMember company[2];
	MustacheValue title = member_of(evidence->snapshot, "title");
	MustacheValue version = member_of(evidence->snapshot, "version");
	MustacheValue snapshot = {
		.kind = MUSTACHE_TEXT,
		.length = VARSIZE_ANY_EXHDR(snapshot_text),
		.text = VARDATA_ANY(snapshot_text),
	};
	MustacheMember data[] = {
		MEMBER("gross", gross_text(evidence)),
		MEMBER("title", is_text(title, "") ? text_value(NULL) : title),
		MEMBER("words", render_tree(evidence->words)),
		MEMBER("events", read_events(evidence, events)),
		MEMBER("number", member_of(evidence->snapshot, "number")),
		MEMBER("company", read_company(evidence, company)),
		MEMBER("version", is_text(version, "1") ? text_value(NULL) : version),
		MEMBER("signature", read_signature(evidence, signature)),
		MEMBER("snapshot_text", snapshot),
	};
	MustacheValue partials = {.kind = MUSTACHE_OBJECT};

	return render_data(evidence->template, &OBJECT(data), &partials, length);
}

static MustacheValue
read_company(const Evidence *evidence, MustacheMember *members)
{
	char *color = text_of(member_of(json_container(evidence->snapshot, "company"), "brand_color"));

	if (color == NULL || !color_is_valid(color))
		color = DEFAULT_COLOR;
	members[0] = (MustacheMember) MEMBER("brand_color", text_value(color));
	members[1] = (MustacheMember) MEMBER("readable_color", text_value(color_readable(color)));
	return (MustacheValue){.kind = MUSTACHE_OBJECT, .length = 2, .members = members};
}

/* read_signature returns the signature as given, but for the time, which it puts in words. */
static MustacheValue
read_signature(const Evidence *evidence, const Jsonb *signature)
{
	static const char key[] = "signed_at";
	MustacheValue tree = render_tree((JsonbContainer *) &signature->root);

	for (size_t i = 0; tree.kind == MUSTACHE_OBJECT && i < tree.length; i++)
	{
		MustacheMember *member = &tree.members[i];
		char *moment;

		if (mustache_compare_keys(member->key, member->key_length, key, strlen(key)) != 0)
			continue;
		moment = moment_text(evidence, member->value);
		if (moment != NULL)
			moment = psprintf("%s (%s)", moment, text_to_cstring(evidence->time_zone));
		member->value = text_value(moment);
	}
	return tree;
}

static MustacheValue
read_events(const Evidence *evidence, const Jsonb *events)
{
	MustacheValue list = {.kind = MUSTACHE_LIST};
	JsonbIterator *iterator = JsonbIteratorInit((JsonbContainer *) &events->root);
	JsonbIteratorToken token;
	JsonbValue item;

	list.members = palloc_array(MustacheMember, JB_ROOT_COUNT(events) + 1);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && item.type == jbvBinary)
			list.members[list.length++].value = read_event(evidence, item.val.binary.data);
	}
	return list;
}

static MustacheValue
read_event(const Evidence *evidence, JsonbContainer *event)
{
	MustacheValue fingerprint = member_of(event, "sha256");
	char *kind = text_of(member_of(event, "kind"));
	MustacheMember members[] = {
		MEMBER("at", text_value(moment_text(evidence, member_of(event, "at")))),
		MEMBER("who", member_of(event, "who")),
		MEMBER("event", kind == NULL ? text_value(NULL) : event_word(evidence, kind)),
		MEMBER("fingerprint", fingerprint),
	};
	MustacheMember *kept = palloc(sizeof(members));

	if (fingerprint.length > FINGERPRINT_CHARACTERS)
		members[3].value.length = FINGERPRINT_CHARACTERS;
	memcpy(kept, members, sizeof(members));
	return (MustacheValue){.kind = MUSTACHE_OBJECT, .length = lengthof(members), .members = kept};
}

/* event_word names a kind of event; one that has no word is written as it is, with blanks. */
static MustacheValue
event_word(const Evidence *evidence, const char *kind)
{
	MustacheValue word = member_of(evidence->words, psprintf("event_%s", kind));
	char *plain;

	if (word.kind == MUSTACHE_TEXT)
		return word;
	plain = pstrdup(kind);
	for (char *c = plain; *c != '\0'; c++)
	{
		if (*c == '_')
			*c = ' ';
	}
	return text_value(plain);
}

static MustacheValue
gross_text(const Evidence *evidence)
{
	char *gross = text_of(member_of(json_container(evidence->snapshot, "totals"), "gross"));
	char *currency = text_of(member_of(evidence->snapshot, "currency"));
	char *minor_units = text_of(member_of(evidence->snapshot, "minor_units"));
	Datum number;

	if (gross == NULL || currency == NULL || minor_units == NULL)
		return text_value(NULL);
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(gross), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	return text_value(format_amount(DatumGetCString(DirectFunctionCall1(numeric_out, number)),
									currency, evidence->language, pg_strtoint32(minor_units)));
}

/* moment_text puts the text of a timestamptz in words, in the snapshot's time zone and locale. */
static char *
moment_text(const Evidence *evidence, MustacheValue at)
{
	char *given = text_of(at);
	Datum moment;

	if (given == NULL)
		return NULL;
	moment = DirectFunctionCall3(timestamptz_in, CStringGetDatum(given),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return format_moment(DatumGetTimestampTz(moment), evidence->time_zone, evidence->language);
}

/* member_of is ->> for members that are no containers; object may be NULL. */
static MustacheValue
member_of(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	return value == NULL || value->type == jbvBinary ? text_value(NULL) : render_value(value);
}

/* text_of returns a text or number; NULL for anything else. */
static char *
text_of(MustacheValue value)
{
	return value.kind == MUSTACHE_TEXT ? pnstrdup(value.text, value.length) : NULL;
}

static MustacheValue
text_value(const char *text)
{
	if (text == NULL)
		return (MustacheValue){.kind = MUSTACHE_NULL};
	return (MustacheValue){.kind = MUSTACHE_TEXT, .length = strlen(text), .text = text};
}

static bool
is_text(MustacheValue value, const char *text)
{
	return value.kind == MUSTACHE_TEXT && value.length == strlen(text) &&
		   memcmp(value.text, text, value.length) == 0;
}

/* end_of_document returns where the last end tag of the body begins, or the end of all. */
static size_t
end_of_document(const char *html, size_t length)
{
	const size_t tag = strlen(DOCUMENT_END);

	for (size_t place = length; place-- > 0;)
	{
		if (length - place >= tag && memcmp(html + place, DOCUMENT_END, tag) == 0)
			return place;
	}
	return length;
}
