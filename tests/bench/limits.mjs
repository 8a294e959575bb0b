// Limits against limit_req, in one nginx: what a decision costs by itself (nginx/ngx_http_bench_module.c), and what requests a second
// become of a content handler behind it, headers included, also with many addresses of several countries, each looked up, and a rate for each of
// several.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCountries } from '../lib/mmdb.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { binary } from './instance.mjs';
import { median, pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

const CONNECTIONS = 32;
// One worker and who asks it, each on a core: what the scheduler does with two workers and a third process on two cores is far more than
// what a limit costs.
const CORES = availableParallelism() > 1 ? { worker: 0, client: 1 } : {};
// What configure installs; where it is not, as many networks are made up.
const PACKAGED = fileURLToPath(new URL('../../node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb', import.meta.url));
const ADDRESSES_LUA = fileURLToPath(new URL('addresses.lua', import.meta.url));
const NETWORKS = 4000;
const ADDRESSES = 20_000;
/** Networks of providers of several countries, the first two octets: who asks comes from anywhere in them. */
const FROM = { EC: ['186.4', '200.7', '181.196', '190.152'], CO: ['181.48', '190.24'], PE: ['200.48', '190.232'], US: ['8.8', '12.0', '23.32'], ES: ['80.24', '88.0'], BR: ['177.0', '200.128'], DE: ['84.128'], JP: ['126.0'] };

// realip takes the address from a header, for ours and the reference alike.
const config = (folder, database) => (port) => `
	access_log off;
	icert_country_database ${database};
	icert_limit_zone ours key=address rate=1000000/s burst=1000000 size=32m;
	icert_limit_zone geo key=address rate=900000/s burst=900000 size=32m;
	icert_limit_country geo EC CO PE rate=1000000/s burst=1000000;
	icert_limit_country geo US ES rate=800000/s burst=800000;
	limit_req_zone $binary_remote_addr zone=theirs:32m rate=1000000r/s;
	limit_req_zone $binary_remote_addr zone=many:32m rate=1000000r/s;
	server {
		listen 127.0.0.1:${port} backlog=1024;
		keepalive_requests 10000000;
		location /ours { icert_limit ours; bench_return text/plain ok; }
		location /reference { limit_req zone=theirs burst=1000000 nodelay; bench_return text/plain ok; }
		location /decide { icert_limit ours; limit_req zone=theirs burst=1000000 nodelay; bench_decide; }
	}
	server {
		listen 127.0.0.1:${port + 1} backlog=1024;
		keepalive_requests 10000000;
		set_real_ip_from 127.0.0.1;
		real_ip_header X-Real-IP;
		location /geo { icert_limit geo; bench_return text/plain ok; }
		location /reference { limit_req zone=many burst=1000000 nodelay; bench_return text/plain ok; }
		location /country { icert_limit geo; limit_req zone=many burst=1000000 nodelay; add_header X-Country "$icert_country $remote_addr"; bench_return text/plain ok; }
	}`;

/** The same addresses each time, spread over their networks. */
const addresses = () => {
	const networks = Object.values(FROM).flat();
	return Array.from({ length: ADDRESSES }, (_, i) => `${networks[i % networks.length]}.${(i * 167 >> 8) & 255}.${i * 167 & 255}`);
};
const invented = () => [...Object.entries(FROM).flatMap(([country, all]) => all.map((network) => [`${network}.0.0/16`, country])),
	...Array.from({ length: NETWORKS }, (_, i) => [`${100 + i % 20}.${i >> 4 & 255}.${i & 255}.0/24`, i % 2 ? 'US' : 'PE'])]
	.filter(([network], i, all) => all.findIndex(([other]) => other === network) === i);

async function withNginx(figure) {
	const folder = mkdtempSync(join(tmpdir(), 'icert-bench-limits-'));
	const database = existsSync(PACKAGED) ? PACKAGED : join(folder, 'countries.mmdb');
	if (database !== PACKAGED) writeCountries(database, invented());
	writeFileSync(join(folder, 'addresses'), `${addresses().join('\n')}\n`);
	const nginx = new Nginx(folder, config(folder, database), { workers: 1, core: CORES.worker, modules: [binary('ngx_http_bench_module.so')] });
	try {
		await nginx.start();
		return await figure(nginx.url, { many: `http://127.0.0.1:${nginx.port + 1}`, list: join(folder, 'addresses'), worker: nginx.pids()[0] });
	} finally {
		await nginx.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}

const decisions = (url) => async () => {
	const answer = await fetch(url);
	const text = await answer.text();
	if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${text}`);
	return Number(text);
};
/** They are of six countries at least, and the rate of each holds, not the policy's own. */
async function ofCountries(url) {
	const rates = { EC: 1000000, CO: 1000000, PE: 1000000, US: 800000, ES: 800000 };
	const seen = new Map();
	for (const address of addresses().filter((_, i) => i % 97 === 0)) {
		const { headers } = await fetch(`${url}/country`, { headers: { 'X-Real-IP': address } });
		const [country, taken] = headers.get('x-country').split(' ');
		if (taken !== address) throw new Error(`${address} came as ${taken}`);
		if (!headers.get('ratelimit-policy')?.startsWith(`"geo";q=${rates[country] ?? 900000};`)) throw new Error(`${address} of ${country}: ${headers.get('ratelimit-policy')}`);
		seen.set(country, (seen.get(country) ?? 0) + 1);
	}
	if (seen.size < 6 || !seen.has('EC') || !seen.has('US')) throw new Error(`countries: ${[...seen].join(' ')}`);
}

const rate = (url) => () => wrk(url, { connections: CONNECTIONS, core: CORES.client });

export const limitCost = { name: 'limit_cost', unit: 'ns', mostRatio: 1.0,
	run: ({ say }) => withNginx((url) => pairs({ ours: decisions(`${url}/decide?ours`), reference: decisions(`${url}/decide?limit_req`), say })) };
export const limitRate = { name: 'limit_rate', unit: 'requests/s', bar: 0.95,
	run: ({ say }) => withNginx((url) => pairs({ ours: rate(`${url}/ours`), reference: rate(`${url}/reference`), say })) };
/** Nanoseconds that a process has had a core (proc_pid_schedstat). */
const busy = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);

export const geoLimitRate = { name: 'geo_limit_rate', unit: 'requests/s', bar: 0.90,
	run: ({ say }) => withNginx(async (_, { many, list, worker }) => {
		await ofCountries(many);
		const spent = { '/geo': [], '/reference': [] };
		const from = (path) => async () => {
			const before = busy(worker);
			const got = await wrk(`${many}${path}`, { connections: CONNECTIONS, core: CORES.client, script: ADDRESSES_LUA, args: [list] });
			spent[path].push((busy(worker) - before) / got / 1000);
			return got;
		};
		const result = await pairs({ ours: from('/geo'), reference: from('/reference'), say });
		// Whether the worker or something else was what there was too little of, the clock alone cannot tell.
		console.log(`  µs of the worker a request: ${median(spent['/geo']).toFixed(2)}, the reference ${median(spent['/reference']).toFixed(2)}`);
		return result;
	}) };
