/*
 * A program that uses libthaw-curl with options of libcurl that make more than one request of a perform:
 *
 *	curl-user FILE URL CA CERTIFICATE KEY digest | ntlm | follow
 *
 * Prints "code STATUS refused PERFORMS".
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <thaw/curl.h>

static int rewind_file(void *arg, curl_off_t offset, int origin)
{
	return fseek(arg, (long)offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * count;
}

static int set_up(CURL *curl, char **argv, FILE *file, curl_off_t size)
{
	int ok = curl_easy_setopt(curl, CURLOPT_URL, argv[2]) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_CAINFO, argv[3]) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_SSLCERT, argv[4]) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_SSLKEY, argv[5]) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_READDATA, file) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_file) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_SEEKDATA, file) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK &&
		 curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, size) == CURLE_OK;

	if (strcmp(argv[6], "follow") == 0)
		return ok && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK;
	return ok && curl_easy_setopt(curl, CURLOPT_USERPWD, "me:secret") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
				(long)(strcmp(argv[6], "ntlm") == 0 ? CURLAUTH_NTLM : CURLAUTH_DIGEST)) == CURLE_OK;
}

static void upload(CURL *curl, FILE *file)
{
	struct thaw_error err = {THAW_ERR_NONE, ""};
	thaw_curl *helper = NULL;
	CURLcode code = CURLE_OK;
	long status = 0;
	int performs = 0;

	do {
		if (thaw_curl_prime(curl, NULL, &helper, &err) != THAW_OK)
			break;
		rewind(file);
		code = curl_easy_perform(curl);
		performs++;
	} while (thaw_curl_lost(helper));
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)printf("%d %ld %d %d\n", (int)code, status, (int)thaw_curl_refused(helper), performs);
	(void)fprintf(stderr, "%s\n", err.text);
	curl_easy_cleanup(curl);
	thaw_curl_free(&helper);
}

int main(int argc, char **argv)
{
	FILE *file = argc == 7 ? fopen(argv[1], "rb") : NULL;
	CURL *curl = curl_easy_init();
	struct stat info;

	if (file == NULL || curl == NULL || fstat(fileno(file), &info) != 0 || !set_up(curl, argv, file, info.st_size))
		return 1;
	upload(curl, file);
	return fclose(file) == 0 ? 0 : 1;
}
