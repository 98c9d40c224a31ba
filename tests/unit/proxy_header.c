/* The PROXY protocol's header: what is one, what is none, and that its reader never takes a byte behind it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BEHIND    "\x16\x03\x01 the first bytes of TLS"

/* ---- a reader as the gateway has one: takes what is needed and no more ---- */

struct reading {
	enum gw_proxy_header_result result;
	struct gw_proxy_header header;
	size_t used, taken;
	unsigned reads;
};

/* Each buffer has its own size, so that the sanitizer sees a read beyond it. */
static enum gw_proxy_header_result parse(struct reading *reading, const char *data, size_t len)
{
	char *exact = malloc(len + (len == 0));

	assert_non_null(exact);
	memcpy(exact, data, len);
	reading->result = gw_proxy_header_parse(&reading->header, exact, len, &reading->used);
	if (reading->result == GW_PROXY_HEADER_MORE) {
		size_t need = gw_proxy_header_need(exact, len);
		assert_true(need >= 1 && len + need <= GW_PROXY_HEADER_MAX);
	}
	free(exact);
	return reading->result;
}

/* Takes at most `step` bytes at once, of all that is needed. */
static struct reading read_header(const char *data, size_t len, size_t step)
{
	struct reading reading = {0};

	while (parse(&reading, data, reading.taken) == GW_PROXY_HEADER_MORE && reading.taken < len) {
		size_t need = gw_proxy_header_need(data, reading.taken);
		need = need < step ? need : step;
		reading.taken += need < len - reading.taken ? need : len - reading.taken;
		reading.reads++;
	}
	return reading;
}

/* expected: "ADDRESS PORT". */
static void assert_address(const struct sockaddr_storage *address, const char *expected)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
	bool is_v4 = address->ss_family == AF_INET;

	assert_true(is_v4 || address->ss_family == AF_INET6);
	assert_non_null(inet_ntop(address->ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, host,
				  sizeof(host)));
	(void)snprintf(text, sizeof(text), "%s %u", host, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
	assert_string_equal(text, expected);
}

static void assert_reading(const struct reading *reading, size_t len, const char *source, const char *destination)
{
	assert_int_equal(reading->result, GW_PROXY_HEADER_DONE);
	assert_int_equal(reading->used, len);
	assert_int_equal(reading->header.has_source, source != NULL);
	if (source != NULL) {
		assert_address(&reading->header.source, source);
		assert_address(&reading->header.destination, destination);
	}
}

/* The header alone and with TLS behind it, at once, byte by byte, and in each two parts. */
static void assert_good(const char *data, size_t len, const char *source, const char *destination)
{
	char *all = malloc(len + sizeof(BEHIND));
	struct reading reading = {0};

	assert_non_null(all);
	memcpy(all, data, len);
	memcpy(all + len, BEHIND, sizeof(BEHIND));
	for (size_t part = 0; part < len; part++) {
		assert_int_equal(parse(&reading, all, part), GW_PROXY_HEADER_MORE);
		assert_int_equal(reading.used, 0);
		assert_true(part + gw_proxy_header_need(all, part) <= len);
	}
	for (size_t behind = 0; behind <= sizeof(BEHIND); behind++) {
		(void)parse(&reading, all, len + behind);
		assert_reading(&reading, len, source, destination);
	}
	for (size_t step = 1; step <= 64; step += 3) {
		reading = read_header(all, len + sizeof(BEHIND), step);
		assert_reading(&reading, len, source, destination);
		assert_int_equal(reading.taken, len);
	}
	free(all);
}

/* It is refused at its end at the latest, and for good. */
static void assert_bad(const char *data, size_t len, const char *why)
{
	struct reading reading = {0};
	bool refused = false;

	for (size_t part = 0; part <= len; part++) {
		enum gw_proxy_header_result result = parse(&reading, data, part);
		assert_int_not_equal(result, GW_PROXY_HEADER_DONE);
		assert_true(!refused || result == GW_PROXY_HEADER_BAD);
		refused = result == GW_PROXY_HEADER_BAD;
	}
	assert_true(refused);
	assert_false(reading.header.has_source);
	assert_int_equal(reading.used, 0);
	assert_string_equal(reading.header.why, why);
	reading = read_header(data, len, SIZE_MAX);
	assert_int_equal(reading.result, GW_PROXY_HEADER_BAD);
}

