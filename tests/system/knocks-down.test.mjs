// One thing after the other is down, or there and silent: what the page says, that
// the edge goes on answering, and that afterwards the work goes on with nothing lost.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { allUp, children, down, frozen, signal, units } from '../lib/processes.mjs';
import * as files from '../lib/files.mjs';
import * as tools from '../lib/tools.mjs';
import { badFailure, cedula } from './patient.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, folder, good, applicant, operator;

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	tools.certificateToPem(folder, 'issuer.pem', readFileSync(icert.files.issuer));
	tools.certificateToPem(folder, 'root.pem', readFileSync(icert.files.root));
	tools.put(folder, 'chain.pem', readFileSync(join(folder, 'issuer.pem'), 'utf8') + readFileSync(join(folder, 'root.pem'), 'utf8'));
	// Somebody whose certificate is good, and whom relying parties ask about throughout.
	const { code, stdout, stderr } = await icert.icertctl('issue-test', '1714616123', 'ANA', 'PRUEBA');
	assert.equal(code, 0, stdout + stderr);
	const serial = icert.sql("select encode(serial, 'hex') from icert.certificate where state = 'good'");
	good = serial;
	await until(() => icert.sql('select count(*) from icert.status_change where published_epoch is null') === '0', { what: 'the first certificate is public' });
	applicant = new Applicant(icert);
	operator = new Operator(icert);
	await applicant.apply();
	expect(await operator.signIn(), 200, 'desk');
	await operator.find(applicant.number);
	await operator.take();
	await operator.accept();
	expect(await operator.agree(), 200, 'slot');
});
after(async () => {
	applicant?.close();
	operator?.close();
	await icert?.stop();
});

function edgeAnswers(what) {
	const { output } = tools.run('openssl', ['ocsp', '-issuer', join(folder, 'issuer.pem'), '-serial', `0x${good}`,
		'-url', `${icert.status}/ocsp`, '-CAfile', join(folder, 'chain.pem'), '-no_nonce']);
	assert.match(output, new RegExp(`0x${good}: good`, 'i'), what);
	assert.match(output, /Response verify OK/, what);
}

/** A page that says that something does not work: 503, when to come back, what to do. */
function isClear(page, what) {
	assert.equal(page.status, 503, `${what}: ${page.status} ${page.main.slice(0, 200)}`);
	assert.equal(badFailure(page), undefined, what);
	assert.doesNotMatch(page.main, /postgres|redis|keeper|signer|checker|socket|SQL|error \d/i, what);
}

/** While `name` does not work: the probe, and the edge; then everything again. */
async function without(how, name, probe) {
	const back = how(icert, name);
	try {
		edgeAnswers(`without ${name}`);
		await probe();
		edgeAnswers(`still without ${name}`);
	} finally {
		await back();
	}
	edgeAnswers(`${name} is back`);
	expect(await applicant.see(), 200, `after ${name}`);
}

/** Pressing the button of the page that kept what was typed. */
const again = (page) => page.form('Intentar de nuevo').submit();

const other = { id_number: cedula(77), ruc: `${cedula(77)}001` };

test('PostgreSQL down: every page says so at once, what was typed comes back and is kept later', async () => {
	const second = new Applicant(icert, other);
	await second.order();
	await second.pay();
	await second.begin();
	const form = (await second.client.visit(`/solicitud/${second.id}/domicilio`)).form(/domicilio$/);
	let kept;
	await without(down, 'postgres', async () => {
		for (const path of ['/', '/tarifas', '/mi-tramite']) {
			const page = await second.client.get(path);
			if (path !== '/' || page.status !== 200) isClear(page, path);
		}
		kept = await form.send({ province: '17', city: 'Quito', address: 'Calle Escrita Una Vez 7' });
		isClear(kept, 'form');
		assert.match(kept.html, /value="Calle Escrita Una Vez 7"/);
		isClear(await operator.see(), 'desk');
	});
	expect(await again(kept), 200, 'the button');
	assert.match((await second.client.visit(`/solicitud/${second.id}/domicilio`)).html, /CALLE ESCRITA UNA VEZ 7/);
	second.close();
});

