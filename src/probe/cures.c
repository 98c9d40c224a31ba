#include "probe/cures.h"

#define LINES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static const struct cure of_unknown[] = {
	{"Ask at the TLS handshake, for the whole host or listener. Then the certificate never has to follow a body.",
	 LINES("(its setting for client certificates of a whole site, listener or virtual host)")},
};

static const struct cure of_iis[] = {
	{"Ask at the handshake: bind the certificate again with negotiation enabled (from an administrator's prompt).",
	 LINES("netsh http show sslcert ipport=0.0.0.0:443", "netsh http delete sslcert ipport=0.0.0.0:443",
	       "netsh http add sslcert ipport=0.0.0.0:443 certhash=THUMBPRINT appid={APPID} "
	       "certstorename=MY clientcertnegotiation=enable")},
	{"Or let it buffer larger bodies; each upload then takes that much memory.",
	 LINES("%windir%\\system32\\inetsrv\\appcmd set config \"SITE\" -section:system.webServer/serverRuntime "
	       "/uploadReadAheadSize:\"67108864\" /commit:apphost")},
};

static const struct cure of_apache[] = {
	{"Ask at the handshake, in the virtual host, and check the certificate in the <Location> or <Directory>.",
	 LINES("SSLVerifyClient optional          # in the <VirtualHost>, in place of the one in the <Location>",
	       "Require ssl-verify-client         # in the <Location>")},
	{"Or let it buffer larger bodies, in the same <Location>; each upload then takes that much memory. Clients "
	 "that cannot be asked over TLS 1.3 also need the second line.",
	 LINES("SSLRenegBufferSize 67108864", "SSLProtocol -all +TLSv1.2          # in the <VirtualHost>")},
};

static const struct cure of_tomcat[] = {
	{"Ask at the handshake. Over TLS 1.3 nothing else works, because Java's TLS library cannot ask later.",
	 LINES("<SSLHostConfig certificateVerification=\"required\" ...>")},
	{"Or let it buffer larger bodies, over TLS 1.2 only; each upload then takes that much memory, and -1 means no "
	 "limit. Clients that wait for 100 Continue still freeze.",
	 LINES("<Connector maxSavePostSize=\"67108864\" ...>", "<SSLHostConfig protocols=\"TLSv1.2\" ...>")},
};

static const struct cure of_node[] = {
	{"Ask at the handshake, and check the certificate in the handler.",
	 LINES("https.createServer({ requestCert: true, rejectUnauthorized: false, ... })",
	       "if (!request.socket.authorized) ...   // for the paths that need one")},
	{"Or read the whole body, up to a limit, before socket.renegotiate(); over TLS 1.2 only, and without tickets, "
	 "since a resumed renegotiation brings no certificate.",
	 LINES("https.createServer({ maxVersion: 'TLSv1.2', secureOptions: crypto.constants.SSL_OP_NO_TICKET, ... })",
	       "for await (const chunk of request) { ... }   // then, and not before:",
	       "request.socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, callback)")},
};

static const struct cure of_kestrel[] = {
	{"Ask at the handshake, for all or by SNI.",
	 LINES("https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;")},
	{"Or, with DelayCertificate, read the whole body before the certificate is requested.",
	 LINES("https.ClientCertificateMode = ClientCertificateMode.DelayCertificate;",
	       "await request.Body.CopyToAsync(spool);   // a bounded one; then, and not before:",
	       "var certificate = await context.Connection.GetClientCertificateAsync();")},
};

static const struct cure of_f5[] = {
	{"Ask at the handshake, in the client SSL profile.",
	 LINES("tmsh modify ltm profile client-ssl PROFILE peer-cert-mode require ca-file CLIENTS-CA")},
	{"Or collect the body before asking, in the iRule; 1 to 4 MB at most.",
	 LINES("when HTTP_REQUEST { HTTP::collect; SSL::cert mode require; SSL::renegotiate }",
	       "when CLIENTSSL_HANDSHAKE { HTTP::release }   # both for the guarded paths only")},
};

static const struct cure of_nginx[] = {
	{"nginx asks at the handshake, for a whole server block, so it does not freeze. It cannot ask per path: if "
	 "only some paths need a certificate, serve them under a separate host name.",
	 LINES("server { server_name certauth.example.com; ssl_client_certificate clients-ca.pem; ssl_verify_client "
	       "on; "
	       "... }")},
};

static const struct cure of_thaw[] = {
	{"Let it hold larger bodies: in client_certificate of the host or route.", LINES("max_body: 1GiB")},
};

static const struct cure thaw_in_front[] = {
	{"Put Thaw in front of it. Thaw also asks late, but reads on meanwhile (`thaw serve -c FILE`).",
	 LINES("listen: [ { address: 0.0.0.0:443 } ]",
	       "spool: { memory: 256MiB, disk: 8GiB, directory: /var/spool/thaw }", "hosts:", "  - name: \"*\"",
	       "    certificate: server.pem", "    key: server.key", "    identity: [ rfc9440 ]",
	       "    client_certificate: { ca: clients-ca.pem }", "    routes:", "      - { path: /, upstream: app }",
	       "      - { path: /PATH, upstream: app, client_certificate: { when: request } }",
	       "upstreams:", "  app: { servers: [ http://127.0.0.1:8080 ] }")},
};

