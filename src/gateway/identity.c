#include "gateway/identity.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "gateway/words.h"
#include "http/syntax.h"

/* RFC 8941 3.3.5: a byte sequence. */
static void put_sequence(struct gw_words *text, const uint8_t *der, size_t len)
{
	gw_words_text(text, ":");
	gw_words_base64(text, der, len);
	gw_words_text(text, ":");
}

/* Working data while the fields are written. */
struct work {
	struct http_writer writer;
	struct gw_words value;
	const struct tls_identity *identity;
	const struct tls_details *details;
};

static struct gw_words *begin(struct work *work)
{
	work->value.len = 0;
	work->value.overflow = false;
	return &work->value;
}

/* Leaves the field out if its value has a character that a field value must not contain, because it could split the
 * head. */
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
	gw_words_text(begin(work), string);
	end(work, name);
}

/* RFC 9440 2.2 and 2.3. */
static void write_rfc9440(struct work *work, bool chain, bool leaf_only)
{
	put_sequence(begin(work), work->identity->certificate, work->identity->certificate_len);
	end(work, "Client-Cert");
	if (!chain || leaf_only || work->details->chain_count == 0)
		return;
	struct gw_words *value = begin(work);
	for (size_t i = 0; i < work->details->chain_count; i++) {
		gw_words_text(value, i > 0 ? ", " : "");
		put_sequence(value, work->details->chain[i].bytes, work->details->chain[i].len);
	}
	end(work, "Client-Cert-Chain");
}

/* Envoy writes a value that contains , ; or = in quotes. A value that would need an escape in quotes is left out: URIs
 * and DNS names have no such characters (RFC 3986 2, RFC 1123 2.1). */
static void put_sans(struct gw_words *text, const struct tls_details *details, enum tls_san_kind kind, const char *key)
{
	for (size_t i = 0; i < details->san_count; i++) {
		const char *san = details->sans[i].text;
		if (details->sans[i].kind != kind || strpbrk(san, "\"\\ ") != NULL)
			continue;
		const char *quote = strpbrk(san, ",;=") != NULL ? "\"" : "";
		gw_words_text(text, key);
		gw_words_text(text, quote);
		gw_words_text(text, san);
		gw_words_text(text, quote);
	}
}

static void write_xfcc(struct work *work)
{
	struct gw_words *value = begin(work);

	gw_words_text(value, "Hash=");
	gw_words_text(value, work->identity->sha256_hex);
	gw_words_text(value, ";Cert=\"");
	gw_words_escaped_pem(value, work->identity->certificate, work->identity->certificate_len);
	gw_words_text(value, "\"");
	if (work->details->subject.whole) {
		gw_words_text(value, ";Subject=\"");
		gw_words_name(value, work->identity->subject, true);
		gw_words_text(value, "\"");
	}
	put_sans(value, work->details, TLS_SAN_URI, ";URI=");
	put_sans(value, work->details, TLS_SAN_DNS, ";DNS=");
	end(work, "X-Forwarded-Client-Cert");
}

static void write_name(struct work *work, const char *field, const struct tls_name *parts, const char *name)
{
	if (!parts->whole)
		return;
	gw_words_name(begin(work), name, false);
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
	gw_words_escaped_pem(begin(work), work->identity->certificate, work->identity->certificate_len);
	end(work, "X-SSL-Client-Escaped-Cert");
}

static void write_sets(struct work *work, unsigned sets, bool chain)
{
	if ((sets & CONFIG_IDENTITY_RFC9440) != 0)
		write_rfc9440(work, chain, (sets & CONFIG_IDENTITY_LEAF) != 0);
	if ((sets & CONFIG_IDENTITY_XFCC) != 0)
		write_xfcc(work);
	if ((sets & CONFIG_IDENTITY_NGINX) != 0)
		write_nginx(work);
}

char *gw_identity_fields(unsigned sets, const struct tls_identity *identity, const struct tls_details *details,
			 size_t *len, bool *chain_left_out)
{
	struct work work = {.identity = identity, .details = details};
	char *fields = malloc(2 * (size_t)GW_IDENTITY_MAX);

	bool wants_chain = (sets & (CONFIG_IDENTITY_RFC9440 | CONFIG_IDENTITY_LEAF)) == CONFIG_IDENTITY_RFC9440;

	*len = 0;
	if (fields == NULL)
		return NULL;
	work.value = (struct gw_words){.at = fields + GW_IDENTITY_MAX, .room = GW_IDENTITY_MAX};
	*chain_left_out = wants_chain && details->chain_cut;
	for (int chain = 1; chain >= 0; chain--) {
		http_writer_init(&work.writer, fields, GW_IDENTITY_MAX);
		write_sets(&work, sets, chain == 1);
		if (work.writer.overflow) {
			*chain_left_out = wants_chain && details->chain_count > 0;
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

void gw_identity_verify(const struct gw_origin *origin, struct gw_words *words)
{
	gw_words_text(words, origin->unverified != NULL ? "FAILED:" : origin->identity != NULL ? "SUCCESS" : "NONE");
	if (origin->unverified != NULL)
		gw_words_text(words, origin->reason);
}

static void write_line(struct gw_words *words, const char *name)
{
	gw_words_text(words, name);
	gw_words_text(words, ": ");
}

void gw_identity_unverified(const struct gw_origin *origin, struct http_writer *writer)
{
	size_t left = writer->room - writer->len;
	struct gw_words words = {.at = writer->at + writer->len,
				 .room = left < GW_IDENTITY_MAX ? left : GW_IDENTITY_MAX};

	write_line(&words, "X-SSL-Client-Verify");
	gw_identity_verify(origin, &words);
	gw_words_text(&words, "\r\n");
	write_line(&words, "X-SSL-Client-Unverified-Fingerprint");
	gw_words_text(&words, origin->unverified->sha256_hex);
	gw_words_text(&words, "\r\n");
	write_line(&words, "X-SSL-Client-Unverified-Cert");
	gw_words_escaped_pem(&words, origin->unverified->certificate, origin->unverified->certificate_len);
	gw_words_text(&words, "\r\n");
	writer->overflow |= words.overflow;
	writer->len += words.overflow ? 0 : words.len;
}
