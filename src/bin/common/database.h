/*
 * database.h
 *		What the programs outside the server share: a connection, and calls of SQL functions.
 */
#ifndef SCRM_DATABASE_H
#define SCRM_DATABASE_H

#include <stdbool.h>

#include <libpq-fe.h>

/* A connection as the PG* environment says, or NULL after a line on standard error */
extern PGconn *database_connect(const char *program);

/* For PQsetNoticeProcessor: notices are dropped */
extern void database_ignore_notice(void *arg, const char *message);

/*
 * Runs a statement whose parameters are text, or binary where lengths says how long (else -1).
 * Returns NULL after a line on standard error; then *permanent says whether the data were to
 * blame (SQLSTATE classes 22, 23 and 54), so that trying again would not help.
 */
extern PGresult *database_run(PGconn *connection, const char *sql, int count,
							  const char *const *values, const int *lengths, bool *permanent);

/* Runs a statement without parameters and result */
extern bool database_do(PGconn *connection, const char *sql);

#endif /* SCRM_DATABASE_H */
