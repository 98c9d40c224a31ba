#include "send/body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define PIECES_MAX (2 * BODY_PARTS_MAX + 1) /* for each file the head of its part, and the end of the form */
#define TYPE_ROOM  96

/* A text or a file. */
struct piece {
	char *text; /* NULL: a file */
	int fd;
	bool own;       /* close fd with the piece */
	bool regular;   /* its length is known, and it can be read again */
	const char *of; /* name of the file, for error messages */
	off_t base;     /* regular file: offset of its beginning */
	off_t from;     /* position of the next read */
	struct stat was;
	uint64_t len;
};

struct send_body {
	struct piece pieces[PIECES_MAX];
	size_t count, at; /* current piece */
	uint64_t done;    /* bytes read from it */
	uint64_t given;
	bool ended;
	char type[TYPE_ROOM];
	struct thaw_error err;
};

/* ---- opening ---- */

/* Files in /proc, for example, report a size of 0. */
static bool is_made_when_read(const struct piece *piece)
{
	char byte;

	return piece->was.st_size == 0 && pread(piece->fd, &byte, 1, 0) == 1;
}

static enum thaw_status open_file(struct piece *piece, const char *name, struct thaw_error *err)
{
	bool standard = strcmp(name, "-") == 0;

	piece->of = standard ? "standard input" : name;
	piece->fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	piece->own = !standard;
	if (piece->fd < 0 || fstat(piece->fd, &piece->was) != 0)
		return error_system(err, errno, "%s", piece->of);
	if (S_ISDIR(piece->was.st_mode))
		return error_set(err, THAW_ERR_SYSTEM, "%s is a directory", piece->of);
	piece->regular = S_ISREG(piece->was.st_mode) && !is_made_when_read(piece);
	piece->from = piece->regular && standard ? lseek(piece->fd, 0, SEEK_CUR) : 0;
	if (piece->from < 0 || piece->from > piece->was.st_size)
		piece->from = 0;
	piece->base = piece->from;
	piece->len = piece->regular ? (uint64_t)(piece->was.st_size - piece->from) : 0;
	return THAW_OK;
}

static bool set_text(struct piece *piece, char *text)
{
	piece->text = text;
	piece->fd = -1;
	piece->len = text != NULL ? strlen(text) : 0;
	return text != NULL;
}

/* As browsers write names (RFC 7578 4.2, HTML 4.10.21.8): quotes and line ends are percent-encoded. NULL: no memory. */
static char *escape(const char *name)
{
	char *made = malloc(3 * strlen(name) + 1), *to = made;

	if (made == NULL)
		return NULL;
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\r' || *name == '\n') {
			(void)snprintf(to, 4, "%%%02X", (unsigned char)*name);
			to += 3;
		} else {
			*to++ = *name;
		}
	}
	*to = '\0';
	return made;
}

static const char *file_name(const struct send_part *part)
{
	const char *slash = strrchr(part->file, '/');

	if (part->shown != NULL)
		return part->shown;
	return slash != NULL ? slash + 1 : part->file;
}

static char *part_head(const struct send_part *part, const char *boundary, bool first)
{
	bool is_file = part->file != NULL && !part->nameless;
	char *name = escape(part->name), *file = escape(is_file ? file_name(part) : ""), *text = NULL;
	const char *type = part->type != NULL || !is_file ? part->type : "application/octet-stream";

	if (name == NULL || file == NULL ||
	    asprintf(&text, "%s--%s\r\nContent-Disposition: form-data; name=\"%s\"%s%s%s%s%s\r\n\r\n%s",
		     first ? "" : "\r\n", boundary, name, is_file ? "; filename=\"" : "", file, is_file ? "\"" : "",
		     type != NULL ? "\r\nContent-Type: " : "", type != NULL ? type : "",
		     part->text != NULL ? part->text : "") < 0)
		text = NULL;
	free(name);
	free(file);
	return text;
}

