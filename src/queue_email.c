/*
 * queue_email.c
 *		Queues e-mails: what a template makes of the quote, opportunity and company they are about, or a
 *		text that somebody wrote. Those to customers are filed with the opportunity.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "batch.h"
#include "company_row.h"
#include "compat.h"
#include "email_data.h"
#include "email_header.h"
#include "email_template.h"
#include "email_text.h"
#include "email_thread.h"
#include "json.h"
#include "lookup.h"
#include "plan.h"
#include "queue_email.h"
#include "queue_message.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_queue_email);

#define KIND_EMAIL "email"

/* Codes are worth something for minutes, and are not filed */
#define EVENT_CODE "quote.code"

static const RowColumn suppressed_columns[] = {{"address", TEXTOID}};
static RowMap suppressed_map = ROW_MAP("suppressed_address", suppressed_columns);

typedef enum AttachmentColumn
{
	ATTACHMENT_ID,
	ATTACHMENT_FILE_NAME,
	ATTACHMENT_MEDIA_TYPE,
} AttachmentColumn;

static const RowColumn attachment_columns[] = {
	[ATTACHMENT_ID] = {"attachment_id", INT8OID},
	[ATTACHMENT_FILE_NAME] = {"file_name", TEXTOID},
	[ATTACHMENT_MEDIA_TYPE] = {"media_type", TEXTOID},
};
static RowMap attachment_map = ROW_MAP("attachment", attachment_columns);

/* An e-mail in the making; texts may be NULL until they are made */
typedef struct Letter
{
	const NullableDatum *given; /* the arguments */
	NullableDatum message_id;
	char *tag; /* its own part of the addresses that answers and bounces name */
	bool for_member;
	char *event;
	char *locale;
	char *reply_to;
	char *subject;
	char *body;
	char *html;
	EmailRecipient to;
	Row company;
	char *sender; /* the company's address and name */
	char *sender_name;
	EmailTopic topic;
	Jsonb *data;
	char *header_id;
	EmailThread thread;
} Letter;

static void read_arguments(Letter *letter);
static char *make_tag(NullableDatum message_id);
pg_noreturn static void refuse_without_sender(void);
static bool is_suppressed(const char *address);
static bool has_address(const char *address);
static Jsonb *make_data(const Letter *letter);
static bool write_texts(Letter *letter);
static void render_texts(Letter *letter, EmailTemplate *template);
static NullableDatum queue(const Letter *letter);
static NullableDatum order_key(const Letter *letter);
static Datum payload(const Letter *letter);
static char *now_text(void);
static void push_files(JsonbParseState **state, const char *key, NullableDatum attachments);
static void push_file(JsonbParseState **state, Datum attachment_id);
static char *envelope_from(const Letter *letter);
static const char *domain(const char *address);
static void file_with_opportunity(const Letter *letter);
static char *text_of(NullableDatum value);

/* The arguments are those of EmailArgument */
Datum
scrm_queue_email(PG_FUNCTION_ARGS)
{
	NullableDatum message_id = queue_email(fcinfo->args);

	if (message_id.isnull)
		PG_RETURN_NULL();
	return message_id.value;
}

NullableDatum
queue_email(const NullableDatum *email)
{
	Letter letter = {.given = email, .thread.thread_id = batch_null()};

	/* What the calling statement has written so far, such as attachments, is there */
	CommandCounterIncrement();
	read_arguments(&letter);
	letter.company = company_get();
	letter.sender = row_text(&letter.company, COMPANY_SENDER_EMAIL);
	if (letter.sender == NULL)
	{
		/* Whatever a member is told by e-mail is told in the database, too */
		if (letter.for_member)
			return batch_null();
		refuse_without_sender();
	}
	if (letter.to.address == NULL || is_suppressed(letter.to.address))
		return batch_null();
	if (letter.locale == NULL)
		letter.locale = row_text(&letter.company, COMPANY_LOCALE);
	letter.topic = email_topic_find(email[EMAIL_QUOTE_ID], email[EMAIL_OPPORTUNITY_ID]);
	letter.data = make_data(&letter);
	if (!write_texts(&letter))
		return batch_null();
	letter.sender_name = email_header_text(row_text(&letter.company, COMPANY_NAME));
	letter.header_id = psprintf("%s@%s", letter.tag, domain(letter.sender));
	if (!letter.for_member)
		letter.thread = email_thread_find(letter.topic.opportunity_id, letter.to.address);
	if (queue(&letter).isnull)
		return batch_null();
	if (!letter.for_member && !letter.topic.opportunity_id.isnull &&
		strcmp(letter.event, EVENT_CODE) != 0)
		file_with_opportunity(&letter);
	return letter.message_id;
}

