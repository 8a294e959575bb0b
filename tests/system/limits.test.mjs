// Limits as an administrator configures them, in an nginx of the test's own: rates by country, cost, a burst that waits, dry runs,
// networks that are never limited, several policies, a reload, a full zone, and a database of countries replaced while it runs.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { writeCountries } from '../lib/mmdb.mjs';
import { Nginx, nginxEnv } from '../lib/nginx.mjs';
import { run } from '../lib/tools.mjs';

const folder = mkdtempSync(join(tmpdir(), 'icert-limits-'));
const countries = join(folder, 'country.mmdb');
let nginx;

// A rate of one an hour: what a test sees is the burst alone, however long it takes.
const zones = `
	icert_country_database ${countries} check=50ms;
	icert_limit_zone whole key=country rate=1/h burst=5 size=64k;
	icert_limit_zone each key=address rate=1/h burst=3 size=64k;
	icert_limit_country each PE CO rate=1/h burst=6;
	icert_limit_country each unknown rate=1/h burst=1;
	icert_limit_zone wide key=address rate=1/h burst=100 size=64k;
	icert_limit_zone slow key=$arg_k rate=20/s burst=10 size=64k;
	icert_limit_zone cookie key=$cookie_s rate=1/h burst=2 size=64k;
	icert_limit_zone turn key=$arg_k rate=30/m burst=4 size=32k;
	icert_limit_country turn ZW rate=1/s burst=4;
	icert_limit_zone tight_address key=address rate=1/h burst=1 size=32k;
	icert_limit_zone tight key=$arg_k rate=1/h burst=1 size=32k;
	log_format limits '$uri $status $icert_limit_status $icert_limit $icert_country $icert_reason';`;
const config = (port, more = '') => `${zones}
	access_log ${folder}/limits.log limits;
	server {
		listen 127.0.0.1:${port};
		root ${folder}/www;
		location = /each { icert_limit each; icert_limit wide; }
		location = /whole { icert_limit whole; }
		location = /cost { icert_limit wide cost=40; icert_limit_legacy_headers on; }
		location = /slow { icert_limit slow delay=2; }
		location = /dry { icert_limit tight; icert_limit_dry_run on; }
		location = /allowed { icert_limit tight; icert_limit_allow 127.0.2.0/24 ::1; }
		location = /behind { set_real_ip_from 127.0.7.0/24; icert_limit tight_address; }
		location = /cookie { icert_limit cookie; icert_limit_status 503; icert_limit_headers off; }
		location = /tight { icert_limit tight; }
		location = /quiet { icert_limit tight; icert_limit_headers off; error_page 429 /refused; try_files /tight =404; }
		location = /loud { icert_limit tight; icert_limit_legacy_headers on; error_page 429 /refused; try_files /tight =404; }
		location = /chain { icert_limit wide; auth_request /ask; set $told "$icert_limit_status $icert_country $icert_net $icert_subscriber"; error_page 404 =200 /chain/page; try_files /nothing =404; }
		location = /chain/tight { icert_limit tight; error_page 429 /chain/page; try_files /tight =404; }
		location = /ask { internal; icert_limit wide cost=50; return 204; }
		location = /chain/page { internal; icert_limit wide; add_header X-Told "$icert_limit_status $icert_country $icert_net $icert_subscriber" always; try_files /tight =404; }
		location = /turn { icert_limit turn delay; add_header X-Told "$icert_country $pid"; }
		location = /dry/turn { icert_limit turn delay; icert_limit_dry_run on; try_files /tight =404; }
		location = /refused { internal; icert_limit_legacy_headers off; return 200 "no\n"; }
		location = /state { add_header X-Counts "$icert_country_epoch $icert_country_refused $icert_country $pid"; }
		location = /counts { add_header X-Counts "."; default_type text/plain; if ($icert_limit_counts) { return 200 $icert_limit_counts; } }
		${more}
	}`;

