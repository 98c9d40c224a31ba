/*
 * The options with which a command is told who the client is, and whom it believes; shared by those that connect to a
 * server. A command puts CLI_IDENTITY_OPTIONS into its table and CLI_IDENTITY_HELP into its help.
 */
#ifndef CLI_IDENTITY_H
#define CLI_IDENTITY_H

#include <getopt.h>

#include "thaw/types.h"
#include "tls/credentials.h"

struct cli_identity {
	const char *certificate, *key; /* files or pkcs11: URIs */
	const char *pkcs12, *ca;
	char *secret; /* where a pass phrase or PIN is; NULL: asked for on the terminal */
	bool insecure;
	const char *trust, *trust_folder; /* of cli_identity_trust() */
};

/* getopt_long()'s results; a command's own begin behind them. */
enum cli_identity_option { CLI_CERT = 0x1000, CLI_KEY, CLI_PKCS12, CLI_CA, CLI_PASS, CLI_INSECURE, CLI_IDENTITY_END };

#define CLI_IDENTITY_OPTIONS                                                                              \
	{"cert", required_argument, NULL, CLI_CERT}, {"key", required_argument, NULL, CLI_KEY},           \
		{"pkcs12", required_argument, NULL, CLI_PKCS12}, {"ca", required_argument, NULL, CLI_CA}, \
		{"pass", required_argument, NULL, CLI_PASS},                                              \
	{                                                                                                 \
		"insecure", no_argument, NULL, CLI_INSECURE                                               \
	}

#define CLI_IDENTITY_HELP                                                                                             \
	"  --cert FILE      the client's certificate and its chain (PEM), or a pkcs11: URI\n"                         \
	"  --key FILE       its private key (PEM), or a pkcs11: URI; without it: in --cert's file, or on its token\n" \
	"  --pkcs12 FILE    certificate, chain and key in a PKCS #12 file (.p12, .pfx)\n"                             \
	"  --ca FILE        CA certificates to verify the server with (PEM); default: the system's\n"                 \
	"  --insecure       skip verification of the server\n"                                                        \
	"  --pass SOURCE    the pass phrase or PIN: file:FILE (its first line), fd:NUMBER (a line) or env:NAME;\n"    \
	"                   default: it is asked for on the terminal\n"

/* False: the option is not one of these. argument: optarg. */
bool cli_identity_take(struct cli_identity *identity, int option, char *argument);

/* Whether they fit together: 0, or EX_USAGE after telling what does not. */
int cli_identity_check(const char *command, const struct cli_identity *identity);

/*
 * Whom to believe: --ca, or else the file of CURL_CA_BUNDLE or SSL_CERT_FILE, and the folder of SSL_CERT_DIR, as curl
 * and OpenSSL take them. Unless quiet, says so when it comes from the environment: a variable is easily
 * forgotten.
 */
void cli_identity_trust(struct cli_identity *identity, bool quiet);

/* Whether the files of cli_identity_trust() can be read. False with *err set. */
bool cli_identity_can_trust(const struct cli_identity *identity, struct thaw_error *err);

/* The key is on a token. */
bool cli_identity_on_token(const struct cli_identity *identity);

/* False with *err set: they cannot be read. *credentials NULL: none are named. */
bool cli_identity_load(const struct cli_identity *identity, struct tls_credentials **credentials,
		       struct thaw_error *err);

#endif