static void
read_arguments(Letter *letter)
{
	const NullableDatum *given = letter->given;

	letter->message_id = batch_value(
		Int64GetDatum(nextval_internal(plan_relation("message_body_message_id_seq"), false)));
	letter->tag = make_tag(letter->message_id);
	letter->for_member = !given[EMAIL_MEMBER_ID].isnull;
	letter->event = text_of(given[EMAIL_EVENT]);
	letter->locale = text_of(given[EMAIL_LOCALE]);
	letter->body = text_of(given[EMAIL_BODY]);
	letter->to.address = text_of(given[EMAIL_TO_ADDRESS]);
	email_address_check("to_address", letter->to.address);
	letter->to.name = email_header_check("to_name", text_of(given[EMAIL_TO_NAME]));
	letter->subject = email_header_check("subject", text_of(given[EMAIL_SUBJECT]));
	letter->reply_to = text_of(given[EMAIL_REPLY_TO]);
	email_address_check("reply_to", letter->reply_to);
}

/* make_tag returns what nobody guesses: the key and half of a random UUID in hexadecimal. */
static char *
make_tag(NullableDatum message_id)
{
	Datum uuid = DirectFunctionCall1(gen_random_uuid, (Datum) 0);
	char *text = DatumGetCString(DirectFunctionCall1(uuid_out, uuid));

	return psprintf(INT64_FORMAT ".%.4s%s", DatumGetInt64(message_id.value),
					text + strlen("00000000-0000-0000-"),
					text + strlen("00000000-0000-0000-0000-"));
}

static void
refuse_without_sender(void)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the company has no address to send e-mail from"),
					errhint("UPDATE sales_crm.company SET sender_email = 'sales@example.com'.")));
}

static bool
is_suppressed(const char *address)
{
	return has_address(email_address_lower(address)) || has_address(email_address_hidden(address));
}

static bool
has_address(const char *address)
{
	static Lookup lookup = {.map = &suppressed_map, .ncolumns = 1};
	Datum key[] = {CStringGetTextDatum(address)};
	Row suppressed;

	return lookup_row(&lookup, LOOKUP_STATEMENT, key, &suppressed);
}

/* make_data returns what templates may use: what was given hides what the database has. */
static Jsonb *
make_data(const Letter *letter)
{
	const NullableDatum *given = &letter->given[EMAIL_DATA];
	Jsonb *data = email_data(&letter->topic, &letter->company, letter->locale, &letter->to);

	if (given->isnull)
		return data;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(data), given->value));
}

/* write_texts fills in subject, text and HTML; false: there is no template for what was not given. */
static bool
write_texts(Letter *letter)
{
	int64 found = email_template_find(letter->event, letter->locale,
									  row_text(&letter->company, COMPANY_LOCALE));

	if (found != 0)
		render_texts(letter, email_template_get(found));
	else if (letter->subject == NULL || letter->body == NULL)
		return false;
	if (letter->html == NULL)
		letter->html = email_text_html(letter->body, letter->locale,
									   row_text(&letter->company, COMPANY_BRAND_COLOR));
	return true;
}

/* render_texts fills in what was not given. */
static void
render_texts(Letter *letter, EmailTemplate *template)
{
	MustacheValue data = render_tree(&letter->data->root);

	if (letter->subject == NULL)
		letter->subject =
			email_header_text(email_template_render(template, EMAIL_PART_SUBJECT, &data));
	if (letter->subject == NULL)
		letter->subject = letter->event;
	if (letter->body == NULL)
	{
		letter->html = email_template_render(template, EMAIL_PART_HTML, &data);
		letter->body = email_template_render(template, EMAIL_PART_TEXT, &data);
	}
}

static NullableDatum
queue(const Letter *letter)
{
	const NullableDatum *given = letter->given;
	NullableDatum message[MESSAGE_ARGUMENTS];

	message[MESSAGE_KIND] = batch_text(KIND_EMAIL);
	message[MESSAGE_EVENT] = given[EMAIL_EVENT];
	message[MESSAGE_PAYLOAD] = batch_value(payload(letter));
	message[MESSAGE_RECIPIENT] = given[EMAIL_TO_ADDRESS];
	message[MESSAGE_ORDER_KEY] = order_key(letter);
	message[MESSAGE_DEDUP_KEY] = given[EMAIL_DEDUP_KEY];
	message[MESSAGE_EXPIRES_AT] = given[EMAIL_EXPIRES_AT];
	message[MESSAGE_OPPORTUNITY_ID] = letter->topic.opportunity_id;
	message[MESSAGE_QUOTE_ID] = given[EMAIL_QUOTE_ID];
	message[MESSAGE_WEBHOOK_ID] = batch_null();
	message[MESSAGE_WAITS_FOR] = given[EMAIL_WAITS_FOR];
	message[MESSAGE_ID] = letter->message_id;
	return queue_message(message);
}

