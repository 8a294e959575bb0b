
#include "ngx_http_icert_upload.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/vfs.h>

#include <openssl/rand.h>


#define NGX_HTTP_ICERT_TMPFS_MAGIC  0x01021994
#define NGX_HTTP_ICERT_SPOOL_TRIES  100         /* of 10 ms */
#define NGX_HTTP_ICERT_SPOOL_SWEEP  5000        /* ms between sweeps */


static ngx_int_t ngx_http_icert_spool_own(ngx_http_icert_spool_t *spool,
    ngx_log_t *log);
static ngx_int_t ngx_http_icert_spool_take(ngx_http_icert_spool_t *spool,
    ngx_log_t *log);
static void ngx_http_icert_spool_sweep(ngx_http_icert_spool_t *spool,
    ngx_log_t *log);
static void ngx_http_icert_spool_timer(ngx_event_t *ev);
static void ngx_http_icert_spool_empty(ngx_fd_t fd, ngx_log_t *log);


static ngx_event_t  ngx_http_icert_spool_event;


ngx_int_t
ngx_http_icert_spool_tmpfs(ngx_str_t *path)
{
    struct statfs  fs;

    if (statfs((char *) path->data, &fs) == -1) {
        return NGX_ERROR;
    }

    return (fs.f_type == NGX_HTTP_ICERT_TMPFS_MAGIC) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_icert_spool_open(ngx_http_icert_spool_t *spool, ngx_str_t *path,
    ngx_log_t *log)
{
    spool->folder = NGX_INVALID_FILE;
    spool->root = open((char *) path->data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (spool->root == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "icert_upload_spool \"%V\" cannot be opened", path);
        return NGX_ERROR;
    }

    if (ngx_http_icert_spool_own(spool, log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_icert_spool_sweep(spool, log);

    /* not every worker has a successor: one that was leaving has none */

    ngx_http_icert_spool_event.handler = ngx_http_icert_spool_timer;
    ngx_http_icert_spool_event.data = spool;
    ngx_http_icert_spool_event.log = log;
    ngx_http_icert_spool_event.cancelable = 1;

    ngx_add_timer(&ngx_http_icert_spool_event, NGX_HTTP_ICERT_SPOOL_SWEEP);

    return NGX_OK;
}


static void
ngx_http_icert_spool_timer(ngx_event_t *ev)
{
    ngx_http_icert_spool_sweep(ev->data, ev->log);

    ngx_add_timer(ev, NGX_HTTP_ICERT_SPOOL_SWEEP);
}


/*
 * Another worker that starts may find our folder before we have locked it, take
 * it for a lost worker's and remove it: then it is made again.
 */

static ngx_int_t
ngx_http_icert_spool_own(ngx_http_icert_spool_t *spool, ngx_log_t *log)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    *ngx_sprintf(spool->name, "%P", ngx_pid) = '\0';

    rc = NGX_AGAIN;

    for (i = 0; rc == NGX_AGAIN && i < NGX_HTTP_ICERT_SPOOL_TRIES; i++) {

        if (i) {
            ngx_msleep(10);
        }

        rc = ngx_http_icert_spool_take(spool, log);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "spool folder \"%s\" cannot be taken", spool->name);
        return NGX_ERROR;
    }

    /* an earlier process had this number */

    ngx_http_icert_spool_empty(spool->folder, log);

    return NGX_OK;
}


/* NGX_AGAIN while somebody else holds it, or has removed it meanwhile */

static ngx_int_t
ngx_http_icert_spool_take(ngx_http_icert_spool_t *spool, ngx_log_t *log)
{
    int          rc;
    mode_t       mask;
    struct stat  held, named;

    /*
     * The group comes from the spool folder, with its setgid bit: a chmod
     * here would lose it, for the worker need not be of that group.
     */

    mask = umask(027);
    rc = mkdirat(spool->root, (char *) spool->name, 0750);
    (void) umask(mask);

    if (rc == -1 && ngx_errno != NGX_EEXIST) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "spool folder \"%s\" cannot be made", spool->name);
        return NGX_ERROR;
    }

    spool->folder = openat(spool->root, (char *) spool->name,
                           O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (spool->folder == NGX_INVALID_FILE) {

        if (ngx_errno == NGX_ENOENT) {
            return NGX_AGAIN;
        }

        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "spool folder \"%s\" cannot be opened", spool->name);
        return NGX_ERROR;
    }

    if (flock(spool->folder, LOCK_EX|LOCK_NB) == 0
        && fstat(spool->folder, &held) == 0
        && fstatat(spool->root, (char *) spool->name, &named,
                   AT_SYMLINK_NOFOLLOW) == 0
        && held.st_dev == named.st_dev && held.st_ino == named.st_ino)
    {
        return NGX_OK;
    }

    (void) close(spool->folder);
    spool->folder = NGX_INVALID_FILE;

    return NGX_AGAIN;
}


