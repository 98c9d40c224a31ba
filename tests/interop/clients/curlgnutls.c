/* libcurl's GnuTLS flavour. KIND is not used. See README.md here. Linked with libcurl-gnutls.so.4 by its full name. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_LEN 4096
#define ANSWER_MAX   65536

struct job {
	const char *id, *url, *file, *tls, *framing, *expect;
};

struct answer {
	unsigned char data[ANSWER_MAX];
	size_t len;
};

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * count;

	if (len > sizeof(answer->data) - answer->len)
		return 0;
	memcpy(answer->data + answer->len, data, len);
	answer->len += len;
	return len;
}

static void set_tls(CURL *curl, const char *tls)
{
	long version = CURL_SSLVERSION_DEFAULT;

	if (strcmp(tls, "1.2") == 0)
		version = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2;
	else if (strcmp(tls, "1.3") == 0)
		version = CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3;
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, version);
}

static void set_identity(CURL *curl, const char *pki)
{
	static char ca[LINE_MAX_LEN], certificate[LINE_MAX_LEN], key[LINE_MAX_LEN];

	snprintf(ca, sizeof(ca), "%s/ca.pem", pki);
	snprintf(certificate, sizeof(certificate), "%s/client.pem", pki);
	snprintf(key, sizeof(key), "%s/client.key", pki);
	curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
	curl_easy_setopt(curl, CURLOPT_SSLCERT, certificate);
	curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
}

static struct curl_slist *headers_of(const struct job *job)
{
	struct curl_slist *list = NULL;

	list = curl_slist_append(list, strcmp(job->expect, "expect") == 0 ? "Expect: 100-continue" : "Expect:");
	if (strcmp(job->framing, "chunked") == 0)
		list = curl_slist_append(list, "Transfer-Encoding: chunked");
	return list;
}

static void put(const struct job *job, const char *pki)
{
	static struct answer answer;
	char words[CURL_ERROR_SIZE] = "";
	long status = 0;
	struct stat about;
	CURL *curl = curl_easy_init();
	FILE *in = fopen(job->file, "rb");

	if (curl == NULL || in == NULL || fstat(fileno(in), &about) != 0) {
		fprintf(stderr, "curlgnutls: cannot begin with %s\n", job->file);
		exit(1);
	}
	struct curl_slist *headers = headers_of(job);
	answer.len = 0;
	set_tls(curl, job->tls);
	set_identity(curl, pki);
	curl_easy_setopt(curl, CURLOPT_URL, job->url);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READDATA, in);
	if (strcmp(job->framing, "chunked") != 0)
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)about.st_size);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	printf("%s\t%ld\t", job->id, status);
	for (size_t i = 0; status != 0 && i < answer.len; i++)
		printf("%02x", answer.data[i]);
	printf("\t%s\n", code == CURLE_OK ? "" : words[0] != '\0' ? words : curl_easy_strerror(code));
	fflush(stdout);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	fclose(in);
}

int main(int argc, char **argv)
{
	char line[LINE_MAX_LEN];
	FILE *jobs = argc == 4 ? fopen(argv[2], "r") : NULL;

	if (jobs == NULL || strstr(curl_version(), "GnuTLS") == NULL) {
		fprintf(stderr, "curlgnutls: no jobs, or not GnuTLS: %s\n", curl_version());
		return 1;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	while (fgets(line, sizeof(line), jobs) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		struct job job = {strtok(line, "\t"), strtok(NULL, "\t"), strtok(NULL, "\t"),
				  strtok(NULL, "\t"), strtok(NULL, "\t"), strtok(NULL, "\t")};
		if (job.expect == NULL)
			return 1;
		put(&job, argv[3]);
	}
	fclose(jobs);
	curl_global_cleanup();
	return 0;
}
