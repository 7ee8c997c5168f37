/*
 * inbound.c
 *		Files incoming e-mails in the database: one from standard input, as an MTA's alias gives it,
 *		or those that are new in a Maildir.
 *
 * A message is taken only when its transaction is committed. Until then the MTA, or the Maildir,
 * keeps it: whatever goes wrong ends with EX_TEMPFAIL, and the same message again is filed once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <glib.h>

#include "../common/database.h"
#include "inbound.h"
#include "invitation.h"
#include "message.h"

#define PROGRAM "sales_crm_sender"
/* What is longer is read to its end, so that the MTA is content, and kept up to here */
#define MAX_MESSAGE (50 * 1024 * 1024)

typedef enum Filed
{
	FILED_DONE,
	FILED_REFUSED, /* the database does not take these data */
	FILED_FAILED,  /* later it may */
} Filed;

static bool read_all(FILE *stream, GByteArray *bytes, bool *cut);
static Filed file_message(PGconn *connection, const Message *message);
static Filed file_parts(PGconn *connection, const Message *message);
static Filed file_attachments(PGconn *connection, const Message *message, const char *email_id);
static Filed file_invitation(PGconn *connection, const Message *message, const char *email_id);
static char *array_literal(const GPtrArray *texts);

int
inbound_stream(InboundTaker take)
{
	GByteArray *bytes = g_byte_array_new();
	bool cut = false;
	PGconn *connection;
	int status = EX_TEMPFAIL;

	if (!read_all(stdin, bytes, &cut))
		fprintf(stderr, PROGRAM ": cannot read the message: %s\n", strerror(errno));
	else if (bytes->len == 0)
	{
		fprintf(stderr, PROGRAM ": the message is empty\n");
		status = EX_NOINPUT;
	}
	else if ((connection = database_connect(PROGRAM)) != NULL)
	{
		status = take(connection, bytes, cut);
		PQfinish(connection);
	}
	g_byte_array_unref(bytes);
	return status;
}

/* file_of_maildir takes one message and moves it from new to cur, marked as seen. */
static int
file_of_maildir(PGconn *connection, InboundTaker take, const char *directory, const char *name)
{
	char *path = g_build_filename(directory, "new", name, NULL);
	char *seen = g_strdup_printf("%s/cur/%s:2,S", directory, name);
	GByteArray *bytes = g_byte_array_new();
	bool cut = false;
	FILE *stream = fopen(path, "r");
	int status = EX_TEMPFAIL;

	if (stream == NULL || !read_all(stream, bytes, &cut))
		fprintf(stderr, PROGRAM ": cannot read %s: %s\n", path, strerror(errno));
	else
		status = take(connection, bytes, cut);
	if (stream != NULL)
		fclose(stream);
	if (status == EX_OK && rename(path, seen) != 0)
	{
		fprintf(stderr, PROGRAM ": cannot move %s: %s\n", path, strerror(errno));
		status = EX_TEMPFAIL;
	}
	g_byte_array_unref(bytes);
	g_free(seen);
	g_free(path);
	return status;
}

int
inbound_maildir(InboundTaker take, const char *directory)
{
	char *new = g_build_filename(directory, "new", NULL);
	GDir *entries = g_dir_open(new, 0, NULL);
	PGconn *connection;
	const char *name;
	int status = EX_OK;

	g_free(new);
	if (entries == NULL)
	{
		fprintf(stderr, PROGRAM ": %s is no Maildir that can be read\n", directory);
		return EX_NOINPUT;
	}
	connection = database_connect(PROGRAM);
	if (connection == NULL)
		status = EX_TEMPFAIL;
	while (connection != NULL && (name = g_dir_read_name(entries)) != NULL)
	{
		if (name[0] != '.' && file_of_maildir(connection, take, directory, name) != EX_OK)
			status = EX_TEMPFAIL;
		if (PQstatus(connection) != CONNECTION_OK)
			break;
	}
	g_dir_close(entries);
	if (connection != NULL)
		PQfinish(connection);
	return status;
}

static bool
read_all(FILE *stream, GByteArray *bytes, bool *cut)
{
	guint8 buffer[65536];
	size_t got;

	while ((got = fread(buffer, 1, sizeof(buffer), stream)) > 0)
	{
		if (bytes->len + got > MAX_MESSAGE)
			*cut = true;
		else
			g_byte_array_append(bytes, buffer, got);
	}
	return !ferror(stream);
}

/* inbound_take_email files a message; one that the database refuses, as its mere bytes. */
int
inbound_take_email(PGconn *connection, const GByteArray *bytes, bool cut)
{
	Message *message = message_parse((const char *) bytes->data, bytes->len);
	Filed filed;

	if (cut)
		message_complain(message, "The message was too long and is cut off.");
	filed = file_message(connection, message);
	message_free(message);
	if (filed == FILED_REFUSED)
	{
		message = message_unread((const char *) bytes->data, bytes->len,
								 "The database did not take the parts of the message.");
		filed = file_message(connection, message);
		message_free(message);
	}
	return filed == FILED_DONE ? EX_OK : EX_TEMPFAIL;
}

