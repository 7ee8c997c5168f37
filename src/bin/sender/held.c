/*
 * held.c
 *		The deliveries that this sender has claimed and not ended: which of them begin, and when.
 *
 * Up to some hundred wait, and the loop comes by for each that ends: it looks at those under way, and
 * at the waiting ones only when one of them may begin or a lease is to be renewed.
 */
#include <math.h>
#include <string.h>

#include "../common/clock.h"
#include "delivery.h"
#include "held.h"
#include "log.h"
#include "pdf.h"
#include "report.h"
#include "webhook.h"

#define LEAST_REST 1.0
#define MOST_REST 60.0
/*
 * As many are claimed ahead as ended in that many seconds, so that a sender that is fast does not
 * wait for the database, and one that is slow leaves messages to others
 */
#define PACE 0.25
#define MOST_AHEAD 2000

static const DeliveryKind *const kinds[] = {&email_kind, &webhook_kind, &pdf_kind};

/* A kind that fails as a whole rests, then one message tries it */
typedef struct Rest
{
	int failures;
	double until;
} Rest;

/* What is held for one host */
typedef struct Host
{
	int held;
	int under_way;
} Host;

static bool once_only;
static const Config *config;
static GQueue waiting = G_QUEUE_INIT;	/* of Delivery: not begun */
static GQueue under_way = G_QUEUE_INIT; /* of Delivery: begun, or ended */
static Rest rests[G_N_ELEMENTS(kinds)];
static int under_way_of_kind[G_N_ELEMENTS(kinds)];
static GHashTable *hosts;		   /* of Host, by name */
static double renew_at = INFINITY; /* not later than the first lease is to be renewed */
static int ended_lately = 0;	   /* in the last PACE seconds that are over */
static int ended_now = 0;		   /* since then */
static double paced_at = 0;

static bool can_claim(size_t kind, double now);
static bool can_begin(const Delivery *delivery, double now);
static void begin(GList *at);
static void let_go(Delivery *delivery);
static void drop(Delivery *delivery);
static void drop_late(Delivery *delivery);
static void end(Delivery *delivery);
static void keep_pace(double now);
static int kind_index(const DeliveryKind *kind);
static double renew(Session *session, GQueue *queue, double now);

