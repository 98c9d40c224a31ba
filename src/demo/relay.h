/*
 * A relay for one connection that counts what passes. It reads from neither side more than it can hand on, so that a
 * peer that stops reading is felt by the other as if there were no relay, but for its two buffers.
 */
#ifndef DEMO_RELAY_H
#define DEMO_RELAY_H

#include "thaw/types.h"

struct relay;

/* Listens on a loopback port of its own, for one connection to server_port. NULL with *err set. */
struct relay *relay_new(uint16_t server_port, struct thaw_error *err);
void relay_free(struct relay **relay);
uint16_t relay_port(const struct relay *relay);

/* Moves what can be moved, waiting for up to timeout_ms. */
void relay_step(struct relay *relay, int timeout_ms);

uint64_t relay_up(const struct relay *relay); /* bytes from the client that the server has been given */
uint64_t relay_age_ms(const struct relay *relay);
uint64_t relay_idle_ms(const struct relay *relay); /* since some bytes, a connection or an end has moved */

#endif
