// make bench: every figure, or ONLY=name,name.  One JSON line each in build/bench.jsonl, a table, and the same as rows of
// Markdown in build/bench.md.  Interrupted, it ends what it has started.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine } from './machine.mjs';
import { ROUNDS, ROUNDS_NEEDED } from './pairs.mjs';
import * as ocspGet from './ocsp_get.mjs';
import * as ocspPost from './ocsp_post.mjs';
import * as ocspP99 from './ocsp_p99.mjs';
import * as ocspNonce from './ocsp_nonce.mjs';
import { storeBytes1m } from './store_bytes.mjs';
import { resignP256, resignRsa2048 } from './resign.mjs';
import * as revokeP99 from './revoke_p99.mjs';
import * as publishFaults from './publish_faults.mjs';
import * as portalPage from './portal_page.mjs';
import { notifyP99, notifyRate } from './notify.mjs';
import * as notifyToPage from './notify_to_page.mjs';
import * as issueRate from './issue_rate.mjs';
import * as contractRate from './contract_rate.mjs';
import * as deadlineSweep from './deadline_sweep.mjs';
import * as reconcile from './reconcile.mjs';
import { uploadCpu, uploadRate } from './uploads.mjs';
import { refusalBytes, slowSenders, uploadMemory } from './floods.mjs';
import { geoLimitRate, limitCost, limitRate } from './limits.mjs';
import { firstStart, laterStart } from './starts.mjs';

const figures = [ocspGet, ocspPost, ocspP99, ocspNonce, storeBytes1m, resignP256, resignRsa2048, revokeP99, publishFaults,
	portalPage, notifyRate, notifyP99, notifyToPage, issueRate, contractRate, deadlineSweep, reconcile, uploadRate, uploadCpu, uploadMemory, limitCost, limitRate,
	geoLimitRate, refusalBytes, slowSenders, firstStart, laterStart];
const build = (name) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const only = process.env.ONLY?.split(',');
const chosen = figures.filter((f) => !only || only.includes(f.name));
if (chosen.length === 0) {
	console.error(`ONLY is one of: ${figures.map((f) => f.name).join(' ')}`);
	process.exit(2);
}
// What was started ends with the process (tests/lib/instance.mjs).
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

const short = (x) => (x >= 100 || x === 0 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(3));
const range = (r) => `${r.ratio.toFixed(3)} [${r.low.toFixed(3)}, ${r.high.toFixed(3)}]`;
const barOf = (f) => (f.bar ? `≥ ${f.bar.toFixed(2)}` : f.mostRatio ? `≤ ${f.mostRatio.toFixed(2)}` : `≤ ${f.most} ${f.unit}`);
const reaches = (f, r) => (f.bar ? r.ratio >= f.bar : f.mostRatio ? r.ratio <= f.mostRatio : r.ours <= f.most);

async function measure(f) {
	const say = (round, got) => console.log(`  ${String(round).padStart(2)}  ${Object.entries(got).map(([who, x]) => `${who} ${short(x)}`).join('   ')}`);
	try {
		return await f.run({ say });
	} catch (error) {
		// The others are measured all the same.
		console.error(`  ${error.stack ?? error}`);
		return undefined;
	}
}

function row(f, r) {
	if (!r) return [f.name, '–', '–', '–', '–', barOf(f), 'FAILED'];
	const alone = r.ratio === undefined;
	appendFileSync(build('bench.jsonl'), `${JSON.stringify({
		name: f.name, ours: r.ours, reference: alone ? null : r.reference, ratio: alone ? null : r.ratio,
		low: alone ? null : r.low, high: alone ? null : r.high, unit: f.unit,
	})}\n`);
	const word = !reaches(f, r) ? 'MISSED' : !alone && ROUNDS < ROUNDS_NEEDED ? 'too few rounds' : 'reached';
	return [f.name, `${short(r.ours)} ${f.unit}`, alone ? '–' : short(r.reference), alone ? '–' : range(r), alone ? '–' : range(r.control), barOf(f), word];
}

mkdirSync(build(''), { recursive: true });
writeFileSync(build('bench.jsonl'), '');
const rows = [];
for (const f of chosen) {
	console.log(`\n${f.name}`);
	rows.push(row(f, await measure(f)));
}

const head = ['figure', 'ours', 'reference', 'ratio [95 %]', 'reference ÷ itself', 'bar', ''];
const widths = head.map((h, i) => Math.max(h.length, ...rows.map((cells) => cells[i].length)));
console.log('');
for (const cells of [head, ...rows]) console.log(cells.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd());
writeFileSync(build('bench.md'), `${machine()}\n\n${[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`);
console.log('\nbuild/bench.md has the table and this machine for docs/performance.md');
process.exit(rows.every((cells) => cells.at(-1) === 'reached') ? 0 : 1);
