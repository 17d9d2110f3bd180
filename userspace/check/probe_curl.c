/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTPS, and HTTP that follows redirects: by libcurl, in the prober's own epoll set. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check/curl_transfers.h"
#include "check/http_expect.h"
#include "check/http_request.h"
#include "check/probe.h"

struct curl_probe {
	CURL *easy; /* while it runs */
	regex_t *regex;
	struct curl_slist *headers; /* values that may be secret inside */
	char *url;
	struct curl_slist *connect_to[PROBE_ADDRESSES];
	struct http_answer answer; /* counters and body; libcurl does the parsing */
	size_t header_length;
	bool header_too_long;
	bool chunked;
	curl_socket_t socket; /* libcurl's last one, or CURL_SOCKET_BAD */
	char error[CURL_ERROR_SIZE];
};

/* The server's header, of each answer on the way anew. */
static size_t on_header(char *bytes, size_t size, size_t length, void *data)
{
	struct curl_probe *own = data;

	(void)size; /* always 1 */
	if (length > 5 && !memcmp(bytes, "HTTP/", 5)) {
		own->header_length = 0;
		own->chunked = false;
		own->answer.header_complete = false;
	}
	if (length > 18 && !strncasecmp(bytes, "transfer-encoding:", 18))
		own->chunked = true;
	if (length && (*bytes == '\r' || *bytes == '\n'))
		own->answer.header_complete = true;
	own->answer.received += length;
	own->header_length += length;
	own->header_too_long = own->header_length > HTTP_MAX_HEADER;
	return own->header_too_long ? 0 : length;
}

static size_t on_body(char *bytes, size_t size, size_t length, void *data)
{
	struct curl_probe *own = data;

	(void)size; /* always 1 */
	own->answer.received += length;
	if (http_answer_add_body(&own->answer, bytes, length))
		return length;
	own->answer.complete = !own->answer.no_memory;
	return 0;
}

/* libcurl 7.88 does not tell that a connection is there before TLS is; the socket does. */
static int on_open(void *data, curl_socket_t fd, curlsocktype purpose)
{
	(void)purpose;
	((struct curl_probe *)data)->socket = fd;
	return CURL_SOCKOPT_OK;
}

static bool connected(const struct curl_probe *own)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	return own->socket != CURL_SOCKET_BAD &&
	       !getpeername(own->socket, (struct sockaddr *)&peer, &length);
}

static void release(struct probe *probe)
{
	struct curl_probe *own = probe->private;

	http_answer_free(&own->answer);
	if (!own->easy)
		return;
	transfer_stop(probe->prober->transfers, own->easy);
	own->easy = NULL;
}

static unsigned int status_of(CURL *easy)
{
	long status = 0;

	curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned int)status;
}

/* -1 when the answer does not say it. */
static curl_off_t announced(CURL *easy)
{
	curl_off_t length = -1;

	curl->easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length;
}

/* Closed without an end of TLS, as many servers do. Unlike 7.88, newer ones of libcurl take that
   for an error of its own, which only its words tell from others. */
static bool closed_in_tls(const struct curl_probe *own, CURLcode code)
{
	return code == CURLE_RECV_ERROR && strstr(own->error, "unexpected eof");
}

/* Where nothing else says how long the body is, the close ends it. */
static bool ended_by_close(const struct curl_probe *own, CURLcode code)
{
	return closed_in_tls(own, code) && own->answer.header_complete && !own->chunked &&
	       announced(own->easy) < 0;
}

static bool is_whole(const struct curl_probe *own, CURLcode code)
{
	/* 7.88 calls an answer good that was closed in the midst of its header. */
	if (code == CURLE_OK)
		return own->answer.header_complete;
	/* Our own limit on the body ends a transfer early, and well. */
	if (code == CURLE_WRITE_ERROR)
		return own->answer.complete;
	return ended_by_close(own, code);
}

/* What plain HTTP says in the same case, it says here. */
static void explain(const struct probe *probe, CURLcode code, struct check_result *result)
{
	struct curl_probe *own = probe->private;
	const char *words = *own->error ? own->error : curl->easy_strerror(code);
	long error = 0;
	curl_off_t length = announced(own->easy);

	curl->easy_getinfo(own->easy, CURLINFO_OS_ERRNO, &error);
	own->answer.announced = length >= 0 ? (unsigned long long)length : ULLONG_MAX;
	if (own->header_too_long)
		probe_fail(result, "header longer than %d bytes", HTTP_MAX_HEADER);
	else if (own->answer.no_memory)
		probe_fail(result, "no memory for the answer");
	else if (code == CURLE_COULDNT_CONNECT && error)
		probe_fail_connect(probe, result, (int)error);
	else if (code == CURLE_OK || code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE ||
		 closed_in_tls(own, code))
		http_answer_cut(&own->answer, result);
	else if (code == CURLE_TOO_MANY_REDIRECTS)
		probe_fail(result, "more than %u redirects", probe->check->redirects);
	else if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
		probe_fail(result, "not an HTTP answer: %s", words);
	else
		probe_fail(result, "%s", words);
}

