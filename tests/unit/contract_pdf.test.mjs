// The contract as programs that read PDF see it: qpdf and poppler.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const maker = ['build/asan/test/documents_contract_pdf', 'build/test/documents_contract_pdf'].find(existsSync);
const folder = mkdtempSync(join(tmpdir(), 'icert-contract-'));
const file = join(folder, 'contrato.pdf');
const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8' });

before(() => {
	assert.ok(maker, 'the unit test that writes the sample is built');
	run(maker, file);
});
after(() => rmSync(folder, { recursive: true }));

test('qpdf finds nothing wrong, and nothing that acts', () => {
	assert.match(run('qpdf', '--check', file), /No syntax or stream encoding errors found/);
	const objects = JSON.stringify(JSON.parse(run('qpdf', '--json', file)));
	for (const name of ['/JavaScript', '/JS', '/AcroForm', '/OpenAction', '/AA', '/EmbeddedFile', '/Launch', '/ObjStm'])
		assert.ok(!objects.includes(`"${name}"`), name);
});

test('A4, tagged, titled, in Spanish of Ecuador', () => {
	const info = run('pdfinfo', file);
	assert.match(info, /^Title: +Contrato de prestación .* C-2026-000001-4$/m);
	assert.match(info, /^Tagged: +yes$/m);
	assert.match(info, /^Page size: .*\(A4\)$/m);
	assert.match(info, /^JavaScript: +no$/m);
	const json = JSON.stringify(JSON.parse(run('qpdf', '--json', file)));
	assert.match(json, /"\/Lang":"u:es-EC"/);
	assert.match(json, /"\/DisplayDocTitle":true/);
	assert.match(json, /"\/Alt":"u:Código QR/);
});

test('its structure: headings, a table with row headers, a list, a link', () => {
	const structure = run('pdfinfo', '-struct-text', file);
	assert.equal(structure.match(/^H1/gm).length, 1);
	assert.ok(structure.match(/^H2/gm).length >= 7);
	assert.match(structure, /Table[\s\S]*TR[\s\S]*TH[\s\S]*Scope \/Row[\s\S]*TD/);
	assert.match(structure, /^L \(block\)\n\s+LI[\s\S]*LBody/m);
	assert.match(structure, /Link/);
});

test('every page names the contract; the text can be read and searched', () => {
	const pages = run('pdftotext', '-layout', file, '-').split('\f').filter((page) => page.trim());
	assert.ok(pages.length >= 2);
	pages.forEach((page, i) => assert.match(page, new RegExp(`Contrato C-2026-000001-4 · Página ${i + 1} de ${pages.length}`)));
	const text = pages.join('\n').replace(/\s+/g, ' ');
	for (const part of ['ÑANDÚ ÁLVAREZ # MARÍA', '1710034065', 'ARCHIVO PKCS#12', '0123456789abcdef0123456789abcdef', '31,05 USD', '120 horas',
		'Ley de Comercio Electrónico', 'lunes 23 de noviembre de 2026', 'https://localhost:8443/contrato/c-2026-000001-4'])
		assert.ok(text.includes(part), part);
	assert.ok(!text.includes('RUC'), 'a row without a value is left out');
	assert.ok(!/[{}]/.test(text.replace('{x}', '')), 'no variable is left');
});
