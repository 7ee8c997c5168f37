/*
 * pool.c
 *		Connections to the database, shared by all requests, with their prepared statements.
 *
 * One mutex guards the list and the counters; it is never held while talking to the database.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/clock.h"
#include "../common/database.h"
#include "buffer.h"
#include "log.h"
#include "pool.h"

/* A request waits so long for a free connection */
#define WAIT_SECONDS 5
/* And the database for itself to answer at all beyond its own statement_timeout */
#define GRACE_SECONDS 3
/* No more than one try a second while it is away */
#define RETRY_MILLISECONDS 1000
#define MAX_PARAMETERS 12

typedef struct StatementText
{
	const char *name;
	int parameters;
	const char *sql;
} StatementText;

/* Every column is text but for bytea: results are asked for in binary, where text is itself */
static const StatementText statements[STATEMENTS] = {
	[OPEN_QUOTE] =
		{"open_quote", 3,
		 "SELECT status, encode(snapshot_sha256, 'hex'), quote_number, version::text, title, locale,"
		 " gross, valid_until::text, company->>'name', company->>'logo', company->>'brand_color',"
		 " company->>'email', seller->>'name', seller->>'email', seller->>'phone', recipient_email,"
		 " signer_name, to_char(answered_at, 'YYYY-MM-DD HH24:MI'), code_required::text,"
		 " has_successor::text, channel, has_pdf::text"
		 " FROM sales_crm.open_quote($1, $2::inet, $3)"},
	[QUOTE_DOCUMENT] = {"quote_document", 3,
						"SELECT html FROM sales_crm.open_quote($1, $2::inet, $3)"},
	[RECORD_VIEW] = {"record_view", 3, "SELECT sales_crm.record_view($1, $2::inet, $3)::text"},
	[SIGN_QUOTE] =
		{"sign_quote", 10,
		 "SELECT status FROM sales_crm.sign_quote(token => $1, snapshot_sha256 => decode($2, 'hex'),"
		 " signer_name => $3, signer_email => $4, signature_png => $5::bytea, ip => $6::inet,"
		 " user_agent => $7, request_key => $8, consent_text => $9, code => $10)"},
	[REQUEST_CHANGE] =
		{"request_change", 7,
		 "SELECT status FROM sales_crm.request_change(token => $1, note => $2, requester_name => $3,"
		 " requester_email => $4, ip => $5::inet, user_agent => $6, request_key => $7)"},
	[DECLINE_QUOTE] =
		{"decline_quote", 7,
		 "SELECT status FROM sales_crm.decline_quote(token => $1, reason => $2, refuser_name => $3,"
		 " refuser_email => $4, ip => $5::inet, user_agent => $6, request_key => $7)"},
	[QUOTE_PDF] = {"quote_pdf", 1,
				   "SELECT file_name, content, ready::text FROM sales_crm.quote_pdf($1)"},
	[REQUEST_SIGNING_CODE] = {"request_signing_code", 1,
							  "SELECT sales_crm.request_signing_code($1)::text"},
	[PRESENT_SIGNING_CODE] = {"present_signing_code", 2,
							  "SELECT sales_crm.present_signing_code($1, $2)::text"},
	[FOLLOW_QUOTE] = {"follow_quote", 1, "SELECT sales_crm.follow_quote($1)"},
	[CALENDAR] = {"calendar", 1, "SELECT sales_crm.calendar_feed_ics($1)"},
	[ALIVE] = {"alive", 0, "SELECT 'alive'"},
};

typedef struct Slot
{
	PGconn *connection; /* NULL: not open */
	bool busy;
	bool prepared[STATEMENTS];
} Slot;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed;
static Slot *slots;
static int slot_count;
static long long closed_until; /* milliseconds; no connection is tried before */
static PoolFigures figures;
static const Config *settings;

static Slot *take(void);
static void give(Slot *slot);
static bool connect_slot(Slot *slot);
static PGconn *connect_now(const Config *config, Buffer *problem);
static void disconnect(Slot *slot);
static void disconnect_idle(void);
static PGresult *
run(Slot *slot, Statement statement, const char *const *values, const int *lengths);
static PGresult *prepare(Slot *slot, Statement statement);
static PGresult *await_result(PGconn *connection);
static bool wait_readable(PGconn *connection, long long until);
static bool is_worth_repeating(const Slot *slot, const char *sqlstate);
static bool is_refusal(const char *sqlstate);

void
pool_start(const Config *config)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&freed, &attributes);
	pthread_condattr_destroy(&attributes);
	settings = config;
	slot_count = config->database_connections;
	slots = must_allocate((size_t) slot_count * sizeof(Slot));
}

void
pool_stop(void)
{
	for (int i = 0; i < slot_count; i++)
		disconnect(&slots[i]);
	free(slots);
	slots = NULL;
	slot_count = 0;
	pthread_cond_destroy(&freed);
}