/* ---- version 1 ---- */

static void lines(void **state)
{
	static const struct {
		const char *line, *source, *destination;
	} good[] = {
		{"PROXY TCP4 192.0.2.1 198.51.100.22 35646 443\r\n", "192.0.2.1 35646", "198.51.100.22 443"},
		{"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0 0", "0.0.0.0 0"},
		{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255 65535",
		 "255.255.255.255 65535"},
		{"PROXY TCP6 2001:db8::7 2001:db8::8 40000 443\r\n", "2001:db8::7 40000", "2001:db8::8 443"},
		{"PROXY TCP6 :: :: 0 0\r\n", ":: 0", ":: 0"},
		{"PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0007 ::1 1 2\r\n", "2001:db8::7 1", "::1 2"},
		{"PROXY TCP6 ::ffff:192.0.2.1 ::1 9 443\r\n", "::ffff:192.0.2.1 9", "::1 443"},
		{"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		 "65535\r\n",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
		{"PROXY UNKNOWN\r\n", NULL, NULL},
		{"PROXY UNKNOWN \r\n", NULL, NULL},
		{"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		 "65535\r\n",
		 NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_good(good[i].line, strlen(good[i].line), good[i].source, good[i].destination);
	/* The longest line of the specification is just as long as it says. */
	assert_int_equal(strlen(good[10].line), GW_PROXY_HEADER_V1_MAX);
}

#define ADDRESSES "not two addresses and two ports"
#define MALFORMED "malformed address or port"
#define NO_CRLF   "line does not end in CRLF"
#define NONE      "no PROXY header found"

static void lines_that_are_none(void **state)
{
	static const struct {
		const char *line, *why;
	} wrong[] = {
		{"GET / HTTP/1.1\r\n", NONE},
		{"\x16\x03\x01\x02", NONE},
		{"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{" PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY TCP41.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", NONE},
		{"PROXY UNKNOW\r\n", NONE},
		{"PROXY\r\n", NONE},
		{"PROXY UNKNOWNS\r\n", "unknown address family"},
		{"PROXY UNKNOWN\tTCP\r\n", "unknown address family"},
		{"PROXY TCP4 \r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4\r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", ADDRESSES},
		{"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", ADDRESSES},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.256 1 2\r\n", MALFORMED},
		{"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.04 1 2\r\n", MALFORMED},
		{"PROXY TCP4 ::1 ::1 1 2 \r\n", ADDRESSES},
		{"PROXY TCP4 ::1 ::1 1 2\r\n", MALFORMED},
		{"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", MALFORMED},
		{"PROXY TCP6 ::1 1.2.3.4 1 2\r\n", MALFORMED},
		{"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", MALFORMED},
		{"PROXY TCP6 [::1] ::1 1 2\r\n", MALFORMED},
		{"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", MALFORMED},
		{"PROXY TCP6 12345:: ::1 1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 4294967297 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2;\r\n", MALFORMED},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", NO_CRLF},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", NO_CRLF},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", NO_CRLF},
		{"PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n", NO_CRLF},
		{"PROXY UNKNOWN\n", NO_CRLF},
		{"PROXY UNKNOWN a\rb\r\n", NO_CRLF},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_bad(wrong[i].line, strlen(wrong[i].line), wrong[i].why);
	assert_bad("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n", 33, MALFORMED);
	assert_bad("PROXY TCP4 1.2.3.4 1.2.3.4 1\0 2\r\n", 33, MALFORMED);
}

static void a_line_has_a_ceiling(void **state)
{
	char line[GW_PROXY_HEADER_V1_MAX + 8];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + GW_PROXY_HEADER_V1_MAX - 2, "\r\n", 2);
	assert_good(line, GW_PROXY_HEADER_V1_MAX, NULL, NULL);
	memcpy(line + GW_PROXY_HEADER_V1_MAX - 2, "x\r\n", 3);
	assert_bad(line, GW_PROXY_HEADER_V1_MAX + 1, "line too long");
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_bad(line, sizeof(line), "line too long");
	memset(line + 14, '1', sizeof(line) - 14);
	memcpy(line, "PROXY TCP6 ", 11);
	assert_bad(line, sizeof(line), "line too long");
}

/* A usual line takes few reads, although none of them may go beyond it. */
static void few_reads(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.22 35646 443\r\n" BEHIND;
	struct reading reading = read_header(line, sizeof(line), SIZE_MAX);

	(void)state;
	assert_int_equal(reading.result, GW_PROXY_HEADER_DONE);
	assert_true(reading.reads <= 8);
	assert_int_equal(gw_proxy_header_need(NULL, 0), strlen("PROXY UNKNOWN\r\n"));
	assert_int_equal(gw_proxy_header_need("PROXY TCP4 ", 11), strlen("1.1.1.1 1.1.1.1 1 1\r\n"));
	assert_int_equal(gw_proxy_header_need("PROXY TCP6 ", 11), strlen(":: :: 1 1\r\n"));
	assert_int_equal(gw_proxy_header_need("PROXY TCP6 ::1", 14), strlen(" :: 1 1\r\n"));
	assert_int_equal(gw_proxy_header_need("PROXY TCP4 1.2.3.4 1.2.3.4 1", 28), strlen(" 1\r\n"));
	assert_int_equal(gw_proxy_header_need("PROXY TCP4 1.2.3.4 1.2.3.4 1 2", 30), 2);
	assert_int_equal(gw_proxy_header_need("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", 31), 1);
	assert_int_equal(gw_proxy_header_need("PROXY UNKNOWN", 13), 2);
	assert_int_equal(gw_proxy_header_need("\r", 1), 15);
	assert_int_equal(gw_proxy_header_need(SIGNATURE "\x21\x11\x00\x0C", 16), 12);
}

/* ---- version 2 ---- */

#define V4_BLOCK "\xC0\x00\x02\x01\xC6\x33\x64\x16\x8B\x3E\x01\xBB" /* 192.0.2.1 198.51.100.22 35646 443 */
#define V6_BLOCK "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x08\x9C\x40\x01\xBB"

struct v2 {
	char bytes[GW_PROXY_HEADER_MAX + 64];
	size_t len;
};

static void set_length(struct v2 *v2, size_t len)
{
	v2->bytes[14] = (char)(len >> 8);
	v2->bytes[15] = (char)len;
}

static void add(struct v2 *v2, const char *bytes, size_t len)
{
	assert_true(len <= sizeof(v2->bytes) - v2->len);
	memcpy(v2->bytes + v2->len, bytes, len);
	v2->len += len;
	set_length(v2, v2->len - 16);
}

static struct v2 begin(unsigned char command, unsigned char family, const char *block, size_t len)
{
	struct v2 v2 = {.len = 16};

	memcpy(v2.bytes, SIGNATURE, 12);
	v2.bytes[12] = (char)command;
	v2.bytes[13] = (char)family;
	add(&v2, block, len);
	return v2;
}

static void add_tlv(struct v2 *v2, unsigned char type, size_t len)
{
	char head[3] = {(char)type, (char)(len >> 8), (char)len};
	char *value = malloc(len + 1);

	assert_non_null(value);
	for (size_t i = 0; i < len; i++)
		value[i] = (char)(i * 7 + type);
	add(v2, head, 3);
	add(v2, value, len);
	free(value);
}

/* By the table, unlike the code under test. */
static uint32_t crc32c_of(const char *data, size_t len)
{
	uint32_t table[256], crc = UINT32_MAX;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = (table[i] & 1) != 0 ? table[i] >> 1 ^ 0x82F63B78 : table[i] >> 1;
	}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ (unsigned char)data[i]) & 0xFF] ^ crc >> 8;
	return ~crc;
}

