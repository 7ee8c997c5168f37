/*
 * configuration_load.h
 *		The reading of the configuration tables, for configuration.c alone.
 */
#ifndef SCRM_CONFIGURATION_LOAD_H
#define SCRM_CONFIGURATION_LOAD_H

#include "configuration.h"

/*
 * Fills in a copy, zeroed before, in the current memory context, as the latest snapshot has the
 * tables; between plan_begin() and plan_end(). Errors: 55000 where company has no row or the tables
 * have another version, 22023 for its time zone
 */
extern void configuration_load(Configuration *loading);

#endif /* SCRM_CONFIGURATION_LOAD_H */