/** One GET from an address of the loopback. */
const get = (path, from = '127.0.1.1', headers = {}) => new Promise((resolve, reject) => {
	http.get(`${nginx.url}${path}`, { localAddress: from, headers, agent: false }, (res) => {
		const parts = [];
		res.on('data', (part) => parts.push(part)).on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString() }));
	}).on('error', reject);
});
const many = async (n, ...how) => { const all = []; for (let i = 0; i < n; i++) all.push(await get(...how)); return all; };
const statuses = (answers) => answers.map(({ status }) => status).join(' ');
/** Until none of the workers of before accepts a connection. */
const reloaded = async (http) => {
	const old = await nginx.reload(http);
	await until(() => !nginx.pids().some((pid) => old.includes(pid)), { what: 'the end of the old workers', every: 20 });
};
const counts = async () => (await get('/counts')).text;

before(async () => {
	mkdirSync(join(folder, 'www'));
	for (const name of ['behind', 'each', 'whole', 'cost', 'slow', 'dry', 'allowed', 'cookie', 'tight', 'turn', 'state']) writeFileSync(join(folder, 'www', name), 'ok\n');
	writeCountries(countries, [['127.0.1.0/24', 'EC'], ['127.0.2.0/24', 'PE'], ['127.0.3.0/24', 'CO']]);
	nginx = await new Nginx(join(folder, 'nginx'), config).start();
});
after(async () => {
	try { await nginx?.stop(); } finally { rmSync(folder, { recursive: true, force: true }); }
});

test('a rate by country, and the default for the others', async () => {
	assert.equal(statuses(await many(4, '/each', '127.0.1.1')), '200 200 200 429');
	assert.equal(statuses(await many(7, '/each', '127.0.2.1')), '200 200 200 200 200 200 429');
	assert.equal(statuses(await many(2, '/each', '127.0.9.1')), '200 429');
	const { headers } = await get('/each', '127.0.3.7');
	assert.equal(headers['ratelimit-policy'], '"each";q=6;w=21600', 'the tightest, as it holds for that country');
	assert.match(headers.ratelimit, /^"each";r=5;t=3600$/);
	const refused = await get('/each', '127.0.1.1');
	assert.ok(Number(refused.headers['retry-after']) > 3500);
});

test('a refusal by one policy costs nothing at the others', async () => {
	const before = await get('/cost', '127.0.1.2');
	assert.equal(before.headers['x-ratelimit-remaining'], '60');
	await many(5, '/each', '127.0.1.2');	// three pass, two are refused
	assert.equal((await get('/cost', '127.0.1.2')).headers['x-ratelimit-remaining'], '17');
	const over = await get('/cost', '127.0.1.2');
	assert.equal(over.status, 429);
	assert.equal(over.headers['x-ratelimit-limit'], '100');
	assert.ok(Number(over.headers['retry-after']) > 0);
});

const six = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');
test('addresses: a subscriber has a /64; the older family is the same through a listener of both', { skip: !six && 'no IPv6 here' }, async () => {
	const both = await new Nginx(join(folder, 'both'), (port) => `
		icert_limit_zone one key=address rate=1/h burst=2 size=64k;
		icert_limit_zone subscriber key=$icert_subscriber rate=1/h burst=2 size=64k;
		server {
			listen [::]:${port} ipv6only=off;
			listen unix:${folder}/both.sock;
			root ${folder}/www;
			location = /each { icert_limit one; }
			location = /whole { icert_limit subscriber; }
			location = /state { add_header X-Net "$icert_net $icert_subscriber"; }
		}`).start();
	const port = new URL(both.url).port;
	const ask = (path, address, host) => new Promise((resolve, reject) => {
		http.get({ host, port, path, localAddress: address, agent: false, family: host.includes(':') ? 6 : 4 }, (res) => { res.resume(); resolve(res); }).on('error', reject);
	});
	try {
		for (const path of ['/each', '/whole']) {
			const got = [];
			for (const address of ['127.0.1.1', '127.0.1.1', '127.0.1.1', '127.0.1.2']) got.push((await ask(path, address, '127.0.0.1')).statusCode);
			assert.deepEqual(got, [200, 200, 429, 200], path);
			const newer = [];
			for (let i = 0; i < 3; i++) newer.push((await ask(path, '::1', '::1')).statusCode);
			assert.deepEqual(newer, [200, 200, 429], path);
			// Who has no address is not limited by it.
			for (let i = 0; i < 3; i++) {
				const status = await new Promise((resolve, reject) => { http.get({ socketPath: join(folder, 'both.sock'), path, agent: false }, (res) => { res.resume(); resolve(res.statusCode); }).on('error', reject); });
				assert.equal(status, 200, `${path}: a Unix socket`);
			}
		}
		assert.equal((await ask('/state', '127.0.1.7', '127.0.0.1')).headers['x-net'], '127.0.1.0/24 127.0.1.7/32');
		assert.equal((await ask('/state', '::1', '::1')).headers['x-net'], '::/48 ::/64');
	} finally {
		await both.stop();
	}
});

