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
#include "held.h"
#include "log.h"
#include "loop.h"
#include "report.h"
#include "session.h"
#include "smtp_connection.h"

#define CHANNEL "sales_crm_outbox"
#define QUICK_LOOKS 5
#define QUICK_PAUSE 0.02
#define HOUSEKEEPING_PAUSE 60.0
/* Where the database must not send yet, or refuses */
#define IDLE_PAUSE 10.0
/* Before it ends, whatever the database does */
#define SECONDS_TO_REPORT 2.0

/*
 * One row at least. || has made a payload plain that is compressed, so that it is decompressed
 * once; %s is a column for each of field_names
 */
#define CLAIM_SQL                                                                                  \
	"SELECT c.message_id, c.kind, c.fence, c.attempt,"                                             \
	" c.message_id IS NOT NULL OR sales_crm.sending_active(),"                                     \
	" CASE WHEN c.kind = 'email' THEN NULL"                                                        \
	" WHEN jsonb_typeof(p.payload) = 'object' THEN p.payload - '{text,html,body}'::text[]"         \
	" ELSE 'null' END%s"                                                                           \
	" FROM (VALUES (1)) one (one)"                                                                 \
	" LEFT JOIN sales_crm.claim_messages($1, $2, make_interval(secs => $3::float8), $4) c ON true" \
	" LEFT JOIN LATERAL (SELECT c.payload || '{}' AS payload OFFSET 0) p ON true"

static Config *config;
static LoopReload reload_config;
static char *claim_sql;
static Session *session;
static Session *keeper; /* housekeeping has a connection of its own, since it may take its time */
static CURLM *multi;

static bool draining = false;
static bool giving_back = false;
static double drain_until;
static bool once_only;
static bool claiming = false;
static double claimed_at;
static bool was_idle;			/* when the last look began */
static bool found_none = false; /* by a look that began when nothing was under way */
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
static bool is_idle(void);
static int most_to_claim(double now);
static void claim(double now);
static char *make_claim_sql(void);
static void take_claimed(void *context, const PGresult *result);
static void take_message(const PGresult *result, int row);
static const char *value_of(const PGresult *result, int row, int column);
static void keep_house(double now);
static void take_kept(void *context, const PGresult *result);
static void wait_for_something(double until);

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
		held_work(now);
		if (draining && now >= drain_until && !giving_back)
			give_back();
		if (draining && (is_idle() || now >= drain_until))
			break;
		if (once_only && session_failure(session) != NULL)
		{
			status = EX_TEMPFAIL;
			break;
		}
		if (once_only && !claiming && claim_failures == 0 && is_idle())
		{
			if (found_none)
				break;
			look_at = now;
		}
		if (session_take_notice(session))
			look_at = now;
		claim(now);
		held_begin(now);
		held_renew(session, now);
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
	session = session_create("sales_crm_sender", CHANNEL, 30);
	keeper = session_create("sales_crm_sender housekeeping", NULL, INFINITY);
	claim_sql = make_claim_sql();
	delivery_init(session, multi);
	held_init(once_only);
	keep_at = clock_now();
}

/* tear_down: what could not be delivered or reported in time is left to the leases. */
static void
tear_down(void)
{
	held_finish();
	report_forget(session);
	smtp_connections_finish();
	session_destroy(session);
	session_destroy(keeper);
	curl_multi_cleanup(multi);
	curl_global_cleanup();
	config_free(config);
	g_free(claim_sql);
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
	/* Those to webhooks beside those to the mail server */
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L * config->parallel);
	held_configure(config);
	look_at = 0;
}

static void
drain(void)
{
	if (!draining)
	{
		log_info("stopping: %u deliveries have %.0f s to end", held_length(), config->drain);
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
	held_give_up("the sender was stopped before it was delivered");
	held_work(clock_now());
	report_work(session);
}

/* is_idle: what is delivered may make other messages available, as soon as it is reported. */
static bool
is_idle(void)
{
	return held_length() == 0 && report_is_empty();
}

/* most_to_claim: how many messages, 0 for none; whether there are any is another question. */
static int
most_to_claim(double now)
{
	return draining || claiming || !session_is_ready(session) ? 0 : held_room(now);
}

/* claim asks for messages a little ahead of what can be delivered at once. */
static void
claim(double now)
{
	int room = now < look_at ? 0 : most_to_claim(now);
	char *list;
	char *most;
	char *lease;

	if (room == 0)
		return;
	list = held_claimable_kinds(now);
	most = g_strdup_printf("%d", room);
	lease = g_strdup_printf("%.3f", config->lease);
	{
		const char *values[] = {config->worker, most, lease, list};

		claiming = true;
		was_idle = is_idle();
		claimed_at = now;
		session_query(session, claim_sql, G_N_ELEMENTS(values), values, NULL, false, take_claimed,
					  NULL);
	}
	g_free(list);
	g_free(most);
	g_free(lease);
}

static char *
make_claim_sql(void)
{
	GString *columns = g_string_new(NULL);
	char *sql;

	for (int i = 0; i < FIELD_COUNT; i++)
		g_string_append_printf(columns, ", p.payload ->> '%s'", field_names[i]);
	sql = g_strdup_printf(CLAIM_SQL, columns->str);
	g_string_free(columns, TRUE);
	return sql;
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
	found_none = !any && was_idle;
	for (int i = 0; any && i < PQntuples(result); i++)
		take_message(result, i);
	if (any)
		quick_looks = QUICK_LOOKS;
	if (PQgetvalue(result, 0, 4)[0] != 't')
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

static void
take_message(const PGresult *result, int row)
{
	Claimed claimed = {
		.message_id = atoll(PQgetvalue(result, row, 0)),
		.fence = atoll(PQgetvalue(result, row, 2)),
		.attempt = atoi(PQgetvalue(result, row, 3)),
		.payload = value_of(result, row, 5),
	};

	for (int i = 0; i < FIELD_COUNT; i++)
		claimed.fields[i] = value_of(result, row, 6 + i);
	held_add(PQgetvalue(result, row, 1), &claimed, claimed_at);
}

static const char *
value_of(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
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
	static struct curl_waitfd *descriptors = NULL; /* of the last wait: others read them still */
	unsigned count = 0;
	double now = clock_now();
	char drained[64];
	int ready;

	g_free(descriptors);
	descriptors = g_new0(struct curl_waitfd, 3 + held_descriptors());
	descriptors[count++] = (struct curl_waitfd){wake_up[0], CURL_WAIT_POLLIN, 0};
	count += session_wait_for(session, &descriptors[count]);
	count += session_wait_for(keeper, &descriptors[count]);
	count += held_wait_for(&descriptors[count], now, &until);
	if (most_to_claim(now) > 0)
		until = fmin(until, look_at);
	if (config->housekeeping && !keeping && keep_at > now)
		until = fmin(until, keep_at);
	if (draining)
		until = fmin(until, drain_until);
	until = fmin(fmax(until - now, 0), 1);
	curl_multi_poll(multi, descriptors, count, (int) ceil(until * 1000), &ready);
	while (descriptors[0].revents != 0 && read(wake_up[0], drained, sizeof(drained)) > 0)
		continue;
}
