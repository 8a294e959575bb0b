// Sessions that have ended stay ended, whatever Redis remembers; forms sent twice at once are one act.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client } from '../lib/http.mjs';
import { Applicant } from './walk.mjs';

let icert, run;
before(async () => {
	icert = await startInstance();
	run = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^run = (.*)$/m)[1];
});
after(() => icert?.stop());

const socket = () => readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/\[redis\]\s*\nsocket = (.*)/)[1];
const redis = (...words) => execFileSync('redis-cli', ['-s', socket(), ...words], { encoding: 'utf8' }).trim();
const sql = (text) => {
	const { status, stdout, stderr } = spawnSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-h', join(run, 'pg'), '-U', 'postgres', '-d', 'icert', '-c', text], { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
	return stdout.trim();
};
const redisPid = () => Number(redis('info', 'server').match(/process_id:(\d+)/)[1]);

/** A browser that goes on with the cookies that `client` has now. */
const copyOf = (client) => new Client({ base: icert.portal, ca: icert.ca, headers: { Cookie: client.jar.header(new URL(icert.portal)) } });

const signedOut = (page) => /\/entrar/.test(page.path);

test('a session that was ended while Redis stood still stays ended when it comes back', async () => {
	const who = new Applicant(icert);
	await who.signIn();
	for (let n = 0; n < 4; n++) assert.equal((await who.client.visit('/mi-tramite')).path, '/mi-tramite');
	const before = copyOf(who.client);
	const kept = redis('keys', 's:*').split('\n').filter(Boolean).map((name) => [name, redis('get', name)]);
	assert.equal(kept.length, 1, 'the session is cached');
	const home = await who.client.visit('/mi-tramite');
	const pid = redisPid();
	process.kill(pid, 'SIGSTOP');
	try {
		const out = await home.form(/salir/).submit();
		assert.equal(out.status, 200, out.main);
		assert.ok(signedOut(await before.visit('/mi-tramite')), 'frozen');
	} finally {
		process.kill(pid, 'SIGCONT');
	}
	// As if it came back with what it had.
	for (const [name, value] of kept) redis('setex', name, '60', value);
	for (const path of ['/mi-tramite', '/comprar/' + sql("select id from icert.tariff where on_sale limit 1")]) {
		for (const [name, value] of kept) redis('setex', name, '60', value);
		assert.ok(signedOut(await before.visit(path)), path);
	}
	for (const [name, value] of kept) redis('setex', name, '60', value);
	assert.doesNotMatch((await before.visit('/')).html, /action="\/salir"/, 'a public page neither');
	for (const c of [who, before]) c.close();
});

test('what Redis got late or kept too long is not believed', async () => {
	const who = new Applicant(icert);
	await who.signIn();
	await who.client.visit('/mi-tramite');
	const [name] = redis('keys', 's:*').split('\n').filter((n) => n && !/:0$/.test(n)).slice(-1);
	const parts = redis('get', name).split(' ');
	sql(`update icert.session set generation = nextval('icert.session_generation') where contact_id = '${parts[0]}'`);
	const page = await who.client.visit('/mi-tramite');
	assert.equal(page.path, '/mi-tramite', 'the session of another number lives: the page is answered from the database');
	who.close();
});

test('the log names who acted: the applicant, never the program in between', async () => {
	const who = new Applicant(icert);
	await who.order();
	const contact = sql("select contact_id from icert.purchase order by created_at desc limit 1");
	assert.equal(sql(`select actor_kind || ' ' || actor from icert.audit where action = 'order.created' order by at_us desc limit 1`), `contact ${contact}`);
	who.close();
});

test('forms sent twice at the same moment are one act, and both answers say so', async () => {
	const who = new Applicant(icert);
	await who.order();
	const paid = await who.pay();
	const twice = async (page, form, values = {}) => {
		const f = page.form(form);
		return Promise.all([1, 2].map(() => f.send(values)));
	};
	const begun = await twice(paid, /solicitud$/);
	assert.deepEqual(begun.map((p) => p.status), [303, 303], begun.map((p) => p.main).join());
	assert.equal(sql(`select count(*) from icert.application a join icert.purchase p on p.id = a.purchase_id where '${who.orderPath}' = '/orden/' || p.id`), '1');
	who.id = begun[0].headers.location.split('/')[2];
	assert.equal(begun[1].headers.location, begun[0].headers.location);
	await who.answer();
	await who.documents();
	const sent = await twice(await who.client.visit(`/solicitud/${who.id}/resumen`), /enviar/);
	assert.deepEqual(sent.map((p) => p.status), [303, 303], sent.map((p) => p.main.slice(0, 300)).join());
	assert.equal(sql(`select count(*) from icert.outbox where application_id = '${who.id}' and template = 'application_received'`), '1');
	who.close();
});

test('another mailbox proved in the same browser takes the place of the first, whose session ends', async () => {
	const [first, second] = [new Applicant(icert), new Applicant(icert)];
	second.email = `otra.${second.email}`;
	await first.signIn();
	const before = copyOf(first.client);
	second.client.close();
	second.client = first.client;
	const page = await second.signIn('/entrar');
	assert.equal(page.path, '/mi-tramite');
	const masked = (who) => `${who.email[0]}***@${who.email.split('@')[1]}`;
	assert.ok(page.html.includes(masked(second)), page.text);
	assert.ok(signedOut(await before.visit('/mi-tramite')), 'the first one');
	for (const c of [first, before]) c.close();
});

test('a form parked long ago does not undo what was done since', async () => {
	const who = new Applicant(icert);
	await who.order();
	await who.pay();
	await who.begin();
	const step = `/solicitud/${who.id}/telefono`;
	const lock = () => sql(`update icert.session set idle_until = extract(epoch from now())::bigint - 5 where kind = 'contact'`);
	const page = await who.client.visit(step);
	lock();
	redis('flushall');
	for (const telephone of ['022111111', '022222222']) {
		const parked = await page.form(/telefono/).submit({ telephone });
		assert.equal(parked.status, 401, parked.main);
		await new Promise((resolve) => setTimeout(resolve, 1100));
	}
	await who.signIn();
	assert.match((await who.client.visit(step)).form(/telefono/).value('telephone'), /2222222/);
	await who.save('telefono', { telephone: '022333333' });
	who.client.close();
	who.client = new Client({ base: icert.portal, ca: icert.ca });
	await who.signIn();
	assert.match((await who.client.visit(step)).form(/telefono/).value('telephone'), /2333333/);
	assert.equal(sql('select count(*) from icert.parked_form'), '0');
	who.close();
});
