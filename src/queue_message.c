/*
 * queue_message.c
 *		Queues messages: what they say goes to sales_crm.message_body, that they are to be delivered to
 *		sales_crm.message.
 *
 * What is queued at most once has a dedup_key. Another transaction may be queueing the same, which only
 * a statement with ON CONFLICT waits for; a message without dedup_key meets no other and needs none.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/timestamp.h"

#include "batch.h"
#include "insert.h"
#include "plan.h"
#include "queue_message.h"
#include "row.h"
#include "update.h"

PG_FUNCTION_INFO_V1(scrm_queue_message);

static const RowColumn body_columns[] = {
	{"message_id", INT8OID}, {"kind", TEXTOID},			  {"event", TEXTOID},
	{"recipient", TEXTOID},	 {"opportunity_id", INT8OID}, {"quote_id", INT8OID},
	{"dedup_key", TEXTOID},	 {"payload", JSONBOID},		  {"expires_at", TIMESTAMPTZOID},
};
static const MessageArgument body_arguments[lengthof(body_columns)] = {
	MESSAGE_ID,		   MESSAGE_KIND,		   MESSAGE_EVENT,
	MESSAGE_RECIPIENT, MESSAGE_OPPORTUNITY_ID, MESSAGE_QUOTE_ID,
	MESSAGE_DEDUP_KEY, MESSAGE_PAYLOAD,		   MESSAGE_EXPIRES_AT,
};
static RowMap body_map = ROW_MAP("message_body", body_columns);

static const RowColumn message_columns[] = {
	{"message_id", INT8OID}, {"kind", TEXTOID},		  {"available_at", TIMESTAMPTZOID},
	{"order_key", TEXTOID},	 {"webhook_id", INT8OID}, {"waits_for", INT8OID},
};
static RowMap message_map = ROW_MAP("message", message_columns);

typedef enum FiledColumn
{
	FILED_MESSAGE_ID,
	FILED_EMAIL_ID,
} FiledColumn;

static const RowColumn filed_columns[] = {
	[FILED_MESSAGE_ID] = {"message_id", INT8OID},
	[FILED_EMAIL_ID] = {"email_id", INT8OID},
};
static RowMap filed_map = ROW_MAP("message_body", filed_columns);

static bool insert_body(const NullableDatum *body);
static bool insert_body_once(const NullableDatum *body);
static bool insert_message(NullableDatum message_id, const NullableDatum *message);

/* The arguments are those of MessageArgument */
Datum
scrm_queue_message(PG_FUNCTION_ARGS)
{
	NullableDatum message_id = queue_message(fcinfo->args);

	if (message_id.isnull)
		PG_RETURN_NULL();
	return message_id.value;
}

NullableDatum
queue_message(const NullableDatum *message)
{
	NullableDatum body[lengthof(body_columns)];
	bool inserted;

	for (size_t i = 0; i < lengthof(body); i++)
		body[i] = message[body_arguments[i]];
	if (body[0].isnull)
		body[0] = batch_value(
			Int64GetDatum(nextval_internal(plan_relation("message_body_message_id_seq"), false)));
	if (message[MESSAGE_DEDUP_KEY].isnull)
		inserted = insert_body(body);
	else
		inserted = insert_body_once(body);
	return inserted && insert_message(body[0], message) ? body[0] : batch_null();
}

static bool
insert_body(const NullableDatum *body)
{
	static Insert insert = {.map = &body_map};

	return insert_row(&insert, body, NULL);
}

static bool
insert_body_once(const NullableDatum *body)
{
	static ScrmPlan plan = {
		.sql = "INSERT INTO sales_crm.message_body (message_id, kind, event, recipient,"
			   " opportunity_id, quote_id, dedup_key, payload, expires_at)"
			   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
			   " ON CONFLICT ON CONSTRAINT message_body_dedup_key_key DO NOTHING",
		.nargs = lengthof(body_columns),
	};
	Datum values[lengthof(body_columns)];
	char nulls[lengthof(body_columns)];
	bool inserted;

	for (size_t i = 0; i < lengthof(body_columns); i++)
	{
		plan.argtypes[i] = body_columns[i].type;
		values[i] = body[i].value;
		nulls[i] = body[i].isnull ? 'n' : ' ';
	}
	plan_begin();
	inserted = plan_run(&plan, PLAN_WRITE, values, nulls) > 0;
	plan_end();
	return inserted;
}

static bool
insert_message(NullableDatum message_id, const NullableDatum *message)
{
	static Insert insert = {.map = &message_map};
	NullableDatum values[] = {
		message_id,
		message[MESSAGE_KIND],
		message[MESSAGE_WAITS_FOR].isnull ? batch_null()
										  : batch_value(TimestampTzGetDatum(DT_NOEND)),
		message[MESSAGE_ORDER_KEY],
		message[MESSAGE_WEBHOOK_ID],
		message[MESSAGE_WAITS_FOR],
	};

	return insert_row(&insert, values, NULL);
}

void
queue_message_filed(NullableDatum message_id, NullableDatum email_id)
{
	static Update update = {
		.lookup = {.map = &filed_map, .ncolumns = 1, .columns = {FILED_MESSAGE_ID}},
		.ncolumns = 1,
		.columns = {FILED_EMAIL_ID},
	};

	(void) update_row(&update, message_id.value, &email_id);
}