// What the package has is real: the networks of Ecuador's own providers, and of others.
const packaged = new URL('../../node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb', import.meta.url).pathname;
for (const [what, file, expected] of [['the data that was installed', packaged, { '200.7.192.1': 'EC', '186.4.128.1': 'EC', '200.48.225.130': 'PE', '8.8.8.8': 'US', '127.0.0.1': 'unknown' }],
	['without data', join(folder, 'absent.mmdb'), { '200.7.192.1': 'unknown', '8.8.8.8': 'unknown' }]])
	test(`countries: ${what}`, async () => {
		const real = await new Nginx(join(folder, 'real'), (port) => `
			icert_country_database ${file};
			icert_limit_zone each key=address rate=1/h burst=2 size=64k;
			icert_limit_country each EC rate=1/h burst=3;
			set_real_ip_from 127.0.0.0/8;
			real_ip_header X-Real-IP;
			server {
				listen 127.0.0.1:${port};
				root ${folder}/www;
				location = /each { icert_limit each; add_header X-Country $icert_country always; }
			}`).start();
		try {
			for (const [address, country] of Object.entries(expected)) {
				const got = [];
				for (let n = 0; n < 4; n++) {
					const res = await fetch(`${real.url}/each`, { headers: { 'X-Real-IP': address } });
					await res.arrayBuffer();
					assert.equal(res.headers.get('x-country'), country, address);
					got.push(res.status);
				}
				assert.deepEqual(got, country === 'EC' ? [200, 200, 200, 429] : [200, 200, 429, 429], address);
			}
			assert.equal(real.logged().includes('country database is absent'), file !== packaged);
		} finally {
			await real.stop();
		}
	});

test('keys: a subscriber\'s /64, mapped addresses, networks that are never limited, whatever a variable holds', async () => {
	const real = await new Nginx(join(folder, 'keys'), (port) => `
		icert_limit_zone one key=address rate=1/h burst=2 size=64k;
		icert_limit_zone any key=$http_x_key$arg_k rate=1/h burst=2 size=64k;
		set_real_ip_from 127.0.0.0/8;
		real_ip_header X-Real-IP;
		server {
			listen 127.0.0.1:${port};
			root ${folder}/www;
			location = /each { icert_limit one; icert_limit_allow 2001:db8:5::/48 198.51.100.0/25; add_header X-Net "$icert_net $icert_subscriber" always; }
			location = /whole { icert_limit any; }
		}`).start();
	const ask = async (path, headers) => { const res = await fetch(`${real.url}${path}`, { headers }); await res.arrayBuffer(); return res; };
	const from = async (...addresses) => { const all = []; for (const address of addresses) all.push((await ask('/each', { 'X-Real-IP': address })).status); return all.join(' '); };
	try {
		assert.equal(await from('2001:db8:0:1::1', '2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1:8000::', '2001:db8:0:2::1', '2001:db8:0:0:ffff::1'), '200 200 429 200 200', 'sixty-four bits count, and no more');
		assert.equal(await from('203.0.113.1', '::ffff:203.0.113.1', '203.0.113.1', '::ffff:203.0.113.2'), '200 200 429 200', 'the older family, however it is written');
		assert.equal(await from(...Array(4).fill('2001:db8:5:7::1'), ...Array(3).fill('2001:db8:6::1')), '200 200 200 200 200 200 429');
		assert.equal(await from(...Array(4).fill('198.51.100.127'), ...Array(3).fill('198.51.100.128')), '200 200 200 200 200 200 429');
		assert.equal((await ask('/each', { 'X-Real-IP': '2001:db8:0:9:1:2:3:4' })).headers.get('x-net'), '2001:db8::/48 2001:db8:0:9::/64');
		// The whole of a long value counts, not its beginning; and it is the policy's memory that is bounded, whatever the length.
		const long = 'k'.repeat(3000), keys = [`${long}1`, `${long}1`, `${long}1`, `${long}2`];
		const got = [];
		for (const key of keys) got.push((await ask('/whole', { 'X-Key': key })).status);
		assert.deepEqual(got, [200, 200, 429, 200]);
		assert.deepEqual((await Promise.all(Array.from({ length: 3 }, () => ask('/whole', {})))).map(({ status }) => status), [200, 200, 200], 'nothing is not limited');
	} finally {
		await real.stop();
	}
});

