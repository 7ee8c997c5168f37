/*
 * signed_document.c
 *		sales_crm.signed_document(): the document of a signed quote, with the evidence from its rows.
 *
 * A signature waits for it, so that rows are looked up and not queried, and nothing becomes jsonb on
 * its way to the page.
 *
 * Memory: all in the caller's context; texts of trees point into the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "digest.h"
#include "evidence.h"
#include "json.h"
#include "lookup.h"
#include "member_row.h"
#include "quote.h"
#include "render.h"
#include "signature.h"
#include "signed_document.h"

PG_FUNCTION_INFO_V1(scrm_signed_document);

#define IMAGE_BEGINNING "data:image/png;base64,"

typedef enum EventColumn
{
	EVENT_QUOTE_ID,
	EVENT_POSITION,
	EVENT_KIND,
	EVENT_AT,
	EVENT_MEMBER_ID,
	EVENT_QUOTE_LINK_ID,
	EVENT_DATA,
	EVENT_SHA256,
} EventColumn;

static const RowColumn event_columns[] = {
	[EVENT_QUOTE_ID] = {"quote_id", INT8OID},	[EVENT_POSITION] = {"position", INT4OID},
	[EVENT_KIND] = {"kind", TEXTOID},			[EVENT_AT] = {"at", TIMESTAMPTZOID},
	[EVENT_MEMBER_ID] = {"member_id", INT8OID}, [EVENT_QUOTE_LINK_ID] = {"quote_link_id", INT8OID},
	[EVENT_DATA] = {"data", JSONBOID},			[EVENT_SHA256] = {"sha256", BYTEAOID},
};
static RowMap event_map = ROW_MAP("quote_event", event_columns);

typedef enum LinkColumn
{
	LINK_ID,
	LINK_RECIPIENT_NAME,
	LINK_RECIPIENT_EMAIL,
} LinkColumn;

static const RowColumn link_columns[] = {
	[LINK_ID] = {"quote_link_id", INT8OID},
	[LINK_RECIPIENT_NAME] = {"recipient_name", TEXTOID},
	[LINK_RECIPIENT_EMAIL] = {"recipient_email", TEXTOID},
};
static RowMap link_map = ROW_MAP("quote_link", link_columns);

/* An event of the quote, to be put in order */
typedef struct PlacedEvent
{
	int32 position;
	MustacheValue row;
} PlacedEvent;

static MustacheValue read_signature(const Evidence *evidence, const Row *signature);
static MustacheValue address_value(const Row *signature);
static MustacheValue image_value(const Row *signature);
static MustacheValue read_events(const Evidence *evidence, int64 quote_id);
static MustacheValue read_event(const Evidence *evidence, const Row *event);
static int compare_events(const void *a, const void *b);
static char *who_did(const Row *event);
static char *recipient_name(NullableDatum quote_link_id);

