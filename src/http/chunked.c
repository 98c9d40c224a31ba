/*
 * A state machine with a table of states and byte classes: what is not in the table is refused. Only data is not
 * processed byte by byte. Extensions are checked and discarded; so are trailers, unless the caller stores them. A
 * second table has the repairs for responses.
 */
#include "http/chunked.h"

#include <string.h>

#include "base/ascii.h"
#include "http/repair.h"
#include "http/syntax.h"

#define SIZE_DIGITS 16

enum state {
	REFUSED, /* 0: not in the table; also an uninitialized decoder */
	SIZE_START,
	SIZE,
	SIZE_GAP,       /* white space before the first ';' */
	EXT_GAP,        /* white space before the next */
	EXT_START,      /* after ';' */
	EXT_NAME,       /* a token */
	EXT_NAME_GAP,   /* white space after it: '=' or ';' must follow */
	EXT_EQUALS,     /* after '=' */
	EXT_TOKEN,      /* a value */
	EXT_QUOTED,     /* a value in quotes */
	EXT_PAIR,       /* after a backslash in it */
	EXT_QUOTED_END, /* after its closing quote */
	EXT_ANY,        /* in a malformed extension */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* the beginning of a line */
	TRAILER_NAME,
	TRAILER_GAP, /* white space before ':' */
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	ENDED,
	STATES
};

enum byte_class { CONTROL, CR, LF, BACKSLASH, QUOTE, OTHER, HEX, TCHAR, BLANK, SEMICOLON, EQUALS, COLON, CLASSES };

/* RFC 9112 7.1, with bad white space (BWS) only where the grammar allows it: "5 ;a" and "5;a = b", but not "5 ". */
static const uint8_t next_state[STATES][CLASSES] = {
	[SIZE_START] = {[HEX] = SIZE},
	[SIZE] = {[HEX] = SIZE, [BLANK] = SIZE_GAP, [SEMICOLON] = EXT_START, [CR] = SIZE_LF},
	[SIZE_GAP] = {[BLANK] = SIZE_GAP, [SEMICOLON] = EXT_START},
	[EXT_GAP] = {[BLANK] = EXT_GAP, [SEMICOLON] = EXT_START},
	[EXT_START] = {[BLANK] = EXT_START, [HEX... TCHAR] = EXT_NAME},
	[EXT_NAME] = {[HEX... TCHAR] = EXT_NAME,
		      [BLANK] = EXT_NAME_GAP,
		      [EQUALS] = EXT_EQUALS,
		      [SEMICOLON] = EXT_START,
		      [CR] = SIZE_LF},
	[EXT_NAME_GAP] = {[BLANK] = EXT_NAME_GAP, [EQUALS] = EXT_EQUALS, [SEMICOLON] = EXT_START},
	[EXT_EQUALS] = {[BLANK] = EXT_EQUALS, [HEX... TCHAR] = EXT_TOKEN, [QUOTE] = EXT_QUOTED},
	[EXT_TOKEN] = {[HEX... TCHAR] = EXT_TOKEN, [BLANK] = EXT_GAP, [SEMICOLON] = EXT_START, [CR] = SIZE_LF},
	[EXT_QUOTED] = {[OTHER... COLON] = EXT_QUOTED, [QUOTE] = EXT_QUOTED_END, [BACKSLASH] = EXT_PAIR},
	[EXT_PAIR] = {[BACKSLASH... COLON] = EXT_QUOTED},
	[EXT_QUOTED_END] = {[BLANK] = EXT_GAP, [SEMICOLON] = EXT_START, [CR] = SIZE_LF},
	[SIZE_LF] = {[LF] = DATA},
	[DATA_CR] = {[CR] = DATA_LF},
	[DATA_LF] = {[LF] = SIZE_START},
	[TRAILER] = {[HEX... TCHAR] = TRAILER_NAME, [CR] = END_LF},
	[TRAILER_NAME] = {[HEX... TCHAR] = TRAILER_NAME, [COLON] = TRAILER_VALUE},
	[TRAILER_VALUE] = {[BACKSLASH... COLON] = TRAILER_VALUE, [CR] = TRAILER_LF},
	[TRAILER_LF] = {[LF] = TRAILER},
	[END_LF] = {[LF] = ENDED},
};

/*
 * What nginx and HAProxy both also accept: blanks after the size, anything in an extension (which is discarded), bare
 * LF at the end of a line. In trailers the same repairs as in a head: blanks before the colon, folded lines, control
 * characters except NUL.
 */
