/* The variables in values of `headers`. docs/CONFIGURATION.md describes each of them. */
#ifndef GATEWAY_VARIABLES_H
#define GATEWAY_VARIABLES_H

#include "config/config.h"
#include "gateway/words.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* Appends the part of an identity that the variable names. False: the certificate does not have it, or it is not
 * allowed in a field value; then the whole value must not be used. */
bool gw_variable_identity(unsigned variable, const struct tls_identity *identity, const struct tls_details *details,
			  struct gw_words *words);

/* The same for a certificate that is passed on unverified, and for the reason why it is not trusted. */
bool gw_variable_unverified(unsigned variable, const struct tls_identity *unverified, const char *reason,
			    struct gw_words *words);

#endif
