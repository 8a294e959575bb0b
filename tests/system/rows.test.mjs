// Who sees and changes which rows: the grants against docs/rows.csv, which is
// written by hand, and the policies against a few people and cases made for it.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';

const PICHINCHA = 17;
const GUAYAS = 9;
const REFERENCE = new Set(['policy', 'product', 'province', 'tariff', 'transition']);
const sealed = "decode(repeat('00', 40), 'hex')";
const now = Math.floor(Date.now() / 1000);

let icert;

function psql(text) {
	const { ok, text: rows, error } = icert.psql(text);
	return { ok, rows: rows.split('\n').filter(Boolean), error };
}

function must(text) {
	const result = psql(text);
	assert.ok(result.ok, `${text}\n${result.error}`);
	return result.rows;
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

// What a program does under an identity; nothing stays.
function as(role, identity, text) {
	return psql(`begin; set local role icert_${role}; select set_config('icert.session', '${identity ? identity.toString('hex') : ''}', true) where false;`
		+ `${identity ? `set local icert.session = '${identity.toString('hex')}';` : ''} ${text}; rollback`);
}

const count = (role, identity, relation, where = 'true', columns = '*') => {
	const result = as(role, identity, `select count(${columns === '*' ? '*' : columns}) from icert.${relation} where ${where}`);
	assert.ok(result.ok, result.error);
	return Number(result.rows.at(-1));
};

const changed = (role, identity, text) => {
	const result = as(role, identity, `with c as (${text} returning 1) select count(*) from c`);
	return result.ok ? Number(result.rows.at(-1)) : result.error.match(/ERROR: {2}(.*)/)[1];
};

function session(kind, person, { idle = 600, absolute = 6000 } = {}) {
	const identity = randomBytes(32);
	must(`insert into icert.session (hash, kind, ${kind}_id, created_at, seen_at, idle_until, absolute_until)
		values ('\\x${sha256(identity).toString('hex')}', '${kind}', '${person}', ${now}, ${now}, ${now + idle}, ${now + absolute})`);
	return identity;
}

function key(kind) {
	const id = randomUUID();
	must(`insert into icert.data_key (id, kind, wrapped, created_at) values ('${id}', '${kind}', '\\x00', ${now})`);
	return id;
}

function contact() {
	const id = randomUUID();
	must(`insert into icert.contact (id, email_hash, email, masked, key_id, created_at)
		values ('${id}', '\\x${randomBytes(32).toString('hex')}', ${sealed}, 'a***@b.ec', '${key('contact')}', ${now})`);
	return id;
}

function application(contactId, province, state, person = randomBytes(32)) {
	const purchase = randomUUID();
	const id = randomUUID();
	must(`insert into icert.purchase (id, number, state, contact_id, key_id, tariff_id, container, kind, years, net, tax, total, tax_bp, currency,
		billing, once, created_at, state_since, expires_at)
		select '${purchase}', '${purchase}', 'used', '${contactId}', '${key('order')}', id, container, kind, years, net, 0, net, 0, currency,
		${sealed}, '${purchase}', ${now}, ${now}, ${now} from icert.tariff limit 1;
		insert into icert.application (id, number, state, province, contact_id, purchase_id, key_id, container, kind, years, form, person_hash,
		created_at, submitted_at, state_since)
		values ('${id}', '${id}', '${state}', ${province}, '${contactId}', '${purchase}', '${key('case')}', 'file', 'new', 2, ${sealed},
		'\\x${person.toString('hex')}', ${now}, ${state === 'draft' ? 'null' : now}, ${now});
		insert into icert.document (id, application_id, kind, file, key_id, type, size, sha256, original_sha256, created_at)
		select gen_random_uuid(), id, 'cedula', gen_random_uuid(), key_id, 'image/png', 1, '\\x${randomBytes(32).toString('hex')}',
		'\\x${randomBytes(32).toString('hex')}', ${now} from icert.application where id = '${id}';
		insert into icert.audit (id, at_us, action, actor_kind, case_id) values (gen_random_uuid(), ${now}000000, 'test', 'anyone', '${id}')`);
	return { id, purchase };
}

const staffId = (login) => icert.staff(login).id;

let ana;
let luis;
let quito;
let guayaquil;
let draft;

before(async () => {
	icert = await startInstance();
	ana = contact();
	luis = contact();
	quito = application(ana, PICHINCHA, 'in_review');
	guayaquil = application(luis, GUAYAS, 'in_review');
	draft = application(ana, PICHINCHA, 'draft');
});
after(() => icert?.stop());

test('every relation has row-level security that binds its owner too, and belongs to icert_owner', () => {
	const loose = must(`select c.relname from pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r' and c.relname <> 'migration'
		and not (c.relrowsecurity and c.relforcerowsecurity and c.relowner = 'icert_owner'::regrole)`);
	assert.deepEqual(loose, []);
});

test('grants are those of docs/rows.csv', () => {
	const roles = ['portal', 'desk', 'webhook', 'issuer', 'clerk', 'publisher', 'admin', 'identity', 'login'];
	const letter = (right, sign) => `case when has_table_privilege(r, c.oid, '${right}') then '${sign}'
		${right === 'DELETE' ? '' : `when has_any_column_privilege(r, c.oid, '${right}') then '${sign.toLowerCase()}'`} else '' end`;
	const actual = must(`select c.relname || ',' || substr(r, 7) || ',' || ${['SELECT/S', 'INSERT/I', 'UPDATE/U', 'DELETE/D']
		.map((pair) => letter(...pair.split('/'))).join(' || ')} from unnest(array['${roles.map((r) => `icert_${r}`).join("','")}']) r,
		pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r' and c.relname <> 'migration'`)
		.filter((line) => !line.endsWith(',')).sort();
	const expected = readFileSync(new URL('../../docs/rows.csv', import.meta.url), 'utf8').trim().split('\n').slice(1)
		.map((line) => line.split(',').slice(0, 3).join(',')).sort();
	assert.deepEqual(actual, expected);
});

test('no program may truncate, and none but icert_migrate passes policies by', () => {
	assert.deepEqual(must(`select c.relname from pg_class c, unnest(array['icert_portal', 'icert_desk', 'icert_webhook', 'icert_issuer', 'icert_clerk',
		'icert_publisher', 'icert_admin']) r where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r'
		and has_table_privilege(r, c.oid, 'TRUNCATE')`), []);
	assert.deepEqual(must("select rolname from pg_roles where rolname like 'icert%' and (rolbypassrls or rolsuper)"), ['icert_migrate']);
});

test('without an identity portal and desk see nothing personal', () => {
	for (const role of ['portal', 'desk']) {
		const readable = must(`select c.relname from pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r'
			and has_any_column_privilege('icert_${role}', c.oid, 'SELECT') and c.relname <> 'migration'`);
		assert.ok(readable.length > 10);
		for (const relation of readable) {
			if (REFERENCE.has(relation)) continue;
			const result = as(role, null, `select count(*) from icert.${relation}`);
			assert.ok(result.ok, result.error);
			assert.equal(result.rows.at(-1), '0', `${role}: ${relation}`);
		}
	}
});

test('a contact sees the own rows and no others', () => {
	const me = session('contact', ana);
	assert.equal(count('portal', me, 'application'), 2);
	assert.equal(count('portal', me, 'application', `id = '${guayaquil.id}'`), 0);
	assert.equal(count('portal', me, 'purchase'), 2);
	assert.equal(count('portal', me, 'contact'), 1);
	assert.equal(count('portal', me, 'document'), 2);
	assert.equal(count('portal', me, 'audit', `case_id = '${guayaquil.id}'`, 'id'), 0);
	assert.equal(count('portal', me, 'data_key'), 5);
});

test('a session that is over, idle or of staff shows the portal nothing', () => {
	assert.equal(count('portal', session('contact', ana, { idle: -1 }), 'application'), 0);
	assert.equal(count('portal', session('contact', ana, { absolute: -1 }), 'application'), 0);
	assert.equal(count('portal', session('staff', staffId('operador.pichincha')), 'application'), 0);
	assert.equal(count('portal', randomBytes(32), 'application'), 0);
});

test('an idle session may park a form for its own contact, and read none', () => {
	const me = session('contact', ana, { idle: -10 });
	const park = (who) => changed('portal', me, `insert into icert.parked_form (id, contact_id, path, body, created_at, expires_at)
		values (gen_random_uuid(), '${who}', '/x', ${sealed}, ${now}, ${now + 60})`);
	assert.match(String(as('portal', me, `insert into icert.parked_form (id, contact_id, path, body, created_at, expires_at)
		values (gen_random_uuid(), '${ana}', '/x', ${sealed}, ${now}, ${now + 60})`).ok), /true/);
	assert.match(String(park(luis)), /row-level security/);
	assert.equal(count('portal', me, 'parked_form'), 0);
});

test('a contact\'s session stays locked for a day, a member of staff\'s ends', () => {
	const state = (identity) => as('portal', identity, 'select state from icert.session_touch()').rows.at(-1);
	assert.equal(state(session('contact', ana)), 'live');
	assert.equal(state(session('contact', ana, { idle: -10 })), 'locked');
	assert.equal(state(session('contact', ana, { absolute: -10 })), 'locked');
	assert.equal(state(session('contact', ana, { idle: -86401 })), 'none');
	assert.equal(state(session('staff', staffId('central'))), 'live');
	assert.equal(state(session('staff', staffId('central'), { idle: -10 })), 'none');
});

test('an operator sees the cases of the own province, submitted ones alone', () => {
	const me = session('staff', staffId('operador.pichincha'));
	assert.equal(count('desk', me, 'application'), 1);
	assert.equal(count('desk', me, 'application', `id = '${quito.id}'`), 1);
	assert.equal(count('desk', me, 'application', `id = '${draft.id}'`), 0);
	assert.equal(count('desk', me, 'document'), 1);
	assert.equal(count('desk', me, 'contact'), 1);
	assert.equal(count('desk', me, 'purchase'), 1);
	assert.equal(count('desk', me, 'audit', `case_id = '${guayaquil.id}'`), 0);
	const touch = (id) => changed('desk', me, `update icert.application set version = version + 1 where id = '${id}'`);
	assert.equal(touch(quito.id), 1);
	assert.equal(touch(guayaquil.id), 0);
});

test('director, finance, administrator: no documents, no applications in review', () => {
	for (const login of ['director.pichincha', 'finanzas', 'administrador']) {
		const me = session('staff', staffId(login));
		assert.equal(count('desk', me, 'application'), 0, login);
		assert.equal(count('desk', me, 'document'), 0, login);
		assert.equal(count('desk', me, 'certificate'), 0, login);
	}
	assert.equal(count('desk', session('staff', staffId('finanzas')), 'purchase'), 3);
	assert.equal(count('desk', session('staff', staffId('administrador')), 'purchase'), 0);
});

test("a payer's portal keeps what it asked about the own order, for nobody else's and in nobody's name", () => {
	const me = session('contact', ana);
	const question = (purchase, asker) => `insert into icert.payment_question (purchase_id, gateway, gateway_payment, asker, answer, first_at, last_at, ms)
		values ('${purchase}', 'demo', 'x', '${asker}', 'pending', ${now}, ${now}, 1)`;
	assert.equal(changed('portal', me, question(quito.purchase, 'portal')), 1);
	assert.match(changed('portal', me, question(guayaquil.purchase, 'portal')), /row-level security/);
	assert.match(changed('portal', me, question(quito.purchase, 'clerk')), /row-level security/);
	must(question(quito.purchase, 'clerk'));
	assert.equal(count('portal', me, 'payment_question'), 0);
	assert.equal(count('desk', session('staff', staffId('finanzas')), 'payment_question'), 1);
	assert.equal(count('desk', session('staff', staffId('operador.pichincha')), 'payment_question'), 0);
});

test('the national office and the auditor see every case; the auditor changes none', () => {
	const central = session('staff', staffId('central'));
	const auditor = session('staff', staffId('auditor'));
	assert.equal(count('desk', central, 'application'), 2);
	assert.equal(count('desk', auditor, 'application'), 2);
	const touch = (me) => changed('desk', me, `update icert.application set version = version + 1 where id = '${guayaquil.id}'`);
	assert.equal(touch(central), 1);
	assert.equal(touch(auditor), 0);
});

test('a role taken away ends what it showed at once', () => {
	const me = session('staff', staffId('operador.guayas'));
	assert.equal(count('desk', me, 'application'), 1);
	const kept = must(`delete from icert.staff_role where staff_id = '${staffId('operador.guayas')}' returning role || ' ' || province`);
	assert.equal(count('desk', me, 'application'), 0);
	const [role, province] = kept[0].split(' ');
	must(`insert into icert.staff_role (staff_id, role, province, since) values ('${staffId('operador.guayas')}', '${role}', ${province}, 0)`);
});

test('the database refuses a change of state that is not the program\'s', () => {
	const me = session('contact', ana);
	const move = (id, state) => changed('portal', me, `update icert.application set state = '${state}', version = version + 1 where id = '${id}'`);
	assert.equal(move(quito.id, 'accepted'), 'no such transition');
	assert.equal(move(quito.id, 'issued'), 'no such transition');
	assert.equal(move(quito.id, 'cancelled'), 1);
	assert.equal(changed('portal', me, `update icert.application set reason = 'x' where id = '${quito.id}'`), 'version');
	assert.match(changed('portal', me, `update icert.purchase set state = 'paid', version = version + 1 where id = '${draft.purchase}'`), /transition/);
	assert.match(changed('portal', me, `update icert.purchase set total = 0 where id = '${draft.purchase}'`), /permission denied/);
	const staff = session('staff', staffId('operador.pichincha'));
	const decide = (state) => changed('desk', staff, `update icert.application set state = '${state}', version = version + 1 where id = '${quito.id}'`);
	assert.equal(decide('accepted'), 1);
	assert.equal(decide('issuing'), 'no such transition');
	assert.equal(changed('issuer', null, `update icert.application set state = 'issued', version = version + 1 where id = '${quito.id}'`), 0);
});

test('nothing new begins in the middle', () => {
	const me = session('contact', ana);
	const result = as('portal', me, `insert into icert.application (id, state, contact_id, purchase_id, key_id, container, kind, years, created_at,
		submitted_at, state_since, number, province, person_hash)
		select gen_random_uuid(), 'accepted', contact_id, purchase_id, key_id, container, kind, years, 1, 1, 1, 'x', 17, person_hash
		from icert.application where id = '${quito.id}'`);
	assert.match(result.error, /row-level security/);
});

test('one open application a person, from acceptance on', () => {
	const person = randomBytes(32);
	application(contact(), PICHINCHA, 'accepted', person);
	const other = application(contact(), PICHINCHA, 'in_review', person);
	const me = session('staff', staffId('operador.pichincha'));
	assert.match(changed('desk', me, `update icert.application set state = 'accepted', version = version + 1 where id = '${other.id}'`),
		/application_person/);
	assert.equal(as('desk', me, `select icert.also_open('${other.id}')`).rows.at(-1), 't');
	assert.equal(as('desk', session('staff', staffId('operador.guayas')), `select icert.also_open('${other.id}')`).rows.at(-1), 'f');
});

test('nobody approves in another\'s name', () => {
	const me = session('staff', staffId('operador.pichincha'));
	const approve = (kind, staff) => as('desk', me, `insert into icert.approval (id, application_id, kind, fields_hash, statement, staff_id, at)
		values (gen_random_uuid(), '${quito.id}', '${kind}', '\\x${randomBytes(32).toString('hex')}', '\\x00', ${staff ? `'${staff}'` : 'null'}, 1)`);
	assert.ok(approve('issue', staffId('operador.pichincha')).ok);
	assert.match(approve('issue', staffId('director.pichincha')).error, /row-level security/);
	assert.match(approve('accept', null).error, /row-level security/);
	const applicant = session('contact', ana);
	const result = as('portal', applicant, `insert into icert.approval (id, application_id, kind, fields_hash, statement, staff_id, at)
		values (gen_random_uuid(), '${quito.id}', 'issue', '\\x${randomBytes(32).toString('hex')}', '\\x00', '${staffId('operador.pichincha')}', 1)`);
	assert.match(result.error, /row-level security/);
});

test('the journals can be added to and not changed', () => {
	for (const role of ['portal', 'desk', 'issuer', 'webhook', 'publisher', 'admin']) {
		assert.match(changed(role, null, "update icert.audit set action = 'x'"), /permission denied/, role);
		assert.match(changed(role, null, 'delete from icert.audit'), /permission denied/, role);
	}
	assert.match(changed('clerk', null, "update icert.audit set action = 'x'"), /permission denied/);
	assert.match(changed('clerk', null, 'delete from icert.audit'), /permission denied/);
	for (const role of ['portal', 'desk']) assert.match(changed(role, null, "update icert.outbox set state = 'sent'"), /permission denied/, role);
});

test('log-in functions are closed to the other side', () => {
	assert.match(as('desk', null, "select icert.login_contact_find('\\x00')").error, /permission denied/);
	assert.match(as('portal', null, "select icert.login_staff_find('central', '-')").error, /permission denied/);
	assert.match(as('webhook', null, 'select icert.session_touch()').error, /permission denied/);
	assert.equal(as('portal', null, 'select state from icert.session_touch()').rows.at(-1), 'none');
});

/** A code asked for in a new browser: what it takes to try it. */
function code(who, vouched = false) {
	const asked = { id: randomUUID(), browser: randomBytes(32).toString('hex'), proof: randomBytes(32).toString('hex') };
	must(`set role icert_portal; select icert.login_code_new('${asked.id}', '${who}', '\\x${asked.browser}', ${sealed}, '\\x${asked.proof}', ${vouched})`);
	return asked;
}

const attempt = (asked, proof = randomBytes(32).toString('hex'), hash = randomBytes(32).toString('hex')) => must(`set role icert_portal;
	select verdict || ' ' || left_tries from icert.login_code_open('\\x${asked.browser}', '${asked.id}', '\\x${proof}', '\\x${hash}', 'EC', '-')`)[0];

test('five wrong codes in one browser, and the owner in another is not locked out', () => {
	const [stranger, owner] = [code(ana), code(ana)];
	assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => attempt(stranger)), ['wrong 4', 'wrong 3', 'wrong 2', 'wrong 1', 'spent 0', 'spent 0']);
	assert.equal(attempt(stranger, stranger.proof), 'spent 0');
	assert.equal(attempt(owner), 'wrong 4');
});

