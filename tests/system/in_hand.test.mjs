// Requests of a key that may be in hand at once: counted over all workers, given back at every end, a killed worker's too.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { Nginx, nginxEnv } from '../lib/nginx.mjs';
import { signal } from '../lib/processes.mjs';
import { run } from '../lib/tools.mjs';

const MOST = 4;
const config = (most) => (port) => `
	icert_in_hand_zone people key=$http_x_person size=64k;
	icert_in_hand_zone all key=$server_port size=64k;
	icert_in_hand_zone one key=$http_x_person size=64k;
	icert_limit_zone turn key=$http_x_person rate=20/m burst=4 size=64k;
	server {
		listen 127.0.0.1:${port};
		add_header X-Reason $icert_reason always;
		add_header X-Passed $icert_limit_status always;
		add_header X-Limit $icert_limit always;
		location / {
			icert_in_hand people ${most};
			icert_in_hand all 100;
			error_page 404 = @elsewhere;
			proxy_intercept_errors on;
			proxy_pass http://127.0.0.1:${port + 1};
			location /always/ { icert_in_hand off; rewrite ^/always(.*) $1 break; proxy_pass http://127.0.0.1:${port + 1}; }
		}
		location @elsewhere { icert_in_hand people ${most}; rewrite ^ /held break; proxy_pass http://127.0.0.1:${port + 1}; }
		location /turn { icert_limit turn delay; icert_in_hand one 1; rewrite ^/turn(.*) $1 break; proxy_pass http://127.0.0.1:${port + 1}; }
		location /soon { icert_in_hand one 1; rewrite ^/soon(.*) $1 break; proxy_pass http://127.0.0.1:${port + 1}; }
		location = /metrics { return 200 "$icert_status_counts$icert_limit_counts"; }
	}`;
const folder = mkdtempSync(join(tmpdir(), 'icert-hand-'));
const nginx = new Nginx(folder, config(MOST), { workers: 2 });
/** Answers at once, or is held: each is in `held` until it is let go. */
const behind = http.createServer((req, res) => {
	if (req.url === '/lost') { res.writeHead(404).end(); return; }
	if (req.url !== '/held') { res.end('here'); return; }
	held.push(res);
});
let held = [];
before(async () => {
	await nginx.start();
	await new Promise((resolve) => behind.listen(nginx.port + 1, '127.0.0.1', resolve));
});
after(async () => {
	behind.closeAllConnections();
	behind.close();
	await nginx.stop();
	rmSync(folder, { recursive: true, force: true });
});

function ask(person, path = '/held') {
	const one = { left: () => req.destroy() };
	const req = http.get(`${nginx.url}${path}`, { agent: false, headers: person ? { 'X-Person': person } : {} });
	one.answer = new Promise((resolve) => req.on('response', (res) => resolve(one.said = [res.statusCode, res.headers['x-reason'] ?? '', res.headers['x-limit'] ?? ''], one.passed = res.headers['x-passed'], res.resume())).on('error', () => resolve([0])));
	return one;
}
/** As many of a person as may be, in the hands of the program behind. */
async function fill(person, path) {
	const before_ = held.length;
	const all = Array.from({ length: MOST }, () => ask(person, path));
	await until(() => held.length === before_ + MOST, { what: `${MOST} of ${person} behind`, every: 10 });
	return all;
}
const free = (person) => until(async () => (await ask(person, '/quick').answer)[0] === 200, { what: `room for ${person}`, every: 20, timeout: 15_000 });
const refused = async (person) => assert.deepEqual(await ask(person).answer, [503, 'in_hand', 'people']);
const letGo = () => { for (const res of held.splice(0)) res.end('at last'); };

test('as many as may be, over all workers; another key has its own; who has no key is not counted', async () => {
	const all = await fill('one');
	for (let n = 0; n < 8; n++) await refused('one');
	assert.equal((await ask('one', '/always/quick').answer)[0], 200, 'where nobody is counted');
	assert.equal((await ask('two', '/quick').answer)[0], 200);
	const nobody = Array.from({ length: 2 * MOST }, () => ask(''));
	await until(() => held.length === 3 * MOST, { what: 'those without a key', every: 10 });
	letGo();
	for (const { answer } of [...all, ...nobody]) assert.equal((await answer)[0], 200);
	await free('one');
	assert.match(await (await fetch(`${nginx.url}/metrics`)).text(), /^icert_refusals_total\{reason="in_hand"\} 8$/m);
});

