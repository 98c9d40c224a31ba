/*
 * Uploads a file with libcurl and libthaw-curl. The connection is primed for the client certificate first, and the
 * upload uses that connection or none:
 *
 *	upload FILE URL CA CERTIFICATE KEY
 *
 * CA, CERTIFICATE and KEY are PEM files. It writes the response's body to standard output, and each ask of the server
 * to standard error. The lines that libthaw-curl adds to a plain libcurl program are marked.
 */
#include <stdio.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <thaw/curl.h>

static void on_ask(void *arg, const struct thaw_curl_ask *ask)
{
	(void)arg;
	(void)fprintf(stderr, "asked for a certificate %s: %s\n", ask->priming ? "while priming" : "during the upload",
		      ask->subject != NULL ? ask->subject : "none is configured");
}

static int set_up(CURL *curl, char **argv, FILE *file, curl_off_t size)
{
	return curl_easy_setopt(curl, CURLOPT_URL, argv[2]) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAINFO, argv[3]) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLCERT, argv[4]) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLKEY, argv[5]) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_READDATA, file) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, size) == CURLE_OK;
}

/* libcurl returns CURLE_OK also if the server answers and closes before it has the whole file. */
static int is_whole(CURL *curl, curl_off_t size)
{
	curl_off_t sent = -1;

	return curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK && sent == size;
}

static int upload(CURL *curl, curl_off_t size)
{
	struct thaw_curl_options options = {.size = sizeof(options), .asked = on_ask};
	struct thaw_error err = {THAW_ERR_NONE, ""};
	thaw_curl *helper = NULL;
	CURLcode code = CURLE_OK;
	long status = 0;
	int whole;

	do { /* libthaw-curl: instead of curl_easy_perform() alone */
		if (thaw_curl_prime(curl, &options, &helper, &err) != THAW_OK) {
			(void)fprintf(stderr, "not primed: %s\n", err.text);
			break;
		}
		code = curl_easy_perform(curl);
	} while (thaw_curl_lost(helper));
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	whole = is_whole(curl, size);
	if (code != CURLE_OK)
		(void)fprintf(stderr, "not uploaded: %s\n", curl_easy_strerror(code));
	else if (err.cls == THAW_ERR_NONE)
		(void)fprintf(stderr, "status %ld%s\n", status, whole ? "" : ", before the whole file was sent");
	curl_easy_cleanup(curl);
	thaw_curl_free(&helper); /* libthaw-curl: after curl_easy_cleanup() */
	return err.cls != THAW_ERR_NONE || code != CURLE_OK || !whole || status < 200 || status > 299;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		(void)fprintf(stderr, "usage: upload FILE URL CA CERTIFICATE KEY\n");
		return 2;
	}
	FILE *file = fopen(argv[1], "rb");
	if (file == NULL) {
		perror(argv[1]);
		return 1;
	}
	struct stat info;
	if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
		(void)fprintf(stderr, "%s: not a regular file\n", argv[1]);
		(void)fclose(file);
		return 1;
	}
	CURL *curl = curl_easy_init();
	int failed = 1;
	if (curl != NULL && set_up(curl, argv, file, info.st_size))
		failed = upload(curl, info.st_size);
	else if (curl != NULL)
		curl_easy_cleanup(curl);
	(void)fclose(file);
	return failed;
}
