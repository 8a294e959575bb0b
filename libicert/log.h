#ifndef ICERT_LOG_H
#define ICERT_LOG_H
/*
 * One JSON object a line on stderr:
 *
 *   {"time":"2026-11-23T20:00:00.123Z","level":"error","program":"icert-desk",
 *    "request":"9f0c…","code":"db_unavailable","text":"…"}
 *
 * code is stable and what alarms and tests look for; text is for the operator.
 * Nothing personal is ever passed to it: no name, cedula, mailbox, token or
 * whole address (log_address() cuts one).  A line is at most 2 KB and is
 * written by one write(2).
 *
 * The program's name and the id of the request in hand are the only state that
 * libicert keeps; every program is single-threaded.
 */
#include <stddef.h>

#define LOG_ADDRESS 48

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Name the program; the pointer must stay valid.  Before it: "icert". */
void	log_open(const char *program);

/* Lines below this level are dropped; LOG_LEVEL_INFO at first. */
void	log_level(enum log_level lowest);

/* The id of the request that the following lines belong to; NULL for none. */
void	log_request(const char *id);

/* code: lower case words joined by underscores, a literal. */
void	log_write(enum log_level level, const char *code, const char *format, ...)
	    __attribute__((format(printf, 3, 4)));

#define log_debug(...)	log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)	log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)	log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...)	log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

/*
 * The network of an address: 192.0.2.77 → "192.0.2.0/24", 2001:db8:1:2::3 →
 * "2001:db8:1::/48" (an IPv4-mapped one as IPv4); anything else → "-".
 * Returns out, which holds LOG_ADDRESS bytes.
 */
char	*log_address(const char *text, char out[LOG_ADDRESS]);

#endif
