#include "thaw_nginx.h"

static char *set_when(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_elsewhere(ngx_conf_t *cf, ngx_command_t *command, void *conf);

static ngx_conf_enum_t whens[] = {
	{ngx_string("off"), THAW_OFF},
	{ngx_string("request"), THAW_REQUEST},
	{ngx_string("request_early"), THAW_REQUEST_EARLY},
	{ngx_string("body"), THAW_BODY},
	{ngx_null_string, 0},
};

static ngx_conf_enum_t crl_checks[] = {
	{ngx_string("chain"), THAW_CRL_CHAIN},
	{ngx_string("leaf"), THAW_CRL_LEAF},
	{ngx_null_string, 0},
};

static ngx_conf_num_bounds_t depths = {ngx_conf_check_num_bounds, 1, 100};

#define EVERYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define PLACE(field) NGX_HTTP_LOC_CONF_OFFSET, offsetof(thaw_location_t, field)

static ngx_command_t commands[] = {
	{ngx_string("thaw_client_certificate"), EVERYWHERE | NGX_CONF_TAKE1, set_when, PLACE(when), whens},
	{ngx_string("thaw_certificate_authority"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_str_slot, PLACE(ca), NULL},
	{ngx_string("thaw_crl"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_str_slot, PLACE(crl), NULL},
	{ngx_string("thaw_crl_check"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_enum_slot, PLACE(crl_check), crl_checks},
	{ngx_string("thaw_verify_depth"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_num_slot, PLACE(depth), &depths},
	{ngx_string("thaw_require"), EVERYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot, PLACE(require), NULL},
	{ngx_string("thaw_timeout"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_msec_slot, PLACE(timeout), NULL},
	{ngx_string("thaw_elsewhere"), EVERYWHERE | NGX_CONF_TAKE1, set_elsewhere, PLACE(elsewhere), NULL},
	ngx_null_command,
};

static void *create_server(ngx_conf_t *cf)
{
	thaw_server_t *server = ngx_pcalloc(cf->pool, sizeof(*server));

	if (server != NULL)
		server->asks = NGX_CONF_UNSET;
	return server;
}

static char *merge_server(ngx_conf_t *cf, void *parent, void *child)
{
	thaw_server_t *from = parent, *to = child;

	(void)cf;
	ngx_conf_merge_value(to->asks, from->asks, 0);
	return NGX_CONF_OK;
}

static void *create_location(ngx_conf_t *cf)
{
	thaw_location_t *location = ngx_pcalloc(cf->pool, sizeof(*location));

	if (location == NULL)
		return NULL;
	location->when = NGX_CONF_UNSET_UINT;
	location->crl_check = NGX_CONF_UNSET_UINT;
	location->depth = NGX_CONF_UNSET_UINT;
	location->require = NGX_CONF_UNSET;
	location->timeout = NGX_CONF_UNSET_MSEC;
	return location;
}

static void free_trust(void *data)
{
	thaw_trust *trust = data;

	thaw_trust_free(&trust);
}

static char *open_trust(ngx_conf_t *cf, thaw_location_t *location)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	ngx_pool_cleanup_t *cleanup;

	if (location->ca.len == 0) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
				   "\"thaw_client_certificate\" needs \"thaw_certificate_authority\": the file of the CA "
				   "certificates that clients' certificates are verified with");
		return NGX_CONF_ERROR;
	}
	if (ngx_conf_full_name(cf->cycle, &location->ca, 1) != NGX_OK ||
	    (location->crl.len > 0 && ngx_conf_full_name(cf->cycle, &location->crl, 1) != NGX_OK) ||
	    (cleanup = ngx_pool_cleanup_add(cf->pool, 0)) == NULL)
		return NGX_CONF_ERROR;
	struct thaw_trust_options options = {
		.ca = (const char *)location->ca.data,
		.crl = location->crl.len > 0 ? (const char *)location->crl.data : NULL,
		.crl_check = (enum thaw_crl_check)location->crl_check,
		.depth = (unsigned)location->depth,
	};
	location->trust = thaw_trust_open(&options, &err);
	if (location->trust == NULL) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "thaw: %s", err.text);
		return NGX_CONF_ERROR;
	}
	cleanup->handler = free_trust;
	cleanup->data = location->trust;
	return NGX_CONF_OK;
}

static ngx_int_t same(const ngx_str_t *a, const ngx_str_t *b)
{
	return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}

static char *merge_location(ngx_conf_t *cf, void *parent, void *child)
{
	thaw_location_t *from = parent, *to = child;

	ngx_conf_merge_uint_value(to->when, from->when, THAW_OFF);
	ngx_conf_merge_str_value(to->ca, from->ca, "");
	ngx_conf_merge_str_value(to->crl, from->crl, "");
	ngx_conf_merge_uint_value(to->crl_check, from->crl_check, THAW_CRL_CHAIN);
	ngx_conf_merge_uint_value(to->depth, from->depth, 0);
	ngx_conf_merge_value(to->require, from->require, 1);
	ngx_conf_merge_msec_value(to->timeout, from->timeout, 120000);
	ngx_conf_merge_str_value(to->elsewhere, from->elsewhere, "");
	if (to->when == THAW_OFF)
		return NGX_CONF_OK;
	/* Nested locations share what they have in common. */
	if (from->trust != NULL && same(&to->ca, &from->ca) && same(&to->crl, &from->crl) &&
	    to->crl_check == from->crl_check && to->depth == from->depth) {
		to->trust = from->trust;
		return NGX_CONF_OK;
	}
	return open_trust(cf, to);
}

static char *set_when(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	thaw_server_t *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_thaw_module);
	char *wrong = ngx_conf_set_enum_slot(cf, command, conf);

	if (wrong == NGX_CONF_OK && ((thaw_location_t *)conf)->when != THAW_OFF)
		server->asks = 1;
	return wrong;
}

static char *set_elsewhere(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	static const ngx_str_t scheme = ngx_string("https://");
	thaw_location_t *location = conf;
	ngx_str_t *value = cf->args->elts;
	size_t i;

	(void)command;
	if (location->elsewhere.data != NULL)
		return "is duplicate";
	if (value[1].len <= scheme.len || ngx_strncmp(value[1].data, scheme.data, scheme.len) != 0)
		return "must be an origin like https://certauth.example.com";
	for (i = scheme.len; i < value[1].len; i++)
		if (value[1].data[i] <= ' ' || value[1].data[i] >= 0x7f || ngx_strlchr((u_char *)"/?#\\@", (u_char *)"/?#\\@" + 5, value[1].data[i]) != NULL)
			return "must be an origin like https://certauth.example.com, without a path";
	location->elsewhere = value[1];
	return NGX_CONF_OK;
}

/* The last of the phase's handlers, which run from the last to the first: address and rate are looked at before a
 * client is asked, and with "satisfy any" it is asked only if nothing else lets it in. */
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
	/* The ClientHello comes before it is known which server it is for. */
	for (i = 0; i < core->servers.nelts; i++) {
		ngx_http_ssl_srv_conf_t *ssl = servers[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
		if (ssl->ssl.ctx != NULL && thaw_link_watch(ssl->ssl.ctx) != NGX_OK)
			return NGX_ERROR;
	}
	return add_handler(cf);
}

static ngx_http_module_t context = {
	.preconfiguration = thaw_variables_add,
	.postconfiguration = set_up,
	.create_srv_conf = create_server,
	.merge_srv_conf = merge_server,
	.create_loc_conf = create_location,
	.merge_loc_conf = merge_location,
};

ngx_module_t ngx_http_thaw_module = {
	NGX_MODULE_V1,
	&context,
	commands,
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