static bool refused(const struct curl_probe *own, CURLcode code)
{
	long error = 0;

	curl->easy_getinfo(own->easy, CURLINFO_OS_ERRNO, &error);
	return code == CURLE_COULDNT_CONNECT && error == ECONNREFUSED;
}

static void start(struct probe *probe);

static void on_end(void *data, CURLcode code)
{
	struct probe *probe = data;
	struct curl_probe *own = probe->private;
	struct check_result result = {};

	if (refused(own, code) && probe_next_address(probe)) {
		release(probe);
		start(probe);
		return;
	}
	if (is_whole(own, code)) {
		http_expect_judge(probe->check, own->regex, status_of(own->easy), &own->answer,
				  &result);
	} else {
		explain(probe, code, &result);
		result.status = own->answer.header_complete ? status_of(own->easy) : 0;
		probe_keep_body(&result, own->answer.beginning, own->answer.body_length);
	}
	release(probe);
	probe_end(probe, &result);
}

static void set_tls(CURL *easy, const struct check *check)
{
	if (check->tls.ca) {
		curl->easy_setopt(easy, CURLOPT_CAINFO, check->tls.ca);
		curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (check->tls.certificate)
		curl->easy_setopt(easy, CURLOPT_SSLCERT, check->tls.certificate);
	if (check->tls.key)
		curl->easy_setopt(easy, CURLOPT_SSLKEY, check->tls.key);
	if (check->tls.insecure) {
		curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	/* A resumed session would not show the certificate. */
	curl->easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* A connection of its own, to the instance and nowhere else, whatever the environment says. */
static void set_connection(CURL *easy, const struct probe *probe,
			   const struct curl_slist *connect_to)
{
	curl->easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
	curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl->easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl->easy_setopt(easy, CURLOPT_PROXY, "");
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* The prober's own deadline comes first. */
	curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)probe->check->timeout_ms * 2);
}

static void set_request(CURL *easy, const struct probe *probe)
{
	const struct curl_probe *own = probe->private;
	const char *method = http_request_method(probe->check);

	curl->easy_setopt(easy, CURLOPT_URL, own->url);
	curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, own->headers);
	if (!strcmp(method, "HEAD"))
		curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, probe->check->redirects ? 1L : 0L);
	curl->easy_setopt(easy, CURLOPT_MAXREDIRS, (long)probe->check->redirects);
}

static void set_answer(CURL *easy, struct curl_probe *own)
{
	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, own);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, own);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, own->error);
	curl->easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
	curl->easy_setopt(easy, CURLOPT_SOCKOPTDATA, own);
}

/* The timeout is the prober's; libcurl's own limits only have to be longer. */
static void start(struct probe *probe)
{
	struct curl_probe *own = probe->private;
	struct check_result result = {};
	CURL *easy = transfer_take(probe->prober);

	http_answer_init(&own->answer, false, http_expect_body(probe->check));
	own->header_length = 0;
	own->header_too_long = false;
	own->chunked = false;
	*own->error = '\0';
	own->socket = CURL_SOCKET_BAD;
	own->easy = easy;
	if (easy) {
		set_connection(easy, probe, own->connect_to[probe->address_now]);
		set_tls(easy, probe->check);
		set_request(easy, probe);
		set_answer(easy, own);
		if (!transfer_start(probe->prober->transfers, easy, on_end, probe))
			return;
	}
	release(probe);
	probe_fail(&result, "no memory for the check");
	probe_end(probe, &result);
}

/* Takes the request apart again: what it is made of was checked when it was built. */
static int set_headers(struct curl_probe *own, char *request)
{
	char *rest = strstr(request, "\r\n") + 2, *end;

	for (; (end = strstr(rest, "\r\n")) && end != rest; rest = end + 2) {
		struct curl_slist *headers;

		*end = '\0';
		headers = curl->slist_append(own->headers, rest);
		if (!headers)
			return -ENOMEM;
		own->headers = headers;
	}
	return 0;
}