test('twenty wrong codes a day and mailbox; those asked for by a mailed link are counted apart', () => {
	const who = contact();
	const verdict = (asked) => attempt(asked).split(' ')[0];
	const burn = (vouched, browsers) => {
		for (let b = 0; b < browsers; b++) {
			const asked = code(who, vouched);
			for (let n = 0; n < 5; n++) assert.equal(verdict(asked), n < 4 ? 'wrong' : 'spent');
		}
	};
	burn(false, 4);
	assert.equal(verdict(code(who)), 'spent');
	burn(true, 7);
	const last = code(who, true);
	for (let n = 0; n < 5; n++) verdict(last);
	assert.equal(attempt(code(who, true)), 'spent 0', 'a link that leaked is no end of guesses');
});

test('the portal\'s role alone opens nobody\'s session: the proof is compared in the database, once', () => {
	const who = contact();
	const asked = code(who);
	const identity = randomBytes(32);
	const open = (proof) => must(`set role icert_portal; select verdict from icert.login_code_open('\\x${asked.browser}', '${asked.id}', ${proof},
		'\\x${sha256(identity).toString('hex')}', 'EC', '-')`)[0];
	assert.equal(open('null'), 'wrong');
	assert.equal(count('portal', identity, 'contact'), 0);
	assert.equal(open(`'\\x${asked.proof}'`), 'ok');
	assert.equal(count('portal', identity, 'contact'), 1);
	assert.equal(open(`'\\x${asked.proof}'`), 'none');
	assert.match(as('portal', null, 'select * from icert.code').error, /permission denied/);
	assert.match(as('portal', null, `select icert.login_contact_open('${asked.id}', '\\x00', 'EC', '-')`).error, /does not exist/);
});

