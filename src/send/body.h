/*
 * What is uploaded: a file, standard input, or files in a form (multipart/form-data, RFC 7578). It is handed out piece
 * by piece, as often as needed if it can be begun again, and never as anything but what it was when it was opened: a
 * file that changes meanwhile is an error before its last byte is handed out.
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

/* What send_body_read() returns beside a number of bytes. */
#define BODY_END    0
#define BODY_WAITS  (-1) /* standard input has nothing yet: poll send_body_fd() */
#define BODY_BROKEN (-2) /* see send_body_error() */

/* file, "-" for standard input; or, with part_count > 0, a form. NULL with *err set. */
struct send_body *send_body_open(const char *file, const struct send_part *parts, size_t part_count,
				 struct thaw_error *err);
void send_body_close(struct send_body **body);

/* -1: it is not known before its end. */
int64_t send_body_length(const struct send_body *body);

/* "multipart/form-data; boundary=..."; NULL: nothing is known of it. */
const char *send_body_type(const struct send_body *body);

ssize_t send_body_read(struct send_body *body, char *into, size_t room);
const struct thaw_error *send_body_error(const struct send_body *body);

/* What poll() may wait for when a read has said BODY_WAITS. */
int send_body_fd(const struct send_body *body);

/* Back to its beginning, if it can be, or nothing was read of it. */
bool send_body_rewind(struct send_body *body);
bool send_body_can_rewind(const struct send_body *body);

/* For --resume, of a file alone. Whether it is one; whether these are its bytes at this place; hand out only what is
 * behind the first ones (before any were); its whole size. False: it is none, or it is not so long. */
bool send_body_is_file(const struct send_body *body);
bool send_body_has(const struct send_body *body, uint64_t at, const char *bytes, size_t len);
bool send_body_skip(struct send_body *body, uint64_t first);
uint64_t send_body_size(const struct send_body *body);

/* Bytes handed out since the beginning; and whether that was all. */
uint64_t send_body_given(const struct send_body *body);
bool send_body_whole(const struct send_body *body);

#endif
