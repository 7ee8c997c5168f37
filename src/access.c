/*
 * access.c
 *		Whose rows the session sees: everybody's, its team's or its own. The policies of
 *		sql/data/access.sql ask here for each row, by the row's owner.
 *
 * Everything is seen by those for whom policies do not hold, by sales_crm_admin, by readers without
 * member, and by members whose visibility is "all". The roles are those that the session has set
 * (SET ROLE), also below functions that work as somebody else; the member is that of member.c.
 * Others see the owners in a sorted list, which is looked up once and kept until a role or one of
 * the tables team, member and company changes: what is in sales_crm.member is that or less a moment.
 *
 * The planner learns from sees_owner()'s support function that it is an index condition on the
 * owner's column, and how many rows it lets through. What the index finds is checked again. A plan
 * may live longer than the identity it was made for; the condition therefore holds for all of them:
 * visible_owners() names every owner that sees_owner() lets through, which is why the latter never
 * lets a row without owner through, and why it is no condition on columns that may hold the keys of
 * members who are gone.
 *
 * Memory: the list lives in a context of its own, which is emptied when it is looked up again.
 */
#include "postgres.h"

#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"
#include "nodes/supportnodes.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "access.h"
#include "compat.h"
#include "member.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(scrm_sees_owner);
PG_FUNCTION_INFO_V1(scrm_sees_owner_support);
PG_FUNCTION_INFO_V1(scrm_sees_unowned);
PG_FUNCTION_INFO_V1(scrm_visible_owners);
PG_FUNCTION_INFO_V1(scrm_sees);
PG_FUNCTION_INFO_V1(scrm_sees_now);
PG_FUNCTION_INFO_V1(scrm_sees_everything);
PG_FUNCTION_INFO_V1(scrm_is_admin);
PG_FUNCTION_INFO_V1(scrm_is_manager);

/* pg_operator has no symbol for it */
#define INT8_EQUAL_OPERATOR 410

typedef struct Access
{
	bool whole;	  /* every row is seen */
	bool unowned; /* rows without owner are seen */
	int nowners;
	int64 *owners; /* sorted */
} Access;

/* For whom it is right */
typedef struct AccessKey
{
	Oid session;
	Oid role;
	uint64 epoch; /* member_epoch */
} AccessKey;

static Access visible;
static AccessKey access_key;
static bool access_valid = false;
static MemoryContext access_context = NULL;
static Oid team_oid = InvalidOid;
static Oid member_oid = InvalidOid;
static Oid company_oid = InvalidOid;

static void relcache_callback(Datum arg, Oid relid);
static void role_callback(Datum arg, int cacheid, uint32 hashvalue);
static const Access *access_current(void);
static bool access_has(const Access *current, int64 owner);
static void access_look_up(AccessKey key);
static bool is_exempt(Oid role);
static bool sees(const char *kind, Datum key, PlanMode mode);
static void look_up_owners(int64 member_id, bool is_manager);
static int compare_keys(const void *a, const void *b);
static ArrayType *owner_array(const Access *current);
static Selectivity owner_selectivity(SupportRequestSelectivity *request);
static List *owner_index_condition(SupportRequestIndexCondition *request);
static Node *owner_is_any(Node *owner, Node *owners);

void
access_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, role_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, role_callback, (Datum) 0);
}

bool
access_is_whole(void)
{
	return access_current()->whole;
}

bool
access_sees(const char *kind, int64 key)
{
	return sees(kind, Int64GetDatum(key), PLAN_READ_AS_SESSION);
}

Datum
scrm_sees_owner(PG_FUNCTION_ARGS)
{
	const Access *current = access_current();

	PG_RETURN_BOOL(current->whole || access_has(current, PG_GETARG_INT64(0)));
}

Datum
scrm_sees_unowned(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(access_current()->unowned);
}

Datum
scrm_visible_owners(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(owner_array(access_current()));
}

/* scrm_sees_owner_support answers the planner about sees_owner(). */
Datum
scrm_sees_owner_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestSelectivity) &&
		!((SupportRequestSelectivity *) request)->is_join)
	{
		((SupportRequestSelectivity *) request)->selectivity =
			owner_selectivity((SupportRequestSelectivity *) request);
		PG_RETURN_POINTER(request);
	}
	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(owner_index_condition((SupportRequestIndexCondition *) request));
	PG_RETURN_POINTER(NULL);
}

/*
 * scrm_sees says whether the session's role may read a row, also when it is called by a function
 * that works as the tables' owner; scrm_sees_now sees what the calling statement has done, too.
 * Errors: 22023 for a kind that is not known.
 */
Datum
scrm_sees(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(
		sees(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_DATUM(1), PLAN_READ_AS_SESSION));
}

