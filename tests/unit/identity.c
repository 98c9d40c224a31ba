/* The fields that tell an upstream who the client is, as they stand in the head, and those that a client may not send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "gateway/identity.h"
#include "gateway/request_id.h"
#include "gateway/variables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALL          (CONFIG_IDENTITY_RFC9440 | CONFIG_IDENTITY_XFCC | CONFIG_IDENTITY_NGINX)
#define HEX          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Base64 of it has each of '+', '/' and '='. */
static uint8_t der[] = {0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF, 0x01};
#define DER_BASE64  "++++////AQ=="
#define DER_ESCAPED "%2B%2B%2B%2B%2F%2F%2F%2FAQ%3D%3D"
#define PEM(text)   "-----BEGIN%20CERTIFICATE-----%0A" text "%0A-----END%20CERTIFICATE-----%0A"

struct client {
	struct tls_identity identity;
	struct tls_details details;
};

static void plain_client(struct client *client)
{
	static char serial[] = "0A1B";
	*client = (struct client){
		.identity = {.subject = "CN=a,O=b",
			     .issuer = "CN=ca",
			     .sha256_hex = HEX,
			     .certificate = der,
			     .certificate_len = sizeof(der)},
		.details = {.subject.whole = true,
			    .issuer.whole = true,
			    .serial = serial,
			    .not_before = "Nov 23 18:51:32 2026 GMT",
			    .not_after = "Dec  1 00:00:00 2049 GMT"},
	};
}

/* To be freed; ends with a NUL here. */
static char *fields_of(unsigned sets, const struct client *client, bool *cut)
{
	size_t len = 0;
	bool left_out = true;
	char *fields = gw_identity_fields(sets, &client->identity, &client->details, &len, &left_out);
	assert_non_null(fields);
	char *text = strndup(fields, len);
	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	free(fields);
	if (cut != NULL)
		*cut = left_out;
	else
		assert_false(left_out);
	return text;
}

static void assert_fields(unsigned sets, const struct client *client, const char *expected)
{
	char *text = fields_of(sets, client, NULL);
	assert_string_equal(text, expected);
	free(text);
}

/* ---- the sets ---- */

static void rfc9440_as_sent(void **state)
{
	(void)state;
	static uint8_t first[] = "ab", second[] = "abc";
	struct client client;
	plain_client(&client);
	assert_fields(CONFIG_IDENTITY_RFC9440, &client, "Client-Cert: :" DER_BASE64 ":\r\n");
	client.details.chain[client.details.chain_count++] = (struct tls_der){first, 2};
	assert_fields(CONFIG_IDENTITY_RFC9440, &client,
		      "Client-Cert: :" DER_BASE64 ":\r\nClient-Cert-Chain: :YWI=:\r\n");
	client.details.chain[client.details.chain_count++] = (struct tls_der){second, 3};
	assert_fields(CONFIG_IDENTITY_RFC9440, &client,
		      "Client-Cert: :" DER_BASE64 ":\r\nClient-Cert-Chain: :YWI=:, :YWJj:\r\n");
}

static void xfcc_as_sent(void **state)
{
	(void)state;
	struct tls_san sans[] = {
		{TLS_SAN_DNS, (char[]){"one.example"}},     {TLS_SAN_URI, (char[]){"spiffe://example.org/a"}},
		{TLS_SAN_EMAIL, (char[]){"a@example.org"}}, {TLS_SAN_URI, (char[]){"https://example.org/?a=b,c;d"}},
		{TLS_SAN_IP, (char[]){"10.0.0.1"}},         {TLS_SAN_DNS, (char[]){"two.example"}},
	};
	struct client client;
	plain_client(&client);
	assert_fields(CONFIG_IDENTITY_XFCC, &client,
		      "X-Forwarded-Client-Cert: Hash=" HEX ";Cert=\"" PEM(DER_ESCAPED) "\";Subject=\"CN=a,O=b\"\r\n");
	client.details.sans = sans;
	client.details.san_count = COUNT(sans);
	assert_fields(CONFIG_IDENTITY_XFCC, &client,
		      "X-Forwarded-Client-Cert: Hash=" HEX
		      ";Cert=\"" PEM(DER_ESCAPED) "\";Subject=\"CN=a,O=b\""
						  ";URI=spiffe://example.org/a;URI=\"https://example.org/?a=b,c;d\""
						  ";DNS=one.example;DNS=two.example\r\n");
}

