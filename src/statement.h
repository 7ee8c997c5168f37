/*
 * statement.h
 *		What is prepared for each statement that writes to tables of sales_crm.
 */
#ifndef SCRM_STATEMENT_H
#define SCRM_STATEMENT_H

extern void statement_init(void);

#endif /* SCRM_STATEMENT_H */