test('a session\'s number is compared before anything is done, and ends with the session', () => {
	const me = session('contact', ana);
	const number = must(`select generation from icert.session where hash = '\\x${sha256(me).toString('hex')}'`)[0];
	const check = (identity, n) => as('portal', identity, `select icert.session_check(${n})`);
	assert.ok(check(me, number).ok);
	assert.match(check(me, Number(number) + 1).error, /session/);
	assert.match(check(session('contact', ana), number).error, /session/);
	assert.match(check(session('contact', ana, { idle: -1 }), number).error, /session/);
	must(`set role icert_portal; set icert.session = '${me.toString('hex')}'; select icert.session_end()`);
	assert.match(check(me, number).error, /session/);
});

test('a role removed, a disabled account, another password: every session of that person ends', () => {
	const id = randomUUID();
	must(`insert into icert.staff (id, login, name, password, created_at) values ('${id}', 'fugaz', 'Fugaz', 'x', ${now});
		insert into icert.staff_role (staff_id, role, province, since) values ('${id}', 'operator', ${PICHINCHA}, ${now}), ('${id}', 'finance', null, ${now})`);
	const ends = (text) => {
		const me = session('staff', id);
		assert.equal(as('desk', me, 'select icert.me_staff()').rows.at(-1), id);
		must(text);
		assert.equal(as('desk', me, "select coalesce(icert.me_staff()::text, 'nobody')").rows.at(-1), 'nobody', text);
	};
	ends(`set role icert_admin; delete from icert.staff_role where staff_id = '${id}' and role = 'finance'`);
	ends(`set role icert_admin; update icert.staff set password = 'y' where id = '${id}'`);
	ends(`set role icert_admin; update icert.staff set enabled = false where id = '${id}'`);
	const kept = session('staff', staffId('central'));
	assert.notEqual(as('desk', kept, 'select icert.me_staff()').rows.at(-1), '');
});

