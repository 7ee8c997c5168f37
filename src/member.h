/*
 * member.h
 *		On whose behalf the session works.
 */
#ifndef SCRM_MEMBER_H
#define SCRM_MEMBER_H

#include "postgres.h"

typedef struct Member
{
	int64 member_id; /* 0 = the session has no member */
	bool is_manager; /* also true for an administrator's session without member */
} Member;

extern void member_init(void);

/* Errors: SC202 when sales_crm.member_id names no active member */
extern Member member_current(void);

/* The same for those who ask row by row: without member, is_manager is false */
extern Member member_known(void);

/* As long as it and the session's role stay the same, so does what member_known() says */
extern uint64 member_epoch;

extern bool member_role(Oid role, const char *level);

#endif /* SCRM_MEMBER_H */
