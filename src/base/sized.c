#include "base/sized.h"

#include <string.h>

static size_t size_of(const void *sized)
{
	size_t size;

	memcpy(&size, sized, sizeof(size));
	return size;
}

static bool all_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

bool sized_take(void *ours, size_t size, const void *theirs, size_t least)
{
	size_t told = size_of(theirs), common = told < size ? told : size;

	memset(ours, 0, size);
	if (told < least || told > SIZED_MOST || !all_zero((const unsigned char *)theirs + common, told - common))
		return false;
	memcpy(ours, theirs, common);
	memcpy(ours, &size, sizeof(size));
	return true;
}

bool sized_give(void *theirs, const void *ours, size_t size, size_t least)
{
	size_t told = size_of(theirs), common = told < size ? told : size;

	if (told < least || told > SIZED_MOST)
		return false;
	memset(theirs, 0, told);
	memcpy(theirs, ours, common);
	memcpy(theirs, &told, sizeof(told));
	return true;
}
