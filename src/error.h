/*
 * error.h
 *		The SQLSTATEs of class SC. README.md lists them for users.
 */
#ifndef SCRM_ERROR_H
#define SCRM_ERROR_H

#include "utils/elog.h"

#define ERRCODE_SCRM_TRANSITION_NOT_ALLOWED MAKE_SQLSTATE('S', 'C', '0', '0', '1')
#define ERRCODE_SCRM_PHASE_NOT_IN_PIPELINE MAKE_SQLSTATE('S', 'C', '0', '0', '2')
#define ERRCODE_SCRM_REQUIREMENTS_NOT_MET MAKE_SQLSTATE('S', 'C', '0', '0', '3')
#define ERRCODE_SCRM_OPPORTUNITY_CLOSED MAKE_SQLSTATE('S', 'C', '0', '0', '4')
#define ERRCODE_SCRM_TEMPLATE_NOT_VALID MAKE_SQLSTATE('S', 'C', '1', '1', '0')
#define ERRCODE_SCRM_NOT_PERMITTED MAKE_SQLSTATE('S', 'C', '2', '0', '1')
#define ERRCODE_SCRM_NO_MEMBER MAKE_SQLSTATE('S', 'C', '2', '0', '2')

#endif /* SCRM_ERROR_H */
