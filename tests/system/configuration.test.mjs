// The configuration and the units as files: every key that a program reads is
// in the template, and the systemd units say the same as the supervisor does.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const EXPOSURE_MAX = 1.5;

function template() {
	const keys = new Map();
	let section = '';
	for (const line of readFileSync(join(top, 'conf/icert.conf.in'), 'utf8').split('\n')) {
		const heading = /^\[(\w+)\]/.exec(line);
		const entry = /^([\w.-]+) *= *(.*)$/.exec(line);
		if (heading) section = heading[1];
		else if (entry) keys.set(`${section}.${entry[1]}`, entry[2]);
	}
	return keys;
}

const sources = (folder) => readdirSync(join(top, folder), { withFileTypes: true }).flatMap((e) => (e.isDirectory()
	? sources(join(folder, e.name)) : e.name.endsWith('.c') ? [join(folder, e.name)] : []));

test('every key that a program reads stands in the template', () => {
	const keys = template();
	const missing = [];
	for (const file of [...sources('fcgi-backend'), ...sources('libicert')])
		for (const [, section, key] of readFileSync(join(top, file), 'utf8').matchAll(/config_(?:get|require|int)\([^,]+,\s*"(\w+)",\s*"([\w.-]+)"/g))
			if (!keys.has(`${section}.${key}`)) missing.push(`${file}: [${section}] ${key}`);
	assert.deepEqual(missing, []);
});

const systemd = join(top, 'conf/systemd');
const units = (ending) => readdirSync(systemd).filter((name) => name.endsWith(ending));
const values = (file, key) => [...readFileSync(join(systemd, file), 'utf8').matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map((m) => m[1]);

test('a unit a program, under the user that the supervisor gives it', () => {
	for (const program of readdirSync(join(top, 'fcgi-backend/programs')).filter((f) => f.endsWith('.c') && f !== 'icertctl.c').map((f) => f.slice(0, -2))) {
		assert.ok(existsSync(join(systemd, `icert-${program}.service`)), program);
		assert.deepEqual(values(`icert-${program}.service`, 'User'), [program === 'status-signer' ? 'icert-status' : `icert-${program}`]);
	}
});

test('the socket units make the sockets of the configuration, each for its group', () => {
	const made = [];
	for (const service of units('.service'))
		for (const socket of values(service, 'Sockets').join(' ').split(' ').filter(Boolean)) {
			const [, name, client] = /^icert-([a-z-]+)@([a-z]+)\.socket$/.exec(socket);
			const unit = `icert-${name}@.socket`;
			assert.deepEqual(values(unit, 'Service'), [service]);
			assert.deepEqual(values(unit, 'ListenSequentialPacket'), [`/run/icert/${name}-%i`]);
			assert.deepEqual(values(unit, 'SocketGroup'), [`icert-${name}-%i`]);
			assert.deepEqual(values(unit, 'SocketMode'), ['0660']);
			made.push(`${name}-${client}`);
		}
	for (const unit of units('.socket').filter((u) => !u.includes('@'))) {
		assert.deepEqual(values(unit, 'SocketGroup'), [`${unit.slice(0, -7)}-fcgi`]);
		made.push(values(unit, 'ListenStream')[0].slice('/run/icert/'.length));
	}
	assert.deepEqual(made.sort(), [...template().keys()].filter((k) => k.startsWith('sockets.')).map((k) => k.slice(8)).sort());
});

test(`systemd-analyze gives every unit an exposure of at most ${EXPOSURE_MAX}`, () => {
	assert.equal(spawnSync('systemd-analyze', ['--version']).status, 0, 'systemd-analyze is needed');
	const root = mkdtempSync(join(tmpdir(), 'icert-units-'));
	try {
		const folder = join(root, 'etc/systemd/system');
		mkdirSync(folder, { recursive: true });
		cpSync(systemd, folder, { recursive: true });
		for (const unit of units('.service')) {
			const out = execFileSync('systemd-analyze', ['security', '--offline=yes', `--root=${root}`, unit], { encoding: 'utf8' });
			const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(out)?.[1]);
			assert.ok(exposure <= EXPOSURE_MAX, `${unit}: ${exposure}`);
		}
	} finally {
		rmSync(root, { recursive: true, force: true });
	}
});
