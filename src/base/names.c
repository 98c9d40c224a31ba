/* Names of the enum values in thaw/types.h. */
#include "thaw/types.h"

#define NAME(table, value) \
	((size_t)(value) < sizeof(table) / sizeof((table)[0]) && (table)[value] != NULL ? (table)[value] : "unknown")

const char *thaw_means_name(enum thaw_means means)
{
	static const char *const names[] = {
		[THAW_MEANS_NONE] = "none",
		[THAW_MEANS_HANDSHAKE] = "handshake",
		[THAW_MEANS_POST_HANDSHAKE] = "post-handshake",
		[THAW_MEANS_RENEGOTIATION] = "renegotiation",
	};
	return NAME(names, means);
}

const char *thaw_moment_name(enum thaw_moment moment)
{
	static const char *const names[] = {
		[THAW_MOMENT_NONE] = "none", [THAW_MOMENT_HANDSHAKE] = "handshake", [THAW_MOMENT_HEADERS] = "headers",
		[THAW_MOMENT_BODY] = "body", [THAW_MOMENT_RESPONSE] = "response",
	};
	return NAME(names, moment);
}

const char *thaw_verdict_name(enum thaw_verdict verdict)
{
	static const char *const names[] = {
		[THAW_VERDICT_NONE] = "none",
		[THAW_VERDICT_PENDING] = "pending",
		[THAW_VERDICT_ACCEPTED] = "accepted",
		[THAW_VERDICT_DECLINED] = "declined",
		[THAW_VERDICT_REJECTED] = "rejected",
		[THAW_VERDICT_TIMED_OUT] = "timed-out",
		[THAW_VERDICT_OVER_LIMIT] = "over-limit",
		[THAW_VERDICT_IMPOSSIBLE] = "impossible",
		[THAW_VERDICT_CANCELLED] = "cancelled",
	};
	return NAME(names, verdict);
}

const char *thaw_reason_name(enum thaw_reason reason)
{
	static const char *const names[] = {
		[THAW_REASON_NONE] = "none",
		[THAW_REASON_NO_POST_HANDSHAKE] = "no-post-handshake-auth",
		[THAW_REASON_NO_SECURE_RENEG] = "no-secure-renegotiation",
		[THAW_REASON_NO_EXTENDED_MASTER] = "no-extended-master-secret",
		[THAW_REASON_VERSION] = "tls-version",
		[THAW_REASON_HTTP2] = "http2",
		[THAW_REASON_OUTSTANDING] = "request-outstanding",
		[THAW_REASON_REFUSED_RENEG] = "renegotiation-refused",
		[THAW_REASON_NO_CERTIFICATE] = "no-certificate",
		[THAW_REASON_UNTRUSTED] = "untrusted",
		[THAW_REASON_IDENTITY_CHANGED] = "identity-changed",
		[THAW_REASON_NOT_ALLOWED] = "not-allowed",
		[THAW_REASON_NO_ANSWER] = "no-answer",
		[THAW_REASON_BODY_IDLE] = "body-idle",
		[THAW_REASON_BODY_SIZE] = "body-size",
		[THAW_REASON_PIPELINED] = "pipelined",
		[THAW_REASON_BUDGET_CLIENT] = "budget-client",
		[THAW_REASON_BUDGET_WORKER] = "budget-worker",
		[THAW_REASON_BUDGET_TOTAL] = "budget-total",
		[THAW_REASON_NO_MEMORY] = "no-memory",
		[THAW_REASON_DISK_FULL] = "disk-full",
		[THAW_REASON_DISK_ERROR] = "disk-error",
		[THAW_REASON_CONNECTION] = "connection",
		[THAW_REASON_CALLER] = "caller",
		[THAW_REASON_BUDGET_PRESSURE] = "budget-pressure",
	};
	return NAME(names, reason);
}

const char *thaw_status_name(enum thaw_status status)
{
	static const char *const names[] = {
		[THAW_OK] = "ok",         [THAW_WANT_READ] = "want-read", [THAW_WANT_WRITE] = "want-write",
		[THAW_CLOSED] = "closed", [THAW_FAILED] = "failed",
	};
	return NAME(names, status);
}

const char *thaw_version(void)
{
	return THAW_VERSION_TEXT;
}

uint32_t thaw_version_number(void)
{
	return THAW_VERSION;
}
