/*
 * company_row.c
 *		The row of sales_crm.company.
 *
 * The configuration has what each write needs of it; this is for texts that name the company.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "company_row.h"
#include "lookup.h"

static const RowColumn columns[COMPANY_COLUMNS] = {
	[COMPANY_ID] = {"company_id", INT2OID},
	[COMPANY_NAME] = {"name", TEXTOID},
	[COMPANY_ADDRESS] = {"address", TEXTOID},
	[COMPANY_BRAND_COLOR] = {"brand_color", TEXTOID},
	[COMPANY_LOCALE] = {"locale", TEXTOID},
	[COMPANY_PORTAL_URL] = {"portal_url", TEXTOID},
	[COMPANY_SENDER_EMAIL] = {"sender_email", TEXTOID},
	[COMPANY_BOUNCE_EMAIL] = {"bounce_email", TEXTOID},
};
static AttrNumber attnums[COMPANY_COLUMNS];
static RowMap table_map = {
	.table = "company",
	.columns = columns,
	.ncolumns = COMPANY_COLUMNS,
	.attnums = attnums,
};

Row
company_get(void)
{
	static Lookup lookup = {.map = &table_map, .ncolumns = 1, .columns = {COMPANY_ID}};
	Datum key[] = {Int16GetDatum(1)};
	Row company;

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, key, &company))
		elog(ERROR, "sales_crm.company has no row");
	return company;
}
