/* The variables that values of `headers` may have. docs/CONFIGURATION.md says what each stands for. */
#ifndef GATEWAY_VARIABLES_H
#define GATEWAY_VARIABLES_H

#include "config/config.h"
#include "gateway/words.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* Appends the part of an identity that the variable names. False: the certificate does not have it, or it cannot stand
 * in a field's value; then nothing is to be made of the whole value. */
bool gw_variable_identity(unsigned variable, const struct tls_identity *identity, const struct tls_details *details,
			  struct gw_words *words);

/* The same of a certificate that is passed on unverified, and of the reason why it is. */
bool gw_variable_unverified(unsigned variable, const struct tls_identity *unverified, const char *reason,
			    struct gw_words *words);

#endif
