/*
 * loop.c
 *		Takes messages from the database, has them delivered, and reports what became of them.
 *
 * One loop, one thread: it waits for the sockets of libpq and libcurl, for child processes and for
 * signals, and does what can be done without waiting. Messages are claimed a little ahead of what
 * is being delivered, so that no connection waits for the database. After work it looks a few times
 * in quick succession, since a commit that found the gate of NOTIFY shut wakes nobody up; then once
 * a second, or when it is told.
 *
 * Three ends: SIGTERM stops claiming and gives deliveries under way some seconds, a second one none;
 * kill -9 leaves the rest to the leases.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../common/clock.h"
#include "delivery.h"
#include "log.h"
#include "loop.h"
#include "pdf.h"
#include "report.h"
#include "session.h"
#include "smtp.h"
#include "webhook.h"

#define CHANNEL "sales_crm_outbox"
#define QUICK_LOOKS 5
#define QUICK_PAUSE 0.02
#define HOUSEKEEPING_PAUSE 60.0
#define LEAST_REST 1.0
#define MOST_REST 60.0
/*
 * As many are claimed ahead as ended in that many seconds, so that a sender that is fast does not
 * wait for the database, and one that is slow leaves messages to others
 */
#define PACE 0.25
#define MOST_AHEAD 500
/* Where the database must not send yet, or refuses */
#define IDLE_PAUSE 10.0
/* Before it ends, whatever the database does */
#define SECONDS_TO_REPORT 2.0

static const DeliveryKind *const kinds[] = {&email_kind, &webhook_kind, &pdf_kind};

/* A kind that fails as a whole rests, then one message tries it */
typedef struct Rest
{
	int failures;
	double until;
} Rest;

static Config *config;
static LoopReload reload_config;
static Session *session;
static Session *keeper; /* housekeeping has a connection of its own, since it may take its time */
static CURLM *multi;

static GQueue held = G_QUEUE_INIT; /* of Delivery: claimed and not ended */
static Rest rests[G_N_ELEMENTS(kinds)];
static int under_way = 0;						   /* deliveries that have begun, and not ended */
static int under_way_of_kind[G_N_ELEMENTS(kinds)]; /* of each kind */
static GHashTable *under_way_to_host;			   /* to each host: its name, how many */
static int ended_lately = 0;					   /* in the last PACE seconds that are over */
static int ended_now = 0;						   /* since then */
static double paced_at = 0;
static bool draining = false;
static bool giving_back = false;
static double drain_until;
static bool once_only;
static bool claiming = false;
static double claimed_at;
static bool found_none = false; /* once: the last look found nothing */
static int quick_looks = 0;
static double look_at = 0;
static double keep_at = 0;
static bool keeping = false;
static int claim_failures = 0;
static bool told_inactive = false;

static int wake_up[2] = {-1, -1};
static volatile sig_atomic_t stops = 0;
static volatile sig_atomic_t reload_wanted = 0;

static void set_up(void);
static void tear_down(void);
static void catch_signal(int number);
static void configure(Config *fresh);
static void drain(void);
static void give_back(void);
static bool wants_to_claim(double now);
static void claim(double now);
static void take_claimed(void *context, const PGresult *result);
static char *claimable_kinds(double now);
static void start_what_fits(double now);
static bool fits(const Delivery *delivery, double now);
static void renew_leases(double now);
static void drop(Delivery *delivery);
static void end_what_ended(void);
static void keep_house(double now);
static void take_kept(void *context, const PGresult *result);
static void wait_for_something(double until);
static int kind_index(const DeliveryKind *kind);
static int waiting_room(void);
static void keep_pace(double now);
static void count_delivery(const Delivery *delivery, int change);

