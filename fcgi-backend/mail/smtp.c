#include "mail/smtp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "libicert/config.h"
#include "libicert/error.h"
#include "libicert/log.h"

#define CONNECT_S 10L
#define TOTAL_S 60L
/* Servers end idle sessions, some after a minute: a mail sent into one of those is lost time. */
#define IDLE_S 5L
#define ENCODED_WORD 42      /* bytes of text in one RFC 2047 word: below 75 characters encoded */
#define ADDRESS_MAX 254      /* RFC 5321, 4.5.3.1.3, without the angle brackets */

struct smtp {
	CURL *curl;
	char url[256];
	char from[ADDRESS_MAX + 1];
	char from_name[128];
	char user[128], password[128];
	long tls;
};

/* One address that cannot break out of a header or a command. */
static int
address_ok(const char *text)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("<>,;:\\\"()[]", *p) != NULL)
			return 0;
	return p - text <= ADDRESS_MAX && strchr(text, '@') != NULL;
}

static int
copy(char *out, size_t size, const char *text)
{
	if (text == NULL || strlen(text) >= size)
		return ICERT_E_CONFIG;
	strcpy(out, text);
	return 0;
}

static int
load_user(struct smtp *smtp, const char *path)
{
	FILE *file = fopen(path, "re");
	int ok;

	if (file == NULL)
		return ICERT_E_CONFIG;
	ok = fgets(smtp->user, sizeof(smtp->user), file) != NULL &&
	    fgets(smtp->password, sizeof(smtp->password), file) != NULL;
	fclose(file);
	smtp->user[strcspn(smtp->user, "\r\n")] = '\0';
	smtp->password[strcspn(smtp->password, "\r\n")] = '\0';
	return ok ? 0 : ICERT_E_CONFIG;
}

/* none only by name, or for a server on this machine. */
static long
load_tls(const char *word, const char *url)
{
	if (word == NULL || word[0] == '\0')
		return strstr(url, "//127.0.0.1") != NULL || strstr(url, "//localhost") != NULL ? CURLUSESSL_NONE : CURLUSESSL_ALL;
	if (strcmp(word, "none") == 0)
		return CURLUSESSL_NONE;
	return strcmp(word, "opportunistic") == 0 ? CURLUSESSL_TRY : CURLUSESSL_ALL;
}

int
smtp_open(const struct config *config, struct smtp **out)
{
	const char *url = config_get(config, "mail", "smtp_url"), *user = config_get(config, "mail", "user_file");
	const char *name = config_get(config, "mail", "from_name");
	struct smtp *smtp;
	int error;

	*out = NULL;
	if ((smtp = calloc(1, sizeof(*smtp))) == NULL)
		return ICERT_E_MEMORY;
	if ((error = copy(smtp->url, sizeof(smtp->url), url)) != 0 ||
	    (error = copy(smtp->from, sizeof(smtp->from), config_get(config, "mail", "from"))) != 0 ||
	    (error = copy(smtp->from_name, sizeof(smtp->from_name), name == NULL ? "" : name)) != 0)
		goto fail;
	error = ICERT_E_CONFIG;
	if (!address_ok(smtp->from) || strpbrk(smtp->from_name, "\r\n") != NULL)
		goto fail;
	if (user != NULL && user[0] != '\0' && (error = load_user(smtp, user)) != 0)
		goto fail;
	smtp->tls = load_tls(config_get(config, "mail", "tls"), smtp->url);
	error = ICERT_E_MEMORY;
	if ((smtp->curl = curl_easy_init()) == NULL)
		goto fail;
	*out = smtp;
	return 0;
fail:
	log_error("mail_config", "[mail] smtp_url, from or user_file is missing or wrong");
	smtp_free(smtp);
	return error;
}

void
smtp_free(struct smtp *smtp)
{
	if (smtp == NULL)
		return;
	curl_easy_cleanup(smtp->curl);
	bytes_wipe(smtp, sizeof(*smtp));
	free(smtp);
}

/* Text of a header as encoded words (RFC 2047) that cut no character; plain ASCII as it is. */
static void
put_words(struct buf *out, const char *text)
{
	char base64[ENCODED_WORD * 2];
	size_t len = strlen(text), n, i;
	int ascii = 1, first = 1;

	for (i = 0; i < len; i++)
		ascii = ascii && text[i] >= ' ' && text[i] < 0x7f;
	if (ascii && strstr(text, "=?") == NULL) {
		buf_puts(out, text);
		return;
	}
	while (len > 0) {
		n = len < ENCODED_WORD ? len : ENCODED_WORD;
		while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		sodium_bin2base64(base64, sizeof(base64), (const unsigned char *)text, n, sodium_base64_VARIANT_ORIGINAL);
		buf_printf(out, "%s=?utf-8?B?%s?=", first ? "" : "\r\n ", base64);
		text += n;
		len -= n;
		first = 0;
	}
}

static void
put_date(struct buf *out, int64_t at)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
		"Nov", "Dec" };
	time_t t = (time_t)at;
	struct tm tm;

	gmtime_r(&t, &tm);
	buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int
