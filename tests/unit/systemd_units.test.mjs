// The units of an installation: what `up` starts has a unit with the same user
// and sockets, systemd takes them, and their walls leave little open.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const top = new URL('../..', import.meta.url).pathname;
const units = join(top, 'conf/systemd');
const EXPOSURE = 10;		// of 100: `systemd-analyze security` calls this "OK" at most
const analyze = (...args) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
const skip = analyze('--version').status !== 0 && 'systemd-analyze is not installed';
const services = readdirSync(units).filter((name) => name.endsWith('.service'));

/** Rows of programs.c: { name, user, sockets }. */
function programs() {
	const text = readFileSync(join(top, 'fcgi-backend/operate/programs.c'), 'utf8');
	return [...text.matchAll(/\{ "([a-z-]+)", "(icert-[a-z-]+)", (NULL|"[a-z.]+"), \{([^}]*)\}/g)]
		.map(([, name, user, , sockets]) => ({ name, user, sockets: [...sockets.matchAll(/"([a-z-]+)"/g)].map((m) => m[1]) }));
}

let root;
before(() => {
	root = mkdtempSync(join(tmpdir(), 'icert-units-'));
	const folder = join(root, 'lib/systemd/system');
	mkdirSync(folder, { recursive: true });
	cpSync(units, folder, { recursive: true });
	for (const name of ['sysinit.target', 'basic.target', 'network.target', 'network-online.target', 'sockets.target', 'timers.target', 'multi-user.target', 'shutdown.target'])
		writeFileSync(join(folder, name), '[Unit]\n');
	for (const program of ['/usr/sbin/nginx', '/usr/bin/rsync', '/bin/kill', '/bin/sh', '/usr/bin/touch', '/usr/bin/rm', ...readdirSync(join(top, 'fcgi-backend/programs')).filter((n) => n.endsWith('.c'))
		.map((n) => `/usr/lib/icert/bin/${n === 'icertctl.c' ? 'icertctl' : `icert-${n.slice(0, -2)}`}`)]) {
		mkdirSync(join(root, program, '..'), { recursive: true });
		writeFileSync(join(root, program), '', { mode: 0o755 });
	}
});
after(() => rmSync(root, { recursive: true, force: true }));

test('every program that up starts has a unit with the same user and sockets', () => {
	const rows = programs();
	assert.ok(rows.length >= 11);
	for (const { name, user, sockets } of rows) {
		const unit = readFileSync(join(units, `icert-${name}.service`), 'utf8');
		assert.match(unit, new RegExp(`^User=${user}$`, 'm'), name);
		assert.match(unit, new RegExp(`^ExecStart=/usr/lib/icert/bin/icert-${name} `, 'm'), name);
		const listed = sockets.map((socket) => `icert-${name}@${socket.slice(name.length + 1)}.socket`);
		for (const key of listed.length > 0 ? ['Requires', 'Sockets'] : [])
			assert.deepEqual((unit.match(new RegExp(`^${key}=(.*)$`, 'm'))?.[1] ?? '').split(' ').sort(), [...listed].sort(), `${key} of ${name}`);
	}
});

test('what waits for others under systemd does under up', async () => {
	const text = readFileSync(join(top, 'fcgi-backend/operate/programs.c'), 'utf8');
	const nice = Number(text.match(/^#define PAGES_WAIT (\d+)/m)[1]);
	const rows = [...text.matchAll(/\{ "([a-z-]+)", "icert-[a-z-]+".*\}, \w+, (PAGES_WAIT|0) \}/g)];
	assert.ok(rows.length >= 7);
	for (const [, name, waits] of rows)
		assert.equal(readFileSync(join(units, `icert-${name}.service`), 'utf8').match(/^Nice=(\d+)$/m)?.[1], waits !== '0' ? String(nice) : undefined, name);
});

test('systemd takes every unit', { skip }, () => {
	for (const name of readdirSync(units).filter((n) => /\.(service|timer|target)$/.test(n))) {
		const { stderr } = analyze('verify', '--man=no', '--recursive-errors=no', `--root=${root}`, name);
		assert.doesNotMatch(stderr, new RegExp(`${name.replace('.', '\\.')}:\\d+|${name.replace('.', '\\.')}: (?!.*not found)`), stderr);
	}
});

test('a unit leaves little open', { skip }, () => {
	for (const name of services) {
		const { status, stdout } = analyze('security', '--offline=true', '--no-pager', `--root=${root}`, `--threshold=${EXPOSURE}`, name);
		assert.equal(status, 0, `${name}: ${stdout.trim().split('\n').at(-1)}`);
	}
});
