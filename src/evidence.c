/*
 * evidence.c
 *		The frozen document of a quote with a page that proves its signature.
 *
 * The document is not rendered again: the page is rendered alone and put before the document's end.
 * It shows little of the snapshot, so that is read here, and not by quote_view_data(), whose
 * lines and VAT rates would take most of the time of a signature.
 *
 * Memory: all in the caller's context; texts of trees point into the arguments.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "color.h"
#include "compat.h"
#include "evidence.h"
#include "format.h"
#include "json.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_add_evidence);

#define DOCUMENT_END "</body>"
#define DEFAULT_COLOR "#1f4e79"
#define FINGERPRINT_CHARACTERS 16

static char *render_page(const Evidence *evidence, MustacheValue snapshot_text,
						 MustacheValue signature, MustacheValue events, size_t *length);
static MustacheValue read_company(const Evidence *evidence);
static MustacheValue read_signature(const Evidence *evidence, const Jsonb *signature);
static MustacheValue read_events(const Evidence *evidence, const Jsonb *events);
static MustacheValue read_event(const Evidence *evidence, JsonbContainer *event);
static MustacheValue event_word(const Evidence *evidence, const char *kind);
static MustacheValue gross_text(const Evidence *evidence);
static TimestampTz *read_time(MustacheValue given);
static MustacheValue member_of(JsonbContainer *object, const char *key);
static char *text_of(MustacheValue value);
static bool is_text(MustacheValue value, const char *text);
static size_t end_of_document(const char *html, size_t length);

/* html text, snapshot jsonb, snapshot_text text, signature jsonb, events jsonb: text */
Datum
scrm_add_evidence(PG_FUNCTION_ARGS)
{
	const text *snapshot_text = PG_GETARG_TEXT_PP(2);
	MustacheValue shown = {
		.kind = MUSTACHE_TEXT,
		.length = VARSIZE_ANY_EXHDR(snapshot_text),
		.text = VARDATA_ANY(snapshot_text),
	};
	Evidence evidence;

	evidence_open(&evidence, PG_GETARG_JSONB_P(1));
	PG_RETURN_TEXT_P(evidence_add(&evidence, PG_GETARG_TEXT_PP(0), shown,
								  read_signature(&evidence, PG_GETARG_JSONB_P(3)),
								  read_events(&evidence, PG_GETARG_JSONB_P(4))));
}

void
evidence_open(Evidence *evidence, Jsonb *snapshot)
{
	char *locale;
	char *time_zone;

	evidence->snapshot = &snapshot->root;
	locale = text_of(member_of(evidence->snapshot, "locale"));
	if (locale == NULL)
		locale = "en";
	time_zone = text_of(member_of(evidence->snapshot, "time_zone"));
	evidence->language = format_language(locale, strlen(locale));
	evidence->time_zone = cstring_to_text(time_zone != NULL ? time_zone : "UTC");
	evidence->words = quote_words_get(locale);
}

text *
evidence_add(const Evidence *evidence, const text *html, MustacheValue snapshot_text,
			 MustacheValue signature, MustacheValue events)
{
	size_t html_length = VARSIZE_ANY_EXHDR(html);
	size_t place = end_of_document(VARDATA_ANY(html), html_length);
	size_t length;
	char *page = render_page(evidence, snapshot_text, signature, events, &length);
	text *document = palloc(VARHDRSZ + html_length + length);
	char *to = VARDATA(document);

	SET_VARSIZE(document, VARHDRSZ + html_length + length);
	memcpy(to, VARDATA_ANY(html), place);
	memcpy(to + place, page, length);
	memcpy(to + place + length, VARDATA_ANY(html) + place, html_length - place);
	return document;
}

static char *
render_page(const Evidence *evidence, MustacheValue snapshot_text, MustacheValue signature,
			MustacheValue events, size_t *length)
{
	MustacheValue title = member_of(evidence->snapshot, "title");
	MustacheValue version = member_of(evidence->snapshot, "version");
	MustacheMember data[] = {
		RENDER_MEMBER("gross", gross_text(evidence)),
		RENDER_MEMBER("title", is_text(title, "") ? render_text(NULL) : title),
		RENDER_MEMBER("words", evidence->words->tree),
		RENDER_MEMBER("events", events),
		RENDER_MEMBER("number", member_of(evidence->snapshot, "number")),
		RENDER_MEMBER("company", read_company(evidence)),
		RENDER_MEMBER("version", is_text(version, "1") ? render_text(NULL) : version),
		RENDER_MEMBER("signature", signature),
		RENDER_MEMBER("snapshot_text", snapshot_text),
	};
	MustacheValue tree = render_object(data, lengthof(data));
	MustacheValue partials = {.kind = MUSTACHE_OBJECT};

	return render_prepared(quote_words_evidence_page(), &tree, &partials, length);
}

