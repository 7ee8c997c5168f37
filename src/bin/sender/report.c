/*
 * report.c
 *		Tells the database what became of deliveries, and keeps their leases meanwhile.
 *
 * Outcomes wait here while the database is away. One that was reported when the connection broke
 * may or may not have been committed, and is reported again: the fence tells.
 */
#include <string.h>

#include "../common/clock.h"
#include "log.h"
#include "report.h"

#define MOST_AT_ONCE 500

static GQueue failed = G_QUEUE_INIT;	/* of Delivery */
static GQueue delivered = G_QUEUE_INIT; /* of Delivery */
static GQueue on_way = G_QUEUE_INIT;	/* those of the statement under way */
static int failing = 0;					/* failures under way */

static void send_delivered(Session *session);
static void take_delivered(void *context, const PGresult *result);
static void send_failed(Session *session, Delivery *delivery);
static void take_failed(void *context, const PGresult *result);
static void take_extended(void *context, const PGresult *result);
static bool is_lease_lost(const PGresult *result);
static const char *valid_text(Delivery *delivery, const char *text);

void
report_add(Delivery *delivery)
{
	static const char *const names[] = {
		[VERDICT_DELIVERED] = "delivered", [VERDICT_RETRY] = "failed for now",
		[VERDICT_FINAL] = "failed",		   [VERDICT_GONE] = "failed, the endpoint is gone",
		[VERDICT_STORED] = "done",
	};
	bool good = delivery->verdict == VERDICT_DELIVERED || delivery->verdict == VERDICT_STORED;

	log_write(good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, delivery->message_id,
			  "%s, attempt %d, %s%s%s", delivery->kind->name, delivery->attempt,
			  names[delivery->verdict], delivery->reason == NULL ? "" : ": ",
			  delivery->reason == NULL ? "" : delivery->reason);
	if (delivery->verdict == VERDICT_STORED)
		delivery_free(delivery);
	else if (delivery->verdict != VERDICT_DELIVERED)
		g_queue_push_tail(&failed, delivery);
	else
		g_queue_push_tail(&delivered, delivery);
}

void
report_work(Session *session)
{
	if (!session_is_ready(session))
		return;
	/* What cannot be sent comes back to the end */
	for (guint left = failed.length; left > 0; left--)
		send_failed(session, g_queue_pop_head(&failed));
	if (on_way.length == 0 && delivered.length > 0)
		send_delivered(session);
}

bool
report_is_empty(void)
{
	return failed.length == 0 && delivered.length == 0 && on_way.length == 0 && failing == 0;
}

void
report_extend(Session *session, Delivery *delivery, double lease, void (*lost)(Delivery *delivery))
{
	const char *values[] = {
		delivery_keep(delivery, "%lld", delivery->message_id),
		delivery_keep(delivery, "%lld", delivery->fence),
		delivery_keep(delivery, "%.3f", lease),
	};

	delivery->lost = lost;
	delivery->asked_until = clock_now() + lease;
	session_query(session,
				  "SELECT sales_crm.extend_lease($1, $2, make_interval(secs => $3::float8))", 3,
				  values, NULL, false, take_extended, delivery);
}

void
report_forget(Session *session)
{
	Delivery *delivery;

	session_close(session);
	if (failed.length + delivered.length > 0)
		log_warning("%u outcomes could not be reported: these messages will be tried again",
					failed.length + delivered.length);
	while ((delivery = g_queue_pop_head(&failed)) != NULL ||
		   (delivery = g_queue_pop_head(&delivered)) != NULL)
		delivery_free(delivery);
}