/* Adds a checksum at `at` that is right for the header as it is then; bytes may follow. */
static void seal(struct v2 *v2, size_t at)
{
	memset(v2->bytes + at, 0, 4);
	uint32_t crc = crc32c_of(v2->bytes, v2->len);
	for (int i = 0; i < 4; i++)
		v2->bytes[at + i] = (char)(crc >> (24 - 8 * i));
}

static void binary(void **state)
{
	char paths[216] = "/run/a.sock";
	struct v2 v2;

	(void)state;
	v2 = begin(0x21, 0x11, V4_BLOCK, 12);
	assert_good(v2.bytes, v2.len, "192.0.2.1 35646", "198.51.100.22 443");
	v2 = begin(0x21, 0x12, V4_BLOCK, 12);
	assert_good(v2.bytes, v2.len, "192.0.2.1 35646", "198.51.100.22 443");
	v2 = begin(0x21, 0x21, V6_BLOCK, 36);
	assert_good(v2.bytes, v2.len, "2001:db8::7 40000", "2001:db8::8 443");
	v2 = begin(0x21, 0x22, V6_BLOCK, 36);
	assert_good(v2.bytes, v2.len, "2001:db8::7 40000", "2001:db8::8 443");
	v2 = begin(0x21, 0x31, paths, sizeof(paths));
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x21, 0x32, paths, sizeof(paths));
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x21, 0x00, "", 0);
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x21, 0x00, "whatever", 8);
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x20, 0x00, "", 0);
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x20, 0x11, V4_BLOCK, 12); /* LOCAL: its block is ignored, whatever it is */
	assert_good(v2.bytes, v2.len, NULL, NULL);
	v2 = begin(0x20, 0x21, "x", 1);
	assert_good(v2.bytes, v2.len, NULL, NULL);
}

