#ifndef ICERT_AUDIT_LOG_H
#define ICERT_AUDIT_LOG_H

#include <stddef.h>
#include <stdint.h>

struct db;
struct config;

/*
 * The writer of the tree: icert-clerk alone.  Once a second it gives every
 * committed row of icert.audit that has no place yet the next leaf, stores
 * full nodes in icert.audit_node, signs the new head into icert.audit_head
 * in the same transaction, and then appends the note to a file of the day in
 * [paths] audit_heads, which is to be copied to another host.
 */
struct audit_log;

int	audit_log_open(struct db *db, const struct config *config, struct audit_log **log);
void	audit_log_free(struct audit_log *log);

/* One round.  *rows is set to the leaves added.  A crash between the commit
 * and the file is mended by the next round: heads missing in the file are written again. */
int	audit_log_extend(struct audit_log *log, struct db *db, size_t *rows);

/*
 * The log's public key, from the folder of its heads, where icert-clerk puts it beside them (auditoria.pub): every program
 * may read it there.  ICERT_E_CONFIG, errors of head_public().
 */
int	audit_log_public(const struct config *config, uint8_t pub[32]);

#endif
