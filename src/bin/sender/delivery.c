/*
 * delivery.c
 *		The steps of a delivery: a statement, a transfer, a child process, the end.
 *
 * A delivery has one step under way at most. The step is taken off before its function is called,
 * so that the function can ask for the next one.
 */
#include <stdarg.h>
#include <string.h>

#include "../common/clock.h"
#include "child.h"
#include "delivery.h"
#include "log.h"
#include "session.h"

const char *const field_names[FIELD_COUNT] = {
	[FIELD_TEXT] = "text",
	[FIELD_HTML] = "html",
	[FIELD_BODY] = "body",
	[FIELD_FROM] = "from",
	[FIELD_FROM_NAME] = "from_name",
	[FIELD_REPLY_TO] = "reply_to",
	[FIELD_REPLY_TO_NAME] = "reply_to_name",
	[FIELD_TO] = "to",
	[FIELD_TO_NAME] = "to_name",
	[FIELD_SUBJECT] = "subject",
	[FIELD_MESSAGE_ID] = "message_id",
	[FIELD_IN_REPLY_TO] = "in_reply_to",
	[FIELD_REFERENCES] = "references",
	[FIELD_ENVELOPE_FROM] = "envelope_from",
	[FIELD_DATE] = "date",
	[FIELD_AUTO_SUBMITTED] = "auto_submitted",
	[FIELD_ATTACHMENTS] = "attachments",
};

typedef struct Step
{
	Delivery *delivery;
	CURL *easy;
	bool is_connection; /* the handle is the kind's */
	curl_socket_t socket;
	int events; /* of the socket that are waited for; 0 where it is no such step */
	const struct curl_waitfd *waited; /* what has come of them, once the loop has waited */
	double until;
	Child *child;
	DeliveryResult then_result;
	DeliveryTransferred then_transferred;
	DeliveryReady then_ready;
	DeliveryExited then_exited;
} Step;

static struct Session *session;
static CURLM *multi;
static int transfers = 0; /* under way */

static void parse_payload(Delivery *delivery);
static Step *new_step(Delivery *delivery);
static void end_step(Delivery *delivery);
static void take_result(void *context, const PGresult *result);
static void take_transferred(Step *step, CURLcode code);

void
delivery_init(Session *of_session, CURLM *of_multi)
{
	session = of_session;
	multi = of_multi;
}

Delivery *
delivery_create(const DeliveryKind *kind, const Claimed *claimed)
{
	Delivery *delivery = g_new0(Delivery, 1);

	delivery->kind = kind;
	delivery->message_id = claimed->message_id;
	delivery->fence = claimed->fence;
	delivery->attempt = claimed->attempt;
	delivery->payload_text = g_strdup(claimed->payload);
	delivery->kept = g_ptr_array_new_with_free_func(g_free);
	for (int i = 0; i < FIELD_COUNT; i++)
	{
		if (claimed->fields[i] == NULL)
			continue;
		delivery->fields[i] = g_strdup(claimed->fields[i]);
		g_ptr_array_add(delivery->kept, (char *) delivery->fields[i]);
	}
	if (kind->host != NULL)
		delivery->host = kind->host(delivery);
	return delivery;
}

void
delivery_start(Delivery *delivery, const Config *config)
{
	bool has_fields_only = delivery->payload_text == NULL && delivery->payload == NULL;

	delivery->config = config;
	parse_payload(delivery);
	if (!has_fields_only && !json_is_object(delivery->payload))
		delivery_end(delivery, VERDICT_FINAL, 0, "the message is not one that can be read");
	else
		delivery->kind->start(delivery);
}

void
delivery_free(Delivery *delivery)
{
	end_step(delivery);
	session_forget(session, delivery);
	if (delivery->state != NULL)
		delivery->kind->release(delivery);
	json_decref(delivery->payload);
	g_free(delivery->payload_text);
	g_ptr_array_unref(delivery->kept);
	g_free(delivery->reason);
	g_free(delivery);
}

void
delivery_give_up(Delivery *delivery, const char *reason)
{
	end_step(delivery);
	session_forget(session, delivery);
	delivery_end(delivery, VERDICT_RETRY, 0, "%s", reason);
}

const char *
delivery_text(Delivery *delivery, const char *key)
{
	parse_payload(delivery);
	return json_string_value(json_object_get(delivery->payload, key));
}

const char *
delivery_keep(Delivery *delivery, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_ptr_array_add(delivery->kept, text);
	return text;
}

void
delivery_query(Delivery *delivery, const char *sql, int count, const char *const *values,
			   const int *lengths, bool binary, DeliveryResult then)
{
	new_step(delivery)->then_result = then;
	session_query(session, sql, count, values, lengths, binary, take_result, delivery);
}