test('a page that asks for news by itself does not keep a session from becoming idle', () => {
	const me = session('contact', luis);
	const row = `hash = '\\x${sha256(me).toString('hex')}'`;
	must(`update icert.session set seen_at = ${now - 300} where ${row}`);
	const touch = (by) => must(`set role icert_portal; set icert.session = '${me.toString('hex')}'; select state from icert.session_touch(${by})`)[0];
	assert.equal(touch(false), 'live');
	assert.equal(must(`select seen_at from icert.session where ${row}`)[0], String(now - 300));
	assert.equal(touch(true), 'live');
	assert.notEqual(must(`select seen_at from icert.session where ${row}`)[0], String(now - 300));
});

test('a token\'s key: brought by the operator of an identified case, as oneself, and for nobody else\'s case', () => {
	const here = application(luis, PICHINCHA, 'identified');
	const there = application(ana, GUAYAS, 'identified');
	must(`update icert.application set container = 'token', version = version + 1 where id in ('${here.id}', '${there.id}')`);
	const me = session('staff', staffId('operador.pichincha'));
	const bring = (id, who, spki) => as('desk', me, `insert into icert.token_request (spki_sha256, application_id, spki, request, bits, staff_id, at)
		values (sha256('${spki}'), '${id}', '${spki}', ${sealed}, 2048, '${staffId(who)}', ${now})`);
	assert.ok(bring(here.id, 'operador.pichincha', '\\x01').ok);
	assert.match(bring(here.id, 'operador.guayas', '\\x01').error, /row-level security/);
	assert.match(bring(there.id, 'operador.pichincha', '\\x01').error, /row-level security/);
	must(`insert into icert.token_request (spki_sha256, application_id, spki, request, bits, staff_id, at)
		values (sha256('\\x02'), '${there.id}', '\\x02', ${sealed}, 2048, '${staffId('operador.guayas')}', ${now})`);
	assert.match(bring(here.id, 'operador.pichincha', '\\x02').error, /token_request_pkey/, 'a key of another province\'s case is refused, and not shown');
	assert.equal(count('desk', me, 'token_request', `application_id = '${there.id}'`), 0);
	must(`set session_replication_role = replica; update icert.application set state = 'issued' where id = '${here.id}'`);
	assert.match(bring(here.id, 'operador.pichincha', '\\x03').error, /row-level security/, 'not after it was issued');
});

