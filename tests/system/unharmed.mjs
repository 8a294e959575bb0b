// What must hold after people went on while things broke: nothing lost, nothing doubled.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { icertctlRun } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import * as tools from '../lib/tools.mjs';
import { fits } from './patient.mjs';

const none = (icert, what, query) => assert.equal(icert.sql(query), '', what);

/** Nothing is lost or doubled, as the database tells it. */
export function rows(icert, people) {
	const count = (query) => Number(icert.sql(query));
	assert.equal(count("select count(*) from icert.application where state <> 'removed'"), people, 'an application each');
	assert.equal(count("select count(*) from icert.application where state = 'active'"), people, 'all active');
	assert.equal(count("select count(*) from icert.certificate where state = 'good'"), people, 'a certificate each');
	assert.equal(count("select count(*) from icert.certificate where state = 'issuing'"), 0, 'none left half way');
	none(icert, 'one certificate a case', "select application_id from icert.certificate where state <> 'refused' group by 1 having count(*) > 1");
	none(icert, 'no certificate without its deadline', `select id from icert.certificate c where state = 'good' and not exists
		(select from icert.deadline d where d.subject = c.id and d.kind = 'contract_due' and d.due_at >= c.issued_at + 120 * 3600)`);
	none(icert, 'no deadline twice', 'select kind, subject, due_at from icert.deadline group by 1, 2, 3 having count(*) > 1');
	none(icert, 'every PKCS#12 was sealed, and is destroyed once the contract is signed', `select id from icert.certificate c where state = 'good' and not exists
		(select from icert.delivery d where d.certificate_id = c.id and d.label = 'pkcs12' and d.destroyed_at is not null)`);
	none(icert, 'no clock of a signed contract runs', "select id from icert.deadline where kind like 'contract%' and state = 'waiting'");
	none(icert, 'every good one is public', `select c.id from icert.certificate c where c.state = 'good' and
		(select count(*) from icert.status_change s where s.certificate_id = c.id and s.state = 'good' and s.published_epoch is not null) <> 1`);
	none(icert, 'every order is used, by one application', `select p.id from icert.purchase p where
		(select count(*) from icert.application a where a.purchase_id = p.id and a.state <> 'removed') <> 1`);
	none(icert, 'every order was paid, and once', `select p.id from icert.purchase p where p.state = 'used' and (select count(*) from icert.payment y
		where y.purchase_id = p.id and y.verdict = 'pay') <> 1`);
	none(icert, 'every used order is paid', "select id from icert.purchase where state = 'used' and paid_at is null");
	none(icert, 'no order used twice', "select purchase_id from icert.application where state <> 'removed' group by 1 having count(*) > 1");
	none(icert, 'serials are unique', 'select serial from icert.certificate group by 1 having count(*) > 1');
	none(icert, 'envelope numbers are unique', 'select number from icert.envelope group by 1 having count(*) > 1');
	none(icert, 'numbers of applications and contracts are unique', `select number from icert.application where number is not null group by 1 having count(*) > 1
		union select number from icert.contract group by 1 having count(*) > 1`);
	none(icert, 'one contract a certificate', `select c.id from icert.certificate c where c.state = 'good' and (select count(*) from icert.contract k where k.certificate_id = c.id) <> 1`);
	none(icert, 'no notification unapplied', 'select event_id from icert.payment_event where applied_at is null');
	none(icert, 'a valid copy of each signature', `select c.id from icert.contract c where (select count(*) from icert.contract_copy y
		where y.contract_id = c.id and y.state = 'valid') <> 2`);
	none(icert, 'one mail a cause', `select coalesce(application_id, purchase_id), template, dedup from icert.outbox where dedup is not null
		group by 1, 2, 3 having count(*) > 1`);
	none(icert, 'no mail given up', "select id from icert.outbox where state in ('failed', 'expired')");
}

/** The signer's journal says what the database says. */
export function journal(icert) {
	const signed = readFileSync(join(icert.prefix, 'signer/journal'), 'latin1').split('\n')
		.map((line) => line.match(/^\d+ \d+ certificate case=(\w+) serial=(\w+) .*spki=(\w+) /)?.slice(1).join(' ')).filter(Boolean).sort();
	const known = icert.sql(`select replace(application_id::text, '-', '') || ' ' || encode(serial, 'hex') || ' ' || encode(spki_sha256, 'hex')
		from icert.certificate where der is not null`).split('\n').filter(Boolean).sort();
	assert.deepEqual(signed, known);
}

