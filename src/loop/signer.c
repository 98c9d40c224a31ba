#include "loop/signer.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "loop/log.h"
#include "loop/privileges.h"
#include "tls/signer.h"

static bool is_on_token(const char *key)
{
	return key != NULL && strncmp(key, "pkcs11:", strlen("pkcs11:")) == 0;
}

/* Returns whether Thaw presents a certificate to this upstream whose key is on a token. */
static bool upstream_needs(const struct config_upstream *upstream)
{
	bool tls = false;

	for (size_t i = 0; i < upstream->server_count; i++)
		tls = tls || upstream->servers[i].tls;
	return tls && upstream->tls.certificate != NULL && is_on_token(upstream->tls.key);
}

bool signer_is_needed(const struct config *config)
{
	for (size_t i = 0; i < config->host_count; i++)
		if (is_on_token(config->hosts[i].key))
			return true;
	for (size_t i = 0; i < config->upstream_count; i++)
		if (upstream_needs(&config->upstreams[i]))
			return true;
	return false;
}

/* ---- the sockets ---- */

bool signer_links_open(struct signer_links *links, unsigned count)
{
	*links = (struct signer_links){.ends = calloc(count, sizeof(*links->ends))};
	for (; links->ends != NULL && links->count < count; links->count++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, links->ends[links->count]) != 0) {
			int cause = errno;
			signer_links_close(links);
			errno = cause;
			return false;
		}
	return links->ends != NULL;
}

static void close_end(struct signer_links *links, unsigned i, unsigned side)
{
	if (links->ends[i][side] >= 0)
		(void)close(links->ends[i][side]);
	links->ends[i][side] = -1;
}

void signer_links_close(struct signer_links *links)
{
	for (unsigned i = 0; i < links->count; i++) {
		close_end(links, i, 0);
		close_end(links, i, 1);
	}
	free(links->ends);
	*links = (struct signer_links){.ends = NULL};
}

int signer_links_of_worker(struct signer_links *links, unsigned worker)
{
	int own = -1;

	if (worker < links->count) {
		own = links->ends[worker][0];
		links->ends[worker][0] = -1;
	}
	signer_links_close(links);
	return own;
}

/* ---- the keys ---- */

static struct tls_credentials_source source_of_host(const struct config_host *host)
{
	if (!is_on_token(host->key))
		return (struct tls_credentials_source){.key = NULL};
	return (struct tls_credentials_source){.certificate = host->certificate,
					       .key = host->key,
					       .setting = {.pass_phrase = host->key_passphrase,
							   .place = host->key_place,
							   .certificate_place = host->certificate_place}};
}

static struct tls_credentials_source source_of_upstream(const struct config_upstream *upstream)
{
	if (!upstream_needs(upstream))
		return (struct tls_credentials_source){.key = NULL};
	return (struct tls_credentials_source){.certificate = upstream->tls.certificate,
					       .key = upstream->tls.key,
					       .setting = {.pass_phrase = upstream->tls.key_passphrase,
							   .place = upstream->tls.key_place,
							   .certificate_place = upstream->tls.certificate_place}};
}

struct tls_signer *signer_keys(const struct config *config, struct thaw_error *err)
{
	size_t count = config->host_count + config->upstream_count;
	struct tls_credentials_source *sources = calloc(count, sizeof(*sources));
	struct tls_signer *keys = NULL;

	if (sources == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < config->host_count; i++)
		sources[i] = source_of_host(&config->hosts[i]);
	for (size_t i = 0; i < config->upstream_count; i++)
		sources[config->host_count + i] = source_of_upstream(&config->upstreams[i]);
	keys = tls_signer_new(sources, count, err);
	free(sources);
	return keys;
}

static enum thaw_status try_keys(void *arg, struct thaw_error *err)
{
	return tls_signer_open(arg, err);
}

enum thaw_status signer_check(const struct config *config, const struct privileges *privileges, struct thaw_error *err)
{
	if (!signer_is_needed(config))
		return THAW_OK;
	struct tls_signer *keys = signer_keys(config, err);
	enum thaw_status status = keys != NULL ? privileges_try(privileges, try_keys, keys, err) : THAW_FAILED;
	tls_signer_free(&keys);
	return status;
}

/* ---- the process ---- */

struct office {
	const struct signer_setup *setup;
	struct ev_loop *loop;
	ev_io *requests; /* one per worker */
	ev_signal term;
	struct channel channel;
};

static void on_request(struct ev_loop *loop, ev_io *io, int events)
{
	const struct office *office = io->data;

	(void)events;
	if (tls_signer_serve(office->setup->keys, io->fd, clock_now_ms()))
		return;
	ev_io_stop(loop, io);
	log_say(office->setup->log, CONFIG_LOG_ERROR,
		"the signer process received an invalid request; it accepts no more requests from that worker");
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)signal;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

/* The master's messages are for workers; the signer ignores them. */
static void on_said(void *arg)
{
	(void)arg;
}

static void on_log(void *arg, int fd)
{
	(void)arg;
	(void)close(fd);
}

static void let_term(int how)
{
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)sigprocmask(how, &term, NULL);
}

static void run(struct office *office)
{
	const struct signer_links *links = office->setup->links;

	for (unsigned i = 0; i < links->count; i++) {
		ev_io_init(&office->requests[i], on_request, links->ends[i][1], EV_READ);
		office->requests[i].data = office;
		ev_io_start(office->loop, &office->requests[i]);
	}
	ev_signal_init(&office->term, on_term, SIGTERM);
	ev_signal_start(office->loop, &office->term);
	let_term(SIG_UNBLOCK);
	office->channel = (struct channel){.go = on_said, .cut = on_said, .log = on_log};
	channel_start(&office->channel, office->loop, &office->setup->master);
	(void)ev_run(office->loop, 0);
	let_term(SIG_BLOCK);
	channel_stop(&office->channel);
	for (unsigned i = 0; i < links->count; i++)
		ev_io_stop(office->loop, &office->requests[i]);
	ev_signal_stop(office->loop, &office->term);
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

int signer_run(const struct signer_setup *setup)
{
	struct office office = {.setup = setup};

	for (unsigned i = 0; i < setup->links->count; i++)
		close_end(setup->links, i, 0);
	if (!open_keys(setup))
		return SIGNER_NO_KEYS;
	office.requests = calloc(setup->links->count, sizeof(*office.requests));
	if (office.requests != NULL)
		office.loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	bool well = office.loop != NULL;
	if (well) {
		run(&office);
		ev_loop_destroy(office.loop);
	} else {
		log_say(setup->log, CONFIG_LOG_ERROR, "the signer process cannot start: out of memory");
	}
	free(office.requests);
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