static void nginx_as_sent(void **state)
{
	(void)state;
	struct client client;
	plain_client(&client);
	assert_fields(CONFIG_IDENTITY_NGINX, &client,
		      "X-SSL-Client-Verify: SUCCESS\r\n"
		      "X-SSL-Client-S-DN: CN=a,O=b\r\n"
		      "X-SSL-Client-I-DN: CN=ca\r\n"
		      "X-SSL-Client-Serial: 0A1B\r\n"
		      "X-SSL-Client-Fingerprint: " HEX "\r\n"
		      "X-SSL-Client-V-Start: Nov 23 18:51:32 2026 GMT\r\n"
		      "X-SSL-Client-V-End: Dec  1 00:00:00 2049 GMT\r\n"
		      "X-SSL-Client-Escaped-Cert: " PEM(DER_ESCAPED) "\r\n");
}

static void sets_are_written_in_order(void **state)
{
	(void)state;
	struct client client;
	plain_client(&client);
	char *parts[3], *all = fields_of(ALL, &client, NULL), joined[4096] = "";
	for (size_t i = 0; i < 3; i++) {
		parts[i] = fields_of(1u << i, &client, NULL);
		(void)strncat(joined, parts[i], sizeof(joined) - strlen(joined) - 1);
		free(parts[i]);
	}
	assert_string_equal(all, joined);
	free(all);
	assert_fields(0, &client, "");
}

static void without_an_identity(void **state)
{
	(void)state;
	static const char none[] = "X-SSL-Client-Verify: NONE\r\n";
	for (unsigned sets = 0; sets <= ALL; sets++) {
		char buffer[256];
		struct http_writer writer;
		http_writer_init(&writer, buffer, sizeof(buffer));
		gw_identity_none(sets, &writer);
		bool has_fields = (sets & CONFIG_IDENTITY_NGINX) != 0;
		assert_false(writer.overflow);
		assert_int_equal(writer.len, has_fields ? sizeof(none) - 1 : 0);
		assert_memory_equal(buffer, none, writer.len);
	}
}

/* PEM lines have 64 characters (RFC 7468 2), and the last one is not followed by an empty one. */
static void pem_is_in_lines(void **state)
{
	(void)state;
	static const size_t lens[] = {1, 47, 48, 49, 95, 96, 97, 1000};
	for (size_t i = 0; i < COUNT(lens); i++) {
		uint8_t zeros[1000] = {0};
		struct client client;
		plain_client(&client);
		client.identity.certificate = zeros;
		client.identity.certificate_len = lens[i];
		char *text = fields_of(CONFIG_IDENTITY_NGINX, &client, NULL);
		char *at = strstr(text, "-----BEGIN%20CERTIFICATE-----%0A");
		assert_non_null(at);
		size_t digits = 0, line = 0;
		for (at += 32; strncmp(at, "-----END", 8) != 0;) {
			bool escaped = strncmp(at, "%3D", 3) == 0, end = strncmp(at, "%0A", 3) == 0;
			assert_true(escaped || end || *at == 'A');
			assert_true(!end || line == 64 || strncmp(at + 3, "-----END", 8) == 0);
			assert_true(!end || line > 0);
			line = end ? 0 : line + 1;
			digits += !end;
			assert_in_range(line, 0, 64);
			at += escaped || end ? 3 : 1;
		}
		assert_int_equal(line, 0);
		assert_int_equal(digits, (lens[i] + 2) / 3 * 4);
		assert_string_equal(at, "-----END%20CERTIFICATE-----%0A\r\n");
		free(text);
	}
}

/* ---- what no name may do to a head ---- */

