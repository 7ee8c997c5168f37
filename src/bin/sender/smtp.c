/*
 * smtp.c
 *		The kind of delivery "email": by SMTP (RFC 5321), or a local program such as sendmail.
 *
 * Over a connection of smtp_connection.c an e-mail is MAIL, RCPT, DATA and its content; where the
 * server has PIPELINING (RFC 2920) the first three in one go, and where it has CHUNKING (RFC 3030), too,
 * all of it, with BDAT. What the server says last is the
 * outcome: 4xx is tried again, 5xx is final where it answers what is particular to the e-mail, and
 * tells about the server or the login otherwise: then all e-mails rest.
 */
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "../common/clock.h"
#include "config.h"
#include "delivery.h"
#include "mime.h"
#include "smtp_connection.h"

/* More, and the whole is too slow, whatever the server's answers are */
#define MOST_SECONDS 1800.0

/* Content up to so many bytes is sent before it is known whether the recipient is taken */
#define LEAST_ASKED 65536

typedef enum Word
{
	WORD_MAIL,
	WORD_RCPT,
	WORD_DATA,
	WORD_CONTENT, /* after DATA */
	WORD_BDAT,	  /* with the content */
	WORD_END,
} Word;

static const char *const commands[] = {"MAIL", "RCPT", "DATA", "DATA", "BDAT"};

/* What is said about an e-mail, in this order */
static const Word by_data[] = {WORD_MAIL, WORD_RCPT, WORD_DATA, WORD_CONTENT, WORD_END};
static const Word by_chunk[] = {WORD_MAIL, WORD_RCPT, WORD_BDAT, WORD_END};

typedef struct Email
{
	json_t *attachments;
	GPtrArray *contents; /* of GBytes: those of attachments fetched so far */
	GString *lines;		 /* NULL once they are sent for the last time */
	size_t size;		 /* of these with CRLF */
	char *from;			 /* of the envelope */
	char *to;
	SmtpConnection *connection;
	GString *output;	  /* what is to be sent */
	size_t sent;		  /* of that */
	const Word *asked;	  /* the first one that is not yet in it */
	const Word *answered; /* the first one that is not */
	double until;
	GString *response; /* the last one of the server */
} Email;

static void fetch_next(Delivery *delivery);
static void take_attachment(Delivery *delivery, const PGresult *result);
static void send_it(Delivery *delivery);
static void by_server(Delivery *delivery);
static void connected(Delivery *delivery, CURL *easy, CURLcode code);
static void begin(Delivery *delivery);
static void ask(Email *email);
static void put(Email *email, Word word);
static void say(Delivery *delivery);
static void hear(Delivery *delivery, bool ready);
static bool is_wanted(Word word, int status);
static void lost(Delivery *delivery, const char *how);
static void let_go(Email *email);
static void judge(Delivery *delivery, const char *command, const char *response, const char *how);
static void by_program(Delivery *delivery);
static void exited(Delivery *delivery, const CommandResult *result);

static bool
is_able(const Config *config)
{
	return config->smtp_url != NULL || config->sendmail != NULL;
}

/* All e-mails go to the same server. */
static const char *
host_of(Delivery *delivery)
{
	(void) delivery;
	return "mail server";
}

static void
start(Delivery *delivery)
{
	const char *const *fields = delivery->fields;
	json_t *attachments =
		fields[FIELD_ATTACHMENTS] == NULL ? NULL : json_loads(fields[FIELD_ATTACHMENTS], 0, NULL);
	const char *refusal = mime_refusal(fields, attachments);
	Email *email;

	if (refusal != NULL)
	{
		json_decref(attachments);
		delivery_end(delivery, VERDICT_FINAL, 0, "%s", refusal);
		return;
	}
	email = delivery->state = g_new0(Email, 1);
	email->attachments = attachments;
	email->contents = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	email->from = mime_address(fields[FIELD_ENVELOPE_FROM] == NULL ? fields[FIELD_FROM]
																   : fields[FIELD_ENVELOPE_FROM]);
	email->to = mime_address(fields[FIELD_TO]);
	email->output = g_string_new(NULL);
	email->response = g_string_new(NULL);
	fetch_next(delivery);
}

static void
release(Delivery *delivery)
{
	Email *email = delivery->state;

	let_go(email);
	json_decref(email->attachments);
	g_ptr_array_unref(email->contents);
	if (email->lines != NULL)
		g_string_free(email->lines, TRUE);
	g_string_free(email->output, TRUE);
	g_string_free(email->response, TRUE);
	g_free(email->from);
	g_free(email->to);
	g_free(email);
}

const DeliveryKind email_kind = {
	.name = "email",
	.able = is_able,
	.host = host_of,
	.start = start,
	.release = release,
};

