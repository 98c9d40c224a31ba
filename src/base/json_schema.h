/* The version of the JSON output of commands, in its key "schema". */
#ifndef BASE_JSON_SCHEMA_H
#define BASE_JSON_SCHEMA_H

/* Increment it when a key is removed or changes its meaning or type, not for a new key. */
#define JSON_SCHEMA 1

#endif
