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
	[COMPANY_VAT_NUMBER] = {"vat_number", TEXTOID},
	[COMPANY_LOGO] = {"logo", BYTEAOID},
	[COMPANY_TIME_ZONE] = {"time_zone", TEXTOID},
	[COMPANY_ATTACHMENT_MAX_BYTES] = {"attachment_max_bytes", INT4OID},
	[COMPANY_DECLINING_LOST_REASON_ID] = {"declining_lost_reason_id", INT8OID},
	[COMPANY_QUOTE_NUMBER_FORMAT] = {"quote_number_format", TEXTOID},
};
RowMap company_table = ROW_MAP("company", columns);

Row
company_get(void)
{
	static Lookup lookup = {.map = &company_table, .ncolumns = 1, .columns = {COMPANY_ID}};
	Datum key[] = {Int16GetDatum(1)};
	Row company;

	if (!lookup_row(&lookup, LOOKUP_STATEMENT, key, &company))
		elog(ERROR, "sales_crm.company has no row");
	return company;
}
