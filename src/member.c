/*
 * member.c
 *		On whose behalf the session works: the setting sales_crm.member_id where the session may act
 *		for any member, else the active member whose login is the session's role, else nobody.
 *
 * Only members of sales_crm_app (and superusers) may act for any member; for others the setting
 * says nothing. It is the role that logged in that counts, whatever role it set since.
 *
 * A session without a member is a database administrator's (or an import's) where it works with the
 * rights of the tables' owner: rules reserved for managers do not hold it up.
 *
 * The answer is kept until the setting, the session's role, a membership of roles or the table
 * member changes. As in configuration.c, callbacks only mark it, and it counts as valid before it is
 * looked up, so that a change meanwhile wins.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "error.h"
#include "member.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(scrm_current_member);

/* sales_crm.member_id */
static char *member_id_setting = NULL;

static Member current;
static Oid current_role = InvalidOid;
static bool current_valid = false;

/* Goes up whenever the answer may be another one */
uint64 member_epoch = 1;
static Oid member_oid = InvalidOid;

static bool check_member_id(char **newval, void **extra, GucSource source);
static void assign_member_id(const char *newval, void *extra);
static void relcache_callback(Datum arg, Oid relid);
static void role_callback(Datum arg, int cacheid, uint32 hashvalue);
static void forget(void);
static bool may_act_for_any(Oid role);
static bool leads_without_member(void);
static Member member_by_setting(void);
static Member member_by_login(Oid role);
static Member member_found(uint64 rows);

void
member_init(void)
{
	DefineCustomStringVariable(
		"sales_crm.member_id", "Sets the member on whose behalf the session works.",
		"A key of sales_crm.member, for sessions of members of sales_crm_app. When "
		"empty, or for others, the member is the one whose login is the session's role.",
		&member_id_setting, "", PGC_USERSET, 0, check_member_id, assign_member_id, NULL);
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, role_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, role_callback, (Datum) 0);
}

Member
member_current(void)
{
	Member member = member_known();

	if (member.member_id == 0)
		member.is_manager = leads_without_member();
	return member;
}

Member
member_known(void)
{
	Oid role = GetSessionUserId();
	Member found;

	if (current_valid && current_role == role)
		return current;

	member_oid = plan_relation("member");
	current_valid = true;
	PG_TRY();
	{
		found = member_id_setting[0] != '\0' && may_act_for_any(role) ? member_by_setting()
																	  : member_by_login(role);
	}
	PG_CATCH();
	{
		current_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	current = found;
	current_role = role;
	return found;
}

/*
 * member_role says whether a role is, directly or through others, in the group role of a level;
 * superusers are in none unless they were put there.
 */
bool
member_role(Oid role, const char *level)
{
	char name[NAMEDATALEN];
	Oid group;

	snprintf(name, sizeof(name), "sales_crm_%s", level);
	group = get_role_oid(name, true);
	return OidIsValid(group) && is_member_of_role_nosuper(role, group);
}

Datum
scrm_current_member(PG_FUNCTION_ARGS)
{
	Member member = member_current();

	if (member.member_id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(member.member_id);
}

static bool
check_member_id(char **newval, void **extra pg_attribute_unused(),
				GucSource source pg_attribute_unused())
{
	const char *digits = *newval;

	if (strlen(digits) > 18 || strspn(digits, "0123456789") != strlen(digits))
	{
		GUC_check_errdetail("It is a key of sales_crm.member: a positive whole number, or empty.");
		return false;
	}
	return true;
}

static void
assign_member_id(const char *newval pg_attribute_unused(), void *extra pg_attribute_unused())
{
	forget();
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid == InvalidOid || relid == member_oid)
		forget();
}

static void
role_callback(Datum arg pg_attribute_unused(), int cacheid pg_attribute_unused(),
			  uint32 hashvalue pg_attribute_unused())
{
	forget();
}

static void
forget(void)
{
	current_valid = false;
	member_epoch++;
}

static bool
may_act_for_any(Oid role)
{
	return superuser_arg(role) || member_role(role, "app");
}

/*
 * leads_without_member says whether a session without member may do what is reserved for managers:
 * administrators, and functions that work as the tables' owner for customers.
 */
static bool
leads_without_member(void)
{
	return has_privs_of_role(GetUserId(), plan_owner()) ||
		   member_role(GetOuterUserId(), "manager") || member_role(GetOuterUserId(), "admin");
}

static Member
member_by_setting(void)
{
	static ScrmPlan plan = {
		.sql = "SELECT m.member_id, m.is_manager FROM sales_crm.member m"
			   " WHERE m.active AND m.member_id = $1",
		.nargs = 1,
		.argtypes = {INT8OID},
	};
	Datum values[1] = {Int64GetDatum(strtoll(member_id_setting, NULL, 10))};
	Member member;

	plan_begin();
	member = member_found(plan_run(&plan, PLAN_READ_LATEST, values, NULL));
	plan_end();
	if (member.member_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_SCRM_NO_MEMBER),
				 errmsg("no active member has the key in sales_crm.member_id"),
				 errdetail("sales_crm.member_id is %s.", member_id_setting),
				 errhint("SET sales_crm.member_id to the key of an active member, or RESET it.")));
	return member;
}

static Member
member_by_login(Oid role)
{
	static ScrmPlan plan = {
		.sql = "SELECT m.member_id, m.is_manager FROM sales_crm.member m"
			   " WHERE m.active AND m.login = $1",
		.nargs = 1,
		.argtypes = {TEXTOID},
	};
	Datum values[1] = {CStringGetTextDatum(GetUserNameFromId(role, false))};
	Member member;

	plan_begin();
	member = member_found(plan_run(&plan, PLAN_READ_LATEST, values, NULL));
	plan_end();
	return member;
}

static Member
member_found(uint64 rows)
{
	Member member = {.member_id = 0};

	if (rows > 0)
	{
		HeapTuple tuple = SPI_tuptable->vals[0];
		TupleDesc tupdesc = SPI_tuptable->tupdesc;
		bool isnull;

		member.member_id = DatumGetInt64(SPI_getbinval(tuple, tupdesc, 1, &isnull));
		member.is_manager = DatumGetBool(SPI_getbinval(tuple, tupdesc, 2, &isnull));
	}
	return member;
}
