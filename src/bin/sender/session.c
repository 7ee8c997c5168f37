/*
 * session.c
 *		A connection to the database that never makes the loop wait.
 *
 * A connection that has been silent for too long with a result outstanding is given up: the loop
 * asks for messages every second, so that a server that is gone is noticed within that time.
 * Lost connections are made anew after a pause that doubles, with jitter.
 */
#include <math.h>
#include <poll.h>
#include <string.h>

#include <glib.h>

#include "../common/clock.h"
#include "log.h"
#include "session.h"

#define CONNECT_SECONDS 60.0
#define LEAST_PAUSE 0.2
#define MOST_PAUSE 15.0

typedef enum State
{
	STATE_CLOSED,
	STATE_PAUSED, /* until the next attempt */
	STATE_CONNECTING,
	STATE_READY,
} State;

typedef struct Pending
{
	SessionResult then; /* NULL: nobody wants it any more */
	void *context;
	const char *prepares; /* the SQL of a statement that is made first, and may fail as well */
} Pending;

struct Session
{
	char *application;
	char *listen;
	double silence;
	char *database;
	PGconn *connection;
	State state;
	PostgresPollingStatusType wanted; /* while it connects */
	const struct curl_waitfd *waited; /* what has come of the socket, once the loop has waited */
	GQueue pending;					  /* of Pending */
	GHashTable *prepared;			  /* names of statements of this connection, by their SQL */
	unsigned named;
	double since; /* of the state, or of the last sign of life */
	int failures;
	double pause;
	char *failure;
	bool noticed;
};

static void begin(Session *session);
static const char *prepare(Session *session, const char *sql, Pending *pending);
static void go_on(Session *session);
static void become_ready(Session *session);
static void receive(Session *session);
static void lose(Session *session, const char *reason);
static void throw_away(Session *session);
static void quiet(void *arg, const char *message);

Session *
session_create(const char *application, const char *listen, double silence)
{
	Session *session = g_new0(Session, 1);

	session->application = g_strdup(application);
	session->listen = g_strdup(listen);
	session->silence = silence;
	g_queue_init(&session->pending);
	session->prepared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return session;
}

void
session_destroy(Session *session)
{
	session_close(session);
	g_hash_table_unref(session->prepared);
	g_free(session->application);
	g_free(session->listen);
	g_free(session->database);
	g_free(session->failure);
	g_free(session);
}

void
session_open(Session *session, const char *database)
{
	if (session->state != STATE_CLOSED && g_strcmp0(session->database, database) == 0)
		return;
	session_close(session);
	g_free(session->database);
	session->database = g_strdup(database);
	begin(session);
}

void
session_close(Session *session)
{
	PQfinish(session->connection);
	session->connection = NULL;
	session->state = STATE_CLOSED;
	throw_away(session);
}

bool
session_is_ready(const Session *session)
{
	return session->state == STATE_READY;
}

const char *
session_failure(const Session *session)
{
	return session->failure;
}

bool
session_take_notice(Session *session)
{
	bool noticed = session->noticed;

	session->noticed = false;
	return noticed;
}

int
session_pending(const Session *session)
{
	return (int) session->pending.length;
}

bool
session_succeeded(const PGresult *result)
{
	return result != NULL && (PQresultStatus(result) == PGRES_TUPLES_OK ||
							  PQresultStatus(result) == PGRES_COMMAND_OK);
}

void
session_query(Session *session, const char *sql, int count, const char *const *values,
			  const int *lengths, bool binary, SessionResult then, void *context)
{
	int *formats = g_newa0(int, count + 1);
	int *sizes = g_newa0(int, count + 1);
	const char *name;
	Pending *pending;

	for (int i = 0; i < count && lengths != NULL; i++)
	{
		formats[i] = lengths[i] >= 0;
		sizes[i] = lengths[i] >= 0 ? lengths[i] : 0;
	}
	pending = g_new0(Pending, 1);
	pending->then = then;
	pending->context = context;
	if (session->state != STATE_READY || (name = prepare(session, sql, pending)) == NULL ||
		!PQsendQueryPrepared(session->connection, name, count, values, sizes, formats, binary) ||
		!PQpipelineSync(session->connection))
	{
		g_free(pending);
		if (then != NULL)
			then(context, NULL);
		return;
	}
	if (session->pending.length == 0)
		session->since = clock_now();
	g_queue_push_tail(&session->pending, pending);
}

/* prepare gives the name of a statement, which is parsed once in a connection; NULL where that fails. */
static const char *
prepare(Session *session, const char *sql, Pending *pending)
{
	char *name = g_hash_table_lookup(session->prepared, sql);
	char *key;

	if (name != NULL)
		return name;
	name = g_strdup_printf("s%u", ++session->named);
	key = g_strdup(sql);
	g_hash_table_insert(session->prepared, key, name);
	pending->prepares = key;
	return PQsendPrepare(session->connection, name, sql, 0, NULL) ? name : NULL;
}

void
session_forget(Session *session, const void *context)
{
	for (GList *at = session->pending.head; at != NULL; at = at->next)
	{
		Pending *pending = at->data;

		if (pending->context == context)
			pending->then = NULL;
	}
}

bool
session_wait_for(Session *session, struct curl_waitfd *descriptor)
{
	bool reads = session->state == STATE_READY || session->wanted == PGRES_POLLING_READING;
	bool writes = session->state == STATE_READY ? PQflush(session->connection) == 1
												: session->wanted == PGRES_POLLING_WRITING;

	session->waited = NULL;
	if (session->state != STATE_READY && session->state != STATE_CONNECTING)
		return false;
	session->waited = descriptor;
	descriptor->fd = PQsocket(session->connection);
	descriptor->events =
		(short) ((reads ? CURL_WAIT_POLLIN : 0) | (writes ? CURL_WAIT_POLLOUT : 0));
	descriptor->revents = 0;
	return descriptor->fd >= 0;
}

