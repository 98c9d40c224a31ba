#include "loop/slots.h"

#include <stdlib.h>

bool slots_init(struct slots *slots, unsigned count)
{
	*slots = (struct slots){.items = calloc(count + 1, sizeof(*slots->items)), .count = count};
	if (slots->items == NULL)
		return false;
	for (unsigned i = 0; i < count; i++) {
		slots->items[i].number = i;
		slots->items[i].channel = slots->items[i].place = -1;
	}
	return true;
}

void slots_free(struct slots *slots)
{
	free(slots->items);
	*slots = (struct slots){.items = NULL};
}

void slot_filled(struct slot *slot, pid_t pid, uint64_t now_ms)
{
	slot->pid = pid;
	slot->ready = slot->quiet = slot->ended = false;
	slot->started_ms = slot->heard_ms = now_ms;
	slot->due_ms = THAW_NEVER;
}

void slot_heard(struct slot *slot, uint64_t now_ms)
{
	slot->ready = true;
	slot->heard_ms = now_ms;
}

void slot_emptied(struct slot *slot, uint64_t now_ms)
{
	bool quick = slot->pid == 0 || now_ms - slot->started_ms < SLOT_QUICK_MS;

	if (!quick)
		slot->wait_ms = 0;
	slot->pid = 0;
	slot->ready = false;
	slot->due_ms = now_ms + slot->wait_ms;
	slot->wait_ms = slot->wait_ms == 0 ? SLOT_WAIT_MS : slot->wait_ms * 2;
	if (slot->wait_ms > SLOT_WAIT_MAX_MS)
		slot->wait_ms = SLOT_WAIT_MAX_MS;
}

struct slot *slots_find(const struct slots *slots, pid_t pid)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid == pid)
			return &slots->items[i];
	return NULL;
}

struct slot *slots_due(const struct slots *slots, uint64_t now_ms)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid == 0 && slots->items[i].due_ms <= now_ms)
			return &slots->items[i];
	return NULL;
}

uint64_t slots_next_ms(const struct slots *slots)
{
	uint64_t next = THAW_NEVER;

	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid == 0 && slots->items[i].due_ms < next)
			next = slots->items[i].due_ms;
	return next;
}

unsigned slots_filled(const struct slots *slots)
{
	unsigned filled = 0;

	for (unsigned i = 0; i < slots->count; i++)
		filled += slots->items[i].pid != 0;
	return filled;
}

bool slots_all_quiet(const struct slots *slots)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid != 0 && !slots->items[i].quiet)
			return false;
	return true;
}

bool slots_all_ready(const struct slots *slots)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (!slots->items[i].ready)
			return false;
	return true;
}

struct slot *slots_stalled(const struct slots *slots, uint64_t limit_ms, uint64_t start_ms, uint64_t now_ms)
{
	for (unsigned i = 0; i < slots->count; i++) {
		struct slot *slot = &slots->items[i];
		uint64_t limit = slot->ready || start_ms < limit_ms ? limit_ms : start_ms;
		if (slot->pid != 0 && !slot->ended && now_ms - slot->heard_ms >= limit)
			return slot;
	}
	return NULL;
}

void slots_forgive(struct slots *slots, uint64_t lost_ms)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid != 0)
			slots->items[i].heard_ms += lost_ms;
}

const struct slot *slots_silent(const struct slots *slots, uint64_t limit_ms, uint64_t now_ms)
{
	for (unsigned i = 0; i < slots->count; i++)
		if (slots->items[i].pid != 0 && now_ms - slots->items[i].heard_ms > limit_ms)
			return &slots->items[i];
	return NULL;
}