/* SNI and verification go by the URL's host: a name, or the address in its brackets. */
static int set_url(struct probe *probe, const char *address)
{
	struct curl_probe *own = probe->private;
	const struct check *check = probe->check;
	const char *name = check->tls.server_name ? check->tls.server_name : check->host;
	const char *port = strrchr(address, ':') + 1;
	size_t length;

	if (!name)
		name = address;
	length = *name == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":");
	return asprintf(&own->url, "%s://%.*s:%s%s", check->kind == CHECK_HTTPS ? "https" : "http",
			(int)length, name, port, http_request_path(check)) < 0
		       ? -ENOMEM
		       : 0;
}

static int set_connect_to(struct probe *probe)
{
	struct curl_probe *own = probe->private;
	char address[ENDPOINT_TEXT], entry[ENDPOINT_TEXT + 2];
	int err = 0;

	do {
		struct curl_slist **list = &own->connect_to[probe->address_now];

		/* "::": whatever host and port a redirect names. */
		snprintf(entry, sizeof(entry), "::%s", probe_address_text(probe, address));
		*list = curl->slist_append(NULL, entry);
		if (!*list)
			err = -ENOMEM;
	} while (probe_next_address(probe));
	probe->address_now = 0;
	return err;
}

static int prepare_parts(struct probe *probe, char *request, const char *address,
			 struct failure *failure)
{
	int err = set_headers(probe->private, request);

	if (!err)
		err = set_url(probe, address);
	if (!err)
		err = set_connect_to(probe);
	if (err)
		return failure_errno(failure, -err, "free some memory", "cannot add a check");
	return http_expect_prepare(probe->check, &((struct curl_probe *)probe->private)->regex,
				   failure);
}

static int curl_prepare(struct probe *probe, struct failure *failure)
{
	char address[ENDPOINT_TEXT], *request;
	size_t length;
	int err;

	if (curl_load(failure))
		return -1;
	probe->private = calloc(1, sizeof(struct curl_probe));
	if (!probe->private)
		return failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
	request = http_request_build(probe->check, probe_address_text(probe, address), failure);
	if (!request)
		return -1;
	length = strlen(request);
	err = prepare_parts(probe, request, address, failure);
	explicit_bzero(request, length);
	free(request);
	return err;
}

static double seconds(CURL *easy, CURLINFO what)
{
	curl_off_t microseconds = 0;

	curl->easy_getinfo(easy, what, &microseconds);
	return (double)microseconds / 1e6;
}

static void how_far(const struct probe *probe, struct check_result *result)
{
	const struct curl_probe *own = probe->private;

	if (!connected(own))
		probe_fail(result, "no connection within %s", probe_timeout(probe));
	else if (own->answer.received)
		probe_fail(result, "answer not complete within %s (%zu bytes received)",
			   probe_timeout(probe), own->answer.received);
	else if (probe->check->kind == CHECK_HTTPS &&
		 seconds(own->easy, CURLINFO_APPCONNECT_TIME_T) <= 0)
		probe_fail(result, "no TLS handshake within %s (connected)", probe_timeout(probe));
	else
		probe_fail(result,
			   "no answer within %s (connected in %.1f ms, request sent, "
			   "0 bytes received)",
			   probe_timeout(probe), seconds(own->easy, CURLINFO_CONNECT_TIME_T) * 1e3);
}

static void curl_expire(struct probe *probe, struct check_result *result)
{
	struct curl_probe *own = probe->private;

	how_far(probe, result);
	result->status = status_of(own->easy);
	if (result->status)
		http_expect_status(probe->check, result->status, result);
	probe_keep_body(result, own->answer.beginning, own->answer.body_length);
	release(probe);
}

static void curl_describe(const struct probe *probe, char sent[CHECK_TEXT])
{
	char text[ENDPOINT_TEXT];

	snprintf(sent, CHECK_TEXT, "%s %s to %s%s", http_request_method(probe->check),
		 http_request_path(probe->check), probe_address_text(probe, text),
		 probe->check->kind == CHECK_HTTPS ? " (TLS)" : "");
}

static void curl_dispose(struct probe *probe)
{
	struct curl_probe *own = probe->private;

	if (!own)
		return;
	for (struct curl_slist *header = own->headers; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl->slist_free_all(own->headers);
	for (int i = 0; i < PROBE_ADDRESSES; i++)
		curl->slist_free_all(own->connect_to[i]);
	http_expect_free(own->regex);
	free(own->url);
	free(own);
}

const struct probe_way probe_curl = {
	.prepare = curl_prepare,
	.begin = start,
	.expire = curl_expire,
	.stop = release,
	.describe = curl_describe,
	.dispose = curl_dispose,
};
