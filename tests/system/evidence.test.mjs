// The evidence package of a filed contract and the receipt of the log: what they hold, who gets them, and that `icertctl … verify`
// finds each kind of tampering with no instance running.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { icertctlRun, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as pdf from '../lib/pdf.mjs';
import * as tools from '../lib/tools.mjs';
import { Director, Operator, expect, holder, issued } from './walk.mjs';

let icert, folder, walked, other, zip, receipt;
const people = [];
const keep = (one) => { people.push(one); return one; };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// Everything a verifier brings along, copied before the instance is gone.
const pinned = () => ['--root', join(folder, 'raiz.cer'), '--key', join(folder, 'auditoria'), '--keys', join(folder, 'pins')];
const verify = (file, ...args) => icertctlRun(['evidence', 'verify', file, ...args]);
const verifyReceipt = (file, ...args) => icertctlRun(['receipt', 'verify', file, ...args]);

function unpack(file, into) {
	rmSync(into, { recursive: true, force: true });
	mkdirSync(into, { recursive: true });
	execFileSync('python3', ['-m', 'zipfile', '-e', file, into]);
	return into;
}

const files = (dir, at = '') => readdirSync(join(dir, at), { withFileTypes: true }).flatMap((e) =>
	e.isDirectory() ? files(dir, `${at}${e.name}/`) : [`${at}${e.name}`]);

function pack(dir) {
	const out = `${dir}.zip`;
	rmSync(out, { force: true });
	execFileSync('python3', ['-c', 'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], "w")\n'
		+ 'for n in sys.argv[3:]: z.write(sys.argv[2] + "/" + n, n)\nz.close()', out, dir, ...files(dir)]);
	return out;
}

/** The package with something changed; the list of sums is made to fit unless it is what was changed. */
function changed(name, change, { resum = true } = {}) {
	const dir = unpack(zip, join(folder, name));
	const manifest = join(dir, 'manifiesto.json');
	const edit = (file, by) => writeFileSync(join(dir, file), by(readFileSync(join(dir, file))));
	const json = (file, by) => edit(file, (b) => { const v = JSON.parse(b); by(v); return JSON.stringify(v); });
	change({ dir, edit, json, flip: (file, at) => edit(file, (b) => { b[at < 0 ? b.length + at : at] ^= 1; return b; }) });
	if (resum) {
		const m = JSON.parse(readFileSync(manifest));
		m.files = Object.fromEntries(files(dir).filter((f) => f !== 'manifiesto.json').map((f) => [f, sha256(readFileSync(join(dir, f)))]));
		writeFileSync(manifest, JSON.stringify(m));
	}
	return pack(dir);
}

