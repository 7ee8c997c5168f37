/*
 * smtp.c
 *		The kind of delivery "email": by SMTP, or a local program such as sendmail.
 *
 * libcurl speaks SMTP. Handles are kept for later e-mails, and with each its connection. What the
 * server says last is the outcome: 4xx is tried again, 5xx is final where it answers what is
 * particular to the e-mail (MAIL, RCPT, DATA), and tells about the server or the login otherwise:
 * then all e-mails rest.
 */
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "check.h"
#include "config.h"
#include "delivery.h"
#include "mime.h"
#include "smtp.h"

/* More, and the whole is too slow, whatever the server's answers are */
#define MOST_SECONDS 1800L

typedef struct Email
{
	GPtrArray *contents; /* of GBytes: attachments fetched so far */
	GByteArray *bytes;
	size_t sent;
	char *from; /* of the envelope */
	char *to;
	struct curl_slist *recipients;
	CURL *easy;
	const char *command; /* the verb of the last one to the server, but for QUIT */
	bool quits;			 /* from there on nothing counts */
	GString *response;	 /* the last one of the server to that */
} Email;

/* Handles that are not in use */
static GQueue idle = G_QUEUE_INIT;

static void keep_handle(Email *email);
static void fetch_next(Delivery *delivery);
static void take_attachment(Delivery *delivery, const PGresult *result);
static void send_it(Delivery *delivery);
static void by_server(Delivery *delivery);
static void set_server(CURL *easy, const Config *config);
static void watch(CURL *easy, Email *email);
static size_t give_bytes(char *buffer, size_t size, size_t count, void *context);
static int rewind_bytes(void *context, curl_off_t offset, int origin);
static size_t take_response(char *line, size_t size, size_t count, void *context);
static int watch_commands(CURL *easy, curl_infotype type, char *text, size_t length, void *context);
static void transferred(Delivery *delivery, CURL *easy, CURLcode code);
static void judge(Delivery *delivery, CURLcode code, long status);
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

static bool
performs(const Config *config)
{
	return config->sendmail == NULL;
}

static void
start(Delivery *delivery)
{
	const char *refusal = mime_refusal(delivery->payload);
	const char *from = delivery_text(delivery, "envelope_from");
	Email *email;

	if (refusal != NULL)
	{
		delivery_end(delivery, VERDICT_FINAL, 0, "%s", refusal);
		return;
	}
	email = delivery->state = g_new0(Email, 1);
	email->contents = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	email->from = mime_address(from == NULL ? delivery_text(delivery, "from") : from);
	email->to = mime_address(delivery_text(delivery, "to"));
	email->response = g_string_new(NULL);
	fetch_next(delivery);
}

static void
release(Delivery *delivery)
{
	Email *email = delivery->state;

	keep_handle(email);
	g_ptr_array_unref(email->contents);
	if (email->bytes != NULL)
		g_byte_array_unref(email->bytes);
	curl_slist_free_all(email->recipients);
	g_string_free(email->response, TRUE);
	g_free(email->from);
	g_free(email->to);
	g_free(email);
}

/* keep_handle leaves the handle with its connection to the next e-mail, which may not wait for the report. */
static void
keep_handle(Email *email)
{
	if (email->easy == NULL)
		return;
	curl_easy_reset(email->easy);
	g_queue_push_head(&idle, email->easy);
	email->easy = NULL;
}

const DeliveryKind email_kind = {
	.name = "email",
	.able = is_able,
	.host = host_of,
	.performs = performs,
	.start = start,
	.release = release,
};

void
smtp_finish(void)
{
	CURL *easy;

	while ((easy = g_queue_pop_head(&idle)) != NULL)
	{
		/* No more is waited for the answer to QUIT */
		curl_easy_setopt(easy, CURLOPT_FTP_RESPONSE_TIMEOUT, 1L);
		curl_easy_cleanup(easy);
	}
}

/* fetch_next fetches the next attachment, or goes on where all are there. */
static void
fetch_next(Delivery *delivery)
{
	const Email *email = delivery->state;
	const json_t *attachment =
		json_array_get(json_object_get(delivery->payload, "attachments"), email->contents->len);
	const char *values[] = {
		delivery_keep(delivery, "%lld", delivery->message_id),
		delivery_keep(delivery, "%lld", delivery->fence),
		delivery_keep(delivery, "%" JSON_INTEGER_FORMAT,
					  json_integer_value(json_object_get(attachment, "attachment_id"))),
	};

	if (attachment == NULL)
		send_it(delivery);
	else
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

	email->bytes = mime_compose(delivery->payload, email->contents);
	if (delivery->config->sendmail != NULL)
		by_program(delivery);
	else
		by_server(delivery);
}

static void
by_server(Delivery *delivery)
{
	const Config *config = delivery->config;
	Email *email = delivery->state;
	CURL *easy = g_queue_pop_head(&idle);

	if (easy == NULL)
		easy = curl_easy_init();
	email->easy = easy;
	email->recipients = curl_slist_append(NULL, email->to);
	set_server(easy, config);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, email->from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, email->recipients);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_bytes);
	curl_easy_setopt(easy, CURLOPT_READDATA, email);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_bytes);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, email);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) email->bytes->len);
	watch(easy, email);
	delivery_perform(delivery, easy, transferred);
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
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long) config->smtp_timeout);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, MOST_SECONDS);

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
watch(CURL *easy, Email *email)
{
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_response);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, email);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, watch_commands);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, email);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

