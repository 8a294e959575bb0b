#ifndef CHECKER_WALLS_H
#define CHECKER_WALLS_H

/*
 * The rights of icert-checker: none, but to fork a child a file; and those of such a child: to read the file it was
 * given, to compute, and to answer once.
 */

/* For the server, after its sockets were taken over and before it reads from anyone.  0 or the errors of sandbox_enter(). */
int checker_enter(void);

/*
 * For the child, before it reads the file (serve_op.enter).  Standard input and output lead nowhere: what it
 * has to say it says in its answer.  640 MB of memory and CHECKER_CPU seconds of computing.  0, ICERT_E_SYSTEM, or the errors
 * of sandbox_enter().
 */
int checker_enter_child(void *ctx);

#define CHECKER_CPU 15
#define CHECKER_SECONDS 20	/* by the clock on the wall; the server ends it then */

#endif
