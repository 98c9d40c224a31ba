/* Whether a route's rules allow a verified certificate. Pure functions. */
#ifndef GATEWAY_ALLOW_H
#define GATEWAY_ALLOW_H

#include "config/config.h"
#include "tls/details.h"

/* True without rules, or if every test of one of them holds. sha256_hex: of the certificate, 64 lower-case digits. */
bool gw_allow(const struct config_certificate *settings, const struct tls_details *details, const char *sha256_hex);

#endif
