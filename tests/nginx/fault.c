/*
 * A library for LD_PRELOAD that fails the k-th allocation of one process, nginx's worker, when a test wants it.
 *
 * The test and the process share the file that THAW_FAULT names. An allocation is malloc() or its like, or what the
 * module takes from nginx's pools, which rarely call malloc(): the module is linked with --wrap for them. OpenSSL's
 * allocations, which are many, and all others are counted separately.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_MAX  48
#define RANGES_MAX 2

struct shared {
	uint64_t pid;        /* whose allocations count */
	uint64_t openssl;    /* 1: those of OpenSSL, 0: the others */
	uint64_t armed;      /* this one of them fails, from 1; 0: none */
	uint64_t counted;    /* since the test has set it to 0 */
	uint64_t failed;     /* 1: the armed one was there */
	uint64_t in_decoder; /* 1: it was in OpenSSL's ASN.1 decoder */
	int64_t live;        /* allocations that are not freed, since the process began */
};

static struct shared none, *shared = &none;
static struct {
	uintptr_t begin, end;
} openssl[RANGES_MAX];
static unsigned ranges;
static int trace = -1;
static int64_t live;

static int find_openssl(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (ranges == RANGES_MAX ||
	    (strstr(info->dlpi_name, "libcrypto.so") == NULL && strstr(info->dlpi_name, "libssl.so") == NULL))
		return 0;
	openssl[ranges].begin = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
		if (info->dlpi_phdr[i].p_type == PT_LOAD && end > openssl[ranges].end)
			openssl[ranges].end = end;
	}
	ranges++;
	return 0;
}

static void open_shared(void) __attribute__((constructor));

static void open_shared(void)
{
	const char *name = getenv("THAW_FAULT"), *trace_name = getenv("THAW_FAULT_TRACE");
	int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *mapped = fd >= 0 ? mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	void *stack[1];

	if (mapped == MAP_FAILED)
		return;
	(void)close(fd);
	(void)backtrace(stack, 1); /* the first one allocates */
	(void)dl_iterate_phdr(find_openssl, NULL);
	if (trace_name != NULL)
		trace = open(trace_name, O_WRONLY | O_APPEND | O_CLOEXEC);
	shared = mapped;
}

static int is_openssl(const void *caller)
{
	for (unsigned i = 0; i < ranges; i++)
		if ((uintptr_t)caller >= openssl[i].begin && (uintptr_t)caller < openssl[i].end)
			return 1;
	return 0;
}

static int is_decoder(void *const *stack, int depth)
{
	Dl_info info;

	for (int i = 0; i < depth; i++)
		if (dladdr(stack[i], &info) != 0 && info.dli_sname != NULL &&
		    (strcmp(info.dli_sname, "ASN1_item_d2i_ex") == 0 ||
		     strcmp(info.dli_sname, "ASN1_item_ex_d2i") == 0))
			return 1;
	return 0;
}

static int is_counted(void)
{
	return shared->pid != 0 && shared->pid == (uint64_t)getpid();
}

static int fails(const void *caller)
{
	void *stack[STACK_MAX];

	if (!is_counted() || is_openssl(caller) != (int)shared->openssl || ++shared->counted != shared->armed)
		return 0;
	shared->failed = 1;
	int depth = backtrace(stack, STACK_MAX);
	shared->in_decoder = (uint64_t)is_decoder(stack, depth);
	if (trace >= 0)
		backtrace_symbols_fd(stack, depth, trace);
	errno = ENOMEM;
	return 1;
}

static void *count(void *memory, int more)
{
	if (memory != NULL)
		live += more;
	if (is_counted())
		shared->live = live;
	return memory;
}

/* The C library's own function of that name, which valgrind replaces. */
#define NEXT(name)                                                            \
	({                                                                    \
		static __typeof__(&(name)) next_;                             \
		if (next_ == NULL)                                            \
			next_ = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name); \
		next_;                                                        \
	})

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : count(NEXT(malloc)(size), 1);
}

void *calloc(size_t number, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : count(NEXT(calloc)(number, size), 1);
}

void *realloc(void *old, size_t size)
{
	if (old != NULL && size == 0) {
		free(old);
		return NULL;
	}
	return fails(__builtin_return_address(0)) ? NULL : count(NEXT(realloc)(old, size), old == NULL);
}

void *memalign(size_t alignment, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : count(NEXT(memalign)(alignment, size), 1);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	void *made = memalign(alignment, size);

	if (made == NULL)
		return ENOMEM;
	*memory = made;
	return 0;
}

void free(void *memory)
{
	(void)count(memory, -1);
	NEXT(free)(memory);
}

/* ---- what the module takes from nginx's pools ---- */

#define WRAP(name, parameters, arguments)                                          \
	void *name parameters __attribute__((weak));                               \
	void *__wrap_##name parameters;                                            \
	void *__wrap_##name parameters                                             \
	{                                                                          \
		return fails(__builtin_return_address(0)) ? NULL : name arguments; \
	}

WRAP(ngx_palloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_pcalloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_pnalloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_alloc_chain_link, (void *pool), (pool))
WRAP(ngx_create_temp_buf, (void *pool, size_t size), (pool, size))
WRAP(ngx_list_push, (void *list), (list))
WRAP(ngx_pool_cleanup_add, (void *pool, size_t size), (pool, size))
WRAP(ngx_http_cleanup_add, (void *request, size_t size), (request, size))
