/*
 * member_row.h
 *		A row of sales_crm.member, and the columns that matter to whoever tells the member something.
 */
#ifndef SCRM_MEMBER_ROW_H
#define SCRM_MEMBER_ROW_H

#include "postgres.h"

#include "row.h"

typedef enum MemberColumn
{
	MEMBER_ID,
	MEMBER_NAME,
	MEMBER_EMAIL,
	MEMBER_LOCALE,
	MEMBER_ACTIVE,
	MEMBER_NOTIFY_BY_EMAIL,
} MemberColumn;

#define MEMBER_COLUMNS (MEMBER_NOTIFY_BY_EMAIL + 1)

extern RowMap member_table;

/* The member with a key, which may be NULL. Returns whether there is one */
extern bool member_find(NullableDatum member_id, Row *member);

#endif /* SCRM_MEMBER_ROW_H */