/* order_key says which e-mails wait for each other: those about a quote to the same address. */
static NullableDatum
order_key(const Letter *letter)
{
	const NullableDatum *quote_id = &letter->given[EMAIL_QUOTE_ID];

	if (!letter->given[EMAIL_ORDER_KEY].isnull || quote_id->isnull)
		return letter->given[EMAIL_ORDER_KEY];
	return batch_text(psprintf("quote " INT64_FORMAT " %s", DatumGetInt64(quote_id->value),
							   email_address_lower(letter->to.address)));
}

/* payload is what the sender gets; doc/outbox.md has its members. */
static Datum
payload(const Letter *letter)
{
	JsonbParseState *state = NULL;
	char *reply_to = letter->reply_to;

	if (reply_to == NULL && !letter->for_member)
		reply_to = json_text(json_container(&letter->data->root, "seller"), "email");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(&state, "to", letter->to.address);
	json_push_text(&state, "date", now_text());
	json_push_text(&state, "from", letter->sender);
	json_push_text(&state, "html", letter->html);
	json_push_text(&state, "text", letter->body);
	json_push_text(&state, "subject", letter->subject);
	json_push_text(&state, "to_name", letter->to.name);
	json_push_text(&state, "reply_to", reply_to);
	json_push_text(&state, "from_name", letter->sender_name);
	json_push_text(&state, "message_id", letter->header_id);
	email_thread_push(&state, "references", &letter->thread);
	push_files(&state, "attachments", letter->given[EMAIL_ATTACHMENTS]);
	json_push_text(&state, "in_reply_to", letter->thread.message_id);
	json_push_text(&state, "envelope_from", envelope_from(letter));
	json_push_boolean(&state, "auto_submitted", letter->for_member);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static char *
now_text(void)
{
	char *text = palloc(MAXDATELEN + 1);

	return JsonEncodeDateTime(text, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
							  TIMESTAMPTZOID, NULL);
}

/* push_files adds a member with those attachments that are there, in their order. */
static void
push_files(JsonbParseState **state, const char *key, NullableDatum attachments)
{
	Datum *keys = NULL;
	bool *nulls = NULL;
	int count = 0;

	if (!attachments.isnull)
		deconstruct_array(DatumGetArrayTypeP(attachments.value), INT8OID, sizeof(int64), true,
						  TYPALIGN_DOUBLE, &keys, &nulls, &count);
	json_push_key(state, key);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			push_file(state, keys[i]);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_file(JsonbParseState **state, Datum attachment_id)
{
	static Lookup lookup = {.map = &attachment_map, .ncolumns = 1, .columns = {ATTACHMENT_ID}};
	Row attachment;

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, &attachment_id, &attachment))
		return;
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	json_push_text(state, "file_name", row_text(&attachment, ATTACHMENT_FILE_NAME));
	json_push_text(state, "media_type", row_text(&attachment, ATTACHMENT_MEDIA_TYPE));
	json_push_number(state, "attachment_id", DirectFunctionCall1(int8_numeric, attachment_id));
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* envelope_from is where bounces go: the company's address for them, with the tag for each %. */
static char *
envelope_from(const Letter *letter)
{
	const char *address = row_text(&letter->company, COMPANY_BOUNCE_EMAIL);
	StringInfoData filled;

	initStringInfo(&filled);
	for (const char *at = address != NULL ? address : letter->sender; *at != '\0'; at++)
	{
		if (*at == '%')
			appendStringInfoString(&filled, letter->tag);
		else
			appendStringInfoChar(&filled, *at);
	}
	return filled.data;
}

static const char *
domain(const char *address)
{
	const char *sign = strchr(address, '@');

	return sign == NULL ? "" : sign + 1;
}

/* file_with_opportunity files an e-mail as it was queued, without what opens the quote. */
static void
file_with_opportunity(const Letter *letter)
{
	FiledEmail email = {
		.opportunity_id = letter->topic.opportunity_id,
		.message_id = letter->header_id,
		.from_address = letter->sender,
		.from_name = letter->sender_name,
		.to_address = letter->to.address,
		.subject = letter->subject,
		.body_text = email_text_without_tokens(letter->body),
		.body_html = email_text_without_tokens(letter->html),
	};

	queue_message_filed(letter->message_id, email_thread_file(&letter->thread, &email));
}

static char *
text_of(NullableDatum value)
{
	return value.isnull ? NULL : TextDatumGetCString(value.value);
}
