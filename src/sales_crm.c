/*
 * sales_crm.c
 *		Entry point of the module.
 *
 * The way of the data: a statement meets opportunity.c, which asks transition.c (its rules are in
 * transition_rule.c) and decides row by row; then history.c and follow_up.c write, once per
 * statement. All of them know the rules from configuration.c and the session's member from member.c,
 * and run SQL through plan.c. Whose rows a session sees at all is known in access.c. statement.c
 * makes all of it faster.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "access.h"
#include "compat.h"
#include "configuration.h"
#include "member.h"
#include "opportunity.h"
#include "outbox.h"
#include "product_line.h"
#include "quote.h"
#include "quote_line.h"
#include "statement.h"

SCRM_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	configuration_init();
	member_init();
	access_init();
	outbox_init();
	statement_init();
	MarkGUCPrefixReserved("sales_crm");
}