/** Every holder opened what was mailed with what the envelope said; the edge says good; the list is clean. */
export async function holders(t, icert, cases) {
	const folder = tools.scratch(t);
	const pem = (name, path) => tools.must('openssl', ['x509', '-inform', 'DER', '-in', path, '-out', join(folder, name)]);
	pem('issuer.pem', icert.files.issuer);
	pem('root.pem', icert.files.root);
	const issuer = join(folder, 'issuer.pem');
	const chain = tools.put(folder, 'chain.pem', tools.must('cat', [issuer, join(folder, 'root.pem')]));
	for (const one of cases) {
		assert.ok(fits(one.identity), `case ${one.n}: key and certificate belong together`);
		const serial = tools.must('openssl', ['x509', '-in', one.identity.cert, '-noout', '-serial']).trim().split('=')[1];
		const spki = tools.run('sh', ['-c', `openssl x509 -in ${one.identity.cert} -noout -pubkey | openssl pkey -pubin -outform DER`]).bytes;
		assert.equal(`${serial.toLowerCase()} ${createHash('sha256').update(spki).digest('hex')}`, icert.sql(`select encode(serial, 'hex') || ' ' ||
			encode(spki_sha256, 'hex') from icert.certificate where application_id = '${one.applicant.id}' and state = 'good'`),
		`case ${one.n}: the certificate that was issued`);
		const answer = tools.ocsp({ url: `${icert.status}/ocsp`, certificate: one.identity.cert, issuer, chain });
		assert.match(answer.output, /: good/, `case ${one.n}`);
	}
	const list = await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer();
	const text = tools.must('openssl', ['crl', '-inform', 'DER', '-noout', '-text', '-verify', '-CAfile', chain], { input: Buffer.from(list) });
	assert.match(text, /No Revoked Certificates/);
}

/** The tree of audit, with the signed heads. */
export async function audit(icert) {
	await until(() => icert.sql('select count(*) from icert.audit where leaf is null') === '0', { what: 'the last audit rows in the tree' });
	const { code, stdout, stderr } = await icert.icertctl('audit', 'verify');
	assert.equal(code, 0, stdout + stderr);
}

/** What a case does once in its life, from `submit` on. */
const once = ['submit', 'assign', 'accept', 'confirm_slot', 'identify', 'accept_fields', 'issue', 'issued', 'send_contract', 'receive_contract',
	'sign_contract', 'countersign', 'file'];

/** One audit row a step: none missing, none twice. */
export function steps(icert) {
	const wanted = once.map((step) => `('application.${step}')`).join();
	none(icert, 'each step once', `select a.id, s.step, count(l.*) from icert.application a cross join (values ${wanted}) s (step)
		left join icert.audit l on l.case_id = a.id and l.action = s.step and l.outcome = 'done'
		where a.state = 'active' group by 1, 2 having count(l.*) <> 1`);
	none(icert, 'no step backwards', `select case_id, action from icert.audit where action in
		('application.refused', 'application.refuse_contract', 'application.return_contract', 'application.unschedule', 'application.send_back')`);
	for (const action of ['order.created', 'order.payment_pay'])
		none(icert, `${action} once`, `select p.id from icert.purchase p where p.state = 'used' and
			(select count(*) from icert.audit l where l.subject = p.id::text and l.action = '${action}') <> 1`);
}

/** What a row names lies on the disk, whole: its size is that of the sealed form at least. */
export function files(icert) {
	const lost = icert.sql('select file from icert.document where destroyed_at is null').split('\n')
		.filter((file) => !existsSync(join(icert.prefix, 'documents', file.slice(0, 2), file)));
	assert.deepEqual(lost, []);
}

/**
 * A mail for each row that was sent, and no other.  A server that has taken a mail and a sender
 * that was killed before it could note so leave one way only: the same mail once more, under the same
 * Message-ID, by which the receiver knows it.
 */
export async function mails(icert, kills) {
	await until(() => icert.sql("select count(*) from icert.outbox where state = 'waiting' and not_before = 0") === '0', { what: 'an empty outbox' });
	const sent = icert.sql("select id from icert.outbox where state = 'sent'").split('\n').sort();
	// Signed heads of the log go out without a row.
	const ids = (await new MailBox(icert.mail).all()).map((mail) => mail.messageId).filter((id) => !id.startsWith('<head-'))
		.map((id) => id.match(/^<([0-9a-f-]{36})@/)[1]).sort();
	assert.deepEqual([...new Set(ids)], sent);
	assert.ok(ids.length - sent.length <= kills, `${ids.length - sent.length} mails came twice`);
	return ids.length - sent.length;
}

/** The package of each filed contract, as its holder downloads it, verifies with no instance. */
export async function evidence(t, icert, cases) {
	const folder = tools.scratch(t);
	const pins = ['--root', icert.files.root, '--key', join(icert.prefix, 'audit/auditoria'), '--keys', join(icert.prefix, 'pins')];
	for (const one of cases) {
		const file = tools.put(folder, `${one.n}.zip`, (await one.applicant.client.get(`/tramite/${one.applicant.id}/evidencia.zip`)).body);
		const { code, stdout, stderr } = await icertctlRun(['evidence', 'verify', file, ...pins]);
		assert.equal(code, 0, `case ${one.n}: ${stdout}${stderr}`);
	}
}