test('a director sees the contract of a case to sign, and none of its papers', () => {
	const it = application(luis, PICHINCHA, 'contract_signed');
	const me = session('staff', staffId('director.pichincha'));
	assert.equal(count('desk', me, 'application', `id = '${it.id}'`), 1);
	assert.equal(count('desk', me, 'document', `application_id = '${it.id}'`), 0);
	assert.equal(count('desk', session('staff', staffId('operador.pichincha')), 'document', `application_id = '${it.id}'`), 1);
});

test('a contract: the director of the province signs, nobody for themselves, and no operator; who takes a file does not judge it', () => {
	const cedula = must("select encode(person_hash, 'hex') from icert.staff where login = 'director.pichincha'")[0];
	const it = application(luis, PICHINCHA, 'contract_signed');
	const own = application(luis, PICHINCHA, 'contract_signed', Buffer.from(cedula, 'hex'));
	const sign = (id) => `update icert.application set state = 'countersigned', version = version + 1 where id = '${id}'`;
	const director = session('staff', staffId('director.pichincha'));
	assert.equal(changed('desk', director, sign(it.id)), 1);
	assert.match(changed('desk', director, sign(own.id)), /row-level security/);
	assert.match(changed('desk', session('staff', staffId('operador.pichincha')), sign(it.id)), /row-level security/);
	assert.match(String(changed('desk', session('staff', staffId('central')), sign(it.id))), /row-level security/);
	assert.equal(changed('desk', session('staff', staffId('director.guayas')), sign(it.id)), 0);
	assert.match(String(changed('portal', session('contact', luis), sign(it.id))), /no such transition/);

	const sent = application(luis, PICHINCHA, 'contract_sent');
	const copy = (id, source, state, extra = 'null, null') => `insert into icert.contract_copy (id, contract_id, application_id, document_id, source, state,
		staff_id, certificate_id, arrived_at, uploaded_at) select gen_random_uuid(), gen_random_uuid(), '${id}', gen_random_uuid(), '${source}', '${state}',
		${extra}, ${now}, ${now}`;
	const mine = session('contact', luis);
	assert.match(changed('portal', mine, copy(sent.id, 'page', 'valid')), /row-level security/, 'the portal calls nothing valid');
	assert.match(changed('portal', mine, copy(it.id, 'page', 'waiting')), /row-level security/, 'nor when none is asked for');
	assert.match(changed('portal', mine, copy(sent.id, 'page', 'waiting')), /foreign key/, 'but says that one arrived');
	assert.match(changed('desk', session('staff', staffId('operador.guayas')), copy(sent.id, 'mail', 'waiting', `'${staffId('operador.guayas')}', null`)), /row-level security/);
	assert.match(changed('desk', session('staff', staffId('operador.pichincha')), copy(sent.id, 'mail', 'waiting', `'${staffId('operador.pichincha')}', null`)), /foreign key/);
});

