/*
 * pdf.c
 *		Makes documents with WeasyPrint: the kind of delivery, and --render.
 *
 * The HTML holds words of strangers, so it is laid out by a process of its own, pdf.py, with limits
 * of memory, processor and time. The process has no network where the system lets it give that up;
 * everywhere it fetches nothing but data: URLs, and none of the database's secrets are in its
 * environment. It seals the document, too, where a key is configured.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <sys/wait.h>

#include "child.h"
#include "log.h"
#include "pdf.h"

#define MAX_PDF (64 * 1024 * 1024)
#define NO_NAMESPACE 125 /* what child.c says where a network of its own is forbidden */

/* pdf.py, as text that ends with a zero byte */
extern const char pdf_script[];
__asm__(".section .rodata\n.global pdf_script\npdf_script:\n.incbin \"" SCRIPTS
		"/pdf.py\"\n.byte 0\n.previous\n");

typedef struct Pdf
{
	char *input;
	bool in_network; /* the system forbids to leave it */
} Pdf;

/* How the process is run: the command and what it points to */
typedef struct Script
{
	const char *arguments[5];
	char *environment[5];
	Command command;
} Script;

/* What the process has made */
typedef struct Document
{
	char *seal; /* who sealed it; unsealed and why; NULL where no seal is asked for */
	const char *content;
	size_t length;
} Document;

static bool pdf_able(const Config *config);
static void pdf_start(Delivery *delivery);
static void pdf_release(Delivery *delivery);
static char *
make_input(const Config *config, const char *html, const char *author, bool to_be_sealed);
static void make_script(Script *script, const Config *config, const char *input, bool in_network);
static void free_script(Script *script);
static void run_script(Delivery *delivery);
static void pdf_exited(Delivery *delivery, const CommandResult *result);
static void pdf_stored(Delivery *delivery, const PGresult *result);
static bool read_document(const CommandResult *result, Document *document);
static char *problem_of(const CommandResult *result);
static bool is_kept_in_network(const CommandResult *result);
static bool lacks_program(const CommandResult *result);
static char *fetch_quote(const Config *config, const char *quote_id);
static bool print_document(const Config *config, const char *input);
static Child *run_to_end(const Config *config, const char *input, CommandResult *result);

const DeliveryKind pdf_kind = {
	.name = "pdf",
	.able = pdf_able,
	.start = pdf_start,
	.release = pdf_release,
};

static bool
pdf_able(const Config *config)
{
	return config->pdf;
}

static void
pdf_start(Delivery *delivery)
{
	const char *html = delivery->fields[FIELD_HTML];
	bool is_signed = g_strcmp0(delivery_text(delivery, "purpose"), "signed") == 0;
	Pdf *pdf;

	if (html == NULL)
	{
		const char *problem = delivery_text(delivery, "problem");

		delivery_end(delivery, VERDICT_FINAL, 0, "there is no document to lay out%s%s",
					 problem == NULL ? "" : ": ", problem == NULL ? "" : problem);
		return;
	}
	pdf = g_new0(Pdf, 1);
	pdf->input = make_input(delivery->config, html, delivery_text(delivery, "author"), is_signed);
	delivery->state = pdf;
	run_script(delivery);
}

static void
pdf_release(Delivery *delivery)
{
	Pdf *pdf = delivery->state;

	g_free(pdf->input);
	g_free(pdf);
}

static char *
make_input(const Config *config, const char *html, const char *author, bool to_be_sealed)
{
	char *sha256 = g_compute_checksum_for_string(G_CHECKSUM_SHA256, html, -1);
	json_t *seal = NULL;
	json_t *input;
	char *dumped;
	char *text;

	if (to_be_sealed && config->seal_database != NULL)
		seal = json_pack("{s:s, s:s, s:s}", "nssdir", config->seal_database, "nickname",
						 config->seal_nickname, "reason",
						 config->seal_reason == NULL ? "" : config->seal_reason);
	input = json_pack("{s:s, s:s, s:s, s:o}", "html", html, "author", author == NULL ? "" : author,
					  "html_sha256", sha256, "seal", seal == NULL ? json_null() : seal);
	dumped = json_dumps(input, 0);
	text = g_strdup(dumped == NULL ? "" : dumped);
	free(dumped);
	json_decref(input);
	g_free(sha256);
	return text;
}

