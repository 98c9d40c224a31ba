/*
 * Opens the files of certificates, keys and CRLs. A daemon reads them again while it serves, and others may write in
 * their folders: then nothing but a regular file of a sensible size is read, since a pipe or a terminal would make it
 * wait, and some devices act when they are opened.
 */
#ifndef TLS_FILE_H
#define TLS_FILE_H

#include <stdio.h>

#include "tls/failure.h"

struct bio_st;
struct stack_st_X509_INFO;

#define TLS_FILE_MAX (256L * 1024 * 1024) /* of a daemon; the largest CRLs have some ten MiB */

/* From now on this process is a daemon. Other programs may read pipes, such as <(command) of a shell. */
void tls_files_of_daemon(void);

/* Fails with errno; ENXIO: not a regular file, EFBIG: larger than TLS_FILE_MAX. */
FILE *tls_file_open(const char *file);

/* The same as a BIO; on failure *bio is NULL, and *err names the file, the cause and a remedy. cls: of errors other
 * than out of memory. */
enum thaw_status tls_file_bio(const char *file, enum thaw_error_class cls, struct bio_st **bio, struct thaw_error *err);

/* pem_file.c: reads all certificates and CRLs of a PEM file, and ignores its other contents, such as keys and comments.
 * kind: what is wanted, for messages. The caller frees *infos. cls: of errors of the file system. */
enum thaw_status tls_file_infos(const char *file, enum thaw_error_class cls, enum tls_pem_kind kind,
				struct stack_st_X509_INFO **infos, struct thaw_error *err);

#endif