static const uint8_t repaired_state[STATES][CLASSES] = {
	[SIZE] = {[LF] = DATA},
	[SIZE_GAP] = {[CR] = SIZE_LF, [LF] = DATA},
	[EXT_GAP... EXT_ANY] = {[CONTROL] = EXT_ANY, [CR] = SIZE_LF, [LF] = DATA, [BACKSLASH... COLON] = EXT_ANY},
	[DATA_CR] = {[LF] = SIZE_START},
	[TRAILER] = {[LF] = ENDED, [BLANK] = TRAILER_VALUE},
	[TRAILER_NAME] = {[BLANK] = TRAILER_GAP},
	[TRAILER_GAP] = {[BLANK] = TRAILER_GAP, [COLON] = TRAILER_VALUE},
	[TRAILER_VALUE] = {[LF] = TRAILER, [CONTROL] = TRAILER_VALUE},
};

static const char *const why_refused[STATES] = {
	[REFUSED] = "the body was refused before",
	[SIZE_START] = "a chunk without a size",
	[SIZE] = "a chunk size that is no hexadecimal number",
	[SIZE_GAP] = "a chunk size that is no hexadecimal number",
	[SIZE_LF] = "a chunk size that does not end in CRLF",
	[DATA_CR] = "chunk data that is longer than its size",
	[DATA_LF] = "chunk data that does not end in CRLF",
	[TRAILER] = "a malformed trailer field",
	[TRAILER_NAME] = "a malformed trailer field",
	[TRAILER_GAP] = "a malformed trailer field",
	[TRAILER_VALUE] = "a malformed trailer field",
	[TRAILER_LF] = "a trailer field that does not end in CRLF",
	[END_LF] = "a body that does not end in CRLF",
};

static enum byte_class classify(char c)
{
	switch (c) {
	case '\r':
		return CR;
	case '\n':
		return LF;
	case '\\':
		return BACKSLASH;
	case '"':
		return QUOTE;
	case ' ':
	case '\t':
		return BLANK;
	case ';':
		return SEMICOLON;
	case '=':
		return EQUALS;
	case ':':
		return COLON;
	default:
		break;
	}
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		return HEX;
	if (http_is_tchar(c))
		return TCHAR;
	return (unsigned char)c < 0x20 || c == 0x7F ? CONTROL : OTHER;
}

/* A size above 2^63 - 1 is refused: a reader with signed numbers would misinterpret it. */
static bool add_digit(struct http_chunked *chunked, char c, struct http_refusal *refusal)
{
	unsigned digit = (unsigned)ascii_hex(c);

	bool padded = ++chunked->digits > SIZE_DIGITS;

	if (padded && chunked->repairs != NULL)
		*chunked->repairs |= HTTP_REPAIR_CHUNK;
	if ((padded && chunked->repairs == NULL) || chunked->left > INT64_MAX >> 4)
		return http_refuse(refusal, 400, "a chunk size that is too large");
	chunked->left = chunked->left << 4 | digit;
	return true;
}

/* Counts a byte for the limits, by state. */
static bool count(struct http_chunked *chunked, enum state to, struct http_refusal *refusal)
{
	if (to >= SIZE && to <= EXT_ANY && ++chunked->line > HTTP_CHUNK_LINE_MAX)
		return http_refuse(refusal, 400, "a chunk's line is too long");
	if (to >= SIZE_GAP && to <= EXT_ANY && ++chunked->extensions > HTTP_CHUNK_EXTENSIONS_MAX)
		return http_refuse(refusal, 400, "more chunk extensions than data");
	if (chunked->state >= TRAILER && ++chunked->trailer > HTTP_TRAILER_MAX)
		return http_refuse(refusal, 431, "the trailers are too long");
	return true;
}

/* The state after a chunk's line: its data, or after the last chunk, of size 0, the trailers. */
static enum state begin_chunk(struct http_chunked *chunked, enum state from, char c)
{
	chunked->line = 0;
	chunked->digits = 0;
	chunked->bare_lf = c == '\n' && from != SIZE_LF;
	chunked->extensions -= chunked->extensions < chunked->left ? chunked->extensions : (size_t)chunked->left;
	return chunked->left > 0 ? DATA : TRAILER;
}

static void keep_trailer(struct http_trailers *trailers, char c)
{
	(void)buffer_append(&trailers->lines, HTTP_TRAILER_MAX + 2, &c, 1);
}

void http_trailers_free(struct http_trailers *trailers)
{
	buffer_free(&trailers->lines);
}