static void names_keep_to_themselves(void **state)
{
	(void)state;
	static const struct {
		const char *name, *plain, *quoted;
	} cases[] = {
		{"", "", ""},
		{"O=Acme\\, Inc", "O=Acme\\, Inc", "O=Acme\\, Inc"},
		{"CN=J\xC3\xBCrgen", "CN=J\\C3\\BCrgen", "CN=J\\C3\\BCrgen"},
		{"CN=a\\\"b", "CN=a\\\"b", "CN=a\\22b"},
		{"CN=a\\\\", "CN=a\\\\", "CN=a\\5C"},
		{"CN=\\\";Hash=x\\;By=\\\"", "CN=\\\";Hash=x\\;By=\\\"", "CN=\\22;Hash=x\\;By=\\22"},
		{"CN=a\\0D\\0AX: y", "CN=a\\0D\\0AX: y", "CN=a\\0D\\0AX: y"},
		{"CN=a\\ ", "CN=a\\20", "CN=a\\ "},
		{"CN=\\ a,O=b\\ ", "CN=\\20a,O=b\\20", "CN=\\ a,O=b\\ "},
		{"CN=\\#a", "CN=\\#a", "CN=\\#a"},
		{"1.2.3=#0C0161", "1.2.3=#0C0161", "1.2.3=#0C0161"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char expected[512];
		struct client client;
		plain_client(&client);
		client.identity.subject = cases[i].name;
		char *text = fields_of(CONFIG_IDENTITY_NGINX, &client, NULL);
		(void)snprintf(expected, sizeof(expected), "\r\nX-SSL-Client-S-DN: %s\r\n", cases[i].plain);
		assert_non_null(strstr(text, expected));
		free(text);
		text = fields_of(CONFIG_IDENTITY_XFCC, &client, NULL);
		(void)snprintf(expected, sizeof(expected), ";Subject=\"%s\"\r\n", cases[i].quoted);
		assert_non_null(strstr(text, expected));
		assert_ptr_equal(strchr(strstr(text, ";Subject=\"") + 10, '"'), text + strlen(text) - 3);
		free(text);
	}
}

static void incomplete_values_are_omitted(void **state)
{
	(void)state;
	struct client client;
	plain_client(&client);
	client.details.subject.whole = false;
	char *text = fields_of(ALL, &client, NULL);
	assert_null(strstr(text, "CN=a"));
	assert_null(strstr(text, "Subject"));
	assert_null(strstr(text, "S-DN"));
	assert_non_null(strstr(text, "X-SSL-Client-I-DN: CN=ca\r\n"));
	free(text);
	plain_client(&client);
	client.details.issuer.whole = false;
	text = fields_of(ALL, &client, NULL);
	assert_null(strstr(text, "CN=ca"));
	assert_non_null(strstr(text, "X-SSL-Client-S-DN: CN=a,O=b\r\n"));
	free(text);
}

static void alternative_names_keep_to_themselves(void **state)
{
	(void)state;
	struct tls_san sans[] = {
		{TLS_SAN_URI, (char[]){"a:\";Hash=0"}}, {TLS_SAN_URI, (char[]){"a:b\\"}},
		{TLS_SAN_DNS, (char[]){"a b"}},         {TLS_SAN_DNS, (char[]){"a;DNS=b,By=c"}},
		{TLS_SAN_URI, (char[]){"good:"}},
	};
	struct client client;
	plain_client(&client);
	client.details.sans = sans;
	client.details.san_count = COUNT(sans);
	char *text = fields_of(CONFIG_IDENTITY_XFCC, &client, NULL);
	assert_non_null(strstr(text, ";Subject=\"CN=a,O=b\";URI=good:;DNS=\"a;DNS=b,By=c\"\r\n"));
	free(text);
}

/* ---- ceilings ---- */

static void a_chain_too_large_goes_first(void **state)
{
	(void)state;
	static uint8_t large[12000];
	struct client client;
	bool cut;
	plain_client(&client);
	client.details.chain[0] = (struct tls_der){large, sizeof(large)};
	client.details.chain_count = 1;
	char *text = fields_of(ALL, &client, &cut);
	assert_false(cut);
	assert_non_null(strstr(text, "Client-Cert-Chain: "));
	free(text);
	client.details.chain[1] = client.details.chain[0];
	client.details.chain_count = 2;
	text = fields_of(ALL, &client, &cut);
	assert_true(cut);
	assert_null(strstr(text, "Client-Cert-Chain"));
	assert_non_null(strstr(text, "Client-Cert: :" DER_BASE64 ":\r\n"));
	assert_non_null(strstr(text, "X-SSL-Client-Verify: SUCCESS\r\n"));
	free(text);
	/* It is not asked for: nothing is missing. */
	text = fields_of(CONFIG_IDENTITY_NGINX, &client, &cut);
	assert_false(cut);
	free(text);
	client.details.chain_count = 0;
	client.details.chain_cut = true;
	text = fields_of(CONFIG_IDENTITY_RFC9440, &client, &cut);
	assert_true(cut);
	free(text);
	text = fields_of(CONFIG_IDENTITY_XFCC, &client, &cut);
	assert_false(cut);
	free(text);
}

/* Every length up to the ceiling: the fields are whole, or there are none at all. */
static void a_certificate_that_is_too_large_is_omitted_completely(void **state)
{
	(void)state;
	static uint8_t bytes[GW_IDENTITY_MAX];
	bool last = true;
	size_t fitted = 0;
	for (size_t len = 1; len < sizeof(bytes); len += 61) {
		struct client client;
		size_t got = 0;
		bool cut;
		plain_client(&client);
		client.identity.certificate = bytes;
		client.identity.certificate_len = len;
		char *fields = gw_identity_fields(ALL, &client.identity, &client.details, &got, &cut);
		assert_true(last || fields == NULL);
		last = fields != NULL;
		if (fields != NULL) {
			assert_in_range(got, len, GW_IDENTITY_MAX);
			assert_memory_equal(fields + got - 2, "\r\n", 2);
			fitted = len;
		} else {
			assert_true(got > GW_IDENTITY_MAX); /* not because memory ran out */
		}
		free(fields);
	}
	assert_in_range(fitted, 6000, 8000);
}

/* ---- what may not come in ---- */

static bool reserved(const char *name)
{
	return gw_identity_is_reserved((struct http_span){name, strlen(name)});
}

static const char *const forged[] = {
	"Client-Cert",
	"Client-Cert-Chain",
	"X-Forwarded-Client-Cert",
	"X-SSL-Client-Verify",
	"X-SSL-Client-S-DN",
	"X-SSL-Client-I-DN",
	"X-SSL-Client-Serial",
	"X-SSL-Client-Fingerprint",
	"X-SSL-Client-V-Start",
	"X-SSL-Client-V-End",
	"X-SSL-Client-Escaped-Cert",
	"X-SSL-Client-Cert",
	"X-SSL-Client-CN",
	"X-SSL-Cert",
	"X-SSL-Issuer",
	"SSL-Client-Cert",
	"SSL-Client-Verify",
	"SSL-Client-Subject-DN",
	"SSL-Client-S-DN-CN",
	"SSL-Client-Escaped-Cert",
	"SSL-Cipher",
	"SSL-Session-Id",
	"SSL-Cert",
	"X-Client-Cert",
	"X-Client-Cert-Leaf",
	"X-Client-Cert-Present",
	"X-ClientCert",
	"X-Client-Verify",
	"X-Client-Verified",
	"X-Client-DN",
	"X-Client-Subject",
	"X-ARR-ClientCert",
	"X-ARR-SSL",
	"X-ARR-LOG-ID",
	"MS-ASPNETCORE-CLIENTCERT",
	"MS-ASPNETCORE-TOKEN",
	"X-MS-Client-Principal",
	"X-MS-Client-Principal-Name",
	"X-Amzn-Mtls-Clientcert",
	"X-Amzn-Mtls-Clientcert-Subject",
	"X-Amzn-Oidc-Identity",
	"X-Goog-Authenticated-User-Email",
	"X-Goog-IAP-JWT-Assertion",
	"WL-Proxy-Client-Cert",
	"WL-Proxy-SSL",
	"WL-Proxy-Client-IP",
	"Proxy-Client-IP",
	"Proxy-Auth-Cert",
	"Proxy-SSL-Id",
	"X-Proxied-Https",
	"Cert-Chain",
	"Cert-Chain-0",
	"X-Forwarded",
	"X-Forwarded-For",
	"X-Forwarded-Host",
	"X-Forwarded-Proto",
	"X-Forwarded-Port",
	"X-Forwarded-Prefix",
	"X-Forwarded-Ssl",
	"X-Forwarded-User",
	"X-Forwarded-Tls-Client-Cert",
	"X-Forwarded-Tls-Client-Cert-Info",
	"Forwarded",
	"Forwarded-For",
	"X-Real-IP",
	"X-Real-Port",
	"X-Original-For",
	"X-Original-URL",
	"X-Rewrite-URL",
	"X-Remote-User",
	"X-Remote-Group",
	"X-Remote-Extra-Scopes",
	"Remote-User",
	"Remote-Addr",
	"X-WEBAUTH-USER",
	"X-Auth-Request-User",
	"X-Authenticated-User",
	"True-Client-IP",
	"X-Client-IP",
	"X-Cluster-Client-IP",
	"Client-IP",
	"CF-Connecting-IP",
	"CF-Connecting-IPv6",
	"Fastly-Client-IP",
	"X-Azure-ClientIP",
	"X-Envoy-External-Address",
	"X-Envoy-Internal",
	"X-Envoy-Peer-Certificate",
	"X-SSL",
	"Client_Verify",
	"Client-DN",
	"X-Spiffe-Id",
	"X-HAProxy-Client-Cert",
	"X-Auth-User",
	"X-AppEngine-User-Email",
	"Front-End-Https",
	"X-Url-Scheme",
	"X-Scheme",
	"Proxy",
	"Script-Name",
	"Path-Info",
	"X-TLS-Client-Cert",
	"X-MS-Proxy",
	"X-MS-Forwarded-Client-IP",
	"L5d-Client-Id",
	"TLS-Client-Cert",
	"X-MTLS-Subject",
	"Cf-Client-Cert-Subject-DN",
	"Cf-Access-Authenticated-User-Email",
	"OIDC-Claim-Email",
	"SM-User",
	"SMUser",
	"IV-User",
	"IV-Groups",
	"X-Client-CN",
	"X-Subject-DN",
	"X-Issuer-DN",
	"SSLClientCertSubject",
	"SSLClientCertStatus",
	"X-Consumer-Username",
	"X-Credential-Identifier",
	"X-Anonymous-Consumer",
	"X-ProxiedEntitiesChain",
	"X-ProxyContextPath",
	"X-Sendfile-Type",
	"X-Accel-Mapping",
	"Shib-Session-ID",
	"OAM-Remote-User",
	"X-Authentik-Username",
	"X-Pomerium-Claim-Email",
	"Tailscale-User-Login",
	"X-Endpoint-API-UserInfo",
	"X-Original-Host",
	"X-Original-URI",
	"X-Original-Remote-Addr",
};

static void what_is_ours_is_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forged); i++)
		if (!reserved(forged[i]))
			fail_msg("%s comes through", forged[i]);
	assert_true(reserved("$WSCC") && reserved("$WSRU") && reserved("_WS_HAPRT_WLMVERSION"));
}

