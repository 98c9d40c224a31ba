/*
 * The content of an upload: a file, standard input, or files in a form (multipart/form-data, RFC 7578). It is read
 * in pieces, and again from the beginning if possible. If a file changes after it was opened, reading fails before
 * the last byte.
 */
#ifndef SEND_BODY_H
#define SEND_BODY_H

#include <sys/types.h>

#include "thaw/types.h"

#define BODY_PARTS_MAX 16

struct send_body;

/* One field of a form: a file, or a text. */
struct send_part {
	const char *name, *file, *text;
	const char *type;  /* of its content; NULL: application/octet-stream of a file with a name, or none */
	const char *shown; /* what the file is called there; NULL: as here */
	bool nameless;     /* the file's content is the text of a field: it has no file name and no type of its own */
};

/* Return values of send_body_read() in addition to a number of bytes. */
#define BODY_END    0
#define BODY_WAITS  (-1) /* standard input has no data yet: poll send_body_fd() */
#define BODY_BROKEN (-2) /* see send_body_error() */

/* file: "-" for standard input; ignored if part_count > 0, which means a form. NULL with *err set. */
struct send_body *send_body_open(const char *file, const struct send_part *parts, size_t part_count,
				 struct thaw_error *err);
void send_body_close(struct send_body **body);

/* -1: unknown before the end. */
int64_t send_body_length(const struct send_body *body);

/* "multipart/form-data; boundary=..."; NULL: unknown. */
const char *send_body_type(const struct send_body *body);

ssize_t send_body_read(struct send_body *body, char *into, size_t room);
const struct thaw_error *send_body_error(const struct send_body *body);

/* The descriptor for poll() after a read returned BODY_WAITS. */
int send_body_fd(const struct send_body *body);

/* Goes back to the beginning. False if that is not possible and something was read. */
bool send_body_rewind(struct send_body *body);
bool send_body_can_rewind(const struct send_body *body);

/* For --resume with a single file: whether it is one; whether these are its bytes at this position; skip the first
 * bytes (before any read; false if it is not a file or is shorter); its whole size. */
bool send_body_is_file(const struct send_body *body);
bool send_body_has(const struct send_body *body, uint64_t at, const char *bytes, size_t len);
bool send_body_skip(struct send_body *body, uint64_t first);
uint64_t send_body_size(const struct send_body *body);

/* Bytes read since the beginning; and whether that is everything. */
uint64_t send_body_given(const struct send_body *body);
bool send_body_whole(const struct send_body *body);

#endif
