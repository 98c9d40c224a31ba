/* `thaw demo --frozen-server`: the server that freezes, for users to try their own clients on. */
#ifndef CLI_FROZEN_H
#define CLI_FROZEN_H

struct frozen_settings {
	const char *listen;     /* HOST:PORT; NULL: the default */
	const char *pki;        /* NULL: THROWAWAY_PKI */
	const char *read_ahead; /* as they were given: decimal numbers; NULL: the defaults */
	const char *give_up;
};

/* Serves until it is interrupted. The exit code. */
int frozen_serve(const struct frozen_settings *settings);

#endif