test('roles of substitutes are the clerk\'s to give, and no other roles; who names one, and who approves a certificate', () => {
	const helper = staffId('operador.guayas');
	const role = (name, province, substitute) => `insert into icert.staff_role (staff_id, role, province, since, substitute_id)
		values ('${helper}', '${name}', ${province}, ${now}, ${substitute})`;
	assert.match(changed('clerk', null, role('administrator', 'null', 'null')), /row-level security/);
	assert.match(changed('clerk', null, role('director', PICHINCHA, 'null')), /row-level security/);
	assert.equal(changed('clerk', null, `delete from icert.staff_role where role = 'administrator'`), 0);
	const name = (by, province) => `insert into icert.substitute (id, province, staff_id, from_at, to_at, named_by, named_at)
		values (gen_random_uuid(), ${province}, '${helper}', ${now}, ${now + 60}, '${staffId(by)}', ${now})`;
	assert.equal(changed('desk', session('staff', staffId('director.pichincha')), name('director.pichincha', PICHINCHA)), 1);
	assert.match(changed('desk', session('staff', staffId('director.pichincha')), name('director.pichincha', GUAYAS)), /row-level security/);
	assert.match(changed('desk', session('staff', staffId('operador.pichincha')), name('operador.pichincha', PICHINCHA)), /row-level security/);
	assert.equal(changed('desk', session('staff', staffId('central')), name('central', PICHINCHA)), 1);
	const approve = `update icert.staff_certificate set state = 'registered', decided_by = '${staffId('administrador')}', decided_at = ${now} where state = 'asked'`;
	must(`insert into icert.staff_certificate (id, staff_id, der, sha256, spki_sha256, subject, not_before, not_after, state, asked_by, asked_at)
		values (gen_random_uuid(), '${staffId('finanzas')}', '\\x00', '\\x${randomBytes(32).toString('hex')}', '\\x${randomBytes(32).toString('hex')}', 'CN = x',
		${now}, ${now + 60}, 'asked', '${staffId('administrador')}', ${now})`);
	assert.match(changed('desk', session('staff', staffId('administrador')), approve), /row-level security/);
	assert.equal(changed('desk', session('staff', staffId('administrador.segundo')), approve.replace(staffId('administrador'), staffId('administrador.segundo'))), 1);
	assert.equal(changed('desk', session('staff', staffId('operador.pichincha')), approve), 0);
});

