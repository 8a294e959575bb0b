// The national office revokes: one person asks, another confirms; status and CRL
// are read with openssl.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { ocsp, revokedEverywhere } from '../lib/status.mjs';
import { MailBox } from '../lib/mail.mjs';
import { Operator, expect, issued } from './walk.mjs';

let icert;
let run;
let who;
let first;
let second;
let serial;

const sql = (text) => execFileSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d',
	`host=${run}/pg dbname=icert user=postgres`, '-c', text], { encoding: 'utf8' }).trim();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const certificate = () => sql(`select state from icert.certificate where application_id = '${who.applicant.id}'`);

const asFirst = (text) => icert.asDesk('central', text).error;

const page = (person) => person.client.visit(`/caso/${who.applicant.id}/revocar`);
const ask = async (person, values = {}) => (await page(person)).form(/revocar$/)
	.submit({ reason: 'court_order', words: 'Oficio 2026-123 del juzgado tercero', ...values });
const confirm = async (person, code) => (await page(person)).form(/confirmar$/)
	.submit({ code: code ?? await icert.totp(person.account.login) });
const hash = (login) => sql(`select encode(person_hash, 'hex') from icert.staff where login = '${login}'`);
const setHash = (login, hex) => sql(`update icert.staff set person_hash = '\\x${hex}' where login = '${login}'`);

before(async () => {
	icert = await startInstance();
	run = /^run = (.*)$/m.exec(readFileSync(`${icert.prefix}/etc/icert.conf`, 'utf8'))[1];
	who = await issued(icert);
	serial = sql(`select encode(serial, 'hex') from icert.certificate where application_id = '${who.applicant.id}'`);
	first = new Operator(icert, 'central');
	second = new Operator(icert, 'central.segunda');
	expect(await first.signIn(), 200, 'desk');
	expect(await second.signIn(), 200, 'desk');
});
after(() => { for (const one of [who?.applicant, who?.operator, first, second]) one?.close(); return icert?.stop(); });

test('an operator has no such page, and the case offers it to the national office alone', async () => {
	assert.equal((await page(who.operator)).status, 403);
	assert.ok(!(await who.operator.see()).links.some((a) => /revocar$/.test(a.href)));
	assert.ok((await first.client.visit(`/caso/${who.applicant.id}`)).links.some((a) => /revocar$/.test(a.href)));
});

test('without a reason and words nothing is asked, and what was typed stays', async () => {
	const answer = await ask(first, { reason: null, words: '' });
	assert.equal(answer.status, 422);
	assert.equal(answer.errors.length, 2);
	assert.equal(sql('select count(*) from icert.revocation_request'), '0');
});

test('the holder, were they of the office, neither asks nor confirms', async () => {
	const mine = hash('central');
	setHash('central', sql(`select encode(person_hash, 'hex') from icert.application where id = '${who.applicant.id}'`));
	const answer = await ask(first);
	setHash('central', mine);
	assert.equal(answer.status, 403);
	assert.match(answer.errors.join(), /propio certificado/);
	assert.equal(sql('select count(*) from icert.revocation_request'), '0');
});

test('one asks: the office is told, nothing is revoked', async () => {
	expect(await ask(first), 200, 'request');
	const mail = await new MailBox(icert.mail).wait({ to: 'planta.central@icert.example' });
	assert.match(mail.text, /otra persona de Planta Central/);
	assert.match((await second.client.visit('/revocaciones')).main, /Falta confirmar/);
	assert.doesNotMatch(sql("select encode(words, 'escape') from icert.revocation_request"), /juzgado/);
	assert.equal(certificate(), 'good');
});

test('who asked has no button, and the database refuses them too', async () => {
	assert.ok(!(await page(first)).forms.some((f) => /confirmar$/.test(f.action)));
	const mine = hash('central.segunda');
	setHash('central.segunda', hash('central'));
	const answer = await confirm(second);
	setHash('central.segunda', mine);
	assert.equal(answer.status, 403, 'one person with two accounts');
	assert.match(asFirst(`update icert.revocation_request set state = 'confirmed', decided_by = requested_by, decided_at = 1`), /violates/);
	assert.match(asFirst(`update icert.certificate set state = 'revoked', revoked_at = 1, reason = 9, reason_code = 'court_order', revoked_by = 'national'`),
		/row-level security/);
	assert.match(asFirst(`insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', 9, 1 from icert.certificate`),
		/row-level security/);
	assert.equal(sql('select state from icert.revocation_request'), 'open');
	assert.equal(certificate(), 'good');
});

test('a wrong code confirms nothing', async () => {
	const answer = await confirm(second, '000000');
	assert.equal(answer.status, 422);
	assert.match(answer.main, /Oficio 2026-123/);
	assert.equal(certificate(), 'good');
});

test('another person confirms: OCSP within 5 s, CRL within a minute, the holder is told, the case closes', async () => {
	const known = await who.applicant.mail.list({ to: who.applicant.email });
	assert.match(ocsp(icert, serial), /: good/);
	const done = expect(await confirm(second), 200, 'confirm');
	await revokedEverywhere(icert, serial);
	assert.match(done.main, /[Rr]evocado/);
	const mail = await who.applicant.mail.wait({ to: who.applicant.email, subject: /revocado/, known });
	assert.match(mail.text, /orden de una autoridad/);
	assert.ok(mail.text.includes(serial));
	assert.equal(sql(`select state || ' ' || reason from icert.application where id = '${who.applicant.id}'`), 'closed_revoked revoked_by_national');
	assert.equal(sql("select revoked_by || ' ' || reason from icert.certificate where state = 'revoked'"), 'national 9', 'privilegeWithdrawn');
	assert.match((await who.applicant.see()).main, /revocado/i);
});

test('the log has both acts with who did them; a repeat finds nothing to do', async () => {
	assert.deepEqual(sql("select action || ' ' || coalesce(s.login, actor_kind || a.actor) from icert.audit a left join icert.staff s on s.id::text = a.actor where action like 'certificate.revoke%' and outcome = 'done' order by at_us").split('\n'),
		['certificate.revoke_request central', 'certificate.revoke central.segunda']);
	assert.match((await first.client.visit('/revocaciones')).main, /Confirmada/);
	assert.match((await page(first)).path, /\/caso\/[^/]+$/);
});
