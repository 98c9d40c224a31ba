/* The fields of a client's request that are left out, because services trust them when a proxy sends them. */
#include <string.h>

#include "base/ascii.h"
#include "config/config.h"
#include "gateway/identity.h"
#include "http/syntax.h"

#define FOLDED_MAX 64 /* longer than any name in the table */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t fold(struct http_span name, char *folded, size_t room)
{
	size_t len = 0;

	for (; len < name.len && len < room; len++)
		folded[len] = ascii_fold_sign(name.at[len]);
	return len;
}

/*
 * Folded and sorted. No name begins with another one that is a `beginning`. So only the last entry that does not sort
 * after a given name can match it. docs/IDENTITY.md says who uses these names.
 */
static const struct gw_reserved names[] = {
	{"-ws", true},
	{"ajp-", true},
	{"auth-type", false},
	{"auth-user", false},
	{"cas-user", true},
	{"cert-chain", true},
	{"cf-access-", true},
	{"cf-client-cert", true},
	{"cf-connecting-ip", true},
	{"cf-visitor", true},
	{"client-cert", true},
	{"client-dn", true},
	{"client-ip", false},
	{"client-s-dn", true},
	{"client-verif", true},
	{"fastly-client-ip", false},
	{"fastly-ssl", false},
	{"forwarded", true},
	{"front-end-https", false},
	{"issuer-dn", true},
	{"iv-", true},
	{"l5d-client-id", true},
	{"logon-user", false},
	{"mellon-", true},
	{"ms-aspnetcore-", true},
	{"oam-", true},
	{"oidc-", true},
	{"path-info", false},
	{"proxy", false},
	{"proxy-auth-cert", true},
	{"proxy-client-ip", false},
	{"proxy-ssl-id", true},
	{"remote-", true},
	{"script-name", false},
	{"shib-", true},
	{"sm-", true},
	{"smauth", true},
	{"smuser", true},
	{"ssl-", true},
	{"sslclient", true},
	{"subject-dn", true},
	{"subjectdn", true},
	{"tailscale-user-", true},
	{"tls-client-", true},
	{"true-client-ip", false},
	{"wl-proxy-", true},
	{"x-accel-mapping", false},
	{"x-amzn-mtls-", true},
	{"x-amzn-oidc-", true},
	{"x-anonymous-consumer", true},
	{"x-apigateway-api-userinfo", true},
	{"x-apm-", true},
	{"x-appengine-", true},
	{"x-arr-", true},
	{"x-auth-request-", true},
	{"x-auth-user", false},
	{"x-authenticated-", true},
	{"x-authentik-", true},
	{"x-azure-clientip", true},
	{"x-azure-socketip", true},
	{"x-cert-", true},
	{"x-client-cert", true},
	{"x-client-cn", true},
	{"x-client-dn", true},
	{"x-client-fingerprint", true},
	{"x-client-i-dn", true},
	{"x-client-ip", false},
	{"x-client-issuer", true},
	{"x-client-s-dn", true},
	{"x-client-san", true},
	{"x-client-serial", true},
	{"x-client-subject", true},
	{"x-client-verif", true},
	{"x-clientcert", true},
	{"x-cluster-client-ip", false},
	{"x-consumer-", true},
	{"x-credential-", true},
	{"x-endpoint-api-userinfo", true},
	{"x-envoy-external-address", true},
	{"x-envoy-internal", true},
	{"x-envoy-original-path", true},
	{"x-envoy-peer-", true},
	{"x-forwarded", true},
	{"x-goog-authenticated-", true},
	{"x-goog-iap-", true},
	{"x-haproxy-client-", true},
	{"x-https", false},
	{"x-issuer-cn", true},
	{"x-issuer-dn", true},
	{"x-ms-client-principal", true},
	{"x-ms-forwarded", true},
	{"x-ms-proxy", true},
	{"x-ms-token-", true},
	{"x-mtls-", true},
	{"x-original-client", true},
	{"x-original-for", true},
	{"x-original-host", true},
	{"x-original-method", true},
	{"x-original-path", true},
	{"x-original-proto", true},
	{"x-original-query", true},
	{"x-original-remote", true},
	{"x-original-request", true},
	{"x-original-uri", true},
	{"x-original-url", true},
	{"x-original-user", true},
	{"x-originating-ip", false},
	{"x-peer-cert", true},
	{"x-pomerium-", true},
	{"x-proxied", true},
	{"x-proxy-roles", true},
	{"x-proxy-user", true},
	{"x-proxycontextpath", true},
	{"x-proxyhost", true},
	{"x-proxyport", true},
	{"x-proxyscheme", true},
	{"x-real-", true},
	{"x-remote-", true},
	{"x-rewrite-url", true},
	{"x-scheme", false},
	{"x-script-name", false},
	{"x-sendfile-type", false},
	{"x-spiffe-", true},
	{"x-ssl", false},
	{"x-ssl-", true},
	{"x-sslclient", true},
	{"x-subject-cn", true},
	{"x-subject-dn", true},
	{"x-subjectdn", true},
	{"x-tls-", true},
	{"x-url-scheme", false},
	{"x-userinfo", true},
	{"x-vouch-", true},
	{"x-waws-", true},
	{"x-webauth-", true},
};
/* Left out only if they are spelled differently: see gw_identity_is_reserved(). */
static const char *const framing[] = {"content-length", "content-type", "transfer-encoding"};

const struct gw_reserved *gw_identity_reserved(size_t *count)
{
	*count = COUNT(names);
	return names;
}

static bool begins(struct http_span text, const char *beginning)
{
	size_t len = strlen(beginning);
	return text.len >= len && memcmp(text.at, beginning, len) == 0;
}

/* Whether entry sorts after text in the table: by bytes; if one begins with the other, the longer one is after it. */
static bool is_behind(const char *entry, struct http_span text)
{
	size_t len = strlen(entry), both = len < text.len ? len : text.len;
	int order = memcmp(entry, text.at, both);

	return order > 0 || (order == 0 && len > text.len);
}

/* text: a folded name, or the beginning of a name that is too long. */
static bool in_table(struct http_span text, bool whole_name)
{
	size_t low = 0, high = COUNT(names);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (is_behind(names[middle].name, text))
			high = middle;
		else
			low = middle + 1;
	}
	if (low == 0 || !begins(text, names[low - 1].name))
		return false;
	return names[low - 1].beginning || (whole_name && strlen(names[low - 1].name) == text.len);
}

bool gw_identity_is_reserved(struct http_span name)
{
	char folded[FOLDED_MAX];
	struct http_span text = {folded, fold(name, folded, sizeof(folded))};

	if (in_table(text, name.len <= sizeof(folded)))
		return true;
	for (size_t i = 0; i < COUNT(framing) && name.len <= sizeof(folded); i++)
		if (http_span_equal(text, framing[i]) && !http_span_equal_nocase(name, framing[i]))
			return true;
	return false;
}

bool gw_identity_is_stripped(const struct config_host *host, struct http_span name)
{
	for (char **claimed = host->claimed; claimed != NULL && *claimed != NULL; claimed++)
		if (config_is_named(*claimed, name.at, name.len))
			return true;
	for (char **strip = host->strip; strip != NULL && *strip != NULL; strip++)
		if (config_is_named(*strip, name.at, name.len))
			return true;
	if (!gw_identity_is_reserved(name))
		return false;
	for (char **pass = host->pass; pass != NULL && *pass != NULL; pass++)
		if (http_span_equal_nocase(name, *pass))
			return false;
	return true;
}