/* smtp_check goes as far as the login, and says NOOP. */
char *
smtp_check(const Config *config)
{
	Email email = {.response = g_string_new(NULL)};
	CURL *easy = curl_easy_init();
	CURLcode code;
	char *problem = NULL;

	set_server(easy, config);
	watch(easy, &email);
	curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "NOOP");
	code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		problem = g_strdup_printf("%s%s%s%s%s", curl_easy_strerror(code),
								  email.command == NULL ? "" : " after ",
								  email.command == NULL ? "" : email.command,
								  email.response->len == 0 ? "" : ": ", email.response->str);
	curl_easy_cleanup(easy);
	g_string_free(email.response, TRUE);
	return problem;
}

static size_t
give_bytes(char *buffer, size_t size, size_t count, void *context)
{
	Email *email = context;
	size_t length = MIN(size * count, email->bytes->len - email->sent);

	memcpy(buffer, email->bytes->data + email->sent, length);
	email->sent += length;
	return length;
}

static int
rewind_bytes(void *context, curl_off_t offset, int origin)
{
	Email *email = context;

	if (origin != SEEK_SET || offset < 0 || (size_t) offset > email->bytes->len)
		return CURL_SEEKFUNC_FAIL;
	email->sent = (size_t) offset;
	return CURL_SEEKFUNC_OK;
}

/* take_response keeps the last line that the server has said. */
static size_t
take_response(char *line, size_t size, size_t count, void *context)
{
	Email *email = context;

	if (!email->quits)
	{
		g_string_truncate(email->response, 0);
		g_string_append_len(email->response, line, (gssize) MIN(size * count, 1000));
		g_strchomp(email->response->str);
		email->response->len = strlen(email->response->str);
	}
	return size * count;
}

/* watch_commands keeps the verb of the last command. Whatever is none may be a secret. */
static int
watch_commands(CURL *easy, curl_infotype type, char *text, size_t length, void *context)
{
	static const char *const verbs[] = {"EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"};
	Email *email = context;

	(void) easy;
	if (type != CURLINFO_HEADER_OUT)
		return 0;
	if (length >= 4 && strncmp(text, "QUIT", 4) == 0)
		email->quits = true;
	else if (!email->quits)
		g_string_truncate(email->response, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
	{
		size_t verb = strlen(verbs[i]);

		if (length > verb && strncmp(text, verbs[i], verb) == 0 && !g_ascii_isalnum(text[verb]))
			email->command = verbs[i];
	}
	return 0;
}

static void
transferred(Delivery *delivery, CURL *easy, CURLcode code)
{
	Email *email = delivery->state;

	(void) easy;
	keep_handle(email);
	if (code == CURLE_OK)
		delivery_end(delivery, VERDICT_DELIVERED, 0, "%s", email->response->str);
	else
		judge(delivery, code, strtol(email->response->str, NULL, 10));
}

/* judge: whose fault a failure is, and whether the same again can help. */
static void
judge(Delivery *delivery, CURLcode code, long status)
{
	static const char *const of_email[] = {"MAIL", "RCPT", "DATA"};
	const Email *email = delivery->state;
	bool is_answer = status >= 400 && status <= 599;
	bool about_email = false;

	for (size_t i = 0; i < G_N_ELEMENTS(of_email); i++)
		about_email = about_email || g_strcmp0(email->command, of_email[i]) == 0;
	if (is_answer)
	{
		/* 530: log in first; 421: the server closes down */
		bool about_server = !about_email || status == 530 || status == 421;

		if (about_server)
			delivery_blame_kind(delivery);
		delivery_end(delivery, status >= 500 && !about_server ? VERDICT_FINAL : VERDICT_RETRY, 0,
					 "%s: %s", email->command == NULL ? "greeting" : email->command,
					 email->response->str);
		return;
	}
	if (!about_email)
		delivery_blame_kind(delivery);
	delivery_end(delivery, VERDICT_RETRY, 0, "%s%s%s", curl_easy_strerror(code),
				 email->command == NULL ? "" : " after ",
				 email->command == NULL ? "" : email->command);
}

static void
by_program(Delivery *delivery)
{
	Email *email = delivery->state;
	const char *const arguments[] = {
		delivery->config->sendmail, "-i", "-f", email->from, "--", email->to, NULL};
	GString *unix_lines = g_string_sized_new(email->bytes->len);

	/* Such programs take lines as the system has them */
	for (guint i = 0; i < email->bytes->len; i++)
	{
		if (email->bytes->data[i] != '\r')
			g_string_append_c(unix_lines, (gchar) email->bytes->data[i]);
	}
	delivery_command(delivery,
					 &(Command){
						 .arguments = arguments,
						 .input = unix_lines->str,
						 .input_length = unix_lines->len,
						 .output_limit = 65536,
						 .seconds = delivery->config->smtp_timeout,
					 },
					 exited);
	g_string_free(unix_lines, TRUE);
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