static void binary_that_is_none(void **state)
{
	static const char *const too_short = "header too short for its addresses";
	char paths[216] = "/run/a.sock";
	struct v2 v2;

	(void)state;
	for (unsigned command = 0; command < 256; command++) {
		v2 = begin((unsigned char)command, 0x11, V4_BLOCK, 12);
		if (command != 0x20 && command != 0x21)
			assert_bad(v2.bytes, v2.len, "unknown version or command");
	}
	for (unsigned family = 0; family < 256; family++) {
		v2 = begin(0x21, (unsigned char)family, paths, sizeof(paths));
		if (family != 0 && ((family & 0xF) < 1 || (family & 0xF) > 2 || family >> 4 < 1 || family >> 4 > 3))
			assert_bad(v2.bytes, v2.len, "unknown address family or transport");
	}
	v2 = begin(0x21, 0x11, V4_BLOCK, 11);
	assert_bad(v2.bytes, v2.len, too_short);
	v2 = begin(0x21, 0x11, "", 0);
	assert_bad(v2.bytes, v2.len, too_short);
	v2 = begin(0x21, 0x21, V6_BLOCK, 35);
	assert_bad(v2.bytes, v2.len, too_short);
	v2 = begin(0x21, 0x31, paths, 215);
	assert_bad(v2.bytes, v2.len, too_short);
	for (size_t i = 1; i < 12; i++) {
		v2 = begin(0x21, 0x11, V4_BLOCK, 12);
		v2.bytes[i] ^= 0x20;
		assert_bad(v2.bytes, v2.len, NONE);
	}
}

static void extensions(void **state)
{
	static const char *const too_long = "an extension is longer than the header";
	struct v2 v2 = begin(0x21, 0x11, V4_BLOCK, 12);

	(void)state;
	add_tlv(&v2, 0x01, 8);
	add_tlv(&v2, 0x04, 0);
	add_tlv(&v2, 0x20, 300);
	assert_good(v2.bytes, v2.len, "192.0.2.1 35646", "198.51.100.22 443");
	/* one, two bytes of a head; a value beyond the end, by one and by much */
	for (size_t part = 1; part <= 2; part++) {
		v2 = begin(0x21, 0x11, V4_BLOCK, 12);
		add(&v2, "\x04\x00\x00", part);
		assert_bad(v2.bytes, v2.len, too_long);
	}
	v2 = begin(0x21, 0x21, V6_BLOCK, 36);
	add(&v2, "\x04\x00\x02x", 4);
	assert_bad(v2.bytes, v2.len, too_long);
	v2 = begin(0x21, 0x11, V4_BLOCK, 12);
	add(&v2, "\x04\xFF\xFFx", 4);
	assert_bad(v2.bytes, v2.len, too_long);
	/* behind two paths, too */
	char paths[216] = {0};
	v2 = begin(0x21, 0x31, paths, sizeof(paths));
	add(&v2, "\x04", 1);
	assert_bad(v2.bytes, v2.len, too_long);
}

