#include "procedure/order/transfer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "libicert/buf.h"
#include "libicert/clock.h"
#include "libicert/error.h"
#include "procedure/people/staff.h"

#define READERS		(BY_FINANCE | BY_NATIONAL | BY_AUDITOR)
#define DECIDERS	(BY_FINANCE | BY_NATIONAL)
#define DIGEST		32

static const struct db_stmt add_import = { "transfer_import",
	"insert into icert.bank_import (id, account_id, profile, sha256, lines, known, imported_by, imported_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8)" };
static const struct db_stmt one_import = { "transfer_one_import", "select pg_advisory_xact_lock(hashtext('icert.bank_import'))" };
/* The same file, taken for another account's or with other columns: each line would be there twice. */
static const struct db_stmt elsewhere = { "transfer_elsewhere",
	"select count(*) from icert.bank_import i where i.sha256 = $1 and (i.account_id <> $2 or i.profile <> $3)"
	" and exists (select from icert.bank_line l where l.import_id = i.id and l.state <> 'other')" };
static const struct db_stmt known_lines = { "transfer_known",
	"select count(*) from icert.bank_line where digest = any (select decode(x, 'hex') from unnest(string_to_array($1, ',')) x)" };
static const struct db_stmt add_line = { "transfer_line",
	"insert into icert.bank_line (id, import_id, digest, day, cents, reference, number, imported_by)"
	" values ($1, $2, $3, $4::date, $5, $6, $7, $8) on conflict (digest) do nothing" };
/* together: how many of its statement are as this one is */
#define LINES(together) \
	"select l.id, to_char(l.day, 'YYYY-MM-DD'), a.bank || ' ' || a.number, l.reference, l.cents, l.state, coalesce(p.number, l.number), coalesce(p.id::text, '')," \
	" coalesce(p.state, ''), coalesce(p.total, 0), l.verdict, coalesce(s.name, ''), coalesce(d.name, ''), i.imported_at," \
	" coalesce(l.decided_at, 0), coalesce(icert.other_person(l.imported_by), false), l.whole, l.version, " together \
	" from icert.bank_line l join icert.bank_import i on i.id = l.import_id join icert.bank_account a on a.id = i.account_id" \
	" left join icert.purchase p on p.id = l.purchase_id or (l.purchase_id is null and p.number = l.number)" \
	" left join icert.staff s on s.id = l.imported_by left join icert.staff d on d.id = l.decided_by"
static const struct db_stmt list = { "transfer_list",
	LINES("0") " where $1::uuid is null or l.purchase_id = $1 order by l.state <> 'new', case when l.state = 'new' then l.day end,"
	" l.decided_at desc, l.id limit $2" };
static const struct db_stmt one = { "transfer_one", LINES("(select count(*) from icert.bank_line b where b.import_id = l.import_id and b.state = l.state and b.whole = l.whole)")
	" where l.id = $1" };
/* Held, so that of two lines for one order the second is confirmed knowing of the first. */
static const struct db_stmt order_of = { "transfer_order", "select id from icert.purchase where number = $1 for update" };
static const struct db_stmt spent = { "transfer_spent",
	"select p.state not in ('created', 'pending') or exists (select from icert.bank_line l where l.purchase_id = p.id and l.state = 'confirmed')"
	" from icert.purchase p where p.id = $1" };
static const struct db_stmt decide = { "transfer_decide",
	"update icert.bank_line set state = 'confirmed', purchase_id = $2, decided_by = $3, decided_at = $4 where id = $1 and state = 'new'" };
static const struct db_stmt wake = { "transfer_wake", "select pg_notify('icert_payment', $1)" };
static const struct db_stmt word = { "transfer_word",
	"select l.state, l.verdict, l.cents < p.total, exists (select from icert.payment y join icert.refund q on q.payment_id = y.id"
	" and q.state = 'done' where y.gateway = '" TRANSFER_GATEWAY "' and y.gateway_payment = l.id::text) from icert.bank_line l"
	" join icert.purchase p on p.id = l.purchase_id where p.id = $1"
	/* Of two in one second, what the payer has to be told of. */
	" order by l.decided_at desc, l.verdict = 'pay' limit 1" };

/* --- the import ------------------------------------------------------------ */

struct entry {
	uint8_t digest[DIGEST];		/* as if no other line were equal, until number_equal() */
	int64_t cents;
	size_t	place, text;		/* in the file; where its text begins in import.texts */
	char	day[11], reference[STATEMENT_REFERENCE + 1], number[NUMBER_TEXT];
};

