#ifndef ICERT_OPERATE_WITNESS_H
#define ICERT_OPERATE_WITNESS_H

#include "operate/instance.h"

/*
 * The file of signed heads that only grows, [audit] append_file: icert-clerk may append to it, and nobody who is not root
 * can do anything else.  It lies in a folder of the administrator's, and as root, on a file system that
 * knows the attribute, it is append-only (chattr +a), which binds its owner too.
 */

/* Makes folder and file.  0; 1: done, and the attribute could not be set; -1 after telling why. */
int	witness_prepare(const struct instance *);

/* Takes the attribute off, so that the file can be removed with its instance. */
void	witness_release(const struct instance *);

#endif
