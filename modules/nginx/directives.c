#include "thaw_nginx.h"

#include <ctype.h>

#include <openssl/sha.h>

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

static void note_place(ngx_conf_t *cf, thaw_place_t *place)
{
	place->file = cf->conf_file->file.name;
	place->line = cf->conf_file->line;
}

static char *set_when(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	thaw_location_t *location = conf;

	note_place(cf, &location->when_place);
	return ngx_conf_set_enum_slot(cf, command, conf);
}

static char *set_ca(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	thaw_location_t *location = conf;

	note_place(cf, &location->ca_place);
	return ngx_conf_set_str_slot(cf, command, conf);
}

static char *set_crl(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	thaw_location_t *location = conf;

	note_place(cf, &location->crl_place);
	return ngx_conf_set_str_slot(cf, command, conf);
}

static char *set_timeout(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	thaw_location_t *location = conf;
	char *wrong = ngx_conf_set_msec_slot(cf, command, conf);

	return wrong == NGX_CONF_OK && location->timeout == 0 ? "must be longer than 0" : wrong;
}

/* host, host:port, v4:port, [v6] or [v6]:port */
static int is_authority(const u_char *text, size_t len)
{
	const u_char *colon = ngx_strlchr((u_char *)text, (u_char *)text + len, text[0] == '[' ? ']' : ':');
	size_t i, host = colon != NULL ? (size_t)(colon - text) : len;

	if (text[0] == '[') {
		u_char address[16];
		if (colon == NULL || ngx_inet6_addr((u_char *)text + 1, host - 1, address) != NGX_OK)
			return 0;
		host++;
	} else {
		for (i = 0; i < host; i++)
			if (!isalnum(text[i]) && strchr("-._", text[i]) == NULL)
				return 0;
	}
	if (host == 0 || host == len)
		return host != 0;
	ngx_int_t port = ngx_atoi((u_char *)text + host + 1, len - host - 1);
	return text[host] == ':' && port > 0 && port < 65536;
}

/* An origin without a path (RFC 6454 6.2), because the request target is appended. */
static char *set_elsewhere(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	static const ngx_str_t scheme = ngx_string("https://"), off = ngx_string("off");
	thaw_location_t *location = conf;
	ngx_str_t *value = cf->args->elts;

	(void)command;
	if (location->elsewhere.data != NULL)
		return "is duplicate";
	location->elsewhere = value[1];
	if (value[1].len == off.len && ngx_strncmp(value[1].data, off.data, off.len) == 0)
		location->elsewhere.len = 0;
	else if (value[1].len <= scheme.len || ngx_strncasecmp(value[1].data, scheme.data, scheme.len) != 0 ||
		 !is_authority(value[1].data + scheme.len, value[1].len - scheme.len))
		return "must be \"off\", or an origin without a path such as \"https://certauth.example.com\"";
	return NGX_CONF_OK;
}

#define EVERYWHERE    (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_HTTP_LMT_CONF)
#define WHERE(member) NGX_HTTP_LOC_CONF_OFFSET, offsetof(thaw_location_t, member)

