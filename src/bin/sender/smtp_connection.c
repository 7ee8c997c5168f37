/*
 * smtp_connection.c
 *		Connections to the mail server, which carry one e-mail after the other.
 *
 * libcurl would also send the e-mails, but it waits for each answer before it says the next word,
 * sends the end of an e-mail by itself, and does not return while it waits for the last answer, so
 * that each transfer needs a thread; ten of them, woken four times for an e-mail, keep the kernel
 * busier than all the rest. So libcurl gets no further than to the login, and the loop waits for the
 * sockets.
 */
#include <string.h>

#include "../common/clock.h"
#include "check.h"
#include "smtp_connection.h"

/* Of what the server says without being asked, or in one answer */
#define MOST_INPUT 65536
/* Of a line that is kept */
#define MOST_LINE 1000
/* Seconds after which a connection that was kept may have been closed meanwhile */
#define TRUST 1.0

/* Those that are kept, the last used first */
static GQueue idle = G_QUEUE_INIT;

static bool is_open(SmtpConnection *connection);
static void set_server(CURL *easy, const Config *config);
static void watch(SmtpConnection *connection);
static size_t take_response(char *line, size_t size, size_t count, void *context);
static int watch_commands(CURL *easy, curl_infotype type, char *text, size_t length, void *context);
static void keep_line(GString *kept, const char *line, size_t length);
static void note_ability(SmtpConnection *connection, const char *line);

SmtpConnection *
smtp_connection_take(const Config *config)
{
	SmtpConnection *connection;

	while ((connection = g_queue_pop_head(&idle)) != NULL)
	{
		if (connection->config == config && is_open(connection))
			return connection;
		smtp_connection_close(connection);
	}
	return NULL;
}

static bool
is_open(SmtpConnection *connection)
{
	return clock_now() < connection->kept_at + TRUST ||
		   (smtp_connection_receive(connection) && connection->input->len == 0);
}

SmtpConnection *
smtp_connection_create(const Config *config)
{
	SmtpConnection *connection = g_new0(SmtpConnection, 1);

	connection->config = config;
	connection->easy = curl_easy_init();
	connection->socket = CURL_SOCKET_BAD;
	connection->response = g_string_new(NULL);
	connection->input = g_string_new(NULL);
	set_server(connection->easy, config);
	watch(connection);
	curl_easy_setopt(connection->easy, CURLOPT_CONNECT_ONLY, 1L);
	return connection;
}

bool
smtp_connection_opened(SmtpConnection *connection)
{
	curl_easy_setopt(connection->easy, CURLOPT_VERBOSE, 0L);
	return curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET, &connection->socket) ==
			   CURLE_OK &&
		   connection->socket != CURL_SOCKET_BAD;
}

void
smtp_connection_keep(SmtpConnection *connection)
{
	if (connection->input->len > 0)
	{
		smtp_connection_close(connection);
		return;
	}
	connection->is_kept = true;
	connection->kept_at = clock_now();
	g_queue_push_head(&idle, connection);
}

void
smtp_connection_close(SmtpConnection *connection)
{
	curl_easy_cleanup(connection->easy);
	g_string_free(connection->response, TRUE);
	g_string_free(connection->input, TRUE);
	g_free(connection);
}

void
smtp_connections_finish(void)
{
	SmtpConnection *connection;
	size_t sent;

	while ((connection = g_queue_pop_head(&idle)) != NULL)
	{
		/* The answer is not waited for */
		smtp_connection_send(connection, "QUIT\r\n", strlen("QUIT\r\n"), &sent);
		smtp_connection_close(connection);
	}
}

bool
smtp_connection_send(SmtpConnection *connection, const char *bytes, size_t length, size_t *sent)
{
	CURLcode code = curl_easy_send(connection->easy, bytes, length, sent);

	if (code == CURLE_AGAIN)
		*sent = 0;
	return code == CURLE_OK || code == CURLE_AGAIN;
}

bool
smtp_connection_receive(SmtpConnection *connection)
{
	char buffer[4096];
	size_t length;
	CURLcode code;

	/* To the end, since what TLS has decrypted wakes nobody up */
	while ((code = curl_easy_recv(connection->easy, buffer, sizeof(buffer), &length)) == CURLE_OK &&
		   length > 0)
	{
		g_string_append_len(connection->input, buffer, (gssize) length);
		if (connection->input->len > MOST_INPUT)
			return false;
		if (length < sizeof(buffer) && strcmp(connection->config->smtp_tls, "off") == 0 &&
			g_str_has_prefix(connection->config->smtp_url, "smtp://"))
			return true;
	}
	return code == CURLE_AGAIN;
}

int
smtp_connection_answer(SmtpConnection *connection, GString *line)
{
	GString *input = connection->input;
	const char *at = input->str;
	const char *stop;

	/* "250-more", then "250 last" */
	while ((stop = memchr(at, '\n', (size_t) (input->str + input->len - at))) != NULL)
	{
		bool is_status = g_ascii_isdigit(at[0]) && g_ascii_isdigit(at[1]) && g_ascii_isdigit(at[2]);
		int status = (int) strtol(at, NULL, 10);

		if (!is_status || strchr("- \r\n", at[3]) == NULL)
			return -1;
		if (at[3] != '-')
		{
			keep_line(line, at, (size_t) (stop - at));
			g_string_erase(input, 0, stop + 1 - input->str);
			return status;
		}
		at = stop + 1;
	}
	return 0;
}

