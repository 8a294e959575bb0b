
#include "ngx_http_icert.h"


/*
 * nginx's own slots say that a value is invalid, and not which: an error here
 * names the directive, the value and, as every error does, the line.
 */

static char *
ngx_http_icert_slot_named(ngx_conf_t *cf, ngx_command_t *cmd, char *rv)
{
    ngx_str_t  *value;

    if (rv == NGX_CONF_OK) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s: \"%V\"",
                       &cmd->name,
                       rv == NGX_CONF_ERROR ? "invalid value" : rv, &value[1]);

    return NGX_CONF_ERROR;
}


char *
ngx_http_icert_set_num_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_icert_slot_named(cf, cmd,
                                     ngx_conf_set_num_slot(cf, cmd, conf));
}


char *
ngx_http_icert_set_size_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_icert_slot_named(cf, cmd,
                                     ngx_conf_set_size_slot(cf, cmd, conf));
}


char *
ngx_http_icert_set_off_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_icert_slot_named(cf, cmd,
                                     ngx_conf_set_off_slot(cf, cmd, conf));
}


char *
ngx_http_icert_set_sec_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_icert_slot_named(cf, cmd,
                                     ngx_conf_set_sec_slot(cf, cmd, conf));
}


char *
ngx_http_icert_set_msec_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_icert_slot_named(cf, cmd,
                                     ngx_conf_set_msec_slot(cf, cmd, conf));
}
