/*
 * format.h
 *		What other modules write as people of a locale do; see the SQL functions of these names.
 */
#ifndef SCRM_FORMAT_H
#define SCRM_FORMAT_H

#include "postgres.h"

#include "fmgr.h"

extern PGDLLEXPORT Datum scrm_format_amount(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scrm_format_moment(PG_FUNCTION_ARGS);

#endif /* SCRM_FORMAT_H */