bool http_trailers_next(const struct http_trailers *trailers, size_t *at, struct http_field *field)
{
	struct http_refusal refusal;

	if (trailers->lines.failed || *at >= trailers->lines.len)
		return false;
	const char *line = trailers->lines.bytes + *at, *end = memchr(line, '\r', trailers->lines.len - *at);
	if (end == NULL)
		return false;
	*at += (size_t)(end - line) + 2;
	return http_field_line((struct http_span){line, (size_t)(end - line)}, field, &refusal);
}

bool http_trailer_allowed(struct http_span name)
{
	static const char *const never[] = {
		"Connection",
		"Transfer-Encoding",
		"Trailer",
		"TE",
		"Upgrade",
		"Host",
		"Expect",
		"Max-Forwards",
		"Cache-Control",
		"Pragma",
		"Range",
		"If-Match",
		"If-None-Match",
		"If-Modified-Since",
		"If-Range",
		"If-Unmodified-Since",
		"Authorization",
		"Cookie",
		"Set-Cookie",
		"WWW-Authenticate",
		"Age",
		"Date",
		"Expires",
		"Location",
		"Retry-After",
		"Vary",
		"Warning",
		"Via",
		"Proxy-Authorization",
		"Proxy-Authenticate",
		"Keep-Alive",
		"Proxy-Connection",
	};

	if (name.len >= 8 && http_span_equal_nocase((struct http_span){name.at, 8}, "Content-"))
		return false;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (http_span_equal_nocase(name, never[i]))
			return false;
	return true;
}

/* Stores a trailer field line after its repairs. */
static void keep_line(struct http_chunked *chunked, enum state from, enum state to, char c)
{
	struct http_trailers *trailers = chunked->trailers;

	if (from < TRAILER || from > TRAILER_LF || to == END_LF || to == ENDED || to == TRAILER_GAP)
		return;
	if (from == TRAILER && to == TRAILER_VALUE && trailers->lines.len >= 2) /* RFC 9112 5.2 */
		memset(trailers->lines.bytes + trailers->lines.len - 2, ' ', 2);
	if (from == TRAILER_VALUE && c == '\n')
		keep_trailer(trailers, '\r');
	else if (to == TRAILER_VALUE && classify(c) == CONTROL)
		c = ' ';
	keep_trailer(trailers, c);
}

/* The next state. REFUSED: in neither table. */
static enum state repair(struct http_chunked *chunked, enum state from, char c)
{
	enum state to = (enum state)repaired_state[from][classify(c)];
	bool folds = from == TRAILER && to == TRAILER_VALUE;
	/* If the last chunk's line ends in CRLF, a bare LF in the trailers was injected into a value. */
	bool split = from == TRAILER_VALUE && to == TRAILER && !chunked->bare_lf;

	if (chunked->repairs == NULL || to == REFUSED || (folds && chunked->trailer == 0) || split ||
	    (c == '\0' && from >= TRAILER))
		return REFUSED;
	*chunked->repairs |= HTTP_REPAIR_CHUNK;
	return to;
}

/* Processes one byte that is not data. */
static bool step(struct http_chunked *chunked, char c, struct http_refusal *refusal)
{
	enum state from = (enum state)chunked->state, to = (enum state)next_state[from][classify(c)];

	if (to == REFUSED)
		to = repair(chunked, from, c);
	const char *why = why_refused[from] != NULL ? why_refused[from] : "a malformed chunk extension";
	bool good = to != REFUSED ? count(chunked, to, refusal) : http_refuse(refusal, 400, why);

	if (good && to == SIZE)
		good = add_digit(chunked, c, refusal);
	if (good && chunked->trailers != NULL)
		keep_line(chunked, from, to, c);
	if (to == DATA)
		to = begin_chunk(chunked, from, c);
	chunked->state = (uint8_t)(good ? to : REFUSED);
	return good;
}

void http_chunked_init(struct http_chunked *chunked)
{
	*chunked = (struct http_chunked){.state = SIZE_START};
}

enum http_chunk http_chunked_decode(struct http_chunked *chunked, const char *input, size_t len, size_t *used,
				    struct http_span *data, struct http_refusal *refusal)
{
	*data = (struct http_span){input, 0};
	for (*used = 0; *used < len && chunked->state != ENDED && chunked->state != DATA; ++*used)
		if (!step(chunked, input[*used], refusal))
			return HTTP_CHUNK_BAD;
	if (chunked->state == ENDED)
		return HTTP_CHUNK_END;
	if (*used == len)
		return HTTP_CHUNK_MORE;
	size_t here = len - *used;
	*data = (struct http_span){input + *used, here < chunked->left ? here : (size_t)chunked->left};
	*used += data->len;
	chunked->left -= data->len;
	if (chunked->left == 0)
		chunked->state = DATA_CR;
	return HTTP_CHUNK_DATA;
}
