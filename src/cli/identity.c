#include "cli/identity.h"

#include "cli/report.h"
#include "cli/secret.h"
#include "tls/pkcs11.h"

bool cli_identity_take(struct cli_identity *identity, int option, const char *argument)
{
	const char **const taken[] = {&identity->certificate, &identity->key, &identity->pkcs12, &identity->ca};

	if (option < CLI_CERT || option >= CLI_IDENTITY_END)
		return false;
	if (option == CLI_INSECURE)
		identity->insecure = true;
	else
		*taken[option - CLI_CERT] = argument;
	return true;
}

int cli_identity_check(const char *command, const struct cli_identity *identity)
{
	if (identity->pkcs12 != NULL && (identity->certificate != NULL || identity->key != NULL))
		return cli_bad_usage(command, "--pkcs12 has certificate and key: not with --cert or --key");
	if (identity->ca != NULL && identity->insecure)
		return cli_bad_usage(command, "--ca and --insecure contradict each other");
	return 0;
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
		.secret = {.ask = cli_secret_ask},
	};

	*credentials = NULL;
	if (source.certificate == NULL && source.key == NULL && source.pkcs12 == NULL)
		return true;
	*credentials = tls_credentials_new(&source, err);
	return *credentials != NULL;
}
