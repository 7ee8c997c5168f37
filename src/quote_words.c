/*
 * quote_words.c
 *		Keeps what quote_words() and evidence_body() say, which is constant.
 *
 * Both are functions of SQL; a session forgets what they said when any function changes.
 *
 * Memory: a context of all that is kept; what is forgotten may still be in use, and is freed at the end
 * of the transaction.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "plan.h"
#include "quote_words.h"
#include "render.h"

/* When there are more, all are forgotten */
#define MAX_LOCALES 16

typedef struct KeptWords
{
	char *locale;
	QuoteWords words;
} KeptWords;

static MemoryContext context = NULL;
static bool is_valid = false;
static int nlocales;
static KeptWords locales[MAX_LOCALES];
static MustacheTemplate *evidence_page;

static void prepare(void);
static void forget(void);
static Datum ask(ScrmPlan *plan, Datum *arguments);
static void proc_callback(Datum arg, int cache, uint32 hash);

const QuoteWords *
quote_words_get(const char *locale)
{
	static ScrmPlan plan = {
		.sql = "SELECT sales_crm.quote_words($1)",
		.nargs = 1,
		.argtypes = {TEXTOID},
	};
	Datum arguments[] = {CStringGetTextDatum(locale)};
	MemoryContext caller = CurrentMemoryContext;
	KeptWords *kept;
	Jsonb *words;

	prepare();
	for (int i = 0; i < nlocales; i++)
	{
		if (strcmp(locales[i].locale, locale) == 0)
			return &locales[i].words;
	}
	words = DatumGetJsonbP(ask(&plan, arguments));
	if (nlocales == MAX_LOCALES)
		forget();
	MemoryContextSwitchTo(context);
	kept = &locales[nlocales];
	kept->locale = pstrdup(locale);
	kept->words.words = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(words));
	kept->words.tree = render_tree(&kept->words.words->root);
	nlocales++;
	MemoryContextSwitchTo(caller);
	return &kept->words;
}

const MustacheTemplate *
quote_words_evidence_page(void)
{
	static ScrmPlan plan = {.sql = "SELECT sales_crm.evidence_body()"};
	MemoryContext caller = CurrentMemoryContext;

	prepare();
	if (evidence_page == NULL)
	{
		Datum body = ask(&plan, NULL);

		MemoryContextSwitchTo(context);
		evidence_page = render_prepare(DatumGetTextPCopy(body));
		MemoryContextSwitchTo(caller);
	}
	return evidence_page;
}

static void
prepare(void)
{
	static bool is_watched = false;

	if (!is_watched)
		CacheRegisterSyscacheCallback(PROCOID, proc_callback, (Datum) 0);
	is_watched = true;
	if (!is_valid)
		forget();
	is_valid = true;
}

static void
forget(void)
{
	nlocales = 0;
	evidence_page = NULL;
	if (context != NULL)
		MemoryContextSetParent(context, TopTransactionContext);
	context = AllocSetContextCreate(TopMemoryContext, "sales_crm words", ALLOCSET_DEFAULT_SIZES);
}

/* ask returns what a function says, in the caller's context. */
static Datum
ask(ScrmPlan *plan, Datum *arguments)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Datum copy;

	plan_begin();
	(void) plan_run(plan, PLAN_READ_LATEST, arguments, NULL);
	spi = MemoryContextSwitchTo(caller);
	copy = PointerGetDatum(PG_DETOAST_DATUM_COPY(plan_value(SPI_tuptable, 0, 1).value));
	MemoryContextSwitchTo(spi);
	plan_end();
	return copy;
}

static void
proc_callback(Datum arg pg_attribute_unused(), int cache pg_attribute_unused(),
			  uint32 hash pg_attribute_unused())
{
	is_valid = false;
}
