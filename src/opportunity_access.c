/*
 * opportunity_access.c
 *		Refuses opportunities with accounts and contacts that the session does not see.
 *
 * An opportunity shows its account to those who see the opportunity. Whoever could write the key of
 * an account into one of their own would see that account, and so on for all others. What counts is
 * therefore whether the account was visible before: by its owner, or by another opportunity than
 * those of the statement. An account made in the same statement is visible to who made it.
 *
 * The error is that of the foreign key, which is what a key of nothing gives: nobody learns which
 * keys there are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"

#include "access.h"
#include "compat.h"
#include "opportunity.h"
#include "plan.h"
#include "trigger.h"

PG_FUNCTION_INFO_V1(scrm_opportunity_access);

/* Keys, growing as they come */
typedef struct Keys
{
	Datum *values;
	int count;
	int capacity;
} Keys;

static void check_keys(const Keys *accounts, const Keys *contacts, const Keys *opportunities);
static void keys_add(Keys *keys, int64 key);
static Datum keys_array(const Keys *keys);

Datum
scrm_opportunity_access(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_require(fcinfo, "opportunity_access", TRIGGER_EVENT_AFTER, 0);
	const AttrNumber *map = opportunity_map(trigger->tg_relation);
	bool inserting = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	Keys accounts = {0};
	Keys contacts = {0};
	Keys opportunities = {0};
	TriggerRows rows;

	if (access_is_whole())
		return PointerGetDatum(NULL);
	trigger_open_rows(&rows, trigger);
	while (trigger_next_row(&rows))
	{
		OpportunityRow new = row_in_slot(map, rows.new_row);
		bool account = inserting;
		bool contact = inserting;

		if (!inserting)
		{
			OpportunityRow old = row_in_slot(map, rows.old_row);

			account = opportunity_differs(&old, &new, OPPORTUNITY_ACCOUNT_ID);
			contact = opportunity_differs(&old, &new, OPPORTUNITY_CONTACT_ID);
		}
		if (account)
			keys_add(&accounts, opportunity_key(&new, OPPORTUNITY_ACCOUNT_ID));
		if (contact && !opportunity_is_null(&new, OPPORTUNITY_CONTACT_ID))
			keys_add(&contacts, opportunity_key(&new, OPPORTUNITY_CONTACT_ID));
		if (account || contact)
			keys_add(&opportunities, opportunity_key(&new, OPPORTUNITY_ID));
	}
	trigger_close_rows(&rows);
	if (accounts.count + contacts.count > 0)
		check_keys(&accounts, &contacts, &opportunities);
	return PointerGetDatum(NULL);
}

static void
check_keys(const Keys *accounts, const Keys *contacts, const Keys *opportunities)
{
#define IS_VISIBLE                                                                         \
	"(sales_crm.sees_owner(a.owner_id) OR a.owner_id IS NULL AND sales_crm.sees_unowned()" \
	"  OR EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.account_id = a.account_id"   \
	"   AND (sales_crm.sees_owner(o.owner_id)"                                             \
	"    OR o.owner_id IS NULL AND sales_crm.sees_unowned())"                              \
	"   AND o.opportunity_id NOT IN (SELECT unnest($3))))"
	static ScrmPlan plan = {
		.sql = "(SELECT true FROM sales_crm.account a"
			   "  WHERE a.account_id = ANY ($1) AND " IS_VISIBLE " IS NOT TRUE LIMIT 1)"
			   " UNION ALL (SELECT false FROM sales_crm.contact k JOIN sales_crm.account a"
			   "   USING (account_id)"
			   "  WHERE k.contact_id = ANY ($2) AND " IS_VISIBLE " IS NOT TRUE LIMIT 1)",
		.nargs = 3,
		.argtypes = {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID},
		.by_key = true,
	};
	Datum values[3] = {keys_array(accounts), keys_array(contacts), keys_array(opportunities)};
	bool isnull;

	plan_begin();
	if (plan_run(&plan, PLAN_WRITE, values, NULL) > 0)
	{
		bool account =
			DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		const char *table = account ? "account" : "contact";

		ereport(
			ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"opportunity\" violates foreign key constraint "
					"\"opportunity_%s_id_fkey\"",
					table),
			 errdetail("Key is not present in table \"%s\".", table),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "sales_crm"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "opportunity"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, account ? "opportunity_account_id_fkey"
																 : "opportunity_contact_id_fkey")));
	}
	plan_end();
}

static void
keys_add(Keys *keys, int64 key)
{
	if (keys->count == keys->capacity)
	{
		keys->capacity = Max(keys->capacity * 2, 16);
		keys->values = keys->values == NULL
						   ? palloc_array(Datum, keys->capacity)
						   : repalloc(keys->values, sizeof(Datum) * keys->capacity);
	}
	keys->values[keys->count++] = Int64GetDatum(key);
}

static Datum
keys_array(const Keys *keys)
{
	return PointerGetDatum(construct_array(keys->values, keys->count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