/* smtp_check goes as far as the login, and says NOOP. */
char *
smtp_check(const Config *config)
{
	SmtpConnection *connection = smtp_connection_create(config);
	const GString *response = connection->response;
	CURLcode code;
	char *problem = NULL;

	curl_easy_setopt(connection->easy, CURLOPT_CONNECT_ONLY, 0L);
	curl_easy_setopt(connection->easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(connection->easy, CURLOPT_CUSTOMREQUEST, "NOOP");
	code = curl_easy_perform(connection->easy);
	if (code != CURLE_OK)
		problem = g_strdup_printf("%s%s%s%s%s", curl_easy_strerror(code),
								  connection->command == NULL ? "" : " after ",
								  connection->command == NULL ? "" : connection->command,
								  response->len == 0 ? "" : ": ", response->str);
	smtp_connection_close(connection);
	return problem;
}

/* set_server: which one, how long it may take, how it is trusted. */
static void
set_server(CURL *easy, const Config *config)
{
	long level = CURLUSESSL_ALL;
	char *url = g_strconcat(config->smtp_url, config->smtp_helo == NULL ? "" : "/",
							config->smtp_helo == NULL ? "" : config->smtp_helo, NULL);

	curl_easy_setopt(easy, CURLOPT_URL, url);
	g_free(url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long) config->smtp_timeout);
	curl_easy_setopt(easy, CURLOPT_FTP_RESPONSE_TIMEOUT, (long) config->smtp_timeout);

	if (strcmp(config->smtp_tls, "off") == 0)
		level = CURLUSESSL_NONE;
	else if (strcmp(config->smtp_tls, "when_offered") == 0 && config->smtp_user == NULL)
		level = CURLUSESSL_TRY;
	curl_easy_setopt(easy, CURLOPT_USE_SSL, level);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (config->smtp_ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, config->smtp_ca_file);
	if (config->smtp_user != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_USERNAME, config->smtp_user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD,
						 config->smtp_password == NULL ? "" : config->smtp_password);
	}
}

/* watch keeps what was said last. */
static void
watch(SmtpConnection *connection)
{
	curl_easy_setopt(connection->easy, CURLOPT_HEADERFUNCTION, take_response);
	curl_easy_setopt(connection->easy, CURLOPT_HEADERDATA, connection);
	curl_easy_setopt(connection->easy, CURLOPT_DEBUGFUNCTION, watch_commands);
	curl_easy_setopt(connection->easy, CURLOPT_DEBUGDATA, connection);
	curl_easy_setopt(connection->easy, CURLOPT_VERBOSE, 1L);
}

/* take_response keeps the last line that the server has said. */
static size_t
take_response(char *line, size_t size, size_t count, void *context)
{
	SmtpConnection *connection = context;

	if (connection->quits)
		return size * count;
	keep_line(connection->response, line, size * count);
	if (g_strcmp0(connection->command, "EHLO") == 0)
		note_ability(connection, connection->response->str);
	return size * count;
}

/* watch_commands keeps the verb of the last command. Whatever is none may be a secret. */
static int
watch_commands(CURL *easy, curl_infotype type, char *text, size_t length, void *context)
{
	static const char *const verbs[] = {"EHLO", "HELO", "STARTTLS", "AUTH", "NOOP"};
	SmtpConnection *connection = context;

	(void) easy;
	if (type != CURLINFO_HEADER_OUT)
		return 0;
	if (length >= 4 && strncmp(text, "QUIT", 4) == 0)
		connection->quits = true;
	else if (!connection->quits)
		g_string_truncate(connection->response, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
	{
		size_t verb = strlen(verbs[i]);

		if (length > verb && strncmp(text, verbs[i], verb) == 0 && !g_ascii_isalnum(text[verb]))
			connection->command = verbs[i];
	}
	/* What was said to an earlier EHLO, before TLS, anybody may have said */
	if (g_strcmp0(connection->command, "EHLO") == 0)
	{
		connection->takes_pipelining = connection->takes_chunks = false;
		connection->takes_size = connection->takes_utf8 = false;
	}
	return 0;
}

static void
keep_line(GString *kept, const char *line, size_t length)
{
	g_string_truncate(kept, 0);
	g_string_append_len(kept, line, (gssize) MIN(length, MOST_LINE));
	g_strchomp(kept->str);
	kept->len = strlen(kept->str);
}

/* note_ability takes a line of the answer to EHLO. */
static void
note_ability(SmtpConnection *connection, const char *line)
{
	const char *ability = strlen(line) > 4 ? line + 4 : "";
	size_t length = strcspn(ability, " ");

	if (length == 10 && g_ascii_strncasecmp(ability, "PIPELINING", length) == 0)
		connection->takes_pipelining = true;
	else if (length == 8 && g_ascii_strncasecmp(ability, "CHUNKING", length) == 0)
		connection->takes_chunks = true;
	else if (length == 4 && g_ascii_strncasecmp(ability, "SIZE", length) == 0)
		connection->takes_size = true;
	else if (length == 8 && g_ascii_strncasecmp(ability, "SMTPUTF8", length) == 0)
		connection->takes_utf8 = true;
}
