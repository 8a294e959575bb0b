
/* A manifest and the files it names, as one worker has them mapped. */

#include "ngx_http_icert_store.h"
#include "ngx_http_icert_count.h"


#define NGX_HTTP_ICERT_STORE_RETRY  1000   /* ms after a set was refused */


/* why a set was not taken: for the log, and for the counters */

typedef struct {
    const char        *code;
    const char        *file;     /* of the set; NULL: the manifest */
    ngx_http_icert_count_e  count;
} ngx_http_icert_refusal_t;


static ngx_int_t ngx_http_icert_set_load(ngx_http_icert_store_t *store,
    ngx_fd_t dir, ngx_http_icert_refusal_t *why);
static ngx_int_t ngx_http_icert_set_files(ngx_http_icert_store_t *store,
    ngx_http_icert_set_t *set, ngx_fd_t dir, ngx_http_icert_refusal_t *why);
static ngx_http_icert_file_t *ngx_http_icert_file_open(
    ngx_http_icert_store_t *store, struct status_entry *e, ngx_fd_t dir,
    int *error);
static ngx_http_icert_file_t *ngx_http_icert_file_share(
    ngx_http_icert_set_t *old, struct status_entry *e);
static void ngx_http_icert_file_release(ngx_http_icert_file_t *file);


static ngx_int_t
ngx_http_icert_set_refuse(ngx_http_icert_refusal_t *why, int error,
    const char *file)
{
    why->code = icert_err_code(error);
    why->file = file;

    switch (error) {

    case ICERT_E_FORGED:
        why->count = NGX_HTTP_ICERT_COUNT_SET_FORGED;
        break;

    case ICERT_E_MALFORMED:
        why->count = NGX_HTTP_ICERT_COUNT_SET_MALFORMED;
        break;

    case ICERT_E_MISMATCH:
        why->count = NGX_HTTP_ICERT_COUNT_SET_SIZE;
        break;

    case ICERT_E_DENIED:
        why->count = NGX_HTTP_ICERT_COUNT_SET_OWNER;
        break;

    default:
        why->count = NGX_HTTP_ICERT_COUNT_SET_SYSTEM;
    }

    return NGX_ERROR;
}


