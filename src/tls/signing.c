#include "tls/signing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fibre.h"
#include "base/require.h"
#include "tls/signer.h"

#define ANSWERS_MAX 16 /* read in one call: those that are expected, and some that are too late */

enum sign_state {
	FREE,
	RUNNING, /* a handshake runs on its stack */
	UNSENT,  /* the handshake is paused, and the socket had no room for its request */
	SENT,    /* the handshake is paused, and the signer has its request */
	READY,   /* the handshake is paused, and can continue: there is a signature, or why there is none */
	OWED,    /* no handshake: it was given up, and the signer may still be busy with its request */
	STATES
};

struct sign_slot {
	enum sign_state state;
	struct fibre *fibre; /* made when first needed, and kept */
	struct tls_signing *owner;
	SSL *ssl;
	int result; /* of SSL_do_handshake() */
	struct sign_request request;
	struct sign_answer answer;
	const char *why;   /* there is no signature; NULL: there is */
	uint64_t until_ms; /* the state's deadline */
	bool owed;         /* the request was sent, is not answered, and has not expired */
};

TAILQ_HEAD(sign_line, tls_signing);

/* Of this process: it has at most one signer. */
static struct {
	int fd;            /* -1: no signer */
	uint64_t next_id;  /* begins anywhere: answers to a worker that had this socket before are not taken */
	uint64_t retry_ms; /* no signature is requested before */
	struct sign_slot slots[TLS_SIGN_FLIGHT];
	struct sign_slot *current; /* on whose stack this process is; NULL: its own */
	struct sign_line line;
	const char *failure;
} to_signer = {.fd = -1, .line = TAILQ_HEAD_INITIALIZER(to_signer.line)};

#define BIT(state) (1u << (state))

/* The only writer of slot->state. */
static void enter(struct sign_slot *slot, enum sign_state to)
{
	static const struct {
		const char *name;
		unsigned next;
	} states[STATES] = {
		[FREE] = {"free", BIT(RUNNING)},
		[RUNNING] = {"running", BIT(UNSENT) | BIT(FREE) | BIT(OWED)},
		[UNSENT] = {"unsent", BIT(SENT) | BIT(READY)},
		[SENT] = {"sent", BIT(READY)},
		[READY] = {"ready", BIT(RUNNING)},
		[OWED] = {"owed", BIT(FREE)},
	};
	bool allowed = (states[slot->state].next & BIT(to)) != 0;

	(void)require_transition(allowed, "signature", states[slot->state].name, states[to].name);
	slot->state = to;
}

/* ---- the line ---- */

static size_t free_slots(void)
{
	size_t count = 0;

	for (size_t i = 0; i < TLS_SIGN_FLIGHT; i++)
		count += to_signer.slots[i].state == FREE;
	return count;
}

static void leave_line(struct tls_signing *signing)
{
	if (signing->lined)
		TAILQ_REMOVE(&to_signer.line, signing, line);
	signing->lined = false;
	signing->woken_ms = 0;
}

static void enter_line(struct tls_signing *signing)
{
	if (signing->lined)
		return;
	TAILQ_INSERT_TAIL(&to_signer.line, signing, line);
	signing->lined = true;
}

/* Whether there is a slot for it, and nobody before it in line for that slot. */
static bool has_turn(const struct tls_signing *signing)
{
	size_t left = free_slots();
	const struct tls_signing *other = TAILQ_FIRST(&to_signer.line);

	for (; left > 0 && other != NULL && other != signing; other = TAILQ_NEXT(other, line))
		left--;
	return left > 0;
}

static void wake(struct tls_signing *signing)
{
	if (signing->wake != NULL)
		signing->wake(signing->arg);
}

/* Wakes as many as there are free slots. One that was woken and does not come goes to the end of the line. */
static void call_line(void)
{
	uint64_t now_ms = clock_now_ms();
	size_t left = free_slots();
	struct tls_signing *next, *first = TAILQ_FIRST(&to_signer.line);

	for (; left > 0 && first != NULL; left--, first = next) {
		next = TAILQ_NEXT(first, line);
		if (first->woken_ms == 0) {
			first->woken_ms = now_ms;
			wake(first);
		} else if (now_ms - first->woken_ms >= TLS_SIGN_REST_MS && next != NULL) {
			leave_line(first);
			enter_line(first);
		}
	}
}

/* ---- requests ---- */

