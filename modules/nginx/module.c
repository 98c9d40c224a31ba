#include "thaw_nginx.h"

/* nginx calls the handlers of a phase from the last to the first. This one is put first, so that it runs last: after
 * allow, deny, auth_basic and auth_request. With "satisfy any" a client is asked only if none of them allows it. */
static ngx_int_t add_handler(ngx_conf_t *cf)
{
	ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_array_t *handlers = &core->phases[NGX_HTTP_ACCESS_PHASE].handlers;
	ngx_http_handler_pt *first;

	if (ngx_array_push(handlers) == NULL)
		return NGX_ERROR;
	first = handlers->elts;
	ngx_memmove(first + 1, first, (handlers->nelts - 1) * sizeof(*first));
	*first = thaw_access;
	return NGX_OK;
}

static int has_server(const ngx_http_conf_addr_t *address, const ngx_http_core_srv_conf_t *server)
{
	ngx_http_core_srv_conf_t **servers = address->servers.elts;
	ngx_uint_t i;

	for (i = 0; i < address->servers.nelts; i++)
		if (servers[i] == server)
			return 1;
	return 0;
}

static int listens_with_tls(const ngx_http_core_main_conf_t *core, const ngx_http_core_srv_conf_t *server)
{
	const ngx_http_conf_port_t *ports = core->ports != NULL ? core->ports->elts : NULL;
	ngx_uint_t i, j;

	for (i = 0; ports != NULL && i < core->ports->nelts; i++) {
		const ngx_http_conf_addr_t *addresses = ports[i].addrs.elts;
		for (j = 0; j < ports[i].addrs.nelts; j++)
			if (addresses[j].opt.ssl && has_server(&addresses[j], server))
				return 1;
	}
	return 0;
}

static ngx_int_t set_up(ngx_conf_t *cf)
{
	ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_http_core_srv_conf_t **servers = core->servers.elts;
	ngx_uint_t i, asks = 0;

	for (i = 0; i < core->servers.nelts; i++)
		asks |= ((thaw_server_t *)servers[i]->ctx->srv_conf[ngx_http_thaw_module.ctx_index])->asks;
	if (!asks)
		return NGX_OK;
	if (thaw_link_init(cf->log) != NGX_OK)
		return NGX_ERROR;
	/* The ClientHello callback that runs is that of the address's default server. */
	for (i = 0; i < core->servers.nelts; i++) {
		ngx_http_ssl_srv_conf_t *ssl = servers[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
		thaw_server_t *server = servers[i]->ctx->srv_conf[ngx_http_thaw_module.ctx_index];
		server->verifies = ssl->verify;
		if (server->place.line != 0 && !listens_with_tls(core, servers[i]))
			ngx_log_error(NGX_LOG_WARN, cf->log, 0,
				      "no \"listen ... ssl\" is defined for the \"thaw_client_certificate\" directive "
				      "in %V:%ui",
				      &server->place.file, server->place.line);
		if (ssl->ssl.ctx != NULL && thaw_hello_watch(servers[i], server, ssl->ssl.ctx) != NGX_OK)
			return NGX_ERROR;
	}
	thaw_body_find_directives(cf);
	return thaw_variables_wrap(cf) == NGX_OK ? add_handler(cf) : NGX_ERROR;
}

static ngx_http_module_t context = {
	.preconfiguration = thaw_variables_add,
	.postconfiguration = set_up,
	.create_main_conf = thaw_create_main,
	.create_srv_conf = thaw_create_server,
	.create_loc_conf = thaw_create_location,
	.merge_loc_conf = thaw_merge_location,
};

ngx_module_t ngx_http_thaw_module = {
	NGX_MODULE_V1,
	&context,
	thaw_commands,
	NGX_HTTP_MODULE,
	NULL, /* init master */
	NULL, /* init module */
	NULL, /* init process */
	NULL, /* init thread */
	NULL, /* exit thread */
	NULL, /* exit process */
	NULL, /* exit master */
	NGX_MODULE_V1_PADDING,
};