double
session_work(Session *session)
{
	double now = clock_now();

	if (session->state == STATE_PAUSED && now >= session->since + session->pause)
		begin(session);
	if (session->state == STATE_CONNECTING)
		go_on(session);
	if (session->state == STATE_READY)
		receive(session);
	if (session->state == STATE_CONNECTING && now >= session->since + CONNECT_SECONDS)
		lose(session, "no answer");
	if (session->state == STATE_READY && session->pending.length > 0 &&
		now >= session->since + session->silence)
		lose(session, "the server has been silent for too long");
	switch (session->state)
	{
		case STATE_PAUSED:
			return session->since + session->pause;
		case STATE_CONNECTING:
			return session->since + CONNECT_SECONDS;
		case STATE_READY:
			return session->pending.length > 0 ? session->since + session->silence : INFINITY;
		default:
			return INFINITY;
	}
}

/* Only a server that takes writes can hand out messages. */
static void
begin(Session *session)
{
	const char *const keywords[] = {
		"fallback_application_name", "dbname",			 "client_encoding",
		"target_session_attrs",		 "tcp_user_timeout", NULL,
	};
	const char *const values[] = {
		session->application,
		session->database == NULL ? "" : session->database,
		"UTF8",
		"read-write",
		"15000",
		NULL,
	};

	session->connection = PQconnectStartParams(keywords, values, 1);
	session->state = STATE_CONNECTING;
	session->wanted = PGRES_POLLING_WRITING;
	session->since = clock_now();
	if (PQstatus(session->connection) == CONNECTION_BAD)
		lose(session, PQerrorMessage(session->connection));
}

static void
go_on(Session *session)
{
	struct pollfd ready = {
		.fd = PQsocket(session->connection),
		.events = session->wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN,
	};

	if (poll(&ready, 1, 0) <= 0)
		return;
	session->wanted = PQconnectPoll(session->connection);
	if (session->wanted == PGRES_POLLING_FAILED)
		lose(session, PQerrorMessage(session->connection));
	else if (session->wanted == PGRES_POLLING_OK)
		become_ready(session);
}

static void
become_ready(Session *session)
{
	PQsetNoticeProcessor(session->connection, quiet, NULL);
	PQsetnonblocking(session->connection, 1);
	PQenterPipelineMode(session->connection);
	session->state = STATE_READY;
	session->since = clock_now();
	session->noticed = true;
	g_hash_table_remove_all(session->prepared);
	/* Whatever the database's default: looks for messages must see what others have committed */
	session_query(session, "SET default_transaction_isolation = 'read committed'", 0, NULL, NULL,
				  false, NULL, NULL);
	if (session->listen != NULL)
	{
		char *sql = g_strconcat("LISTEN ", session->listen, NULL);

		session_query(session, sql, 0, NULL, NULL, false, NULL, NULL);
		g_free(sql);
	}
}

static void
receive(Session *session)
{
	bool is_ready = session->waited != NULL && session->waited->revents != 0;
	PGnotify *notify;

	if ((is_ready && !PQconsumeInput(session->connection)) || PQflush(session->connection) < 0)
	{
		lose(session, PQerrorMessage(session->connection));
		return;
	}
	while (session->state == STATE_READY && session->pending.length > 0 &&
		   !PQisBusy(session->connection))
	{
		PGresult *result = PQgetResult(session->connection);
		Pending *pending;

		session->failures = 0;
		session->since = clock_now();
		if (result == NULL)
		{
			if (PQstatus(session->connection) == CONNECTION_BAD)
				break;
			continue;
		}
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
			g_free(g_queue_pop_head(&session->pending));
		else
		{
			pending = session->pending.head->data;
			if (pending->prepares == NULL || !session_succeeded(result))
			{
				if (pending->prepares != NULL)
					g_hash_table_remove(session->prepared, pending->prepares);
				if (pending->then != NULL)
					pending->then(pending->context, result);
				pending->then = NULL;
			}
			pending->prepares = NULL;
		}
		PQclear(result);
	}
	if (session->state != STATE_READY)
		return;
	while ((notify = PQnotifies(session->connection)) != NULL)
	{
		session->noticed = true;
		PQfreemem(notify);
	}
	if (PQstatus(session->connection) == CONNECTION_BAD)
		lose(session, PQerrorMessage(session->connection));
}

/* lose gives the connection up, and those who wait for a result their answer. */
static void
lose(Session *session, const char *reason)
{
	g_free(session->failure);
	session->failure = g_strdup(reason);
	g_strchomp(session->failure);
	session->failures++;
	session->pause = clock_backoff(session->failures, LEAST_PAUSE, MOST_PAUSE);
	log_warning("no connection to the database: %s; next attempt in %.1f s", session->failure,
				session->pause);
	PQfinish(session->connection);
	session->connection = NULL;
	session->state = STATE_PAUSED;
	session->since = clock_now();
	throw_away(session);
}

static void
throw_away(Session *session)
{
	Pending *pending;

	while ((pending = g_queue_pop_head(&session->pending)) != NULL)
	{
		if (pending->then != NULL)
			pending->then(pending->context, NULL);
		g_free(pending);
	}
}

static void
quiet(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}
