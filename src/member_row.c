/*
 * member_row.c
 *		Single rows of sales_crm.member.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "lookup.h"
#include "member_row.h"

static const RowColumn columns[MEMBER_COLUMNS] = {
	[MEMBER_ID] = {"member_id", INT8OID},  [MEMBER_NAME] = {"name", TEXTOID},
	[MEMBER_EMAIL] = {"email", TEXTOID},   [MEMBER_LOCALE] = {"locale", TEXTOID},
	[MEMBER_ACTIVE] = {"active", BOOLOID}, [MEMBER_NOTIFY_BY_EMAIL] = {"notify_by_email", BOOLOID},
};
RowMap member_table = ROW_MAP("member", columns);

bool
member_find(NullableDatum member_id, Row *member)
{
	static Lookup lookup = {.map = &member_table, .ncolumns = 1, .columns = {MEMBER_ID}};

	return !member_id.isnull && lookup_row(&lookup, LOOKUP_STATEMENT, &member_id.value, member);
}