async function broken(file, says, args = []) {
	const { code, stdout, stderr } = await verify(file, ...args);
	assert.equal(code, 1, stdout + stderr);
	assert.match(stdout, says, stdout);
	assert.match(stdout, /NO se sostiene/);
	return stdout;
}

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	walked = await issued(icert);
	const { applicant } = walked;
	keep(applicant), keep(walked.operator);
	const identity = await holder(applicant, walked.code, folder);
	const signed = pdf.sign(await applicant.contract(), identity, { pades: true });
	expect(await applicant.sendContract(signed), 200, 'signed');
	const director = keep(new Director(icert));
	expect(await director.signIn(), 200, 'director');
	await director.open(applicant.number);
	expect(await director.sendSigned(pdf.sign(await director.download(), director.identity(folder))), 200, 'countersigned');
	await until(() => icert.sql(`select state from icert.application where id = '${applicant.id}'`) === 'active', { what: 'the contract to be filed' });
	cpSync(icert.files.root, join(folder, 'raiz.cer'));
	cpSync(join(icert.prefix, 'audit/auditoria.pub'), join(folder, 'auditoria.pub'));
	cpSync(join(icert.prefix, 'pins'), join(folder, 'pins'), { recursive: true });
});
after(async () => {
	for (const one of people) one.close();
	await icert?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

test('the applicant downloads the package; the disk has no readable octet of it', async () => {
	const page = await walked.applicant.see();
	const file = await page.click(/expediente de evidencia/);
	assert.equal(file.headers['content-type'], 'application/zip');
	zip = tools.put(folder, 'evidencia.zip', file.body);
	const [name, hash] = icert.sql("select file || ' ' || encode(sha256, 'hex') from icert.document where kind = 'evidence'").split(' ');
	assert.equal(hash, sha256(file.body));
	const stored = readFileSync(join(icert.prefix, 'documents', name.slice(0, 2), name));
	assert.ok(!stored.includes('contrato.pdf') && !stored.includes('PK'.concat('\u0003\u0004')));
	assert.match(icert.sql("select detail from icert.audit where action = 'evidence.keep'"), new RegExp(hash));
});

test('the national office and the auditor get it, recorded; the operator and another applicant do not', async () => {
	const { applicant } = walked;
	for (const login of ['central', 'auditor']) {
		const person = keep(new Operator(icert, login));
		expect(await person.signIn(), 200, login);
		const page = await person.client.visit(`/caso/${applicant.id}`);
		assert.deepEqual((await page.click(/expediente de evidencia/)).body, readFileSync(zip));
	}
	assert.equal(icert.sql("select count(*) from icert.audit a join icert.document d on d.id::text = a.subject where d.kind = 'evidence' and a.actor_kind = 'staff'"
		+ " and a.action <> 'evidence.keep'"), '2');
	assert.equal((await walked.operator.client.visit(`/caso/${applicant.id}/evidencia.zip`)).status, 403);
	other = await issued(icert, { id_number: '1714616123', ruc: '1714616123001' });
	keep(other.applicant), keep(other.operator);
	for (const path of ['evidencia.zip', 'constancia.json'])
		assert.equal((await other.applicant.client.visit(`/tramite/${applicant.id}/${path}`)).status, 404, path);
	assert.equal((await other.applicant.client.visit(`/tramite/${other.applicant.id}/evidencia.zip`)).status, 404, 'nothing filed yet');
});

test('the receipt of one case has its rows and no other\'s', async () => {
	const file = await (await walked.applicant.see()).click(/constancia/);
	assert.equal(file.headers['content-type'], 'application/json');
	receipt = tools.put(folder, 'constancia.json', file.body);
	const said = JSON.parse(file.body);
	assert.equal(said.rows.length, Number(icert.sql(`select count(*) from icert.audit where case_id = '${walked.applicant.id}' and leaf <= ${said.rows.at(-1).leaf}`)));
	assert.ok(said.rows.every((r) => r.row[9] === walked.applicant.id));
	assert.ok(said.rows.some((r) => r.row[2] === 'evidence.keep'));
	for (const one of [other.applicant.email, walked.applicant.email, 'Operadora']) assert.ok(!file.body.includes(one), one);
});

test('with the instance gone both verify, and say in Spanish what was looked at', async () => {
	const { prefix } = icert;
	await icert.stop();
	icert = undefined;
	assert.ok(!existsSync(prefix));
	const { code, stdout, stderr } = await verify(zip, ...pinned());
	assert.equal(code, 0, stdout + stderr);
	for (const says of [/Archivos: los \d+ están completos/, /las firmas del titular y de la dirección/, /Raíz, huella SHA-256: [0-9a-f]{64}/, /Respuesta OCSP: firmada/,
		/Lista de revocados: firmada/, /Lista de la raíz/, /exactamente esos datos/, /otra persona emitió/, /se generó para este trámite/, /filas del trámite/, /de otra entidad; con él se firmó/,
		/es auténtico y está completo/]) assert.match(stdout, says);
	assert.ok(stdout.includes(sha256(readFileSync(join(folder, 'raiz.cer')))));
	assert.doesNotMatch(stdout, /\{|evidence\.|evidence_fault/);
	assert.equal((await verify(zip)).code, 0, 'without pins too');
	const said = await verifyReceipt(receipt, '--key', join(folder, 'auditoria'));
	assert.equal(said.code, 0, said.stdout + said.stderr);
	assert.match(said.stdout, /Solicitud enviada/);
	assert.doesNotMatch(said.stdout, /: [a-z_]+\.[a-z_]+ \(hoja/, 'every act has its Spanish name');
});

test('its parts are what other programs verify', () => {
	const dir = unpack(zip, join(folder, 'parts'));
	const at = (name) => join(dir, name);
	assert.equal(tools.must('pdfsig', ['-nocert', at('contrato.pdf')]).match(/Signature is Valid/g)?.length, 2);
	const pem = (name) => { const out = `${at(name)}.pem`; tools.must('openssl', ['x509', '-inform', 'DER', '-in', at(name), '-out', out]); return out; };
	const [root, issuer, cert] = ['certificados/raiz.cer', 'certificados/emisora.cer', 'certificados/titular.cer'].map(pem);
	tools.must('openssl', ['verify', '-CAfile', root, '-untrusted', issuer, cert]);
	const chain = tools.put(dir, 'chain.pem', Buffer.concat([readFileSync(root), readFileSync(issuer)]));
	assert.match(tools.must('openssl', ['ocsp', '-respin', at('estado/titular.ocsp'), '-issuer', issuer, '-sha256', '-cert', cert, '-CAfile', chain]), /good/);
	tools.must('openssl', ['crl', '-inform', 'DER', '-in', at('estado/emisora.crl'), '-CAfile', chain, '-noout']);
	const keeper = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), readFileSync(at('claves/aprobaciones.pub'))]), format: 'der', type: 'spki' });
	for (const name of ['titular', 'operador']) {
		const b = readFileSync(at(`aprobaciones/${name}.bin`));
		assert.ok(keeper && b.length > 64);
	}
});

