#include "gateway/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "config/config.h"
#include "http/syntax.h"

#define LINE_BREAK "%0A"
#define PEM_LINE   64

/* Text under way, in memory with a ceiling. */
struct text {
	char *at;
	size_t len, room;
	bool overflow;
};

static void put(struct text *text, const char *bytes, size_t len)
{
	if (text->overflow || len > text->room - text->len) {
		text->overflow = true;
		return;
	}
	memcpy(text->at + text->len, bytes, len);
	text->len += len;
}

static void put_text(struct text *text, const char *string)
{
	put(text, string, strlen(string));
}

static void put_base64(struct text *text, const uint8_t *bytes, size_t len)
{
	if (text->overflow || BASE64_LEN(len) > text->room - text->len) {
		text->overflow = true;
		return;
	}
	base64_encode(bytes, len, text->at + text->len);
	text->len += BASE64_LEN(len);
}

/* RFC 8941 3.3.5: a byte sequence. */
static void put_sequence(struct text *text, const uint8_t *der, size_t len)
{
	put_text(text, ":");
	put_base64(text, der, len);
	put_text(text, ":");
}

/* A PEM certificate, percent-encoded: '+', '/' and '=' of Base64, blanks and line breaks. */
static void put_escaped_pem(struct text *text, const uint8_t *der, size_t len, struct text *scratch)
{
	scratch->len = 0;
	put_base64(scratch, der, len);
	if (scratch->overflow) {
		text->overflow = true;
		return;
	}
	put_text(text, "-----BEGIN%20CERTIFICATE-----" LINE_BREAK);
	for (size_t i = 0; i < scratch->len; i++) {
		char c = scratch->at[i];
		if (c == '+')
			put_text(text, "%2B");
		else if (c == '/')
			put_text(text, "%2F");
		else if (c == '=')
			put_text(text, "%3D");
		else
			put(text, &c, 1);
		if ((i + 1) % PEM_LINE == 0 || i + 1 == scratch->len)
			put_text(text, LINE_BREAK);
	}
	put_text(text, "-----END%20CERTIFICATE-----" LINE_BREAK);
}

/* Two pieces of scratch for what is put together. */
struct work {
	struct http_writer writer;
	struct text value, scratch;
	const struct thaw_identity *identity;
	const struct tls_details *details;
};

static struct text *begin(struct work *work)
{
	work->value.len = 0;
	work->value.overflow = work->scratch.overflow = false;
	return &work->value;
}

/* A value that may not stand in a head is no reason to split one: the field is left out. */
static void end(struct work *work, const char *name)
{
	struct http_span value = {work->value.at, work->value.len};

	if (work->value.overflow)
		work->writer.overflow = true;
	else if (http_is_field_value(value))
		http_write_span(&work->writer, (struct http_span){name, strlen(name)}, value);
}

static void end_text(struct work *work, const char *name, const char *string)
{
	put_text(begin(work), string);
	end(work, name);
}

/* RFC 9440 2.2 and 2.3. */
static void write_rfc9440(struct work *work, bool chain)
{
	put_sequence(begin(work), work->identity->certificate, work->identity->certificate_len);
	end(work, "Client-Cert");
	if (!chain || work->details->chain_count == 0)
		return;
	struct text *value = begin(work);
	for (size_t i = 0; i < work->details->chain_count; i++) {
		put_text(value, i > 0 ? ", " : "");
		put_sequence(value, work->details->chain[i].bytes, work->details->chain[i].len);
	}
	end(work, "Client-Cert-Chain");
}

/*
 * A name as Envoy and nginx write it: RFC 4514 with every byte beyond ASCII escaped, since a head has no charset. Where
 * it stands between quotes, an escaped quote or backslash in it is written by its digits, too: then neither a reader
 * that knows of backslashes nor one that does not can take a part of the name for the end of the quotes.
 */
static void put_name(struct text *text, const char *name, bool quoted)
{
	char digits[4];

	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;
		bool escaped = c == '\\' && name[1] != '\0';
		if (escaped)
			c = (unsigned char)*++name;
		/* A blank at the end of a field's value would be trimmed away, and leave its backslash behind. */
		if (c >= 0x80 || (!quoted && escaped && c == ' ') || (quoted && (c == '"' || c == '\\'))) {
			(void)snprintf(digits, sizeof(digits), "\\%02X", c);
			put(text, digits, 3);
		} else {
			put(text, name - escaped, 1 + (size_t)escaped);
		}
	}
}

