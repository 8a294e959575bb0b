// make bench: every figure, or ONLY=name.  One JSON line each in build/bench.jsonl, and a table.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ocspGet from './ocsp_get.mjs';
import * as portalPage from './portal_page.mjs';
import * as issueRate from './issue_rate.mjs';
import * as contractRate from './contract_rate.mjs';
import * as deadlineSweep from './deadline_sweep.mjs';

const figures = [ocspGet, portalPage, issueRate, contractRate, deadlineSweep];
const file = fileURLToPath(new URL('../../build/bench.jsonl', import.meta.url));
const only = process.env.ONLY;
const chosen = figures.filter((f) => !only || f.name === only);
if (chosen.length === 0) {
	console.error(`ONLY is one of: ${figures.map((f) => f.name).join(' ')}`);
	process.exit(2);
}

const short = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(3));
const range = (r) => `${r.ratio.toFixed(3)} [${r.low.toFixed(3)}, ${r.high.toFixed(3)}]`;
const rows = [];
mkdirSync(fileURLToPath(new URL('../../build', import.meta.url)), { recursive: true });
writeFileSync(file, '');
for (const figure of chosen) {
	console.log(`\n${figure.name}`);
	const say = (round, got) => console.log(`  ${String(round).padStart(2)}  ${Object.entries(got).map(([who, x]) => `${who} ${short(x)}`).join('   ')}`);
	const r = await figure.run({ say });
	const alone = r.ratio === undefined;
	const reached = figure.most ? r.ours <= figure.most : r.ratio >= figure.bar;
	appendFileSync(file, `${JSON.stringify({
		name: figure.name, ours: r.ours, reference: alone ? null : r.reference, ratio: alone ? null : r.ratio,
		low: alone ? null : r.low, high: alone ? null : r.high, unit: figure.unit,
	})}\n`);
	rows.push([figure.name, `${short(r.ours)} ${figure.unit}`, alone ? '–' : short(r.reference), alone ? '–' : range(r),
		alone ? '–' : range(r.control), figure.most ? `≤ ${figure.most}` : `≥ ${figure.bar.toFixed(2)}`, reached ? 'reached' : 'MISSED']);
}

const head = ['figure', 'ours', 'reference', 'ratio [95 %]', 'reference ÷ itself', 'bar', ''];
const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => row[i].length)));
console.log('');
for (const row of [head, ...rows]) console.log(row.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd());
process.exit(rows.some((row) => row.at(-1) === 'MISSED') ? 1 : 0);
