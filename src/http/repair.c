#include "http/repair.h"

#include <stddef.h>

const char *http_repair_name(unsigned repair)
{
	static const char *const names[HTTP_REPAIRS] = {"status-line",  "line-end",          "field-name",
							"folded-field", "control-character", "length",
							"coding",       "no-body-status",    "chunk"};

	for (size_t i = 0; i < HTTP_REPAIRS; i++)
		if (repair == 1U << i)
			return names[i];
	return "unknown";
}
