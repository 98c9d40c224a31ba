/*
 * Allocations that fail on demand: those of our own code (by the linker's --wrap), of OpenSSL and of jansson, but only
 * while the thread is inside the code under test, so that the peer in the same process never fails.
 */
#ifndef FAULT_ALLOC_H
#define FAULT_ALLOC_H

#include <stdbool.h>

/* Once, before anything else of OpenSSL or jansson. */
bool fault_install(void);

/* From now on the k-th allocation inside fails (from 1), and only that one; 0: none, they are only counted. */
void fault_arm(unsigned long k);

/* How many allocations were made inside since fault_arm(); whether the armed one was reached. */
unsigned long fault_count(void);
bool fault_happened(void);

/* Returns what it was before. */
bool fault_inside(bool inside);

#endif