/* Envoy: a value with one of , ; = stands in quotes. One that would have to escape something there is left out: no URI
 * and no DNS name has such a character (RFC 3986 2, RFC 1123 2.1). */
static void put_sans(struct text *text, const struct tls_details *details, enum tls_san_kind kind, const char *key)
{
	for (size_t i = 0; i < details->san_count; i++) {
		const char *san = details->sans[i].text;
		if (details->sans[i].kind != kind || strpbrk(san, "\"\\ ") != NULL)
			continue;
		const char *quote = strpbrk(san, ",;=") != NULL ? "\"" : "";
		put_text(text, key);
		put_text(text, quote);
		put_text(text, san);
		put_text(text, quote);
	}
}

static void write_xfcc(struct work *work)
{
	struct text *value = begin(work);

	put_text(value, "Hash=");
	put_text(value, work->identity->sha256_hex);
	put_text(value, ";Cert=\"");
	put_escaped_pem(value, work->identity->certificate, work->identity->certificate_len, &work->scratch);
	put_text(value, "\"");
	if (work->details->subject.whole) {
		put_text(value, ";Subject=\"");
		put_name(value, work->identity->subject, true);
		put_text(value, "\"");
	}
	put_sans(value, work->details, TLS_SAN_URI, ";URI=");
	put_sans(value, work->details, TLS_SAN_DNS, ";DNS=");
	end(work, "X-Forwarded-Client-Cert");
}

static void write_name(struct work *work, const char *field, const struct tls_name *parts, const char *name)
{
	if (!parts->whole)
		return;
	put_name(begin(work), name, false);
	end(work, field);
}

static void write_nginx(struct work *work)
{
	http_write_field(&work->writer, "X-SSL-Client-Verify", "SUCCESS");
	write_name(work, "X-SSL-Client-S-DN", &work->details->subject, work->identity->subject);
	write_name(work, "X-SSL-Client-I-DN", &work->details->issuer, work->identity->issuer);
	end_text(work, "X-SSL-Client-Serial", work->details->serial);
	end_text(work, "X-SSL-Client-Fingerprint", work->identity->sha256_hex);
	end_text(work, "X-SSL-Client-V-Start", work->details->not_before);
	end_text(work, "X-SSL-Client-V-End", work->details->not_after);
	put_escaped_pem(begin(work), work->identity->certificate, work->identity->certificate_len, &work->scratch);
	end(work, "X-SSL-Client-Escaped-Cert");
}

static void write_sets(struct work *work, unsigned sets, bool chain)
{
	if ((sets & CONFIG_IDENTITY_RFC9440) != 0)
		write_rfc9440(work, chain);
	if ((sets & CONFIG_IDENTITY_XFCC) != 0)
		write_xfcc(work);
	if ((sets & CONFIG_IDENTITY_NGINX) != 0)
		write_nginx(work);
}

char *gw_identity_fields(unsigned sets, const struct thaw_identity *identity, const struct tls_details *details,
			 size_t *len, bool *chain_left_out)
{
	struct work work = {.identity = identity, .details = details};
	char *fields = malloc(3 * (size_t)GW_IDENTITY_MAX);

	*len = 0;
	if (fields == NULL)
		return NULL;
	work.value = (struct text){.at = fields + GW_IDENTITY_MAX, .room = GW_IDENTITY_MAX};
	work.scratch = (struct text){.at = fields + 2 * (size_t)GW_IDENTITY_MAX, .room = GW_IDENTITY_MAX};
	*chain_left_out = (sets & CONFIG_IDENTITY_RFC9440) != 0 && details->chain_cut;
	for (int chain = 1; chain >= 0; chain--) {
		http_writer_init(&work.writer, fields, GW_IDENTITY_MAX);
		write_sets(&work, sets, chain == 1);
		if (work.writer.overflow) {
			*chain_left_out = details->chain_count > 0;
			continue;
		}
		*len = work.writer.len;
		char *fit = realloc(fields, *len + 1);
		return fit != NULL ? fit : fields;
	}
	free(fields);
	*len = GW_IDENTITY_MAX + 1;
	return NULL;
}

void gw_identity_none(unsigned sets, struct http_writer *writer)
{
	if ((sets & CONFIG_IDENTITY_NGINX) != 0)
		http_write_field(writer, "X-SSL-Client-Verify", "NONE");
}