Reply
pool_call(Statement statement, const char *const *values, const int *lengths)
{
	Reply reply = {UNAVAILABLE, NULL, "", ""};

	for (int try = 0; try < 3; try++)
	{
		Slot *slot = take();
		PGresult *result;
		const char *sqlstate;
		bool again;

		if (slot == NULL)
			return reply;
		result = run(slot, statement, values, lengths);
		if (PQresultStatus(result) == PGRES_TUPLES_OK)
		{
			give(slot);
			reply.outcome = DONE;
			reply.result = result;
			return reply;
		}
		sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		snprintf(reply.sqlstate, sizeof(reply.sqlstate), "%s", sqlstate == NULL ? "" : sqlstate);
		if (is_refusal(reply.sqlstate))
		{
			const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);

			snprintf(reply.column, sizeof(reply.column), "%s", column == NULL ? "" : column);
			PQclear(result);
			give(slot);
			reply.outcome = REFUSED;
			return reply;
		}
		again = is_worth_repeating(slot, reply.sqlstate);
		log_error("database: %s: %s", reply.sqlstate,
				  result == NULL ? PQerrorMessage(slot->connection)
								 : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
		PQclear(result);
		/* A plan or a connection that is no good any more; the idle ones are of the same age */
		if (PQstatus(slot->connection) != CONNECTION_OK || strcmp(reply.sqlstate, "0A000") == 0 ||
			strcmp(reply.sqlstate, "26000") == 0 || *reply.sqlstate == '\0')
		{
			disconnect(slot);
			disconnect_idle();
		}
		give(slot);
		if (!again)
			break;
	}
	pthread_mutex_lock(&lock);
	figures.failures++;
	pthread_mutex_unlock(&lock);
	return reply;
}

PoolFigures
pool_figures(void)
{
	PoolFigures now;

	pthread_mutex_lock(&lock);
	now = figures;
	for (int i = 0; i < slot_count; i++)
	{
		now.busy += slots[i].busy;
		now.open += slots[i].connection != NULL;
	}
	pthread_mutex_unlock(&lock);
	return now;
}

char *
pool_check(const Config *config)
{
	Buffer problem = {0};
	PGconn *connection = connect_now(config, &problem);
	PGresult *result;

	if (connection == NULL)
		return problem.data;
	for (int i = 0; i < STATEMENTS && problem.length == 0; i++)
	{
		result = PQprepare(connection, "", statements[i].sql, 0, NULL);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			buffer_printf(&problem, "%s: %s", statements[i].name, PQerrorMessage(connection));
		PQclear(result);
	}
	if (problem.length == 0)
	{
		/* Preparing does not look at rights; and what this login can do beyond them is a finding */
		result = PQexec(
			connection,
			"SELECT concat_ws('; ',"
			" CASE WHEN NOT pg_has_role('sales_crm_portal', 'usage') THEN 'the login is not a member of sales_crm_portal' END,"
			" CASE WHEN rolsuper THEN 'the login is a superuser' END,"
			" CASE WHEN has_table_privilege('sales_crm.opportunity', 'select') THEN 'the login may read tables' END)"
			" FROM pg_roles WHERE rolname = current_user");
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			buffer_text(&problem, PQerrorMessage(connection));
		else
			buffer_text(&problem, PQgetvalue(result, 0, 0));
		PQclear(result);
	}
	PQfinish(connection);
	if (problem.length > 0)
		return problem.data;
	buffer_free(&problem);
	return NULL;
}

/*
 * take: an open connection of one's own, or NULL when none is to be had. Where the database gives no
 * more of them, those that there are do.
 */
static Slot *
take(void)
{
	struct timespec until;
	bool waited = true;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&lock);
	figures.calls++;
	while (waited)
	{
		bool may_open = clock_milliseconds() >= closed_until;
		bool any_open = false;
		Slot *slot = NULL;

		/* One that is open before one that is to be opened */
		for (int i = 0; i < slot_count; i++)
		{
			bool is_open = slots[i].connection != NULL;

			any_open |= is_open;
			if (!slots[i].busy && (is_open || may_open) && (slot == NULL || is_open))
				slot = &slots[i];
		}
		if (slot != NULL)
		{
			slot->busy = true;
			pthread_mutex_unlock(&lock);
			if (slot->connection != NULL || connect_slot(slot))
				return slot;
			give(slot);
			pthread_mutex_lock(&lock);
		}
		else
			waited = (any_open || may_open) && pthread_cond_timedwait(&freed, &lock, &until) == 0;
	}
	figures.failures++;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void
give(Slot *slot)
{
	pthread_mutex_lock(&lock);
	slot->busy = false;
	pthread_cond_signal(&freed);
	pthread_mutex_unlock(&lock);
}

static bool
connect_slot(Slot *slot)
{
	Buffer problem = {0};
	PGconn *connection = connect_now(settings, &problem);

	pthread_mutex_lock(&lock);
	if (connection == NULL)
	{
		closed_until = clock_milliseconds() + RETRY_MILLISECONDS;
		/* Who waits for it need not */
		pthread_cond_broadcast(&freed);
	}
	slot->connection = connection;
	memset(slot->prepared, 0, sizeof(slot->prepared));
	pthread_mutex_unlock(&lock);
	if (connection == NULL)
		log_error("database: %s", problem.data);
	buffer_free(&problem);
	return connection != NULL;
}

