/*
 * record.h
 *		Results of several columns.
 */
#ifndef SCRM_RECORD_H
#define SCRM_RECORD_H

#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

/* The result of a function with OUT arguments: their values, in their order */
static inline Datum
record_return(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "function %u does not return a record", fcinfo->flinfo->fn_oid);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

#endif /* SCRM_RECORD_H */
