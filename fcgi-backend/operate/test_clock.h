#ifndef ICERT_OPERATE_TEST_CLOCK_H
#define ICERT_OPERATE_TEST_CLOCK_H

#include "operate/instance.h"

/*
 * Moves the business time of a private instance (libicert/clock.h), and prints it beside real time.  move is "+24h" (also
 * s, m, d: so much further than it stands), "0" (back to real time), or NULL: only print.  The programs see it at
 * once.  Certificates, OCSP answers, sessions and codes stay in real time.  0, or -1 after a word on stderr.
 */
int	test_clock_move(const struct instance *i, const char *move);

#endif
