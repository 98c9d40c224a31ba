#include "thaw_nginx.h"

enum { VERDICT, REASON, MEANS, MOMENT, ASK_MS, DRAINED };

/* ---- $thaw_* ---- */

static int read_report(ngx_http_request_t *r, struct thaw_report *report)
{
	thaw_request_t *asked = thaw_request_of(r);

	if (asked == NULL)
		return 0;
	if (asked->link != NULL)
		*report = *thaw_conn_report(asked->link->conn);
	else
		*report = asked->report;
	return report->verdict != THAW_VERDICT_NONE;
}

static const char *word_of(const struct thaw_report *report, uintptr_t which)
{
	switch (which) {
	case VERDICT:
		return thaw_verdict_name(report->verdict);
	case REASON:
		return thaw_reason_name(report->reason);
	case MEANS:
		return thaw_means_name(report->means);
	default:
		return thaw_moment_name(report->moment);
	}
}

static ngx_int_t set_text(ngx_http_variable_value_t *value, const u_char *text, size_t len)
{
	value->data = (u_char *)text;
	value->len = (unsigned)len;
	value->valid = 1;
	value->no_cacheable = 1;
	value->not_found = 0;
	return NGX_OK;
}

static ngx_int_t get_word(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t which)
{
	struct thaw_report report;

	if (!read_report(r, &report)) {
		value->not_found = 1;
		return NGX_OK;
	}
	const char *word = word_of(&report, which);
	return set_text(value, (const u_char *)word, ngx_strlen(word));
}

static ngx_int_t get_number(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t which)
{
	struct thaw_report report;

	if (!read_report(r, &report)) {
		value->not_found = 1;
		return NGX_OK;
	}
	u_char *text = ngx_pnalloc(r->pool, NGX_INT64_LEN);
	if (text == NULL)
		return NGX_ERROR;
	uint64_t end = report.ended_ms != 0 ? report.ended_ms : ngx_current_msec;
	uint64_t number = which == DRAINED ? report.bytes_drained : end - report.began_ms;
	return set_text(value, text, (size_t)(ngx_sprintf(text, "%uL", number) - text));
}

static ngx_http_variable_t variables[] = {
	{ngx_string("thaw_verdict"), NULL, get_word, VERDICT, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_reason"), NULL, get_word, REASON, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_means"), NULL, get_word, MEANS, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_moment"), NULL, get_word, MOMENT, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_ask_ms"), NULL, get_number, ASK_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_drained"), NULL, get_number, DRAINED, NGX_HTTP_VAR_NOCACHEABLE, 0},
};

ngx_int_t thaw_variables_add(ngx_conf_t *cf)
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		ngx_http_variable_t *added = ngx_http_add_variable(cf, &variables[i].name, variables[i].flags);
		if (added == NULL)
			return NGX_ERROR;
		added->get_handler = variables[i].get_handler;
		added->data = variables[i].data;
	}
	return NGX_OK;
}

/* ---- $ssl_client_verify ---- */

/* nginx's own handler, which returns the last verification result of the connection, under any trust. */
static ngx_http_get_variable_pt nginx_verify;

static int has_certificate(const ngx_http_request_t *r)
{
	return r->connection->ssl != NULL && SSL_get0_peer_certificate(r->connection->ssl->connection) != NULL;
}

/* If the request was asked, the verdict counts, also after an internal redirect to a location that does not ask. */
static ngx_int_t get_verify(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
	static const char failed[] = "FAILED:";
	const thaw_location_t *location = ngx_http_get_module_loc_conf(r, ngx_http_thaw_module);
	struct thaw_report report;
	const char *why;
	u_char *text;

	if (!has_certificate(r))
		return nginx_verify(r, value, data);
	if (!read_report(r, &report))
		return location->when == THAW_OFF ? nginx_verify(r, value, data)
						  : set_text(value, (const u_char *)"NONE", 4);
	if (report.verdict == THAW_VERDICT_ACCEPTED)
		return set_text(value, (const u_char *)"SUCCESS", 7);
	why = report.detail[0] != '\0' ? report.detail : thaw_reason_name(report.reason);
	text = ngx_pnalloc(r->pool, sizeof(failed) - 1 + ngx_strlen(why));
	if (text == NULL)
		return NGX_ERROR;
	u_char *end = ngx_cpymem(ngx_cpymem(text, failed, sizeof(failed) - 1), why, ngx_strlen(why));
	return set_text(value, text, (size_t)(end - text));
}

ngx_int_t thaw_variables_wrap(ngx_conf_t *cf)
{
	static const ngx_str_t name = ngx_string("ssl_client_verify");
	ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_hash_key_t *keys = core->variables_keys->keys.elts;
	ngx_uint_t i;

	for (i = 0; i < core->variables_keys->keys.nelts; i++) {
		ngx_http_variable_t *variable = keys[i].value;
		if (keys[i].key.len != name.len || ngx_strncmp(keys[i].key.data, name.data, name.len) != 0)
			continue;
		if (variable->get_handler != get_verify)
			nginx_verify = variable->get_handler;
		variable->get_handler = get_verify;
		return NGX_OK;
	}
	return NGX_ERROR;
}