void
held_init(bool once)
{
	once_only = once;
	hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void
held_finish(void)
{
	Delivery *delivery;

	while ((delivery = g_queue_pop_head(&under_way)) != NULL)
		delivery_free(delivery);
	while ((delivery = g_queue_pop_head(&waiting)) != NULL)
		delivery_free(delivery);
	g_hash_table_unref(hosts);
}

void
held_configure(const Config *fresh)
{
	config = fresh;
	memset(rests, 0, sizeof(rests));
}

char *
held_claimable_kinds(double now)
{
	GString *list = g_string_new("{");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
	{
		if (can_claim(i, now))
			g_string_append_printf(list, "%s%s", list->len == 1 ? "" : ",", kinds[i]->name);
	}
	g_string_append_c(list, '}');
	return g_string_free(list, FALSE);
}

static bool
can_claim(size_t kind, double now)
{
	return kinds[kind]->able(config) && rests[kind].until <= now;
}

int
held_room(double now)
{
	bool can = false;
	int ahead = CLAMP(ended_lately, config->parallel, MOST_AHEAD);
	int room = config->parallel + ahead - (int) held_length();

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		can = can || can_claim(i, now);
	return can && room >= MAX(config->parallel, MIN(ended_lately, MOST_AHEAD) / 2) ? room : 0;
}

void
held_add(const char *kind, const Claimed *claimed, double claimed_at)
{
	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
	{
		Delivery *delivery;

		if (strcmp(kinds[k]->name, kind) != 0)
			continue;
		delivery = delivery_create(kinds[k], claimed);
		delivery->renew_at = claimed_at + config->lease / 2;
		delivery->lease_until = claimed_at + config->lease;
		renew_at = fmin(renew_at, delivery->renew_at);
		if (delivery->host != NULL)
		{
			delivery->at_host = g_hash_table_lookup(hosts, delivery->host);
			if (delivery->at_host == NULL)
			{
				delivery->at_host = g_new0(Host, 1);
				g_hash_table_insert(hosts, g_strdup(delivery->host), delivery->at_host);
			}
			delivery->at_host->held++;
		}
		delivery->is_held = true;
		g_queue_push_tail(&waiting, delivery);
	}
}

guint
held_length(void)
{
	return waiting.length + under_way.length;
}

void
held_work(double now)
{
	GList *next;

	keep_pace(now);
	for (GList *at = under_way.head; at != NULL; at = next)
	{
		Delivery *delivery = at->data;

		next = at->next;
		delivery_work(delivery, now);
		if (delivery->ended)
			end(delivery);
		else if (delivery->is_late)
			drop_late(delivery);
	}
}

void
held_begin(double now)
{
	GList *next;

	for (GList *at = waiting.head; at != NULL && (int) under_way.length < config->parallel;
		 at = next)
	{
		Delivery *delivery = at->data;

		next = at->next;
		if (!can_begin(delivery, now))
			continue;
		if (now >= delivery->lease_until)
		{
			drop_late(delivery);
			continue;
		}
		begin(at);
		delivery_start(delivery, config);
		if (delivery->ended)
			end(delivery);
	}
}

static bool
can_begin(const Delivery *delivery, double now)
{
	int kind = kind_index(delivery->kind);

	return rests[kind].until <= now &&
		   (rests[kind].failures == 0 || under_way_of_kind[kind] == 0) &&
		   (delivery->at_host == NULL || delivery->at_host->under_way < config->parallel_per_host);
}

/* begin takes a delivery from those that wait to those that are under way. */
static void
begin(GList *at)
{
	Delivery *delivery = at->data;

	g_queue_unlink(&waiting, at);
	g_queue_push_tail_link(&under_way, at);
	delivery->has_begun = true;
	under_way_of_kind[kind_index(delivery->kind)]++;
	if (delivery->at_host != NULL)
		delivery->at_host->under_way++;
}

/* let_go takes a delivery out of what is held; it is the caller's to free. */
static void
let_go(Delivery *delivery)
{
	g_queue_remove(delivery->has_begun ? &under_way : &waiting, delivery);
	delivery->is_held = false;
	under_way_of_kind[kind_index(delivery->kind)] -= delivery->has_begun;
	if (delivery->at_host == NULL)
		return;
	delivery->at_host->under_way -= delivery->has_begun;
	if (--delivery->at_host->held == 0)
		g_hash_table_remove(hosts, delivery->host);
}

/* drop lets go of a delivery whose message somebody else has, unless it has ended meanwhile. */
static void
drop(Delivery *delivery)
{
	if (!delivery->is_held)
		return;
	let_go(delivery);
	delivery_free(delivery);
}

/* drop_late: the machine or the database has slept, and somebody else may have the message by now. */
static void
drop_late(Delivery *delivery)
{
	log_write(LOG_LEVEL_WARNING, delivery->message_id, "its lease has ended");
	drop(delivery);
}

static void
end(Delivery *delivery)
{
	Rest *rest = &rests[kind_index(delivery->kind)];

	let_go(delivery);
	ended_now++;
	if (!delivery->is_kind_failing)
		rest->failures = 0;
	else if (once_only)
		rest->failures = 1; /* one after the other, without pauses */
	else if (rest->until <= clock_now())
	{
		double pause = clock_backoff(++rest->failures, LEAST_REST, MOST_REST);

		rest->until = clock_now() + pause;
		log_error("deliveries of kind %s rest for %.1f s", delivery->kind->name, pause);
	}
	report_add(delivery);
}

static void
keep_pace(double now)
{
	if (now < paced_at + PACE)
		return;
	ended_lately = now < paced_at + 2 * PACE ? ended_now : 0;
	ended_now = 0;
	paced_at = now;
}

static int
kind_index(const DeliveryKind *kind)
{
	int i = 0;

	while (kinds[i] != kind)
		i++;
	return i;
}

void
held_renew(Session *session, double now)
{
	if (now < renew_at || !session_is_ready(session))
		return;
	renew_at = fmin(renew(session, &under_way, now), renew(session, &waiting, now));
}

/* renew asks for longer leases where it is time, and returns when it will be time again. */
static double
renew(Session *session, GQueue *queue, double now)
{
	double first = INFINITY;
	GList *next;

	for (GList *at = queue->head; at != NULL; at = next)
	{
		Delivery *delivery = at->data;

		next = at->next;
		if (now >= delivery->renew_at)
		{
			delivery->renew_at = now + config->lease / 2;
			report_extend(session, delivery, config->lease, drop);
		}
		first = fmin(first, delivery->renew_at);
	}
	return first;
}

void
held_give_up(const char *reason)
{
	while (waiting.length > 0)
		begin(waiting.head);
	for (GList *at = under_way.head; at != NULL; at = at->next)
	{
		Delivery *delivery = at->data;

		if (!delivery->ended)
			delivery_give_up(delivery, reason);
	}
}

guint
held_descriptors(void)
{
	return under_way.length * DELIVERY_DESCRIPTORS;
}

guint
held_wait_for(struct curl_waitfd *descriptors, double now, double *until)
{
	guint count = 0;

	for (GList *at = under_way.head; at != NULL; at = at->next)
		count += (guint) delivery_wait_for(at->data, &descriptors[count], until);
	if (held_length() > 0)
		*until = fmin(*until, renew_at);
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
	{
		if (rests[i].until > now)
			*until = fmin(*until, rests[i].until);
	}
	return count;
}