test('a country as a whole', async () => {
	const from = (n) => get('/whole', `127.0.3.${n}`);
	const answers = [];
	for (let n = 1; n <= 7; n++) answers.push(await from(n));
	assert.equal(statuses(answers), '200 200 200 200 200 429 429');
	assert.equal((await get('/whole', '127.0.2.1')).status, 200);
});

test('what is above the part that passes at once waits for the rate', async () => {
	const began = process.hrtime.bigint();
	const answers = await Promise.all(Array.from({ length: 8 }, () => get('/slow?k=1')));
	const ms = Number(process.hrtime.bigint() - began) / 1e6;
	assert.equal(new Set(answers.map(({ status }) => status)).size, 1);
	assert.equal(answers[0].status, 200);
	// Eight at 20 a second, of which three have not to wait: the last is due 250 ms after the first.
	assert.ok(ms > 200, `${ms} ms`);
	const text = await counts();
	assert.match(text, /icert_limit_requests_total\{policy="slow",result="delayed"\} [1-5]\n/);
});

test('a dry run refuses nobody and says whom it would', async () => {
	const answers = await many(3, '/dry?k=dry');
	assert.equal(statuses(answers), '200 200 200');
	assert.equal(answers[2].headers.ratelimit, undefined);
	await until(() => logged().filter((line) => line === '/dry 200 REJECTED_DRY_RUN tight EC ').length === 2, { what: 'two lines of the dry run' });
	assert.match(await counts(), /icert_limit_requests_total\{policy="tight",result="refused_dry_run"\} 2\n/);
	// Two more than pass at once would wait two and four seconds.
	const began = process.hrtime.bigint();
	assert.equal(statuses(await many(3, '/dry/turn?k=dry')), '200 200 200');
	assert.ok(process.hrtime.bigint() - began < 1_900_000_000n);
	await until(() => logged().filter((line) => /^\S+ 200 DELAYED_DRY_RUN /.test(line)).length === 2, { what: 'who would have waited' });
	assert.match(await counts(), /icert_limit_requests_total\{policy="turn",result="delayed_dry_run"\} 2\n/);
});

const logged = () => run('cat', [join(folder, 'limits.log')]).stdout.split('\n');

test('whichever location answers, the headers are as the one that asked has them, and each once', async () => {
	const raw = (path) => new Promise((resolve, reject) => {
		http.get(`${nginx.url}${path}`, { agent: false }, (res) => { res.resume(); resolve({ status: res.statusCode, names: res.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()) }); }).on('error', reject);
	});
	const limits = ({ names }) => names.filter((name) => name.includes('ratelimit') || name === 'retry-after').sort();
	assert.equal((await raw('/quiet?k=quiet')).status, 200);
	const quiet = await raw('/quiet?k=quiet');
	assert.equal(quiet.status, 429);
	assert.deepEqual(limits(quiet), ['retry-after'], 'an error page elsewhere adds none');
	assert.equal((await raw('/loud?k=loud')).status, 200);
	assert.deepEqual(limits(await raw('/loud?k=loud')), ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']);
});

test('what a request was told stays so through internal redirects and subrequests, and is counted once', async () => {
	const told = (res) => res.headers['x-told'].split(' ');
	const first = await get('/chain?k=chain', '127.0.1.77');
	assert.equal(first.status, 200);
	assert.match(first.headers.ratelimit, /^"wide";r=99;t=3600$/, 'one of a hundred, whatever was gone through');
	assert.deepEqual(told(first), ['PASSED', 'EC', '127.0.1.0/24', '127.0.1.77/32']);
	// The error page is another location, with a limit of its own, which is not asked again.
	await get('/chain/tight?k=told');
	const refused = await get('/chain/tight?k=told', '127.0.1.77');
	assert.equal(refused.status, 429);
	assert.deepEqual(told(refused), ['REJECTED', 'EC', '127.0.1.0/24', '127.0.1.77/32']);
});

