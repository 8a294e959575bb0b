// What an edge makes of the sets it is given: several CAs, deltas over a base, sets that are damaged, old, foreign or late. An
// nginx with our module alone; the sets are written here, from the description of the format.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { newFolder } from '../lib/instance.mjs';
import { Nginx, nginxEnv } from '../lib/nginx.mjs';
import { asker, certId, read, request } from '../lib/ocsp.mjs';
import { random } from '../lib/processes.mjs';
import { Store, answer, authority, entry, manifest, segment } from '../lib/store.mjs';
import { run } from '../lib/tools.mjs';
import { until } from '../lib/http.mjs';

const TRY_LATER = 3, UNAUTHORIZED = 6;
const now = () => Math.floor(Date.now() / 1000);
const serial = (n) => `01${createHash('sha256').update(`serial ${n}`).digest('hex').slice(0, 30)}`;
const keys = () => { const { publicKey, privateKey } = generateKeyPairSync('ed25519'); return { privateKey, raw: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32) }; };
let folder, nginx, ask, first, second, stores, seal;
let epoch = 10;

const record = (ca, n, { state = 'good', issuer = 0, hashes = ['sha1'], age = 10, life = 3600 } = {}) => {
	const times = { thisUpdate: now() - age, nextUpdate: now() + life };
	return {
		issuer, serial: serial(n), state, ...times, ...(state === 'revoked' ? { revokedAt: times.thisUpdate, reason: 1 } : {}),
		answers: state === 'pending' ? [] : ['sha1', 'sha256'].map((hash) => (hashes.includes(hash) ? answer(ca, { serial: serial(n), state, hash, ...times }) : undefined)),
	};
};

/** Puts segments and files in place and the manifest that names them; entries may be changed on the way. */
function publish(store, segments, { key = seal, files = [], heartbeat, change = (entries) => entries, at = ++epoch } = {}) {
	const entries = segments.map((bytes, n) => {
		const name = `${n === segments.length - 1 ? 'base' : 'delta'}-${at}-${n}`;
		store.put(name, bytes);
		return entry('segment', n === segments.length - 1 ? 'base' : 'delta', name, bytes, { nextUpdate: now() + 3600 });
	});
	for (const { kind, name, bytes, ...times } of files) {
		store.put(`${name}-${at}`, bytes);
		entries.push(entry(kind, name, `${name}-${at}`, bytes, times));
	}
	store.put('manifest', manifest({ epoch: at, heartbeat, entries: change(entries) }, key.privateKey));
	return at;
}

const path = (where, ca, n, hash = 'sha1') => `${where}${encodeURIComponent(request([certId(ca, serial(n), { hash })]).toString('base64'))}`;
const status = async (where, ca, n, hash) => { const { body } = await ask(path(where, ca, n, hash)); const { status: code, state } = read(body); return state ?? code; };
const say = async (where) => (await ask(`${where}say`)).body.toString().split(' ');	// state, epoch, worker

/** Every worker has that epoch; connections are new ones, which the kernel spreads over the workers. */
async function taken(where, at, { but = [] } = {}) {
	const has = new Set();
	await until(async () => {
		const said = await Promise.all(Array.from({ length: 4 }, () => fetch(`${nginx.url}${where}say`, { headers: { connection: 'close' } }).then((r) => r.text())));
		for (const [, number, pid] of said.map((text) => text.split(' '))) if (number === String(at)) has.add(Number(pid));
		return nginx.pids().every((pid) => has.has(pid) || but.includes(pid));
	}, { what: `epoch ${at} at ${where}`, timeout: 20_000, every: 5 });
}
const counter = async (label) => Number(new RegExp(`${label}"} (\\d+)`).exec((await ask('/metrics')).body.toString())[1]);

