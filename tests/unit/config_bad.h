/*
 * Configurations that must be refused, each with the message, but for the file's name before it. Included by config.c.
 * Those that differ in one place are written as that place.
 */
#define HEAD "hosts:\n- name: a.example\n  certificate: c.pem\n  key: k.pem\n"
#define TAIL "  routes:\n  - path: /\n    upstream: builtin:sink\n"

#define END(text)    HEAD TAIL text          /* begins in line 8; indented by 4, it belongs to the route */
#define HOST(text)   HEAD text TAIL          /* in line 5 */
#define ROUTES(text) HEAD "  routes:\n" text /* in line 6 */
#define SINK         "    upstream: builtin:sink\n"

#define ALLOWED_ADDRESS "a numeric address and port, such as 0.0.0.0:8443 or [::1]:8443, localhost:PORT, or unix:PATH"
#define ALLOWED_NAME \
	"a DNS name such as api.example.com or *.example.com, \"*\" for the default host, or a list of these"
#define ALLOWED_PATH     "/ and what follows it, decoded: without % escapes, ;parameters, ?queries, // and dot segments"
#define ALLOWED_METHODS  "a list of methods in upper case, such as [ PUT, POST ]"
#define ALLOWED_ORIGIN   "https://HOST or https://HOST:PORT without a path, or none"
#define ALLOWED_SIZE     "bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB; "
#define ALLOWED_DURATION "a whole number with ms, s, m or h; "
#define ALLOWED_TOP_KEYS                                                                                         \
	"workers, listen, admin, ticket_keys, user, group, stop_timeout, worker_timeout, sandbox, watch_files, " \
	"connections, "                                                                                          \
	"tls, spool, "                                                                                           \
	"log, hosts, upstreams"
#define ALLOWED_HOST_KEYS                                                                                            \
	"name, certificate, key, key_passphrase, http2, without_post_handshake, identity, client_headers, headers, " \
	"request_id_from, paths, allow_from, deny_from, rate, max_request_body, "                                    \
	"client_certificate, "                                                                                       \
	"routes"
#define ALLOWED_ASK_KEYS                                                                                       \
	"ca, crl, crl_check, partial_chain, purpose, ca_names, depth, max_cert_list, when, require, timeout, " \
	"decline_grace, max_body, allow, "                                                                     \
	"elsewhere"
#define ALLOWED_PASSPHRASE "a file whose first line is the key's pass phrase"
#define ALLOWED_WHEN       "never, handshake, request, request-early, body, response"
#define ALLOWED_UPSTREAM   "builtin:inspect, builtin:sink, builtin:prime"
#define ALLOWED_HOSTS      "a list of hosts, each with name, certificate, key and routes"

#define ALLOWED_NETWORKS                                                                                         \
	"off, or a list of addresses and networks, such as [ 192.0.2.7, 10.0.0.0/8, \"2001:db8::/32\" ]; unix: " \
	"clients of Unix sockets"
#define ALLOWED_RATE     "off, a rate such as 10/s, or a mapping of requests and burst"
#define ALLOWED_REQUESTS "a whole number with /s, /m or /h, such as 10/s; at most 1000/s"

#define ALLOWED_SERVERS "a list of http://HOST[:PORT], https://HOST[:PORT] or unix:PATH"
#define ALLOWED_RULES                                                                                             \
	"a list of rules, each one or more of subject=..., issuer=..., san=dns:..., san=email:..., san=uri:..., " \
	"san=ip:..., sha256=..., eku=... joined by ' and '"

#define UPSTREAM(text) END("upstreams:\n  app: " text "\n") /* in line 9 */
#define BAD_SERVER(value, why)                                                                              \
	{                                                                                                   \
		UPSTREAM("{ servers: [ '" value "' ] }"),                                                   \
			"9: key 'upstreams.app.servers[0]': '" value "' " why "; allowed: " ALLOWED_SERVERS \
	}
#define BAD_ALLOW(value, why)                                                                                         \
	{                                                                                                             \
		HOST("  client_certificate: { allow: [ '" value "' ] }\n"),                                           \
			"5: key 'hosts[0].client_certificate.allow[0]': '" value "' " why "; allowed: " ALLOWED_RULES \
	}
#define BAD_HEADER(text, key, why)                                                           \
	{                                                                                    \
		HOST("  headers: { " text " }\n"), "5: key 'hosts[0].headers." key "': " why \
	}
#define OUR_VARIABLES "variables such as {client.address}"
#define BAD_FOREIGN(value, program, ours, sign)                                                                   \
	BAD_HEADER("request: { set: { X-A: 'a " value " b' } }", "request.set.X-A",                               \
		   "'" value "' is a variable of " program ", and would be sent as it is written; allowed: " ours \
		   "; a plain '" sign "' is '" sign sign "'")
#define BAD_FRAMING(direction, name, more)                                                                             \
	BAD_HEADER(direction ": { set: { " name ": a } }", direction ".set." name,                                     \
		   "'" name "' cannot be changed: it frames a message, is about one connection, or is written by the " \
		   "gateway; allowed: other fields" more)
#define ALLOWED_PREFIX "/ and letters, digits and signs without % escapes, such as /app"
#define ALLOWED_VARIABLES                                                                                             \
	"client.address, client.port, tls.version, tls.cipher, request.id, request.host, identity.* (verified, "      \
	"subject, common_name, issuer, serial, sha256, not_before, not_after, san.dns, san.email, san.uri, san.ip, "  \
	"certificate, certificate_pem, chain), unverified.* (reason, sha256, certificate, certificate_pem); a plain " \
	"'{' is '{{'"
#define BAD_ADDRESS(value, why)                                                                      \
	{                                                                                            \
		END("listen: [ { address: '" value "' } ]\n"),                                       \
			"8: key 'listen[0].address': '" value "' " why "; allowed: " ALLOWED_ADDRESS \
	}
#define BAD_NAME_FOR(value, why)                                                              \
	{                                                                                     \
		"hosts:\n- name: '" value "'\n  certificate: c\n  key: k\n" TAIL,             \
			"2: key 'hosts[0].name': '" value "' " why "; allowed: " ALLOWED_NAME \
	}
#define BAD_PATH(value, why)                                                                            \
	{                                                                                               \
		ROUTES("  - path: '" value "'\n" SINK),                                                 \
			"6: key 'hosts[0].routes[0].path': '" value "' " why "; allowed: " ALLOWED_PATH \
	}
#define BAD_ORIGIN(value)                                                         \
	{                                                                         \
		HOST("  client_certificate: { elsewhere: '" value "' }\n"),       \
			"5: key 'hosts[0].client_certificate.elsewhere': '" value \
			"' is not understood; allowed: " ALLOWED_ORIGIN           \
	}
#define BAD_ASK(key, value, why, allowed)                                                                      \
	{                                                                                                      \
		HOST("  client_certificate: { " key ": " value " }\n"),                                        \
			"5: key 'hosts[0].client_certificate." key "': '" value "' " why "; allowed: " allowed \
	}
#define BAD_TOP(key, value, why, allowed)                                                            \
	{                                                                                            \
		END(key ": " value "\n"), "8: key '" key "': '" value "' " why "; allowed: " allowed \
	}
#define BAD_CONNECTIONS(key, value, why, allowed)                                              \
	{                                                                                      \
		END("connections: { " key ": " value " }\n"),                                  \
			"8: key 'connections." key "': '" value "' " why "; allowed: " allowed \
	}
#define ALLOWED_MAX        "auto, or 1 to 10000000"
#define ALLOWED_PER_CLIENT "1% to 100%, 1 to 10000000, or off"
#define BAD_SPOOL(key, value, why, allowed)                                              \
	{                                                                                \
		END("spool: { " key ": " value " }\n"),                                  \
			"8: key 'spool." key "': '" value "' " why "; allowed: " allowed \
	}
#define BAD_NAME(value) BAD_NAME_FOR(value, "is not understood")