/* In every spelling that a server with CGI's ways takes for the same. */
static void other_spellings_are_left_out_too(void **state)
{
	(void)state;
	static const char signs[] = "_.!#$%&'*+^`|~-";
	for (size_t i = 0; i < COUNT(forged); i++)
		for (const char *sign = signs; *sign != '\0'; sign++)
			for (int upper = 0; upper < 2; upper++) {
				char name[64];
				size_t len = strlen(forged[i]);
				for (size_t k = 0; k < len; k++) {
					char c = forged[i][k];
					bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
					name[k] = c == '-' ? *sign : letter ? (char)(upper ? c & ~0x20 : c | 0x20) : c;
				}
				if (!gw_identity_is_reserved((struct http_span){name, len}))
					fail_msg("%.*s comes through", (int)len, name);
			}
	assert_true(reserved("X_Forwarded-For") && reserved("x.ssl_Client-S~DN"));
}

static void long_names_are_looked_at_too(void **state)
{
	(void)state;
	char name[4096];
	memset(name, 'a', sizeof(name));
	assert_false(gw_identity_is_reserved((struct http_span){name, sizeof(name)}));
	memcpy(name, "X_SSL_CLIENT_S_DN_", 18);
	assert_true(gw_identity_is_reserved((struct http_span){name, sizeof(name)}));
	assert_false(gw_identity_is_reserved((struct http_span){name, 4}));
	assert_false(gw_identity_is_reserved((struct http_span){name, 0}));
	/* The whole name counts where only the whole one is meant. */
	assert_false(reserved("Proxy-Feature") || reserved("X-Hostname") || reserved("Client-IP-Country"));
}

