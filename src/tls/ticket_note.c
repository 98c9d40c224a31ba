#include "tls/ticket_note.h"

#include <string.h>

/* A tag before the note, so that other data in a ticket is not taken for it. */
static const unsigned char mark[] = {'t', 'h', 'a', 'w', ' ', 'n', 'o', 't', 'e', ' ', 1};

#define TIME_LEN 8
#define NOTE_LEN (sizeof(mark) + TIME_LEN + TLS_TRUST_ID)

bool tls_ticket_note_put(SSL_SESSION *session, const struct tls_ticket_note *note)
{
	unsigned char data[NOTE_LEN], *at = data + sizeof(mark);

	memcpy(data, mark, sizeof(mark));
	for (size_t i = 0; i < TIME_LEN; i++)
		at[i] = (unsigned char)(note->wall_ms >> (56 - 8 * i));
	memcpy(at + TIME_LEN, note->trust, TLS_TRUST_ID);
	return SSL_SESSION_set1_ticket_appdata(session, data, sizeof(data)) == 1;
}

bool tls_ticket_note_get(SSL_SESSION *session, struct tls_ticket_note *note)
{
	void *data = NULL;
	size_t len = 0;

	if (SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1 || data == NULL || len != NOTE_LEN ||
	    memcmp(data, mark, sizeof(mark)) != 0)
		return false;
	const unsigned char *at = (const unsigned char *)data + sizeof(mark);
	note->wall_ms = 0;
	for (size_t i = 0; i < TIME_LEN; i++)
		note->wall_ms = note->wall_ms << 8 | at[i];
	memcpy(note->trust, at + TIME_LEN, TLS_TRUST_ID);
	return true;
}
