// What poppler's pdfsig says of the corpus of contracts.  It looks at each signature by itself and knows nothing of what was sent out, so
// it may call valid what we refuse; what we accept it must call valid as well, but for the files below, with the reason.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = mkdtempSync(join(tmpdir(), 'icert-pdfsig-'));
after(() => rmSync(dir, { recursive: true }));

const differs = {
	'pades-visible-kid': 'poppler 22.12 lists no signature whose widget is a kid of its field (ISO 32000-1, 12.7.3.1 allows it)',
	'ber-everywhere': 'NSS reads a certificate in DER alone (RFC 5280, 4.1 asks for it); brought into DER it is the one that was issued, octet by octet',
	'ber-pieces': 'the same',
	'by-key-id': 'NSS finds no signer named by key identifier in a certificate that it does not hold already (RFC 5652, 5.3 allows it)',
};

test('what we accept, pdfsig calls valid; what it calls broken, we refuse', { skip: spawnSync('pdfsig', ['-v']).error && 'pdfsig is not installed' }, () => {
	const made = spawnSync('node', ['tests/lib/contracts.mjs', dir], { encoding: 'utf8' });
	assert.equal(made.status, 0, made.stderr);
	let agreed = 0;
	for (const line of readFileSync(join(dir, 'manifest.tsv'), 'utf8').trim().split('\n')) {
		const [name, file, , , signers, verdict] = line.split('\t');
		const said = spawnSync('pdfsig', ['-nocert', join(dir, file)], { encoding: 'latin1' }).stdout;
		const valid = said.match(/Signature is Valid\./g)?.length ?? 0;
		if (name in differs)
			assert.ok(valid < signers.split(',').length, `${name}: pdfsig agrees by now`);
		else if (verdict === 'ok') {
			assert.equal(valid, signers.split(',').length, `${name}: ${said}`);
			agreed++;
		}
		if (/Digest Mismatch|Signature is Invalid/.test(said))
			assert.notEqual(verdict, 'ok', name);
	}
	assert.ok(agreed >= 18);
});