/** Asks `times`, and how often a worker found out by waiting: it says so in `log` with `word`. */
async function waited(log, word, times, ask) {
	const lines = () => readFileSync(join(icert.prefix, `log/${log}.log`), 'utf8').split(word).length - 1;
	const began = lines(), start = Date.now();
	await ask();
	const first = Date.now() - start;
	for (let n = 1; n < times; n++) await ask();
	return { first, found: lines() - began, pauses: Math.floor((Date.now() - start) / 2000) + 1 };
}
const WORKERS = 4;
/** Far below what a job without a person may wait (15 s for the database, 24 s for the checker), far above what it takes (4 s). */
const PATIENCE_MS = 10_000;

test('PostgreSQL there and silent: the same within seconds, then at once', async () => {
	await without(frozen, 'postgres', async () => {
		const { first, found, pauses } = await waited('portal', /"code":"db_(lost|connect)"/, 16, async () => isClear(await applicant.client.get('/mi-tramite'), 'page'));
		assert.ok(first < PATIENCE_MS, `${first} ms`);
		assert.ok(found > 0 && found <= WORKERS * pauses, `${found} waits of ${WORKERS} workers in ${pauses} pauses`);
		isClear(await operator.see(), 'desk');
		const ready = await fetch(`${icert.state}/readyz`);
		assert.deepEqual([ready.status, await ready.text()], [503, 'database\n']);
	});
	const ready = await fetch(`${icert.state}/readyz`);
	assert.deepEqual([ready.status, await ready.text()], [200, 'ok, status fresh\n']);
});