bool tls_signing_fail(const char *why)
{
	to_signer.failure = why;
	return false;
}

const char *tls_remote_failure(void)
{
	const char *failure = to_signer.failure;

	to_signer.failure = NULL;
	return failure;
}

/* The paused handshake of this slot can continue. */
static void ready(struct sign_slot *slot, const char *why)
{
	enter(slot, READY);
	slot->why = why;
	slot->until_ms = clock_now_ms() + TLS_SIGN_MS;
	wake(slot->owner);
}

static void send_request(struct sign_slot *slot)
{
	ssize_t put = send(to_signer.fd, &slot->request, sizeof(slot->request), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put == (ssize_t)sizeof(slot->request)) {
		slot->owed = true;
		enter(slot, SENT);
	} else if (put >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ENOBUFS)) {
		ready(slot, "the signer process cannot be reached");
	}
}

bool tls_signing_ask(struct sign_request *request, struct sign_answer *answer)
{
	struct sign_slot *slot = to_signer.current;
	uint64_t now_ms = clock_now_ms();

	if (slot == NULL)
		return tls_signing_fail("this handshake is not prepared for a key on a token");
	if (slot->why != NULL) /* it is given up */
		return tls_signing_fail(slot->why);
	if (to_signer.fd < 0)
		return tls_signing_fail("there is no signer process");
	if (now_ms < to_signer.retry_ms)
		return tls_signing_fail("the signer process recently did not answer in time");
	request->id = to_signer.next_id++;
	request->until_ms = slot->until_ms = now_ms + TLS_SIGN_MS;
	slot->request = *request;
	enter(slot, UNSENT);
	send_request(slot);
	fibre_pause(slot->fibre);
	if (slot->why != NULL)
		return tls_signing_fail(slot->why);
	*answer = slot->answer;
	return true;
}

/* ---- handshakes ---- */

static void do_handshake(void *arg)
{
	struct sign_slot *slot = arg;

	slot->result = SSL_do_handshake(slot->ssl);
}

bool tls_signing_here(struct tls_signing *signing)
{
	signing->wanted = true;
	return to_signer.current != NULL && to_signer.current->owner == signing;
}

/* A server signs with the messages that it writes after a ClientHello, a client until its handshake is over. */
static bool may_still_sign(const SSL *ssl, int result)
{
	int why = result != 1 ? SSL_get_error(ssl, result) : SSL_ERROR_NONE;

	return why == SSL_ERROR_WANT_WRITE || (why == SSL_ERROR_WANT_READ && SSL_is_server(ssl) == 0);
}

/* Begins or continues the handshake in its slot. False: it has paused. */
static bool run(struct sign_slot *slot)
{
	bool paused = slot->state == READY;

	enter(slot, RUNNING);
	to_signer.current = slot;
	bool over = paused ? fibre_resume(slot->fibre) : fibre_begin(slot->fibre, do_handshake, slot);
	to_signer.current = NULL;
	return over;
}

static void release(struct sign_slot *slot)
{
	slot->owner->slot = NULL;
	slot->owner = NULL;
	slot->ssl = NULL;
	enter(slot, slot->owed ? OWED : FREE);
	if (slot->owed)
		slot->until_ms = slot->request.until_ms;
}

/* Gives it a slot, if it has its turn. False: out of memory. */
static bool take_slot(struct tls_signing *signing, SSL *ssl)
{
	struct sign_slot *slot = to_signer.slots;

	if (!has_turn(signing)) {
		enter_line(signing);
		return true;
	}
	leave_line(signing);
	while (slot->state != FREE)
		slot++;
	if (slot->fibre == NULL && (slot->fibre = fibre_new()) == NULL)
		return false;
	slot->owner = signing;
	slot->ssl = ssl;
	slot->why = NULL;
	signing->slot = slot;
	return true;
}

static bool go_on(struct tls_signing *signing, SSL *ssl, int *result)
{
	if (signing->slot == NULL && !take_slot(signing, ssl)) {
		signing->wanted = false;
		ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
		*result = -1;
		call_line();
		return true;
	}
	struct sign_slot *slot = signing->slot;
	if (slot == NULL || slot->state == SENT || slot->state == UNSENT || !run(slot))
		return false;
	*result = slot->result;
	signing->wanted = may_still_sign(ssl, slot->result);
	release(slot);
	call_line();
	return true;
}