static void
take_result(void *context, const PGresult *result)
{
	Delivery *delivery = context;
	DeliveryResult then = delivery->step->then_result;

	g_free(delivery->step);
	delivery->step = NULL;
	if (result != NULL && !session_succeeded(result))
		log_write(LOG_LEVEL_WARNING, delivery->message_id, "%s", PQresultErrorMessage(result));
	then(delivery, result);
}

void
delivery_transfer(Delivery *delivery, CURL *easy, DeliveryTransferred then)
{
	Step *step = new_step(delivery);

	step->easy = easy;
	step->then_transferred = then;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, step);
	curl_multi_add_handle(multi, easy);
	transfers++;
}

void
delivery_connect(Delivery *delivery, CURL *easy, DeliveryTransferred then)
{
	delivery_transfer(delivery, easy, then);
	delivery->step->is_connection = true;
}

void
delivery_transfers(void)
{
	CURLMsg *message;
	int left;

	if (transfers == 0)
		return;
	curl_multi_perform(multi, &left);
	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		Step *step;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &step);
		if (step != NULL)
			take_transferred(step, code);
	}
}

static void
take_transferred(Step *step, CURLcode code)
{
	Delivery *delivery = step->delivery;
	CURL *easy = step->easy;
	bool is_connection = step->is_connection;
	DeliveryTransferred then = step->then_transferred;

	transfers--;
	delivery->step = NULL;
	g_free(step);
	if (!is_connection)
		curl_multi_remove_handle(multi, easy);
	then(delivery, easy, code);
	if (!is_connection)
		curl_easy_cleanup(easy);
}

void
delivery_await(Delivery *delivery, curl_socket_t socket, int events, double until,
			   DeliveryReady then)
{
	Step *step = new_step(delivery);

	step->socket = socket;
	step->events = events;
	step->until = until;
	step->then_ready = then;
}

bool
delivery_is_late(Delivery *delivery)
{
	delivery->is_late = clock_now() >= delivery->lease_until;
	return delivery->is_late;
}

void
delivery_command(Delivery *delivery, const Command *command, DeliveryExited then)
{
	Step *step = new_step(delivery);

	step->child = child_start(command);
	step->then_exited = then;
}

void
delivery_work(Delivery *delivery, double now)
{
	Step *step = delivery->step;
	CommandResult result;
	bool has_fields_onlyy = step != NULL && step->waited != NULL && step->waited->revents != 0;

	if (step == NULL)
		return;
	if (step->events != 0 && (has_fields_onlyy || now >= step->until))
	{
		DeliveryReady then = step->then_ready;

		delivery->step = NULL;
		g_free(step);
		then(delivery, has_fields_onlyy);
	}
	else if (step->child != NULL && child_work(step->child, &result))
	{
		delivery->step = NULL;
		step->then_exited(delivery, &result);
		child_free(step->child);
		g_free(step);
	}
}

int
delivery_wait_for(Delivery *delivery, struct curl_waitfd *descriptors, double *deadline)
{
	Step *step = delivery->step;

	if (step != NULL && step->events != 0)
	{
		*deadline = MIN(*deadline, step->until);
		descriptors[0] = (struct curl_waitfd){step->socket, (short) step->events, 0};
		step->waited = descriptors;
		return 1;
	}
	if (step == NULL || step->child == NULL)
		return 0;
	*deadline = MIN(*deadline, child_deadline(step->child));
	return child_wait_for(step->child, descriptors);
}

void
delivery_end(Delivery *delivery, Verdict verdict, double retry_after, const char *reason, ...)
{
	va_list arguments;

	delivery->ended = true;
	delivery->verdict = verdict;
	delivery->retry_after = retry_after;
	if (reason == NULL)
		return;
	va_start(arguments, reason);
	delivery->reason = g_strdup_vprintf(reason, arguments);
	va_end(arguments);
}

void
delivery_blame_kind(Delivery *delivery)
{
	delivery->is_kind_failing = true;
}

/* parse_payload waits until somebody asks, since many messages are claimed at once. */
static void
parse_payload(Delivery *delivery)
{
	if (delivery->payload_text == NULL)
		return;
	delivery->payload = json_loads(delivery->payload_text, 0, NULL);
	g_free(delivery->payload_text);
	delivery->payload_text = NULL;
}

static Step *
new_step(Delivery *delivery)
{
	g_assert(delivery->step == NULL && !delivery->ended);
	delivery->step = g_new0(Step, 1);
	delivery->step->delivery = delivery;
	return delivery->step;
}

/* end_step drops what is under way. */
static void
end_step(Delivery *delivery)
{
	Step *step = delivery->step;

	if (step == NULL)
		return;
	if (step->easy != NULL)
	{
		transfers--;
		curl_multi_remove_handle(multi, step->easy);
		if (step->is_connection)
			curl_easy_setopt(step->easy, CURLOPT_PRIVATE, NULL);
		else
			curl_easy_cleanup(step->easy);
	}
	if (step->child != NULL)
		child_free(step->child);
	g_free(step);
	delivery->step = NULL;
}
