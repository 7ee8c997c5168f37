/*
 * database.c
 *		What the programs outside the server share: a connection, and calls of SQL functions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

#define MAX_PARAMETERS 20

static bool is_permanent(const char *sqlstate);

PGconn *
database_connect(const char *program)
{
	const char *const keywords[] = {"fallback_application_name", "connect_timeout",
									"client_encoding", NULL};
	const char *const values[] = {program, getenv("PGCONNECT_TIMEOUT") ? NULL : "30", "UTF8", NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, 0);

	if (PQstatus(connection) != CONNECTION_OK)
	{
		fprintf(stderr, "%s: %s", program, PQerrorMessage(connection));
		PQfinish(connection);
		return NULL;
	}
	PQsetNoticeProcessor(connection, database_ignore_notice, NULL);
	return connection;
}

PGresult *
database_run(PGconn *connection, const char *sql, int count, const char *const *values,
			 const int *lengths, bool *permanent)
{
	int sizes[MAX_PARAMETERS] = {0};
	int formats[MAX_PARAMETERS] = {0};
	PGresult *result;

	for (int i = 0; i < count && lengths != NULL; i++)
	{
		formats[i] = lengths[i] >= 0;
		sizes[i] = lengths[i] >= 0 ? lengths[i] : 0;
	}
	result = PQexecParams(connection, sql, count, NULL, values, sizes, formats, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK)
		return result;
	fprintf(stderr, "%s", PQerrorMessage(connection));
	*permanent = is_permanent(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	PQclear(result);
	return NULL;
}

bool
database_do(PGconn *connection, const char *sql)
{
	bool permanent;
	PGresult *result = database_run(connection, sql, 0, NULL, NULL, &permanent);
	bool done = result != NULL;

	PQclear(result);
	return done;
}

void
database_ignore_notice(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}

static bool
is_permanent(const char *sqlstate)
{
	return sqlstate != NULL && (strncmp(sqlstate, "22", 2) == 0 ||
								strncmp(sqlstate, "23", 2) == 0 || strncmp(sqlstate, "54", 2) == 0);
}
