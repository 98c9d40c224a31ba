/* The journal of systemd as standard error: how a message says its priority. */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stdbool.h>

/* The priorities of syslog(3) that are used here. */
enum journal_priority {
	JOURNAL_ERROR = 3,
	JOURNAL_WARNING = 4,
	JOURNAL_NOTICE = 5,
	JOURNAL_INFO = 6,
	JOURNAL_DEBUG = 7
};

/* Whether this descriptor is a stream to the journal: it has the device and inode that JOURNAL_STREAM names
 * (systemd.exec(5)). The variable alone says nothing: it is inherited by programs whose output goes elsewhere. */
bool journal_is(int fd);

/* What a line that goes to standard error begins with: "<3>" to "<7>" if that is the journal (sd-daemon(3)), else "".
 */
const char *journal_prefix(enum journal_priority priority, bool to_journal);

#endif