static void
ngx_http_icert_spool_sweep(ngx_http_icert_spool_t *spool, ngx_log_t *log)
{
    int             fd;
    DIR            *dir;
    struct dirent  *de;

    fd = dup(spool->root);
    dir = (fd == -1) ? NULL : fdopendir(fd);

    if (dir == NULL) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "the spool cannot be swept");
        if (fd != -1) {
            (void) close(fd);
        }
        return;
    }

    rewinddir(dir);

    while ((de = readdir(dir)) != NULL) {

        if (ngx_atoi((u_char *) de->d_name, ngx_strlen(de->d_name)) <= 0
            || ngx_strcmp(de->d_name, spool->name) == 0)
        {
            continue;
        }

        fd = openat(spool->root, de->d_name,
                    O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
        if (fd == -1) {
            continue;
        }

        if (flock(fd, LOCK_EX|LOCK_NB) == 0) {
            ngx_http_icert_spool_empty(fd, log);

            if (unlinkat(spool->root, de->d_name, AT_REMOVEDIR) == 0) {
                ngx_log_error(NGX_LOG_NOTICE, log, 0,
                              "spool folder of a lost worker removed: %s",
                              de->d_name);
            }
        }

        (void) close(fd);
    }

    (void) closedir(dir);
}


static void
ngx_http_icert_spool_empty(ngx_fd_t fd, ngx_log_t *log)
{
    int             copy;
    DIR            *dir;
    struct dirent  *de;

    copy = dup(fd);
    dir = (copy == -1) ? NULL : fdopendir(copy);

    if (dir == NULL) {
        if (copy != -1) {
            (void) close(copy);
        }
        return;
    }

    rewinddir(dir);

    while ((de = readdir(dir)) != NULL) {

        if (de->d_name[0] != '.' && unlinkat(fd, de->d_name, 0) == -1) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                          "a spooled file of a lost worker stays");
        }
    }

    (void) closedir(dir);
}


void
ngx_http_icert_spool_close(ngx_http_icert_spool_t *spool)
{
    if (ngx_http_icert_spool_event.timer_set) {
        ngx_del_timer(&ngx_http_icert_spool_event);
    }

    if (spool->folder != NGX_INVALID_FILE) {
        (void) unlinkat(spool->root, (char *) spool->name, AT_REMOVEDIR);
        (void) close(spool->folder);
        spool->folder = NGX_INVALID_FILE;
    }

    if (spool->root != NGX_INVALID_FILE) {
        (void) close(spool->root);
        spool->root = NGX_INVALID_FILE;
    }
}


ngx_int_t
ngx_http_icert_spool_room(ngx_http_icert_spool_t *spool)
{
    struct statfs  fs;

    if (spool->free == 0) {
        return NGX_OK;
    }

    if (fstatfs(spool->folder, &fs) == -1
        || (off_t) fs.f_bavail * (off_t) fs.f_bsize < spool->free)
    {
        ngx_http_icert_log_state(0, "the spool has less room than what is kept "
                                 "free");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_fd_t
ngx_http_icert_spool_create(ngx_http_icert_spool_t *spool, u_char *name)
{
    u_char    random[16], *p;
    ngx_fd_t  fd;

    if (spool->folder == NGX_INVALID_FILE
        || RAND_bytes(random, sizeof(random)) != 1)
    {
        return NGX_INVALID_FILE;
    }

    if (spool->files >= spool->files_max) {
        ngx_http_icert_log_state(0, "the spool has %ui files of this worker "
                                 "already", spool->files);
        return NGX_INVALID_FILE;
    }

    if (ngx_http_icert_spool_room(spool) != NGX_OK) {
        return NGX_INVALID_FILE;
    }

    p = ngx_sprintf(name, "%s/", spool->name);
    p = ngx_hex_dump(p, random, sizeof(random));
    *p = '\0';

    fd = openat(spool->root, (char *) name,
                O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE) {
        ngx_http_icert_log_state(ngx_errno,
                                 "a file cannot be made in the spool");
        return NGX_INVALID_FILE;
    }

    spool->files++;

    /* the backend reads it as the group, whatever the umask */

    if (fchmod(fd, 0640) == -1) {
        ngx_http_icert_log_state(ngx_errno, "fchmod() in the spool");
    }

    return fd;
}


void
ngx_http_icert_spool_remove(ngx_http_icert_spool_t *spool, u_char *name)
{
    spool->files--;

    /* whoever read it may have unlinked it already */

    if (unlinkat(spool->root, (char *) name, 0) == -1
        && ngx_errno != NGX_ENOENT)
    {
        ngx_http_icert_log_state(ngx_errno,
                                 "a spooled file could not be removed");
    }
}