static const struct bad {
	const char *yaml, *message;
} bad[] = {
	/* the file as a whole */
	{"", "1: there is nothing in it; allowed: a mapping with the keys " ALLOWED_TOP_KEYS},
	{"# nothing\n", "1: there is nothing in it; allowed: a mapping with the keys " ALLOWED_TOP_KEYS},
	{"---\n", "2: no value is given; allowed: a mapping with the keys " ALLOWED_TOP_KEYS},
	{"- a\n", "1: a list is not allowed here; write its keys without '- ' or '[ ]'; allowed: a mapping with the "
		  "keys " ALLOWED_TOP_KEYS},
	{"text\n", "1: a single value is not allowed here; allowed: a mapping with the keys " ALLOWED_TOP_KEYS},
	{"workers: 1\n", "1: key 'hosts': this key is missing; allowed: " ALLOWED_HOSTS},
	{"hosts:\n", "1: key 'hosts': no value is given; allowed: " ALLOWED_HOSTS},
	{"hosts: []\n", "1: key 'hosts': the list is empty; allowed: " ALLOWED_HOSTS},
	{"hosts: api\n", "1: key 'hosts': a single value is not allowed here; allowed: " ALLOWED_HOSTS},
	{"hosts: {}\n", "1: key 'hosts': a mapping (keys with values) is not allowed here; begin each element of the "
			"list with '- '; allowed: " ALLOWED_HOSTS},
	{"workers: 1\n"
	 "hosts: [\n",
	 "3: not valid YAML: did not find expected node content while parsing a flow node (a value that begins with [ "
	 "or { is written in quotes: '[::1]:8443')"},
	{"workers: \"1\n"
	 "hosts\n",
	 "3: not valid YAML: found unexpected end of stream while scanning a quoted scalar that begins in line 1 (a "
	 "quote is not closed)"},
	{"workers:\n"
	 "\0111\n",
	 "2: not valid YAML: found character that cannot start any token while scanning for the next token (indent "
	 "with spaces, not with tabs)"},
	{"hosts:\n"
	 "\011- name: a\n",
	 "2: not valid YAML: found character that cannot start any token while scanning for the next token (indent "
	 "with spaces, not with tabs)"},
	{"hosts:\n"
	 "- name: *\n",
	 "2: not valid YAML: did not find expected alphabetic or numeric character while scanning an alias (a value "
	 "that begins with * or & is written in quotes: \"*\")"},
	{"hosts: \377\n", "1: not valid YAML: invalid leading UTF-8 octet (save the file as UTF-8)"},
	{"workers: 1\n"
	 "# \007\n",
	 "2: not valid YAML: control characters are not allowed"},
	{END("---\n"
	     "workers: 1\n"),
	 "8: a second document (---) is not allowed"},
	{"a: &x 1\n"
	 "b: *x\n",
	 "1: anchors and aliases (& and *) are not allowed; write the value out"},
	{"a: *x\n", "1: anchors and aliases (& and *) are not allowed; write the value out"},
	{"a: &x [ 1 ]\n", "1: anchors and aliases (& and *) are not allowed; write the value out"},
	{"a: &x { b: 1 }\n", "1: anchors and aliases (& and *) are not allowed; write the value out"},
	{"workers: !!int 1\n", "1: tags (!) are not allowed"},
	{"workers: !own [ 1 ]\n", "1: tags (!) are not allowed"},
	{"a: !!map { b: c }\n", "1: tags (!) are not allowed"},
	{"workers: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n", "1: nested too deeply"},
	{"<<: { workers: 1 }\n", "1: key '<<': this key is not known; allowed: " ALLOWED_TOP_KEYS},
	{"[ a ]: 1\n", "1: a key that is not plain text is not allowed"},
	{"? { a: b }\n"
	 ": 1\n",
	 "1: a key that is not plain text is not allowed"},
	{"\"workers\\0\": 1\n", "1: a key that is not plain text is not allowed"},
	/* keys */
	{END("wrokers: 1\n"),
	 "8: key 'wrokers': this key is not known; did you mean 'workers'? allowed: " ALLOWED_TOP_KEYS},
	{END("Workers: 1\n"),
	 "8: key 'Workers': this key is not known; did you mean 'workers'? allowed: " ALLOWED_TOP_KEYS},
	{END("banana: 1\n"), "8: key 'banana': this key is not known; allowed: " ALLOWED_TOP_KEYS},
	{END("worker\011: 1\n"),
	 "8: key 'worker': this key is not known; did you mean 'workers'? allowed: " ALLOWED_TOP_KEYS},
	{END("log:\n"
	     "  levle: info\n"),
	 "9: key 'log.levle': this key is not known; did you mean 'level'? allowed: access, format, level"},
	{END("log:\n"
	     "  lev\001el: info\n"),
	 "9: not valid YAML: control characters are not allowed"},
	{END("log:\n"
	     "  \"lev\\x01el\": info\n"),
	 "9: key 'log.lev?el': this key is not known; did you mean 'level'? allowed: access, format, level"},
	{END("spool: { mem: 1MiB }\n"), "8: key 'spool.mem': this key is not known; did you mean 'memory'? allowed: "
					"memory, disk, directory, per_client"},
	{END("spool: { discs: 1MiB }\n"),
	 "8: key 'spool.discs': this key is not known; allowed: memory, disk, directory, per_client"},
	{END("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1\n"),
	 "8: key 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...': this key is not known; "
	 "allowed: " ALLOWED_TOP_KEYS},
	{HOST("  certficate: c\n"), "5: key 'hosts[0].certficate': this key is not known; did you mean 'certificate'? "
				    "allowed: " ALLOWED_HOST_KEYS},
	{HOST("  client_cert: {}\n"), "5: key 'hosts[0].client_cert': this key is not known; did you mean "
				      "'client_certificate'? allowed: " ALLOWED_HOST_KEYS},
	{HOST("  client-certificate: {}\n"), "5: key 'hosts[0].client-certificate': this key is not known; did you "
					     "mean 'client_certificate'? allowed: " ALLOWED_HOST_KEYS},
	{HOST("  ky: k\n"),
	 "5: key 'hosts[0].ky': this key is not known; did you mean 'key'? allowed: " ALLOWED_HOST_KEYS},
	{HOST("  http_2: off\n"),
	 "5: key 'hosts[0].http_2': this key is not known; did you mean 'http2'? allowed: " ALLOWED_HOST_KEYS},
	{END("    method: [ GET ]\n"),
	 "8: key 'hosts[0].routes[0].method': this key is not known; did you mean "
	 "'methods'? allowed: path, methods, upgrade, client_certificate, "
	 "max_request_body, allow_from, deny_from, rate, strip_prefix, add_prefix, headers, upstream"},
	{END("    client_certificate: { with: request }\n"),
	 "8: key 'hosts[0].routes[0].client_certificate.with': this key is not known; allowed: " ALLOWED_ASK_KEYS},
	{END("    client_certificate: { cr: x }\n"), "8: key 'hosts[0].routes[0].client_certificate.cr': this key is "
						     "not known; did you mean 'crl'? allowed: " ALLOWED_ASK_KEYS},
	{END("    client_certificate: { zz: x }\n"),
	 "8: key 'hosts[0].routes[0].client_certificate.zz': this key is not known; allowed: " ALLOWED_ASK_KEYS},
	{END("workers: 1\n"
	     "workers: 2\n"),
	 "9: key 'workers': this key is there twice, first in line 8; delete one of them"},
	{HOST("  name: b.example\n"),
	 "5: key 'hosts[0].name': this key is there twice, first in line 2; delete one of them"},
	{END("    path: /b\n"),
	 "8: key 'hosts[0].routes[0].path': this key is there twice, first in line 6; delete one of them"},
	{END("log: {}\n"
	     "log: {}\n"),
	 "9: key 'log': this key is there twice, first in line 8; delete one of them"},
	{END("upstreams: { a: { servers: [ https://a.example ], tls: { certificate: c, key: [] } } }\n"),
	 "8: key 'upstreams.a.tls.key': a list is not allowed here; allowed: a PEM file with that certificate's "
	 "private key, or a pkcs11: URI"},
	/* missing keys */
	{"hosts:\n"
	 "- certificate: c\n"
	 "  key: k\n" TAIL,
	 "2: key 'hosts[0].name': this key is missing; allowed: " ALLOWED_NAME},
	{"hosts:\n"
	 "- name: a\n"
	 "  key: k\n" TAIL,
	 "2: key 'hosts[0].certificate': this key is missing; allowed: a PEM file with the host's certificate and its "
	 "chain"},
	{"hosts:\n"
	 "- name: a\n"
	 "  certificate: c\n" TAIL,
	 "2: key 'hosts[0].key': this key is missing; allowed: a PEM file with the certificate's private key, or a "
	 "pkcs11: "
	 "URI"},
	{"workers: 2\n" HEAD,
	 "3: key 'hosts[0].routes': this key is missing; allowed: a list of routes, each with path and upstream"},
	{ROUTES("  - upstream: builtin:sink\n"),
	 "6: key 'hosts[0].routes[0].path': this key is missing; allowed: " ALLOWED_PATH},
	{ROUTES("  - path: /\n"), "6: key 'hosts[0].routes[0].upstream': this key is missing; allowed: a name of one "
				  "of the upstreams, " ALLOWED_UPSTREAM},
	{END("listen:\n"
	     "- proxy_protocol: false\n"),
	 "9: key 'listen[0].address': this key is missing; allowed: " ALLOWED_ADDRESS},
	{END("    client_certificate:\n"
	     "      when: request\n"),
	 "8: key 'hosts[0].routes[0].client_certificate.ca': this key is missing, and 'when' is request; allowed: a "
	 "PEM file of CA certificates"},
	{HOST("  client_certificate: { when: handshake }\n"),
	 "5: key 'hosts[0].client_certificate.ca': this key is missing, and 'when' is handshake; allowed: a PEM file "
	 "of CA certificates"},
	{HOST("  client_certificate:\n"
	      "    ca:\n"),
	 "6: key 'hosts[0].client_certificate.ca': no value is given; allowed: a PEM file of CA certificates"},
	/* types */
	{END("workers: [ 1 ]\n"), "8: key 'workers': a list is not allowed here; allowed: auto, or 1 to 1024"},
	{END("workers: {}\n"),
	 "8: key 'workers': a mapping (keys with values) is not allowed here; allowed: auto, or 1 to 1024"},
	{"hosts:\n"
	 "- name: { a: b }\n",
	 "2: key 'hosts[0].name': a mapping (keys with values) is not allowed here; allowed: " ALLOWED_NAME},
	{"hosts:\n"
	 "- name: a\n"
	 "  certificate: {}\n",
	 "3: key 'hosts[0].certificate': a mapping (keys with values) is not allowed here; allowed: a PEM file with "
	 "the host's certificate and its chain"},
	{"hosts:\n"
	 "- name: a\n"
	 "  certificate: c\n"
	 "  key: []\n",
	 "4: key 'hosts[0].key': a list is not allowed here; allowed: a PEM file with the certificate's private key, "
	 "or a pkcs11: "
	 "URI"},
	{ROUTES("  - path: []\n"),
	 "6: key 'hosts[0].routes[0].path': a list is not allowed here; allowed: " ALLOWED_PATH},
	{ROUTES("  - path: /\n"
		"    upstream: {}\n"),
	 "7: key 'hosts[0].routes[0].upstream': a mapping (keys with values) is not allowed here; "
	 "allowed: a name of one of the upstreams, " ALLOWED_UPSTREAM},
	{END("listen: [ { address: [ '127.0.0.1:1' ] } ]\n"),
	 "8: key 'listen[0].address': a list is not allowed here; allowed: " ALLOWED_ADDRESS},
	{END("spool: { memory: [ 1MiB ] }\n"),
	 "8: key 'spool.memory': a list is not allowed here; allowed: " ALLOWED_SIZE "1MiB to 1024TiB"},
	{END("spool: { per_client: {} }\n"),
	 "8: key 'spool.per_client': a mapping (keys with values) is not allowed here; allowed: 1% to 100%"},
	{END("log: { access: [ off ] }\n"),
	 "8: key 'log.access': a list is not allowed here; allowed: stdout, stderr, off, or a file"},
	{HOST("  client_certificate: { when: [] }\n"),
	 "5: key 'hosts[0].client_certificate.when': a list is not allowed here; allowed: " ALLOWED_WHEN},
	{HOST("  client_certificate: { crl: {} }\n"),
	 "5: key 'hosts[0].client_certificate.crl': a mapping (keys with values) is not allowed here; allowed: a PEM "
	 "file of CRLs, or none"},
	{HOST("  client_certificate: { require: [] }\n"), "5: key 'hosts[0].client_certificate.require': a list is not "
							  "allowed here; allowed: true, false, optional-unverified"},
	{HOST("  client_certificate: { elsewhere: [] }\n"),
	 "5: key 'hosts[0].client_certificate.elsewhere': a list is not allowed here; allowed: " ALLOWED_ORIGIN},
	{END("workers:\n"), "8: key 'workers': no value is given; allowed: auto, or 1 to 1024"},
	{END("workers: ~\n"), "8: key 'workers': no value is given; allowed: auto, or 1 to 1024"},
	{END("workers: null\n"), "8: key 'workers': no value is given; allowed: auto, or 1 to 1024"},
	{END("workers: ''\n"), "8: key 'workers': no value is given; allowed: auto, or 1 to 1024"},
	{END("listen: 127.0.0.1:8443\n"), "8: key 'listen': a single value is not allowed here; allowed: a list of "
					  "addresses, each '- address: HOST:PORT'"},
	{END("listen: []\n"),
	 "8: key 'listen': the list is empty; allowed: a list of addresses, each '- address: HOST:PORT'"},
	{END("listen: [ 127.0.0.1:8443 ]\n"),
	 "8: key 'listen[0]': a single value is not allowed here; allowed: a "
	 "mapping with the keys address, ipv6_only, proxy_protocol, plain, redirect_port, acme_webroot, acme_upstream"},
	{END("listen:\n"
	     "- \n"),
	 "9: key 'listen[0]': no value is given; allowed: a mapping with the keys address, ipv6_only, proxy_protocol, "
	 "plain, "
	 "redirect_port, acme_webroot, acme_upstream"},
	{END("spool: 1\n"), "8: key 'spool': a single value is not allowed here; allowed: a mapping with the keys "
			    "memory, disk, directory, per_client"},
	{END("spool:\n"),
	 "8: key 'spool': no value is given; allowed: a mapping with the keys memory, disk, directory, per_client"},
	{END("log: [ a ]\n"), "8: key 'log': a list is not allowed here; write its keys without '- ' or '[ ]'; "
			      "allowed: a mapping with the keys access, format, level"},
	{END("log:\n"
	     "  access: |\n"
	     "    a\n"
	     "    b\n"),
	 "9: key 'log.access': a control character or a line break is not allowed; allowed: stdout, stderr, off, or a "
	 "file"},
	{END("log: { access: \"a\\tb\" }\n"), "8: key 'log.access': a control character or a line break is not "
					      "allowed; allowed: stdout, stderr, off, or a file"},
	{HOST("  client_certificate: request\n"), "5: key 'hosts[0].client_certificate': a single value is not allowed "
						  "here; allowed: a mapping with the keys " ALLOWED_ASK_KEYS},
	{HEAD "  routes: /\n", "5: key 'hosts[0].routes': a single value is not allowed here; allowed: a list of "
			       "routes, each with path and upstream"},
	{HEAD "  routes:\n"
	      "  - /\n",
	 "6: key 'hosts[0].routes[0]': a single value is not allowed here; allowed: a mapping with the keys path, "
	 "methods, upgrade, client_certificate, max_request_body, allow_from, deny_from, rate, strip_prefix, "
	 "add_prefix, headers, upstream"},
	{END("    methods: PUT\n"), "8: key 'hosts[0].routes[0].methods': a single value is not allowed here; write [ "
				    "VALUE ]; allowed: " ALLOWED_METHODS},
	{END("    methods: {}\n"), "8: key 'hosts[0].routes[0].methods': a mapping (keys with values) is not allowed "
				   "here; begin each element of the list with '- '; allowed: " ALLOWED_METHODS},
	{END("    methods: []\n"), "8: key 'hosts[0].routes[0].methods': the list is empty; allowed: " ALLOWED_METHODS},
	{END("    methods: [ [ PUT ] ]\n"),
	 "8: key 'hosts[0].routes[0].methods[0]': a list is not allowed here; allowed: " ALLOWED_METHODS},
	{END("    methods: [ PUT, ~ ]\n"),
	 "8: key 'hosts[0].routes[0].methods[1]': no value is given; allowed: " ALLOWED_METHODS},
	/* numbers */
	{"tls: { groups: [ X25519, ffdhe2048 ] }\n" END(""),
	 "1: key 'tls.groups[1]': 'ffdhe2048' is not known; allowed: X25519MLKEM768, X25519, P-256, P-384, P-521"},
	{"tls:\n  groups: [ X25519,\n    X25519 ]\n" END(""), "3: key 'tls.groups[1]': 'X25519' is there twice"},
	{"tls: { versions: [ 1.1 ] }\n" END(""), "1: key 'tls.versions[0]': '1.1' is not known; allowed: 1.2, 1.3"},
	{"tls: { versions: [ 1.3, 1.3 ] }\n" END(""), "1: key 'tls.versions[1]': this version is there twice"},
	{"tls: { curves: [ P-256 ] }\n" END(""),
	 "1: key 'tls.curves': this key is not known; allowed: versions, groups, ciphers"},
	BAD_TOP("workers", "0", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "1025", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "-1", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "01", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "1.5", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "many", "is not understood", "auto, or 1 to 1024"),
	BAD_TOP("workers", "99999999999999999999999", "is not understood", "auto, or 1 to 1024"),
	BAD_CONNECTIONS("max", "0", "is not understood", ALLOWED_MAX),
	BAD_CONNECTIONS("max", "off", "is not understood", ALLOWED_MAX),
	BAD_CONNECTIONS("max", "10000001", "is not understood", ALLOWED_MAX),
	BAD_CONNECTIONS("max", "1k", "is not understood", ALLOWED_MAX),
	BAD_CONNECTIONS("per_client", "0", "is not understood", ALLOWED_PER_CLIENT),
	BAD_CONNECTIONS("per_client", "0%", "is not understood", ALLOWED_PER_CLIENT),
	BAD_CONNECTIONS("per_client", "101%", "is not understood", ALLOWED_PER_CLIENT),
	BAD_CONNECTIONS("per_client", "10000001", "is not understood", ALLOWED_PER_CLIENT),
	BAD_SPOOL("memory", "1023KiB", "is too small", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "1 MiB", "has a blank in it", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "1mib", "is not understood", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "1.5GiB", "is not understood", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "-1", "is not understood", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "MiB", "is not understood", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "1025TiB", "is too large", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "18446744073709551616", "is too large", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "18014398509481984KiB", "is too large", ALLOWED_SIZE "1MiB to 1024TiB"),
	BAD_SPOOL("memory", "010MiB", "is not understood", ALLOWED_SIZE "1MiB to 1024TiB"),
	{END("spool: { disk: 8GiB }\n"),
	 "8: key 'spool.directory': this key is missing, and spool.disk is given; allowed: a directory"},
	{END("spool: { directory: '' }\n"),
	 "8: key 'spool.directory': no value is given; allowed: a directory for the spool's files"},
	{END("spool:\n"
	     "  memory: 1MiB\n"
	     "  per_client: 1%\n"),
	 "10: key 'spool.per_client': 1% of spool.memory is 10485 bytes; allowed: a share of at least 16384 bytes"},
	{END("spool:\n"
	     "  directory: d\n"
	     "  disk: 100kB\n"
	     "  per_client: 10%\n"),
	 "11: key 'spool.per_client': 10% of spool.disk is 10000 bytes; allowed: a share of at least 16384 bytes"},
	BAD_SPOOL("per_client", "25", "is not understood", "1% to 100%"),
	BAD_SPOOL("per_client", "0%", "is not understood", "1% to 100%"),
	BAD_SPOOL("per_client", "101%", "is not understood", "1% to 100%"),
	BAD_SPOOL("per_client", "2.5%", "is not understood", "1% to 100%"),
	BAD_ASK("timeout", "120", "has no unit", ALLOWED_DURATION "1ms to 24h"),
	BAD_ASK("timeout", "0s", "is too small", ALLOWED_DURATION "1ms to 24h"),
	BAD_ASK("timeout", "25h", "is too large", ALLOWED_DURATION "1ms to 24h"),
	BAD_ASK("timeout", "1d", "is not understood", ALLOWED_DURATION "1ms to 24h"),
	BAD_ASK("timeout", "1 s", "has a blank in it", ALLOWED_DURATION "1ms to 24h"),
	BAD_ASK("decline_grace", "2m", "is too large", ALLOWED_DURATION "0s to 1m"),
	BAD_ASK("decline_grace", "99999999999999999999s", "is too large", ALLOWED_DURATION "0s to 1m"),
	BAD_ASK("max_body", "1EiB", "is not understood", ALLOWED_SIZE "0 to 1024TiB"),
	BAD_ASK("require", "yes", "is not known", "true, false, optional-unverified"),
	{HOST("  client_certificate: { partial_chain: \"true\" }\n"),
	 "5: key 'hosts[0].client_certificate.partial_chain': 'true' in quotes must be true or false; allowed: true, "
	 "false"},
	BAD_ASK("partial_chain", "True", "must be true or false", "true, false"),
	BAD_ASK("partial_chain", "1", "must be true or false", "true, false"),
	/* words */
	BAD_ASK("crl_check", "all", "is not known", "chain, leaf"),
	BAD_ASK("partial_chain", "yes", "must be true or false", "true, false"),
	BAD_ASK("purpose", "server", "is not known", "client, any"),
	BAD_ASK("ca_names", "some", "is not known", "send, none"),
	BAD_ASK("depth", "0", "is not understood", "1 to 32"),
	BAD_ASK("depth", "33", "is not understood", "1 to 32"),
	BAD_ASK("max_cert_list", "1023", "is too small", ALLOWED_SIZE "1KiB to 60KiB"),
	BAD_ASK("max_cert_list", "61KiB", "is too large", ALLOWED_SIZE "1KiB to 60KiB"),
	BAD_ASK("when", "foo", "is not known", ALLOWED_WHEN),
	{ROUTES("  - path: /\n" SINK "  - path: /late\n"
		"    client_certificate: { when: foo }\n" SINK),
	 "9: key 'hosts[0].routes[1].client_certificate.when': 'foo' is not known; allowed: " ALLOWED_WHEN},
	{HOST("  http2: maybe\n"), "5: key 'hosts[0].http2': 'maybe' is not known; allowed: auto, on, off"},
	/* pass phrases */
	{HOST("  key_passphrase: {}\n"), "5: key 'hosts[0].key_passphrase.file': this key is missing; "
					 "allowed: " ALLOWED_PASSPHRASE},
	{HOST("  key_passphrase: secret\n"), "5: key 'hosts[0].key_passphrase': a single value is not allowed here; "
					     "allowed: a mapping with the keys file"},
	{HOST("  key_passphrase: { text: secret }\n"), "5: key 'hosts[0].key_passphrase.text': this key is not known; "
						       "allowed: file"},
	{HOST("  key_passphrase: { file: '' }\n"), "5: key 'hosts[0].key_passphrase.file': no value is given; "
						   "allowed: " ALLOWED_PASSPHRASE},
	{UPSTREAM("{ servers: [ 'https://a' ], tls: { key_passphrase: { file: p } } }"),
	 "9: key 'upstreams.app.tls.key_passphrase': there is no key beside it; allowed: only beside a key"},
	/* worker_timeout */
	BAD_TOP("worker_timeout", "0s", "is too small", ALLOWED_DURATION "1s to 24h, or off"),
	BAD_TOP("worker_timeout", "999ms", "is too small", ALLOWED_DURATION "1s to 24h, or off"),
	BAD_TOP("worker_timeout", "25h", "is too large", ALLOWED_DURATION "1s to 24h, or off"),
	BAD_TOP("worker_timeout", "30", "has no unit", ALLOWED_DURATION "1s to 24h, or off"),
	BAD_TOP("worker_timeout", "never", "is not understood", ALLOWED_DURATION "1s to 24h, or off"),
	{HOST("  without_post_handshake: tls13\n"),
	 "5: key 'hosts[0].without_post_handshake': 'tls13' is not known; allowed: tls12, refuse"},
	{END("log: { level: loud }\n"),
	 "8: key 'log.level': 'loud' is not known; allowed: error, warning, info, debug"},
	{END("log: { format: xml }\n"), "8: key 'log.format': 'xml' is not known; allowed: json, combined"},
	{END("listen: [ { address: 127.0.0.1:1, plain: yes } ]\n"),
	 "8: key 'listen[0].plain': 'yes' is not known; allowed: redirect, off"},
	{END("listen: [ { address: 127.0.0.1:1, redirect_port: 1 } ]\n"),
	 "8: key 'listen[0].redirect_port': the listener speaks TLS; allowed: only beside 'plain: redirect'"},
	{END("listen: [ { address: 127.0.0.1:1, acme_webroot: a } ]\n"),
	 "8: key 'listen[0].acme_webroot': the listener speaks TLS; allowed: only beside 'plain: redirect'"},
	{END("listen: [ { address: 127.0.0.1:1, plain: redirect, redirect_port: 65536 } ]\n"),
	 "8: key 'listen[0].redirect_port': '65536' is not understood; allowed: 1 to 65535"},
	{END("listen: [ { address: 127.0.0.1:1, plain: redirect, acme_upstream: 'builtin:sink' } ]\n"),
	 "8: key 'listen[0].acme_upstream': 'builtin:sink' does not answer challenges; allowed: the name of an "
	 "upstream"},
	{END("listen: [ { address: 127.0.0.1:1, plain: redirect, acme_upstream: b } ]\n"),
	 "8: key 'listen[0].acme_upstream': there is no upstream 'b'; allowed: " ALLOWED_UPSTREAM},
	{END("listen: [ { address: 127.0.0.1:1, plain: redirect, acme_webroot: a, acme_upstream: b } ]\n"),
	 "8: key 'listen[0].acme_upstream': there is an acme_webroot, too; allowed: one of them"},
	{END("listen: [ { address: 127.0.0.1:1, proxy_protocol: no } ]\n"),
	 "8: key 'listen[0].proxy_protocol': 'no' must be true or false; allowed: true, false"},
	{ROUTES("  - path: /\n"
		"    upstream: builtin:echo\n"),
	 "7: key 'hosts[0].routes[0].upstream': 'builtin:echo' is not known; allowed: " ALLOWED_UPSTREAM},
	/* addresses */
	BAD_ADDRESS("8443", "is a port without an address; write ADDRESS:PORT"),
	BAD_ADDRESS(":8443", "has no address; all of this machine's are 0.0.0.0:PORT and '[::]:PORT'"),
	BAD_ADDRESS("127.0.0.1", "has no port; write ADDRESS:PORT"),
	BAD_ADDRESS("127.0.0.1:", "does not end in a port between 0 and 65535"),
	BAD_ADDRESS("127.0.0.1:65536", "does not end in a port between 0 and 65535"),
	BAD_ADDRESS("127.0.0.1:-1", "does not end in a port between 0 and 65535"),
	BAD_ADDRESS("127.0.0.1:08", "does not end in a port between 0 and 65535"),
	BAD_ADDRESS("127.0.0.1:8x", "does not end in a port between 0 and 65535"),
	BAD_ADDRESS("example.com:8443", "has no numeric address; names are not looked up here"),
	BAD_ADDRESS("*:8443", "has no address; all of this machine's are 0.0.0.0:PORT and '[::]:PORT'"),
	BAD_ADDRESS("::1:8443", "is an IPv6 address without brackets; write '[ADDRESS]:PORT', in quotes"),
	BAD_ADDRESS("[::1]8443", "is not '[ADDRESS]:PORT'"),
	BAD_ADDRESS("[::g]:8443", "has no valid IPv6 address in its brackets"),
	BAD_ADDRESS("[fe80::1%lo]:8443", "has no valid IPv6 address in its brackets"),
	BAD_ADDRESS("[127.0.0.1]:1", "has no valid IPv6 address in its brackets"),
	BAD_ADDRESS("[]:1", "has no valid IPv6 address in its brackets"),
	BAD_ADDRESS("1.2.3:1", "has no numeric address; names are not looked up here"),
	BAD_ADDRESS("unix:", "is not understood"),
	BAD_ADDRESS("http://127.0.0.1:1", "is a URL; write ADDRESS:PORT"),
	{END("listen: [ { address: "
	     "'unix:/"
	     "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
	     "ss' } ]\n"),
	 "8: key 'listen[0].address': the path '/sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss...' "
	 "is too long for a socket; allowed: at most 107 bytes"},
	{END("listen:\n"
	     "- address: 127.0.0.1:8443\n"
	     "- address: localhost:8443\n"),
	 "10: key 'listen[1].address': 'localhost:8443' is there twice"},
	{END("listen:\n"
	     "- address: '[::1]:8443'\n"
	     "- address: '[0:0::1]:8443'\n"),
	 "10: key 'listen[1].address': '[0:0::1]:8443' is there twice"},
	{END("listen:\n"
	     "- address: unix:/s\n"
	     "- address: unix:/s\n"),
	 "10: key 'listen[1].address': 'unix:/s' is there twice"},
	{END("listen:\n"
	     "- address: 0.0.0.0:8443\n"
	     "- address: 127.0.0.1:8443\n"),
	 "10: key 'listen[1].address': '127.0.0.1:8443' overlaps '0.0.0.0:8443': only one of them can listen on that "
	 "port"},
	{END("listen:\n"
	     "- address: '[::1]:8443'\n"
	     "- address: '[::]:8443'\n"),
	 "10: key 'listen[1].address': '[::]:8443' overlaps '[::1]:8443': only one of them can listen on that port"},
	{END("listen: [ { address: 127.0.0.1:8443 } ]\nadmin: 0.0.0.0:8443\n"),
	 "9: key 'admin': '0.0.0.0:8443' overlaps '127.0.0.1:8443' of 'listen'; allowed: another address or port"},
	{END("admin: 127.0.0.1:8443\n"),
	 "8: key 'admin': '127.0.0.1:8443' overlaps '127.0.0.1:8443' of 'listen'; allowed: another address or port"},
	{END("listen: [ { address: 'unix:/a' } ]\nadmin: unix:/a\n"),
	 "9: key 'admin': 'unix:/a' overlaps 'unix:/a' of 'listen'; allowed: another address or port"},
	/* host names */
	BAD_NAME("a..b"),
	BAD_NAME(".a"),
	BAD_NAME("a.."),
	BAD_NAME("."),
	BAD_NAME("-a"),
	BAD_NAME("a-"),
	BAD_NAME_FOR("a b", "is more than one name; write [ NAME, NAME ]"),
	BAD_NAME("*."),
	BAD_NAME("*a"),
	BAD_NAME("*.*.a"),
	BAD_NAME("a.*.b"),
	{"hosts:\n- name: a.example\n  certificate: c\n  key: ~/k\n" TAIL,
	 "4: key 'hosts[0].key': '~/k' is a file's name in which a shell would replace something, and Thaw does not; "
	 "allowed: the name in full"},
	{"hosts:\n- name: a.example\n  certificate: /tls/${HOST}.pem\n  key: k\n" TAIL,
	 "3: key 'hosts[0].certificate': '/tls/${HOST}.pem' is a file's name in which a shell would replace something, "
	 "and Thaw does not; allowed: the name in full"},
	{"hosts:\n- name: [ a.example, 'b c' ]\n  certificate: c\n  key: k\n" TAIL,
	 "2: key 'hosts[0].name[1]': 'b c' is more than one name; write [ NAME, NAME ]; allowed: " ALLOWED_NAME},
	{"hosts:\n- name: [ a.example, '*.b.example', A.example. ]\n  certificate: c\n  key: k\n" TAIL,
	 "2: key 'hosts[0].name[2]': 'a.example' is there twice, first in line 2; a name belongs to one host, which "
	 "has all its routes"},
	{"hosts:\n- name: []\n  certificate: c\n  key: k\n" TAIL,
	 "2: key 'hosts[0].name': the list is empty; allowed: " ALLOWED_NAME},
	{"hosts:\n"
	 "- name: '10.0.0.1'\n"
	 "  certificate: c\n"
	 "  key: k\n" TAIL,
	 "2: key 'hosts[0].name': '10.0.0.1' is an address, which clients never send as SNI; allowed: " ALLOWED_NAME},
	BAD_NAME("[::1]"),
	BAD_NAME_FOR("a:443", "has a port, which belongs to 'listen'; write the host name alone"),
	BAD_NAME("llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"),
	{"hosts:\n"
	 "- name: "
	 "'lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll."
	 "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll."
	 "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll."
	 "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll'\n"
	 "  certificate: c\n"
	 "  key: k\n" TAIL,
	 "2: key 'hosts[0].name': 'lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll....' is not "
	 "understood; allowed: " ALLOWED_NAME},
	{"hosts:\n- name: '\303\244.example'\n  certificate: c\n  key: k\n" TAIL,
	 "2: key 'hosts[0].name': '\303\244.example' has letters beyond ASCII; write the name as clients send it, with "
	 "'xn--' (idn2 shows it); allowed: " ALLOWED_NAME},
	{END("- name: A.Example\n"
	     "  certificate: c\n"
	     "  key: k\n" TAIL),
	 "8: key 'hosts[1].name': 'a.example' is there twice, first in line 2; a name belongs to one host, which has "
	 "all its routes"},
	{HOST("  paths: sensitive\n"),
	 "5: key 'hosts[0].paths': 'sensitive' is not known; allowed: any-case, case-sensitive"},
	{HOST("  client_headers: { strip: [ 'X-*-User' ] }\n"),
	 "5: key 'hosts[0].client_headers.strip[0]': 'X-*-User' is not a field name; allowed: a list of field names, "
	 "each "
	 "perhaps with a * at its end"},
	{HOST("  client_headers: { strip: [ '*' ] }\n"),
	 "5: key 'hosts[0].client_headers.strip[0]': '*' is not a field name; allowed: a list of field names, each "
	 "perhaps with "
	 "a * at its end"},
	{HOST("  client_headers: { strip: [ 'Con*' ] }\n"),
	 "5: key 'hosts[0].client_headers.strip[0]': 'Con*' is needed, or names a field that is: Host, Content-Length, "
	 "Transfer-Encoding, Expect and Connection cannot be left out; allowed: a list of field names, each perhaps "
	 "with a * at "
	 "its end"},
	{HOST("  client_headers: { pass: [ 'X-Forwarded-*' ] }\n"),
	 "5: key 'hosts[0].client_headers.pass[0]': 'X-Forwarded-*' is not a field name; allowed: a list of field "
	 "names"},
	{HOST("  client_headers: { pass: [ X-Real-IP, x-real-ip ] }\n"),
	 "5: key 'hosts[0].client_headers.pass[1]': 'x-real-ip' is there twice"},
	{HOST("  client_headers: { pass: [ x-forwarded-for ] }\n"),
	 "5: key 'hosts[0].client_headers.pass[0]': 'x-forwarded-for' is a field that this gateway writes itself; a "
	 "client's own "
	 "would stand beside it; allowed: other fields"},
	{HOST("  identity: [ rfc9440 ]\n  client_headers: { pass: [ Client-Cert-Chain ] }\n"),
	 "6: key 'hosts[0].client_headers.pass[0]': 'Client-Cert-Chain' is a field that this gateway writes itself; a "
	 "client's "
	 "own would stand beside it; allowed: other fields"},
	BAD_HEADER("request: { set: { 'X Y': a } }", "request.set.X Y",
		   "'X Y' is not a field name; allowed: 1 to 64 letters, digits and signs such as '-'"),
	BAD_HEADER("request: { remove: [ 'X-*' ] }", "request.remove[0]",
		   "'X-*' is not a field name; allowed: 1 to 64 letters, digits and signs such as '-'"),
	BAD_FRAMING("request", "Content-Length", ""),
	BAD_FRAMING("request", "transfer_encoding", ""),
	BAD_FRAMING("request", "Host", " (see 'host' of an upstream)"),
	BAD_FRAMING("request", "Connection", ""),
	BAD_FRAMING("request", "Expect", ""),
	BAD_FRAMING("request", "Upgrade", ""),
	BAD_FRAMING("response", "TE", ""),
	BAD_FRAMING("response", "Date", ""),
	BAD_FRAMING("response", "Trailer", ""),
	BAD_FRAMING("response", "Keep-Alive", ""),
	BAD_FRAMING("response", "content-length", ""),
	BAD_FOREIGN("$remote_addr", "nginx", "{client.address}", "$"),
	BAD_FOREIGN("${Remote_Addr}", "nginx", "{client.address}", "{"),
	BAD_FOREIGN("${client.address}", "nginx", OUR_VARIABLES, "{"),
	BAD_FOREIGN("$uri", "nginx", OUR_VARIABLES, "$"),
	BAD_FOREIGN("%{SSL_CLIENT_S_DN}s", "Apache", "{identity.subject}", "{"),
	BAD_FOREIGN("%{client.address}e", "Apache", OUR_VARIABLES, "{"),
	BAD_FOREIGN("%D", "Apache", OUR_VARIABLES, "%"),
	BAD_FOREIGN("%[src]", "HAProxy", "{client.address}", "%"),
	BAD_FOREIGN("%[unique-id]", "HAProxy", "{request.id}", "%"),
	BAD_FOREIGN("%[ssl_c_der,base64]", "HAProxy", "{identity.certificate}", "%"),
	BAD_FOREIGN("%ci", "HAProxy", "{client.address}", "%"),
	BAD_FOREIGN("%DOWNSTREAM_REMOTE_ADDRESS%", "Envoy", OUR_VARIABLES, "%"),
	BAD_FOREIGN("%REQ(X-ID?Y)%", "Envoy", OUR_VARIABLES, "%"),
	BAD_HEADER(
		"response: { add: { Link: [ a, 'b;$host,c' ] } }", "response.add.Link[1]",
		"'$host' is a variable of nginx, and would be sent as it is written; allowed: {request.host}; a plain "
		"'$' is '$$'"),
	BAD_HEADER("request: { set: { X-A: '{client.adress}' } }", "request.set.X-A",
		   "unknown variable '{client.adress}'; allowed: " ALLOWED_VARIABLES),
	BAD_HEADER("request: { set: { X-A: '{identity.Subject}' } }", "request.set.X-A",
		   "unknown variable '{identity.Subject}'; allowed: " ALLOWED_VARIABLES),
	BAD_HEADER("request: { set: { X-A: 'a{ client.address }' } }", "request.set.X-A",
		   "unknown variable '{ client.address }'; allowed: " ALLOWED_VARIABLES),
	BAD_HEADER("request: { set: { X-A: '{client-address}' } }", "request.set.X-A",
		   "unknown variable '{client-address}'; allowed: " ALLOWED_VARIABLES),
	BAD_HEADER("request: { set: { X-A: 'a {client.address, b' } }", "request.set.X-A",
		   "'{client.address' has no '}'; allowed: {NAME}; a plain '{' is '{{'"),
	BAD_HEADER("request: { set: { X-A: [ a, b ] } }", "request.set.X-A",
		   "a list is not allowed here; allowed: a field's value, perhaps with variables in braces"),
	BAD_HEADER("request: { add: { X-A: [ a, '' ] } }", "request.add.X-A[1]",
		   "no value is given; allowed: a field's value, perhaps with variables in braces, or a list of "
		   "these"),
	BAD_HEADER("response: { add: { X-A: 'a {b}' } }", "response.add.X-A",
		   "unknown variable '{b}'; allowed: " ALLOWED_VARIABLES),
	BAD_HEADER("response: { set: { X-A: \"a\\r\\nSet-Cookie: b\" } }", "response.set.X-A",
		   "a control character or a line break is not allowed; allowed: a field's value, perhaps with "
		   "variables in braces"),
	BAD_HEADER("response: { set: { X-A: 'a ' } }", "response.set.X-A",
		   "the value begins or ends with a blank, which is not part of a field's value (RFC 9110 5.5); "
		   "allowed: the same without it"),
	BAD_HEADER("response: { set: { X-A: '' } }", "response.set.X-A",
		   "no value is given; allowed: a field's value, perhaps with variables in braces"),
	BAD_HEADER("response: { set: { X-A: b }, remove: [ x_a ] }", "response.remove[0]",
		   "the field 'x_a' is named by another rule beside it"),
	{HOST("  headers: { request: { set: { X-Forwarded-For: a } } }\n"),
	 "5: key 'hosts[0].headers': 'X-Forwarded-For' is a field of requests that this gateway writes itself; "
	 "allowed: "
	 "other fields"},
	{HOST("  headers: { request: { set: { x_forwarded.for: a } } }\n"),
	 "5: key 'hosts[0].headers': 'x_forwarded.for' is a field of requests that this gateway writes itself; "
	 "allowed: other fields"},
	{END("    headers: { request: { remove: [ Forwarded ] } }\n"),
	 "8: key 'hosts[0].routes[0].headers': 'Forwarded' is a field of requests that this gateway writes itself; "
	 "allowed: other fields"},
	{HOST("  identity: [ nginx ]\n  headers: { request: { set: { X-SSL-Client-Verify: a } } }\n"),
	 "6: key 'hosts[0].headers': 'X-SSL-Client-Verify' is a field of requests that this gateway writes itself; "
	 "allowed: other fields"},
	{UPSTREAM("{ servers: [ 'http://app' ], host: 'a b' }"),
	 "9: key 'upstreams.app.host': 'a b' is not a host; allowed: pass, upstream, or HOST[:PORT]"},
	{UPSTREAM("{ servers: [ 'http://app' ], host: 'https://a' }"),
	 "9: key 'upstreams.app.host': 'https://a' is not a host; allowed: pass, upstream, or HOST[:PORT]"},
	{UPSTREAM("{ servers: [ 'http://app', 'unix:/s' ], host: upstream }"),
	 "9: key 'upstreams.app.host': 'upstream' needs servers with a host, and 'unix:/s' has none; allowed: pass, or "
	 "HOST[:PORT]"},
	{HOST("  allow_from: 10.0.0.0/8\n"),
	 "5: key 'hosts[0].allow_from': a single value is not allowed here; allowed: " ALLOWED_NETWORKS},
	{HOST("  allow_from: [ ]\n"), "5: key 'hosts[0].allow_from': the list is empty; allowed: " ALLOWED_NETWORKS},
	{HOST("  allow_from: [ 10.0.0.0/8, example.com ]\n"),
	 "5: key 'hosts[0].allow_from[1]': 'example.com' is not an address or a network; allowed: " ALLOWED_NETWORKS},
	{HOST("  deny_from: [ 10.0.0.0/33 ]\n"), "5: key 'hosts[0].deny_from[0]': '10.0.0.0/33' does not have a prefix "
						 "length that fits its address; allowed: " ALLOWED_NETWORKS},
	{END("    deny_from: [ '2001:db8::1/64' ]\n"), "8: key 'hosts[0].routes[0].deny_from[0]': '2001:db8::1/64' has "
						       "bits set after its prefix; allowed: " ALLOWED_NETWORKS},
	{HOST("  rate: 10\n"), "5: key 'hosts[0].rate': '10' is not understood; allowed: " ALLOWED_RATE},
	{HOST("  rate: 0/s\n"), "5: key 'hosts[0].rate': '0/s' is not understood; allowed: " ALLOWED_RATE},
	{HOST("  rate: 10/d\n"), "5: key 'hosts[0].rate': '10/d' is not understood; allowed: " ALLOWED_RATE},
	{HOST("  rate: { requests: 1001/s }\n"),
	 "5: key 'hosts[0].rate.requests': '1001/s' is more than 1000 requests a second; allowed: " ALLOWED_REQUESTS},
	{HOST("  rate: { burst: 5 }\n"),
	 "5: key 'hosts[0].rate.requests': this key is missing; allowed: " ALLOWED_REQUESTS},
	{HOST("  rate: { requests: 10/s, burst: 0 }\n"),
	 "5: key 'hosts[0].rate.burst': '0' is not understood; allowed: 1 to 10000000"},
	{END("    rate: { requests: 1/h, burst: 25 }\n"),
	 "8: key 'hosts[0].routes[0].rate': a burst of 25 requests is available again only after more than 24 hours; "
	 "allowed: a smaller burst or a faster rate"},
	{END("listen: [ { address: '[::]:8443', ipv6_only: false }, { address: '127.0.0.1:8443' } ]\n"),
	 "8: key 'listen[1].address': '127.0.0.1:8443' overlaps '[::]:8443': only one of them can listen on that port"},
	{END("listen: [ { address: '0.0.0.0:8443' }, { address: '[::]:8443', ipv6_only: false } ]\n"),
	 "8: key 'listen[1].address': '[::]:8443' overlaps '0.0.0.0:8443': only one of them can listen on that port"},
	{END("listen: [ { address: '[::1]:8443', ipv6_only: false } ]\n"),
	 "8: key 'listen[0].ipv6_only': the address is not that of all IPv6 addresses; allowed: false only beside an "
	 "address [::]:PORT"},
	{END("    strip_prefix: /a\n"),
	 "8: key 'hosts[0].routes[0].strip_prefix': the route's upstream is built in, and has no paths of its own; "
	 "allowed: only beside one of 'upstreams'"},
	{END("    add_prefix: /\n"),
	 "8: key 'hosts[0].routes[0].add_prefix': '/' is the beginning of every path; allowed: " ALLOWED_PREFIX},
	{END("    add_prefix: /a%20b\n"),
	 "8: key 'hosts[0].routes[0].add_prefix': '/a%20b' has one of % ; ? # \\; allowed: " ALLOWED_PREFIX},
	{END("    add_prefix: '/a b'\n"), "8: key 'hosts[0].routes[0].add_prefix': '/a b' has a blank, a quote or a "
					  "byte beyond ASCII; allowed: " ALLOWED_PREFIX},
	{END("    strip_prefix: /a/../b\n"),
	 "8: key 'hosts[0].routes[0].strip_prefix': '/a/../b' has a dot segment; allowed: " ALLOWED_PREFIX},
	{ROUTES("  - { path: /apple, upstream: app, strip_prefix: /app }\nupstreams: { app: { servers: [ 'http://a' ] "
		"} }\n"),
	 "6: key 'hosts[0].routes[0].strip_prefix': the route's path '/apple' is not below '/app'; allowed: the path, "
	 "or "
	 "a beginning of it"},
	{HOST("  request_id_from: Host\n"),
	 "5: key 'hosts[0].request_id_from': 'Host' cannot be changed: it frames a message, is about one connection, "
	 "or is written by the gateway; allowed: other fields (see 'host' of an upstream)"},
	{HOST("  request_id_from: via\n"),
	 "5: key 'hosts[0].request_id_from': 'via' cannot be changed: it frames a message, is about one connection, "
	 "or is written by the gateway; allowed: other fields"},
	{HOST("  request_id_from: 'X-Id*'\n"),
	 "5: key 'hosts[0].request_id_from': 'X-Id*' is not a field name; allowed: 1 to 64 letters, digits and signs "
	 "such as '-'"},
	{HOST("  identity: [ rfc9440, rfc9440-leaf ]\n"), "5: key 'hosts[0].identity[1]': this set is there twice"},
	{END("    upgrade: websocket\n"), "8: key 'hosts[0].routes[0].upgrade': 'websocket' is not a list; allowed: a "
					  "list of protocols, such as [ websocket, "
					  "SPDY/3.1 ], or none"},
	{END("    upgrade: [ 'a b' ]\n"), "8: key 'hosts[0].routes[0].upgrade[0]': 'a b' is not a protocol; allowed: a "
					  "list of protocols, such as [ websocket, "
					  "SPDY/3.1 ], or none"},
	{END("    upgrade: [ http/2.0 ]\n"), "8: key 'hosts[0].routes[0].upgrade[0]': 'http/2.0' is a version of HTTP, "
					     "whose requests would pass unseen; allowed: a "
					     "list of protocols, such as [ websocket, SPDY/3.1 ], or none"},
	/* routes */
	BAD_PATH("a", "does not begin with '/'"),
	BAD_PATH("*", "does not begin with '/'"),
	BAD_PATH("/a%20b", "has one of % ; ? # \\"),
	BAD_PATH("/a;b", "has one of % ; ? # \\"),
	BAD_PATH("/a?b", "has one of % ; ? # \\"),
	BAD_PATH("/a#b", "has one of % ; ? # \\"),
	BAD_PATH("/a\\b", "has one of % ; ? # \\"),
	BAD_PATH("/admin/*", "has a '*', and a path is not a pattern; write '/admin/' to cover all below it"),
	BAD_PATH("/*", "has a '*', and a path is not a pattern; write '/' to cover all below it"),
	BAD_PATH("/a/b*/c", "has a '*', and a path is not a pattern; write '/a/' to cover all below it"),
	BAD_PATH("/users/{id}", "has a '{', and a path is not a pattern; write '/users/' to cover all below it"),
	BAD_PATH("/users/:id/*", "has a ':', and a path is not a pattern; write '/users/' to cover all below it"),
	BAD_PATH("/users/<int:id>", "has a '<', and a path is not a pattern; write '/users/' to cover all below it"),
	BAD_PATH("/users/[0-9]+", "has a '[', and a path is not a pattern; write '/users/' to cover all below it"),
	BAD_PATH("/(a|b)", "has a '|', and a path is not a pattern; write '/' to cover all below it"),
	BAD_PATH("/users$", "has a '$', and a path is not a pattern; write '/' to cover all below it"),
	BAD_PATH("/^/admin", "has a '^', and a path is not a pattern; write '/' to cover all below it"),
	BAD_PATH("/a//b", "has an empty segment"),
	BAD_PATH("//", "has an empty segment"),
	BAD_PATH("/.", "has a dot segment"),
	BAD_PATH("/a/..", "has a dot segment"),
	BAD_PATH("/a/./b", "has a dot segment"),
	BAD_PATH("/../b", "has a dot segment"),
	{ROUTES("  - path: /a\n" SINK "  - path: /\n" SINK "  - path: /a\n" SINK),
	 "10: key 'hosts[0].routes[2]': an earlier route has the path '/a' too, and both are for every method"},
	{ROUTES("  - path: /a\n"
		"    methods: [ GET, PUT ]\n" SINK "  - path: /a\n"
		"    methods: [ POST, PUT ]\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route has the path '/a' too, and both are for PUT"},
	{END("    methods: [ put ]\n"),
	 "8: key 'hosts[0].routes[0].methods[0]': 'put' is not understood; allowed: " ALLOWED_METHODS},
	{END("    methods: [ 'PUT ' ]\n"),
	 "8: key 'hosts[0].routes[0].methods[0]': 'PUT ' is not understood; allowed: " ALLOWED_METHODS},
	{END("    methods: [ 'P/T' ]\n"),
	 "8: key 'hosts[0].routes[0].methods[0]': 'P/T' is not understood; allowed: " ALLOWED_METHODS},
	{END("    methods: [ PUT, GET, PUT ]\n"), "8: key 'hosts[0].routes[0].methods[2]': 'PUT' is there twice"},
	{END("    methods: [ MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM ]\n"),
	 "8: key 'hosts[0].routes[0].methods[0]': 'MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM' is not understood; "
	 "allowed: " ALLOWED_METHODS},
	{END("    methods: [ M0, M1, M2, M3, M4, M5, M6, M7, M8, M9, M10, M11, M12, M13, M14, M15, M16, M17, M18, M19, "
	     "M20, M21, M22, M23, M24, M25, M26, M27, M28, M29, M30, M31, M32 ]\n"),
	 "8: key 'hosts[0].routes[0].methods': the list has 33 elements; allowed: at most 32"},
	/* certificates */
	BAD_ORIGIN("http://a.example"),
	BAD_ORIGIN("https://"),
	BAD_ORIGIN("https://a.example/"),
	BAD_ORIGIN("https://a.example/p"),
	BAD_ORIGIN("https://a.example?q"),
	BAD_ORIGIN("https://u@a.example"),
	BAD_ORIGIN("https://a.example:0"),
	BAD_ORIGIN("https://a.example:65536"),
	BAD_ORIGIN("https://a.example:"),
	BAD_ORIGIN("https://a_b"),
	BAD_ORIGIN("https://[::1"),
	BAD_ORIGIN("https://[::g]"),
	BAD_ORIGIN("https://[::1]x"),
	BAD_ORIGIN("HTTPS://a.example"),
	BAD_ORIGIN("a.example"),
	{ROUTES("  - path: /a\n"
		"    client_certificate: { ca: a.pem, when: handshake }\n" SINK "  - path: /b\n"
		"    client_certificate: { ca: b.pem, when: handshake }\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route of this host is asked at the handshake with another ca, crl, "
	 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; "
	 "allowed: the same for all that are asked at the handshake"},
	{ROUTES("  - path: /a\n"
		"    client_certificate: { ca: a.pem, when: handshake }\n" SINK "  - path: /b\n"
		"    client_certificate: { ca: a.pem, crl: c.pem, when: handshake }\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route of this host is asked at the handshake with another ca, crl, "
	 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; "
	 "allowed: the same for all that are asked at the handshake"},
	{ROUTES("  - path: /a\n"
		"    client_certificate: { ca: a.pem, when: handshake }\n" SINK "  - path: /b\n"
		"    client_certificate: { ca: a.pem, depth: 3, when: handshake }\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route of this host is asked at the handshake with another ca, crl, "
	 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; "
	 "allowed: the same for all that are asked at the handshake"},
	{ROUTES("  - path: /a\n"
		"    client_certificate: { ca: a.pem, when: handshake }\n" SINK "  - path: /b\n"
		"    client_certificate: { ca: a.pem, partial_chain: true, when: handshake }\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route of this host is asked at the handshake with another ca, crl, "
	 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; "
	 "allowed: the same for all that are asked at the handshake"},
	{ROUTES("  - path: /a\n"
		"    client_certificate: { ca: a.pem, when: handshake }\n" SINK "  - path: /b\n"
		"    client_certificate: { ca: a.pem, purpose: any, when: handshake }\n" SINK),
	 "9: key 'hosts[0].routes[1]': an earlier route of this host is asked at the handshake with another ca, crl, "
	 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; "
	 "allowed: the same for all that are asked at the handshake"},
	/* upstreams */
	{ROUTES("  - path: /\n"
		"    upstream: app\n"),
	 "7: key 'hosts[0].routes[0].upstream': there is no upstream 'app'; allowed: " ALLOWED_UPSTREAM},
	{ROUTES("  - path: /\n"
		"    upstream: app\n"
		"upstreams:\n"
		"  other: { servers: [ 'http://a' ] }\n"),
	 "7: key 'hosts[0].routes[0].upstream': there is no upstream 'app'; allowed: other, " ALLOWED_UPSTREAM},
	{END("upstreams: [ app ]\n"), "8: key 'upstreams': a list is not allowed here; write its keys without '- ' or "
				      "'[ ]'; allowed: a mapping of names to upstreams, each "
				      "with servers"},
	{UPSTREAM("{}"), "9: key 'upstreams.app.servers': this key is missing; allowed: " ALLOWED_SERVERS},
	{UPSTREAM("{ servers: [] }"), "9: key 'upstreams.app.servers': the list is empty; allowed: " ALLOWED_SERVERS},
	BAD_SERVER("127.0.0.1:80", "does not begin with http://, https:// or unix:"),
	BAD_SERVER("ftp://a", "does not begin with http://, https:// or unix:"),
	BAD_SERVER("http://", "has no valid host and port"),
	BAD_SERVER("http://u@a", "has no valid host and port"),
	BAD_SERVER("http://a:0", "has no valid host and port"),
	BAD_SERVER("http://a:65536", "has no valid host and port"),
	BAD_SERVER("http://[::1", "has no valid host and port"),
	BAD_SERVER("http://[::g]", "has no valid host and port"),
	BAD_SERVER("http://[::1]x:80", "has no valid host and port"),
	BAD_SERVER("http://a..", "has no valid host and port"),
	BAD_SERVER("http://.", "has no valid host and port"),
	BAD_SERVER("http://a/path", "has a path, which upstreams get from the request"),
	BAD_SERVER("unix:", "names no socket"),
	{UPSTREAM("{ servers: [ 'http://a', 'http://A:80/' ] }"),
	 "9: key 'upstreams.app.servers[1]': 'http://A:80/' is there twice"},
	{UPSTREAM("{ servers: [ 'http://a' ], connect_timeout: 0s }"),
	 "9: key 'upstreams.app.connect_timeout': '0s' is too small; allowed: " ALLOWED_DURATION "1ms to 24h"},
	{UPSTREAM("{ servers: [ 'http://a' ], keepalive: many }"),
	 "9: key 'upstreams.app.keepalive': 'many' is not understood; allowed: off, or 0 to 65535"},
	{UPSTREAM("{ servers: [ 'http://a' ], tls: {} }"),
	 "9: key 'upstreams.app.tls': none of the servers is https://; allowed: tls only beside such a server"},
	{UPSTREAM("{ servers: [ 'https://a' ], tls: { certificate: c } }"),
	 "9: key 'upstreams.app.tls': certificate and key go together; allowed: both, or none"},
	{END("upstreams:\n"
	     "  builtin: { servers: [ 'http://a' ] }\n"),
	 "9: key 'upstreams.builtin': 'builtin' is no name for an upstream; allowed: 1 to 64 letters, digits, and any "
	 "of "
	 "_ . -"},
	{END("upstreams:\n"
	     "  app: { servers: [ 'http://a' ] }\n"
	     "  app: { servers: [ 'http://b' ] }\n"),
	 "10: key 'upstreams.app': this name is there twice"},
	/* who the client is */
	{HOST("  identity: [ envoy ]\n"),
	 "5: key 'hosts[0].identity[0]': 'envoy' is not known; allowed: rfc9440, rfc9440-leaf, xfcc, nginx"},
	{HOST("  identity: [ xfcc, xfcc ]\n"), "5: key 'hosts[0].identity[1]': this set is there twice"},
	BAD_ALLOW("everybody", "is not understood"),
	BAD_ALLOW("subject=", "is empty"),
	BAD_ALLOW("subject=Example", "is no name of the form TYPE=VALUE,TYPE=VALUE"),
	BAD_ALLOW("subject=CN=", "has an empty value"),
	BAD_ALLOW("issuer=CN=a,", "is no name of the form TYPE=VALUE,TYPE=VALUE"),
	BAD_ALLOW("issuer=CN=a\\", "ends in a backslash"),
	BAD_ALLOW("san=dns:", "is empty"),
	BAD_ALLOW("san=host:a", "is not understood"),
	BAD_ALLOW("san=ip:10.0.0.0/33", "has no valid length of a network"),
	BAD_ALLOW("san=ip:a", "is no address"),
	BAD_ALLOW("sha256=ab", "has not 64 hexadecimal digits"),
	BAD_ALLOW("sha256=xy", "is not hexadecimal"),
	BAD_ALLOW("eku=everything",
		  "is neither a dotted OID nor one of clientAuth, serverAuth, codeSigning, emailProtection, "
		  "smartcardLogon"),
	/* the rest of what an operator sets */
	{HOST("  max_request_body: -1\n"),
	 "5: key 'hosts[0].max_request_body': '-1' is not understood; allowed: " ALLOWED_SIZE "0 to 1024TiB, or off"},
	BAD_CONNECTIONS("head_timeout", "500ms", "is too small", ALLOWED_DURATION "1s to 24h"),
	BAD_CONNECTIONS("keepalive_timeout", "off", "is not understood", ALLOWED_DURATION "1s to 24h"),
	{END("admin: 9443\n"),
	 "8: key 'admin': '9443' is a port without an address; write ADDRESS:PORT; allowed: a "
	 "numeric address and port, such as "
	 "127.0.0.1:9443, localhost:PORT, unix:PATH, off, or a mapping of address, names and allow_from"},
	{END("admin: { names: [ a.example ] }\n"),
	 "8: key 'admin.address': this key is missing; allowed: a numeric "
	 "address and port, such as 127.0.0.1:9443, localhost:PORT, unix:PATH"},
	{END("admin: { address: off }\n"),
	 "8: key 'admin.address': 'off' has no port; write ADDRESS:PORT; allowed: a numeric address "
	 "and port, such as 127.0.0.1:9443, localhost:PORT, unix:PATH"},
	{END("admin: { address: 'unix:/a', names: a.example }\n"),
	 "8: key 'admin.names': a single value is not allowed here; write [ VALUE ]; allowed: a list of DNS names, "
	 "such as [ "
	 "gateway.example.com "
	 "]"},
	{END("admin: { address: 'unix:/a', names: [ a.example, A.example. ] }\n"),
	 "8: key 'admin.names[1]': 'A.example.' is there twice"},
	{END("admin: { address: 'unix:/a', names: [ '*.example' ] }\n"),
	 "8: key 'admin.names[0]': '*.example' is not understood; allowed: a list of DNS names, such as "
	 "[ gateway.example.com ]"},
	{END("admin: { address: 'unix:/a', port: 1 }\n"), "8: key 'admin.port': this key is not known; allowed: "
							  "address, names, allow_from"},
	{END("admin: { address: 'unix:/a', allow_from: [ 10.0.0.1/8x ] }\n"),
	 "8: key 'admin.allow_from[0]': '10.0.0.1/8x' does not have a prefix length that fits its address; "
	 "allowed: " ALLOWED_NETWORKS},
	{END("user: -x\n"), "8: key 'user': '-x' is not understood; allowed: the name of a user"},
	{END("sandbox: maybe\n"), "8: key 'sandbox': 'maybe' is not known; allowed: on, off"},
	{END("stop_timeout: 500ms\n"),
	 "8: key 'stop_timeout': '500ms' is too small; allowed: " ALLOWED_DURATION "1s to 24h"},
};