/* quote_id bigint: text */
Datum
scrm_signed_document(PG_FUNCTION_ARGS)
{
	text *document = NULL;
	Row quote;
	Row signature;

	if (!PG_ARGISNULL(0) && signature_find(PG_GETARG_INT64(0), LOOKUP_STATEMENT, &signature) &&
		quote_find(PG_GETARG_INT64(0), LOOKUP_STATEMENT, &quote))
		document = signed_document_make(&quote, &signature);
	if (document == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(document);
}

text *
signed_document_make(const Row *quote, const Row *signature)
{
	Evidence evidence;
	Jsonb *snapshot;

	if (row_is_null(quote, QUOTE_COLUMN_HTML) || row_is_null(quote, QUOTE_COLUMN_SNAPSHOT))
		return NULL;
	snapshot = DatumGetJsonbP(row_value(quote, QUOTE_COLUMN_SNAPSHOT));
	evidence_open(&evidence, snapshot);
	return evidence_add(&evidence, DatumGetTextPP(row_value(quote, QUOTE_COLUMN_HTML)),
						render_text(json_write(&snapshot->root, (int) VARSIZE(snapshot))),
						read_signature(&evidence, signature),
						read_events(&evidence, DatumGetInt64(row_value(quote, QUOTE_COLUMN_ID))));
}

static MustacheValue
read_signature(const Evidence *evidence, const Row *signature)
{
	bool on_paper = DatumGetBool(row_value(signature, SIGNATURE_PAPER));
	bool typed = !on_paper && row_is_null(signature, SIGNATURE_IMAGE);
	TimestampTz at = DatumGetTimestampTz(row_value(signature, SIGNATURE_SIGNED_AT));
	const bytea *sha256 = DatumGetByteaPP(row_value(signature, SIGNATURE_SNAPSHOT_SHA256));
	MustacheMember members[] = {
		RENDER_MEMBER("ip", address_value(signature)),
		RENDER_MEMBER("image", image_value(signature)),
		RENDER_MEMBER("typed", render_boolean(typed)),
		RENDER_MEMBER("on_paper", render_boolean(on_paper)),
		RENDER_MEMBER("signed_at", evidence_signed_at(evidence, &at)),
		RENDER_MEMBER("user_agent", render_text(row_text(signature, SIGNATURE_USER_AGENT))),
		RENDER_MEMBER("signer_name", render_text(row_text(signature, SIGNATURE_SIGNER_NAME))),
		RENDER_MEMBER("consent_text", render_text(row_text(signature, SIGNATURE_CONSENT_TEXT))),
		RENDER_MEMBER("signer_email", render_text(row_text(signature, SIGNATURE_SIGNER_EMAIL))),
		RENDER_MEMBER("snapshot_sha256", render_text(digest_hex(sha256))),
	};

	return render_object(members, lengthof(members));
}

static MustacheValue
address_value(const Row *signature)
{
	if (row_is_null(signature, SIGNATURE_IP))
		return render_text(NULL);
	return render_text(
		TextDatumGetCString(DirectFunctionCall1(network_host, row_value(signature, SIGNATURE_IP))));
}

/* image_value returns the drawn signature as a data URI, without the line ends of encode(). */
static MustacheValue
image_value(const Row *signature)
{
	const text *lines;
	char *uri;
	char *to;

	if (row_is_null(signature, SIGNATURE_IMAGE))
		return render_text(NULL);
	lines = DatumGetTextPP(DirectFunctionCall2(binary_encode, row_value(signature, SIGNATURE_IMAGE),
											   CStringGetTextDatum("base64")));
	uri = palloc(sizeof(IMAGE_BEGINNING) + VARSIZE_ANY_EXHDR(lines));
	to = stpcpy(uri, IMAGE_BEGINNING);
	for (size_t i = 0; i < VARSIZE_ANY_EXHDR(lines); i++)
	{
		if (VARDATA_ANY(lines)[i] != '\n')
			*to++ = VARDATA_ANY(lines)[i];
	}
	*to = '\0';
	return render_text(uri);
}

static MustacheValue
read_events(const Evidence *evidence, int64 quote_id)
{
	static Lookup lookup = {.map = &event_map, .ncolumns = 1, .columns = {EVENT_QUOTE_ID}};
	Datum key[] = {Int64GetDatum(quote_id)};
	MustacheValue list = {.kind = MUSTACHE_LIST};
	size_t capacity = 16;
	PlacedEvent *events = palloc_array(PlacedEvent, capacity);
	LookupScan scan;

	lookup_begin(&scan, &lookup, LOOKUP_STATEMENT, key);
	while (lookup_next(&scan))
	{
		if (list.length == capacity)
		{
			capacity *= 2;
			events = repalloc(events, capacity * sizeof(PlacedEvent));
		}
		events[list.length++] = (PlacedEvent){
			.position = DatumGetInt32(row_value(&scan.row, EVENT_POSITION)),
			.row = read_event(evidence, &scan.row),
		};
	}
	lookup_end(&scan);
	qsort(events, list.length, sizeof(PlacedEvent), compare_events);
	list.members = palloc0_array(MustacheMember, list.length + 1);
	for (size_t i = 0; i < list.length; i++)
		list.members[i].value = events[i].row;
	return list;
}

/* read_event copies what it keeps of a row that goes with the scan. */
static MustacheValue
read_event(const Evidence *evidence, const Row *event)
{
	char *kind = TextDatumGetCString(row_value(event, EVENT_KIND));
	TimestampTz at = DatumGetTimestampTz(row_value(event, EVENT_AT));
	const bytea *sha256 = DatumGetByteaPP(row_value(event, EVENT_SHA256));

	return evidence_event(evidence, kind, &at, render_text(who_did(event)),
						  render_text(digest_hex(sha256)));
}

static int
compare_events(const void *a, const void *b)
{
	int32 one = ((const PlacedEvent *) a)->position;
	int32 other = ((const PlacedEvent *) b)->position;

	return (one > other) - (one < other);
}

/* who_did names the member, or who signed, or the recipient of the link; NULL for nobody. */
static char *
who_did(const Row *event)
{
	Row member;
	char *name;

	if (member_find(row_nullable(event, EVENT_MEMBER_ID), &member))
		name = row_text(&member, MEMBER_NAME);
	else
		name = json_text(&DatumGetJsonbP(row_value(event, EVENT_DATA))->root, "signer_name");
	if (name == NULL)
		name = recipient_name(row_nullable(event, EVENT_QUOTE_LINK_ID));
	return name;
}

static char *
recipient_name(NullableDatum quote_link_id)
{
	static Lookup lookup = {.map = &link_map, .ncolumns = 1, .columns = {LINK_ID}};
	Row link;

	if (quote_link_id.isnull || !lookup_row(&lookup, LOOKUP_STATEMENT, &quote_link_id.value, &link))
		return NULL;
	return row_text(&link, row_is_null(&link, LINK_RECIPIENT_NAME) ? LINK_RECIPIENT_EMAIL
																   : LINK_RECIPIENT_NAME);
}
