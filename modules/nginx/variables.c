#include "thaw_nginx.h"

enum { VERDICT, REASON, MEANS, MOMENT, ASK_MS, DRAINED };

static ngx_int_t get(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t which)
{
	thaw_request_t *asked = ngx_http_get_module_ctx(r->main, ngx_http_thaw_module);
	const struct thaw_report *report = asked != NULL && asked->state == THAW_SETTLED ? &asked->report : NULL;
	const char *word = NULL;
	uint64_t number = 0;
	u_char *text;

	if (report == NULL || report->verdict == THAW_VERDICT_NONE) {
		value->not_found = 1;
		return NGX_OK;
	}
	switch (which) {
	case VERDICT:
		word = thaw_verdict_name(report->verdict);
		break;
	case REASON:
		word = thaw_reason_name(report->reason);
		break;
	case MEANS:
		word = thaw_means_name(report->means);
		break;
	case MOMENT:
		word = thaw_moment_name(report->moment);
		break;
	case ASK_MS:
		number = report->ended_ms > report->began_ms ? report->ended_ms - report->began_ms : 0;
		break;
	default:
		number = report->bytes_drained;
	}
	if (word != NULL) {
		value->data = (u_char *)word;
		value->len = ngx_strlen(word);
	} else {
		text = ngx_pnalloc(r->pool, NGX_INT64_LEN);
		if (text == NULL)
			return NGX_ERROR;
		value->data = text;
		value->len = (unsigned)(ngx_sprintf(text, "%uL", number) - text);
	}
	value->valid = 1;
	value->no_cacheable = 1;
	value->not_found = 0;
	return NGX_OK;
}

static ngx_http_variable_t variables[] = {
	{ngx_string("thaw_verdict"), NULL, get, VERDICT, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_reason"), NULL, get, REASON, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_means"), NULL, get, MEANS, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_moment"), NULL, get, MOMENT, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_ask_ms"), NULL, get, ASK_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
	{ngx_string("thaw_drained"), NULL, get, DRAINED, NGX_HTTP_VAR_NOCACHEABLE, 0},
};

ngx_int_t thaw_variables_add(ngx_conf_t *cf)
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		ngx_http_variable_t *added = ngx_http_add_variable(cf, &variables[i].name, variables[i].flags);
		if (added == NULL)
			return NGX_ERROR;
		added->get_handler = get;
		added->data = variables[i].data;
	}
	return NGX_OK;
}
