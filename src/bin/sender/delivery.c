/*
 * delivery.c
 *		The steps of a delivery: a statement, a transfer, a child process, the end.
 *
 * A delivery has one step under way at most. The step is taken off before its function is called,
 * so that the function can ask for the next one.
 */
#include <stdarg.h>
#include <string.h>

#include "child.h"
#include "delivery.h"
#include "log.h"
#include "pool.h"
#include "session.h"

typedef struct Step
{
	Delivery *delivery;
	CURL *easy;
	bool in_pool; /* the transfer; else the multi handle does it */
	PoolJob job;
	Child *child;
	DeliveryResult then_result;
	DeliveryTransferred then_transferred;
	DeliveryExited then_exited;
} Step;

static struct Session *session;
static CURLM *multi;
static void parse_payload(Delivery *delivery);
static Step *new_step(Delivery *delivery);
static void end_step(Delivery *delivery);
static void take_result(void *context, const PGresult *result);
static void call_transferred(Step *step, CURLcode code);

void
delivery_init(Session *of_session, CURLM *of_multi)
{
	session = of_session;
	multi = of_multi;
	pool_init(multi);
}

void
delivery_finish(void)
{
	pool_finish();
}

Delivery *
delivery_create(const DeliveryKind *kind, long long message_id, long long fence, int attempt,
				const char *payload)
{
	Delivery *delivery = g_new0(Delivery, 1);

	delivery->kind = kind;
	delivery->message_id = message_id;
	delivery->fence = fence;
	delivery->attempt = attempt;
	delivery->payload_text = g_strdup(payload);
	delivery->kept = g_ptr_array_new_with_free_func(g_free);
	if (kind->host != NULL)
		delivery->host = kind->host(delivery);
	return delivery;
}

void
delivery_start(Delivery *delivery, const Config *config)
{
	delivery->config = config;
	parse_payload(delivery);
	if (!json_is_object(delivery->payload))
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
}

void
delivery_transfers(void)
{
	CURLMsg *message;
	PoolJob *job;
	Step *step;
	int left;

	curl_multi_perform(multi, &left);
	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &step);
		curl_multi_remove_handle(multi, easy);
		call_transferred(step, code);
		curl_easy_cleanup(easy);
	}
	while ((job = pool_take()) != NULL)
	{
		step = job->context;
		step->delivery->is_late = job->is_late;
		if (!job->is_late)
			call_transferred(step, job->code);
	}
}

static void
call_transferred(Step *step, CURLcode code)
{
	Delivery *delivery = step->delivery;
	CURL *easy = step->easy;
	DeliveryTransferred then = step->then_transferred;

	delivery->step = NULL;
	g_free(step);
	then(delivery, easy, code);
}

void
delivery_perform(Delivery *delivery, CURL *easy, DeliveryTransferred then)
{
	Step *step = new_step(delivery);

	step->easy = easy;
	step->then_transferred = then;
	step->in_pool = true;
	step->job = (PoolJob){.easy = easy, .context = step, .begin_before = delivery->lease_until};
	pool_add(&step->job);
}

void
delivery_hold_until(Delivery *delivery, double lease_until)
{
	delivery->lease_until = lease_until;
	if (delivery->step != NULL && delivery->step->in_pool)
		pool_set_deadline(&delivery->step->job, lease_until);
}

void
delivery_command(Delivery *delivery, const Command *command, DeliveryExited then)
{
	Step *step = new_step(delivery);

	step->child = child_start(command);
	step->then_exited = then;
}

void
delivery_work(Delivery *delivery)
{
	Step *step = delivery->step;
	CommandResult result;

	if (step == NULL || step->child == NULL || !child_work(step->child, &result))
		return;
	delivery->step = NULL;
	step->then_exited(delivery, &result);
	child_free(step->child);
	g_free(step);
}

int
delivery_wait_for(const Delivery *delivery, struct curl_waitfd *descriptors, double *deadline)
{
	if (delivery->step == NULL || delivery->step->child == NULL)
		return 0;
	*deadline = MIN(*deadline, child_deadline(delivery->step->child));
	return child_wait_for(delivery->step->child, descriptors);
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
	if (step->in_pool)
	{
		if (!delivery->is_late)
			pool_remove(&step->job);
	}
	else if (step->easy != NULL)
	{
		curl_multi_remove_handle(multi, step->easy);
		curl_easy_cleanup(step->easy);
	}
	if (step->child != NULL)
		child_free(step->child);
	g_free(step);
	delivery->step = NULL;
}
