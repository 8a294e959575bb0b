#include "procedure/order/search.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypt/keeper.h"
#include "libicert/buf.h"
#include "libicert/error.h"
#include "libicert/normalise.h"
#include "store/db.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)
#define PAGE		50
#define EVER		INT64_C(1000000000000)
#define CEDULA		10
#define RUC		13
#define NATURAL		"001"	/* a natural person's RUC is the cédula and an establishment */

/* Each branch goes by an index of its own. */
static const struct db_stmt by_word = { "search_word",
	"select p.id from icert.purchase p where p.number = $1"
	" union select p.id from icert.purchase p where p.gateway_payment = $2"
	" union select c.purchase_id from icert.checkout c where c.gateway_payment = $2"
	" union select y.purchase_id from icert.payment y where y.gateway_payment = $2"
	" union select i.purchase_id from icert.invoice i where i.serial = $2"
	" union select i.purchase_id from icert.invoice i where i.access_key = $2"
	" union select l.purchase_id from icert.bank_line l where l.reference = $2"
	" union select p.id from icert.bank_line l join icert.purchase p on p.number = l.number where l.reference = $2"
	" union select p.id from icert.purchase p where p.buyer_hash = any(array[$3, $4]::bytea[])"
	" union select icert.orders_of_person(array[$3, $4]::bytea[])" };
static const struct db_stmt by_mailbox = { "search_mailbox",
	"select p.id from icert.purchase p where p.contact_id = (select c.id from icert.contact c where c.email_hash = $1)"
	" order by p.created_at desc limit $2" };
static const struct db_stmt by_amount = { "search_amount",
	"(select p.id from icert.purchase p where p.total = $1 and p.created_at >= $2 and p.created_at < $3 order by p.created_at desc limit $5)"
	" union (select p.id from icert.purchase p where p.total = $1 and p.paid_at >= $2 and p.paid_at < $3 order by p.created_at desc limit $5)"
	" union (select y.purchase_id from icert.payment y where y.cents = $1 and y.at >= $2 and y.at < $3 order by y.at desc limit $5)"
	" union (select coalesce(l.purchase_id, p.id) from icert.bank_line l left join icert.purchase p on p.number = l.number"
	"  where l.cents = $1 and ($4 = '' or l.day = nullif($4, '')::date) order by l.day desc limit $5)" };
static const struct db_stmt by_day = { "search_day",
	"(select p.id from icert.purchase p where p.created_at >= $1 and p.created_at < $2 order by p.created_at desc limit $4)"
	" union (select p.id from icert.purchase p where p.paid_at >= $1 and p.paid_at < $2 order by p.paid_at desc limit $4)"
	" union (select coalesce(l.purchase_id, p.id) from icert.bank_line l left join icert.purchase p on p.number = l.number"
	"  where l.day = $3::date order by l.cents desc limit $4)" };

