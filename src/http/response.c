#include "http/response.h"

#include <string.h>

#include "http/syntax.h"

#define DAY_S       86400
#define LAST_S      INT64_C(253402300799) /* 31 Dec 9999: the year of a date has four digits */
#define DAYS_400Y   146097                /* of 400 years, after which the calendar repeats itself */
#define DAYS_100Y   36524
#define DAYS_4Y     1461
#define DAYS_TO_1MA 719468 /* days from 1 March of the year 0 to 1 January 1970 */

static const struct {
	unsigned status;
	const char *phrase;
} phrases[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{102, "Processing"},
	{103, "Early Hints"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{203, "Non-Authoritative Information"},
	{204, "No Content"},
	{205, "Reset Content"},
	{206, "Partial Content"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{305, "Use Proxy"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{424, "Failed Dependency"},
	{425, "Too Early"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{451, "Unavailable For Legal Reasons"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
	{511, "Network Authentication Required"},
};

const char *http_status_phrase(unsigned status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

void http_writer_init(struct http_writer *writer, char *buffer, size_t room)
{
	*writer = (struct http_writer){.at = buffer, .room = room};
}

/* After an overflow nothing more is written, so that the head cannot look complete. */
static void append(struct http_writer *writer, const char *bytes, size_t len)
{
	if (writer->overflow || len > writer->room - writer->len) {
		writer->overflow = true;
		return;
	}
	if (len > 0)
		memcpy(writer->at + writer->len, bytes, len);
	writer->len += len;
}

static void append_text(struct http_writer *writer, const char *text)
{
	append(writer, text, strlen(text));
}

/* At least `width` digits. */
static void append_number(struct http_writer *writer, uint64_t number, size_t width)
{
	char digits[20];
	size_t at = sizeof(digits);

	while (number > 0 || sizeof(digits) - at < width) {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	}
	append(writer, digits + at, sizeof(digits) - at);
}

void http_write_status_line(struct http_writer *writer, unsigned status, struct http_span phrase)
{
	if (status < 100 || status > 999)
		writer->overflow = true;
	append_text(writer, "HTTP/1.1 ");
	append_number(writer, status, 3);
	append_text(writer, " ");
	if (phrase.len > 0 && http_is_field_value(phrase))
		append(writer, phrase.at, phrase.len);
	else
		append_text(writer, http_status_phrase(status));
	append_text(writer, "\r\n");
}

void http_write_status(struct http_writer *writer, unsigned status)
{
	http_write_status_line(writer, status, (struct http_span){NULL, 0});
}

static bool is_visible(struct http_span span)
{
	for (size_t i = 0; i < span.len; i++)
		if (span.at[i] <= ' ' || span.at[i] == 0x7f)
			return false;
	return span.len > 0;
}

void http_write_request_line(struct http_writer *writer, struct http_span method, struct http_span target)
{
	if (!http_is_token(method) || !is_visible(target))
		writer->overflow = true;
	append(writer, method.at, method.len);
	append_text(writer, " ");
	append(writer, target.at, target.len);
	append_text(writer, " HTTP/1.1\r\n");
}

size_t http_write_chunk_size(char line[static HTTP_CHUNK_SIZE_MAX], uint64_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 1;

	for (uint64_t rest = size >> 4; rest > 0; rest >>= 4)
		len++;
	for (size_t at = len; at > 0; size >>= 4)
		line[--at] = digits[size & 15];
	line[len] = '\r';
	line[len + 1] = '\n';
	return len + 2;
}

void http_write_span(struct http_writer *writer, struct http_span name, struct http_span value)
{
	if (!http_is_token(name) || !http_is_field_value(value))
		writer->overflow = true;
	append(writer, name.at, name.len);
	append_text(writer, ": ");
	append(writer, value.at, value.len);
	append_text(writer, "\r\n");
}

void http_write_field(struct http_writer *writer, const char *name, const char *value)
{
	http_write_span(writer, (struct http_span){name, strlen(name)}, (struct http_span){value, strlen(value)});
}

void http_write_lines(struct http_writer *writer, const char *lines, size_t len)
{
	append(writer, lines, len);
}

void http_write_field_number(struct http_writer *writer, const char *name, uint64_t value)
{
	if (!http_is_token((struct http_span){name, strlen(name)}))
		writer->overflow = true;
	append_text(writer, name);
	append_text(writer, ": ");
	append_number(writer, value, 1);
	append_text(writer, "\r\n");
}

struct date {
	unsigned year, month, day; /* month: 0 is January */
};

/* The proleptic Gregorian calendar, with years that begin in March, so that the leap day is the last day. */
static struct date date_of(uint64_t days)
{
	days += DAYS_TO_1MA;
	unsigned era = (unsigned)(days / DAYS_400Y), in_era = (unsigned)(days % DAYS_400Y);
	/* Without the leap days before this one, every year has 365 days. */
	unsigned year = (in_era - in_era / (DAYS_4Y - 1) + in_era / DAYS_100Y - in_era / (DAYS_400Y - 1)) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned march = (5 * in_year + 2) / 153; /* five months from March or August have 153 days */
	unsigned day = in_year - (153 * march + 2) / 5 + 1;
	unsigned month = (march + 2) % 12;

	return (struct date){era * 400 + year + (month < 2), month, day};
}

/* RFC 9110 5.6.7. Not strftime: its names depend on the locale. */
void http_write_date(struct http_writer *writer, int64_t unix_s)
{
	static const char week_days[] = "Thu, Fri, Sat, Sun, Mon, Tue, Wed, "; /* 1 January 1970 was a Thursday */
	static const char months[] = " Jan  Feb  Mar  Apr  May  Jun  Jul  Aug  Sep  Oct  Nov  Dec ";
	uint64_t now = unix_s < 0 ? 0 : (uint64_t)(unix_s > LAST_S ? LAST_S : unix_s);
	uint64_t in_day = now % DAY_S;
	struct date date = date_of(now / DAY_S);

	append_text(writer, "Date: ");
	append(writer, week_days + now / DAY_S % 7 * 5, 5);
	append_number(writer, date.day, 2);
	append(writer, months + (size_t)date.month * 5, 5);
	append_number(writer, date.year, 4);
	append_text(writer, " ");
	append_number(writer, in_day / 3600, 2);
	append_text(writer, ":");
	append_number(writer, in_day / 60 % 60, 2);
	append_text(writer, ":");
	append_number(writer, in_day % 60, 2);
	append_text(writer, " GMT\r\n");
}

void http_write_end(struct http_writer *writer)
{
	append_text(writer, "\r\n");
}