/* send_delivered reports many at once; while it is under way, the next ones gather. */
static void
send_delivered(Session *session)
{
	GString *ids = g_string_new("{");
	GString *fences = g_string_new("{");
	GString *responses = g_string_new("{");
	const char *values[3];
	Delivery *delivery;

	while (on_way.length < MOST_AT_ONCE && (delivery = g_queue_pop_head(&delivered)) != NULL)
	{
		const char *comma = on_way.length == 0 ? "" : ",";

		g_string_append_printf(ids, "%s%lld", comma, delivery->message_id);
		g_string_append_printf(fences, "%s%lld", comma, delivery->fence);
		g_string_append_printf(responses, "%s\"", comma);
		for (const char *at = valid_text(delivery, delivery->reason); *at != '\0'; at++)
		{
			if (*at == '"' || *at == '\\')
				g_string_append_c(responses, '\\');
			g_string_append_c(responses, *at);
		}
		g_string_append_c(responses, '"');
		g_queue_push_tail(&on_way, delivery);
	}
	values[0] = g_string_append_c(ids, '}')->str;
	values[1] = g_string_append_c(fences, '}')->str;
	values[2] = g_string_append_c(responses, '}')->str;
	session_query(session, "SELECT * FROM sales_crm.complete_messages($1, $2, $3)", 3, values, NULL,
				  false, take_delivered, NULL);
	g_string_free(ids, TRUE);
	g_string_free(fences, TRUE);
	g_string_free(responses, TRUE);
}

static void
take_delivered(void *context, const PGresult *result)
{
	Delivery *delivery;

	(void) context;
	if (!session_succeeded(result))
	{
		/* Reported again; where the database refuses, the leases end some time */
		if (result != NULL)
			log_error("cannot report what was delivered: %s", PQresultErrorMessage(result));
		while ((delivery = g_queue_pop_tail(&on_way)) != NULL)
		{
			if (result == NULL)
				g_queue_push_head(&delivered, delivery);
			else
				delivery_free(delivery);
		}
		return;
	}
	for (int i = 0; i < PQntuples(result); i++)
		log_warning("message %s was delivered after its lease had ended", PQgetvalue(result, i, 0));
	while ((delivery = g_queue_pop_head(&on_way)) != NULL)
		delivery_free(delivery);
}

static void
send_failed(Session *session, Delivery *delivery)
{
	const char *values[] = {
		delivery_keep(delivery, "%lld", delivery->message_id),
		delivery_keep(delivery, "%lld", delivery->fence),
		valid_text(delivery, delivery->reason),
		delivery->verdict == VERDICT_RETRY ? "t" : "f",
		delivery->retry_after > 0 ? delivery_keep(delivery, "%.3f", delivery->retry_after) : NULL,
		delivery->verdict == VERDICT_GONE ? "t" : "f",
	};

	failing++;
	session_query(session,
				  "SELECT sales_crm.fail_message($1, $2, $3, $4,"
				  " make_interval(secs => $5::float8), $6)",
				  6, values, NULL, false, take_failed, delivery);
}

static void
take_failed(void *context, const PGresult *result)
{
	Delivery *delivery = context;

	failing--;
	if (result == NULL)
	{
		g_queue_push_tail(&failed, delivery);
		return;
	}
	if (!session_succeeded(result))
		log_write(LOG_LEVEL_WARNING, delivery->message_id, "%s", PQresultErrorMessage(result));
	delivery_free(delivery);
}

static void
take_extended(void *context, const PGresult *result)
{
	Delivery *delivery = context;

	if (session_succeeded(result))
		delivery->lease_until = delivery->asked_until;
	if (result == NULL || session_succeeded(result))
		return;
	log_write(LOG_LEVEL_WARNING, delivery->message_id, "%s", PQresultErrorMessage(result));
	if (is_lease_lost(result))
		delivery->lost(delivery);
}

static bool
is_lease_lost(const PGresult *result)
{
	return g_strcmp0(PQresultErrorField(result, PG_DIAG_SQLSTATE), "SC301") == 0;
}

/* valid_text returns what the database takes as text: another program may have said anything. */
static const char *
valid_text(Delivery *delivery, const char *text)
{
	char *valid = g_utf8_make_valid(text == NULL ? "" : text, -1);

	g_ptr_array_add(delivery->kept, valid);
	return valid;
}
