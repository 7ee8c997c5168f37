/*
 * reference_cache.h
 *		Foreign keys of the tables of sales_crm, checked once per key and statement.
 */
#ifndef SCRM_REFERENCE_CACHE_H
#define SCRM_REFERENCE_CACHE_H

extern void reference_cache_init(void);

#endif /* SCRM_REFERENCE_CACHE_H */
