/* Message priorities for the systemd journal, if standard error is connected to it. */
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

/* Whether this descriptor is connected to the journal: it has the device and inode in JOURNAL_STREAM (systemd.exec(5)).
 * The variable alone is not sufficient: programs whose output is redirected inherit it. */
bool journal_is(int fd);

/* The prefix of a line on standard error: "<3>" to "<7>" for the journal (sd-daemon(3)), otherwise "". */
const char *journal_prefix(enum journal_priority priority, bool to_journal);

#endif
