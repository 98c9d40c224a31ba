/* A small name server on loopback, over UDP and TCP, that answers whatever a test wants. Lives in loop_world.h's loop.
 */
#ifndef DNS_H
#define DNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/socket.h"
#include "loop_world.h"

#define DNS_MAX 1024 /* bytes of a message */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28 };

enum dns_manner {
	DNS_ANSWERS,
	DNS_NXDOMAIN,
	DNS_SILENT,
	DNS_EMPTY, /* the name is there, its addresses are not */
	DNS_CUT,   /* the answer ends in the middle of a record */
	DNS_SHORT, /* the answer ends in the middle of its header */
	DNS_WRONG_ID,
	DNS_BY_TCP, /* over UDP it says that it is too long (RFC 1035 4.2.1) */
};

struct dns {
	enum dns_manner manner;
	const char *v4[24], *v6[4]; /* NULL-terminated */
	uint32_t ttl, cname_ttl;    /* seconds */
	bool cname;                 /* the addresses are an alias's */
	unsigned asked, asked_v4, by_tcp;
	char servers[32]; /* for resolver_new() */
	int udp, tcp, peer;
	ev_io udp_io, tcp_io, peer_io;
};

static uint8_t *dns_put(uint8_t *at, unsigned value, unsigned bytes)
{
	for (unsigned i = bytes; i > 0; i--)
		*at++ = (uint8_t)(value >> (i - 1) * 8);
	return at;
}

/* A record for the name at that offset. */
static uint8_t *dns_record(uint8_t *at, unsigned name, enum dns_type type, uint32_t ttl, const void *data, size_t len)
{
	at = dns_put(at, 0xc000 | name, 2);
	at = dns_put(at, type, 2);
	at = dns_put(at, 1, 2);
	at = dns_put(at, ttl, 4);
	at = dns_put(at, (unsigned)len, 2);
	memcpy(at, data, len);
	return at + len;
}

static uint8_t *dns_records(const struct dns *dns, enum dns_type type, uint8_t *message, uint8_t *at, unsigned *count)
{
	const char *const *addresses = type == DNS_A ? dns->v4 : dns->v6;
	static const char alias[] = "\5alias\4test";
	unsigned name = 12;
	uint8_t bytes[16];

	if (dns->cname) {
		at = dns_record(at, name, DNS_CNAME, dns->cname_ttl, alias, sizeof(alias));
		name = (unsigned)(at - message - (ssize_t)sizeof(alias));
		++*count;
	}
	for (; *addresses != NULL; addresses++, ++*count) {
		(void)inet_pton(type == DNS_A ? AF_INET : AF_INET6, *addresses, bytes);
		at = dns_record(at, name, type, dns->ttl, bytes, type == DNS_A ? 4 : 16);
	}
	return at;
}

/* The question becomes the answer; its new length, 0: none. */
static size_t dns_answer(struct dns *dns, uint8_t *message, size_t len, bool tcp)
{
	unsigned count = 0;
	uint8_t *end = message + 12;

	while (end < message + len && *end != 0) /* the question's name */
		end += *end + 1;
	enum dns_type type = (enum dns_type)(end[1] << 8 | end[2]);
	end += 5;
	dns->asked++;
	dns->asked_v4 += type == DNS_A;
	dns->by_tcp += tcp;
	if (dns->manner == DNS_SILENT || end > message + len)
		return 0;
	bool too_long = dns->manner == DNS_BY_TCP && !tcp;
	if (dns->manner == DNS_WRONG_ID)
		message[0] ^= 0xff;
	message[2] = too_long ? 0x83 : 0x81; /* an answer; truncated */
	message[3] = dns->manner == DNS_NXDOMAIN ? 0x83 : 0x80;
	if (dns->manner != DNS_NXDOMAIN && dns->manner != DNS_EMPTY && !too_long)
		end = dns_records(dns, type, message, end, &count);
	(void)dns_put(message + 6, count, 2);
	(void)dns_put(message + 8, 0, 4); /* neither authority, nor EDNS */
	if (dns->manner == DNS_SHORT)
		return 7;
	return (size_t)(end - message) - (dns->manner == DNS_CUT && count > 0 ? 3 : 0);
}

