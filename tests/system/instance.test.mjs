// An instance as its administrator knows it: up, status, down, reset, each
// as often as one likes, and several side by side.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Instance, freePortBase, icertctlRun, newFolder, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';

let icert;
before(async () => { icert = await startInstance({ fresh: true }); });
after(() => icert?.stop());

const alive = (pid) => existsSync(`/proc/${pid}`);
const serial = (instance) => readFileSync(join(instance.prefix, 'ca/public/emisora.cer')).toString('base64');

test('after a first start every process is up', async () => {
	const processes = await icert.processes();
	assert.deepEqual(processes.filter((p) => p.state !== 'up'), []);
	for (const name of ['postgres', 'redis', 'nginx', 'keeper', 'keymaker', 'signer', 'status-signer', 'checker', 'publisher', 'issuer',
		'clerk', 'webhook', 'portal', 'desk', 'mail', 'gateway'])
		assert.ok(processes.some((p) => p.name === name), `${name} is missing`);
	assert.equal((await icert.icertctl('status')).code, 0);
});

test('its addresses answer', async () => {
	for (const address of [`${icert.status}/crl/icert.crl`, `${icert.status}/crl/raiz.crl`, `${icert.status}/ca/emisora.cer`,
		`${icert.status}/ca/raiz.cer`, `${icert.state}/healthz`, `${icert.state}/readyz`, `${icert.mail}/`, `${icert.gateway}/`])
		assert.equal((await fetch(address)).status, 200, address);
});

test('up again finds it running and changes nothing', async () => {
	const processes = await icert.processes();
	const again = await icert.icertctl('up', '--port-base', String(icert.portBase), '--detach');
	assert.equal(again.code, 0);
	assert.match(again.stdout, /running already/);
	assert.deepEqual(await icert.processes(), processes);
});

test('another port base is refused: the certificates name the first', async () => {
	const other = await icert.icertctl('up', '--port-base', '27999', '--detach');
	assert.equal(other.code, 1);
	assert.match(other.stderr, /stands in its certificates/);
});

test('a program that dies is started again', async () => {
	const [clerk] = (await icert.processes()).filter((p) => p.name === 'clerk');
	process.kill(clerk.pid, 'SIGKILL');
	const next = await until(async () => (await icert.processes()).find((p) => p.name === 'clerk' && p.state === 'up' && p.pid !== clerk.pid),
		{ what: 'another clerk' });
	assert.equal(next.restarts, 1);
});

test('sample accounts: readable by the administrator alone, each code once', async () => {
	assert.equal(statSync(join(icert.prefix, 'demo/staff.json')).mode & 0o777, 0o600);
	assert.ok(icert.accounts.some((a) => a.roles.includes('operator 17')));
	const codes = [await icert.totp('auditor'), await icert.totp('auditor')];
	for (const code of codes) assert.match(code, /^\d{6}$/);
	assert.notEqual(codes[0], codes[1]);
	assert.equal((await icert.icertctl('totp', 'nadie')).code, 1);
});

test('no table of processes is left after down; a later start keeps everything', async () => {
	const before = { ca: serial(icert), accounts: icert.accounts };
	const pids = (await icert.processes()).map((p) => p.pid);
	await icert.down();
	assert.deepEqual(pids.filter(alive), []);
	assert.equal((await icert.icertctl('status')).code, 3);
	assert.equal((await icert.icertctl('down')).code, 0, 'down twice');
	await icert.up();
	assert.deepEqual({ ca: serial(icert), accounts: icert.accounts }, before);
});

test('two stand side by side and do not share a key', async () => {
	const other = await startInstance({ fresh: true });
	try {
		assert.notEqual(serial(other), serial(icert));
		assert.equal((await fetch(`${other.state}/readyz`)).status, 200);
		assert.equal((await fetch(`${icert.state}/readyz`)).status, 200);
	} finally {
		await other.stop();
	}
	assert.equal(existsSync(other.prefix), false);
	assert.equal((await icert.icertctl('status')).code, 0, 'the first goes on');
});

test('reset of what is no instance touches nothing', async () => {
	const folder = newFolder();
	const none = await icertctlRun(['reset', '--prefix', join(folder, 'none')]);
	assert.equal(none.code, 0);
	const foreign = await icertctlRun(['reset', '--prefix', folder]);
	assert.match(foreign.stdout, /holds no instance/);
	assert.equal(existsSync(folder), true);
});

test('a prefix that others cannot reach gets its data below /var/lib/icert', { skip: process.getuid() !== 0 && 'needs root' }, async () => {
	const { mkdtempSync, rmSync, lstatSync, realpathSync } = await import('node:fs');
	const folder = mkdtempSync('/root/icert-test-');
	const hidden = new Instance(join(folder, 'instance'), await freePortBase());
	try {
		await hidden.up();
		assert.ok(lstatSync(hidden.prefix).isSymbolicLink());
		assert.match(realpathSync(hidden.prefix), /^\/var\/lib\/icert\/[0-9a-f]{12}$/);
	} finally {
		await hidden.stop();
		rmSync(folder, { recursive: true, force: true });
	}
});
