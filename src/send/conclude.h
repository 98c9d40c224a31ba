/* What came of a transfer. */
#ifndef SEND_CONCLUDE_H
#define SEND_CONCLUDE_H

#include "send/transfer.h"

/* Fills in the result, by what libcurl returned and all that was seen. */
void conclude(struct transfer *transfer, CURLcode code);

/* The server has asked for the certificate, and ended TLS because of it. */
bool conclude_refuses_certificate(const struct transfer *transfer);

#endif