void
ngx_http_icert_store_look(ngx_http_icert_store_t *store, ngx_log_t *log)
{
    ngx_fd_t                  dir;
    ngx_int_t                 rc;
    ngx_uint_t                same;
    struct stat               st;
    ngx_http_icert_refusal_t  why;

    dir = open((char *) store->conf.folder.data,
               O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (dir == NGX_INVALID_FILE) {
        return;
    }

    if (fstatat(dir, STATUS_MANIFEST_FILE, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        (void) close(dir);
        return;
    }

    same = (st.st_ino == store->seen.st_ino
            && st.st_size == store->seen.st_size
            && st.st_ctim.tv_sec == store->seen.st_ctim.tv_sec
            && st.st_ctim.tv_nsec == store->seen.st_ctim.tv_nsec);

    if (same && (!store->refused
                 || ngx_current_msec - store->tried
                    < NGX_HTTP_ICERT_STORE_RETRY))
    {
        (void) close(dir);
        return;
    }

    store->seen = st;
    store->tried = ngx_current_msec;

    rc = ngx_http_icert_set_load(store, dir, &why);

    (void) close(dir);

    store->refused = (rc != NGX_OK);

    if (rc != NGX_OK) {

        if (!same) {
            ngx_http_icert_count(why.count);
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "icert status set refused: %s, %s in \"%V\"; %s",
                          why.code,
                          why.file ? why.file : STATUS_MANIFEST_FILE,
                          &store->conf.folder,
                          store->set ? "the one before stays"
                                     : "there is none before it");
        }

        return;
    }

    if (store->set->manifest.epoch > store->high) {
        store->high = store->set->manifest.epoch;

        if (ngx_worker == 0) {
            ngx_http_icert_high_water_write(&store->conf.high_water,
                                            store->high, log);
        }
    }
}


static ngx_int_t
ngx_http_icert_set_load(ngx_http_icert_store_t *store, ngx_fd_t dir,
    ngx_http_icert_refusal_t *why)
{
    int                    rc;
    u_char                 bytes[STATUS_MANIFEST_MAX + 1];
    ssize_t                n;
    ngx_fd_t               fd;
    ngx_http_icert_set_t  *set, *old;

    why->file = NULL;

    if (store->broken) {
        why->code = "high_water";
        why->count = NGX_HTTP_ICERT_COUNT_SET_SYSTEM;
        return NGX_ERROR;
    }

    fd = openat(dir, STATUS_MANIFEST_FILE, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);
    n = (fd == NGX_INVALID_FILE) ? -1 : read(fd, bytes, sizeof(bytes));

    if (fd != NGX_INVALID_FILE) {
        (void) close(fd);
    }

    if (n <= 0) {
        return ngx_http_icert_set_refuse(why, ICERT_E_SYSTEM, NULL);
    }

    /* not ngx_calloc(): tests/lib/nginx.supp */
    set = calloc(1, sizeof(ngx_http_icert_set_t));
    if (set == NULL) {
        return ngx_http_icert_set_refuse(why, ICERT_E_MEMORY, NULL);
    }

    set->refs = 1;

    rc = status_manifest_read(&set->manifest, bytes, n, store->key);

    if (rc != 0) {
        free(set);
        return ngx_http_icert_set_refuse(why, rc, NULL);
    }

    old = store->set;

    if (set->manifest.epoch < store->high
        || (old && set->manifest.epoch == old->manifest.epoch
            && set->manifest.heartbeat < old->manifest.heartbeat))
    {
        free(set);
        why->code = "rollback";
        why->count = NGX_HTTP_ICERT_COUNT_SET_ROLLBACK;
        return NGX_ERROR;
    }

    if (old && set->manifest.epoch == old->manifest.epoch
        && set->manifest.count == old->manifest.count
        && ngx_memcmp(set->manifest.entry, old->manifest.entry,
                      sizeof(set->manifest.entry))
           == 0)
    {
        old->manifest.heartbeat = set->manifest.heartbeat;
        free(set);
        return NGX_OK;
    }

    if (ngx_http_icert_set_files(store, set, dir, why) != NGX_OK) {
        ngx_http_icert_set_release(set);
        return NGX_ERROR;
    }

    store->set = set;
    ngx_http_icert_count(NGX_HTTP_ICERT_COUNT_SET_TAKEN);

    if (old) {
        ngx_http_icert_set_release(old);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_icert_set_files(ngx_http_icert_store_t *store,
    ngx_http_icert_set_t *set, ngx_fd_t dir, ngx_http_icert_refusal_t *why)
{
    int                     error;
    uint32_t                i;
    struct status_entry    *e;
    ngx_http_icert_file_t  *file;

    static char             name[STATUS_FILE_MAX + 1];

    for (i = 0; i < set->manifest.count; i++) {

        e = &set->manifest.entry[i];

        file = ngx_http_icert_file_share(store->set, e);
        if (file == NULL) {
            file = ngx_http_icert_file_open(store, e, dir, &error);
        }

        if (file == NULL) {
            ngx_memcpy(name, e->file, sizeof(name));
            return ngx_http_icert_set_refuse(why, error, name);
        }

        set->file[i] = file;

        /* a segment without records answers nothing */

        if (e->kind != STATUS_KIND_SEGMENT || file->segment.records == 0) {
            continue;
        }

        if (set->segments == NGX_HTTP_ICERT_SEGMENTS) {
            return ngx_http_icert_set_refuse(why, ICERT_E_TOO_LARGE, NULL);
        }

        set->segment[set->segments++] = file;
    }

    return NGX_OK;
}


/* names are never used again, so the same entry is the same file */

static ngx_http_icert_file_t *
ngx_http_icert_file_share(ngx_http_icert_set_t *old, struct status_entry *e)
{
    uint32_t                i;
    struct status_entry    *o;

    for (i = 0; old && i < old->manifest.count; i++) {

        o = &old->file[i]->entry;

        if (o->kind == e->kind && o->size == e->size
            && ngx_strcmp(o->file, e->file) == 0
            && ngx_memcmp(o->digest, e->digest, STATUS_DIGEST) == 0)
        {
            old->file[i]->refs++;
            return old->file[i];
        }
    }

    return NULL;
}


static ngx_http_icert_file_t *
ngx_http_icert_file_open(ngx_http_icert_store_t *store, struct status_entry *e,
    ngx_fd_t dir, int *error)
{
    ngx_http_icert_file_t  *file;

    file = calloc(1, sizeof(ngx_http_icert_file_t));
    if (file == NULL) {
        *error = ICERT_E_MEMORY;
        return NULL;
    }

    file->refs = 1;
    file->entry = *e;

    *error = status_map(dir, e, &file->map);

    if (*error == 0 && e->kind == STATUS_KIND_SEGMENT) {

        *error = status_segment_init(&file->segment, file->map, e->size,
                                     e->digest);

        if (*error == 0 && (off_t) e->size <= store->conf.verify_limit) {
            *error = status_segment_verify(&file->segment);
        }
    }

    if (*error != 0) {
        ngx_http_icert_file_release(file);
        return NULL;
    }

    return file;
}


static void
ngx_http_icert_file_release(ngx_http_icert_file_t *file)
{
    if (--file->refs) {
        return;
    }

    ngx_http_icert_tags_free(file);
    status_unmap(file->map, file->entry.size);
    free(file);
}


void
ngx_http_icert_set_release(void *data)
{
    ngx_http_icert_set_t  *set = data;

    ngx_uint_t  i;

    if (--set->refs) {
        return;
    }

    for (i = 0; i < set->manifest.count; i++) {
        if (set->file[i]) {
            ngx_http_icert_file_release(set->file[i]);
        }
    }

    free(set);
}