test('a worker that dies with a form in hand: the form comes back with a button, and is done once', async () => {
	const second = new Applicant(icert, other);
	await second.order();
	const typed = { for_me: 'yes', id_kind: 'cedula', id_number: other.id_number, name: 'ANA VUELVE', address: 'Calle 8', telephone: '0991234567' };
	const tariff = await second.client.visit('/tarifas');
	const buy = (await second.client.visit(tariff.link(/Comprar/))).form(/comprar/);
	const workers = () => children(units(icert).get('portal').pid).map((c) => c.pid);
	const open = (pid) => readdirSync(`/proc/${pid}/fd`).length;
	const thaw = frozen(icert, 'postgres');
	const idle = new Map(workers().map((pid) => [pid, open(pid)]));
	const sent = buy.send(typed);
	const busy = await until(() => workers().find((pid) => open(pid) > idle.get(pid)), { what: 'a worker with the form in hand' });
	process.kill(busy, 'SIGKILL');
	await thaw();
	const page = await sent;
	isClear(page, 'the form');
	assert.match(page.html, /value="ANA VUELVE"/);
	const done = expect(await again(page), 200, 'the button');
	assert.match(done.path, /\/orden\//);
	const rows = () => icert.sql(`select count(*) from icert.purchase p join icert.purchase q using (contact_id) where q.id = '${second.orderPath.split('/')[2]}'`);
	assert.equal(rows(), '2');
	await again(page);
	assert.equal(rows(), '2', 'pressed twice is one order');
	second.close();
});

test('keeper silent: nothing is read or written in clear or lost', async () => {
	const stranger = new Client({ base: icert.portal, ca: icert.ca });
	const entry = (await stranger.visit('/entrar')).form(/entrar/);
	await without(frozen, 'keeper', async () => {
		isClear(await applicant.see(), 'case');
		const page = await entry.send({ email: 'persona.espera@correo.example' });
		isClear(page, 'code');
		assert.match(page.html, /value="persona\.espera@correo\.example"/);
	});
	stranger.close();
});

test('checker silent: the file is not taken, and the page says to send it again', async () => {
	await without(frozen, 'checker', async () => {
		const start = Date.now();
		const page = await applicant.upload('second_cedula', files.cedulaPdf());
		assert.ok(Date.now() - start < PATIENCE_MS, `${Date.now() - start} ms`);
		isClear(page, 'upload');
		assert.equal(icert.sql(`select count(*) from icert.document where application_id = '${applicant.id}' and kind = 'second_cedula'`), '0');
	});
	expect(await applicant.upload('second_cedula', files.cedulaPdf()), 303, 'second cedula');
	await (await applicant.see()).form(/consentimiento$/).submit();
	expect(await operator.identify(), 200, 'identify');
	expect(await applicant.acceptFields(), 200, 'fields');
});

test('keymaker, then signer silent: the case stays in issuing and goes on by itself', async () => {
	const state = () => icert.sql(`select state from icert.application where id = '${applicant.id}'`);
	const waits = (event) => until(() => icert.sql('select 1') && readFileSync(join(icert.prefix, 'log/issuer.log'), 'utf8').split(event).length > 1, { what: event });
	const hold = frozen(icert, 'signer');
	await without(frozen, 'keymaker', async () => {
		expect(await operator.issue(), 200, 'issue');
		await waits('issue_failed');
		assert.equal(state(), 'issuing');
		assert.match((await operator.see('/emitido')).main, /Emitiendo/);
		assert.match((await applicant.see()).main, /certificado/i);
	});
	await until(() => icert.sql(`select spki is not null from icert.certificate where application_id = '${applicant.id}'`) === 't', { what: 'the key' });
	edgeAnswers('without signer');
	assert.equal(state(), 'issuing');
	await hold();
	const code = await operator.openingCode();
	assert.match(code, /^\d{8}$/);
	expect(await applicant.openEnvelope(code), 200, 'envelope');
});

for (const [how, word] of [[down, 'down'], [frozen, 'silent']])
	test(`SMTP ${word}: the page goes on, the mail waits and arrives once`, async () => {
		const stranger = new Applicant(icert, other);
		const entry = (await stranger.client.visit('/entrar')).form(/entrar/);
		await without(how, 'mail', async () => {
			expect(await (await entry.send({ email: stranger.email })).follow(), 200, 'code asked');
			await until(() => Number(icert.sql("select max(tries) from icert.outbox where state = 'waiting'")) > 0, { what: 'a try that failed' });
		});
		const mail = await stranger.mail.wait({ to: stranger.email, subject: /código/i });
		assert.match(mail.code(6), /^\d{6}$/);
		await until(() => icert.sql("select count(*) from icert.outbox where state = 'waiting' and not_before = 0") === '0', { what: 'an empty outbox' });
		assert.equal((await stranger.mail.list({ to: stranger.email })).length, 1);
		stranger.close();
	});

for (const [how, word] of [[down, 'down'], [frozen, 'silent']])
	test(`Redis ${word}: nobody notices, and it is not asked at each request`, async () => {
		const log = () => readFileSync(join(icert.prefix, 'log/portal.log'), 'utf8').split('cache_down').length - 1;
		const began = log();
		await without(how, 'redis', async () => {
			const start = Date.now();
			for (let n = 0; n < 40; n++) expect(await applicant.see(), 200, 'page');
			const pauses = Math.floor((Date.now() - start) / 2000) + 1;
			assert.ok(log() - began <= 4 * pauses, `${log() - began} tries of four workers in ${pauses} pauses`);
		});
	});

test('not ready is who could not do its first round: /readyz and the table say so', async () => {
	const thaw = frozen(icert, 'postgres');
	try {
		for (const name of ['issuer', 'clerk', 'publisher']) signal(units(icert).get(name).pid, 'SIGKILL');
		await until(() => ['issuer', 'clerk', 'publisher'].every((name) => units(icert).get(name).restarts > 0 && units(icert).get(name).state === 'starting'), { what: 'started again' });
		assert.equal((await fetch(`${icert.state}/readyz`)).status, 503);
		assert.equal((await fetch(`${icert.state}/healthz`)).status, 200);
		edgeAnswers('without database');
	} finally {
		await thaw();
	}
	await until(async () => (await fetch(`${icert.state}/readyz`)).status === 200, { what: '/readyz' });
});

test('the signer does not begin its journal anew: it stays down until the file is back', async () => {
	const journal = join(icert.prefix, 'signer/journal');
	renameSync(journal, `${journal}.lost`);
	const before = units(icert).get('signer').restarts;
	signal(units(icert).get('signer').pid, 'SIGKILL');
	await until(() => units(icert).get('signer').restarts > before + 2, { what: 'tries to start' });
	assert.notEqual(units(icert).get('signer').state, 'up');
	assert.match(readFileSync(join(icert.prefix, 'log/signer.log'), 'utf8'), /journal_refused[^\n]*restore it/);
	assert.equal(existsSync(journal), false);
	edgeAnswers('without signer');
	renameSync(`${journal}.lost`, journal);
	await allUp(icert);
});
