/*
 * expression.c
 *		Says which expressions of tables stay right when their compiled form is kept.
 *
 * Memory: none.
 */
#include "postgres.h"

#include "access/transam.h"
#include "nodes/nodeFuncs.h"

#include "expression.h"

static bool is_foreign(Node *node, void *context);
static bool is_foreign_function(Oid function, void *context);

bool
expression_is_plain(Node *expression)
{
	return !is_foreign(expression, NULL);
}

/*
 * is_foreign says whether an expression has a part that is not built in, or one whose compiled form
 * may remember something of the statement.
 */
static bool
is_foreign(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
			if (((Var *) node)->varattno <= 0)
				return true;
			break;
		case T_List:
		case T_Const:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_FuncExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_CoalesceExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_RelabelType:
		case T_ArrayExpr:
		case T_NextValueExpr:
			break;
		default:
			return true;
	}
	return check_functions_in_node(node, is_foreign_function, NULL) ||
		   expression_tree_walker(node, is_foreign, context);
}

static bool
is_foreign_function(Oid function, void *context pg_attribute_unused())
{
	return function >= FirstUnpinnedObjectId;
}