static void dns_on_udp(struct ev_loop *of, ev_io *io, int events)
{
	struct dns *dns = io->data;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t message[DNS_MAX];

	(void)of;
	(void)events;
	ssize_t got = recvfrom(dns->udp, message, sizeof(message) / 2, 0, (struct sockaddr *)&from, &from_len);
	size_t len = got > 16 ? dns_answer(dns, message, (size_t)got, false) : 0;
	if (len > 0)
		(void)!sendto(dns->udp, message, len, 0, (struct sockaddr *)&from, from_len);
}

static void dns_hang_up(struct dns *dns)
{
	ev_io_stop(loop, &dns->peer_io);
	if (dns->peer >= 0)
		(void)close(dns->peer);
	dns->peer = -1;
}

/* A question comes in one piece over loopback. */
static void dns_on_peer(struct ev_loop *of, ev_io *io, int events)
{
	struct dns *dns = io->data;
	uint8_t message[DNS_MAX];
	ssize_t got = recv(dns->peer, message, sizeof(message) / 2, 0);

	(void)of;
	(void)events;
	for (uint8_t *at = message; got > 18;) { /* perhaps several */
		size_t one = (size_t)at[0] << 8 | at[1];
		uint8_t answer[DNS_MAX];
		memcpy(answer + 2, at + 2, one);
		size_t len = dns_answer(dns, answer + 2, one, true);
		(void)dns_put(answer, (unsigned)len, 2);
		if (len > 0)
			(void)!send(dns->peer, answer, len + 2, MSG_NOSIGNAL);
		at += one + 2;
		got -= (ssize_t)one + 2;
	}
	if (got == 0 || (got < 0 && errno != EAGAIN))
		dns_hang_up(dns);
}

static void dns_on_tcp(struct ev_loop *of, ev_io *io, int events)
{
	struct dns *dns = io->data;

	(void)of;
	(void)events;
	dns_hang_up(dns);
	dns->peer = socket_accept(dns->tcp, NULL);
	ev_io_init(&dns->peer_io, dns_on_peer, dns->peer, EV_READ);
	dns->peer_io.data = dns;
	if (dns->peer >= 0)
		ev_io_start(loop, &dns->peer_io);
}

/* The same port for both, which may take several tries. */
static bool dns_open(struct dns *dns)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	*dns = (struct dns){.udp = -1, .tcp = -1, .peer = -1, .ttl = 60, .cname_ttl = 60};
	for (int i = 0; i < 20 && dns->udp < 0; i++) {
		dns->tcp = socket_listen("127.0.0.1", 0, NULL);
		at.sin_port = htons(socket_port(dns->tcp));
		dns->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (bind(dns->udp, (struct sockaddr *)&at, sizeof(at)) == 0)
			break;
		(void)close(dns->udp);
		(void)close(dns->tcp);
		dns->udp = dns->tcp = -1;
	}
	if (dns->udp < 0)
		return false;
	(void)snprintf(dns->servers, sizeof(dns->servers), "127.0.0.1:%u", ntohs(at.sin_port));
	ev_io_init(&dns->udp_io, dns_on_udp, dns->udp, EV_READ);
	ev_io_init(&dns->tcp_io, dns_on_tcp, dns->tcp, EV_READ);
	ev_init(&dns->peer_io, dns_on_peer);
	dns->udp_io.data = dns->tcp_io.data = dns;
	ev_io_start(loop, &dns->udp_io);
	ev_io_start(loop, &dns->tcp_io);
	return true;
}

static void dns_close(struct dns *dns)
{
	dns_hang_up(dns);
	ev_io_stop(loop, &dns->udp_io);
	ev_io_stop(loop, &dns->tcp_io);
	(void)close(dns->udp);
	(void)close(dns->tcp);
}

#endif
