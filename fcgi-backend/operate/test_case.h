#ifndef ICERT_OPERATE_TEST_CASE_H
#define ICERT_OPERATE_TEST_CASE_H
/*
 * A case that stands at `issuing` as if it had come there through portal and
 * desk, with the keeper's statements for it.  For trying an instance
 * (issue_test.h) and for measuring one; absent from a production build.
 */
#include "crypt/keeper.h"
#include "libicert/approval.h"
#include "operate/instance.h"
#include "pki/profile.h"
#include "store/db.h"

#define TEST_NAME 256
#define TEST_MAILBOX 80

enum { CONTACT, ORDER, CASE, KEYS };

/* db, portal and desk (the keeper's sockets) are the caller's; the rest is filled by test_case_make(). */
struct test_case {
	struct db *db;
	struct keyclient portal, desk;
	struct cert_fields f;
	char cn[TEST_NAME], names[TEST_NAME], surname1[TEST_NAME], surname2[TEST_NAME], mailbox[TEST_MAILBOX];
	char policy[64], container[64];
	char contact[ID_TEXT], purchase[ID_TEXT], application[ID_TEXT], certificate[ID_TEXT], staff[ID_TEXT];
	char number[32];			/* of the case and of the order */
	char key_id[KEYS][ID_TEXT];
	uint8_t key[KEYS][32], wrapped[KEYS][KEEPER_WRAPPED];
	uint8_t serial[PROFILE_SERIAL], person[32], mailbox_hash[32], fields_hash[32];
	struct statement accept, issue;
};

/* Opens database and keeper as the administrator.  0 or -1 after telling why; closed in both cases by test_case_close(). */
int	test_case_open(struct test_case *, const struct instance *);
void	test_case_close(struct test_case *);

/*
 * Makes the case of this person and writes its rows.  staff: who approves it, with a code of their
 * second factor that is unused; operator: a row of staff, whose case it becomes.  0 or -1 after telling why.
 */
int	test_case_make(struct test_case *, const char *cedula, const char *names, const char *surname1, const char *surname2,
	    const char *staff, const char *code, const char *operator);

#endif
