/* The outcome of an upload in one line. */
#include <stdio.h>

#include "send/explain.h"
#include "tls/observe.h"

const char *send_size_text(uint64_t bytes, char to[static SEND_SIZE_ROOM])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1024;
		unit++;
	}
	(void)snprintf(to, SEND_SIZE_ROOM, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
	return to;
}

/* "26.0 MiB of 50.0 MiB" */
static const char *far_text(const struct send_result *result, char to[static 3 * SEND_SIZE_ROOM])
{
	char sent[SEND_SIZE_ROOM], total[SEND_SIZE_ROOM];

	(void)snprintf(to, (size_t)3 * SEND_SIZE_ROOM, "%s%s%s", send_size_text(result->sent, sent),
		       result->total >= 0 ? " of " : "",
		       result->total >= 0 ? send_size_text((uint64_t)result->total, total) : "");
	return to;
}

static const char *ask_text(const struct send_result *result)
{
	return result->ask_count > 0 || result->asked_before ? "the server has asked for a certificate"
							     : "the server has not asked for a certificate";
}

const char *send_outcome_text(const struct send_result *result, char to[static SEND_OUTCOME_ROOM])
{
	char far[3 * SEND_SIZE_ROOM], with[SEND_SIZE_ROOM];
	const char *how_far = far_text(result, far), *words = result->err.text;

	switch (result->cause) {
	case SEND_DONE:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "sent %s in %.1f s: %ld", how_far, (double)result->ms / 1000,
			       result->status);
		break;
	case SEND_REFUSED:
	case SEND_EARLY:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the server answered %ld after %s; %s", result->status, how_far,
			       ask_text(result));
		break;
	case SEND_STALLED:
		if (result->stalled_with > 0)
			(void)snprintf(to, SEND_OUTCOME_ROOM, "stalled: only %s transferred in %.1f s, after %s; %s",
				       send_size_text(result->stalled_with, with), (double)result->stalled_ms / 1000,
				       how_far, ask_text(result));
		else
			(void)snprintf(to, SEND_OUTCOME_ROOM, "stalled: no progress for %.1f s, after %s; %s",
				       (double)result->stalled_ms / 1000, how_far, ask_text(result));
		break;
	case SEND_LOST:
	case SEND_TIMEOUT:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "%s after %s: %s; %s",
			       result->cause == SEND_TIMEOUT ? "timed out"
			       : result->oversized           ? "the upload was given up"
							     : "the connection was closed",
			       how_far, words, ask_text(result));
		break;
	case SEND_NO_KEY:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the client's private key could not sign: %s",
			       result->key_reason);
		break;
	case SEND_NO_CERTIFICATE:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "the server refused the certificate: TLS alert %u (%s)",
			       result->alert, tls_alert_name(result->alert));
		break;
	case SEND_NO_HOST:
	case SEND_NO_WAY:
	case SEND_NO_TRUST:
	case SEND_NO_TLS:
	case SEND_UNPRIMED:
	case SEND_NO_BODY:
	case SEND_NO_SENSE:
	case SEND_NO_OUT:
	case SEND_NO_ROOM:
		(void)snprintf(to, SEND_OUTCOME_ROOM, "%s", words);
		break;
	}
	return to;
}