int
loop_run(Config *initial, bool once, LoopReload reload)
{
	int status = EX_OK;

	once_only = once;
	reload_config = reload;
	set_up();
	configure(initial);
	for (;;)
	{
		double now = clock_now();
		double until;

		if (reload_wanted)
		{
			reload_wanted = 0;
			log_info("reading the configuration again");
			configure(reload_config());
		}
		if (stops > 0)
			drain();
		until = fmin(session_work(session), session_work(keeper));
		delivery_transfers();
		for (GList *at = held.head; at != NULL; at = at->next)
			delivery_work(at->data);
		end_what_ended();
		if (draining && now >= drain_until && !giving_back)
			give_back();
		if (draining && ((held.length == 0 && report_is_empty()) || now >= drain_until))
			break;
		if (once_only && session_failure(session) != NULL)
		{
			status = EX_TEMPFAIL;
			break;
		}
		if (once_only && found_none && held.length == 0 && report_is_empty() && !claiming)
			break;
		if (session_take_notice(session))
			look_at = now;
		keep_pace(now);
		claim(now);
		start_what_fits(now);
		end_what_ended();
		renew_leases(now);
		report_work(session);
		keep_house(now);
		wait_for_something(until);
	}
	tear_down();
	return status;
}

static void
set_up(void)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	struct sigaction action = {.sa_handler = catch_signal, .sa_flags = SA_RESTART};

	if (pipe2(wake_up, O_CLOEXEC | O_NONBLOCK) != 0)
		g_error("pipe: %s", strerror(errno));
	for (size_t i = 0; i < G_N_ELEMENTS(caught); i++)
		sigaction(caught[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	srand48((long) getpid() ^ (long) time(NULL));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	under_way_to_host = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	session = session_create("sales_crm_sender", CHANNEL, 30);
	keeper = session_create("sales_crm_sender housekeeping", NULL, INFINITY);
	delivery_init(session, multi);
	keep_at = clock_now();
}

/* tear_down: what could not be delivered or reported in time is left to the leases. */
static void
tear_down(void)
{
	Delivery *delivery;

	while ((delivery = g_queue_pop_head(&held)) != NULL)
		delivery_free(delivery);
	report_forget(session);
	delivery_finish();
	smtp_finish();
	session_destroy(session);
	session_destroy(keeper);
	curl_multi_cleanup(multi);
	g_hash_table_unref(under_way_to_host);
	curl_global_cleanup();
	config_free(config);
	close(wake_up[0]);
	close(wake_up[1]);
}

static void
catch_signal(int number)
{
	int error = errno;

	if (number == SIGTERM || number == SIGINT)
		stops++;
	else if (number == SIGHUP)
		reload_wanted = 1;
	(void) !write(wake_up[1], "", 1);
	errno = error;
}

static void
configure(Config *fresh)
{
	if (fresh == NULL)
	{
		log_error("the configuration stays as it was");
		return;
	}
	fresh->previous = config;
	config = fresh;
	log_configure(config->log_json, log_level_named(config->log_level));
	session_open(session, config->database);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) config->parallel);
	memset(rests, 0, sizeof(rests));
	look_at = 0;
}

static void
drain(void)
{
	if (!draining)
	{
		log_info("stopping: %u deliveries have %.0f s to end", held.length, config->drain);
		draining = true;
		drain_until = clock_now() + config->drain;
	}
	if (stops > 1 && !giving_back)
		drain_until = 0;
}

/* give_back leaves what could not be delivered in time to others, or to a later run. */
static void
give_back(void)
{
	giving_back = true;
	drain_until = clock_now() + SECONDS_TO_REPORT;
	for (GList *at = held.head; at != NULL; at = at->next)
	{
		Delivery *delivery = at->data;

		if (!delivery->ended)
			delivery_give_up(delivery, "the sender was stopped before it was delivered");
	}
	end_what_ended();
	report_work(session);
}

static bool
wants_to_claim(double now)
{
	bool can = false;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		can = can || (kinds[i]->able(config) && rests[i].until <= now);
	return can && !draining && !claiming &&
		   waiting_room() >= MAX(config->parallel, MIN(ended_lately, MOST_AHEAD) / 2) &&
		   session_is_ready(session);
}