test('clocks: moved by functions alone, and only of cases one may act on; nobody lengthens alone', () => {
	const it = application(luis, PICHINCHA, 'contract_sent');
	const other = application(luis, GUAYAS, 'contract_sent');
	for (const one of [it, other])
		must(`insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)
			values (gen_random_uuid(), 'contract_due', 'application', '${one.id}', '${one.id}', ${now + 3600}, ${now})`);
	const said = (role, identity, text) => { const r = as(role, identity, text); assert.ok(r.ok, r.error); return r.rows.at(-1) ?? ''; };
	const stop = (id) => `select coalesce(icert.clock_stop('${id}', ${now}), 0)`;
	const operator = session('staff', staffId('operador.pichincha'));
	assert.equal(said('portal', session('contact', luis), stop(it.id)), String(now + 3600));
	assert.equal(said('portal', session('contact', ana), stop(it.id)), '0', 'another mailbox');
	assert.equal(said('desk', operator, stop(it.id)), String(now + 3600));
	assert.equal(said('desk', operator, stop(other.id)), '0', 'another province');
	for (const [role, who] of [['portal', session('contact', luis)], ['desk', operator]])
		assert.match(as(role, who, `update icert.deadline set due_at = due_at + 86400 where application_id = '${it.id}'`).error, /permission denied/);
	const ask = (by, state = 'open') => `insert into icert.extension (id, application_id, reason, hours, state, requested_by, requested_at)
		values ('${randomUUID()}', '${it.id}', 'illness', 120, '${state}', '${staffId(by)}', ${now})`;
	const central = session('staff', staffId('central'));
	assert.match(changed('desk', operator, ask('operador.pichincha')), /row-level security/);
	assert.match(changed('desk', central, ask('central.segunda')), /row-level security/, 'in another\'s name');
	must(ask('central'));
	const confirm = (by) => `update icert.extension set state = 'confirmed', decided_by = '${staffId(by)}', decided_at = ${now} where application_id = '${it.id}'`;
	assert.match(changed('desk', central, confirm('central')), /violates|row-level security/, 'one person');
	assert.equal(changed('desk', session('staff', staffId('central.segunda')), confirm('central.segunda')), 1);
	const id = must(`select id from icert.extension where application_id = '${it.id}'`)[0];
	assert.equal(said('desk', session('staff', staffId('central.segunda')), `select coalesce(icert.clock_extend('${id}', ${now}), 0)`), '0', 'not confirmed, nothing moves');
});