static enum thaw_status open_form(struct send_body *body, const struct send_part *parts, size_t count,
				  struct thaw_error *err)
{
	unsigned char random[16];
	char boundary[2 * sizeof(random) + 8] = "thaw-", *end = NULL;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_system(err, errno, "getrandom");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(boundary + 5 + 2 * i, 3, "%02x", random[i]);
	(void)snprintf(body->type, sizeof(body->type), "multipart/form-data; boundary=%s", boundary);
	for (size_t i = 0; i < count; i++) {
		if (!set_text(&body->pieces[body->count++], part_head(&parts[i], boundary, i == 0)))
			return error_set(err, THAW_ERR_RESOURCE, "out of memory");
		if (parts[i].file == NULL)
			continue;
		struct piece *piece = &body->pieces[body->count++];
		if (open_file(piece, parts[i].file, err) != THAW_OK)
			return THAW_FAILED;
		if (!piece->regular)
			return error_set(err, THAW_ERR_SYSTEM, "%s: a form can only contain regular files", piece->of);
	}
	if (asprintf(&end, "\r\n--%s--\r\n", boundary) < 0)
		end = NULL;
	return set_text(&body->pieces[body->count++], end) ? THAW_OK
							   : error_set(err, THAW_ERR_RESOURCE, "out of memory");
}

struct send_body *send_body_open(const char *file, const struct send_part *parts, size_t part_count,
				 struct thaw_error *err)
{
	struct send_body *body = calloc(1, sizeof(*body));
	enum thaw_status status;

	if (body == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < PIECES_MAX; i++)
		body->pieces[i].fd = -1;
	if (part_count > BODY_PARTS_MAX)
		status = error_set(err, THAW_ERR_USAGE, "a form can contain at most %d files", BODY_PARTS_MAX);
	else if (part_count > 0)
		status = open_form(body, parts, part_count, err);
	else
		status = open_file(&body->pieces[body->count++], file, err);
	if (status != THAW_OK)
		send_body_close(&body);
	return body;
}

void send_body_close(struct send_body **body)
{
	struct send_body *gone = *body;

	*body = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < PIECES_MAX; i++) {
		free(gone->pieces[i].text);
		if (gone->pieces[i].own && gone->pieces[i].fd >= 0)
			(void)close(gone->pieces[i].fd);
	}
	free(gone);
}

/* ---- what is known of it ---- */

static bool is_stream(const struct send_body *body)
{
	return body->pieces[0].text == NULL && !body->pieces[0].regular;
}

int64_t send_body_length(const struct send_body *body)
{
	uint64_t len = 0;

	for (size_t i = 0; i < body->count; i++)
		len += body->pieces[i].len;
	return is_stream(body) ? -1 : (int64_t)len;
}

const char *send_body_type(const struct send_body *body)
{
	return body->type[0] != '\0' ? body->type : NULL;
}

const struct thaw_error *send_body_error(const struct send_body *body)
{
	return &body->err;
}

int send_body_fd(const struct send_body *body)
{
	return body->pieces[0].fd;
}

uint64_t send_body_given(const struct send_body *body)
{
	return body->given;
}

bool send_body_whole(const struct send_body *body)
{
	return body->ended || (!is_stream(body) && body->given == (uint64_t)send_body_length(body));
}

bool send_body_can_rewind(const struct send_body *body)
{
	return body->given == 0 || !is_stream(body);
}

bool send_body_rewind(struct send_body *body)
{
	if (!send_body_can_rewind(body))
		return false;
	body->at = 0;
	body->done = body->given = 0;
	body->ended = body->ended && is_stream(body); /* a stream that has ended stays at its end */
	return body->err.cls == THAW_ERR_NONE;
}

bool send_body_is_file(const struct send_body *body)
{
	return body->count == 1 && body->pieces[0].regular;
}

