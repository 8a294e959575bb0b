// Ten million certificates (or SOAK_CERTIFICATES): rows, a base signed of them and served, questions in no order with the page
// cache dropped and again with it, the memory of the workers.  The figures go to build/bench.jsonl, as those of `make bench` do.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { icertctlRun, startInstance } from '../lib/instance.mjs';
import { children, random, units } from '../lib/processes.mjs';
import { must } from '../lib/tools.mjs';
import { addCertificates, get, paths, questions, requests, sample, serialOf } from '../bench/certificates.mjs';
import { restart, rewrite, tool } from '../bench/instance.mjs';
import { stored } from '../bench/store_bytes.mjs';

const N = Number(process.env.SOAK_CERTIFICATES ?? 10_000_000);
const STEP = 500_000;		// rows of one statement
const ASKED = 100_000;
const SECONDS = 20;
const CONNECTIONS = 32;
const HOURS = 3 * 3600_000;
const ROW = 1500;		// octets of disk a certificate takes in rows, what is written ahead, and twice in the store
const build = fileURLToPath(new URL('../../build/', import.meta.url));
const free = () => Number(must('df', ['--output=avail', '-B1', tmpdir()]).split('\n')[1]);
const skip = free() < N * ROW ? `${tmpdir()} has no room for ${N} certificates` : freemem() < N * 150 ? 'there is no memory for the index of so many' : false;
const short = N === 10_000_000 ? '10m' : `${N / 1000}k`;
const report = (name, ours, unit) => {
	mkdirSync(build, { recursive: true });
	appendFileSync(join(build, 'bench.jsonl'), `${JSON.stringify({ name, ours, reference: null, ratio: null, low: null, high: null, unit })}\n`);
};

let icert, served = false;
before(async () => { if (!skip) icert = await startInstance(); });
after(() => icert?.stop());

/** Resident memory of a worker that is its own and no file's, in MB: of the one that has most. */
const own = () => Math.max(...children(units(icert).get('nginx').pid).map(({ pid }) =>
	Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Anonymous: +(\d+) kB/m)[1]) / 1024));

test(`${N} certificates: rows, then a base of them that is served`, { skip }, async (t) => {
	rewrite(join(icert.prefix, 'etc/icert.conf'), [/^answer_sha256 = .*/m, 'answer_sha256 = 0']);
	await restart(icert, 'publisher');
	for (let from = 1; from <= N; from += STEP) addCertificates(icert, from, Math.min(N, from + STEP - 1), { told: false });
	icert.sql('vacuum analyze icert.certificate');
	const began = Date.now();
	const { code, stdout } = await icertctlRun(['status', 'publish', '--base', '--prefix', icert.prefix], { timeout: HOURS });
	assert.equal(code, 0, stdout);
	const seconds = (Date.now() - began) / 1000;
	const bytes = stored(icert) / N;
	t.diagnostic(`served after ${seconds.toFixed(0)} s, ${bytes.toFixed(1)} octets a certificate`);
	report(`rebuild_${short}`, seconds, 's');
	report(`store_bytes_${short}`, bytes, 'octets');
	served = true;
	assert.ok(bytes > 250 && bytes <= 330, `${bytes} octets a certificate`);
});

test('questions in no order: cold, then warm', { skip }, async (t) => {
	assert.ok(served, 'nothing is served');
	const chance = random(10);
	const [pattern] = requests(icert, 1, 1);
	await sample(icert, paths(requests(icert, N - 999, N)));	// throws when one has no answer
	const list = Array.from({ length: ASKED }, () => serialOf(1 + Math.floor(chance() * N)));
	const file = questions(icert, 'random', list.map((serial) => {
		const der = Buffer.from(pattern);
		Buffer.from(serial, 'hex').copy(der, der.length - 16);
		return { request: get(`/ocsp/${paths([der])[0]}`), serial };
	}));
	const pass = async () => JSON.parse(await tool('load', [new URL(icert.status).port, file, 0, SECONDS, CONNECTIONS]));
	let dropped = true;
	try {
		must('sync', []);
		writeFileSync('/proc/sys/vm/drop_caches', '1');
	} catch (error) {
		dropped = false;
		t.diagnostic(`the page cache could not be dropped: ${error.code}`);
	}
	const cold = await pass(), warm = await pass();
	for (const [name, figures] of Object.entries({ cold, warm })) {
		t.diagnostic(`${name}: ${JSON.stringify(figures)}`);
		assert.equal(figures.broken + figures.wrong, 0, name);
	}
	if (dropped) {
		report('ocsp_cold', cold.p99 / 1000, 'ms');
		report('ocsp_cold_rate', cold.answered / SECONDS, 'answers/s');
		report('ocsp_warm', warm.p99 / 1000, 'ms');
		report('ocsp_warm_rate', warm.answered / SECONDS, 'answers/s');
	}
	const mb = own();
	t.diagnostic(`${mb.toFixed(1)} MB of a worker are its own`);
	report(`store_rss_${short}`, mb, 'MB');
	assert.ok(mb <= 64, `${mb} MB`);
});