before(async () => {
	folder = newFolder();
	first = authority(folder, 'first');
	second = authority(folder, 'second');
	stores = ['one', 'two'].map((name) => new Store(join(folder, name)));
	seal = keys();
	const otherSeal = keys();
	stores[1].key = otherSeal;
	writeFileSync(join(folder, 'one.pub'), seal.raw);
	writeFileSync(join(folder, 'two.pub'), otherSeal.raw);
	mkdirSync(join(folder, 'edge'));
	publish(stores[0], [segment({ epoch, issuers: [first, second], records: [record(first, 1, { hashes: ['sha1', 'sha256'] }), record(first, 2, { state: 'revoked' }), record(second, 1, { issuer: 1, state: 'revoked' }), record(second, 3, { issuer: 1 })] })]);
	publish(stores[1], [segment({ epoch, issuers: [second], records: [record(second, 7)] })], { key: otherSeal });
	/* The timer comes once in ten minutes: what is noticed sooner, inotify has told. */
	const place = (where, name) => `
		location ${where} { icert_status_folder ${join(folder, name)}; icert_status_key ${join(folder, `${name}.pub`)}; icert_status_high_water ${join(folder, 'edge', name)}; icert_ocsp on; }
		location = ${where}say { icert_status_folder ${join(folder, name)}; icert_status_key ${join(folder, `${name}.pub`)}; icert_status_high_water ${join(folder, 'edge', name)};
			return 200 "$icert_status_state $icert_status_epoch $pid"; }`;
	nginx = await new Nginx(join(folder, 'nginx'), (port) => `
		icert_status_poll 10m; icert_status_stale_soft 60s; icert_status_stale_hard 120s;
		server {
			listen 127.0.0.1:${port} reuseport;
			${place('/one/', 'one')}
			${place('/two/', 'two')}
			location = /crl { icert_status_folder ${join(folder, 'one')}; icert_status_key ${join(folder, 'one.pub')}; icert_status_high_water ${join(folder, 'edge', 'one')}; icert_status_file list; }
			location = /metrics { return 200 "$icert_status_counts"; }
		}`).start();
	ask = asker(nginx.url);
});
after(async () => {
	try { await nginx?.stop(); } finally { rmSync(folder, { recursive: true, force: true }); }
});

test('two CAs in one store and a second store beside it', async () => {
	assert.equal(await status('/one/', first, 1), 'good');
	assert.equal(await status('/one/', first, 1, 'sha256'), 'good');
	assert.equal(await status('/one/', first, 2), 'revoked');
	assert.equal(await status('/one/', second, 1), 'revoked', 'one serial of two CAs');
	assert.equal(await status('/one/', second, 3), 'good');
	assert.equal(await status('/one/', first, 3), UNAUTHORIZED, 'a serial of the other CA');
	assert.equal(await status('/one/', second, 3, 'sha256'), TRY_LATER, 'a hash that is not signed beforehand, and nobody to sign it');
	assert.equal(await status('/two/', second, 7), 'good');
	assert.equal(await status('/two/', first, 1), UNAUTHORIZED);
	assert.equal(await status('/one/', second, 7), UNAUTHORIZED);
	/* What stands in two buffers is one answer that openssl verifies. */
	for (const [where, ca, n, word] of [['/one/', first, 1, 'good'], ['/one/', second, 1, 'revoked'], ['/two/', second, 7, 'good']]) {
		const { output } = run('openssl', ['ocsp', '-issuer', ca.pem, '-CAfile', ca.pem, '-serial', `0x${serial(n)}`, '-no_nonce', '-url', `${nginx.url}${where}`]);
		assert.match(output, /Response verify OK/);
		assert.match(output, new RegExp(`: ${word}`));
	}
});

test('the newest segment decides, a pending one silences, an empty one and one without our issuer change nothing', async () => {
	const base = segment({ epoch, issuers: [first], records: [1, 2, 3, 4].map((n) => record(first, n)) });
	const empty = segment({ epoch, issuers: [first], records: [] });
	const foreign = segment({ epoch, issuers: [second], records: [record(second, 1)] });
	const delta = segment({ epoch, issuers: [second, first], records: [record(first, 2, { issuer: 1, state: 'revoked' }), record(first, 3, { issuer: 1, state: 'pending' })] });
	await taken('/one/', publish(stores[0], [empty, foreign, delta, empty, base]));
	assert.deepEqual(await Promise.all([1, 2, 3, 4].map((n) => status('/one/', first, n))), ['good', 'revoked', TRY_LATER, 'good']);
	/* The same serial: pending over revoked over good. */
	const late = segment({ epoch, issuers: [first], records: [record(first, 2, { state: 'pending' })] });
	await taken('/one/', publish(stores[0], [late, delta, base]));
	assert.equal(await status('/one/', first, 2), TRY_LATER);
	assert.match((await ask(path('/one/', first, 2))).headers['cache-control'], /no-store/);
});

