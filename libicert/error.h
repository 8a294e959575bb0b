#ifndef LIBICERT_ERROR_H
#define LIBICERT_ERROR_H

/*
 * The error values of the whole house: negative ints, 0 is success.  Each has a
 * stable code, a short word that pages, logs and tests name; the Spanish
 * sentence for it is in the catalogue.  Numbers travel in messages between
 * processes (as their absolute value), so a number is never given away twice.
 */
#define ICERT_ERRORS(X)                                                                       \
	X(ICERT_E_MEMORY, -1, "memory")             /* no memory */                           \
	X(ICERT_E_SYSTEM, -2, "system")             /* a system call failed; see errno */     \
	X(ICERT_E_INVALID, -3, "invalid")           /* an argument or a value is not allowed */ \
	X(ICERT_E_MALFORMED, -4, "malformed")       /* bytes that do not parse */             \
	X(ICERT_E_TOO_LARGE, -5, "too-large")       /* above a stated limit */                \
	X(ICERT_E_NOT_FOUND, -6, "not-found")       /* no such thing, or not for you */       \
	X(ICERT_E_EXISTS, -7, "exists")             /* it is there already */                 \
	X(ICERT_E_DENIED, -8, "denied")             /* the caller may not do this */          \
	X(ICERT_E_UNAVAILABLE, -9, "unavailable")   /* the service asked is down */           \
	X(ICERT_E_TIMEOUT, -10, "timeout")          /* no answer in time */                   \
	X(ICERT_E_CONFLICT, -11, "conflict")        /* somebody else changed it meanwhile */  \
	X(ICERT_E_STATE, -12, "state")              /* not possible in the present state */   \
	X(ICERT_E_EXPIRED, -13, "expired")          /* its time is over */                    \
	X(ICERT_E_CRYPTO, -14, "crypto")            /* the cryptographic library failed */    \
	X(ICERT_E_FORGED, -15, "forged")            /* a tag or a signature does not verify */ \
	X(ICERT_E_CODE_WRONG, -16, "code-wrong")    /* a code is wrong; tries remain */       \
	X(ICERT_E_CODE_SPENT, -17, "code-spent")    /* no tries remain */                     \
	X(ICERT_E_CODE_REPLAYED, -18, "code-replayed") /* right, but used before */           \
	X(ICERT_E_OWN_CASE, -19, "own-case")        /* nobody approves their own case */      \
	X(ICERT_E_DESTROYED, -20, "destroyed")      /* destroyed on purpose, for good */      \
	X(ICERT_E_LINT, -21, "lint")                /* a rule of the profile does not hold */ \
	X(ICERT_E_CEILING, -22, "ceiling")          /* a rate ceiling is reached */           \
	X(ICERT_E_UNSUPPORTED, -23, "unsupported")  /* a form that is not handled */          \
	X(ICERT_E_TRUNCATED, -24, "truncated")      /* ends before its end */                 \
	X(ICERT_E_STALE, -25, "stale")              /* signed too long ago */                 \
	X(ICERT_E_MISSING, -26, "missing")          /* something required is absent */        \
	X(ICERT_E_CONFIG, -27, "config")            /* the configuration is wrong */          \
	X(ICERT_E_DATABASE, -28, "database")        /* the database refused or failed */      \
	X(ICERT_E_BUSY, -29, "busy")                /* try again shortly */                   \
	X(ICERT_E_MISMATCH, -30, "mismatch")        /* two things that must agree do not */   \
	X(ICERT_E_CRASHED, -31, "crashed")          /* the child doing the work died */       \
	X(ICERT_E_SESSION, -32, "session")          /* the session that asked is over */      \
	X(ICERT_E_FULL, -33, "full")                /* no room on a disk; nothing was kept */

enum icert_error {
#define X(name, value, code) name = (value),
	ICERT_ERRORS(X)
#undef X
	ICERT_OK = 0
};

/*
 * The stable code of an error value: "ok" for 0, "unknown" for a number that
 * is none.  Static storage.
 */
const char *icert_err_code(int);

/* True when the number is 0 or one of the values above. */
int icert_err_known(int);

/*
 * What a write, a sync or the making of a file failed with, by errno: ICERT_E_FULL when there was no room (disk,
 * quota, limit of a file's size), else ICERT_E_SYSTEM.
 */
int icert_err_disk(void);

#endif
