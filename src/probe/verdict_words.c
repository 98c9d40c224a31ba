/* The texts of a verdict, and its list of problems. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/h2_client.h"
#include "probe/verdict_inside.h"
#include "tls/observe.h"

/* ---- words ---- */

const char *verdict_name(enum probe_verdict code)
{
	static const char *const names[] = {
		[PROBE_NO_PROBLEM] = "no problem",
		[PROBE_LIMITED] = "limited",
		[PROBE_FREEZES] = "freezes",
		[PROBE_UNTOLD] = "could not tell",
	};
	return names[code];
}

const char *verdict_number(uint64_t number, char text[static VERDICT_NUMBER_MAX])
{
	char plain[VERDICT_NUMBER_MAX];
	int len = snprintf(plain, sizeof(plain), "%" PRIu64, number);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = plain[i];
	}
	text[at] = '\0';
	return text;
}

const char *verdict_style(enum check_style style)
{
	return style == CHECK_READS ? "a client that reads while it writes" : "a client that writes before it reads";
}

static const char *plain_outcome(enum check_outcome outcome)
{
	static const char *const words[] = {
		[CHECK_FREEZE] = "a freeze",
		[CHECK_SILENCE] = "no response",
		[CHECK_CLOSED] = "a closed connection",
		[CHECK_RESET] = "a reset connection",
		[CHECK_GARBLED] = "an invalid HTTP response",
		[CHECK_UNPRIMED] = "a connection that is closed after priming",
		[CHECK_PENDING] = "a timeout",
		[CHECK_NO_HTTP2] = "HTTP/1.1 only",
		[CHECK_SHAKE_STALL] = "a stalled handshake",
		[CHECK_UNREACHABLE] = "no connection",
		[CHECK_KEY_FAILED] = "no signature (the private key failed)",
		[CHECK_NO_MEMORY] = "nothing (out of memory)",
		[CHECK_WITHHELD] = "a certificate that was not sent",
		[CHECK_NOT_TLS] = "an invalid TLS record",
		[CHECK_UNTRUSTED] = "a server certificate that is not trusted",
	};

	return (size_t)outcome < sizeof(words) / sizeof(words[0]) && words[outcome] != NULL
		       ? words[outcome]
		       : check_outcome_name(outcome);
}

const char *verdict_outcome(const struct check_result *result, char text[static VERDICT_OUTCOME_MAX])
{
	bool handshaking = result->outcome == CHECK_SHAKE_FAILED;

	if (result->outcome == CHECK_ANSWERED)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%u", result->status);
	else if (result->outcome == CHECK_ALERTED || handshaking)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%s (%s)", handshaking ? "a failed handshake" : "an alert",
			       result->alert != 0 ? tls_alert_name(result->alert) : "no alert");
	else if (result->outcome == CHECK_H2_RESET)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "a reset stream (%s)",
			       result->h2_error == HTTP_H2_HTTP_1_1_REQUIRED ? "HTTP_1_1_REQUIRED" : "another error");
	else
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%s", plain_outcome(result->outcome));
	return text;
}

/* ---- problems ---- */

/* Adds a text to a list of at most max, or adds the versions to an entry with the same text and weight. */
static void add(struct verdict_problem *list, size_t *count, size_t max, const struct verdict_problem *added)
{
	for (size_t k = 0; k < *count; k++)
		if (strcmp(list[k].text, added->text) == 0 && list[k].weight == added->weight) {
			list[k].versions |= added->versions;
			return;
		}
	if (*count < max)
		list[(*count)++] = *added;
}

void verdict_add(struct verdict *verdict, enum probe_verdict weight, unsigned versions, const char *format, ...)
{
	struct verdict_problem problem = {.weight = weight, .versions = versions};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(problem.text, sizeof(problem.text), format, args);
	va_end(args);
	add(verdict->problems, &verdict->count, VERDICT_PROBLEMS_MAX, &problem);
}

void verdict_note(struct verdict *verdict, unsigned versions, const char *format, ...)
{
	struct verdict_problem note = {.versions = versions};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(note.text, sizeof(note.text), format, args);
	va_end(args);
	add(verdict->notes, &verdict->note_count, VERDICT_NOTES_MAX, &note);
}