test('an answer past its nextUpdate is never sent, and max-age ends before it', async () => {
	await taken('/one/', publish(stores[0], [segment({ epoch, issuers: [first], records: [record(first, 1, { life: -1 }), record(first, 2, { life: 40 }), record(first, 3, { life: 90_000 })] })]));
	assert.equal(await status('/one/', first, 1), TRY_LATER);
	const ages = [];
	for (let n = 0; n < 50; n++) {
		const { headers } = await ask(path('/one/', first, 2));
		const age = Number(/^max-age=(\d+),/.exec(headers['cache-control'])[1]);
		assert.ok(Date.parse(headers.date) / 1000 + age < Date.parse(headers.expires) / 1000, `${age}`);
		ages.push(Number(/^max-age=(\d+),/.exec((await ask(path('/one/', first, 3))).headers['cache-control'])[1]));
	}
	assert.ok(Math.max(...ages) <= 300 && Math.min(...ages) > 270 - 1 && new Set(ages).size > 5, `${ages}`);
});

test('a set that is not to be believed is refused, the one before stays, the log and the state say why', async () => {
	const good = [segment({ epoch, issuers: [first], records: Array.from({ length: 12 }, (_, n) => record(first, n)) })];
	const kept = publish(stores[0], good);
	await taken('/one/', kept);
	const sound = good[0];
	const indexAt = Number(sound.readBigUInt64LE(128)), tailAt = Number(sound.readBigUInt64LE(112)), issuerAt = Number(sound.readBigUInt64LE(104)), recordEnd = 512 + Number(sound.readBigUInt64LE(96));
	const turned = (at) => { const b = Buffer.from(sound); b[at] ^= 1; return b; };
	const file = (name) => join(stores[0].folder, name);
	const swap = (bytes) => (entries, name) => { stores[0].put(name, bytes); return entries; };	// the manifest speaks of the sound one
	/* A line of each worker. */
	const refusals = (from, what) => until(() => {
		const lines = nginx.logged().slice(from).match(/icert status set refused: .*\n/g) ?? [];
		return lines.length >= nginx.workers && lines;
	}, { what: `${what}: refused`, timeout: 20_000, every: 20 });
	const bad = [
		['an older manifest', /rollback/, { at: kept - 1 }],
		['a heartbeat that went back', /rollback/, { at: kept, heartbeat: now() - 30 }],
		['a foreign seal', /forged/, { key: keys() }],
		['a file that is not there', /system/, { change: (entries, name) => { stores[0].remove(name); return entries; } }],
		['a folder in its place', /system|mismatch|denied/, { change: (entries, name) => { stores[0].remove(name); mkdirSync(file(name)); return entries; } }],
		['a link in its place', /system/, { change: (entries, name) => { stores[0].put('elsewhere', sound); stores[0].remove(name); symlinkSync('elsewhere', file(name)); return entries; } }],
		['a pipe in its place', /mismatch|denied/, { change: (entries, name) => { stores[0].remove(name); execFileSync('mkfifo', ['-m', '644', file(name)]); return entries; } }],
		['a file that others may write', /denied/, { change: (entries, name) => { chmodSync(file(name), 0o666); return entries; } }],
		['nine segments', /too-large/, {}, Array(9).fill(sound)],
		['one octet more', /mismatch/, { change: swap(Buffer.concat([sound, Buffer.from([0])])) }],
		...(process.getuid() === 0 ? [['a foreign owner', /denied/, { change: (entries, name) => { chownSync(file(name), 65534, 65534); return entries; } }]] : []),
		...['magic', 'version', 'epoch', 'minimum', 'counts', 'offset', 'digest', 'rest of the header'].map((what, n) => [`${what} turned`, /malformed|forged|mismatch/, { change: swap(turned([0, 8, 16, 40, 48, 88, 144, 500][n])) }]),
		...[512, 560, recordEnd - 1, ...(recordEnd < indexAt ? [recordEnd] : []), indexAt, issuerAt - 1, issuerAt, tailAt - 1, tailAt, sound.length - 1].map((at) => [`octet ${at} turned`, /forged|malformed/, { change: swap(turned(at)) }]),
		...Array.from({ length: Math.ceil(sound.length / 512) }, (_, n) => n * 512).map((n) => [`cut to ${n}`, /mismatch/, { change: swap(sound.subarray(0, n)) }]),
		/* The publisher itself named what is cut: the header knows better. */
		...[512, 1024, sound.length - 1].map((n) => [`a manifest for what is cut to ${n}`, /mismatch/, {}, [sound.subarray(0, n)]]),
		['an empty segment file', /malformed/, {}, [Buffer.alloc(0)]],
		['a list whose digest is another', /forged/, { files: [{ kind: 'crl', name: 'list', bytes: Buffer.from('x') }], change: (entries, name, at) => { stores[0].put(`list-${at}`, Buffer.from('y')); return entries; } }],
	];
	for (const [what, why, { change, ...options }, segments = good] of bad) {
		const from = nginx.logged().length;
		const at = options.at ?? ++epoch;
		publish(stores[0], segments, { ...options, at, ...(change ? { change: (entries) => change(entries, `base-${at}-0`, at) } : {}) });
		for (const line of await refusals(from, what)) {
			assert.match(line, why, what);
			assert.match(line, /the one before stays/);
		}
		const [state, number] = await until(async () => { const said = await say('/one/'); return said[0] === 'refused' && said; }, { what: `${what}: said so`, timeout: 20_000, every: 20 });
		assert.equal(state, 'refused');
		assert.equal(Number(number), kept, what);
		assert.equal(await status('/one/', first, 5), 'good', what);
		for (const left of [`base-${at}-0`, 'elsewhere']) stores[0].remove(left);
		if (options.at) epoch++;
	}
	/* A manifest cut anywhere, or with another bit. */
	const bytes = manifest({ epoch: ++epoch, entries: [entry('segment', 'base', `base-${kept}-0`, sound)] }, seal.privateKey);
	for (const n of [0, 1, 31, 32, 100, 192, bytes.length - 64, bytes.length - 1]) {
		const from = nginx.logged().length;
		stores[0].put('manifest', bytes.subarray(0, n));
		for (const line of await refusals(from, `manifest cut to ${n}`)) assert.match(line, /refused: (malformed|forged|system)/);
	}
	stores[0].put('manifest', Buffer.concat([bytes, Buffer.alloc(9000)]));
	assert.equal(await status('/one/', first, 5), 'good');
	for (const label of ['forged', 'malformed', 'size', ...(process.getuid() === 0 ? ['owner'] : []), 'rollback']) assert.ok(await counter(`outcome="${label}`) > 0, label);
	await taken('/one/', publish(stores[0], good));
	await until(async () => (await say('/one/'))[0] === 'fresh', { what: 'fresh again', timeout: 20_000, every: 20 });
});

