#ifndef ICERT_OPERATE_ISSUE_TEST_H
#define ICERT_OPERATE_ISSUE_TEST_H
#include "operate/instance.h"

/*
 * A certificate from the command line, for trying and testing an instance: writes
 * a case that stands at `issuing` as if it had come there through portal and desk, with the
 * keeper's statements for it (the sample operator's TOTP code is taken; renew: operate/totp.h), and then
 * waits for icert-issuer and icert-publisher as everybody does.  Nothing is signed or
 * published by another path than a real case's.
 *
 * The certificate is written to PREFIX/demo/<serial>.cer (DER), and how to
 * ask for its status is printed.  Needs the sample accounts; refused where [instance]
 * production is yes, and absent from a production build.  0 or -1 after telling why.
 */
int	issue_test(const struct instance *i, int renew, const char *cedula, const char *names, const char *surname1,
	    const char *surname2);

#endif
