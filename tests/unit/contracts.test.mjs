// What others say of the corpus of contracts: poppler's pdfsig, PDFBox with Bouncy Castle, and openssl cms on the ranges that are
// signed.  They look at signatures one by one and know nothing of what was sent out, so they call good what we refuse; and each
// lacks something that we read.  Where one differs from us, contracts-differ.tsv gives the reason; a difference without one fails,
// and so does a reason without a difference.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const dir = mkdtempSync(join(tmpdir(), 'icert-readers-'));
const LEAST = 60;
after(() => rmSync(dir, { recursive: true }));

function run(program, args, encoding = 'utf8') {
	const { status, stdout, stderr, error } = spawnSync(program, args, { encoding, maxBuffer: 64 << 20 });
	if (error) throw error;
	return { status, stdout, stderr };
}

let cases;
before(() => {
	const made = run('node', [join(top, 'tests/lib/contracts.mjs'), dir]);
	assert.equal(made.status, 0, made.stderr);
	cases = readFileSync(join(dir, 'manifest.tsv'), 'utf8').trim().split('\n').map((line) => {
		const [name, file, , , , verdict] = line.split('\t');
		return { name, path: join(dir, file), verdict };
	});
	assert.ok(cases.length >= LEAST);
});

// Good: there is a signature, each verifies, and where a reader says so one of them reaches to the end of the file.
const readers = {
	pdfsig: () => new Map(cases.map(({ name, path }) => {
		const { stdout } = run('pdfsig', ['-nocert', path], 'latin1');
		const said = stdout.match(/- Signature Validation: .*/g) ?? [];
		return [name, said.length > 0 && said.every((s) => s.endsWith('Signature is Valid.')) && /- Total document signed/.test(stdout)];
	})),
	pdfbox() {
		const jars = ['pdfbox2', 'fontbox2', 'commons-logging', 'bcprov', 'bcpkix', 'bcutil'].map((jar) => `/usr/share/java/${jar}.jar`).join(':');
		const compiled = run('javac', ['-cp', jars, '-d', dir, join(top, 'tests/java/Signatures.java')]);
		assert.equal(compiled.status, 0, compiled.stderr);
		const { status, stdout, stderr } = run('java', ['-cp', `${jars}:${dir}`, 'Signatures', ...cases.map(({ path }) => path)]);
		assert.equal(status, 0, stderr);
		return new Map(stdout.trim().split('\n').map((line) => {
			const [file, found, good, whole] = line.split('\t');
			return [file.replace(/\.pdf$/, ''), Number(found) > 0 && found === good && whole === '1'];
		}));
	},
	openssl: () => new Map(cases.map(({ name, path }) => [name, signedRanges(readFileSync(path)).every(verifies)])),
};

/** Each ByteRange of a file with what lies in it and in the gap; one that leads nowhere is null, and so is none. */
function signedRanges(file) {
	const found = [...file.toString('latin1').matchAll(/\/ByteRange *\[ *(-?\d+) +(-?\d+) +(-?\d+) +(-?\d+)/g)].map((m) => {
		const [a, b, c, d] = m.slice(1).map(Number);
		if (a < 0 || b < 0 || c < a + b || d < 0 || c + d > file.length) return null;
		const hex = file.subarray(a + b, c).toString('latin1').match(/^<([0-9A-Fa-f]*)>$/);
		return hex && { content: Buffer.concat([file.subarray(a, a + b), file.subarray(c, c + d)]), cms: Buffer.from(hex[1], 'hex') };
	});
	return found.length > 0 ? found : [null];
}

function verifies(signed) {
	if (!signed) return false;
	writeFileSync(join(dir, 'cms'), signed.cms);
	writeFileSync(join(dir, 'content'), signed.content);
	return run('openssl', ['cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in', join(dir, 'cms'), '-content', join(dir, 'content'),
		'-out', '/dev/null']).status === 0;
}

// reader, a contract's name or the verdict that ours is, the reason.
const reasons = readFileSync(join(top, 'tests/unit/contracts-differ.tsv'), 'utf8').trim().split('\n').filter((line) => !line.startsWith('#'))
	.map((line) => {
		const [which, what, reason] = line.split('\t');
		assert.ok(reason, `contracts-differ.tsv: ${line}`);
		return { readers: which.split(','), what, used: new Set() };
	});

for (const [reader, judge] of Object.entries(readers)) {
	test(`${reader} and we agree, or it is known why not`, () => {
		const theirs = judge();
		let agreed = 0;
		for (const { name, verdict } of cases) {
			if (theirs.get(name) === (verdict === 'ok')) {
				agreed++;
				continue;
			}
			const row = reasons.find((r) => r.readers.includes(reader) && r.what === name) ??
				reasons.find((r) => r.readers.includes(reader) && r.what === verdict);
			assert.ok(row, `${reader} calls ${name} ${theirs.get(name) ? 'good' : 'bad'}, we say ${verdict}: why?`);
			row.used.add(reader);
		}
		for (const row of reasons)
			assert.ok(!row.readers.includes(reader) || row.used.has(reader), `${reader} agrees with us on ${row.what} by now`);
		assert.ok(agreed >= LEAST / 2, `${agreed} agreed`);
	});
}
