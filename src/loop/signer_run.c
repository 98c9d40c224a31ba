/* The signer's process. */
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "loop/log.h"
#include "loop/sandbox.h"
#include "loop/signer.h"
#include "tls/signer.h"

struct signer_process {
	const struct signer_setup *setup;
	struct ev_loop *loop;
	ev_io *requests; /* one per worker */
	ev_signal term;
	struct channel channel;
};

static void on_request(struct ev_loop *loop, ev_io *io, int events)
{
	const struct signer_process *process = io->data;

	(void)events;
	if (tls_signer_serve(process->setup->keys, io->fd, clock_now_ms()))
		return;
	ev_io_stop(loop, io);
	log_say(process->setup->log, CONFIG_LOG_ERROR,
		"the signer process received an invalid request; it accepts no more requests from that worker");
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)signal;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void run(struct signer_process *process)
{
	const struct signer_links *links = process->setup->links;

	for (unsigned i = 0; i < links->count; i++) {
		ev_io_init(&process->requests[i], on_request, links->ends[i][1], EV_READ);
		process->requests[i].data = process;
		ev_io_start(process->loop, &process->requests[i]);
	}
	ev_signal_init(&process->term, on_term, SIGTERM);
	ev_signal_start(process->loop, &process->term);
	process->channel = (struct channel){0}; /* the master's messages are for workers */
	channel_start(&process->channel, process->loop, &process->setup->master);
	(void)ev_run(process->loop, 0);
	channel_stop(&process->channel);
	for (unsigned i = 0; i < links->count; i++)
		ev_io_stop(process->loop, &process->requests[i]);
	ev_signal_stop(process->loop, &process->term);
}

static bool open_keys(const struct signer_setup *setup)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	/* Not dumpable: other processes of the same user must not read the PINs in its memory. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && tls_signer_open(setup->keys, &err) == THAW_OK)
		return true;
	log_say(setup->log, CONFIG_LOG_ERROR, "%s", err.text);
	return false;
}

/* After the keys are open: a module may start programs for that. */
static bool lock_up(const struct signer_setup *setup)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (sandbox_enter_signer(setup->config, &err) == THAW_OK)
		return true;
	log_say(setup->log, CONFIG_LOG_ERROR, "the signer process cannot enter the sandbox: %s", err.text);
	return false;
}

int signer_run(const struct signer_setup *setup)
{
	struct signer_process process = {.setup = setup};

	signer_links_of_signer(setup->links);
	if (!open_keys(setup))
		return SIGNER_NO_KEYS;
	if (!lock_up(setup))
		return EXIT_FAILURE;
	process.requests = calloc(setup->links->count, sizeof(*process.requests));
	if (process.requests != NULL)
		process.loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	bool well = process.loop != NULL;
	if (well) {
		run(&process);
		ev_loop_destroy(process.loop);
	} else {
		log_say(setup->log, CONFIG_LOG_ERROR, "the signer process cannot start: out of memory");
	}
	free(process.requests);
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
