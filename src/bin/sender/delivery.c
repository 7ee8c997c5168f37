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
#include "session.h"

typedef struct Step
{
	Delivery *delivery;
	CURL *easy;
	GThread *thread; /* that the transfer runs in; NULL: the multi handle does it */
	gint aborted;	 /* atomic */
	CURLcode code;
	Child *child;
	DeliveryResult then_result;
	DeliveryTransferred then_transferred;
	DeliveryExited then_exited;
} Step;

static struct Session *session;
static CURLM *multi;
static GAsyncQueue *performed; /* of Step: transfers in threads that are over */

static Step *new_step(Delivery *delivery);
static void end_step(Delivery *delivery);
static void take_result(void *context, const PGresult *result);
static void *perform(void *step);
static int
is_aborted(void *step, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up);
static void call_transferred(Step *step, CURLcode code);

void
delivery_init(Session *of_session, CURLM *of_multi)
{
	session = of_session;
	multi = of_multi;
	performed = g_async_queue_new();
}

void
delivery_finish(void)
{
	g_async_queue_unref(performed);
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
	delivery->payload = json_loads(payload, 0, NULL);
	delivery->kept = g_ptr_array_new_with_free_func(g_free);
	if (kind->host != NULL)
		delivery->host = kind->host(delivery);
	return delivery;
}

void
delivery_start(Delivery *delivery, const Config *config)
{
	delivery->started = true;
	delivery->config = config;
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
delivery_text(const Delivery *delivery, const char *key)
{
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
	while ((step = g_async_queue_try_pop(performed)) != NULL)
	{
		g_thread_join(step->thread);
		call_transferred(step, step->code);
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
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_aborted);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, step);
	step->thread = g_thread_new("transfer", perform, step);
}

/* perform runs in a thread: it touches the step's handle, and nothing else of the program. */
static void *
perform(void *context)
{
	Step *step = context;

	step->code = curl_easy_perform(step->easy);
	g_async_queue_push(performed, step);
	curl_multi_wakeup(multi);
	return NULL;
}

static int
is_aborted(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	Step *step = context;

	(void) down_all, (void) down, (void) up_all, (void) up;
	return g_atomic_int_get(&step->aborted);
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

static Step *
new_step(Delivery *delivery)
{
	g_assert(delivery->step == NULL && !delivery->ended);
	delivery->step = g_new0(Step, 1);
	delivery->step->delivery = delivery;
	return delivery->step;
}

/* end_step drops what is under way; a thread notices within a second. */
static void
end_step(Delivery *delivery)
{
	Step *step = delivery->step;
	GQueue others = G_QUEUE_INIT;
	Step *other;

	if (step == NULL)
		return;
	if (step->thread != NULL)
	{
		g_atomic_int_set(&step->aborted, 1);
		while ((other = g_async_queue_pop(performed)) != step)
			g_queue_push_tail(&others, other);
		g_thread_join(step->thread);
		while ((other = g_queue_pop_head(&others)) != NULL)
			g_async_queue_push(performed, other);
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
