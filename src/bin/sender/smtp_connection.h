/*
 * smtp_connection.h
 *		Connections to the mail server, which carry one e-mail after the other.
 *
 * libcurl makes them, with TLS and the login, and carries the bytes (CURLOPT_CONNECT_ONLY); what is
 * said over them is smtp.c's. None of the functions waits.
 */
#ifndef SCRM_SMTP_CONNECTION_H
#define SCRM_SMTP_CONNECTION_H

#include <stdbool.h>

#include <curl/curl.h>
#include <glib.h>

#include "config.h"

typedef struct SmtpConnection
{
	CURL *easy;
	const Config *config; /* that it was made with */
	curl_socket_t socket; /* once it is open */
	bool is_kept;		  /* it has carried an e-mail */
	double kept_at;
	const char *command; /* the verb of the last one before it was open */
	bool quits;			 /* from there on nothing counts */
	GString *response;	 /* the last line that the server has said to that */
	GString *input;		 /* what it has said since, as far as it is not taken */

	/* What the server has said that it can do */
	bool takes_pipelining; /* RFC 2920 */
	bool takes_chunks;	   /* RFC 3030 */
	bool takes_size;	   /* RFC 1870 */
	bool takes_utf8;	   /* RFC 6531 */
} SmtpConnection;

/* One that is kept and still open; NULL where there is none */
extern SmtpConnection *smtp_connection_take(const Config *config);

/* One whose handle is to be handed to libcurl, then to smtp_connection_opened() */
extern SmtpConnection *smtp_connection_create(const Config *config);
extern bool smtp_connection_opened(SmtpConnection *connection);

/* Keeps it for the next e-mail, when all that was asked is answered, unless more was said than that */
extern void smtp_connection_keep(SmtpConnection *connection);

extern void smtp_connection_close(SmtpConnection *connection);

/* Says goodbye on those that are kept */
extern void smtp_connections_finish(void);

/* Sends what it can of that, and says how much; false where the connection is lost */
extern bool
smtp_connection_send(SmtpConnection *connection, const char *bytes, size_t length, size_t *sent);

/* Receives what is there; false where the connection is lost, or the server does not stop talking */
extern bool smtp_connection_receive(SmtpConnection *connection);

/*
 * Takes one answer of what was received: its status, and its last line. 0 where it is not there yet,
 * -1 where it is none.
 */
extern int smtp_connection_answer(SmtpConnection *connection, GString *line);

#endif /* SCRM_SMTP_CONNECTION_H */