static void other_fields_are_passed_on(void **state)
{
	(void)state;
	static const char *const honest[] = {
		"Accept",
		"Accept-Encoding",
		"Authorization",
		"Cache-Control",
		"Content-Length",
		"content-length",
		"CONTENT-TYPE",
		"Content-Encoding",
		"Content-Disposition",
		"Transfer-Encoding",
		"Cookie",
		"Date",
		"Host",
		"Idempotency-Key",
		"If-None-Match",
		"Origin",
		"Priority",
		"Range",
		"Referer",
		"Sec-Fetch-Mode",
		"Traceparent",
		"Upgrade-Insecure-Requests",
		"User-Agent",
		"X-Api-Key",
		"X-Client-Id",
		"X-Client-Version",
		"X-Correlation-Id",
		"X-CSRF-Token",
		"X-Http-Method-Override",
		"X-Request-Id",
		"X-Requested-With",
		"X-Trace",
		"X-Host",
		"X-Original-Filename",
		"X-Sendfile",
		"X-Accel-Buffering",
		"X-User-Id",
		"X-Auth-Token",
		"Impersonate-User",
		"Smart",
		"Ivory",
		"Client",
		"Client-Hints",
		"SSL",
		"SSLKey",
		"Forward",
		"Certificate",
		"WS",
		"Last-Event-ID",
	};
	for (size_t i = 0; i < COUNT(honest); i++)
		if (reserved(honest[i]))
			fail_msg("%s is left out", honest[i]);
}