test('every octet of every member is covered: any one changed is found', async () => {
	const dir = unpack(zip, join(folder, 'all'));
	for (const file of files(dir)) {
		if (file === 'manifiesto.json') continue;
		const at = Math.floor(readFileSync(join(dir, file)).length / 2);
		await broken(changed('octet', ({ flip }) => flip(file, at), { resum: false }), new RegExp(`${file.replace(/[.]/g, '\\.')} no es el que se guardó`));
	}
	await broken(changed('less', ({ dir: d }) => rmSync(join(d, 'estado/emisora.crl')), { resum: false }), /Falta estado\/emisora\.crl/);
	await broken(changed('more', ({ dir: d }) => writeFileSync(join(d, 'nota.txt'), 'x'), { resum: false }), /nota\.txt sobra/);
	const cut = tools.put(folder, 'cut.zip', readFileSync(zip).subarray(0, 4000));
	await broken(cut, /No es un archivo ZIP/);
});

test('with the sums made to fit, each kind of tampering is found where it is', async () => {
	const swap = (dir, a, b) => { const x = readFileSync(join(dir, a)); const y = readFileSync(join(dir, b)); writeFileSync(join(dir, a), y); writeFileSync(join(dir, b), x); };
	const forger = generateKeyPairSync('ed25519');
	const raw = forger.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
	const resigned = (b) => Buffer.concat([b.subarray(0, b.length - 64), sign(null, b.subarray(0, b.length - 64), forger.privateKey)]);
	const self = join(folder, 'self');
	mkdirSync(self, { recursive: true });
	tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', join(self, 'k.pem'), '-out', join(self, 'c.cer'), '-outform', 'DER', '-days', '30', '-subj', '/C=EC/CN=otra']);
	const forged = readFileSync(join(self, 'c.cer'));
	const cases = [
		['contract', ({ flip }) => flip('contrato.pdf', 900), /✗ Contrato\n/],
		['appended', ({ edit }) => edit('contrato.pdf', (b) => Buffer.concat([b, Buffer.from('\n%%EOF\n')])), /✗ Contrato\n/],
		['original', ({ json }) => json('manifiesto.json', (m) => { m.original.octets -= 1; }), /✗ Contrato\n/],
		['holder', ({ edit }) => edit('certificados/titular.cer', () => forged), /✗ Contrato\n[\s\S]*✗ Certificado del titular/],
		['director', ({ edit }) => edit('certificados/direccion.cer', () => forged), /✗ Contrato\n/],
		['issuer', ({ edit }) => edit('certificados/emisora.cer', () => forged), /✗ Certificado del titular/],
		['root', ({ edit }) => edit('certificados/raiz.cer', () => forged), /✗ Certificado del titular/],
		['ocsp signature', ({ flip }) => flip('estado/titular.ocsp', 200), /✗ Respuesta OCSP/],
		['ocsp is the crl', ({ dir }) => swap(dir, 'estado/titular.ocsp', 'estado/emisora.crl'), /✗ Respuesta OCSP[\s\S]*✗ Lista de revocados/],
		['ocsp later', ({ json }) => json('manifiesto.json', (m) => { m.made_at += 3 * 86400; }), /✗ Respuesta OCSP\n +La respuesta no es del momento/],
		['crl later', ({ json }) => json('manifiesto.json', (m) => { m.made_at += 9 * 86400; }), /✗ Lista de revocados\n +La lista no es del momento/],
		['made before', ({ json }) => json('manifiesto.json', (m) => { m.made_at -= 86400; }), /✗ Aprobaciones\n +Una aprobación no es de los días/],
		['crl signature', ({ flip }) => flip('estado/emisora.crl', -3), /✗ Lista de revocados/],
		['lists exchanged', ({ dir }) => swap(dir, 'estado/raiz.crl', 'estado/emisora.crl'), /✗ Lista de revocados[\s\S]*✗ Lista de la raíz/],
		['fields', ({ json }) => json('datos.json', (d) => { d.address = 'OTRA'; }), /✗ Datos aceptados[\s\S]*✗ Aprobaciones\n +Una aprobación es de otros datos/],
		['approval signature', ({ flip }) => flip('aprobaciones/titular.bin', -1), /✗ Aprobaciones\n +Una aprobación no está firmada/],
		['approvals exchanged', ({ dir }) => swap(dir, 'aprobaciones/titular.bin', 'aprobaciones/operador.bin'), /✗ Aprobaciones\n +Una aprobación es de otra clase/],
		['approval missing', ({ dir }) => rmSync(join(dir, 'aprobaciones/operador.bin')), /✗ Aprobaciones\n +Falta una aprobación/],
		['another case', ({ json }) => json('manifiesto.json', (m) => { m.case = '00000000-0000-4000-8000-000000000000'; }), /✗ Registro de auditoría\n +Las filas son de otro trámite[\s\S]*otro trámite/],
		['key word', ({ flip }) => flip('aprobaciones/clave.bin', -1), /✗ Clave\n/],
		['row edited', ({ json }) => json('auditoria.json', (a) => { a.rows[2].row[2] = 'application.other'; }), /✗ Registro de auditoría\n +La fila de la hoja \d+ no es la que está/],
		['row moved', ({ json }) => json('auditoria.json', (a) => { a.rows.reverse(); }), /✗ Registro de auditoría\n +La fila de la hoja \d+ está fuera de orden/],
		['row invented', ({ json }) => json('auditoria.json', (a) => { const r = structuredClone(a.rows.at(-1)); r.leaf += 1; a.rows.push(r); }), /✗ Registro de auditoría/],
		['head', ({ json }) => json('auditoria.json', (a) => { a.head = a.head.replace(/\n(\d+)\n/, (m, n) => `\n${Number(n) + 1}\n`); }), /✗ Registro de auditoría\n +La cabeza/],
		['countersigning left out', ({ json }) => json('auditoria.json', (a) => { a.rows = a.rows.filter((r) => r.row[2] !== 'application.countersign'); }), /✗ Registro de auditoría\n +Al registro le falta/],
	];
	for (const [what, change, says] of cases) await broken(changed('case', change), says).catch((e) => { e.message = `${what}: ${e.message}`; throw e; });
	// A whole set of statements by another key holds by itself, and not against the keys one knows.
	const all = changed('keys', ({ edit }) => {
		edit('claves/aprobaciones.pub', () => raw);
		for (const name of ['titular', 'operador']) edit(`aprobaciones/${name}.bin`, resigned);
	});
	assert.equal((await verify(all)).code, 0);
	await broken(all, /✗ Aprobaciones\n +La clave pública no es la que usted indicó/, pinned());
	const rootless = tools.put(folder, 'otra.cer', forged);
	await broken(zip, /✗ Certificado del titular[^\n]*\n +La raíz no es la que usted indicó/, ['--root', rootless]);
	writeFileSync(join(folder, 'mine.pub'), forger.publicKey.export({ format: 'pem', type: 'spki' }));
	await broken(zip, /✗ Registro de auditoría\n +La clave del registro no es/, ['--key', join(folder, 'mine')]);
});

