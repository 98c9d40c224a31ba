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
	size_t given = size_of(theirs), common = given < size ? given : size;

	memset(ours, 0, size);
	if (given < least || given > SIZED_MAX || !all_zero((const unsigned char *)theirs + common, given - common))
		return false;
	memcpy(ours, theirs, common);
	memcpy(ours, &size, sizeof(size));
	return true;
}

bool sized_give(void *theirs, const void *ours, size_t size, size_t least)
{
	size_t given = size_of(theirs), common = given < size ? given : size;

	if (given < least || given > SIZED_MAX)
		return false;
	memset(theirs, 0, given);
	memcpy(theirs, ours, common);
	memcpy(theirs, &given, sizeof(given));
	return true;
}
