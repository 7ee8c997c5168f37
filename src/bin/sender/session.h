/*
 * session.h
 *		A connection to the database that never makes the loop wait.
 *
 * Statements are sent at once, one behind the other (libpq's pipeline mode), each a transaction of
 * its own; their results arrive in the same order.
 */
#ifndef SCRM_SESSION_H
#define SCRM_SESSION_H

#include <stdbool.h>

#include <curl/curl.h>
#include <libpq-fe.h>

typedef struct Session Session;

/* The result belongs to the session; NULL where the connection was lost before it came */
typedef void (*SessionResult)(void *context, const PGresult *result);

/* silence: seconds without a result that is outstanding, after which the connection is given up */
extern Session *session_create(const char *application, const char *listen, double silence);
extern void session_destroy(Session *session);

/* Connects, and again whenever the connection is lost, until session_close() */
extern void session_open(Session *session, const char *database);
extern void session_close(Session *session);
extern bool session_is_ready(const Session *session);

/* Whether the last attempt to connect failed; and why, as libpq says */
extern const char *session_failure(const Session *session);

/* Whether something was notified since the last call */
extern bool session_take_notice(Session *session);

/*
 * Parameters are text, or binary where lengths is not NULL and says how long (else -1); values of
 * the result are binary where asked for. Without a connection the function gets NULL at once.
 */
extern void session_query(Session *session, const char *sql, int count, const char *const *values,
						  const int *lengths, bool binary, SessionResult then, void *context);

/* Results that are still to come for this context are thrown away */
extern void session_forget(Session *session, const void *context);

/* How many results are to come */
extern int session_pending(const Session *session);

/* What to wait for; false where there is no socket. session_work() reads the descriptor again. */
extern bool session_wait_for(Session *session, struct curl_waitfd *descriptor);

/* Does what can be done without waiting; returns the time of clock_now() to call it again by */
extern double session_work(Session *session);

/* Whether a result is one of a statement that was done */
extern bool session_succeeded(const PGresult *result);

#endif /* SCRM_SESSION_H */