test('a receipt: edit, another head, another case, a form that is none', async () => {
	const said = JSON.parse(readFileSync(receipt));
	const put = (name, change) => { const v = structuredClone(said); change(v); return tools.put(folder, name, Buffer.from(JSON.stringify(v))); };
	const cases = [
		[put('r1.json', (v) => { v.rows[0].row[3] = 'refused'; }), /La fila de la hoja \d+ no es la que está/],
		[put('r2.json', (v) => { v.rows[0].leaf += 1; }), /La fila|fuera de orden/],
		[put('r3.json', (v) => { v.rows[1].row[9] = '00000000-0000-4000-8000-000000000000'; }), /es de otro trámite/],
		[put('r4.json', (v) => { v.head = v.head.replace(/time \d+/, 'time 1'); }), /La cabeza/],
		[put('r5.json', (v) => { v.rows[1].proof = []; }), /no es la que está/],
		[put('r6.json', (v) => { delete v.rows; }), /forma/],
		[tools.put(folder, 'r7.json', Buffer.from('{')), /forma/],
	];
	for (const [file, says] of cases) {
		const { code, stdout } = await verifyReceipt(file);
		assert.equal(code, 1, file);
		assert.match(stdout, says, file);
	}
	assert.equal((await verifyReceipt(join(folder, 'nothing'))).code, 2);
});
