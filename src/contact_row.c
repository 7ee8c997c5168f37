/*
 * contact_row.c
 *		Single rows of sales_crm.contact.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "contact_row.h"

static const RowColumn columns[CONTACT_COLUMNS] = {
	[CONTACT_ID] = {"contact_id", INT8OID},
	[CONTACT_NAME] = {"name", TEXTOID},
	[CONTACT_EMAIL] = {"email", TEXTOID},
	[CONTACT_LOCALE] = {"locale", TEXTOID},
};
RowMap contact_table = ROW_MAP("contact", columns);

bool
contact_find(NullableDatum contact_id, LookupTime time, Row *contact)
{
	static Lookup lookup = {.map = &contact_table, .ncolumns = 1, .columns = {CONTACT_ID}};

	return !contact_id.isnull && lookup_row(&lookup, time, &contact_id.value, contact);
}
