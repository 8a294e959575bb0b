// Limits against limit_req, in one nginx: what a decision costs by itself (nginx/ngx_http_bench_module.c), and what requests a second
// become of a content handler behind it, headers included, also with the country looked up and a rate for each of several.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCountries } from '../lib/mmdb.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { binary } from './instance.mjs';
import { pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

const CONNECTIONS = 32;
// One worker and who asks it, each on a core: what the scheduler does with two workers and a third process on two cores is far more than
// what a limit costs.
const CORES = availableParallelism() > 1 ? { worker: 0, client: 1 } : {};
const NETWORKS = 4000;	// around the one that asks, whose own search goes down to its last bit

const config = (folder) => (port) => `
	access_log off;
	icert_country_database ${folder}/countries.mmdb;
	icert_limit_zone ours key=address rate=1000000/s burst=1000000 size=32m;
	icert_limit_zone geo key=address rate=900000/s burst=900000 size=32m;
	icert_limit_country geo EC CO PE rate=1000000/s burst=1000000;
	icert_limit_country geo US ES rate=800000/s burst=800000;
	limit_req_zone $binary_remote_addr zone=theirs:32m rate=1000000r/s;
	server {
		listen 127.0.0.1:${port} backlog=1024;
		keepalive_requests 10000000;
		location /ours { icert_limit ours; bench_return text/plain ok; }
		location /geo { icert_limit geo; bench_return text/plain ok; }
		location /reference { limit_req zone=theirs burst=1000000 nodelay; bench_return text/plain ok; }
		location /decide { icert_limit ours; limit_req zone=theirs burst=1000000 nodelay; bench_decide; }
	}`;

const networks = () => [...Array.from({ length: NETWORKS }, (_, i) => [`${1 + i % 100}.${i >> 4 & 255}.${i & 255}.0/24`, i % 2 ? 'US' : 'PE']), ['127.0.0.1/32', 'EC']]
	.filter(([network], i, all) => all.findIndex(([other]) => other === network) === i);

async function withNginx(figure) {
	const folder = mkdtempSync(join(tmpdir(), 'icert-bench-limits-'));
	writeCountries(join(folder, 'countries.mmdb'), networks());
	const nginx = new Nginx(folder, config(folder), { workers: 1, core: CORES.worker, modules: [binary('ngx_http_bench_module.so')] });
	try {
		await nginx.start();
		return await figure(nginx.url);
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
/** The rate of the country of this address holds, not the policy's own. */
async function ofCountry(url) {
	const policy = (await fetch(`${url}/geo`)).headers.get('ratelimit-policy');
	if (!policy?.startsWith('"geo";q=1000000;')) throw new Error(`${url}/geo: ${policy}`);
}

const rate = (url) => () => wrk(url, { connections: CONNECTIONS, core: CORES.client });

export const limitCost = { name: 'limit_cost', unit: 'ns', mostRatio: 1.0,
	run: ({ say }) => withNginx((url) => pairs({ ours: decisions(`${url}/decide?ours`), reference: decisions(`${url}/decide?limit_req`), say })) };
export const limitRate = { name: 'limit_rate', unit: 'requests/s', bar: 0.95,
	run: ({ say }) => withNginx((url) => pairs({ ours: rate(`${url}/ours`), reference: rate(`${url}/reference`), say })) };
export const geoLimitRate = { name: 'geo_limit_rate', unit: 'requests/s', bar: 0.90,
	run: ({ say }) => withNginx(async (url) => {
		await ofCountry(url);
		return pairs({ ours: rate(`${url}/geo`), reference: rate(`${url}/reference`), say });
	}) };