test('networks that are never limited', async () => {
	assert.equal(statuses(await many(4, '/allowed?k=a', '127.0.2.9')), '200 200 200 200');
	assert.equal(statuses(await many(2, '/allowed?k=a', '127.0.1.9')), '200 429');
	await until(() => logged().includes('/allowed 200 ALLOWED  PE '), { what: 'a line that says so' });
});

test('behind another server: the address that realip finds, also where a location says so', async () => {
	const from = (address) => get('/behind', '127.0.7.1', { 'X-Real-IP': address });
	assert.equal(statuses([await from('192.0.2.1'), await from('192.0.2.2'), await from('192.0.2.1')]), '200 200 429');
});

test('by cookie; no cookie, no limit; a status of one\'s own', async () => {
	assert.equal(statuses(await many(3, '/cookie', undefined, { Cookie: 's=1' })), '200 200 503');
	assert.equal(statuses(await many(1, '/cookie', undefined, { Cookie: 's=2' })), '200');
	const free = await many(5, '/cookie');
	assert.equal(statuses(free), '200 200 200 200 200');
	assert.equal(free[0].headers.ratelimit, undefined);
});

test('a reload changes no decision, and a new rate holds for what was counted before', async () => {
	assert.equal(statuses(await many(2, '/tight?k=reload')), '200 429');
	await reloaded();
	assert.equal(statuses(await many(2, '/tight?k=reload')), '429 429');
	await reloaded((port) => config(port).replace('key=$arg_k rate=1/h burst=1 ', 'key=$arg_k rate=1/h burst=3 '));
	assert.equal(statuses(await many(3, '/tight?k=reload')), '200 200 429');
	await reloaded(config);
});

test('a full zone forgets whoever was here longest ago, counts it and goes on deciding', async () => {
	const room = Number(/icert_limit_keys_room\{policy="tight"\} (\d+)/.exec(await counts())[1]);
	assert.ok(room > 100 && room < 2000, `room for ${room}`);
	assert.equal((await get('/tight?k=first')).status, 200);
	assert.equal((await get('/tight?k=stubborn')).status, 200);
	for (let n = 0; n < room; n += 50) {
		await Promise.all(Array.from({ length: 50 }, (_, i) => get(`/tight?k=n${n + i}`)));
		assert.equal((await get('/tight?k=stubborn')).status, 429, 'who goes on asking is remembered');
	}
	const text = await counts();
	assert.match(text, new RegExp(`icert_limit_keys\\{policy="tight"\\} ${room}\n`));
	assert.ok(Number(/icert_limit_evicted_total\{policy="tight"\} (\d+)/.exec(text)[1]) >= 1, text);
	assert.equal((await get('/tight?k=first')).status, 200, 'it was forgotten');
	assert.equal((await get('/tight?k=first')).status, 429, 'and is counted anew');
});

test('two workers at once let through what one would: not one more, not one less, also when one of them is killed', async () => {
	const two = await new Nginx(join(folder, 'two'), (port) => `
		icert_limit_zone first key=$arg_k rate=1/h burst=400 size=64k;
		icert_limit_zone second key=$arg_k rate=1/h burst=600 size=64k;
		server {
			listen 127.0.0.1:${port} reuseport;
			root ${folder}/www;
			add_header X-Pid $pid always;
			location = /each { icert_limit second; }
			location = /whole { icert_limit second; icert_limit first; }
			location = /counts { default_type text/plain; if ($icert_limit_counts) { return 200 $icert_limit_counts; } }
		}`).start();
	const ask = (path) => new Promise((resolve) => {
		http.get(`${two.url}${path}`, { agent: false }, (res) => { res.resume(); resolve({ status: res.statusCode, pid: res.headers['x-pid'] }); }).on('error', () => resolve({}));
	});
	/** So many of each path, 32 under way: the answers. */
	const hammer = async (total, paths, during = () => {}) => {
		const answers = [];
		let sent = 0;
		await Promise.all(Array.from({ length: 32 }, async () => {
			while (sent < total) {
				const n = sent++;
				if (n === total >> 2) during();
				answers.push(await ask(paths[n % paths.length]));
			}
		}));
		return answers;
	};
	const passed = (answers) => answers.filter(({ status }) => status === 200).length;
	const count = async (policy, result) => Number(new RegExp(`icert_limit_requests_total\\{policy="${policy}",result="${result}"\\} (\\d+)`).exec(await (await fetch(`${two.url}/counts`)).text())[1]);
	try {
		const one = await hammer(1000, ['/each?k=a']);
		assert.equal(new Set(one.map(({ pid }) => pid)).size, 2, 'both took part');
		assert.equal(passed(one), 600);
		assert.equal(await count('second', 'passed'), 600);
		assert.equal(await count('second', 'refused'), 400);

		// The tighter of two policies decides.  Only those that both workers have in hand at once may be charged to one and refused by the other.
		const both = await hammer(800, ['/whole?k=b']);
		const through = passed(both);
		assert.ok(through <= 400 && through >= 400 - two.workers, `${through}`);

		const victim = two.pids()[0];
		const killed = await hammer(1200, ['/each?k=c'], () => process.kill(victim, 'SIGKILL'));
		const lost = killed.filter(({ status }) => status === undefined).length;
		assert.ok(passed(killed) <= 600 && passed(killed) >= 600 - lost, `${passed(killed)} passed, ${lost} lost`);
		await until(() => two.pids().length === two.workers && !two.pids().includes(victim), { what: 'its successor' });
		assert.deepEqual(new Set((await hammer(64, ['/each?k=c'])).map(({ status }) => status)), new Set([429]), 'the zone goes on deciding');
	} finally {
		await two.stop();
	}
});