/* claim asks for messages a little ahead of what can be delivered at once. */
static void
claim(double now)
{
	char *list;
	char *most;
	char *lease;

	if (now < look_at || !wants_to_claim(now))
		return;
	list = claimable_kinds(now);
	most = g_strdup_printf("%d", waiting_room());
	lease = g_strdup_printf("%.3f", config->lease);
	{
		const char *values[] = {config->worker, most, lease, list};

		claiming = true;
		claimed_at = now;
		session_query(session,
					  "SELECT c.message_id, c.kind, c.fence, c.attempt, c.payload,"
					  " c.message_id IS NOT NULL OR sales_crm.sending_active()"
					  " FROM (VALUES (1)) one (one) LEFT JOIN"
					  " sales_crm.claim_messages($1, $2, make_interval(secs => $3::float8), $4) c"
					  " ON true",
					  G_N_ELEMENTS(values), values, NULL, false, take_claimed, NULL);
	}
	g_free(list);
	g_free(most);
	g_free(lease);
}

static void
take_claimed(void *context, const PGresult *result)
{
	double now = clock_now();
	bool any;

	(void) context;
	claiming = false;
	if (!session_succeeded(result))
	{
		if (result != NULL)
			log_error("cannot claim messages: %s", PQresultErrorMessage(result));
		look_at = now + (result == NULL ? config->poll
										: clock_backoff(++claim_failures, 0.5, IDLE_PAUSE));
		return;
	}
	claim_failures = 0;
	any = !PQgetisnull(result, 0, 0);
	found_none = !any;
	for (int i = 0; any && i < PQntuples(result); i++)
	{
		for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
		{
			Delivery *delivery;

			if (strcmp(kinds[k]->name, PQgetvalue(result, i, 1)) != 0)
				continue;
			delivery = delivery_create(kinds[k], atoll(PQgetvalue(result, i, 0)),
									   atoll(PQgetvalue(result, i, 2)),
									   atoi(PQgetvalue(result, i, 3)), PQgetvalue(result, i, 4));
			delivery->renew_at = claimed_at + config->lease / 2;
			delivery->lease_until = claimed_at + config->lease;
			g_queue_push_tail(&held, delivery);
		}
	}
	if (any)
		quick_looks = QUICK_LOOKS;
	if (PQgetvalue(result, 0, 5)[0] != 't')
	{
		if (!told_inactive)
			log_warning("this database may not send: it is another one than the one activated, or "
						"none was; see sales_crm.activate_sending()");
		told_inactive = true;
		look_at = now + IDLE_PAUSE;
		return;
	}
	told_inactive = false;
	look_at = now + (any ? 0 : quick_looks > 0 ? QUICK_PAUSE : config->poll);
	if (!any && quick_looks > 0)
		quick_looks--;
}

/* claimable_kinds returns an array of the kinds that can be delivered now. */
static char *
claimable_kinds(double now)
{
	GString *list = g_string_new("{");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
	{
		if (!kinds[i]->able(config) || rests[i].until > now)
			continue;
		g_string_append_printf(list, "%s%s", list->len == 1 ? "" : ",", kinds[i]->name);
	}
	g_string_append_c(list, '}');
	return g_string_free(list, FALSE);
}

static void
start_what_fits(double now)
{
	int room = config->parallel - under_way;
	GList *next;

	for (GList *at = held.head; at != NULL && room > 0; at = next)
	{
		Delivery *delivery = at->data;

		next = at->next;
		if (delivery->started || !fits(delivery, now))
			continue;
		if (now >= delivery->lease_until)
		{
			/* The machine or the database has slept: somebody else may have it by now */
			log_write(LOG_LEVEL_WARNING, delivery->message_id, "its lease has ended");
			drop(delivery);
			continue;
		}
		count_delivery(delivery, 1);
		delivery_start(delivery, config);
		room--;
	}
}

/* fits tells whether a delivery may begin beside those that are under way. */
static bool
fits(const Delivery *delivery, double now)
{
	const Rest *rest = &rests[kind_index(delivery->kind)];

	if (rest->until > now ||
		(rest->failures > 0 && under_way_of_kind[kind_index(delivery->kind)] > 0))
		return false;
	return delivery->host == NULL ||
		   GPOINTER_TO_INT(g_hash_table_lookup(under_way_to_host, delivery->host)) <
			   config->parallel_per_host;
}

