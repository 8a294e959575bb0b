
/*
 * How a worker notices a new manifest.  The publisher, rsync and `icertctl
 * status accept` put it in place by rename, which inotify tells at once.  A
 * timer looks as well: often where inotify is not to be had, or as long as a
 * set is awaited whose files may still come; else rarely, for a folder
 * that was replaced by another.
 */

#include "ngx_http_icert_store.h"

#include <sys/inotify.h>


#define NGX_HTTP_ICERT_WATCH_EVENTS                                          \
    (IN_MOVED_TO|IN_CLOSE_WRITE|IN_DELETE_SELF|IN_MOVE_SELF|IN_ONLYDIR)

#define NGX_HTTP_ICERT_WATCH_SLOW  5000   /* ms */


static void ngx_http_icert_watch_timer(ngx_event_t *ev);
static void ngx_http_icert_watch_look(ngx_http_icert_store_t *store);
static void ngx_http_icert_watch_read(ngx_event_t *ev);
static ngx_connection_t *ngx_http_icert_watch_open(
    ngx_http_icert_store_t *store, ngx_cycle_t *cycle);


void
ngx_http_icert_watch_start(ngx_http_icert_store_t *store, ngx_cycle_t *cycle)
{
    store->watched = -1;
    store->watch = ngx_http_icert_watch_open(store, cycle);

    store->event.handler = ngx_http_icert_watch_timer;
    store->event.data = store;
    store->event.log = cycle->log;

    /* an old worker leaves when its last request has ended */

    store->event.cancelable = 1;

    ngx_http_icert_watch_look(store);
}


void
ngx_http_icert_watch_end(ngx_http_icert_store_t *store)
{
    if (store->watch) {
        ngx_close_connection(store->watch);
        store->watch = NULL;
    }
}


static ngx_connection_t *
ngx_http_icert_watch_open(ngx_http_icert_store_t *store, ngx_cycle_t *cycle)
{
    ngx_fd_t           fd;
    ngx_connection_t  *c;

    fd = inotify_init1(IN_NONBLOCK|IN_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "icert has no inotify: \"%V\" is looked at every %M ms",
                      &store->conf.folder, store->conf.poll);
        return NULL;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return NULL;
    }

    c->data = store;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_icert_watch_read;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NULL;
    }

    return c;
}


static void
ngx_http_icert_watch_read(ngx_event_t *ev)
{
    ssize_t                  n;
    ngx_connection_t        *c;
    ngx_http_icert_store_t  *store;

    union {
        struct inotify_event   event;
        u_char                 room[4096];
    } u;

    c = ev->data;
    store = c->data;

    /* what happened is seen by looking; to look twice costs little */

    do {
        n = read(c->fd, &u, sizeof(u));
    } while (n > 0 || (n == -1 && ngx_errno == NGX_EINTR));

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "icert looks at \"%V\" by timer from now on",
                      &store->conf.folder);
        ngx_http_icert_watch_end(store);
    }

    ngx_http_icert_watch_look(store);
}


static void
ngx_http_icert_watch_timer(ngx_event_t *ev)
{
    ngx_http_icert_watch_look(ev->data);
}


static void
ngx_http_icert_watch_look(ngx_http_icert_store_t *store)
{
    ngx_uint_t  often;

    /* the same folder gives the same number, a new one in its place another */

    if (store->watch) {
        store->watched = inotify_add_watch(store->watch->fd,
                                           (char *) store->conf.folder.data,
                                           NGX_HTTP_ICERT_WATCH_EVENTS);
    }

    ngx_http_icert_store_look(store, store->event.log);

    often = (store->watch == NULL || store->watched == -1
             || store->set == NULL || store->refused);

    ngx_add_timer(&store->event, often ? store->conf.poll
                                       : ngx_max(store->conf.poll,
                                                 NGX_HTTP_ICERT_WATCH_SLOW));
}
