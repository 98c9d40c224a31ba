/* A property that a fuzzer checks: when it does not hold, libFuzzer keeps the input. */
#ifndef FUZZ_HOLDS_H
#define FUZZ_HOLDS_H

#include <stdio.h>
#include <stdlib.h>

#define HOLDS(condition)                                                          \
	do {                                                                      \
		if (!(condition)) {                                               \
			(void)fprintf(stderr, "does not hold: %s\n", #condition); \
			abort();                                                  \
		}                                                                 \
	} while (0)

#endif