bool tls_signing_handshake(struct tls_signing *signing, struct ssl_st *ssl, int *result)
{
	to_signer.failure = NULL;
	if (!signing->wanted) {
		*result = SSL_do_handshake(ssl);
		if (!signing->wanted)
			return true;
		ERR_clear_error();
	}
	errno = 0;
	return go_on(signing, ssl, result);
}

bool tls_signing_waits(const struct tls_signing *signing)
{
	if (signing->slot != NULL)
		return signing->slot->state == SENT || signing->slot->state == UNSENT;
	return signing->wanted && !has_turn(signing);
}

void tls_signing_end(struct tls_signing *signing)
{
	struct sign_slot *slot = signing->slot;

	leave_line(signing);
	signing->wanted = false;
	signing->wake = NULL;
	if (slot != NULL) {
		if (slot->state != READY)
			enter(slot, READY);
		slot->why = "the connection has ended";
		(void)run(slot); /* to its end: it gets no signature */
		ERR_clear_error();
		to_signer.failure = NULL;
		release(slot);
	}
	call_line();
}

/* ---- events ---- */

void tls_remote_use(int fd)
{
	to_signer.fd = fd;
	to_signer.retry_ms = 0;
	if (RAND_bytes((unsigned char *)&to_signer.next_id, sizeof(to_signer.next_id)) != 1)
		to_signer.fd = -1; /* handshakes fail, too, if there is no randomness */
	ERR_clear_error();
}

static void take_answer(const struct sign_answer *answer)
{
	for (size_t i = 0; i < TLS_SIGN_FLIGHT; i++) {
		struct sign_slot *slot = &to_signer.slots[i];
		if (!slot->owed || slot->request.id != answer->id)
			continue;
		slot->owed = false;
		to_signer.retry_ms = 0;
		if (slot->state == OWED)
			enter(slot, FREE);
		if (slot->state != SENT)
			return;
		slot->answer = *answer;
		bool made = answer->len > 0 && answer->len <= sizeof(answer->signature);
		ready(slot, made ? NULL : "the token made no signature");
		return;
	}
}

static void take_answers(void)
{
	struct sign_answer answer;

	for (unsigned i = 0; i < ANSWERS_MAX && to_signer.fd >= 0; i++) {
		ssize_t got = recv(to_signer.fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (got <= 0)
			to_signer.fd = -1;
		else if (got == (ssize_t)sizeof(answer))
			take_answer(&answer);
	}
}

static bool is_unanswered(const struct sign_slot *slot)
{
	return slot->state == UNSENT || slot->state == SENT || slot->state == OWED;
}

/* The state's deadline has passed. */
static void expire(struct sign_slot *slot, uint64_t now_ms)
{
	if (is_unanswered(slot)) {
		slot->owed = false; /* the signer skips it */
		to_signer.retry_ms = now_ms + TLS_SIGN_REST_MS;
	}
	if (slot->state == OWED)
		enter(slot, FREE);
	else if (slot->state == READY)
		tls_signing_end(slot->owner); /* its owner was woken, but does not need it */
	else
		ready(slot, "the signer process did not answer in time");
}

void tls_remote_serve(uint64_t now_ms)
{
	take_answers();
	for (size_t i = 0; i < TLS_SIGN_FLIGHT; i++) {
		struct sign_slot *slot = &to_signer.slots[i];
		if (slot->state == UNSENT)
			send_request(slot);
		if (slot->state != FREE && now_ms >= slot->until_ms)
			expire(slot, now_ms);
	}
	call_line();
}

bool tls_remote_watch(uint64_t now_ms, struct tls_remote_wants *wants)
{
	*wants = (struct tls_remote_wants){.deadline_ms = THAW_NEVER};
	for (size_t i = 0; i < TLS_SIGN_FLIGHT; i++) {
		const struct sign_slot *slot = &to_signer.slots[i];
		wants->write = wants->write || slot->state == UNSENT;
		if (slot->state != FREE && slot->until_ms < wants->deadline_ms)
			wants->deadline_ms = slot->until_ms;
	}
	if (!TAILQ_EMPTY(&to_signer.line) && free_slots() > 0 && now_ms + TLS_SIGN_REST_MS < wants->deadline_ms)
		wants->deadline_ms = now_ms + TLS_SIGN_REST_MS;
	return to_signer.fd >= 0;
}
