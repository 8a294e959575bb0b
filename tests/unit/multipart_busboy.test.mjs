// The multipart corpus as another parser reads it: busboy.  Where it reads something else than we do, tests/multipart/busboy.tsv
// says how and why; a difference that is not there fails, and so does a line that is no longer true.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import busboy from 'busboy';
import { cases } from '../lib/multipart_cases.mjs';

const table = new Map(readFileSync(new URL('../multipart/busboy.tsv', import.meta.url), 'utf8').trim().split('\n').slice(1)
	.map((line) => line.split('\t')).map(([name, how, reason]) => [name, { how, reason }]));

/** What busboy makes of a body: its parts, or null when it refuses. */
const read = ({ type, body }) => new Promise((resolve) => {
	const parts = [];
	let parser;
	try {
		parser = busboy({ headers: { 'content-type': type }, defParamCharset: 'latin1', preservePath: true });
	} catch {
		resolve(null);
		return;
	}
	parser.on('field', (name, value) => parts.push(['field', name, value]));
	parser.on('file', (name, stream, { filename }) => {
		const part = ['file', name, filename, ''];
		parts.push(part);
		stream.setEncoding('latin1').on('data', (text) => { part[3] += text; }).on('error', () => {});
	});
	parser.on('error', () => resolve(null)).on('close', () => resolve(parts));
	parser.end(body);
});

// Values are decoded as UTF-8 by busboy: ours are compared after the same.
const ours = ({ parts }) => parts.map(({ name, filename, data }) => filename !== undefined ? ['file', name.toString('latin1'), filename.toString('latin1'), data.toString('latin1')]
	: ['field', name.toString('latin1'), data.toString('utf8')]);

const difference = (one, theirs) => {
	if (one.refused) return theirs === null ? 'same' : theirs.length === 0 ? 'drops' : 'accepts';
	if (theirs === null) return 'refuses';
	try { assert.deepEqual(theirs, ours(one)); return 'same'; } catch { return 'reads'; }
};

test('busboy reads every body as we do, but for what the table explains', async (t) => {
	const all = cases().filter(({ body }) => body);
	assert.ok(all.length >= 120);
	const found = new Map();
	for (const one of all) found.set(one.name, one.passed ? 'same' : difference(one, await read(one)));
	const wrong = [...found].filter(([name, how]) => how !== (table.get(name)?.how ?? 'same')).map(([name, how]) => `${name}\t${how}\tnot ${table.get(name)?.how ?? 'same'}`);
	assert.deepEqual(wrong, [], 'differences that the table does not explain, or explains and are none');
	for (const [name, { how, reason }] of table) {
		assert.ok(found.has(name), `${name} is no case`);
		assert.ok(['accepts', 'drops', 'refuses', 'reads'].includes(how) && reason?.length > 10, `${name}: no reason`);
	}
	t.diagnostic(`${found.size} bodies, ${table.size} read otherwise by busboy`);
});