/* fetch_next fetches the next attachment, or goes on where all are there. */
static void
fetch_next(Delivery *delivery)
{
	const Email *email = delivery->state;
	const json_t *attachment = json_array_get(email->attachments, email->contents->len);
	const char *values[3];

	if (attachment == NULL)
	{
		send_it(delivery);
		return;
	}
	values[0] = delivery_keep(delivery, "%lld", delivery->message_id);
	values[1] = delivery_keep(delivery, "%lld", delivery->fence);
	values[2] = delivery_keep(delivery, "%" JSON_INTEGER_FORMAT,
							  json_integer_value(json_object_get(attachment, "attachment_id")));
	delivery_query(delivery, "SELECT sales_crm.message_attachment($1, $2, $3)",
				   G_N_ELEMENTS(values), values, NULL, true, take_attachment);
}

static void
take_attachment(Delivery *delivery, const PGresult *result)
{
	const Email *email = delivery->state;

	if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK)
		delivery_end(delivery, VERDICT_RETRY, 0, "an attachment could not be fetched");
	else if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0))
		delivery_end(delivery, VERDICT_FINAL, 0, "an attachment is gone");
	else
	{
		g_ptr_array_add(email->contents,
						g_bytes_new(PQgetvalue(result, 0, 0), (gsize) PQgetlength(result, 0, 0)));
		fetch_next(delivery);
	}
}

static void
send_it(Delivery *delivery)
{
	Email *email = delivery->state;

	email->lines = mime_compose(delivery->fields, email->attachments, email->contents);
	if (delivery->config->sendmail != NULL)
		by_program(delivery);
	else
	{
		email->size = mime_size(email->lines);
		email->until = clock_now() + MOST_SECONDS;
		by_server(delivery);
	}
}

static void
by_server(Delivery *delivery)
{
	Email *email = delivery->state;

	email->connection = smtp_connection_take(delivery->config);
	if (email->connection != NULL)
		begin(delivery);
	else
	{
		email->connection = smtp_connection_create(delivery->config);
		delivery_connect(delivery, email->connection->easy, connected);
	}
}

static void
connected(Delivery *delivery, CURL *easy, CURLcode code)
{
	Email *email = delivery->state;
	const SmtpConnection *connection = email->connection;

	(void) easy;
	if (code == CURLE_OK && smtp_connection_opened(email->connection))
		begin(delivery);
	else
		judge(delivery, connection->command, connection->response->str, curl_easy_strerror(code));
}

static void
begin(Delivery *delivery)
{
	Email *email = delivery->state;

	if (delivery_is_late(delivery))
		return;
	email->asked = email->connection->takes_chunks ? by_chunk : by_data;
	email->answered = email->asked;
	ask(email);
	say(delivery);
}

/* ask puts what the server may be told now behind what is to be sent. */
static void
ask(Email *email)
{
	bool is_long = email->size > LEAST_ASKED;

	do
		put(email, *email->asked++);
	while (email->connection->takes_pipelining && *email->asked != WORD_END &&
		   *email->asked != WORD_CONTENT && !(*email->asked == WORD_BDAT && is_long));
}

static void
put(Email *email, Word word)
{
	const SmtpConnection *connection = email->connection;
	GString *out = email->output;

	switch (word)
	{
		case WORD_MAIL:
			g_string_append_printf(out, "MAIL FROM:<%s>", email->from);
			if (connection->takes_size)
				g_string_append_printf(out, " SIZE=%zu", email->size);
			if (connection->takes_utf8 &&
				!(g_str_is_ascii(email->from) && g_str_is_ascii(email->to)))
				g_string_append(out, " SMTPUTF8");
			g_string_append(out, "\r\n");
			break;
		case WORD_RCPT:
			g_string_append_printf(out, "RCPT TO:<%s>\r\n", email->to);
			break;
		case WORD_DATA:
			g_string_append(out, "DATA\r\n");
			break;
		case WORD_BDAT:
			g_string_append_printf(out, "BDAT %zu LAST\r\n", email->size);
			mime_append_lines(out, email->lines, false);
			break;
		default:
			mime_append_lines(out, email->lines, true);
			g_string_append(out, ".\r\n");
	}
	/* What was answered is not said again over another connection */
	if (*email->asked == WORD_END && *email->answered != WORD_MAIL)
	{
		g_string_free(email->lines, TRUE);
		email->lines = NULL;
	}
}

/* say sends what is to be sent, as far as that goes without waiting; then the server is to answer. */
static void
say(Delivery *delivery)
{
	Email *email = delivery->state;
	double until = fmin(email->until, clock_now() + delivery->config->smtp_timeout);
	size_t left = email->output->len - email->sent;
	size_t sent = 0;

	if (left > 0 &&
		!smtp_connection_send(email->connection, email->output->str + email->sent, left, &sent))
	{
		lost(delivery, "the connection was lost");
		return;
	}
	email->sent += sent;
	if (sent == left)
	{
		g_string_truncate(email->output, 0);
		email->sent = 0;
	}
	delivery_await(delivery, email->connection->socket,
				   CURL_WAIT_POLLIN | (sent < left ? CURL_WAIT_POLLOUT : 0), until, hear);
}