static const struct {
	const struct cure *cures;
	size_t count;
	const char *anchor;
} of_servers[SERVER_KINDS] = {
#define OF(cures, anchor)                                         \
	{                                                         \
		cures, sizeof(cures) / sizeof((cures)[0]), anchor \
	}
	[SERVER_UNKNOWN] = OF(of_unknown, "other-servers"),
	[SERVER_IIS] = OF(of_iis, "iis-and-httpsys"),
	[SERVER_APACHE] = OF(of_apache, "apache-httpd"),
	[SERVER_TOMCAT] = OF(of_tomcat, "tomcat"),
	[SERVER_NODE] = OF(of_node, "nodejs"),
	[SERVER_KESTREL] = OF(of_kestrel, "kestrel"),
	[SERVER_F5] = OF(of_f5, "f5-big-ip"),
	[SERVER_NGINX] = OF(of_nginx, "nginx"),
	[SERVER_THAW] = OF(of_thaw, "thaw-in-front-of-it"),
#undef OF
};

const struct cure *cures_of_server(enum server_kind kind, size_t *count)
{
	*count = of_servers[kind].count;
	return of_servers[kind].cures;
}

const struct cure *cures_of_thaw(void)
{
	return thaw_in_front;
}

const char *cures_anchor(enum server_kind kind)
{
	return of_servers[kind].anchor;
}

/* ---- clients ---- */

/* It works over every version that asks late. If small bodies fail in the same way, the result only counts if a
 * certificate was sent. */
static bool works(const struct findings *findings, const struct check *(*pick)(const struct find_version *version))
{
	bool any = false;

	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct find_version *version = &findings->versions[i];
		if (!find_asks_late(version) || pick(version) == NULL)
			continue;
		const struct check_result *result = find_result(pick(version));
		if (!find_is_good(version, result) || (result->status >= 400 && !findings->has_certificate))
			return false;
		any = true;
	}
	return any;
}

static const struct check *pick_primed(const struct find_version *version)
{
	return version->primed;
}

static const struct check *pick_waits(const struct find_version *version)
{
	return version->waits;
}

/* A client that reads while writing can send larger bodies than one that writes first. */
static bool reading_helps(const struct findings *findings)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct sizes_boundary *reads = &findings->versions[i].bodies[CHECK_READS].boundary;
		const struct sizes_boundary *first = &findings->versions[i].bodies[CHECK_WRITES_FIRST].boundary;
		if (first->found && (!reads->found || reads->bad > first->bad))
			return true;
	}
	return false;
}

/* If only TLS 1.2 can be asked late, the client must be limited to it; thaw send does so automatically. */
static bool only_12(const struct findings *findings)
{
	return find_asks_late(&findings->versions[FIND_12]) && !find_asks_late(&findings->versions[FIND_13]);
}

size_t cures_of_client(const struct findings *findings, struct cure cures[static CURES_OF_CLIENT_MAX])
{
#define SEND "thaw send --cert CERT --key KEY "
#define CURL "curl --http1.1 --cert CERT --key KEY "
#define C_12 "curl --http1.1 --tls-max 1.2 --cert CERT --key KEY "
#define NEXT "-I URL \\"
#define THEN "     --next --http1.1 --cert CERT --key KEY -T FILE URL"
#define T_12 "     --next --http1.1 --tls-max 1.2 --cert CERT --key KEY -T FILE URL"
#define WAIT "-H 'Expect: 100-continue' --expect100-timeout 120 -T FILE URL"
	static const char *const prime[][4] = {{SEND "--prime always FILE URL", CURL NEXT, THEN, NULL},
					       {SEND "--prime always FILE URL", C_12 NEXT, T_12, NULL}};
	static const char *const expect[][3] = {{SEND "--expect always FILE URL", CURL WAIT, NULL},
						{SEND "--expect always FILE URL", C_12 WAIT, NULL}};
	static const char *const read[] = {SEND "FILE URL", NULL};
	static const char *const offer[] = {"Python: context.post_handshake_auth = True",
					    "OpenSSL: SSL_set_post_handshake_auth(ssl, 1)", NULL};
	const struct find_version *v13 = &findings->versions[FIND_13];
	size_t count = 0;

	if (works(findings, pick_primed))
		cures[count++] = (struct cure){"Prime the connection: send a HEAD first, then the upload on the same "
					       "connection (tested, works).",
					       prime[only_12(findings)]};
	if (works(findings, pick_waits))
		cures[count++] = (struct cure){"Send Expect: 100-continue, and wait for the 100 (tested, works).",
					       expect[only_12(findings)]};
	if (reading_helps(findings))
		cures[count++] =
			(struct cure){"Read while writing, and answer the certificate request when it arrives.", read};
	if (v13->no_offer != NULL && find_tells(find_result(v13->no_offer)) &&
	    !find_is_good(v13, find_result(v13->no_offer)))
		cures[count++] = (struct cure){"Offer post-handshake authentication over TLS 1.3.", offer};
	return count;
}