/* A binary search finds the last entry that is not behind a name: no entry may hide another. */
static void the_table_is_in_order(void **state)
{
	size_t count = 0;
	const struct gw_reserved *names = gw_identity_reserved(&count);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++) {
			if (strcmp(names[i].name, names[k].name) >= 0)
				fail_msg("%s and %s", names[i].name, names[k].name);
			if (names[i].beginning && strncmp(names[i].name, names[k].name, strlen(names[i].name)) == 0)
				fail_msg("%s makes %s needless", names[i].name, names[k].name);
		}
}

static bool stripped(const struct config_host *host, const char *name)
{
	return gw_identity_is_stripped(host, (struct http_span){name, strlen(name)});
}

static void the_configuration_adds_names_and_makes_exceptions(void **state)
{
	char *strip[] = {(char[]){"X-Corp-User"}, (char[]){"X-Corp-Id*"}, NULL},
	     *pass[] = {(char[]){"X-Forwarded-Prefix"}, NULL};
	struct config_host host = {.strip = strip, .pass = pass}, plain = {.strip = NULL};

	(void)state;
	assert_true(stripped(&host, "x-corp-user") && stripped(&host, "X_Corp.User"));
	assert_true(stripped(&host, "X-Corp-Identity") && stripped(&host, "x_corp_id"));
	assert_false(stripped(&host, "X-Corp-Users") || stripped(&host, "X-Corp-I") || stripped(&plain, "X-Corp-User"));
	assert_false(stripped(&host, "x-forwarded-prefix"));
	assert_true(stripped(&host, "X_Forwarded-Prefix")); /* an exception is for one spelling */
	assert_true(stripped(&host, "X-Forwarded-For") && stripped(&plain, "X-Forwarded-Prefix"));
	assert_true(stripped(&host, "Content_Length"));
}

static void a_name_that_headers_write_is_always_stripped(void **state)
{
	char *claimed[] = {(char[]){"X-ARR-ClientCert"}, (char[]){"ssl-client-cert"}, (char[]){"My-Id"}, NULL},
	     *pass[] = {(char[]){"My-Id"}, NULL};
	struct config_host host = {.claimed = claimed, .pass = pass};

	(void)state;
	assert_true(stripped(&host, "x_arr_clientcert") && stripped(&host, "SSL.Client-Cert"));
	assert_true(stripped(&host, "my_id") && stripped(&host, "My-Id"));
	assert_false(stripped(&host, "My-Ids"));
}

/* ---- the variables of `headers` ---- */

