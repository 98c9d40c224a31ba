/*
 * Allocations that fail on demand: those of our own code (by the linker's --wrap; thaw_fails() in tests/CMakeLists.txt)
 * and of OpenSSL, but only while the program is inside the code under test, so that the peer in the same process never
 * fails. Other libraries take malloc() and its like where they can be told of them: in a program that is so linked
 * these are the failing ones.
 */
#ifndef FAULT_ALLOC_H
#define FAULT_ALLOC_H

#include <stdbool.h>

/* Once, before anything else of OpenSSL. */
bool fault_install(void);

/* Whether OpenSSL's allocations are counted, and fail; at first they are. */
void fault_openssl(bool too);

/* From now on the k-th allocation inside fails (from 1), and only that one; 0: none, they are only counted. */
void fault_arm(unsigned long k);

/* How many allocations were made inside since fault_arm(); whether the armed one was reached. */
unsigned long fault_count(void);
bool fault_happened(void);

/* Returns what it was before. */
bool fault_inside(bool inside);

/* Runs it with none failing, and then with the k-th, for k = 1, 1 + step, ... up to what the first run has counted;
 * which is returned. */
unsigned long fault_each(void (*run)(bool failing), unsigned long step);

#endif
