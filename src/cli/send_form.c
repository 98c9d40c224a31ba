#include "cli/send_form.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "cli/report.h"
#include "cli/values.h"

/* The value behind ";NAME="; blanks may be before the name. NULL: this is no such attribute. */
static char *attribute(char *text, const char *name)
{
	size_t len = strlen(name);

	if (*text != ';')
		return NULL;
	text += 1 + strspn(text + 1, " \t");
	return strncasecmp(text, name, len) == 0 && text[len] == '=' ? text + len + 1 : NULL;
}

/* The next one from here; NULL: there is none. */
static char *next_attribute(char *text)
{
	static const char *const names[] = {"type", "filename", "headers", "encoder"};

	for (char *at = strchr(text, ';'); at != NULL; at = strchr(at + 1, ';'))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (attribute(at, names[i]) != NULL)
				return at;
	return NULL;
}

/* A quoted value ("a;b") without its quotes, in place. *end: what follows. False: the quote has no end. */
static bool take_quoted(char *text, char **end)
{
	char *to = text, *from = text + 1;

	for (; *from != '\0' && *from != '"'; from++) {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	if (*from == '\0')
		return false;
	*end = from + 1 + strspn(from + 1, " \t");
	*to = '\0';
	return true;
}

/* A value up to the next attribute, which *end is, or the text's end. */
static bool take_until(char *text, char **end)
{
	static char none[] = "";

	if (text[0] == '"')
		return take_quoted(text, end) && (**end == '\0' || next_attribute(*end) == *end);
	*end = next_attribute(text);
	if (*end == NULL)
		*end = none;
	return true;
}

/* curl's other attributes (";headers=", ";encoder=") are refused: they would be taken for text. */
static bool take_attributes(struct send_part *part, char *at)
{
	while (*at != '\0') {
		char *type = attribute(at, "type"), *value = type != NULL ? type : attribute(at, "filename");
		if (value == NULL)
			return false;
		*at = '\0';
		if (!take_until(value, &at) || !cli_is_value(value))
			return false;
		*(type != NULL ? &part->type : &part->shown) = value;
	}
	return true;
}

static bool take_field(struct send_part *part, char *value)
{
	char *equals = strchr(value, '='), *at;

	if (equals == NULL || equals == value)
		return false;
	bool file = equals[1] == '@' || equals[1] == '<';
	char *content = equals + (file ? 2 : 1);
	*part = (struct send_part){.name = value,
				   .file = file ? content : NULL,
				   .text = file ? NULL : content,
				   .nameless = equals[1] == '<'};
	*equals = '\0';
	if (!take_until(content, &at) || !take_attributes(part, at))
		return false;
	part->nameless = part->nameless && part->shown == NULL;
	return file ? content[0] != '\0' : part->shown == NULL;
}

int send_take_part(struct send_options *send, char *value)
{
	if (send->part_count == BODY_PARTS_MAX || !take_field(&send->parts[send->part_count], value))
		return cli_bad_usage("send", "--form: allowed: NAME=@FILE[;type=TYPE][;filename=NAME], "
					     "NAME=<FILE[;type=TYPE] or NAME=TEXT[;type=TYPE], up to 16 times; a value "
					     "with ';' may be in double quotes");
	send->part_count++;
	return EX_OK;
}