static int
all_digits(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* "p2026 000001-7" as P-2026-000001-7. */
static void
read_number(struct search *s)
{
	char digits[NUMBER_TEXT];
	size_t n = 0;

	s->number[0] = '\0';
	if (toupper((unsigned char)s->word[0]) != 'P')
		return;
	for (const char *c = s->word + 1; *c != '\0'; c++) {
		if (isdigit((unsigned char)*c) && n + 1 < sizeof digits)
			digits[n++] = *c;
		else if (*c != '-' && *c != ' ')
			return;
	}
	digits[n] = '\0';
	/* A year, a number of six digits or more, a check digit. */
	if (n >= 11)
		snprintf(s->number, sizeof s->number, "P-%.4s-%.*s-%s", digits, (int)n - 5, digits + 4, digits + n - 1);
}

static void
read_person(struct search *s)
{
	size_t n;

	s->person[0][0] = s->person[1][0] = '\0';
	if (s->number[0] != '\0' || normalise_person(s->word, s->person[0], sizeof s->person[0]) != 0) {
		s->person[0][0] = '\0';
		return;
	}
	n = strlen(s->person[0]);
	if (all_digits(s->person[0]) && n == CEDULA)
		snprintf(s->person[1], sizeof s->person[1], "%.*s" NATURAL, CEDULA, s->person[0]);
	else if (all_digits(s->person[0]) && n == RUC)
		snprintf(s->person[1], sizeof s->person[1], "%.*s", CEDULA, s->person[0]);
}

/* 1.234,50 and 1,234.50 are 123450; $48 is 4800.  0, and cents as they were: it is no amount. */
static int
read_amount(const char *word, int64_t *cents)
{
	int dollar = *word == '$', decimals = -1;
	size_t digits = 0;
	int64_t value = 0;

	for (word += dollar; *word != '\0'; word++) {
		if (isdigit((unsigned char)*word) && digits < 12) {
			value = value * 10 + (*word - '0');
			digits++;
			decimals += decimals >= 0;
		} else if ((*word == '.' || *word == ',') && digits > 0 && (decimals < 0 || decimals == 3))
			decimals = 0;
		else
			return 0;
	}
	if (digits == 0 || (decimals >= 0 && decimals != 2) || (decimals < 0 && !dollar))
		return 0;
	*cents = decimals < 0 ? value * 100 : value;
	return 1;
}

/* That many digits there; -1: there are others. */
static int
number_at(const char *text, size_t n)
{
	int value = 0;

	for (; n > 0; n--, text++) {
		if (!isdigit((unsigned char)*text))
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value;
}

static int
read_day(const char *word, struct search *s)
{
	int iso, year, month, day;
	struct tm tm = { 0 };
	time_t at;

	if (strlen(word) != 10)
		return 0;
	iso = word[4] == '-' && word[7] == '-';
	if (!iso && (word[2] != word[5] || (word[2] != '/' && word[2] != '-')))
		return 0;
	year = number_at(iso ? word : word + 6, 4);
	month = number_at(iso ? word + 5 : word + 3, 2);
	day = number_at(iso ? word + 8 : word, 2);
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	if (year < 1970 || month < 1 || day < 1 || (at = timegm(&tm)) < 0 || tm.tm_mday != day || tm.tm_mon != month - 1)
		return 0;
	snprintf(s->day, sizeof s->day, "%.4s-%.2s-%.2s", iso ? word : word + 6, iso ? word + 5 : word + 3, iso ? word + 8 : word);
	s->from = (int64_t)at - ECUADOR_OFFSET_S;
	s->to = s->from + 86400;
	return 1;
}

/* Every word of it is an amount or a day, and none stands twice. */
static int
read_money(struct search *s)
{
	char copy[SEARCH_TEXT], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", s->word);
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (word[0] == '\0')
			continue;
		if (s->cents < 0 && read_amount(word, &s->cents))
			continue;
		if (s->day[0] == '\0' && read_day(word, s))
			continue;
		return 0;
	}
	return 1;
}

void
search_read(const char *text, struct search *s)
{
	struct search money;
	size_t n;

	memset(s, 0, sizeof *s);
	s->kind = SEARCH_NOTHING;
	s->cents = -1;
	s->to = EVER;
	text += strspn(text, " \t\r\n");
	for (n = strlen(text); n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL; n--)
		;
	if (n == 0 || n >= sizeof s->word)
		return;
	memcpy(s->word, text, n);
	money = *s;
	if (strchr(s->word, '@') != NULL)
		s->kind = SEARCH_MAILBOX;
	else if (read_money(&money)) {
		*s = money;
		s->kind = SEARCH_MONEY;
	} else {
		s->kind = SEARCH_WORD;
		read_number(s);
		read_person(s);
	}
}

/* What is kept of a number or a mailbox is its keyed hash. */
static int
hashed(struct act *act, const struct search *s, uint8_t hash[2][32], int *n)
{
	const char *text[2] = { s->kind == SEARCH_MAILBOX ? s->word : s->person[0], s->person[1] };
	int error;

	*n = text[0][0] == '\0' ? 0 : text[1][0] == '\0' ? 1 : 2;
	error = *n == 0 ? 0 : keeper_lookup_many(act->keeper, s->kind == SEARCH_MAILBOX ? "email" : "person", (size_t)*n, text, hash);
	if (error == ICERT_E_INVALID || error == ICERT_E_TOO_LARGE) {
		*n = 0;
		error = 0;
	}
	return error;
}

static int
find(struct act *act, const struct search *s, uint8_t hash[2][32], int n, struct db_result **r)
{
	switch (s->kind) {
	case SEARCH_WORD:
		return DB_QUERY(act->db, &by_word, r, P_TEXT(s->number), P_TEXT(s->word), n > 0 ? P_BYTES(hash[0], 32) : P_NULL,
		    n > 1 ? P_BYTES(hash[1], 32) : P_NULL);
	case SEARCH_MAILBOX:
		return DB_QUERY(act->db, &by_mailbox, r, n > 0 ? P_BYTES(hash[0], 32) : P_NULL, P_INT(PAGE));
	case SEARCH_MONEY:
		if (s->cents >= 0)
			return DB_QUERY(act->db, &by_amount, r, P_INT(s->cents), P_INT(s->from), P_INT(s->to), P_TEXT(s->day), P_INT(PAGE));
		return DB_QUERY(act->db, &by_day, r, P_INT(s->from), P_INT(s->to), P_TEXT(s->day), P_INT(PAGE));
	case SEARCH_NOTHING:
		break;
	}
	return ICERT_E_INVALID;
}

int
search_orders(struct act *act, const struct search *s, struct purchase *rows, size_t *n)
{
	static const char *const kinds[] = { [SEARCH_WORD] = "number", [SEARCH_MAILBOX] = "mailbox", [SEARCH_MONEY] = "money" };
	struct buf ids = BUF_INIT;
	struct db_result *r = NULL;
	uint8_t hash[2][32];
	size_t room = *n;
	int error, nhash;

	*n = 0;
	if (!(act->roles & READERS))
		return act_refuse(act, "order.search", "order", NULL, 0, ICERT_E_DENIED);
	if (s->kind == SEARCH_NOTHING)
		return 0;
	if ((error = hashed(act, s, hash, &nhash)) != 0)
		return error;
	if ((error = act_begin(act)) == 0 && (error = find(act, s, hash, nhash, &r)) == 0 &&
	    (error = act_audit(act, "order.search", "order", NULL, NULL, 0, kinds[s->kind], NULL)) == 0 && (error = db_commit(act->db)) == 0) {
		for (int i = 0; i < db_rows(r); i++)
			if (!db_is_null(r, i, 0))
				buf_printf(&ids, "%s ", db_text(r, i, 0));
		if ((error = buf_error(&ids)) == 0) {
			*n = room;
			error = purchase_some(act, buf_str(&ids), rows, n);
		}
	} else
		db_rollback(act->db);
	db_result_free(r);
	buf_free(&ids);
	return error;
}