static PGconn *
connect_now(const Config *config, Buffer *problem)
{
	char timeout[100];
	const char *const keywords[] = {"connect_timeout",
									"tcp_user_timeout",
									"fallback_application_name",
									"dbname",
									"client_encoding",
									"options",
									NULL};
	const char *const values[] = {"5",	   "15000", "sales_crm_portal", config->database, "UTF8",
								  timeout, NULL};
	PGconn *connection;

	snprintf(timeout, sizeof(timeout),
			 "-c statement_timeout=%ds -c idle_in_transaction_session_timeout=30s",
			 config->statement_seconds);
	connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(connection) == CONNECTION_OK && PQsetnonblocking(connection, 0) == 0)
	{
		PQsetNoticeProcessor(connection, database_ignore_notice, NULL);
		return connection;
	}
	buffer_text(problem, PQerrorMessage(connection));
	PQfinish(connection);
	return NULL;
}

static void
disconnect(Slot *slot)
{
	PGconn *connection = slot->connection;

	if (connection == NULL)
		return;
	pthread_mutex_lock(&lock);
	slot->connection = NULL;
	pthread_mutex_unlock(&lock);
	PQfinish(connection);
}

static void
disconnect_idle(void)
{
	for (int i = 0; i < slot_count; i++)
	{
		PGconn *connection = NULL;

		pthread_mutex_lock(&lock);
		if (!slots[i].busy)
		{
			connection = slots[i].connection;
			slots[i].connection = NULL;
		}
		pthread_mutex_unlock(&lock);
		PQfinish(connection);
	}
}

/* run: the result, or NULL when the connection gave none */
static PGresult *
run(Slot *slot, Statement statement, const char *const *values, const int *lengths)
{
	int sizes[MAX_PARAMETERS] = {0};
	int formats[MAX_PARAMETERS] = {0};
	int count = statements[statement].parameters;

	for (int i = 0; i < count && lengths != NULL; i++)
	{
		formats[i] = lengths[i] >= 0;
		sizes[i] = lengths[i] >= 0 ? lengths[i] : 0;
	}
	if (!slot->prepared[statement])
	{
		PGresult *refused = prepare(slot, statement);

		if (!slot->prepared[statement])
			return refused;
	}
	if (PQsendQueryPrepared(slot->connection, statements[statement].name, count, values, sizes,
							formats, 1) != 1)
		return NULL;
	return await_result(slot->connection);
}

/* prepare: NULL when it has been done, or why not, which is NULL for a broken connection */
static PGresult *
prepare(Slot *slot, Statement statement)
{
	PGresult *result;

	if (PQsendPrepare(slot->connection, statements[statement].name, statements[statement].sql, 0,
					  NULL) != 1)
		return NULL;
	result = await_result(slot->connection);
	slot->prepared[statement] = PQresultStatus(result) == PGRES_COMMAND_OK;
	if (!slot->prepared[statement])
		return result;
	PQclear(result);
	return NULL;
}

/* await_result: what the statement gave; NULL when the connection is dead, or the server silent */
static PGresult *
await_result(PGconn *connection)
{
	long long until = clock_milliseconds() + 1000LL * (settings->statement_seconds + GRACE_SECONDS);
	PGresult *result = NULL;

	for (;;)
	{
		PGresult *next;

		while (PQisBusy(connection))
		{
			if (!wait_readable(connection, until) || PQconsumeInput(connection) != 1)
			{
				PQclear(result);
				return NULL;
			}
		}
		next = PQgetResult(connection);
		if (next == NULL)
			return result;
		PQclear(result);
		result = next;
	}
}

static bool
wait_readable(PGconn *connection, long long until)
{
	struct pollfd wait = {.fd = PQsocket(connection), .events = POLLIN};
	long long left = until - clock_milliseconds();

	return left > 0 && poll(&wait, 1, (int) left) > 0;
}

/* is_worth_repeating: broken by chance, by a restart or by a new version of a function */
static bool
is_worth_repeating(const Slot *slot, const char *sqlstate)
{
	if (strcmp(sqlstate, "57014") == 0)
		return false;
	return *sqlstate == '\0' || PQstatus(slot->connection) != CONNECTION_OK ||
		   strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0 ||
		   strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0;
}

/* is_refusal: the rules of sales_crm, or data that they refuse */
static bool
is_refusal(const char *sqlstate)
{
	return strncmp(sqlstate, "SC", 2) == 0 || strncmp(sqlstate, "22", 2) == 0 ||
		   strncmp(sqlstate, "23", 2) == 0 || strncmp(sqlstate, "P0", 2) == 0 ||
		   strncmp(sqlstate, "54", 2) == 0;
}
