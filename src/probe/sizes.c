#include "probe/sizes.h"

#include <string.h>

/*
 * Sizes at which servers change behaviour: no body, Tomcat's maxSavePostSize, one TLS record, IIS's
 * uploadReadAheadSize, 64 KiB buffers, Apache's SSLRenegBufferSize, the socket buffers. See docs/cures.md.
 */
static const uint64_t known[] = {1,     1024,  4096,   4097,   16384,   16385,   49152,  49153,
				 65536, 65537, 131072, 131073, 1048576, 1048577, 4194304};

void sizes_init(struct sizes *sizes, uint64_t max, bool brief)
{
	memset(sizes, 0, sizeof(*sizes));
	sizes->max = max;
	sizes->brief = brief;
}

static bool has(const struct sizes *sizes, uint64_t size)
{
	for (size_t i = 0; i < sizes->count; i++)
		if (sizes->points[i].size == size)
			return true;
	return false;
}

static size_t want(struct sizes *sizes, uint64_t *next, size_t count, uint64_t size)
{
	if (has(sizes, size) || sizes->count == SIZES_MAX)
		return count;
	sizes->points[sizes->count++] = (struct sizes_point){.size = size};
	next[count] = size;
	return count + 1;
}

static size_t begin(struct sizes *sizes, uint64_t *next)
{
	size_t count = 0;

	sizes->began = true;
	for (size_t i = 0; !sizes->brief && i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] <= sizes->max)
			count = want(sizes, next, count, known[i]);
	return sizes->max > 0 ? want(sizes, next, count, sizes->max) : count;
}

size_t sizes_next(struct sizes *sizes, uint64_t next[static SIZES_ROUND_MAX])
{
	struct sizes_boundary at;
	size_t count = 0;

	if (!sizes->began)
		return begin(sizes, next);
	sizes_boundary(sizes, &at);
	if (!at.found || at.bad - at.good <= 1)
		return 0;
	uint64_t gap = at.bad - at.good;
	uint64_t parts = gap - 1 < SIZES_FINER ? gap : SIZES_FINER + 1;
	for (uint64_t i = 1; i < parts; i++)
		count = want(sizes, next, count, at.good + gap / parts * i + gap % parts * i / parts);
	return count;
}

void sizes_tell(struct sizes *sizes, uint64_t size, bool good)
{
	for (size_t i = 0; i < sizes->count; i++) {
		struct sizes_point *point = &sizes->points[i];
		if (point->size == size && !point->known) {
			point->known = true;
			point->good = good;
			return;
		}
	}
	if (sizes->count < SIZES_MAX)
		sizes->points[sizes->count++] = (struct sizes_point){.size = size, .known = true, .good = good};
}

void sizes_boundary(const struct sizes *sizes, struct sizes_boundary *boundary)
{
	bool both = false;

	*boundary = (struct sizes_boundary){.bad = UINT64_MAX};
	for (size_t i = 0; i < sizes->count; i++) {
		const struct sizes_point *point = &sizes->points[i];
		if (point->known && !point->good && point->size < boundary->bad)
			boundary->bad = point->size;
	}
	boundary->found = boundary->bad != UINT64_MAX;
	for (size_t i = 0; i < sizes->count; i++) {
		const struct sizes_point *point = &sizes->points[i];
		if (!point->known || !point->good)
			continue;
		if (point->size < boundary->bad && point->size > boundary->good)
			boundary->good = point->size;
		boundary->mixed |= boundary->found && point->size > boundary->bad;
		both |= point->size == boundary->bad;
	}
	boundary->exact = boundary->found && !both && !boundary->mixed && boundary->bad - boundary->good == 1;
}
