/* The version of what commands print as JSON, in its key "schema". */
#ifndef BASE_JSON_SCHEMA_H
#define BASE_JSON_SCHEMA_H

/* A key that goes, or changes its meaning or its type, makes it 2; a new key does not. */
#define JSON_SCHEMA 1

#endif