struct import {
	const char	*account;
	struct entry	*entries;
	size_t		 n, room;
	struct buf	 texts;		/* NUL-terminated, one after the other */
};

/* An order's number in what a payer wrote, as banks garble it: "P-2026-000123-4", "p2026 000123 4". */
static void
find_number(const char *text, char out[NUMBER_TEXT])
{
	out[0] = '\0';
	for (const char *s = text; *s != '\0'; s++) {
		char digits[12], number[NUMBER_TEXT];
		size_t n = 0;

		if ((*s != 'P' && *s != 'p') || (s > text && isalnum((unsigned char)s[-1])))
			continue;
		for (const char *d = s + 1; n < 11 && (isdigit((unsigned char)*d) || *d == '-' || *d == ' ' || *d == '.'); d++)
			if (isdigit((unsigned char)*d))
				digits[n++] = *d;
		digits[n] = '\0';
		if (n != 11)
			continue;
		snprintf(number, sizeof number, "P-%.4s-%.6s-%s", digits, digits + 4, digits + 10);
		if (number_valid(number)) {
			snprintf(out, NUMBER_TEXT, "%s", number);
			return;
		}
	}
}

static int
digest_of(const struct import *im, struct entry *e, unsigned nth)
{
	struct buf b = BUF_INIT;
	int error;

	/* Which of equal lines of one file: two deposits of one sum on one day are two. */
	buf_printf(&b, "%s\n%s\n%lld\n%s\n%s\n%u", im->account, e->day, (long long)e->cents, e->reference, (const char *)im->texts.p + e->text, nth);
	if ((error = buf_error(&b)) == 0 && EVP_Digest(b.p, b.len, e->digest, NULL, EVP_sha256(), NULL) != 1)
		error = ICERT_E_CRYPTO;
	bytes_wipe(b.p, b.len);
	buf_free(&b);
	return error;
}

static int
take(void *arg, const struct statement_line *l)
{
	struct import *im = arg;
	struct entry *e;
	int error;

	if (im->n == im->room) {
		size_t room = im->room != 0 ? 2 * im->room : 256;

		if ((e = realloc(im->entries, room * sizeof *e)) == NULL)
			return ICERT_E_MEMORY;
		im->entries = e;
		im->room = room;
	}
	e = &im->entries[im->n];
	memset(e, 0, sizeof *e);
	e->place = im->n;
	e->text = im->texts.len;
	e->cents = l->cents;
	snprintf(e->day, sizeof e->day, "%s", l->day);
	snprintf(e->reference, sizeof e->reference, "%s", l->reference);
	find_number(l->text, e->number);
	if (e->number[0] == '\0')
		find_number(l->reference, e->number);
	buf_put(&im->texts, l->text, strlen(l->text) + 1);
	if ((error = buf_error(&im->texts)) != 0 || (error = digest_of(im, e, 0)) != 0)
		return error;
	im->n++;
	return 0;
}

static int
by_digest(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = memcmp(left->digest, right->digest, DIGEST);

	return order != 0 ? order : left->place < right->place ? -1 : left->place > right->place;
}

static int
by_place(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return left->place < right->place ? -1 : left->place > right->place;
}

/* Equal lines are numbered in the file's order, however many there are. */
static int
number_equal(struct import *im)
{
	uint8_t first[DIGEST];
	unsigned nth = 0;
	int error = 0;

	if (im->n < 2)
		return 0;
	qsort(im->entries, im->n, sizeof *im->entries, by_digest);
	memcpy(first, im->entries[0].digest, DIGEST);
	for (size_t i = 1; i < im->n && error == 0; i++) {
		struct entry *e = &im->entries[i];

		nth = memcmp(e->digest, first, DIGEST) == 0 ? nth + 1 : 0;
		if (nth == 0)
			memcpy(first, e->digest, DIGEST);
		else
			error = digest_of(im, e, nth);
	}
	qsort(im->entries, im->n, sizeof *im->entries, by_place);
	return error;
}

int
transfer_one_import(struct act *act)
{
	return db_query(act->db, &one_import, NULL, 0, NULL);
}

/* What one of finance has loaded by mistake is set aside before it is loaded right. */
static int
not_elsewhere(struct act *act, const struct import *im, const char *profile, const uint8_t sha256[DIGEST])
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &elsewhere, &r, P_BYTES(sha256, DIGEST), P_TEXT(im->account), P_TEXT(profile))) != 0)
		return error;
	error = db_int(r, 0, 0) > 0 ? ICERT_E_EXISTS : 0;
	db_result_free(r);
	return error;
}

