#include "cli/identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/report.h"
#include "cli/secret.h"
#include "tls/client.h"
#include "tls/pkcs11.h"

bool cli_identity_take(struct cli_identity *identity, int option, char *argument)
{
	const char **const taken[] = {&identity->certificate, &identity->key, &identity->pkcs12, &identity->ca};

	if (option < CLI_CERT || option >= CLI_IDENTITY_END)
		return false;
	if (option == CLI_INSECURE)
		identity->insecure = true;
	else if (option == CLI_PASS)
		identity->secret = argument;
	else
		*taken[option - CLI_CERT] = argument;
	return true;
}

int cli_identity_check(const char *command, const struct cli_identity *identity)
{
	if (identity->pkcs12 != NULL && (identity->certificate != NULL || identity->key != NULL))
		return cli_bad_usage(command,
				     "--pkcs12 cannot be used with --cert or --key: the file has certificate and key");
	if (identity->ca != NULL && identity->insecure)
		return cli_bad_usage(command, "--ca and --insecure cannot be used together");
	if (identity->secret != NULL && !cli_secret_is_source(identity->secret)) {
		cli_secret_hide(identity->secret); /* in case it is the pass phrase itself, as curl accepts */
		return cli_bad_usage(command, "--pass does not take the pass phrase itself, because other users can "
					      "see the command line; allowed: file:FILE, fd:NUMBER, env:NAME");
	}
	return 0;
}

void cli_identity_trust(struct cli_identity *identity, bool quiet)
{
	static const char *const files[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
	const char *name = NULL, *value = NULL, *folder = getenv("SSL_CERT_DIR");

	identity->trust = identity->ca;
	if (identity->ca != NULL || identity->insecure)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && (value == NULL || *value == '\0'); i++) {
		name = files[i];
		value = getenv(name);
	}
	if (value != NULL && *value != '\0')
		identity->trust = value;
	if (folder != NULL && *folder != '\0')
		identity->trust_folder = folder;
	if (identity->trust != NULL && !quiet)
		(void)fprintf(stderr, "trusting the CAs in the file %s (%s)\n", identity->trust, name);
	if (identity->trust_folder != NULL && !quiet)
		(void)fprintf(stderr, "trusting the CAs in the folder %s (SSL_CERT_DIR)\n", identity->trust_folder);
}

bool cli_identity_can_trust(const struct cli_identity *identity, struct thaw_error *err)
{
	const struct tls_client_options options = {.ca = identity->trust, .ca_folder = identity->trust_folder};
	struct tls_client_context *context = NULL;

	if (identity->trust == NULL && identity->trust_folder == NULL)
		return true;
	context = tls_client_context_new(&options, err);
	bool can = context != NULL;
	tls_client_context_free(&context);
	return can;
}

bool cli_identity_on_token(const struct cli_identity *identity)
{
	const char *key = identity->key != NULL ? identity->key : identity->certificate;

	return key != NULL && pkcs11_is_uri(key);
}

bool cli_identity_load(const struct cli_identity *identity, struct tls_credentials **credentials,
		       struct thaw_error *err)
{
	struct tls_credentials_source source = {
		.certificate = identity->certificate,
		.key = identity->key,
		.pkcs12 = identity->pkcs12,
		.secret = {.ask = cli_secret_ask, .arg = identity->secret},
	};

	*credentials = NULL;
	if (source.certificate == NULL && source.key == NULL && source.pkcs12 == NULL)
		return true;
	*credentials = tls_credentials_new(&source, err);
	if (!cli_identity_on_token(identity)) /* some tokens ask for the PIN again */
		cli_secret_forget(identity->secret);
	return *credentials != NULL;
}