test('bytes of a segment that nobody has verified give an error or an answer, and nothing dies', async () => {
	/* Above the limit a worker verifies only the header: what is behind it may be anything. */
	const seed = Date.now() % 1e9;
	const records = Array.from({ length: 12 }, (_, n) => record(first, n));
	const sound = segment({ epoch, issuers: [first], records });
	const beside = await new Nginx(join(folder, 'beside'), (port) => `
		icert_status_folder ${join(folder, 'wild')}; icert_status_key ${join(folder, 'one.pub')}; icert_status_verify_limit 1;
		server { listen 127.0.0.1:${port}; location /ocsp/ { icert_ocsp on; } location = /say { return 200 "$icert_status_state $icert_status_epoch"; } }`, { workers: 1 });
	const wild = new Store(join(folder, 'wild'));
	publish(wild, [sound]);
	await beside.start();
	try {
		const to = asker(beside.url), next = random(seed);
		const [pid] = beside.pids();
		for (let round = 0; round < 40; round++) {
			const at = ++epoch, bytes = Buffer.from(sound);
			for (let n = 0; n < 30; n++) bytes[512 + Math.floor(next() * (bytes.length - 512))] = Math.floor(next() * 256);
			publish(wild, [bytes], { at });
			await until(async () => new RegExp(` ${at}$`).test((await to('/say')).body) || /refused/.test((await to('/say')).body), { what: `epoch ${at}`, timeout: 20_000, every: 10 });
			for (let n = 0; n < 12; n++) assert.equal((await to(path('/ocsp/', first, n))).status, 200);
		}
		assert.deepEqual(beside.pids(), [pid], `the worker lives, seed ${seed}`);
	} finally {
		await beside.stop();
	}
});

test('late: half of max-age past the soft limit, tryLater past the hard one', async () => {
	const good = [segment({ epoch, issuers: [first], records: [record(first, 1)] })];
	await taken('/one/', publish(stores[0], good, { heartbeat: now() - 80 }));
	assert.equal((await say('/one/'))[0], 'stale');
	const { headers } = await ask(path('/one/', first, 1));
	assert.ok(Number(/^max-age=(\d+),/.exec(headers['cache-control'])[1]) <= 150);
	await taken('/one/', publish(stores[0], good, { heartbeat: now() - 121 }));
	assert.equal((await say('/one/'))[0], 'silent');
	assert.equal(await status('/one/', first, 1), TRY_LATER);
	assert.equal(await status('/two/', second, 7), 'good', 'the other store is not late');
	/* A beat alone, of the same epoch. */
	const at = publish(stores[0], good, { heartbeat: now() - 100 });
	await taken('/one/', at);
	assert.equal((await say('/one/'))[0], 'stale');
	publish(stores[0], good, { at });
	await until(async () => (await say('/one/'))[0] === 'fresh', { what: 'the beat', timeout: 20_000, every: 20 });
	assert.equal(await status('/one/', first, 1), 'good');
});