static Filed
file_message(PGconn *connection, const Message *message)
{
	Filed filed;

	if (!database_do(connection, "BEGIN"))
		return FILED_FAILED;
	filed = file_parts(connection, message);
	if (!database_do(connection, filed == FILED_DONE ? "COMMIT" : "ROLLBACK"))
		return FILED_FAILED;
	return filed;
}

static Filed
file_parts(PGconn *connection, const Message *message)
{
	char *to = array_literal(message->to);
	char *cc = array_literal(message->cc);
	char *references = array_literal(message->references);
	char *sent_at = message->sent_at == NULL ? NULL : g_date_time_format_iso8601(message->sent_at);
	const char *values[] = {
		message->from_address,
		message->from_name,
		to,
		cc,
		message->subject,
		sent_at,
		message->body_text == NULL ? NULL : message->body_text->str,
		message->body_html == NULL ? NULL : message->body_html->str,
		message->message_id,
		message->in_reply_to,
		references,
		message->problem->len == 0 ? NULL : message->problem->str,
	};
	bool permanent = false;
	PGresult *result = database_run(
		connection,
		"SELECT e.email_id, e.is_new FROM sales_crm.record_email(from_address => $1, from_name => $2,"
		" to_addresses => $3, cc_addresses => $4, subject => $5, sent_at => $6, body_text => $7,"
		" body_html => $8, message_id => $9, in_reply_to => $10, reference_ids => $11, problem => $12) e",
		G_N_ELEMENTS(values), values, NULL, &permanent);
	Filed filed = FILED_DONE;

	g_free(to);
	g_free(cc);
	g_free(references);
	g_free(sent_at);
	if (result == NULL)
		return permanent ? FILED_REFUSED : FILED_FAILED;
	if (strcmp(PQgetvalue(result, 0, 1), "t") == 0)
	{
		filed = file_attachments(connection, message, PQgetvalue(result, 0, 0));
		if (filed == FILED_DONE)
			filed = file_invitation(connection, message, PQgetvalue(result, 0, 0));
	}
	PQclear(result);
	return filed;
}

static Filed
file_attachments(PGconn *connection, const Message *message, const char *email_id)
{
	for (guint i = 0; i < message->attachments->len; i++)
	{
		const Attachment *attachment = g_ptr_array_index(message->attachments, i);
		const char *values[] = {
			email_id,
			attachment->file_name,
			attachment->media_type,
			attachment->content->data == NULL ? "" : (const char *) attachment->content->data,
		};
		const int lengths[] = {-1, -1, -1, (int) attachment->content->len};
		bool permanent = false;
		PGresult *result =
			database_run(connection, "SELECT sales_crm.add_email_attachment($1, $2, $3, $4)",
						 G_N_ELEMENTS(values), values, lengths, &permanent);

		if (result == NULL)
			return permanent ? FILED_REFUSED : FILED_FAILED;
		PQclear(result);
	}
	return FILED_DONE;
}

static Filed
file_invitation(PGconn *connection, const Message *message, const char *email_id)
{
	Invitation *invitation =
		message->calendar == NULL ? NULL : invitation_parse(message->calendar->str);
	char *attendees;
	char *answers;
	bool permanent = false;
	PGresult *result;

	if (invitation == NULL)
		return FILED_DONE;
	attendees = array_literal(invitation->attendees);
	answers = array_literal(invitation->answers);
	{
		const char *values[] = {
			email_id,
			invitation->method,
			invitation->uid,
			invitation->sequence,
			invitation->subject,
			invitation->location,
			invitation->details,
			invitation->starts_at,
			invitation->ends_at,
			invitation->all_day ? "t" : "f",
			attendees,
			answers,
		};

		result = database_run(connection,
							  "SELECT sales_crm.record_invitation($1, $2, $3, $4, $5, $6, $7,"
							  " to_timestamp($8), to_timestamp($9), $10, $11, $12)",
							  G_N_ELEMENTS(values), values, NULL, &permanent);
	}
	g_free(attendees);
	g_free(answers);
	invitation_free(invitation);
	if (result == NULL)
		return permanent ? FILED_REFUSED : FILED_FAILED;
	PQclear(result);
	return FILED_DONE;
}

/* array_literal returns texts as an array of PostgreSQL. */
static char *
array_literal(const GPtrArray *texts)
{
	GString *literal = g_string_new("{");

	for (guint i = 0; i < texts->len; i++)
	{
		g_string_append(literal, i == 0 ? "\"" : ",\"");
		for (const char *at = g_ptr_array_index(texts, i); *at != '\0'; at++)
		{
			if (*at == '"' || *at == '\\')
				g_string_append_c(literal, '\\');
			g_string_append_c(literal, *at);
		}
		g_string_append_c(literal, '"');
	}
	g_string_append_c(literal, '}');
	return g_string_free(literal, FALSE);
}