Datum
scrm_sees_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(access_is_whole() || sees(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											 PG_GETARG_DATUM(1), PLAN_CHECK_AS_SESSION));
}

Datum
scrm_sees_everything(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(access_is_whole());
}

/*
 * scrm_is_manager says whether the session may do what is reserved for managers. Unlike
 * member_current(), it does not take a function that works as the owner for an administrator.
 */
Datum
scrm_is_manager(PG_FUNCTION_ARGS)
{
	Member member = member_known();
	Oid role = GetOuterUserId();

	PG_RETURN_BOOL(member.is_manager || member_role(role, "admin") ||
				   (member.member_id == 0 && (is_exempt(role) || member_role(role, "manager"))));
}

/* scrm_is_admin says whether the session's role may configure, and see and correct everything. */
Datum
scrm_is_admin(PG_FUNCTION_ARGS)
{
	Oid role = GetOuterUserId();

	PG_RETURN_BOOL(is_exempt(role) || member_role(role, "admin"));
}

static bool
sees(const char *kind, Datum key, PlanMode mode)
{
#define SEES(table)                                                                       \
	{                                                                                     \
		.sql = "SELECT FROM sales_crm." table " r WHERE r." table "_id = $1", .nargs = 1, \
		.argtypes = {INT8OID}, .by_key = true                                             \
	}
	static struct
	{
		const char *kind;
		ScrmPlan plan;
	} kinds[] = {
		{"account", SEES("account")},
		{"contact", SEES("contact")},
		{"opportunity", SEES("opportunity")},
		{"task", SEES("task")},
		{"appointment", SEES("appointment")},
		{"email", SEES("email")},
		{"attachment", SEES("attachment")},
		{"note", SEES("note")},
		{"quote", SEES("quote")},
	};
	bool seen;

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		plan_begin();
		seen = plan_run(&kinds[i].plan, mode, &key, NULL) > 0;
		plan_end();
		return seen;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("kind of row \"%s\" is not known", kind),
					errhint("Name a table such as opportunity or account.")));
	return false;
}

static void
relcache_callback(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid == InvalidOid || relid == team_oid || relid == member_oid || relid == company_oid)
		access_valid = false;
}

static void
role_callback(Datum arg pg_attribute_unused(), int cacheid pg_attribute_unused(),
			  uint32 hashvalue pg_attribute_unused())
{
	access_valid = false;
}

static const Access *
access_current(void)
{
	AccessKey key = {
		.session = GetSessionUserId(),
		.role = GetOuterUserId(),
		.epoch = member_epoch,
	};

	if (!access_valid || key.session != access_key.session || key.role != access_key.role ||
		key.epoch != access_key.epoch)
		access_look_up(key);
	return &visible;
}

/* access_has looks an owner up in the sorted list. */
static bool
access_has(const Access *current, int64 owner)
{
	int low = 0;
	int high = current->nowners;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (current->owners[middle] < owner)
			low = middle + 1;
		else
			high = middle;
	}
	return low < current->nowners && current->owners[low] == owner;
}

