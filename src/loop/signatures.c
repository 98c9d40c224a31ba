#include "loop/signatures.h"

#include "base/clock.h"
#include "thaw/types.h"
#include "tls/signer.h"

static void on_answer(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)io;
	(void)events;
	tls_remote_serve(clock_now_ms());
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	tls_remote_serve(clock_now_ms());
}

static void watch(struct signatures *signatures, int events)
{
	if (ev_is_active(&signatures->answers) && (signatures->answers.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(signatures->loop, &signatures->answers);
	if (events == 0)
		return;
	ev_io_set(&signatures->answers, signatures->answers.fd, events);
	ev_io_start(signatures->loop, &signatures->answers);
}

/* The steps of this iteration may have sent requests. */
static void on_before_sleep(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct signatures *signatures = prepare->data;
	struct tls_remote_wants wants;
	uint64_t now_ms = clock_now_ms();

	(void)events;
	bool open = tls_remote_watch(now_ms, &wants);
	watch(signatures, !open ? 0 : wants.write ? EV_READ | EV_WRITE : EV_READ);
	ev_timer_stop(loop, &signatures->deadline);
	if (wants.deadline_ms == THAW_NEVER)
		return;
	/* One millisecond more, because libev's clock is finer than ours. */
	double delay = wants.deadline_ms > now_ms ? (double)(wants.deadline_ms - now_ms + 1) / 1000. : 0.;
	ev_timer_set(&signatures->deadline, delay, 0.);
	ev_timer_start(loop, &signatures->deadline);
}

void signatures_start(struct signatures *signatures, struct ev_loop *loop, int fd)
{
	tls_remote_use(fd);
	if (fd < 0)
		return;
	signatures->loop = loop;
	ev_io_init(&signatures->answers, on_answer, fd, EV_READ);
	ev_timer_init(&signatures->deadline, on_deadline, 0., 0.);
	ev_prepare_init(&signatures->before_sleep, on_before_sleep);
	ev_set_priority(&signatures->before_sleep, EV_MINPRI); /* after the steps of the connections */
	signatures->before_sleep.data = signatures;
	ev_prepare_start(loop, &signatures->before_sleep);
}

void signatures_stop(struct signatures *signatures)
{
	if (signatures->loop == NULL)
		return;
	ev_io_stop(signatures->loop, &signatures->answers);
	ev_timer_stop(signatures->loop, &signatures->deadline);
	ev_prepare_stop(signatures->loop, &signatures->before_sleep);
	signatures->loop = NULL;
}
