// Yesterday's backup is brought back, and nothing comes back with it that may not:
// no destroyed key, no used envelope, no spent credit, no repeated serial, CRL
// number or notification, and no good for a revoked certificate.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Instance, freePortBase, icertctlRun, newFolder, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import * as tools from '../lib/tools.mjs';
import { Applicant, Operator, expect, issue } from './walk.mjs';

const HOUR = 3600;
const GAP = 5000;		// numbers go on at least so far above

let icert, folder, issuer, chain, operator;
let ana;	// issued before; afterwards reminded, and her envelope opened
let beto;	// paid before; afterwards applied and issued
let carla;	// issued before; afterwards she revokes
const key = {};		// of two custodians: data, and the authority's keys
const kept = {};

const sql = (text) => icert.sql(text);
const count = (text) => Number(sql(text));
const serialOf = (who) => sql(`select encode(serial, 'hex') from icert.certificate where application_id = '${who.id}'`);
const subjects = async (who) => (await who.mail.list({ to: who.email })).map((m) => m.subject).sort();
const crlNumber = async () => {
	const der = Buffer.from(await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer());
	return { der, number: BigInt(tools.must('openssl', ['crl', '-inform', 'DER', '-noout', '-crlnumber'], { input: der }).trim().split('=')[1]) };
};
const listed = (der, serial) => tools.must('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], { input: der }).includes(`Serial Number: ${serial.toUpperCase()}`);
// The status of a serial alone: the certificate itself is the applicant's.
const status = (serial) => tools.run('openssl', ['ocsp', '-issuer', issuer, '-serial', `0x${serial}`, '-url', `${icert.status}/ocsp`,
	'-CAfile', chain, '-no_nonce']).output;
const becomes = (serial, wanted) => until(() => wanted.test(status(serial)), { what: `status ${wanted} of ${serial}` });
const ctl = async (...args) => {
	const done = await icert.icertctl(...args);
	assert.equal(done.code, 0, `icertctl ${args.join(' ')}\n${done.stdout}${done.stderr}`);
	return done.stdout;
};
const keygen = (name) => {
	tools.must('age-keygen', ['-o', join(folder, name)]);
	return tools.must('age-keygen', ['-y', join(folder, name)]);
};
// As the documents have it: in the folder of the keys, by their bare names.
const restore = (instance, ...more) => icertctlRun(['restore', kept.file, '--identity', 'data.key', ...more, '--prefix', instance.prefix], { cwd: folder });

before(async () => {
	icert = await startInstance();
	folder = newFolder();
	issuer = tools.certificateToPem(folder, 'issuer.pem', readFileSync(icert.files.issuer));
	const root = tools.certificateToPem(folder, 'root.pem', readFileSync(icert.files.root));
	chain = tools.put(folder, 'chain.pem', readFileSync(issuer, 'utf8') + readFileSync(root, 'utf8'));
	writeFileSync(join(icert.prefix, 'etc/backup.recipients'), keygen('data.key'));
	writeFileSync(join(icert.prefix, 'etc/backup-keys.recipients'), keygen('keys.key'));
	ana = new Applicant(icert);
	beto = new Applicant(icert, { id_number: '1714616123', ruc: '1714616123001', given_names: 'Beto', surname1: 'Ñacato' });
	carla = new Applicant(icert, { id_number: '0923456784', ruc: '0923456784001', given_names: 'Carla', surname1: 'Ríos' });
	operator = new Operator(icert);
	await beto.order();
	await beto.pay();
	expect(await operator.signIn(), 200, 'desk');
	for (const who of [carla, ana]) {
		await who.apply();
		who.code = await issue(who, operator);
		await who.mail.wait({ to: who.email, subject: /contrato/i });
	}
});
after(async () => {
	for (const who of [ana, beto, carla, operator]) who?.close();
	await icert?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

test('a backup while everything runs: sealed, read back, on the log of audit', async () => {
	kept.file = join(folder, 'yesterday');
	kept.mails = await subjects(ana);
	const told = await ctl('backup', kept.file);
	const [hash] = told.split(' ');
	assert.equal(tools.must('sha256sum', [kept.file]).split(' ')[0], hash);
	const bytes = readFileSync(kept.file);
	assert.match(bytes.subarray(0, 30).toString('latin1'), /^age-encryption\.org\/v1/);
	for (const secret of ['MANIFEST', 'PGDMP', 'documents/'])
		assert.equal(bytes.includes(secret), false, `${secret} stands there in clear`);
	assert.equal(sql("select detail::json->>'sha256' from icert.audit where action = 'backup.made'"), hash);
	assert.equal((await icert.icertctl('backup', kept.file)).code, 1, 'nothing is overwritten');
});

test('what is in it: everything that may come back, and nothing that may not', async () => {
	const names = (archive, identity) => tools.must('sh', ['-c', `age -d -i ${join(folder, identity)} ${archive} | tar -t`]).trim().split('\n');
	const all = names(kept.file, 'data.key');
	for (const wanted of [/^database\/000001$/, /^documents\//, /^journals\/signer$/, /^journals\/sent$/, /^audit\//, /^ca\/emisora\.cer$/, /^keys\.age$/, /^MANIFEST$/])
		assert.ok(all.some((name) => wanted.test(name)), String(wanted));
	tools.must('sh', ['-c', `cd ${folder} && age -d -i data.key yesterday | tar -x --one-top-level=open && cd open && sha256sum --check --quiet MANIFEST`]);
	const sealed = join(folder, 'open/keys.age');
	assert.notEqual(tools.run('age', ['-d', '-i', join(folder, 'data.key'), sealed]).status, 0, 'the keys have a custodian of their own');
	const keys = names(sealed, 'keys.key');
	for (const wanted of ['keeper/master', 'keymaker/word.key', 'publisher/manifest.key', 'clerk/audit.key', 'signer/pin'])
		assert.ok(keys.includes(wanted), wanted);
	assert.deepEqual([...all, ...keys].filter((name) => /delivery|ca\/root|(^|\/)root\//.test(name)), []);
});

test('one that was cut or changed is refused, and so is another\'s key', async () => {
	const bytes = readFileSync(kept.file);
	const tryIt = async (name, content, identity = 'data.key') => {
		writeFileSync(join(folder, name), content);
		return icertctlRun(['restore', join(folder, name), '--identity', join(folder, identity), '--check', '--prefix', icert.prefix]);
	};
	assert.equal((await tryIt('whole', bytes)).code, 0);
	assert.equal((await tryIt('cut', bytes.subarray(0, bytes.length - 70_000))).code, 1);
	const changed = Buffer.from(bytes);
	changed[bytes.length >> 1] ^= 1;
	assert.equal((await tryIt('changed', changed)).code, 1);
	assert.equal((await tryIt('other', bytes, 'keys.key')).code, 1);
	assert.match((await restore(icert)).stderr, /is up; stop it first/);
});

test('then the day goes on: an envelope, a revocation, an order, reminders', async () => {
	// Ana opens her envelope and says that she has kept it.
	const open = expect(await ana.openEnvelope(ana.code), 200, 'envelope');
	await open.form(/guardado$/).submit();
	// Carla revokes.
	await carla.revoke();
	kept.carla = serialOf(carla);
	await becomes(kept.carla, /: revoked/);
	await carla.mail.wait({ to: carla.email, subject: /revocad/i });
	kept.crl = await until(async () => { const list = await crlNumber(); return listed(list.der, kept.carla) && list; }, { what: 'the CRL', timeout: 60_000 });
	// Beto uses his order.
	await beto.begin();
	await beto.answer();
	await beto.documents();
	await beto.submit();
	beto.code = await issue(beto, operator);
	kept.beto = serialOf(beto);
	await becomes(kept.beto, /: good/);
	await beto.mail.wait({ to: beto.email, subject: /contrato/i });
	kept.order = sql(`select purchase_id from icert.application where id = '${beto.id}'`);
	// A day later the first reminders leave.
	icert.moveClock(25 * HOUR);
	await ana.mail.wait({ to: ana.email, subject: /Falta firmar/ });
	await until(() => count("select count(*) from icert.outbox where state = 'waiting' and not_before = 0") === 0, { what: 'mails to leave' });
	kept.after = { ana: await subjects(ana), beto: await subjects(beto), carla: await subjects(carla) };
	assert.ok(kept.after.ana.length > kept.mails.length);
	kept.numbers = { case: beto.number, envelope: sql('select max(number) from icert.envelope') };
	kept.serials = sql("select encode(serial, 'hex') from icert.certificate").split('\n');
	kept.heads = count('select max(size) from icert.audit_head');
	await until(() => readdirSync(join(icert.prefix, 'audit')).length > 0, { what: 'a signed head' });
});

test('yesterday is brought back', async () => {
	await icert.down();
	const done = await restore(icert);
	assert.equal(done.code, 0, done.stdout + done.stderr);
	assert.match(done.stdout, /^ +1 {2}certificates revoked since/m);
	assert.match(done.stdout, /^ +1 {2}certificates issued since/m);
	assert.match(done.stdout, /^ +1 {2}orders count as used/m);
	await icert.up();
	icert.moveClock(25 * HOUR);
	assert.equal(sql(`select count(*) from icert.application where id = '${beto.id}'`), '0', 'it is yesterday');
	assert.ok(readdirSync(icert.prefix).some((name) => name.startsWith('postgres.before-')));
});

test('no good for a revoked certificate', async () => {
	await becomes(kept.carla, /: revoked/);
	assert.equal(sql(`select state || revoked_by from icert.certificate where application_id = '${carla.id}'`), 'revokedrestore');
	assert.equal(sql(`select state from icert.application where id = '${carla.id}'`), 'closed_revoked');
	const list = await until(async () => { const now = await crlNumber(); return now.number > kept.crl.number && now; }, { what: 'a new CRL', timeout: 60_000 });
	assert.ok(listed(list.der, kept.carla));
});

test('a certificate that the database never knew keeps its status, until two people revoke it', async () => {
	await becomes(kept.beto, /: good/);
	assert.match(await ctl('lost'), new RegExp(`^${kept.beto}  good  .*case ${beto.id}$`, 'm'));
	const code = await icert.totp('central');
	const alone = await icert.icertctl('lost', 'revoke', kept.beto, 'central', code, 'central', code);
	assert.match(alone.stderr, /one person/);
	assert.match((await icert.icertctl('lost', 'revoke', kept.beto, 'central', code, 'operador.pichincha', '000000')).stderr, /national office/);
	assert.match(status(kept.beto), /: good/);
	await ctl('lost', 'revoke', kept.beto, 'central', code, 'central.segunda', await icert.totp('central.segunda'));
	await becomes(kept.beto, /: revoked/);
	assert.equal((await icert.icertctl('lost', 'revoke', kept.beto, 'central', await icert.totp('central'), 'central.segunda', await icert.totp('central.segunda'))).code, 1);
	const list = await until(async () => { const now = await crlNumber(); return listed(now.der, kept.beto) && now; }, { what: 'the CRL', timeout: 60_000 });
	assert.ok(listed(list.der, kept.carla));
});

test('no repeated CRL number, in what was public and in what was signed', () => {
	const numbers = [...readFileSync(join(icert.prefix, 'signer/journal'), 'utf8').matchAll(/^\d+ \d+ crl number=(\d+)/gm)].map((m) => BigInt(m[1]));
	assert.equal(new Set(numbers).size, numbers.length);
	assert.deepEqual(numbers, [...numbers].sort((a, b) => (a < b ? -1 : 1)));
	assert.ok(numbers.at(-1) > kept.crl.number);
});

test('no used envelope and no destroyed key', async () => {
	assert.equal(sql(`select d.sealed is null from icert.delivery d join icert.certificate c on c.id = d.certificate_id
		where c.application_id = '${ana.id}' and d.label = 'envelope'`), 't');
	const again = new Applicant(icert);
	again.email = ana.email;
	again.id = ana.id;
	assert.equal(existsSync(join(icert.prefix, 'keeper/delivery', `${ana.id}.envelope`)), false);
	try {
		expect(await again.signIn(), 200, 'a new log-in');
		const page = await again.client.visit(`/tramite/${ana.id}/sobre`);
		assert.equal(page.forms.some((form) => /sobre$/.test(form.action)), false, 'it asks for no code');
	} finally {
		again.close();
	}
	// Were its ciphertext brought back as well: the keeper remembers.
	const list = readFileSync(join(icert.prefix, 'keeper/destroyed'));
	assert.ok(list.length > 0 && list.length % 17 === 0);
});

test('who was logged in is not any more', async () => {
	assert.equal(count('select count(*) from icert.session where created_at < extract(epoch from now())::bigint - 600'), 0);
	const page = await ana.client.visit(`/tramite/${ana.id}`);
	assert.ok(page.forms.some((form) => /entrar/.test(form.action)), 'it asks who she is');
});

test('no spent credit', async () => {
	assert.equal(sql(`select state from icert.purchase where id = '${kept.order}'`), 'used');
	expect(await beto.signIn(), 200, 'log-in');
	const page = await beto.client.visit(beto.orderPath);
	assert.equal(page.forms.some((form) => /solicitud$/.test(form.action)), false, 'no application can be begun with it');
	assert.match(page.main, /ya se emitió un certificado/);
});

test('no repeated notification', async () => {
	await until(() => count("select count(*) from icert.deadline where state = 'waiting' and kind = 'contract_warn' and due_at <= "
		+ `${Math.floor(Date.now() / 1000) + 25 * HOUR}`) === 0, { what: 'the reminder to come due again' });
	await until(() => count("select count(*) from icert.outbox where state = 'waiting' and not_before = 0") === 0, { what: 'mails to be looked at' });
	assert.ok(count("select count(*) from icert.outbox where state = 'sent' and outcome = 'sent before'") >= 1);
	const codes = (list) => list.filter((subject) => !/código/i.test(subject));
	assert.deepEqual(codes(await subjects(ana)), codes(kept.after.ana));
	assert.deepEqual(codes(await subjects(carla)), codes(kept.after.carla));
	assert.deepEqual(codes(await subjects(beto)), codes(kept.after.beto));
});

test('no repeated serial or number, for those who come after', async () => {
	const dora = new Applicant(icert, { id_number: '1801884519', ruc: '1801884519001', given_names: 'Dora', surname1: 'Cruz' });
	icert.moveClock(0);
	try {
		await dora.apply();
		const sequence = (number) => Number(number.split('-')[2]);
		assert.ok(sequence(dora.number) >= sequence(kept.numbers.case) + GAP - 10, `${dora.number} after ${kept.numbers.case}`);
		operator.close();
		operator = new Operator(icert);
		expect(await operator.signIn(), 200, 'desk');
		await issue(dora, operator);
		assert.ok(sql('select max(number) from icert.envelope') > kept.numbers.envelope);
		assert.equal(kept.serials.includes(serialOf(dora)), false);
		await becomes(serialOf(dora), /: good/);
		const signed = [...readFileSync(join(icert.prefix, 'signer/journal'), 'utf8').matchAll(/ certificate .*serial=([0-9a-f]{32})/g)].map((m) => m[1]);
		assert.equal(new Set(signed).size, signed.length);
		assert.equal(signed.length, 4);
	} finally {
		dora.close();
	}
});

test('nothing ends by itself until two people release it', () => {
	assert.equal(sql("select cause from icert.breaker where second_by is null"), 'restore');
	assert.equal(sql("select count(*) from icert.audit where action = 'breaker.trip' and reason = 'restore'"), '1');
});

test('the log of audit is sound, and says what was lost', async () => {
	await until(() => count('select count(*) from icert.audit where leaf is null') === 0, { what: 'the tree' });
	assert.match(await ctl('audit', 'verify'), /^sound/m);
	const detail = JSON.parse(sql("select detail from icert.audit where action = 'backup.restored'"));
	assert.ok(detail.leaves < kept.heads);
	assert.deepEqual([detail.revoked, detail.lost, detail.spent], [1, 1, 1]);
	const lost = readdirSync(join(icert.prefix, 'audit')).filter((name) => /^lost-.*\.notes$/.test(name));
	assert.equal(lost.length, 1);
	assert.ok(readFileSync(join(icert.prefix, 'audit', lost[0]), 'utf8').includes(`\n${kept.heads}\n`), 'the last head is kept');
});

test('a new machine: keys from their own custodian, and what was revoked or destroyed since from the journals that survived', async () => {
	const fresh = new Instance(join(folder, 'fresh'), await freePortBase());
	const base = icert.portBase;
	await icert.down();
	try {
		assert.equal((await restore(fresh)).code, 1, 'without the keys\' custodian');
		await icertctlRun(['reset', '--prefix', fresh.prefix]);
		// What is copied away all day: public status and journals.
		for (const name of ['status', 'signer', 'keeper', 'issuer', 'clerk', 'audit']) mkdirSync(join(fresh.prefix, name), { recursive: true });
		for (const name of ['signer/journal', 'keeper/destroyed', 'issuer/spent', 'clerk/sent'])
			tools.must('cp', [join(icert.prefix, name), join(fresh.prefix, name)]);
		tools.must('sh', ['-c', `cp ${icert.prefix}/status/* ${fresh.prefix}/status/ && cp ${icert.prefix}/audit/*.heads ${fresh.prefix}/audit/`]);
		const done = await restore(fresh, '--keys-identity', 'keys.key');
		assert.equal(done.code, 0, done.stdout + done.stderr);
		assert.match(done.stdout, /opening those of the backup/);
		fresh.portBase = base;
		const there = new Instance(fresh.prefix, base);
		await there.up();
		icert = Object.assign(there, { folder: undefined, old: icert });
		await becomes(kept.carla, /: revoked/);
		await becomes(kept.beto, /: revoked/);
		assert.equal(sql(`select state from icert.purchase where id = '${kept.order}'`), 'used');
		assert.match(await ctl('audit', 'verify'), /^sound/m);
	} finally {
		await icertctlRun(['reset', '--prefix', fresh.prefix]);
		icert = icert.old ?? icert;
	}
});