/* hear takes what the server has answered, and goes on. */
static void
hear(Delivery *delivery, bool ready)
{
	Email *email = delivery->state;
	SmtpConnection *connection = email->connection;
	bool is_there = ready && smtp_connection_receive(connection);
	int status;

	while ((status = smtp_connection_answer(connection, email->response)) > 0)
	{
		if (!is_wanted(*email->answered, status))
		{
			lost(delivery, "the server answers what is no answer to that");
			return;
		}
		if (*++email->answered == WORD_END)
		{
			smtp_connection_keep(connection);
			email->connection = NULL;
			delivery_end(delivery, VERDICT_DELIVERED, 0, "%s", email->response->str);
			return;
		}
		if (email->answered == email->asked)
			ask(email);
	}
	if (!ready)
		lost(delivery, "the server did not answer in time");
	else if (!is_there || status < 0)
		lost(delivery, "the connection was lost");
	else
		say(delivery);
}

/* is_wanted: DATA is answered by 354, all the rest by 250 or what says the same. */
static bool
is_wanted(Word word, int status)
{
	return word == WORD_DATA ? status / 100 == 3 : status / 100 == 2;
}

/*
 * lost ends what cannot go on over this connection, nor another e-mail. One that was kept may
 * have been closed by the server meanwhile: then there is another one.
 */
static void
lost(Delivery *delivery, const char *how)
{
	Email *email = delivery->state;
	Word word = *email->answered;
	bool is_over = email->response->len == 0 || g_str_has_prefix(email->response->str, "421");
	bool again = email->connection->is_kept && word == WORD_MAIL && is_over;

	let_go(email);
	if (again)
	{
		g_string_truncate(email->response, 0);
		by_server(delivery);
	}
	else
		judge(delivery, commands[word], email->response->str, how);
}

/* let_go closes a connection over which not all has been said. */
static void
let_go(Email *email)
{
	if (email->connection != NULL)
		smtp_connection_close(email->connection);
	email->connection = NULL;
	g_string_truncate(email->output, 0);
	email->sent = 0;
}

/* judge: whose fault a failure is, and whether the same again can help. */
static void
judge(Delivery *delivery, const char *command, const char *response, const char *how)
{
	static const char *const of_email[] = {"MAIL", "RCPT", "DATA", "BDAT"};
	long status = strtol(response, NULL, 10);
	bool about_email = false;

	for (size_t i = 0; i < G_N_ELEMENTS(of_email); i++)
		about_email = about_email || g_strcmp0(command, of_email[i]) == 0;
	if (status >= 400 && status <= 599)
	{
		/* 530: log in first; 421: the server closes down */
		bool about_server = !about_email || status == 530 || status == 421;

		if (about_server)
			delivery_blame_kind(delivery);
		delivery_end(delivery, status >= 500 && !about_server ? VERDICT_FINAL : VERDICT_RETRY, 0,
					 "%s: %s", command == NULL ? "greeting" : command, response);
		return;
	}
	if (!about_email)
		delivery_blame_kind(delivery);
	delivery_end(delivery, VERDICT_RETRY, 0, "%s%s%s", how, command == NULL ? "" : " after ",
				 command == NULL ? "" : command);
}

static void
by_program(Delivery *delivery)
{
	Email *email = delivery->state;
	const char *const arguments[] = {
		delivery->config->sendmail, "-i", "-f", email->from, "--", email->to, NULL};

	delivery_command(delivery,
					 &(Command){
						 .arguments = arguments,
						 .input = email->lines->str,
						 .input_length = email->lines->len,
						 .output_limit = 65536,
						 .seconds = delivery->config->smtp_timeout,
					 },
					 exited);
}

/* exited: the exit statuses are those of sysexits.h, which such programs share. */
static void
exited(Delivery *delivery, const CommandResult *result)
{
	int status =
		result->status < 0 || !WIFEXITED(result->status) ? -1 : WEXITSTATUS(result->status);
	bool final =
		status == EX_USAGE || status == EX_DATAERR || status == EX_NOUSER || status == EX_NOHOST;

	if (status == EX_OK)
		delivery_end(delivery, VERDICT_DELIVERED, 0, "%s", "handed to the local mail system");
	else if (result->reason != NULL)
		delivery_end(delivery, VERDICT_RETRY, 0, "%s: %s", delivery->config->sendmail,
					 result->reason);
	else
		delivery_end(delivery, final ? VERDICT_FINAL : VERDICT_RETRY, 0, "%s: status %d: %s",
					 delivery->config->sendmail, status, result->complaint);
}
