/* Determines the outcome of a transfer. */
#ifndef SEND_CONCLUDE_H
#define SEND_CONCLUDE_H

#include "send/transfer.h"

/* Fills in the result, from libcurl's return value and everything that was observed. */
void conclude(struct transfer *transfer, CURLcode code);

/* The server has asked for the certificate and ended TLS because of it. */
bool conclude_refuses_certificate(const struct transfer *transfer);

#endif
