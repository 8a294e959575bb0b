
#ifndef _NGX_HTTP_ICERT_REASON_H_INCLUDED_
#define _NGX_HTTP_ICERT_REASON_H_INCLUDED_


/*
 * Every reason to refuse a request: name, HTTP status, stable code.  The code
 * is what $icert_reason, the log line, the metric icert_refusals_total, the
 * sentence of the portal ("edge." and the code) and the tests read; it never
 * changes its meaning.  The status of a limit is configured.  Those that begin
 * with "http_" are uploads that nginx itself refused.
 */

#define NGX_HTTP_ICERT_REASONS(X)                                            \
    X(UPLOAD_SESSION, 401, "upload_session")                                 \
    X(UPLOAD_MALFORMED, 400, "upload_malformed")                             \
    X(UPLOAD_TRUNCATED, 400, "upload_truncated")                             \
    X(UPLOAD_FIELD, 400, "upload_field")                                     \
    X(UPLOAD_MISSING, 400, "upload_missing")                                 \
    X(UPLOAD_DEADLINE, 408, "upload_deadline")                               \
    X(UPLOAD_SLOW, 408, "upload_slow")                                       \
    X(UPLOAD_FILE_SIZE, 413, "upload_file_size")                             \
    X(UPLOAD_FILES, 413, "upload_files")                                     \
    X(UPLOAD_PARTS, 413, "upload_parts")                                     \
    X(UPLOAD_FIELDS, 413, "upload_fields")                                   \
    X(UPLOAD_TYPE, 415, "upload_type")                                       \
    X(UPLOAD_EMPTY, 415, "upload_empty")                                     \
    X(UPLOAD_SMALL, 422, "upload_small")                                     \
    X(UPLOAD_SPOOL, 507, "upload_spool")                                     \
    X(HTTP_400, 400, "http_400")                                             \
    X(HTTP_408, 408, "http_408")                                             \
    X(HTTP_413, 413, "http_413")                                             \
    X(LIMIT, 429, "limit")                                                   \
    X(IN_HAND, 503, "in_hand")                                               \
    X(STATUS_FILE, 404, "status_file")                                       \
    X(STATUS_ABSENT, 503, "status_absent")

typedef enum {
#define X(name, status, code)  NGX_HTTP_ICERT_##name,
    NGX_HTTP_ICERT_REASONS(X)
#undef X
    NGX_HTTP_ICERT_REASON_N
} ngx_http_icert_reason_e;


#endif /* _NGX_HTTP_ICERT_REASON_H_INCLUDED_ */
