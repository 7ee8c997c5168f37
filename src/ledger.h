/*
 * ledger.h
 *		What a statement does to the forecast, collected per cell and cause and appended to
 *		sales_crm.forecast_ledger.
 */
#ifndef SCRM_LEDGER_H
#define SCRM_LEDGER_H

#include "postgres.h"

#include "utils/date.h"
#include "utils/hsearch.h"

/* Why a cell changed; sql/data/ledger.sql explains the names */
typedef enum LedgerCause
{
	CAUSE_CREATED,
	CAUSE_AMOUNT_UP,
	CAUSE_AMOUNT_DOWN,
	CAUSE_CURRENCY,
	CAUSE_SLIPPED_OUT,
	CAUSE_SLIPPED_IN,
	CAUSE_REWEIGHTED,
	CAUSE_OWNER,
	CAUSE_SOURCE,
	CAUSE_PIPELINE,
	CAUSE_ADVANCED,
	CAUSE_BACK,
	CAUSE_WON,
	CAUSE_LOST,
	CAUSE_EXPIRED,
	CAUSE_REOPENED,
	CAUSE_DELETED,
} LedgerCause;

#define LEDGER_UNDATED DATEVAL_NOBEGIN

/* Where an opportunity counts. Compared byte by byte: filled with zeros first */
typedef struct LedgerCell
{
	int64 phase_id;
	int64 owner_id;	  /* 0 = NULL */
	int64 source_id;  /* 0 = NULL */
	DateADT month;	  /* first day, or LEDGER_UNDATED */
	char currency[4]; /* three letters and a zero */
} LedgerCell;

/* With how much it counts there */
typedef struct LedgerMeasure
{
	NullableDatum amount;	/* numeric; NULL counts as 0 */
	NullableDatum override; /* numeric, percent; NULL = follows the phase */
} LedgerMeasure;

typedef struct LedgerEntry
{
	struct
	{
		LedgerCell cell;
		int64 cause; /* a LedgerCause, wide enough to leave no padding */
	} key;
	int64 opportunities;
	NullableDatum amount;			 /* numerics; NULL = 0 */
	NullableDatum phase_amount;		 /* of those that follow their phase */
	NullableDatum override_weighted; /* amount × override / 100 of the others */
} LedgerEntry;

#define LEDGER_FEW 16

typedef struct Ledger
{
	MemoryContext context; /* of the numerics and the table */
	int nfew;
	LedgerEntry few[LEDGER_FEW]; /* until there are more */
	HTAB *many;
} Ledger;

extern void ledger_open(Ledger *ledger);

/* Counts an opportunity in (sign 1) or out (sign -1) of a cell */
extern void ledger_add(Ledger *ledger, LedgerCause cause, const LedgerCell *cell,
					   const LedgerMeasure *measure, int sign);

/* Appends what is not zero, and folds older entries now and then */
extern void ledger_close(Ledger *ledger);

#endif /* SCRM_LEDGER_H */