append(struct curl_slist **list, struct buf *line)
{
	struct curl_slist *longer = buf_error(line) == 0 ? curl_slist_append(*list, buf_str(line)) : NULL;

	if (longer != NULL)
		*list = longer;
	buf_reset(line);
	return longer != NULL ? 0 : ICERT_E_MEMORY;
}

static int
headers(const struct smtp *smtp, const struct smtp_message *message, struct curl_slist **list)
{
	struct buf line = BUF_INIT;
	int error;

	put_date(&line, message->date);
	error = append(list, &line);
	buf_puts(&line, "From: ");
	if (smtp->from_name[0] != '\0') {
		const char *p;

		/* A quoted string when it is ASCII, encoded words else. */
		for (p = smtp->from_name; *p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\'; p++)
			;
		if (*p == '\0')
			buf_printf(&line, "\"%s\" ", smtp->from_name);
		else {
			put_words(&line, smtp->from_name);
			buf_puts(&line, " ");
		}
	}
	buf_printf(&line, "<%s>", smtp->from);
	error = error != 0 ? error : append(list, &line);
	buf_printf(&line, "To: <%s>", message->to);
	error = error != 0 ? error : append(list, &line);
	buf_puts(&line, "Subject: ");
	put_words(&line, message->subject);
	error = error != 0 ? error : append(list, &line);
	buf_printf(&line, "Message-ID: %s", message->message_id);
	error = error != 0 ? error : append(list, &line);
	/* RFC 3834: no holiday answer to this, please. */
	buf_puts(&line, "Auto-Submitted: auto-generated");
	error = error != 0 ? error : append(list, &line);
	buf_free(&line);
	return error;
}

static int
add_part(curl_mime *mime, const void *data, size_t len, const char *type, const char *encoder, const char *filename)
{
	curl_mimepart *part = curl_mime_addpart(mime);

	if (part == NULL || curl_mime_data(part, data, len) != CURLE_OK || curl_mime_type(part, type) != CURLE_OK ||
	    curl_mime_encoder(part, encoder) != CURLE_OK)
		return ICERT_E_MEMORY;
	return filename == NULL || curl_mime_filename(part, filename) == CURLE_OK ? 0 : ICERT_E_MEMORY;
}

/* multipart/mixed of (multipart/alternative of text and HTML) and the files. */
static int
body(CURL *curl, const struct smtp_message *message, curl_mime **out)
{
	curl_mime *mixed = curl_mime_init(curl), *alternative = curl_mime_init(curl);
	curl_mimepart *part;
	size_t i;
	int error = ICERT_E_MEMORY;

	*out = mixed;
	if (mixed == NULL || alternative == NULL || (part = curl_mime_addpart(mixed)) == NULL)
		goto fail;
	if (add_part(alternative, message->text, strlen(message->text), "text/plain; charset=utf-8", "quoted-printable",
	    NULL) != 0 ||
	    add_part(alternative, message->html, strlen(message->html), "text/html; charset=utf-8", "quoted-printable",
	    NULL) != 0)
		goto fail;
	if (curl_mime_subparts(part, alternative) != CURLE_OK)
		goto fail;
	alternative = NULL;
	if (curl_mime_type(part, "multipart/alternative") != CURLE_OK)
		goto fail;
	for (i = 0, error = 0; error == 0 && i < message->n_attachments; i++) {
		const struct smtp_attachment *a = &message->attachments[i];

		error = add_part(mixed, a->data, a->len, a->type, "base64", a->filename);
	}
	return error;
fail:
	curl_mime_free(alternative);
	return error;
}

static void
options(struct smtp *smtp, curl_mime *mime, struct curl_slist *list, struct curl_slist *to)
{
	CURL *curl = smtp->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, smtp->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TOTAL_S);
	curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, IDLE_S);
	curl_easy_setopt(curl, CURLOPT_USE_SSL, smtp->tls);
	if (smtp->user[0] != '\0') {
		curl_easy_setopt(curl, CURLOPT_USERNAME, smtp->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, smtp->password);
	}
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, smtp->from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
}

int
smtp_send(struct smtp *smtp, const struct smtp_message *message, struct smtp_result *result)
{
	struct curl_slist *list = NULL, *to = NULL;
	curl_mime *mime = NULL;
	CURLcode code;
	int error;

	memset(result, 0, sizeof(*result));
	if (!address_ok(message->to)) {
		snprintf(result->detail, sizeof(result->detail), "address");
		return ICERT_E_DENIED;
	}
	if ((error = headers(smtp, message, &list)) != 0)
		goto out;
	error = ICERT_E_MEMORY;
	if ((to = curl_slist_append(NULL, message->to)) == NULL || (error = body(smtp->curl, message, &mime)) != 0)
		goto out;
	options(smtp, mime, list, to);
	code = curl_easy_perform(smtp->curl);
	curl_easy_getinfo(smtp->curl, CURLINFO_RESPONSE_CODE, &result->code);
	if (code != CURLE_OK) {
		/* libcurl's words only: the server's could hold the address. */
		snprintf(result->detail, sizeof(result->detail), "%s", curl_easy_strerror(code));
		error = result->code >= 500 ? ICERT_E_DENIED : ICERT_E_UNAVAILABLE;
	}
out:
	curl_mime_free(mime);
	curl_slist_free_all(list);
	curl_slist_free_all(to);
	return error;
}
