#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libicert/clock.h"
#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"
#include "mail/smtp.h"
#include "procedure/head_tell.h"
#include "views/view.h"

#define TELL_S 3600
#define AGAIN_MS 60000
#define TIMEOUT_MS 10000L

static const struct db_stmt newest = { "head_newest", "select size, at, note from icert.audit_head order by size desc limit 1" };

static size_t
ignore(char *p, size_t size, size_t n, void *arg)
{
	(void)p, (void)arg;
	return size * n;
}

/* 2xx is a receipt. */
static int
post(const char *url, const char *note)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
	CURL *curl = curl_easy_init();
	int error = ICERT_E_MEMORY;

	if (curl != NULL && headers != NULL) {
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, note);
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
		curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
		error = curl_easy_perform(curl) == CURLE_OK ? 0 : ICERT_E_UNAVAILABLE;
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return error;
}

static int
mail(struct act *act, struct head_teller *t, const char *to, const char *note, uint64_t size)
{
	const char *origin = config_get(act->config, "audit", "origin"), *html = catalogue("audit_head.html");
	struct buf text = BUF_INIT, id = BUF_INIT;
	struct smtp_result result;
	struct smtp_message m = { .to = to, .subject = catalogue("audit_head.subject"), .date = clock_real(), .html = html };
	int error;

	if (t->smtp == NULL && (error = smtp_open(act->config, &t->smtp)) != 0)
		return error;
	catalogue_put(&text, "audit_head.text", (const char *const[]){ "head", note, NULL });
	buf_printf(&id, "<head-%" PRIu64 "@%s>", size, origin != NULL ? origin : "icert");
	for (char *p = (char *)id.p; id.len > 0 && *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	m.text = buf_str(&text);
	m.message_id = buf_str(&id);
	error = buf_error(&text) != 0 || buf_error(&id) != 0 ? ICERT_E_MEMORY : smtp_send(t->smtp, &m, &result);
	buf_free(&text);
	buf_free(&id);
	return error;
}

/* Whether a channel's turn has come; a failure leaves `taken` behind and comes again sooner. */
static int
turn(const struct act *act, int64_t last_ms, uint64_t taken, uint64_t size, int failed)
{
	const char *s = config_get(act->config, "audit", "tell_seconds");
	int64_t every = failed ? AGAIN_MS : (s != NULL && atoll(s) > 0 ? atoll(s) : TELL_S) * 1000;

	return taken != size && (last_ms == 0 || clock_mono_ms() - last_ms >= every);
}

int
head_tell(struct act *act, struct head_teller *t)
{
	const char *url = config_get(act->config, "audit", "post_url"), *to = config_get(act->config, "audit", "mail_to");
	static int post_failed, mail_failed;
	struct db_result *r;
	uint64_t size;
	int error, failed = 0;

	if ((url == NULL || url[0] == '\0') && (to == NULL || to[0] == '\0'))
		return 0;
	if ((error = db_query(act->db, &newest, NULL, 0, &r)) != 0)
		return error;
	size = db_rows(r) == 1 ? (uint64_t)db_int(r, 0, 0) : 0;
	if (size > 0 && url != NULL && url[0] != '\0' && turn(act, t->posted_ms, t->posted, size, post_failed)) {
		t->posted_ms = clock_mono_ms();
		if ((post_failed = (error = post(url, db_text(r, 0, 2))) != 0))
			failed = error;
		else
			t->posted = size;
	}
	if (size > 0 && to != NULL && to[0] != '\0' && turn(act, t->mailed_ms, t->mailed, size, mail_failed)) {
		t->mailed_ms = clock_mono_ms();
		if ((mail_failed = (error = mail(act, t, to, db_text(r, 0, 2), size)) != 0))
			failed = error;
		else
			t->mailed = size;
	}
	db_result_free(r);
	if (failed != 0)
		log_warn("audit_head_untold", "the signed head of %" PRIu64 " leaves: %s", size, icert_err_code(failed));
	return 0;
}