static int
count_known(struct act *act, const struct import *im, unsigned *known)
{
	struct buf b = BUF_INIT;
	struct db_result *r;
	int error;

	for (size_t i = 0; i < im->n; i++) {
		if (i > 0)
			buf_putc(&b, ',');
		buf_hex(&b, im->entries[i].digest, DIGEST);
	}
	if ((error = buf_error(&b)) == 0 && (error = DB_QUERY(act->db, &known_lines, &r, P_TEXT(buf_str(&b)))) == 0) {
		*known = (unsigned)db_int(r, 0, 0);
		db_result_free(r);
	}
	buf_free(&b);
	return error;
}

static int
store(struct act *act, const struct import *im, const char *profile, const uint8_t sha256[DIGEST], struct transfer_imported *out)
{
	char id[ID_TEXT], line[ID_TEXT], detail[96];
	int error;

	out->lines = (unsigned)im->n;
	if ((error = count_known(act, im, &out->known)) != 0 || (error = id_new(id)) != 0 ||
	    (error = DB_QUERY(act->db, &add_import, NULL, P_TEXT(id), P_TEXT(im->account), P_TEXT(profile), P_BYTES(sha256, DIGEST),
	    P_INT(out->lines), P_INT(out->known), P_TEXT(act->id), P_INT(clock_business()))) != 0)
		return error;
	for (size_t i = 0; i < im->n; i++) {
		const struct entry *e = &im->entries[i];

		if ((error = id_new(line)) != 0 ||
		    (error = DB_QUERY(act->db, &add_line, NULL, P_TEXT(line), P_TEXT(id), P_BYTES(e->digest, DIGEST), P_TEXT(e->day),
		    P_INT(e->cents), P_TEXT(e->reference), P_TEXT(e->number), P_TEXT(act->id))) != 0)
			return error;
	}
	snprintf(detail, sizeof detail, "{\"lines\":%u,\"known\":%u}", out->lines, out->known);
	return act_audit(act, "transfer.import", "bank_import", id, NULL, 0, NULL, detail);
}

int
transfer_import(struct act *act, const char *account, const char *profile, char decimal, const void *bytes, size_t len,
    struct transfer_imported *out)
{
	const struct statement_profile *p = statement_profile(profile);
	struct import im = { .account = account, .texts = BUF_INIT };
	uint8_t sha256[DIGEST];
	int error = ICERT_E_DENIED;

	memset(out, 0, sizeof *out);
	if (p == NULL || !id_valid(account) || (decimal != ',' && decimal != '.'))
		return ICERT_E_INVALID;
	if ((act->roles & BY_FINANCE) && (error = statement_read(bytes, len, p, decimal, take, &im, &out->record)) == 0 &&
	    (error = number_equal(&im)) == 0 &&
	    (error = EVP_Digest(bytes, len, sha256, NULL, EVP_sha256(), NULL) == 1 ? 0 : ICERT_E_CRYPTO) == 0 &&
	    (error = act_begin(act)) == 0 && (error = transfer_one_import(act)) == 0 && (error = not_elsewhere(act, &im, profile, sha256)) == 0 && (error = store(act, &im, profile, sha256, out)) == 0)
		error = db_commit(act->db);
	free(im.entries);
	if (im.texts.p != NULL)
		bytes_wipe(im.texts.p, im.texts.len);
	buf_free(&im.texts);
	return error == 0 ? 0 : act_refuse(act, "transfer.import", "bank_import", NULL, 0, error);
}

/* --- the queue ------------------------------------------------------------- */

#define COPY(field, column) snprintf(t->field, sizeof t->field, "%s", db_text(r, row, column))

static void
fill(struct transfer *t, const struct db_result *r, int row)
{
	memset(t, 0, sizeof *t);
	COPY(id, 0);
	COPY(day, 1);
	COPY(bank, 2);
	COPY(reference, 3);
	t->cents = db_int(r, row, 4);
	COPY(state, 5);
	COPY(number, 6);
	COPY(order, 7);
	COPY(order_state, 8);
	t->total = db_int(r, row, 9);
	COPY(verdict, 10);
	COPY(imported_name, 11);
	COPY(decided_name, 12);
	t->imported_at = db_int(r, row, 13);
	t->decided_at = db_int(r, row, 14);
	t->other = db_bool(r, row, 15);
	t->whole = db_bool(r, row, 16);
	t->version = (int)db_int(r, row, 17);
	t->together = (int)db_int(r, row, 18);
}

