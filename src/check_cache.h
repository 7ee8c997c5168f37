/*
 * check_cache.h
 *		Compiled CHECK constraints of the tables of sales_crm, kept for the session.
 */
#ifndef SCRM_CHECK_CACHE_H
#define SCRM_CHECK_CACHE_H

extern void check_cache_init(void);

#endif /* SCRM_CHECK_CACHE_H */
