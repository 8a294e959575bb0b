
/*
 * What a worker reads and keeps beside the store: the publisher's public key,
 * and the highest epoch that was ever taken.
 */

#include "ngx_http_icert_store.h"


ngx_int_t
ngx_http_icert_store_key(ngx_conf_t *cf, ngx_str_t *path, u_char *key)
{
    u_char      text[2 * STATUS_SEAL_KEY + 2];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_int_t   byte;
    ngx_uint_t  i;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "icert_status_key \"%V\"", path);
        return NGX_ERROR;
    }

    n = read(fd, text, sizeof(text));
    (void) close(fd);

    if (n == STATUS_SEAL_KEY) {
        ngx_memcpy(key, text, STATUS_SEAL_KEY);
        return NGX_OK;
    }

    if (n == 2 * STATUS_SEAL_KEY + 1 && text[n - 1] == '\n') {
        n--;
    }

    for (i = 0; n == 2 * STATUS_SEAL_KEY && i < STATUS_SEAL_KEY; i++) {

        byte = ngx_hextoi(&text[2 * i], 2);
        if (byte == NGX_ERROR) {
            break;
        }

        key[i] = (u_char) byte;
    }

    if (n != 2 * STATUS_SEAL_KEY || i != STATUS_SEAL_KEY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "icert_status_key \"%V\" is neither 32 octets nor "
                           "64 hexadecimal digits", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_icert_high_water_read(ngx_str_t *path, uint64_t *epoch,
    ngx_log_t *log)
{
    u_char    text[NGX_INT64_LEN + 2];
    off_t     high;
    ssize_t   n;
    ngx_fd_t  fd;

    if (path->len == 0) {
        return NGX_OK;
    }

    fd = open((char *) path->data, O_RDONLY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        if (ngx_errno == NGX_ENOENT) {
            return NGX_OK;
        }

        n = -1;

    } else {
        n = read(fd, text, sizeof(text));
        (void) close(fd);
    }

    if (n > 0 && text[n - 1] == '\n') {
        n--;
    }

    high = (n > 0) ? ngx_atoof(text, n) : NGX_ERROR;

    if (high == NGX_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "icert_status_high_water \"%V\" is not a number: no "
                      "status set is taken", path);
        return NGX_ERROR;
    }

    *epoch = high;

    return NGX_OK;
}


void
ngx_http_icert_high_water_write(ngx_str_t *path, uint64_t epoch,
    ngx_log_t *log)
{
    u_char    next[NGX_MAX_PATH], text[NGX_INT64_LEN + 2];
    size_t    len;
    ngx_fd_t  fd;

    if (path->len == 0
        || path->len + sizeof(".new") > sizeof(next))
    {
        return;
    }

    *ngx_sprintf(next, "%V.new", path) = '\0';
    len = ngx_sprintf(text, "%uL\n", epoch) - text;

    fd = open((char *) next, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC,
              0644);

    if (fd == NGX_INVALID_FILE) {
        goto failed;
    }

    /* Whatever the umask: the publisher reads it, to go beyond. */
    if (fchmod(fd, 0644) == -1
        || write(fd, text, len) != (ssize_t) len || fdatasync(fd) == -1)
    {
        (void) close(fd);
        goto failed;
    }

    (void) close(fd);

    if (rename((char *) next, (char *) path->data) == 0) {
        return;
    }

failed:

    ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                  "icert_status_high_water \"%V\" cannot be written",
                  path);
}