/* expected: NULL for a variable without a value. */
static void assert_variable(unsigned variable, const struct client *client, const char *expected)
{
	char text[512];
	struct gw_words words = {.at = text, .room = sizeof(text)};
	bool has = gw_variable_identity(variable, &client->identity, &client->details, &words);

	assert_int_equal(has, expected != NULL);
	assert_false(words.overflow);
	if (expected == NULL)
		return;
	assert_int_equal(words.len, strlen(expected));
	assert_memory_equal(words.at, expected, words.len);
}

static void variables_of_a_certificate(void **state)
{
	static uint8_t above[] = "ab";
	struct tls_attribute subject[] = {{(char[]){"CN"}, (char[]){"2.5.4.3"}, (char[]){"a"}},
					  {(char[]){"O"}, (char[]){"2.5.4.10"}, (char[]){"b"}}};
	struct tls_san sans[] = {{TLS_SAN_DNS, (char[]){"a.example"}},
				 {TLS_SAN_EMAIL, (char[]){"a@example"}},
				 {TLS_SAN_DNS, (char[]){"b.example"}},
				 {TLS_SAN_DNS, (char[]){"c.example,d.example"}}};
	struct client client;

	(void)state;
	plain_client(&client);
	client.details.subject = (struct tls_name){subject, COUNT(subject), true};
	client.details.sans = sans;
	client.details.san_count = COUNT(sans);
	client.details.chain[client.details.chain_count++] = (struct tls_der){above, 2};
	assert_variable(CONFIG_VAR_IDENTITY_SUBJECT, &client, "CN=a,O=b");
	assert_variable(CONFIG_VAR_IDENTITY_COMMON_NAME, &client, "a");
	assert_variable(CONFIG_VAR_IDENTITY_ISSUER, &client, "CN=ca");
	assert_variable(CONFIG_VAR_IDENTITY_SERIAL, &client, "0A1B");
	assert_variable(CONFIG_VAR_IDENTITY_SHA256, &client, HEX);
	assert_variable(CONFIG_VAR_IDENTITY_NOT_BEFORE, &client, "Nov 23 18:51:32 2026 GMT");
	assert_variable(CONFIG_VAR_IDENTITY_NOT_AFTER, &client, "Dec  1 00:00:00 2049 GMT");
	assert_variable(CONFIG_VAR_IDENTITY_SAN_DNS, &client, "a.example,b.example");
	assert_variable(CONFIG_VAR_IDENTITY_SAN_EMAIL, &client, "a@example");
	assert_variable(CONFIG_VAR_IDENTITY_SAN_URI, &client, NULL);
	assert_variable(CONFIG_VAR_IDENTITY_CERTIFICATE, &client, DER_BASE64);
	assert_variable(CONFIG_VAR_IDENTITY_PEM, &client, PEM(DER_ESCAPED));
	assert_variable(CONFIG_VAR_IDENTITY_CHAIN, &client, DER_BASE64 ",YWI=");
	assert_variable(CONFIG_VAR_CLIENT_ADDRESS, &client, NULL);
	client.details.subject.whole = client.details.issuer.whole = false; /* a control character in it, for one */
	assert_variable(CONFIG_VAR_IDENTITY_SUBJECT, &client, NULL);
	assert_variable(CONFIG_VAR_IDENTITY_ISSUER, &client, NULL);
}

/* A reader could take it for another one: it has no value then. */
static void an_odd_common_name_is_no_variable(void **state)
{
	static const char *const odd[] = {"",         " a",   "a ",   "a\r\nX-Admin: 1", "a\"b", "a\\b",
					  "\303\244", "a\tb", "a\177"};
	struct client client;

	(void)state;
	plain_client(&client);
	for (size_t i = 0; i < COUNT(odd); i++) {
		char text[32];
		struct tls_attribute subject[] = {{(char[]){"CN"}, (char[]){"2.5.4.3"}, text},
						  {(char[]){"CN"}, (char[]){"2.5.4.3"}, text}};
		(void)snprintf(text, sizeof(text), "%s", odd[i]);
		client.details.subject = (struct tls_name){subject, 1, true};
		assert_variable(CONFIG_VAR_IDENTITY_COMMON_NAME, &client, NULL);
		(void)snprintf(text, sizeof(text), "plain");
		assert_variable(CONFIG_VAR_IDENTITY_COMMON_NAME, &client, "plain");
		client.details.subject.whole = false;
		assert_variable(CONFIG_VAR_IDENTITY_COMMON_NAME, &client, NULL);
		client.details.subject = (struct tls_name){subject, 2, true};
		assert_variable(CONFIG_VAR_IDENTITY_COMMON_NAME, &client, NULL);
	}
}