test('the database of countries is replaced while it runs; one that is not one is not taken', async () => {
	const state = async () => (await get('/state')).headers['x-counts'].split(' ');
	const [epoch] = await state();
	writeCountries(countries, [['127.0.1.0/24', 'BR']]);
	await until(async () => (await state())[2] === 'BR', { what: 'the new database' });
	for (const [what, text] of [['empty', ''], ['rubbish', 'x'.repeat(5000)]]) {
		writeFileSync(`${countries}.new`, text);
		renameSync(`${countries}.new`, countries);
		await until(async () => (await state())[1] === '1', { what: `${what}: a refusal` });
		assert.equal((await state())[2], 'BR', what);
		writeCountries(countries, [['127.0.1.0/24', 'BR']]);
		await until(async () => (await state())[1] === '0', { what: 'a good one again' });
	}
	writeCountries(countries, [['127.0.1.0/24', 'AR']], { type: 'test-asn' });
	await until(() => nginx.logged().includes('is of a type that names no country'), { what: 'the wrong type' });
	writeCountries(countries, [['127.0.1.0/24', 'AR']], { epoch: Number(epoch) - 86400 });
	await until(() => nginx.logged().includes('is older than the one in use'), { what: 'the older one' });
	writeCountries(countries, [['127.0.1.0/24', 'AR']], { epoch: Number(epoch) + 10 * 86400 });
	await until(() => nginx.logged().includes('was built in the future'), { what: 'the one that would keep all others out' });
	assert.equal((await state())[2], 'BR');
	writeCountries(countries, [['127.0.1.0/24', 'AR']], { epoch: Number(epoch) - 86400 });
	await reloaded();
	await until(async () => (await state())[2] === 'AR', { what: 'what a reload takes' });
	rmSync(countries);
	assert.equal((await state())[2], 'AR', 'gone from its place: what is open stays');
});

test('what a request\'s country is stays so when the database is replaced before it ends', async () => {
	const put = (country, what) => {
		writeCountries(countries, [['127.0.1.0/24', country]]);
		// Of every worker, not of one.
		const seen = new Set();
		return until(async () => {
			const [, , now, pid] = (await get('/state')).headers['x-counts'].split(' ');
			if (now === country) seen.add(pid); else seen.clear();
			return seen.size === nginx.workers;
		}, { what, every: 5 });
	};
	await put('UY', 'the one before');
	assert.match((await get('/turn?k=turn')).headers['x-told'], /^UY /);
	const delayed = async () => Number(/policy="turn",result="delayed"\} (\d+)/.exec(await counts())[1]);
	const before = await delayed();
	const waiting = get('/turn?k=turn');	// two seconds
	await until(async () => await delayed() > before, { what: 'that it waits', every: 5 });
	await put('PY', 'the other');
	assert.match((await waiting).headers['x-told'], /^UY /);
	assert.match((await get('/turn?k=other')).headers['x-told'], /^PY /);
});

