/*
 * check.c
 *		sales_crm_sender --check
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <curl/curl.h>
#include <glib.h>
#include <libpq-fe.h>

#include "check.h"
#include "pdf.h"
#include "webhook.h"

static bool all_good = true;

static void
say(bool good, const char *what, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void check_database(const Config *config);
static void check_rights(PGconn *connection);
static void check_sending(PGconn *connection);
static void check_webhooks(const Config *config, PGconn *connection);
static void check_documents(const Config *config);
static void check_mail(const Config *config);

int
check_all(Config *config)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	say(true, "configuration", "can be read");
	check_database(config);
	check_mail(config);
	check_documents(config);
	curl_global_cleanup();
	config_free(config);
	return all_good ? EX_OK : EX_UNAVAILABLE;
}

static void
say(bool good, const char *what, const char *format, ...)
{
	va_list arguments;

	all_good = all_good && good;
	printf("%s  %-14s ", good ? "ok  " : "FAIL", what);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void
check_database(const Config *config)
{
	const char *const keywords[] = {"fallback_application_name", "connect_timeout",		 "dbname",
									"client_encoding",			 "target_session_attrs", NULL};
	const char *const values[] = {"sales_crm_sender --check",
								  "15",
								  config->database == NULL ? "" : config->database,
								  "UTF8",
								  "read-write",
								  NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, 1);

	if (PQstatus(connection) != CONNECTION_OK)
	{
		char *message = g_strdup(PQerrorMessage(connection));

		say(false, "database", "%s", g_strdelimit(g_strchomp(message), "\n", ' '));
		g_free(message);
	}
	else
	{
		say(true, "database", "%s on %s as %s", PQdb(connection), PQhost(connection),
			PQuser(connection));
		check_rights(connection);
		if (config->webhooks)
			check_webhooks(config, connection);
	}
	PQfinish(connection);
}

static void
check_rights(PGconn *connection)
{
	PGresult *result =
		PQexec(connection,
			   "SELECT count(*), coalesce(string_agg(p.proname, ', ') FILTER (WHERE NOT"
			   " pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), '')"
			   " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
			   " WHERE n.nspname = 'sales_crm' AND p.proname IN ('claim_messages',"
			   " 'complete_messages', 'fail_message', 'extend_lease', 'message_attachment',"
			   " 'sending_active', 'housekeeping', 'store_pdf', 'webhook_urls')");

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		say(false, "extension", "%s", PQerrorMessage(connection));
	else if (strcmp(PQgetvalue(result, 0, 0), "9") != 0)
		say(false, "extension", "sales_crm is not there: CREATE EXTENSION sales_crm");
	else if (PQgetvalue(result, 0, 1)[0] != '\0')
		say(false, "rights", "none for %s: GRANT sales_crm_sender TO \"%s\"",
			PQgetvalue(result, 0, 1), PQuser(connection));
	else
	{
		say(true, "rights", "those of a sender");
		check_sending(connection);
	}
	PQclear(result);
}

static void
check_sending(PGconn *connection)
{
	PGresult *result = PQexec(connection, "SELECT sales_crm.sending_active()");

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		say(false, "sending", "%s", PQerrorMessage(connection));
	else if (PQgetvalue(result, 0, 0)[0] == 't')
		say(true, "sending", "this database may send");
	else
		say(false, "sending",
			"this database may not send yet: SELECT sales_crm.activate_sending()");
	PQclear(result);
}

static void
check_mail(const Config *config)
{
	char *problem;

	if (config->sendmail != NULL)
	{
		char *path = g_find_program_in_path(config->sendmail);

		say(path != NULL, "mail", path != NULL ? "by %s" : "there is no program %s",
			config->sendmail);
		g_free(path);
	}
	else if (config->smtp_url == NULL)
		say(true, "mail", "left to other senders: neither smtp_url nor sendmail is set");
	else if ((problem = smtp_check(config)) != NULL)
	{
		say(false, "mail", "%s: %s", config->smtp_url, problem);
		g_free(problem);
	}
	else
		say(true, "mail", "%s answers%s", config->smtp_url,
			config->smtp_user == NULL ? "" : ", the login is right");
}

static void
check_webhooks(const Config *config, PGconn *connection)
{
	PGresult *result = PQexec(connection, "SELECT name, url FROM sales_crm.webhook_urls()");

	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *url = PQgetvalue(result, i, 1);
		char *problem = webhook_check(config, url);

		say(problem == NULL, "webhook", "%s: %s", PQgetvalue(result, i, 0),
			problem == NULL ? "can be reached" : problem);
		g_free(problem);
	}
	PQclear(result);
}

static void
check_documents(const Config *config)
{
	char *problem;

	if (!config->pdf)
	{
		say(true, "documents", "left to other senders: pdf is off");
		return;
	}
	problem = pdf_check(config);
	say(problem == NULL, "documents", "%s",
		problem != NULL					? problem
		: config->seal_database == NULL ? "can be laid out"
										: "can be laid out and sealed");
	g_free(problem);
}
