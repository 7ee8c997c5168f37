/*
 * company_row.h
 *		The row of sales_crm.company, and the columns that modules ask for.
 */
#ifndef SCRM_COMPANY_ROW_H
#define SCRM_COMPANY_ROW_H

#include "postgres.h"

#include "row.h"

typedef enum CompanyColumn
{
	COMPANY_ID,
	COMPANY_NAME,
	COMPANY_ADDRESS,
	COMPANY_BRAND_COLOR,
	COMPANY_LOCALE,
	COMPANY_PORTAL_URL,
	COMPANY_SENDER_EMAIL,
	COMPANY_BOUNCE_EMAIL,
	COMPANY_VAT_NUMBER,
	COMPANY_LOGO,
	COMPANY_TIME_ZONE,
	COMPANY_ATTACHMENT_MAX_BYTES,
	COMPANY_DECLINING_LOST_REASON_ID,
	COMPANY_QUOTE_NUMBER_FORMAT,
} CompanyColumn;

#define COMPANY_COLUMNS (COMPANY_QUOTE_NUMBER_FORMAT + 1)

extern RowMap company_table;

/* The row as a new statement would see it */
extern Row company_get(void);

#endif /* SCRM_COMPANY_ROW_H */