/** Two workers of their own with a database that is kept, and knows one country. */
async function keeping(name) {
	const mine = join(folder, `${name}-mine.mmdb`), kept = join(folder, `${name}.mmdb`);
	const two = new Nginx(join(folder, name), (port) => `icert_country_database ${mine} check=50ms keep=${kept};
		server { listen 127.0.0.1:${port}; location = /state { add_header X-Counts "$icert_country_epoch $icert_country_refused $icert_country $pid"; return 204; } }`, { workers: 2 });
	writeCountries(mine, [['127.0.0.0/8', 'CL']]);
	const dated = () => utimesSync(mine, new Date(), new Date('2026-01-01'));
	dated();
	const state = async () => (await fetch(`${two.url}/state`, { headers: { connection: 'close' } })).headers.get('x-counts').split(' ');
	/** All workers have answered, and each as wanted. */
	const everywhere = async (want, what) => {
		const seen = new Set();
		await until(async () => {
			const [, refused, country, pid] = await state();
			if (two.pids().map(String).includes(pid) && `${country} ${refused}` === want) seen.add(pid); else seen.clear();
			return seen.size === two.workers;
		}, { what, every: 10 });
	};
	/** A worker is killed, and another stands in its place. */
	const succeed = async () => {
		// Those of before a reload may be leaving still.
		await until(() => two.pids().length === two.workers, { what: 'the workers, and no others' });
		const victim = two.pids()[0];
		process.kill(victim, 'SIGKILL');
		await until(() => two.pids().length === two.workers && !two.pids().includes(victim), { what: 'its successor' });
	};
	await two.start();
	return { two, mine, kept, dated, everywhere, succeed };
}

test('what was taken once stays over a reload and for the successor of a killed worker, whatever lies in its place by then', async () => {
	const { two, mine, kept, everywhere, succeed } = await keeping('kept');
	try {
		await everywhere('CL 0', 'the first database');
		assert.ok(readFileSync(mine).equals(readFileSync(kept)));
		for (const [what, spoil] of [['rubbish', () => writeFileSync(mine, 'x'.repeat(5000))], ['empty', () => writeFileSync(mine, '')],
			['of no country', () => writeCountries(mine, [['127.0.0.0/8', 'AR']], { type: 'test-asn' })],
			['from the future', () => writeCountries(mine, [['127.0.0.0/8', 'AR']], { epoch: Math.floor(Date.now() / 1000) + 10 * 86400 })]]) {
			spoil();	// in its place, not by a rename: nobody reads it any more
			await everywhere('CL 1', what);
			await two.reload();
			await everywhere('CL 1', `${what}, after a reload`);
			await succeed();
			await everywhere('CL 1', `${what}, for the successor`);
		}
		assert.match(two.logged(), /is absent or bad: the former one stays/);
		// An older one: who goes on and a killed worker's successor refuse it alike, and only a reload, which somebody wants, takes it.
		writeCountries(mine, [['127.0.0.0/8', 'AR']], { epoch: Math.floor(Date.now() / 1000) - 86400 });
		await everywhere('CL 1', 'an older one');
		await succeed();
		await everywhere('CL 1', 'an older one, for the successor');
		writeCountries(mine, [['127.0.0.0/8', 'CL']]);
		await everywhere('CL 0', 'the first again');
		rmSync(mine);
		await two.reload();
		await everywhere('CL 0', 'gone');
		writeCountries(mine, [['127.0.0.0/8', 'UY']]);
		await everywhere('UY 0', 'a good one again');
		assert.ok(readFileSync(mine).equals(readFileSync(kept)));
		assert.deepEqual(readdirSync(folder).filter((name) => /kept.mmdb./.test(name)), []);
	} finally { await two.stop(); }
});

