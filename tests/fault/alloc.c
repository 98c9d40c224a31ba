#include "alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

static unsigned long armed, counted;
static bool inside_now, happened, openssl_is_spared;

static bool fails(void)
{
	if (!inside_now || ++counted != armed)
		return false;
	happened = true;
	return true;
}

void fault_arm(unsigned long k)
{
	armed = k;
	counted = 0;
	happened = false;
}

unsigned long fault_count(void)
{
	return counted;
}

bool fault_happened(void)
{
	return happened;
}

bool fault_inside(bool inside)
{
	bool before = inside_now;

	inside_now = inside;
	return before;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return fails() ? NULL : __real_strndup(text, len);
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	return fails() ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;

	if (fails())
		return -1;
	va_start(args, format);
	int len = vasprintf(text, format, args);
	va_end(args);
	return len;
}

/* What asprintf() is with _FORTIFY_SOURCE. */
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	if (fails())
		return -1;
	va_start(args, format);
	int len = vasprintf(text, format, args);
	va_end(args);
	return len;
}

static bool openssl_fails(void)
{
	return !openssl_is_spared && fails();
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size == 0 || openssl_fails() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0) {
		free(old);
		return NULL;
	}
	return openssl_fails() ? NULL : __real_realloc(old, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

bool fault_install(void)
{
	return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

void fault_openssl(bool too)
{
	openssl_is_spared = !too;
}

unsigned long fault_each(void (*run)(bool failing), unsigned long step)
{
	fault_arm(0);
	run(false);
	unsigned long count = fault_count();

	for (unsigned long k = 1; k <= count; k += step) {
		fault_arm(k);
		run(true);
	}
	fault_arm(0);
	return count;
}