static MustacheValue
read_company(const Evidence *evidence)
{
	char *given = text_of(member_of(json_container(evidence->snapshot, "company"), "brand_color"));
	const char *color = given != NULL && color_is_valid(given) ? given : DEFAULT_COLOR;
	MustacheMember members[] = {
		RENDER_MEMBER("brand_color", render_text(color)),
		RENDER_MEMBER("readable_color", render_text(color_readable(color))),
	};

	return render_object(members, lengthof(members));
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

		if (mustache_compare_keys(member->key, member->key_length, key, strlen(key)) == 0)
			member->value = evidence_signed_at(evidence, read_time(member->value));
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
	return evidence_event(evidence, text_of(member_of(event, "kind")),
						  read_time(member_of(event, "at")), member_of(event, "who"),
						  member_of(event, "sha256"));
}

/* read_time reads the text of a timestamptz, if there is one. */
static TimestampTz *
read_time(MustacheValue given)
{
	char *string = text_of(given);
	TimestampTz *at;

	if (string == NULL)
		return NULL;
	at = palloc_object(TimestampTz);
	*at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(string),
												  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	return at;
}

MustacheValue
evidence_event(const Evidence *evidence, const char *kind, const TimestampTz *at, MustacheValue who,
			   MustacheValue sha256)
{
	MustacheMember members[] = {
		RENDER_MEMBER("at", at == NULL ? render_text(NULL)
									   : render_text(format_moment(*at, evidence->time_zone,
																   evidence->language))),
		RENDER_MEMBER("who", who),
		RENDER_MEMBER("event", kind == NULL ? render_text(NULL) : event_word(evidence, kind)),
		RENDER_MEMBER("fingerprint", sha256),
	};

	if (sha256.length > FINGERPRINT_CHARACTERS)
		members[3].value.length = FINGERPRINT_CHARACTERS;
	return render_object(members, lengthof(members));
}

MustacheValue
evidence_signed_at(const Evidence *evidence, const TimestampTz *at)
{
	if (at == NULL)
		return render_text(NULL);
	return render_text(psprintf("%s (%s)",
								format_moment(*at, evidence->time_zone, evidence->language),
								text_to_cstring(evidence->time_zone)));
}

/* event_word names a kind of event; one that has no word is written as it is, with blanks. */
static MustacheValue
event_word(const Evidence *evidence, const char *kind)
{
	MustacheValue word = member_of(&evidence->words->words->root, psprintf("event_%s", kind));
	char *plain;

	if (word.kind == MUSTACHE_TEXT)
		return word;
	plain = pstrdup(kind);
	for (char *c = plain; *c != '\0'; c++)
	{
		if (*c == '_')
			*c = ' ';
	}
	return render_text(plain);
}

static MustacheValue
gross_text(const Evidence *evidence)
{
	char *gross = text_of(member_of(json_container(evidence->snapshot, "totals"), "gross"));
	char *currency = text_of(member_of(evidence->snapshot, "currency"));
	char *minor_units = text_of(member_of(evidence->snapshot, "minor_units"));

	if (gross == NULL || currency == NULL || minor_units == NULL)
		return render_text(NULL);
	return render_text(format_amount(format_digits(gross), currency, evidence->language,
									 pg_strtoint32(minor_units)));
}

/* member_of is ->> for members that are no containers; object may be NULL. */
static MustacheValue
member_of(JsonbContainer *object, const char *key)
{
	JsonbValue *value = json_find(object, key);

	return value == NULL || value->type == jbvBinary ? render_text(NULL) : render_value(value);
}

/* text_of returns a text or number; NULL for anything else. */
static char *
text_of(MustacheValue value)
{
	return value.kind == MUSTACHE_TEXT ? pnstrdup(value.text, value.length) : NULL;
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