test('the clerk revokes with privilegeWithdrawn and nothing else; who hands a request in does not judge it', () => {
	const it = application(luis, PICHINCHA, 'accepted');
	must(`set session_replication_role = replica; insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, der,
		spki_sha256, not_after, created_at) values (gen_random_uuid(), '${it.id}', '\\x${randomBytes(16).toString('hex')}', 'good', 'file', '1', ${sealed},
		'\\x${randomBytes(32).toString('hex')}', ${sealed}, '\\x${randomBytes(32).toString('hex')}', ${now + 86400}, ${now})`);
	const revoke = (reason, by) => `update icert.certificate set state = 'revoked', revoked_at = ${now}, reason = ${reason}, revoked_by = '${by}'
		where application_id = '${it.id}'`;
	assert.equal(changed('clerk', null, revoke(9, 'deadline')), 1);
	assert.match(changed('clerk', null, revoke(1, 'deadline')), /row-level security/);
	assert.match(changed('clerk', null, revoke(9, 'holder')), /row-level security/);
	must(`insert into icert.renewal (application_id, certificate_id, state, document_id, made_at) select '${it.id}', c.id, 'made', d.id, ${now}
		from icert.certificate c, icert.document d where c.application_id = '${it.id}' and d.application_id = '${it.id}'`);
	const mine = session('contact', luis);
	const hand = (state) => `update icert.renewal set state = '${state}', received_at = ${now} where application_id = '${it.id}'`;
	assert.equal(changed('portal', mine, hand('received')), 1);
	assert.match(changed('portal', mine, hand('signed')), /violates|row-level security/);
	assert.equal(changed('portal', session('contact', ana), hand('received')), 0);
	const take = (by) => `update icert.renewal set identified_at = ${now}, identified_by = '${staffId(by)}' where application_id = '${it.id}'`;
	assert.equal(changed('desk', session('staff', staffId('operador.pichincha')), take('operador.pichincha')), 0, 'not signed');
	must(`update icert.renewal set state = 'signed', signed_at = ${now}`);
	assert.equal(changed('desk', session('staff', staffId('operador.guayas')), take('operador.guayas')), 0);
	assert.match(changed('desk', session('staff', staffId('operador.pichincha')), take('central')), /row-level security/);
	assert.equal(changed('desk', session('staff', staffId('operador.pichincha')), take('operador.pichincha')), 1);
});