test('what was seen revoked in every worker is never good again, under load, and no answer is lost', async () => {
	const base = segment({ epoch, issuers: [first], records: Array.from({ length: 40 }, (_, n) => record(first, n)) });
	await taken('/one/', publish(stores[0], [base]));
	let stop = false, asked = 0;
	const revoked = new Set();
	const asking = Promise.all(Array.from({ length: 8 }, async (_, k) => {
		for (let n = k; !stop; n = (n + 7) % 40) {
			const sure = revoked.has(n);
			const said = await status('/one/', first, n);
			asked++;
			assert.ok(said === 'revoked' || (said === 'good' && !sure), `${n} is ${said}`);
		}
	}));
	for (let n = 0; n < 20; n++) {
		const gone = Array.from({ length: n + 1 }, (_, k) => record(first, k, { state: 'revoked' }));
		const at = publish(stores[0], [segment({ epoch, issuers: [first], records: gone }), base]);
		await taken('/one/', at);
		revoked.add(n);
	}
	stop = true;
	await asking;
	assert.ok(asked > 100);
});

test('old workers of a reload leave; one that is held by a request answers it from the newest set', async () => {
	const base = (state) => [segment({ epoch, issuers: [first], records: [record(first, 1, { state })] })];
	await taken('/one/', publish(stores[0], base('good')));
	const question = request([certId(first, serial(1))]);
	const held = connect(nginx.port, '127.0.0.1');
	held.write(`POST /one/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\nContent-Length: ${question.length}\r\nConnection: close\r\n\r\n`);
	held.write(question.subarray(0, 10));
	const idle = asker(nginx.url);
	await idle(path('/one/', first, 1));
	const old = await nginx.reload();
	await until(() => nginx.pids().filter((pid) => old.includes(pid)).length === 1, { what: 'the idle worker gone', timeout: 20_000, every: 50 });
	/* What it is told of before it reads the rest of the question it looks at before. */
	await taken('/one/', publish(stores[0], base('revoked')), { but: old });
	const parts = [];
	const answered = new Promise((resolve) => held.on('data', (part) => parts.push(part)).on('end', resolve));
	held.write(question.subarray(10));
	await answered;
	const whole = Buffer.concat(parts);
	assert.equal(read(whole.subarray(whole.indexOf('\r\n\r\n') + 4)).state, 'revoked');
	await until(() => !nginx.pids().some((pid) => old.includes(pid)), { what: 'every old worker gone', timeout: 20_000, every: 50 });
	assert.doesNotMatch(nginx.logged(), /open socket|exited on signal/);
});

test('lists and certificates: whole, in part, and 304', async () => {
	const bytes = randomBytes(5000);
	await taken('/one/', publish(stores[0], [segment({ epoch, issuers: [first], records: [record(first, 1)] })], { files: [{ kind: 'crl', name: 'list', bytes, thisUpdate: now() - 100, nextUpdate: now() + 50 }] }));
	const { headers, body } = await ask('/crl');
	assert.ok(body.equals(bytes));
	assert.equal(headers['content-type'], 'application/pkix-crl');
	assert.ok(Number(/max-age=(\d+)/.exec(headers['cache-control'])[1]) < 50);
	for (const [range, from, to] of [['bytes=0-0', 0, 1], ['bytes=4990-', 4990, 5000], ['bytes=-5', 4995, 5000]]) {
		const part = await ask('/crl', { headers: { Range: range, 'If-Range': headers.etag } });
		assert.equal(part.status, 206);
		assert.ok(part.body.equals(bytes.subarray(from, to)));
	}
	assert.equal((await ask('/crl', { headers: { Range: 'bytes=0-0', 'If-Range': '"x"' } })).status, 200);
	assert.equal((await ask('/crl', { headers: { Range: 'bytes=6000-' } })).status, 416);
	assert.equal((await ask('/crl', { headers: { 'If-None-Match': `"x", W/${headers.etag}` } })).status, 304);
	assert.equal((await ask('/crl', { headers: { 'If-Modified-Since': headers['last-modified'] } })).status, 304);
});

