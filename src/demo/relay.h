/*
 * A relay for one connection that counts bytes. It reads no more than it can pass on, so that a peer that stops
 * reading blocks the other one as without a relay, apart from the relay's two buffers.
 */
#ifndef DEMO_RELAY_H
#define DEMO_RELAY_H

#include "thaw/types.h"

struct relay;

/* Listens on a free loopback port, for one connection to server_port. NULL with *err set. */
struct relay *relay_new(uint16_t server_port, struct thaw_error *err);
void relay_free(struct relay **relay);
uint16_t relay_port(const struct relay *relay);

/* Moves as much data as possible; waits for up to timeout_ms. */
void relay_step(struct relay *relay, int timeout_ms);

uint64_t relay_up(const struct relay *relay); /* bytes from the client that were written to the server */
uint64_t relay_age_ms(const struct relay *relay);
uint64_t relay_idle_ms(const struct relay *relay); /* time since the last byte, connection or half-close */

#endif