ngx_command_t thaw_commands[] = {
	{ngx_string("thaw_client_certificate"), EVERYWHERE | NGX_CONF_TAKE1, set_when, WHERE(when), whens},
	{ngx_string("thaw_certificate_authority"), EVERYWHERE | NGX_CONF_TAKE1, set_ca, WHERE(ca), NULL},
	{ngx_string("thaw_crl"), EVERYWHERE | NGX_CONF_TAKE1, set_crl, WHERE(crl), NULL},
	{ngx_string("thaw_crl_check"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_enum_slot, WHERE(crl_check),
	 crl_checks},
	{ngx_string("thaw_verify_depth"), EVERYWHERE | NGX_CONF_TAKE1, ngx_conf_set_num_slot, WHERE(depth), &depths},
	{ngx_string("thaw_require"), EVERYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot, WHERE(require), NULL},
	{ngx_string("thaw_timeout"), EVERYWHERE | NGX_CONF_TAKE1, set_timeout, WHERE(timeout), NULL},
	{ngx_string("thaw_elsewhere"), EVERYWHERE | NGX_CONF_TAKE1, set_elsewhere, WHERE(elsewhere), NULL},
	ngx_null_command,
};

void *thaw_create_main(ngx_conf_t *cf)
{
	return ngx_pcalloc(cf->pool, sizeof(thaw_main_t));
}

void *thaw_create_server(ngx_conf_t *cf)
{
	return ngx_pcalloc(cf->pool, sizeof(thaw_server_t));
}

void *thaw_create_location(ngx_conf_t *cf)
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

/* Whether the error is about this file: the library's messages begin with the file name. */
static int is_about(const struct thaw_error *err, const ngx_str_t *file)
{
	return file->len > 0 && ngx_strncmp(err->text, file->data, file->len) == 0 && err->text[file->len] == ':';
}

static char *open_trust(ngx_conf_t *cf, thaw_location_t *location)
{
	struct thaw_error err;
	ngx_pool_cleanup_t *cleanup;

	if (location->ca.len == 0) {
		ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
			      "no \"thaw_certificate_authority\" is defined for the \"thaw_client_certificate\" "
			      "directive in %V:%ui",
			      &location->when_place.file, location->when_place.line);
		return NGX_CONF_ERROR;
	}
	if (ngx_conf_full_name(cf->cycle, &location->ca, 1) != NGX_OK ||
	    (location->crl.len > 0 && ngx_conf_full_name(cf->cycle, &location->crl, 1) != NGX_OK) ||
	    (cleanup = ngx_pool_cleanup_add(cf->pool, 0)) == NULL)
		return NGX_CONF_ERROR;
	struct thaw_trust_options options = {
		.size = sizeof(options),
		.ca = (const char *)location->ca.data,
		.crl = location->crl.len > 0 ? (const char *)location->crl.data : NULL,
		.crl_check = (enum thaw_crl_check)location->crl_check,
		.depth = (unsigned)location->depth,
	};
	enum thaw_status status = thaw_trust_open(&options, &location->trust, &err);
	thaw_link_clear_errors();
	if (status != THAW_OK) {
		int crl = is_about(&err, &location->crl) && !is_about(&err, &location->ca);
		thaw_place_t *place = crl ? &location->crl_place : &location->ca_place;
		ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%s\" directive: %s in %V:%ui",
			      crl ? "thaw_crl" : "thaw_certificate_authority", err.text, &place->file, place->line);
		return NGX_CONF_ERROR;
	}
	size_t left_out = thaw_trust_names_left_out(location->trust);
	if (left_out > 0)
		ngx_log_error(NGX_LOG_WARN, cf->log, 0,
			      "the names of the CAs in \"%V\" need %uz bytes: clients are sent none, for at most %d "
			      "fit, in %V:%ui",
			      &location->ca, left_out, THAW_CA_NAMES_MAX, &location->ca_place.file,
			      location->ca_place.line);
	cleanup->handler = free_trust;
	cleanup->data = location->trust;
	return NGX_CONF_OK;
}

static int is_same(const ngx_str_t *a, const ngx_str_t *b)
{
	return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}

/* Whether nested locations can share one thaw_trust. */
static int has_trust_of(const thaw_location_t *to, const thaw_location_t *from)
{
	return from->trust != NULL && is_same(&to->ca, &from->ca) && is_same(&to->crl, &from->crl) &&
	       to->crl_check == from->crl_check && to->depth == from->depth;
}

static ngx_int_t note_in_server(ngx_conf_t *cf, const thaw_location_t *location, int inherited)
{
	thaw_server_t *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_thaw_module);
	u_char both[2 * THAW_ID_LEN];

	ngx_memcpy(both, server->trusts, THAW_ID_LEN);
	ngx_memcpy(both + THAW_ID_LEN, thaw_trust_id(location->trust), THAW_ID_LEN);
	server->asks = 1;
	if (!inherited)
		server->place = location->when_place;
	return SHA256(both, sizeof(both), server->trusts) != NULL ? NGX_OK : NGX_ERROR;
}

char *thaw_merge_location(ngx_conf_t *cf, void *parent, void *child)
{
	const thaw_location_t *from = parent;
	thaw_location_t *to = child;
	int inherited = to->when == NGX_CONF_UNSET_UINT;

	if (inherited)
		to->when_place = from->when_place;
	if (to->ca.data == NULL)
		to->ca_place = from->ca_place;
	if (to->crl.data == NULL)
		to->crl_place = from->crl_place;
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
	if (has_trust_of(to, from)) {
		to->trust = from->trust;
	} else {
		char *wrong = open_trust(cf, to);
		if (wrong != NGX_CONF_OK)
			return wrong;
	}
	return note_in_server(cf, to, inherited) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}
