#include "base/amount.h"

#include <string.h>

#include "base/ascii.h"

enum amount amount_read(const char *text, const struct amount_unit *units, uint64_t max, uint64_t *amount)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	*amount = 0;
	while (units->name != NULL && strcmp(units->name, text + digits) != 0)
		units++;
	if (digits == 0 || units->name == NULL || (digits > 1 && text[0] == '0'))
		return AMOUNT_UNKNOWN;
	if (!ascii_number(text, digits, max / units->factor, &number))
		return AMOUNT_LARGE;
	*amount = number * units->factor;
	return AMOUNT_OK;
}
