#ifndef ICERT_OPERATE_FOLDERS_H
#define ICERT_OPERATE_FOLDERS_H
#include "operate/instance.h"

/*
 * Make every folder of the instance with its owner, group and mode, and the
 * small files that the configuration names (test clock, secrets of the
 * simulator).  Refuses when /dev/shm is no tmpfs or has under 256 MB left,
 * unless spool_on_disk: then the spool lies in the instance's own folder, where
 * scans of identity papers touch a disk unencrypted.
 */
int	folders_make(struct instance *i, int spool_on_disk);

/* Remove all of it: the instance is gone. */
int	folders_remove(const struct instance *i);

#endif
