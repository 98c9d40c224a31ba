#include "gateway/input.h"

#include <stdlib.h>
#include <string.h>

#include "http/head.h"

bool gw_input_open(struct gw_input *input)
{
	*input = (struct gw_input){.head = malloc(GW_HEAD_ROOM), .head_room = GW_HEAD_ROOM};
	return input->head != NULL;
}

void gw_input_adopt(struct gw_input *input, char *head, size_t len)
{
	free(input->head);
	input->head = head;
	input->head_len = input->head_room = len;
}

void gw_input_close(struct gw_input *input)
{
	free(input->head);
	free(input->rest);
	*input = (struct gw_input){0};
}

static bool grow_to(struct gw_input *input, size_t room)
{
	char *more = realloc(input->head, room);

	if (more == NULL)
		return false;
	input->head = more;
	input->head_room = room;
	return true;
}

bool gw_input_grow(struct gw_input *input)
{
	if (input->head_len < input->head_room)
		return true;
	return input->head_room < HTTP_HEAD_MAX && grow_to(input, 2 * input->head_room);
}

void gw_input_head_ends(struct gw_input *input, size_t head_len)
{
	input->bytes = input->head;
	input->at = head_len;
	input->len = input->head_len;
}

/* Moves the bytes that were received with the head to a separate buffer. */
static bool open_rest(struct gw_input *input)
{
	size_t here = input->len - input->at;

	input->rest = malloc(GW_REST_ROOM + here);
	if (input->rest == NULL)
		return false;
	input->rest_room = GW_REST_ROOM + here;
	if (here > 0)
		memcpy(input->rest, input->bytes + input->at, here);
	input->bytes = input->rest;
	input->at = 0;
	input->len = here;
	return true;
}

/* Moves the unused bytes to the front of the buffer. */
static void batch_rest(struct gw_input *input)
{
	memmove(input->rest, input->rest + input->at, input->len - input->at);
	input->len -= input->at;
	input->at = 0;
}

size_t gw_input_room(struct gw_input *input, char *scratch, char **where)
{
	*where = scratch;
	if (input->rest == NULL)
		return GW_REST_ROOM;
	if (input->at == input->len || input->len == input->rest_room)
		batch_rest(input);
	*where = input->rest + input->len;
	return input->rest_room - input->len;
}

bool gw_input_came(struct gw_input *input, const char *where, size_t len)
{
	if (len == 0)
		return true;
	if (input->rest == NULL) {
		if (!open_rest(input))
			return false;
		memcpy(input->rest + input->len, where, len);
	}
	input->len += len;
	return true;
}

bool gw_input_keep(struct gw_input *input, const char *bytes, size_t len, size_t ceiling)
{
	if (input->rest == NULL && !open_rest(input))
		return false;
	if (input->at == input->len || input->rest_room - input->len < len)
		batch_rest(input);
	if (input->len + len > ceiling)
		return false;
	if (input->rest_room - input->len < len) {
		size_t room = 2 * input->rest_room > input->len + len ? 2 * input->rest_room : input->len + len;
		char *more = realloc(input->rest, room);
		if (more == NULL)
			return false;
		input->rest = input->bytes = more;
		input->rest_room = room;
	}
	memcpy(input->rest + input->len, bytes, len);
	input->len += len;
	return true;
}

static void close_rest(struct gw_input *input)
{
	free(input->rest);
	input->rest = NULL;
	input->rest_room = 0;
	input->bytes = input->head;
	input->at = input->len = 0;
}

void gw_input_rest(struct gw_input *input)
{
	if (input->rest != NULL && input->at == input->len)
		close_rest(input);
}

bool gw_input_next(struct gw_input *input)
{
	size_t here = input->len - input->at;

	if (here >= input->head_room && !grow_to(input, here + 1))
		return false;
	/* If grow_to() was needed, the unused bytes are not in the head buffer that it moves: from there they would
	 * have fit. */
	memmove(input->head, input->bytes + input->at, here);
	input->head_len = here;
	close_rest(input);
	return true;
}