static void
make_script(Script *script, const Config *config, const char *input, bool in_network)
{
	const char *path = g_getenv("PATH");

	*script = (Script){
		.arguments = {config->pdf_python, "-I", "-c", pdf_script, NULL},
		.environment = {g_strconcat("PATH=", path == NULL ? "/usr/bin:/bin" : path, NULL),
						g_strconcat("HOME=", g_get_home_dir(), NULL),
						g_strconcat("TMPDIR=", g_get_tmp_dir(), NULL), g_strdup("LANG=C.UTF-8"),
						NULL},
	};
	script->command = (Command){
		.arguments = script->arguments,
		.environment = (const char *const *) script->environment,
		.input = input,
		.input_length = strlen(input),
		.output_limit = MAX_PDF,
		.seconds = config->pdf_timeout,
		.memory_limit = (unsigned long) config->pdf_memory * 1024 * 1024,
		.cpu_limit = (unsigned long) config->pdf_timeout + 1,
		.no_network = !in_network,
	};
}

static void
free_script(Script *script)
{
	for (int i = 0; script->environment[i] != NULL; i++)
		g_free(script->environment[i]);
}

static void
run_script(Delivery *delivery)
{
	Pdf *pdf = delivery->state;
	Script script;

	make_script(&script, delivery->config, pdf->input, pdf->in_network);
	delivery_command(delivery, &script.command, pdf_exited);
	free_script(&script);
}

static void
pdf_exited(Delivery *delivery, const CommandResult *result)
{
	Pdf *pdf = delivery->state;
	Document document;

	if (!pdf->in_network && is_kept_in_network(result))
	{
		pdf->in_network = true;
		run_script(delivery);
	}
	else if (read_document(result, &document))
	{
		bool unsealed = document.seal != NULL && g_str_has_prefix(document.seal, "unsealed");
		const char *values[] = {delivery_keep(delivery, "%lld", delivery->message_id),
								delivery_keep(delivery, "%lld", delivery->fence), document.content,
								unsealed ? "unsealed" : document.seal};
		const int lengths[] = {-1, -1, (int) document.length, -1};

		if (unsealed)
			log_write(LOG_LEVEL_WARNING, delivery->message_id, "%s", document.seal);
		delivery_query(delivery, "SELECT sales_crm.store_pdf($1, $2, $3, $4)", G_N_ELEMENTS(values),
					   values, lengths, false, pdf_stored);
		g_free(document.seal);
	}
	else
	{
		char *problem = problem_of(result);

		if (lacks_program(result))
			delivery_blame_kind(delivery);
		delivery_end(delivery, VERDICT_RETRY, 0, "%s", problem);
		g_free(problem);
	}
}

static void
pdf_stored(Delivery *delivery, const PGresult *result)
{
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		delivery_end(delivery, VERDICT_STORED, 0, NULL);
	else
		delivery_end(delivery, VERDICT_RETRY, 0, "the document could not be stored: %s",
					 result == NULL ? "the connection was lost" : PQresultErrorMessage(result));
}

/* read_document takes apart what the process has printed: a line about the seal, and the PDF. */
static bool
read_document(const CommandResult *result, Document *document)
{
	const char *end;

	if (result->status != 0 || result->output_length == 0 ||
		(end = memchr(result->output, '\n', result->output_length)) == NULL)
		return false;
	document->content = end + 1;
	document->length = result->output_length - (size_t) (end + 1 - result->output);
	if (document->length < 5 || memcmp(document->content, "%PDF-", 5) != 0)
		return false;
	document->seal = g_strndup(result->output, (size_t) (end - result->output));
	if (strcmp(document->seal, "none") == 0)
		g_clear_pointer(&document->seal, g_free);
	return true;
}

