/* Variables of other programs in values of `headers`: they would be sent as they are written. */
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/schema.h"

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define WORD     CAPITALS "abcdefghijklmnopqrstuvwxyz0123456789"

/* Names of nginx, Apache, HAProxy, IIS, without regard to case; what this gateway has for them. */
static const struct {
	const char *name, *ours;
} known[] = {
	{"remote_addr", "{client.address}"},
	{"binary_remote_addr", "{client.address}"},
	{"realip_remote_addr", "{client.address}"},
	{"proxy_protocol_addr", "{client.address}"},
	{"src", "{client.address}"},
	{"remote_port", "{client.port}"},
	{"src_port", "{client.port}"},
	{"ssl_protocol", "{tls.version}"},
	{"ssl_fc_protocol", "{tls.version}"},
	{"crypt_protocol", "{tls.version}"},
	{"ssl_cipher", "{tls.cipher}"},
	{"ssl_fc_cipher", "{tls.cipher}"},
	{"request_id", "{request.id}"},
	{"unique_id", "{request.id}"},
	{"unique-id", "{request.id}"},
	{"host", "{request.host}"},
	{"http_host", "{request.host}"},
	{"server_name", "{request.host}"},
	{"ssl_fc_sni", "{request.host}"},
	{"ssl_client_verify", "{identity.verified}"},
	{"ssl_c_verify", "{identity.verified}"},
	{"ssl_client_s_dn", "{identity.subject}"},
	{"ssl_client_s_dn_legacy", "{identity.subject}"},
	{"ssl_c_s_dn", "{identity.subject}"},
	{"cert_subject", "{identity.subject}"},
	{"ssl_client_s_dn_cn", "{identity.common_name}"},
	{"ssl_client_i_dn", "{identity.issuer}"},
	{"ssl_client_i_dn_legacy", "{identity.issuer}"},
	{"ssl_c_i_dn", "{identity.issuer}"},
	{"cert_issuer", "{identity.issuer}"},
	{"ssl_client_serial", "{identity.serial}"},
	{"ssl_client_m_serial", "{identity.serial}"},
	{"ssl_c_serial", "{identity.serial}"},
	{"cert_serialnumber", "{identity.serial}"},
	{"ssl_client_fingerprint", "{identity.sha256}"},
	{"ssl_c_sha1", "{identity.sha256}"},
	{"ssl_client_v_start", "{identity.not_before}"},
	{"ssl_c_notbefore", "{identity.not_before}"},
	{"ssl_client_v_end", "{identity.not_after}"},
	{"ssl_c_notafter", "{identity.not_after}"},
	{"ssl_client_san_dns_0", "{identity.san.dns}"},
	{"ssl_client_san_email_0", "{identity.san.email}"},
	{"ssl_client_cert", "{identity.certificate_pem}"},
	{"ssl_client_raw_cert", "{identity.certificate_pem}"},
	{"ssl_client_escaped_cert", "{identity.certificate_pem}"},
	{"ssl_c_der", "{identity.certificate}"},
	{"ssl_c_chain_der", "{identity.chain}"},
};

/* word: its first len bytes. NULL: it has none for this. */
static const char *ours_for(const char *word, size_t len)
{
	for (size_t i = 0; i < CONFIG_COUNT(known); i++)
		if (strlen(known[i].name) == len && strncasecmp(known[i].name, word, len) == 0)
			return known[i].ours;
	return NULL;
}

/* The length of "{name...}" or "[name...]"; 0: something else. */
static size_t brackets(const char *text, const char *pair)
{
	size_t word = text[0] == pair[0] ? strspn(text + 1, WORD) : 0;
	size_t end = word > 0 ? 1 + word + strcspn(text + 1 + word, "{}[]") : 0;

	return word > 0 && text[end] == pair[1] ? end + 1 : 0;
}

/* The length of Envoy's "%PROTOCOL%", "%REQ(name)%"; 0: something else, such as "%C3%A4". */
static size_t percents(const char *text)
{
	size_t word = strspn(text + 1, CAPITALS), end = 1 + word;

	if (word < 3 || ascii_hex_byte(text + 1) >= 0)
		return 0;
	if (text[end] == '(')
		end += strcspn(text + end, ")") + 1;
	return text[end - 1] != '\0' && text[end] == '%' ? end + 1 : 0;
}

/* The length of a "%D" without brackets; 0: something else, such as "%D0". */
static size_t letters(const char *text, struct config_foreign *is)
{
	static const struct {
		const char *name;
		struct config_foreign is;
	} all[] = {
		{"D", {"Apache", NULL}},
		{"t", {"Apache", NULL}},
		{"ci", {"HAProxy", "{client.address}"}},
		{"cp", {"HAProxy", "{client.port}"}},
		{"ID", {"HAProxy", "{request.id}"}},
	};
	size_t len = strspn(text + 1, WORD "%");

	for (size_t i = 0; i < CONFIG_COUNT(all); i++)
		if (strlen(all[i].name) == len && memcmp(all[i].name, text + 1, len) == 0) {
			*is = all[i].is;
			return 1 + len;
		}
	return 0;
}

static size_t find_dollar(const char *text, struct config_foreign *is)
{
	const char *word = text + 1 + (text[1] == '{');
	size_t len = text[1] == '{' ? brackets(text + 1, "{}") : strspn(text + 1, WORD);

	*is = (struct config_foreign){"nginx", ours_for(word, strspn(word, WORD))};
	return len > 0 && !ascii_is_digit(word[0]) ? 1 + len : 0;
}

static size_t find_percent(const char *text, struct config_foreign *is)
{
	size_t braces = brackets(text + 1, "{}"), square = brackets(text + 1, "[]");
	const char *ours = braces + square > 0 ? ours_for(text + 2, strspn(text + 2, WORD "-")) : NULL;

	*is = (struct config_foreign){braces > 0 ? "Apache" : square > 0 ? "HAProxy" : "Envoy", ours};
	if (braces > 0) /* "%{X}s", "%{X}e" */
		return 1 + braces + (ascii_is_alnum(text[1 + braces]) && !ascii_is_digit(text[1 + braces]));
	if (square > 0)
		return 1 + square;
	size_t len = percents(text);
	return len > 0 ? len : letters(text, is);
}

size_t config_find_foreign(const char *text, struct config_foreign *is)
{
	return text[0] == '$' ? find_dollar(text, is) : text[0] == '%' ? find_percent(text, is) : 0;
}
