#ifndef ICERT_READY_H
#define ICERT_READY_H

/*
 * Tells whoever started this program that it works: "READY=1" to the datagram socket that
 * $NOTIFY_SOCKET names, as sd_notify(3) does; `icertctl up` and systemd (Type=notify) both listen so.  For
 * programs that nobody can ask, because they accept no connection.  Only the program's first process counts.
 * 0 also without that variable; ICERT_E_SYSTEM, ICERT_E_INVALID (a name that is too long).
 */
int ready_tell(void);

#endif
