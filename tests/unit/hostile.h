/*
 * A worker that was taken over: a process of its own that writes to all memory which it shares with this one, as its
 * attacker can. What it writes there must not make this process read or write anywhere else.
 */
#ifndef UNIT_HOSTILE_H
#define UNIT_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Sizes and counts that are too large, pointers to nowhere, text without an end, and an odd sequence number. */
static const uint64_t hostile_words[] = {
	UINT64_MAX,
	UINT64_MAX - 1,
	UINT64_MAX / 2,
	UINT64_C(0x4141414141414141),
	UINT64_C(0x7fffffff00000000),
	UINT32_MAX,
	1u << 20,
	4096,
	1025,
	257,
	2,
	1,
	0,
};
#define HOSTILE_WORDS (sizeof(hostile_words) / sizeof(hostile_words[0]))

static inline void hostile_fill(unsigned char *from, const unsigned char *to, uint64_t word)
{
	for (; from < to; from += sizeof(word))
		memcpy(from, &word, sizeof(word));
}

/* In the worker: of each shared map that it can write to, so many bytes at most; returns how many maps there are. */
static inline int hostile_write(uint64_t word, size_t most)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char line[512], rights[8];
	int count = 0;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) != 3 || strcmp(rights, "rw-s") != 0)
			continue;
		to = to - from > most ? from + most : to;
		hostile_fill((unsigned char *)(uintptr_t)from, (const unsigned char *)(uintptr_t)to, word);
		count++;
	}
	if (maps != NULL)
		(void)fclose(maps);
	return count;
}

/* Every word of everything shared is `word` afterwards, in the first `most` bytes of each map. */
static inline void hostile_worker(uint64_t word, size_t most)
{
	int how = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(hostile_write(word, most) > 0 ? 0 : 1);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

#endif