test('after a restart an older set is not taken, and nothing is answered from it', async () => {
	const set = [segment({ epoch, issuers: [first], records: [record(first, 1)] })];
	const at = publish(stores[0], set);
	await taken('/one/', at);
	await until(() => Number(readFileSync(join(folder, 'edge', 'one'), 'utf8')) === at, { what: 'the high water', timeout: 20_000 });
	await nginx.stop();
	publish(stores[0], set, { at: at - 1 });
	await nginx.start();
	assert.equal((await say('/one/'))[0], 'absent');
	assert.equal(await status('/one/', first, 1), TRY_LATER);
	assert.equal(await status('/two/', second, 7), 'good');
	assert.match(nginx.logged(), /rollback.*there is none before it/);
	/* Nobody takes a set whose high water cannot be read. */
	await nginx.stop();
	writeFileSync(join(folder, 'edge', 'one'), 'x\n');
	publish(stores[0], set, { at: ++epoch });
	await nginx.start();
	assert.equal((await say('/one/'))[0], 'absent');
	await nginx.stop();
	writeFileSync(join(folder, 'edge', 'one'), `${at}\n`);
	await nginx.start();
	assert.equal((await say('/one/'))[0], 'fresh');
});

test('a folder that comes later, and one that takes another\'s place, are noticed', async () => {
	const late = join(folder, 'late');
	const beside = new Nginx(join(folder, 'later'), (port) => `
		icert_status_folder ${late}; icert_status_key ${join(folder, 'one.pub')}; icert_status_poll 50ms;
		server { listen 127.0.0.1:${port}; location /ocsp/ { icert_ocsp on; } location = /say { return 200 "$icert_status_state $icert_status_epoch"; } }`);
	await beside.start();
	try {
		const to = asker(beside.url);
		const reads = (at) => until(async () => (await to('/say')).body.toString() === `fresh ${at}`, { what: `epoch ${at}`, timeout: 20_000, every: 20 });
		assert.match((await to('/say')).body.toString(), /^absent/);
		const store = new Store(late);
		await reads(publish(store, [segment({ epoch, issuers: [first], records: [record(first, 1)] })]));
		const next = new Store(join(folder, 'next'));
		const at = publish(next, [segment({ epoch, issuers: [first], records: [record(first, 1, { state: 'revoked' })] })]);
		renameSync(late, join(folder, 'gone'));
		renameSync(next.folder, late);
		await reads(at);
		next.folder = late;
		await reads(publish(next, [segment({ epoch, issuers: [first], records: [record(first, 1)] })]));
	} finally {
		await beside.stop();
	}
});

test('settings that contradict each other are refused by name', () => {
	const check = (http) => {
		const place = mkdtempSync(join(folder, 'check-'));
		const trial = new Nginx(place, () => http);
		trial.configure();
		return spawnSync('nginx', ['-t', '-e', join(place, 'e.log'), '-p', place, '-c', trial.config], { encoding: 'utf8', env: nginxEnv() }).stderr;
	};
	const [one, two, key, otherKey] = [join(folder, 'one'), join(folder, 'two'), join(folder, 'one.pub'), join(folder, 'two.pub')];
	const server = (inside) => `server { listen 127.0.0.1:1; ${inside} }`;
	const at = (where, text) => `location ${where} { ${text} }`;
	assert.match(check(server(at('/a', `icert_status_folder ${one};`))), /icert_status_folder needs icert_status_key: ".*one" in .*nginx\.conf:\d+/);
	assert.match(check(server(at('/a', `icert_status_folder ${one}; icert_status_key ${key};`) + at('/b', `icert_status_folder ${one}; icert_status_key ${otherKey};`))), /two different settings/);
	assert.match(check(`icert_status_high_water ${join(folder, 'edge/x')};${server(at('/a', `icert_status_folder ${one}; icert_status_key ${key};`) + at('/b', `icert_status_folder ${two}; icert_status_key ${otherKey};`))}`), /one icert_status_high_water/);
	assert.match(check(server(`icert_status_folder ${one}; icert_status_key ${key}; icert_status_stale_soft 10s; icert_status_stale_hard 5s;`)), /icert_status_stale_soft \(10 s\) above icert_status_stale_hard \(5 s\): ".*one" in .*nginx\.conf:\d+/);
	assert.match(check(server(at('/a', `icert_status_folder ${one}; icert_status_key ${join(folder, 'first.pem')};`))), /neither 32 octets/);
});