static void
renew_leases(double now)
{
	for (GList *at = held.head; at != NULL; at = at->next)
	{
		Delivery *delivery = at->data;

		if (now < delivery->renew_at || !session_is_ready(session))
			continue;
		delivery->renew_at = now + config->lease / 2;
		report_extend(session, delivery, config->lease, drop);
	}
}

/* drop lets go of a delivery whose message somebody else has. */
static void
drop(Delivery *delivery)
{
	if (!g_queue_remove(&held, delivery))
		return;
	if (delivery->started)
		count_delivery(delivery, -1);
	delivery_free(delivery);
}

static void
end_what_ended(void)
{
	GList *next;

	for (GList *at = held.head; at != NULL; at = next)
	{
		Delivery *delivery = at->data;
		Rest *rest = &rests[kind_index(delivery->kind)];

		next = at->next;
		if (!delivery->ended)
			continue;
		g_queue_delete_link(&held, at);
		if (delivery->started)
			count_delivery(delivery, -1);
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
}

/* keep_house has housekeeping() run each minute; the database sees to it that one does at a time. */
static void
keep_house(double now)
{
	if (!config->housekeeping || draining || once_only || keeping)
		return;
	if (now < keep_at)
	{
		session_close(keeper);
		return;
	}
	session_open(keeper, config->database);
	if (!session_is_ready(keeper))
		return;
	keeping = true;
	keep_at = now + HOUSEKEEPING_PAUSE;
	session_query(keeper, "SELECT job, done FROM sales_crm.housekeeping()", 0, NULL, NULL, false,
				  take_kept, NULL);
}

static void
take_kept(void *context, const PGresult *result)
{
	(void) context;
	keeping = false;
	if (result != NULL && !session_succeeded(result))
		log_warning("housekeeping: %s", PQresultErrorMessage(result));
	for (int i = 0; session_succeeded(result) && i < PQntuples(result); i++)
		log_debug("housekeeping: %s %s", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
}

static void
wait_for_something(double until)
{
	guint most = 3 + held.length * DELIVERY_DESCRIPTORS;
	struct curl_waitfd *descriptors = g_new0(struct curl_waitfd, most);
	unsigned count = 0;
	double now = clock_now();
	char drained[64];
	int ready;

	descriptors[count++] = (struct curl_waitfd){wake_up[0], CURL_WAIT_POLLIN, 0};
	count += session_wait_for(session, &descriptors[count]);
	count += session_wait_for(keeper, &descriptors[count]);
	for (GList *at = held.head; at != NULL; at = at->next)
	{
		const Delivery *delivery = at->data;

		until = fmin(until, delivery->renew_at);
		count += (unsigned) delivery_wait_for(delivery, &descriptors[count], &until);
	}
	if (wants_to_claim(now))
		until = fmin(until, look_at);
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
	{
		if (rests[i].until > now)
			until = fmin(until, rests[i].until);
	}
	if (config->housekeeping && !keeping && keep_at > now)
		until = fmin(until, keep_at);
	if (draining)
		until = fmin(until, drain_until);
	until = fmin(fmax(until - now, 0), 1);
	curl_multi_poll(multi, descriptors, count, (int) ceil(until * 1000), &ready);
	while (read(wake_up[0], drained, sizeof(drained)) > 0)
		continue;
	g_free(descriptors);
}

static int
kind_index(const DeliveryKind *kind)
{
	int i = 0;

	while (kinds[i] != kind)
		i++;
	return i;
}

/* waiting_room: how many more may be claimed than are waiting already. */
static int
waiting_room(void)
{
	int ahead = CLAMP(ended_lately, config->parallel, MOST_AHEAD);

	return config->parallel + ahead - (int) held.length;
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

/* count_delivery counts one that begins, 1, or ends, -1. */
static void
count_delivery(const Delivery *delivery, int change)
{
	under_way += change;
	under_way_of_kind[kind_index(delivery->kind)] += change;
	if (delivery->host != NULL)
	{
		int count = GPOINTER_TO_INT(g_hash_table_lookup(under_way_to_host, delivery->host));

		if (count + change > 0)
			g_hash_table_insert(under_way_to_host, g_strdup(delivery->host),
								GINT_TO_POINTER(count + change));
		else
			g_hash_table_remove(under_way_to_host, delivery->host);
	}
}