static void a_variable_that_does_not_fit_overflows(void **state)
{
	char text[16];
	struct client client;

	(void)state;
	plain_client(&client);
	for (unsigned variable = CONFIG_VAR_IDENTITY_SHA256; variable < CONFIG_VARIABLES; variable++) {
		struct gw_words words = {.at = text, .room = variable == CONFIG_VAR_IDENTITY_CERTIFICATE ? 11 : 12};
		bool has = gw_variable_identity(variable, &client.identity, &client.details, &words);
		bool fits = variable == CONFIG_VAR_IDENTITY_CHAIN || !has;
		assert_int_equal(words.overflow, !fits);
		assert_true(words.len <= words.room);
	}
}

static void request_ids_of_clients(void **state)
{
	char longest[GW_REQUEST_ID_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(gw_request_id_is_fit(longest, GW_REQUEST_ID_MAX));
	assert_false(gw_request_id_is_fit(longest, GW_REQUEST_ID_MAX + 1));
	assert_true(gw_request_id_is_fit("1-67891233-abc_D/f:e+=@~.", 25));
	assert_false(gw_request_id_is_fit("", 0));
	assert_false(gw_request_id_is_fit("a b", 3) || gw_request_id_is_fit("a\"", 2) ||
		     gw_request_id_is_fit("a\0", 2) || gw_request_id_is_fit("a,b", 3) ||
		     gw_request_id_is_fit("\303\244", 2));
}

static void the_leaf_alone(void **state)
{
	static uint8_t first[] = "ab";
	struct client client;

	(void)state;
	plain_client(&client);
	client.details.chain[client.details.chain_count++] = (struct tls_der){first, 2};
	client.details.chain_cut = true;
	assert_fields(CONFIG_IDENTITY_RFC9440 | CONFIG_IDENTITY_LEAF, &client, "Client-Cert: :" DER_BASE64 ":\r\n");
}

/* A field that frames the request was looked at in its one spelling only. */
static void framing_has_one_spelling(void **state)
{
	(void)state;
	static const char *const odd[] = {"Content_Length", "content.length", "CONTENT_TYPE", "Transfer_Encoding",
					  "transfer~encoding"};
	for (size_t i = 0; i < COUNT(odd); i++)
		assert_true(reserved(odd[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9440_as_sent),
		cmocka_unit_test(xfcc_as_sent),
		cmocka_unit_test(nginx_as_sent),
		cmocka_unit_test(sets_are_written_in_order),
		cmocka_unit_test(without_an_identity),
		cmocka_unit_test(pem_is_in_lines),
		cmocka_unit_test(names_keep_to_themselves),
		cmocka_unit_test(incomplete_values_are_omitted),
		cmocka_unit_test(alternative_names_keep_to_themselves),
		cmocka_unit_test(a_chain_too_large_goes_first),
		cmocka_unit_test(a_certificate_that_is_too_large_is_omitted_completely),
		cmocka_unit_test(what_is_ours_is_left_out),
		cmocka_unit_test(other_spellings_are_left_out_too),
		cmocka_unit_test(long_names_are_looked_at_too),
		cmocka_unit_test(other_fields_are_passed_on),
		cmocka_unit_test(framing_has_one_spelling),
		cmocka_unit_test(the_table_is_in_order),
		cmocka_unit_test(a_name_that_headers_write_is_always_stripped),
		cmocka_unit_test(variables_of_a_certificate),
		cmocka_unit_test(an_odd_common_name_is_no_variable),
		cmocka_unit_test(a_variable_that_does_not_fit_overflows),
		cmocka_unit_test(request_ids_of_clients),
		cmocka_unit_test(the_leaf_alone),
		cmocka_unit_test(the_configuration_adds_names_and_makes_exceptions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
