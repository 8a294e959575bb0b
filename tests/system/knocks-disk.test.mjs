// A full disk: documents, status files, the database's own, the spool of uploads.
// What is refused is refused before anything is half written; the edge goes on
// answering; when there is room again the work goes on.  Each folder is a small file
// system of its own, which takes root to mount.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { allUp } from '../lib/processes.mjs';
import * as files from '../lib/files.mjs';
import * as tools from '../lib/tools.mjs';
import { badFailure } from './patient.mjs';
import { addCertificates } from '../bench/certificates.mjs';
import { Applicant, expect } from './walk.mjs';

const skip = process.getuid() !== 0 && 'mounting a small file system takes root';
const sizes = { documents: '4m', status: '4m', postgres: '192m', keeper: '2m', signer: '4m' };
const mounted = [];
let icert, folder, certificate, applicant;

function mount(path, size, more = '') {
	tools.must('mount', ['-t', 'tmpfs', '-o', `size=${size}${more}`, 'icert-test', path]);
	mounted.push(path);
}

function unmount(path) {
	tools.must('umount', ['-l', path]);
	mounted.splice(mounted.indexOf(path), 1);
}

/** Runs the probe while a folder's file system is full to the last byte. */
async function full(path, probe) {
	const name = join(path, '.full');
	const fd = openSync(name, 'w');
	for (const size of [1 << 20, 4096, 1]) {
		const block = Buffer.alloc(size, 1);
		try {
			while (writeSync(fd, block) === size) continue;
		} catch (error) {
			assert.equal(error.code, 'ENOSPC');
		}
	}
	closeSync(fd);
	try {
		await probe();
		edgeAnswers(`${path} full`);
	} finally {
		rmSync(name);
	}
}

before(async () => {
	if (skip) return;
	folder = newFolder();
	const prefix = join(folder, 'instance');
	mkdirSync(prefix);
	chmodSync(prefix, 0o755);
	for (const [name, size] of Object.entries(sizes)) {
		mkdirSync(join(prefix, name));
		mount(join(prefix, name), size);
	}
	icert = await startInstance({ prefix });
	const { code, stdout, stderr } = await icert.icertctl('issue-test', '1714616123', 'ANA', 'PRUEBA');
	assert.equal(code, 0, stdout + stderr);
	certificate = icert.sql("select encode(serial, 'hex') from icert.certificate where state = 'good'");
	await until(() => icert.sql('select count(*) from icert.status_change where published_epoch is null') === '0', { what: 'the first certificate is public' });
	tools.certificateToPem(folder, 'issuer.pem', readFileSync(icert.files.issuer));
	tools.certificateToPem(folder, 'root.pem', readFileSync(icert.files.root));
	tools.put(folder, 'chain.pem', readFileSync(join(folder, 'issuer.pem'), 'utf8') + readFileSync(join(folder, 'root.pem'), 'utf8'));
	applicant = new Applicant(icert);
	await applicant.order();
	await applicant.pay();
	await applicant.begin();
	await applicant.answer();
});
after(async () => {
	applicant?.close();
	await icert?.icertctl('down');
	for (const path of [...mounted].reverse()) unmount(path);
	await icert?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

function edgeAnswers(what) {
	const { output } = tools.run('openssl', ['ocsp', '-issuer', join(folder, 'issuer.pem'), '-serial', `0x${certificate}`,
		'-url', `${icert.status}/ocsp`, '-CAfile', join(folder, 'chain.pem'), '-no_nonce']);
	assert.match(output, new RegExp(`0x${certificate}: good`, 'i'), what);
}

function isClear(page, what) {
	assert.equal(badFailure(page), undefined, `${what}: ${page.main.slice(0, 200)}`);
	assert.equal(page.status, 503, what);
}

/** Names of all files below a folder. */
const tree = (path) => readdirSync(path, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? tree(join(path, e.name)) : [join(path, e.name)])).sort();
const kinds = () => icert.sql(`select count(*) from icert.document where application_id = '${applicant.id}'`);

test('documents: an upload is refused, no part of it stays; afterwards it is taken', { skip }, async () => {
	const path = join(icert.prefix, 'documents');
	await full(path, async () => {
		const was = tree(path);
		isClear(await applicant.upload('cedula', files.cedulaPdf()), 'upload');
		assert.deepEqual(tree(path), was);
		assert.equal(kinds(), '0');
	});
	expect(await applicant.upload('cedula', files.cedulaPdf()), 303, 'afterwards');
});

test('the spool: the file is refused with a sentence beside the field', { skip }, async () => {
	const spool = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^spool = (.*)$/m)[1];
	const workers = readdirSync(spool).map((name) => join(spool, name));
	for (const dir of workers) {
		const { uid, gid, mode } = statSync(dir);
		mount(dir, '64k', `,uid=${uid},gid=${gid},mode=${(mode & 0o7777).toString(8)}`);
	}
	const all = workers.reduce((probe, dir) => () => full(dir, probe), async () => {
		const page = await applicant.upload('voting', files.votingJpeg());
		assert.equal(page.status, 507);
		assert.match(page.errors.join(), /no podemos recibir archivos/);
	});
	await all();
	for (const dir of workers) unmount(dir);
	expect(await applicant.upload('voting', files.votingJpeg()), 303, 'afterwards');
});

