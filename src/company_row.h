/*
 * company_row.h
 *		The row of sales_crm.company, and the columns that e-mails are made of.
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
} CompanyColumn;

#define COMPANY_COLUMNS (COMPANY_BOUNCE_EMAIL + 1)

/* The row as a new statement would see it */
extern Row company_get(void);

#endif /* SCRM_COMPANY_ROW_H */
