/* By getcontext() and swapcontext() of libc. POSIX has dropped them, but glibc and other C libraries of Linux keep
 * them, and OpenSSL's ASYNC jobs are built on them, too; those have stacks of 32 KiB without a guard page. */
#include "base/fibre.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

struct fibre {
	ucontext_t own, caller;
	void *mapped; /* guard page and stack */
	size_t guard;
	void (*fn)(void *arg);
	void *arg;
	bool over;
	/* for AddressSanitizer: what it keeps of each stack, and where the caller's is */
	void *own_shadow, *caller_shadow;
	const void *caller_bottom;
	size_t caller_size;
};

/* makecontext() passes only ints. */
static _Thread_local struct fibre *beginning;

/* ---- AddressSanitizer must know on which stack the program is ---- */

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define leave  __sanitizer_start_switch_fiber
#define arrive __sanitizer_finish_switch_fiber
#else
static void leave(void **shadow, const void *bottom, size_t size)
{
	(void)shadow;
	(void)bottom;
	(void)size;
}

static void arrive(void *shadow, const void **bottom, size_t *size)
{
	(void)shadow;
	(void)bottom;
	(void)size;
}
#endif

/* ---- switching ---- */

static void run(void)
{
	struct fibre *fibre = beginning;

	arrive(NULL, &fibre->caller_bottom, &fibre->caller_size);
	fibre->fn(fibre->arg);
	fibre->over = true;
	leave(NULL, fibre->caller_bottom, fibre->caller_size);
	(void)swapcontext(&fibre->own, &fibre->caller);
}

/* The signal mask is part of a context. A fibre has that of its caller now, not that of the time when it paused. */
static bool enter(struct fibre *fibre)
{
	(void)sigprocmask(SIG_SETMASK, NULL, &fibre->own.uc_sigmask);
	leave(&fibre->caller_shadow, (char *)fibre->mapped + fibre->guard, FIBRE_STACK);
	(void)swapcontext(&fibre->caller, &fibre->own);
	arrive(fibre->caller_shadow, NULL, NULL);
	return fibre->over;
}

bool fibre_begin(struct fibre *fibre, void (*fn)(void *arg), void *arg)
{
	fibre->fn = fn;
	fibre->arg = arg;
	fibre->over = false;
	(void)getcontext(&fibre->own);
	fibre->own.uc_stack.ss_sp = (char *)fibre->mapped + fibre->guard;
	fibre->own.uc_stack.ss_size = FIBRE_STACK;
	fibre->own.uc_link = NULL;
	makecontext(&fibre->own, run, 0);
	beginning = fibre;
	return enter(fibre);
}

bool fibre_resume(struct fibre *fibre)
{
	return enter(fibre);
}

void fibre_pause(struct fibre *fibre)
{
	leave(&fibre->own_shadow, fibre->caller_bottom, fibre->caller_size);
	(void)swapcontext(&fibre->own, &fibre->caller);
	arrive(fibre->own_shadow, &fibre->caller_bottom, &fibre->caller_size);
}

/* ---- creation ---- */

struct fibre *fibre_new(void)
{
	struct fibre *fibre = calloc(1, sizeof(*fibre));
	long page = sysconf(_SC_PAGESIZE);

	if (fibre == NULL)
		return NULL;
	fibre->guard = (size_t)page;
	fibre->mapped = mmap(NULL, fibre->guard + FIBRE_STACK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (fibre->mapped != MAP_FAILED && mprotect(fibre->mapped, fibre->guard, PROT_NONE) == 0)
		return fibre;
	if (fibre->mapped != MAP_FAILED)
		(void)munmap(fibre->mapped, fibre->guard + FIBRE_STACK);
	free(fibre);
	return NULL;
}

void fibre_free(struct fibre **fibre)
{
	struct fibre *gone = *fibre;

	*fibre = NULL;
	if (gone == NULL)
		return;
	(void)munmap(gone->mapped, gone->guard + FIBRE_STACK);
	free(gone);
}
