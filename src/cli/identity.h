/*
 * The options for the client's certificate and for the CAs to trust, shared by the commands that connect to a
 * server. A command adds CLI_IDENTITY_OPTIONS to its table and CLI_IDENTITY_HELP to its help.
 */
#ifndef CLI_IDENTITY_H
#define CLI_IDENTITY_H

#include <getopt.h>

#include "thaw/types.h"
#include "tls/credentials.h"

struct cli_identity {
	const char *certificate, *key; /* files or pkcs11: URIs */
	const char *pkcs12, *ca;
	char *secret; /* source of the pass phrase or PIN; NULL: ask on the terminal */
	bool insecure;
	const char *trust, *trust_folder; /* set by cli_identity_trust() */
};

/* Return values of getopt_long(); a command's own values start after them. */
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
	"  --key FILE       its private key (PEM), or a pkcs11: URI; default: in the file or on the token of "        \
	"--cert\n"                                                                                                    \
	"  --pkcs12 FILE    certificate, chain and key in one PKCS #12 file (.p12, .pfx)\n"                           \
	"  --ca FILE        CA certificates to verify the server with (PEM); default: CURL_CA_BUNDLE, SSL_CERT_FILE " \
	"or\n"                                                                                                        \
	"                   SSL_CERT_DIR in the environment, or else the system's\n"                                  \
	"  --insecure       do not verify the server\n"                                                               \
	"  --pass SOURCE    read the pass phrase or PIN from file:FILE (first line), fd:NUMBER (one line) or "        \
	"env:NAME;\n"                                                                                                 \
	"                   default: ask on the terminal\n"

/* Returns false if the option is not one of these. argument: optarg. */
bool cli_identity_take(struct cli_identity *identity, int option, char *argument);

/* Checks that the options can be combined. Returns 0, or EX_USAGE after printing an error. */
int cli_identity_check(const char *command, const struct cli_identity *identity);

/*
 * Sets the CAs to trust: --ca, else the file in CURL_CA_BUNDLE or SSL_CERT_FILE and the folder in SSL_CERT_DIR, like
 * curl and OpenSSL. Prints a note when the environment is used, unless quiet.
 */
void cli_identity_trust(struct cli_identity *identity, bool quiet);

/* Whether the files set by cli_identity_trust() can be read. False with *err set. */
bool cli_identity_can_trust(const struct cli_identity *identity, struct thaw_error *err);

/* Whether the key is on a token. */
bool cli_identity_on_token(const struct cli_identity *identity);

/* False with *err set if the files cannot be read. *credentials is NULL if no files are named. */
bool cli_identity_load(const struct cli_identity *identity, struct tls_credentials **credentials,
		       struct thaw_error *err);

#endif