/* problem_of: of a traceback of Python, the last line says what happened. */
static char *
problem_of(const CommandResult *result)
{
	char *complaint = g_strstrip(g_strdup(result->complaint == NULL ? "" : result->complaint));
	const char *last = strrchr(complaint, '\n');
	char *problem;

	if (result->reason != NULL)
		problem = g_strdup_printf("the document was not laid out: %s", result->reason);
	else if (complaint[0] != '\0')
		problem = g_strdup_printf("the document was not laid out: %s",
								  last == NULL ? complaint : last + 1);
	else if (WIFSIGNALED(result->status))
		problem = g_strdup_printf("the document was not laid out: signal %d ended it",
								  WTERMSIG(result->status));
	else
		problem = g_strdup_printf("the document was not laid out: status %d",
								  WIFEXITED(result->status) ? WEXITSTATUS(result->status) : -1);
	g_free(complaint);
	return problem;
}

static bool
is_kept_in_network(const CommandResult *result)
{
	return result->status != -1 && WIFEXITED(result->status) &&
		   WEXITSTATUS(result->status) == NO_NAMESPACE;
}

/* lacks_program: Python or WeasyPrint is not there, which no other document will change. */
static bool
lacks_program(const CommandResult *result)
{
	return (result->reason != NULL && strstr(result->reason, "no such program") != NULL) ||
		   (result->complaint != NULL && strstr(result->complaint, "ModuleNotFoundError") != NULL);
}

int
pdf_render_quote(const Config *config, const char *quote_id)
{
	char *input = fetch_quote(config, quote_id);
	bool printed = input != NULL && print_document(config, input);

	g_free(input);
	return printed ? EX_OK : EX_UNAVAILABLE;
}

/* fetch_quote reads what is laid out with the rights of whoever calls the program. */
static char *
fetch_quote(const Config *config, const char *quote_id)
{
	const char *const keywords[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
	const char *const values[] = {"sales_crm_sender --render",
								  config->database == NULL ? "" : config->database, "UTF8", NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, 1);
	PGresult *result =
		PQexecParams(connection,
					 "SELECT CASE WHEN status = 'signed' THEN sales_crm.signed_document(quote_id)"
					 " ELSE coalesce(html, sales_crm.preview_quote(quote_id)) END,"
					 " snapshot #>> '{company,name}', pg_catalog.encode(html_sha256, 'hex')"
					 " FROM sales_crm.quote WHERE quote_id = $1",
					 1, NULL, &quote_id, NULL, NULL, 0);
	char *input = NULL;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		log_error("%s", PQerrorMessage(connection));
	else if (PQntuples(result) == 0)
		log_error("quote %s does not exist", quote_id);
	else
		input = make_input(config, PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), false);
	PQclear(result);
	PQfinish(connection);
	return input;
}

static bool
print_document(const Config *config, const char *input)
{
	bool printed = false;
	CommandResult result;
	Child *child = run_to_end(config, input, &result);
	Document document;

	if (read_document(&result, &document))
	{
		g_free(document.seal);
		printed = fwrite(document.content, 1, document.length, stdout) == document.length &&
				  fflush(stdout) == 0;
		if (!printed)
			log_error("cannot write the document");
	}
	else
	{
		char *problem = problem_of(&result);

		log_error("%s", problem);
		g_free(problem);
	}
	child_free(child);
	return printed;
}

char *
pdf_check(const Config *config)
{
	char *input = make_input(config, "<title>Test</title><p>Test</p>", "Test", true);
	CommandResult result;
	Child *child = run_to_end(config, input, &result);
	Document document;
	char *problem = NULL;

	if (!read_document(&result, &document))
		problem = problem_of(&result);
	else if (document.seal != NULL && g_str_has_prefix(document.seal, "unsealed"))
		problem = document.seal;
	else
		g_free(document.seal);
	child_free(child);
	g_free(input);
	return problem;
}

/* run_to_end waits for the process, whose result lasts as long as the child that it returns. */
static Child *
run_to_end(const Config *config, const char *input, CommandResult *result)
{
	bool in_network = false;

	for (;;)
	{
		Script script;
		Child *child;

		make_script(&script, config, input, in_network);
		child = child_start(&script.command);
		free_script(&script);
		while (!child_work(child, result))
			g_usleep(10000);
		if (in_network || !is_kept_in_network(result))
			return child;
		in_network = true;
		child_free(child);
	}
}