test('who goes gives back; who is sent elsewhere within is counted once', async () => {
	for (const path of ['/held', '/lost']) {
		const all = await fill('three', path);
		await refused('three');
		for (const one of all) one.left();
		held = [];
		await free('three');
	}
});

test('what killed workers held is free as soon as their successors are there', async () => {
	const all = await fill('four');
	await refused('four');
	const victims = nginx.pids();
	for (const pid of victims) signal(pid, 'SIGKILL');
	for (const { answer } of all) await answer;
	held = [];
	await until(() => nginx.pids().length === 2 && nginx.pids().every((pid) => !victims.includes(pid)), { what: 'successors', every: 20 });
	await free('four');
	const again = await fill('four');
	await refused('four');
	letGo();
	for (const { answer } of again) assert.equal((await answer)[0], 200);
});

test('over a reload what is in hand stays counted, a new bound holds, and what was leaving and was killed is free', async () => {
	const all = await fill('five');
	const leaving = await nginx.reload(config(MOST + 1));
	// A worker of before may still take a connection, and goes by the bound of before.
	let one;
	await until(async () => {
		one = ask('five');
		await until(() => one.said || held.length > MOST, { what: 'an answer, or one more', every: 10 });
		return held.length > MOST;
	}, { what: 'one more', every: 10 });
	await refused('five');
	for (const pid of nginx.pids().filter((pid) => leaving.includes(pid))) signal(pid, 'SIGKILL');
	for (const { answer } of all) await answer;
	await free('five');
	letGo();
	assert.equal((await one.answer)[0], 200);
});

test('whoever waits for a limit has no place meanwhile, and asks for one when the wait is over', async () => {
	const delayed = async () => Number(/policy="turn",result="delayed"\} (\d+)/.exec(await (await fetch(`${nginx.url}/metrics`)).text())[1]);
	assert.equal((await ask('six', '/turn/quick').answer)[0], 200);
	// Three seconds each: the first finds the place taken after them, the second finds it free.
	const first = ask('six', '/turn/quick');
	await until(async () => await delayed() === 1, { what: 'that it waits', every: 10 });
	const quick = ask('six', '/soon/held');
	await until(() => held.length === 1, { what: 'the other in hand', every: 10 });
	assert.deepEqual(await first.answer, [503, 'in_hand', 'one']);
	assert.equal(first.passed, 'DELAYED');
	const second = ask('six', '/turn/quick');
	await until(async () => await delayed() === 2, { what: 'that the next waits', every: 10 });
	letGo();
	assert.equal((await quick.answer)[0], 200);
	assert.equal((await second.answer)[0], 200);
});

test('a configuration that cannot be is refused with the name of what is wrong', () => {
	for (const [lines, words] of [
		['icert_in_hand_zone a key=$remote_addr size=4k;', 'invalid parameter "size=4k"'],
		['icert_in_hand_zone a key=$remote_addr rate=3;', 'invalid parameter "rate=3"'],
		['icert_in_hand_zone a key= size=64k;', 'invalid parameter "key="'],
		['icert_in_hand_zone a size=64k size=64k;', 'needs key= and size='],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand a;', 'icert_in_hand "a" needs a number'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand a 1; icert_in_hand off;', 'off stands alone'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand off; icert_in_hand a 1;', 'off stands alone'],
		['icert_in_hand a 3;', 'no icert_in_hand_zone "a"'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand a none;', 'invalid number "none"'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand a 0;', 'invalid number "0"'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand a 1; icert_in_hand a 2;', 'is duplicate'],
		['icert_in_hand_zone a key=$uri size=64k; icert_in_hand_zone a key=$uri size=64k;', 'duplicate zone "a"'],
	]) {
		const other = new Nginx(join(folder, 'bad'), () => lines);
		mkdirSync(other.folder, { recursive: true });
		other.configure();
		const { status, stderr } = run('nginx', ['-t', '-e', 'stderr', '-p', other.folder, '-c', other.config], { env: nginxEnv() });
		assert.notEqual(status, 0, lines);
		assert.ok(stderr.includes(words), `${lines}: ${stderr}`);
	}
});