static void a_header_has_a_ceiling(void **state)
{
	struct v2 v2 = begin(0x21, 0x11, V4_BLOCK, 12);

	(void)state;
	add_tlv(&v2, 0x04, GW_PROXY_HEADER_BLOCK_MAX - 12 - 3);
	assert_int_equal(v2.len, GW_PROXY_HEADER_MAX);
	assert_good(v2.bytes, v2.len, "192.0.2.1 35646", "198.51.100.22 443");
	set_length(&v2, GW_PROXY_HEADER_BLOCK_MAX + 1);
	assert_bad(v2.bytes, v2.len, "header too long");
	set_length(&v2, UINT16_MAX);
	assert_bad(v2.bytes, 16, "header too long"); /* known from its fixed part */
	v2.bytes[12] = 0x20;
	assert_bad(v2.bytes, 16, "header too long");
}

static void checksums(void **state)
{
	static const char *const wrong = "wrong checksum";
	struct v2 v2 = begin(0x21, 0x11, V4_BLOCK, 12);

	(void)state;
	assert_int_equal(crc32c_of("123456789", 9), 0xE3069283); /* RFC 3720 B.4's polynomial, its usual check value */
	add_tlv(&v2, 0x02, 11);
	add_tlv(&v2, 0x03, 4);
	size_t at = v2.len - 4;
	add_tlv(&v2, 0x05, 20);
	seal(&v2, at);
	assert_good(v2.bytes, v2.len, "192.0.2.1 35646", "198.51.100.22 443");
	/* every byte behind the fixed part that changes without changing a length */
	for (size_t i = 16; i < v2.len; i++) {
		bool is_length = i == 29 || i == 30 || i == 43 || i == 44 || i == 50 || i == 51;
		struct v2 changed = v2;
		changed.bytes[i] ^= 0x40;
		if (!is_length && i != 42) /* 42: the type of the checksum itself */
			assert_bad(changed.bytes, changed.len, wrong);
	}
	/* a checksum twice, and one of another length */
	add_tlv(&v2, 0x03, 4);
	assert_bad(v2.bytes, v2.len, wrong);
	for (size_t len = 0; len <= 8; len++) {
		v2 = begin(0x21, 0x11, V4_BLOCK, 12);
		add_tlv(&v2, 0x03, len);
		assert_bad(v2.bytes, v2.len, wrong);
	}
}

/* Bytes that HAProxy 2.6 wrote (proxy-v2-options crc32c,ssl and crc32c,unique-id). */
static void as_haproxy_writes_it(void **state)
{
	static const char v4[] = SIGNATURE "\x21\x11\x00\x1B\x7F\0\0\x01\x7F\0\0\x01\x8C\x2C\xBE\xFF"
					   "\x03\x00\x04\xF1\x3A\xCC\xBC\x20\x00\x05\0\0\0\0\0";
	static const char v6[] =
		SIGNATURE "\x21\x21\x00\x2E\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			  "\0\x01\xDA\x7A\x97\xEF\x03\x00\x04\x7E\xF5\x54\x74\x05\x00\x00";

	(void)state;
	assert_good(v4, sizeof(v4) - 1, "127.0.0.1 35884", "127.0.0.1 48895");
	assert_good(v6, sizeof(v6) - 1, "::1 55930", "::1 38895");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(a_line_has_a_ceiling),
		cmocka_unit_test(few_reads),
		cmocka_unit_test(binary),
		cmocka_unit_test(binary_that_is_none),
		cmocka_unit_test(extensions),
		cmocka_unit_test(a_header_has_a_ceiling),
		cmocka_unit_test(checksums),
		cmocka_unit_test(as_haproxy_writes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