uint64_t send_body_size(const struct send_body *body)
{
	return send_body_is_file(body) ? (uint64_t)(body->pieces[0].was.st_size - body->pieces[0].base) : 0;
}

bool send_body_skip(struct send_body *body, uint64_t first)
{
	if (!send_body_is_file(body) || first > send_body_size(body))
		return false;
	body->pieces[0].from = body->pieces[0].base + (off_t)first;
	body->pieces[0].len = send_body_size(body) - first;
	return send_body_rewind(body);
}

bool send_body_has(const struct send_body *body, uint64_t at, const char *bytes, size_t len)
{
	char own[16384];

	if (!send_body_is_file(body) || at > send_body_size(body) || len > send_body_size(body) - at)
		return false;
	while (len > 0) {
		size_t part = len < sizeof(own) ? len : sizeof(own);
		ssize_t got = pread(body->pieces[0].fd, own, part, body->pieces[0].base + (off_t)at);
		if (got <= 0 || memcmp(own, bytes, (size_t)got) != 0)
			return false;
		bytes += got;
		at += (uint64_t)got;
		len -= (size_t)got;
	}
	return true;
}

/* ---- reading ---- */

static ssize_t read_stream(struct send_body *body, const struct piece *piece, char *into, size_t room)
{
	struct pollfd fd = {.fd = piece->fd, .events = POLLIN};

	if (body->ended)
		return BODY_END;
	if (poll(&fd, 1, 0) == 0)
		return BODY_WAITS;
	ssize_t got = read(piece->fd, into, room);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return BODY_WAITS;
	if (got < 0) {
		(void)error_system(&body->err, errno, "%s", piece->of);
		return BODY_BROKEN;
	}
	body->ended = got == 0;
	return got;
}

static bool is_as_it_was(const struct piece *piece)
{
	struct stat is;

	return fstat(piece->fd, &is) == 0 && is.st_size == piece->was.st_size &&
	       is.st_mtim.tv_sec == piece->was.st_mtim.tv_sec && is.st_mtim.tv_nsec == piece->was.st_mtim.tv_nsec;
}

/* Before the last byte is handed out, checks that the file has not changed; after it the server would take the
 * upload as complete. */
static ssize_t read_file(struct send_body *body, const struct piece *piece, char *into, size_t room)
{
	uint64_t left = piece->len - body->done;
	ssize_t got = pread(piece->fd, into, left < room ? left : room, piece->from + (off_t)body->done);

	if (got < 0)
		(void)error_system(&body->err, errno, "%s", piece->of);
	else if (got == 0)
		(void)error_set(&body->err, THAW_ERR_SYSTEM, "%s became shorter during the upload", piece->of);
	else if ((uint64_t)got == left && !is_as_it_was(piece))
		(void)error_set(&body->err, THAW_ERR_SYSTEM, "%s changed during the upload", piece->of);
	return body->err.cls == THAW_ERR_NONE ? got : BODY_BROKEN;
}

static ssize_t read_text(const struct send_body *body, const struct piece *piece, char *into, size_t room)
{
	uint64_t left = piece->len - body->done;
	size_t len = left < room ? left : room;

	memcpy(into, piece->text + body->done, len);
	return (ssize_t)len;
}

ssize_t send_body_read(struct send_body *body, char *into, size_t room)
{
	ssize_t got;

	if (body->err.cls != THAW_ERR_NONE)
		return BODY_BROKEN;
	while (!is_stream(body) && body->at < body->count && body->done == body->pieces[body->at].len) {
		body->at++;
		body->done = 0;
	}
	if (body->at == body->count)
		return BODY_END;
	const struct piece *piece = &body->pieces[body->at];
	if (piece->text != NULL)
		got = read_text(body, piece, into, room);
	else
		got = piece->regular ? read_file(body, piece, into, room) : read_stream(body, piece, into, room);
	if (got > 0) {
		body->done += (uint64_t)got;
		body->given += (uint64_t)got;
	}
	return got;
}