test('a file that has inode, size and time of the one before is another all the same', async () => {
	const { two, mine, dated, everywhere, succeed } = await keeping('again');
	const other = join(folder, 'again-other.mmdb'), now = Math.floor(Date.now() / 1000);
	const looks = () => { const { ino, size, mtimeMs } = statSync(mine); return `${ino} ${size} ${mtimeMs}`; };
	try {
		await everywhere('CL 0', 'the first database');
		// Written in place, by a program that sets the time (rsync --inplace -t).
		const before = looks();
		writeCountries(other, [['127.0.0.0/8', 'AR']], { epoch: now });
		writeFileSync(mine, readFileSync(other));
		dated();
		assert.equal(looks(), before);
		await everywhere('AR 0', 'what was written in its place');

		// An older one that a reload took, a newer one, and the older one again: it is no more what somebody wanted.
		writeCountries(mine, [['127.0.0.0/8', 'UY']], { epoch: now - 86400 });
		dated();
		const older = looks();
		await two.reload();
		await everywhere('UY 0', 'what a reload takes');
		const aside = join(folder, 'again-aside.mmdb');
		linkSync(mine, aside);
		writeCountries(mine, [['127.0.0.0/8', 'PY']], { epoch: now });
		await everywhere('PY 0', 'the newer one');
		renameSync(aside, mine);
		assert.equal(looks(), older);
		await everywhere('PY 1', 'the older one again');
		await succeed();
		await everywhere('PY 1', 'the older one again, for a successor');
	} finally { await two.stop(); }
});

test('every directive and variable of the module stands in its README', () => {
	const top = new URL('../../ngx_icert_module/', import.meta.url);
	const readme = readFileSync(new URL('README.md', top), 'utf8');
	const names = new Set();
	for (const file of readdirSync(top).filter((name) => name.endsWith('.c'))) {
		const source = readFileSync(new URL(file, top), 'utf8');
		for (const [, name, next] of source.matchAll(/ngx_string\("(icert_[a-z_]+)"\),\s*(\w+)/g)) names.add(/^NGX_/.test(next) ? name : `$${name}`);
		// Names of shared memory look the same, and nobody writes them.
		for (const [, name] of source.matchAll(/ngx_str_t +name = ngx_string\("(icert_[a-z_]+)"\);\s+(?:\w+ +\**\w+;\s+)*ngx_http_variable_t/g)) names.add(`$${name}`);
	}
	assert.ok(names.size > 50, `${names.size}`);
	const absent = [...names].filter((name) => !new RegExp(`\`${name.replace('$', '\\$')}[\` ]`).test(readme));
	assert.deepEqual(absent, []);
});

test('a configuration that cannot be is refused with the name of what is wrong', async () => {
	for (const [line, words] of [
		['icert_limit_zone a key=address rate=1/d burst=1;', 'invalid parameter "rate=1/d"'],
		['icert_limit_zone a"b key=address rate=1/s burst=1;', 'invalid name "a"b" of a limit'],
		['icert_limit_zone a key=address rate=1/s burst=0;', 'invalid parameter "burst=0"'],
		['icert_limit_zone a key=address rate=1/s burst=1; icert_limit a cost=2;', 'cost 2 is above the burst'],
		['icert_limit_zone a key=address rate=1/s burst=5; icert_limit_country a EC rate=1/s burst=1; icert_limit a cost=2;', 'cost 2 is above the burst'],
		['icert_limit_country nobody EC rate=1/s burst=1;', 'no icert_limit_zone "nobody"'],
		['icert_limit_zone a key=address rate=1/s burst=5; icert_limit_country a ec rate=1/s burst=1;', 'invalid parameter "ec"'],
		['icert_limit_zone a key=address rate=1/s burst=5; icert_limit_country a EC EC rate=1/s burst=1;', 'country "EC" stands twice'],
		['icert_limit_allow 10.0.0.0/33;', 'invalid parameter "10.0.0.0/33"'],
		['icert_limit_status 200;', '400'],
		['icert_limit_zone a key=address rate=1/s burst=5; icert_limit a delay=x;', 'invalid parameter "delay=x"'],
		[`icert_country_database ${countries} check=x;`, 'invalid parameter "check=x"'],
		[`icert_country_database ${countries} keep=;`, 'invalid parameter "keep="'],
	]) {
		const other = new Nginx(join(folder, 'bad'), () => line);
		mkdirSync(other.folder, { recursive: true });
		other.configure();
		const { status, stderr } = run('nginx', ['-t', '-e', 'stderr', '-p', other.folder, '-c', other.config], { env: nginxEnv() });
		assert.notEqual(status, 0, line);
		assert.ok(stderr.includes(words), `${line}: ${stderr}`);
		assert.match(stderr, /in \S+nginx\.conf:\d+/, `${line}: where it stands`);
	}
});