/* access_look_up fills in visible. It is valid before, so that a change meanwhile wins. */
static void
access_look_up(AccessKey key)
{
	Member member;

	access_valid = true;
	access_key = key;
	PG_TRY();
	{
		member = member_known();
		team_oid = plan_relation("team");
		member_oid = plan_relation("member");
		company_oid = plan_relation("company");
		if (access_context == NULL)
			access_context =
				AllocSetContextCreate(CacheMemoryContext, "sales_crm access", ALLOCSET_SMALL_SIZES);
		MemoryContextReset(access_context);
		memset(&visible, 0, sizeof(Access));
		if (is_exempt(key.role) || member_role(key.role, "admin") ||
			(member.member_id == 0 && member_role(key.role, "reader")))
			visible.whole = true;
		else if (member.member_id != 0)
			look_up_owners(member.member_id, member.is_manager);
		visible.unowned = visible.whole || (member.member_id != 0 && member.is_manager);
	}
	PG_CATCH();
	{
		access_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* is_exempt says whether policies do not hold for a role. */
static bool
is_exempt(Oid role)
{
	return has_bypassrls_privilege(role) || has_privs_of_role(role, plan_owner());
}

/*
 * look_up_owners finds the members whose rows a member sees: with "team" those of its team and the
 * teams below it, which a manager sees with "own", too.
 */
static void
look_up_owners(int64 member_id, bool is_manager)
{
	static ScrmPlan plan = {
		.sql = "WITH RECURSIVE me AS ("
			   "  SELECT m.member_id, m.team_id, coalesce(m.visibility, c.visibility) AS visibility"
			   "  FROM sales_crm.member m, sales_crm.company c WHERE m.member_id = $1),"
			   " below AS ("
			   "  SELECT e.team_id FROM me e"
			   "  WHERE e.team_id IS NOT NULL AND (e.visibility = 'team' OR $2)"
			   "  UNION SELECT t.team_id FROM sales_crm.team t"
			   "  JOIN below b ON t.parent_team_id = b.team_id)"
			   " SELECT e.visibility = 'all', e.member_id FROM me e"
			   " UNION SELECT false, m.member_id FROM sales_crm.member m"
			   "  WHERE m.team_id IN (SELECT b.team_id FROM below b)",
		.nargs = 2,
		.argtypes = {INT8OID, BOOLOID},
	};
	Datum values[2] = {Int64GetDatum(member_id), BoolGetDatum(is_manager)};
	uint64 rows;

	plan_begin();
	rows = plan_run(&plan, PLAN_READ_LATEST, values, NULL);
	visible.owners = MemoryContextAlloc(access_context, sizeof(int64) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple tuple = SPI_tuptable->vals[i];
		TupleDesc tupdesc = SPI_tuptable->tupdesc;
		bool isnull;

		visible.whole |= DatumGetBool(SPI_getbinval(tuple, tupdesc, 1, &isnull));
		visible.owners[visible.nowners++] =
			DatumGetInt64(SPI_getbinval(tuple, tupdesc, 2, &isnull));
	}
	plan_end();
	qsort(visible.owners, visible.nowners, sizeof(int64), compare_keys);
}

static int
compare_keys(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* owner_array returns the visible owners: every member where everything is seen. */
static ArrayType *
owner_array(const Access *current)
{
	static ScrmPlan plan = {
		.sql = "SELECT coalesce(array_agg(m.member_id ORDER BY m.member_id), '{}')"
			   " FROM sales_crm.member m",
	};
	MemoryContext caller = CurrentMemoryContext;
	ArrayType *owners;
	Datum *keys;

	if (current->whole)
	{
		bool isnull;

		plan_begin();
		(void) plan_run(&plan, PLAN_READ_LATEST, NULL, NULL);
		MemoryContextSwitchTo(caller);
		owners = DatumGetArrayTypePCopy(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		plan_end();
		MemoryContextSwitchTo(caller);
		return owners;
	}
	keys = palloc_array(Datum, Max(current->nowners, 1));
	for (int i = 0; i < current->nowners; i++)
		keys[i] = Int64GetDatum(current->owners[i]);
	return construct_array(keys, current->nowners, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
						   TYPALIGN_DOUBLE);
}

static Selectivity
owner_selectivity(SupportRequestSelectivity *request)
{
	const Access *current = access_current();
	Const *owners;

	if (current->whole)
		return 1.0;
	owners = makeConst(INT8ARRAYOID, -1, InvalidOid, -1, PointerGetDatum(owner_array(current)),
					   false, false);
	return scalararraysel(
		request->root, (ScalarArrayOpExpr *) owner_is_any(linitial(request->args), (Node *) owners),
		false, request->varRelid, request->jointype, request->sjinfo);
}

/*
 * owner_index_condition makes sees_owner(column) the condition column = ANY (visible_owners()), for
 * tables whose owners are members by foreign key, and unless everything is seen, where an index is
 * of no use.
 */
static List *
owner_index_condition(SupportRequestIndexCondition *request)
{
	FuncExpr *call = (FuncExpr *) request->node;
	Oid relid;
	Oid function;

	if (!IsA(call, FuncExpr) || request->indexarg != 0 ||
		request->opfamily != INTEGER_BTREE_FAM_OID || access_current()->whole)
		return NIL;
	relid = planner_rt_fetch(request->index->rel->relid, request->root)->relid;
	if (relid != plan_relation("opportunity") && relid != plan_relation("account") &&
		relid != plan_relation("task"))
		return NIL;
	function = LookupFuncName(list_make2(makeString("sales_crm"), makeString("visible_owners")), 0,
							  NULL, false);
	request->lossy = true;
	return list_make1(owner_is_any(linitial(call->args),
								   (Node *) makeFuncExpr(function, INT8ARRAYOID, NIL, InvalidOid,
														 InvalidOid, COERCE_EXPLICIT_CALL)));
}

static Node *
owner_is_any(Node *owner, Node *owners)
{
	ScalarArrayOpExpr *expression = makeNode(ScalarArrayOpExpr);

	expression->opno = INT8_EQUAL_OPERATOR;
	expression->opfuncid = F_INT8EQ;
	expression->useOr = true;
	expression->args = list_make2(owner, owners);
	expression->location = -1;
	return (Node *) expression;
}
