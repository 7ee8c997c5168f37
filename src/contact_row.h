/*
 * contact_row.h
 *		Single rows of sales_crm.contact, and the columns that modules ask for.
 */
#ifndef SCRM_CONTACT_ROW_H
#define SCRM_CONTACT_ROW_H

#include "postgres.h"

#include "lookup.h"
#include "row.h"

typedef enum ContactColumn
{
	CONTACT_ID,
	CONTACT_NAME,
	CONTACT_EMAIL,
	CONTACT_LOCALE,
} ContactColumn;

#define CONTACT_COLUMNS (CONTACT_LOCALE + 1)

extern RowMap contact_table;

/* The contact with a key, which may be NULL. Returns whether there is one */
extern bool contact_find(NullableDatum contact_id, LookupTime time, Row *contact);

#endif /* SCRM_CONTACT_ROW_H */
