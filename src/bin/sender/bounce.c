/*
 * bounce.c
 *		Notes in the database which e-mails came back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "../common/database.h"
#include "bounce.h"
#include "dsn.h"

#define PROGRAM "sales_crm_sender"

static int
record(PGconn *connection, const DsnFailure *failure, const char *reference, bool *known);

int
bounce_take(PGconn *connection, const GByteArray *bytes, bool cut)
{
	const char *problem = NULL;
	Dsn *dsn = dsn_parse((const char *) bytes->data, bytes->len, &problem);
	int status = EX_OK;

	(void) cut;
	if (dsn == NULL)
	{
		fprintf(stderr, PROGRAM ": %s\n", problem);
		return EX_OK;
	}
	/* Postfix and others give the address that it came to to a pipe */
	if (getenv("ORIGINAL_RECIPIENT") != NULL)
		g_ptr_array_insert(dsn->references, 0, g_strdup(getenv("ORIGINAL_RECIPIENT")));
	for (guint i = 0; i < dsn->failures->len && status == EX_OK; i++)
	{
		bool known = false;

		for (guint r = 0; r < dsn->references->len && !known && status == EX_OK; r++)
			status = record(connection, g_ptr_array_index(dsn->failures, i),
							g_ptr_array_index(dsn->references, r), &known);
		if (!known && status == EX_OK)
			fprintf(stderr, PROGRAM ": the notification is about no e-mail of this database\n");
	}
	dsn_free(dsn);
	return status;
}

static int
record(PGconn *connection, const DsnFailure *failure, const char *reference, bool *known)
{
	const char *values[] = {reference, failure->address, failure->status, failure->diagnostic};
	bool permanent = false;
	PGresult *result = database_run(connection, "SELECT sales_crm.record_bounce($1, $2, $3, $4)",
									G_N_ELEMENTS(values), values, NULL, &permanent);

	/* Data that the database does not take will not be better next time */
	if (result == NULL)
		return permanent ? EX_OK : EX_TEMPFAIL;
	*known = !PQgetisnull(result, 0, 0);
	PQclear(result);
	return EX_OK;
}