int
transfer_list(struct act *act, const char *order, struct transfer *rows, size_t *n)
{
	struct db_result *r;
	size_t room = *n;
	int error;

	*n = 0;
	if (!(act->roles & READERS))
		return act_refuse(act, "transfer.list", "bank_line", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &list, &r, P_TEXT(order), P_INT((int64_t)room))) != 0)
		return error;
	for (int i = 0; i < db_rows(r) && *n < room; i++)
		fill(&rows[(*n)++], r, i);
	db_result_free(r);
	return 0;
}

/* Inside the open transaction. */
static int
read_one(struct act *act, const char *id, struct transfer *t)
{
	struct db_result *r;
	int error;

	if (!id_valid(id))
		return ICERT_E_NOT_FOUND;
	if ((error = DB_QUERY(act->db, &one, &r, P_TEXT(id))) != 0)
		return error;
	if (db_rows(r) == 1)
		fill(t, r, 0);
	else
		error = ICERT_E_NOT_FOUND;
	db_result_free(r);
	return error;
}

int
transfer_get(struct act *act, const char *id, struct transfer *t)
{
	int error;

	if (!(act->roles & READERS))
		return act_refuse(act, "transfer.list", "bank_line", NULL, 0, ICERT_E_DENIED);
	if ((error = act_begin(act)) == 0 && (error = read_one(act, id, t)) == 0)
		return db_commit(act->db);
	db_rollback(act->db);
	return error;
}

static int
find_order(struct act *act, const char *number, char order[ID_TEXT], int *more)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &order_of, &r, P_TEXT(number))) != 0)
		return error;
	if (db_rows(r) == 1)
		snprintf(order, ID_TEXT, "%s", db_text(r, 0, 0));
	else
		error = ICERT_E_MISSING;
	db_result_free(r);
	if (error != 0 || (error = DB_QUERY(act->db, &spent, &r, P_TEXT(order))) != 0)
		return error;
	*more = db_bool(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* The line leaves the queue, once. */
static int
decided(struct act *act, const char *line, const char *order)
{
	struct db_result *r;
	int error;

	if ((error = DB_QUERY(act->db, &decide, &r, P_TEXT(line), P_TEXT(order), P_TEXT(act->id),
	    P_INT(clock_business()))) != 0)
		return error;
	error = db_affected(r) == 1 ? 0 : ICERT_E_CONFLICT;
	db_result_free(r);
	return error;
}

int
transfer_confirm(struct act *act, const char *line, const char *number, const char *code, int *more)
{
	struct transfer t = { .cents = 0 };
	char order[ID_TEXT] = "";
	int error = ICERT_E_DENIED;

	*more = 0;
	if ((act->roles & DECIDERS) && (error = staff_factor(act, code)) == 0 && (error = act_begin(act)) == 0 &&
	    (error = read_one(act, line, &t)) == 0 && (error = strcmp(t.state, "new") == 0 ? 0 : ICERT_E_CONFLICT) == 0 &&
	    (error = t.other ? 0 : ICERT_E_DENIED) == 0 && (error = find_order(act, number, order, more)) == 0 &&
	    (error = decided(act, line, order)) == 0 &&
	    (error = act_audit(act, "order.transfer_confirm", "order", order, NULL, 0, NULL, NULL)) == 0 &&
	    (error = DB_QUERY(act->db, &wake, NULL, P_TEXT(""))) == 0)
		error = db_commit(act->db);
	return error == 0 ? 0 : act_refuse(act, "order.transfer_confirm", "order", order[0] != '\0' ? order : NULL, 0, error);
}

int
transfer_word(struct act *act, const char *order, char out[12])
{
	struct db_result *r;
	int error;

	out[0] = '\0';
	if ((error = act_begin(act)) != 0 || (error = DB_QUERY_COMMIT(act->db, &word, &r, P_TEXT(order))) != 0)
		return error;
	if (db_rows(r) == 1) {
		const char *verdict = db_text(r, 0, 1);

		if (strcmp(db_text(r, 0, 0), "applied") != 0)
			verdict = "checking";
		else if (strcmp(verdict, "mismatch") == 0)
			verdict = db_bool(r, 0, 2) ? "short" : "late";
		snprintf(out, 12, "%s%s", verdict, db_bool(r, 0, 3) && strcmp(verdict, "pay") != 0 ? "_back" : "");
	}
	db_result_free(r);
	return 0;
}