const good = () => Number(icert.sql("select count(*) from icert.certificate where state = 'good'"));
const waiting = () => Number(icert.sql('select count(*) from icert.status_change where published_epoch is null'));
const log = (name) => readFileSync(join(icert.prefix, `log/${name}.log`), 'utf8');

test('status files: the edge goes on with the set it has; a new certificate waits to be public', { skip }, async () => {
	await full(join(icert.prefix, 'status'), async () => {
		const { stderr } = await icert.icertctl('issue-test', '1801884519', 'EVA', 'PRUEBA');
		assert.match(stderr, /not published/);
		assert.equal(good(), 2);
		assert.equal(waiting(), 1);
		assert.match(log('publisher'), /"level":"error"/);
	});
	await until(() => waiting() === 0, { what: 'the second certificate is public' });
	edgeAnswers('status again');
});

test('a base that does not fit: the set in place stays and is whole, and there is room again afterwards', { skip }, async () => {
	const many = "octet_length(fields) = 64 and spki_sha256 = sha256(serial)";
	const place = () => readdirSync(join(icert.prefix, 'status')).sort();
	const publish = () => icert.icertctl('status', 'publish', '--base');
	addCertificates(icert, 1, 20_000, { told: false });	// 6 MB of answers into 4
	const was = place();
	const { code, stdout } = await publish();
	assert.notEqual(code, 0, stdout);
	edgeAnswers('a base that does not fit');
	await until(() => { const names = place(); return names.length <= was.length + 1 && names.includes('manifest'); }, { what: 'no half of it lies there' });
	assert.match(log('publisher'), /"code":"(base|publish)_failed"/);
	icert.sql(`set session_replication_role = replica; delete from icert.certificate where ${many}`);
	await until(async () => (await publish()).code === 0, { what: 'a base again', every: 1000, timeout: 60_000 });
	edgeAnswers('a base again');
});

test("the keeper's folder: nothing is made that could not be kept", { skip }, async () => {
	await full(join(icert.prefix, 'keeper'), async () => {
		const { code } = await icert.icertctl('issue-test', '0923456784', 'LUZ', 'PRUEBA');
		assert.notEqual(code, 0);
		assert.equal(good(), 2);
	});
});

test("the signer's journal: nothing is signed that is not written down", { skip }, async () => {
	const journal = join(icert.prefix, 'signer/journal');
	const signed = () => readFileSync(journal, 'latin1').split(/ certificate case=/).length - 1;
	await until(() => icert.sql("select count(*) from icert.certificate where state = 'issuing'") === '0', { what: 'what the keeper held up' });
	const before = good();
	await full(join(icert.prefix, 'signer'), async () => {
		await icert.icertctl('issue-test', '1710034065', 'SOL', 'PRUEBA');
		assert.equal(good(), before);
		assert.equal(signed(), before);
		assert.ok(readFileSync(journal, 'latin1').endsWith('\n'), 'no torn line stays');
	});
	await until(() => good() === before + 1, { what: 'the certificate that waited' });
	assert.equal(signed(), before + 1);
});

test('PostgreSQL: every page says so, the edge answers, and nothing that was told as kept is lost', { skip }, async () => {
	const form = (await applicant.client.get(`/solicitud/${applicant.id}/telefono`)).form(/telefono$/);
	let kept, refused;
	await full(join(icert.prefix, 'postgres'), async () => {
		for (let n = 0; n < 200 && !refused; n++) {
			const telephone = `09${String(10000000 + n)}`;
			const page = await form.send({ telephone });
			if (page.status === 303) kept = telephone;
			else refused = page;
			// What is written ahead fills one file after the other.
			icert.psql('select pg_switch_wal()');
		}
		assert.ok(refused, 'it was never full');
		isClear(refused, 'form');
		for (const path of ['/mi-tramite', `/tramite/${applicant.id}`])
			assert.equal(badFailure(await applicant.client.get(path)), undefined, path);
	});
	await until(async () => (await applicant.see()).status === 200, { what: 'the portal again' });
	await allUp(icert);
	assert.equal(kinds(), '2');
	if (kept) assert.match((await applicant.client.visit(`/solicitud/${applicant.id}/telefono`)).html, new RegExp(kept.slice(1)));
	expect(await applicant.save('telefono', { telephone: '0987654321' }), 200, 'afterwards');
	expect(await applicant.upload('utility', files.billPng()), 303, 'utility');
	await applicant.submit();
	assert.equal(icert.sql(`select state from icert.application where id = '${applicant.id}'`), 'submitted');
});
