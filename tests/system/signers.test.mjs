// Certificates with which staff sign contracts: entered by one administrator, approved by another; and what
// happens to contracts when one ends.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';
import * as tools from '../lib/tools.mjs';
import { Operator, expect } from './walk.mjs';

let icert, folder;
const people = {};

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	for (const login of ['administrador', 'administrador.segundo', 'operador.pichincha']) {
		people[login] = new Operator(icert, login);
		expect(await people[login].signIn(), 200, login);
	}
});
after(async () => {
	for (const one of Object.values(people)) one.close();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const PATH = '/personal/certificados';

function certificate(name, { key = ['rsa:2048'], more = [], days = '200' } = {}) {
	const path = join(folder, `${name}.pem`);
	tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', ...key, '-keyout', join(folder, `${name}.key`), '-out', path,
		'-days', days, '-subj', `/C=EC/CN=${name}`, '-addext', 'basicConstraints=critical,CA:FALSE', ...more]);
	return readFileSync(path, 'utf8');
}

const standing = (login) => icert.sql(`select s.subject || '|' || s.state from icert.staff_certificate s join icert.staff p on p.id = s.staff_id
	where p.login = '${login}' order by s.asked_at, s.state`).split('\n').filter(Boolean);

const ask = async (pem, login = 'director.pichincha', by = 'administrador') =>
	(await people[by].client.visit(PATH)).form(/certificados$/).submit({ login, pem });

async function decide(by, button, code) {
	const page = await people[by].client.visit(PATH);
	const form = page.forms.find((f) => /certificados\/[0-9a-f-]{36}$/.test(f.action));
	return form.submit(button === 'Aprobar' ? { code: code ?? await icert.totp(by) } : {}, { button });
}

test('what cannot sign a contract is refused in words', async () => {
	const wrong = [
		['no certificate', 'hola', /BEGIN CERTIFICATE/],
		['something else in its place', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /BEGIN CERTIFICATE/],
		['a weak key', certificate('debil', { key: ['rsa:1024'] }), /no sirve/],
		['an authority', certificate('autoridad').replace(/.*/s, () => {
			tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.pem'), '-subj', '/CN=ca', '-days', '30']);
			return readFileSync(join(folder, 'ca.pem'), 'utf8');
		}), /no sirve/],
		['for servers alone', certificate('servidor', { more: ['-addext', 'keyUsage=critical,keyEncipherment'] }), /no sirve/],
	];
	for (const [what, pem, says] of wrong) {
		const page = expect(await ask(pem), 422, what);
		assert.match(page.main, says, what);
	}
	assert.equal((await ask(certificate('bueno'), 'nadie')).status, 422);
	assert.deepEqual(standing('director.pichincha').map((s) => s.split('|')[1]), ['registered'], 'the sample stands');
	assert.equal((await people['operador.pichincha'].client.visit(PATH)).status, 403);
});

test('with a list of authorities, a certificate of no authority in it is refused; without one the page says that nobody checks', async () => {
	const inside = async () => (await people.administrador.client.visit(PATH)).main;
	assert.match(await inside(), /No hay una lista de autoridades/);
	tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', join(folder, 'raiz.key'), '-out', join(folder, 'raiz.pem'), '-subj', '/CN=raiz', '-days', '30']);
	tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-CA', join(folder, 'raiz.pem'), '-CAkey', join(folder, 'raiz.key'), '-keyout', join(folder, 'suyo.key'),
		'-out', join(folder, 'suyo.pem'), '-days', '20', '-subj', '/CN=suyo', '-addext', 'basicConstraints=critical,CA:FALSE']);
	const list = join(icert.prefix, 'etc/directores.pem');
	writeFileSync(list, readFileSync(join(folder, 'raiz.pem')));
	edit(icert, 'icert.conf', [['director_authorities =\n', `director_authorities = ${list}\n`]]);
	await restart(icert, 'desk');
	assert.doesNotMatch(await inside(), /No hay una lista de autoridades/);
	assert.match(expect(await ask(certificate('ajeno')), 422, 'of no authority').main, /no es de una autoridad de la lista/);
	expect(await ask(readFileSync(join(folder, 'suyo.pem'), 'utf8'), 'director.guayas'), 200, 'of the list');
	expect(await decide('administrador', 'Descartar'), 200, 'dropped');
	edit(icert, 'icert.conf', [[`director_authorities = ${list}\n`, 'director_authorities =\n']]);
	await restart(icert, 'desk');
});

test('one asks, another approves with a code of their own; the certificate before it ends', async () => {
	expect(await ask(certificate('nuevo')), 200);
	assert.equal((await ask(certificate('otro'))).status, 422, 'one at a time');
	const mine = await people.administrador.client.visit(PATH);
	assert.match(mine.main, /Espera aprobación/);
	assert.doesNotMatch(mine.html, />Aprobar</, 'no button for who asked');
	const form = mine.forms.find((f) => /certificados\/[0-9a-f-]{36}$/.test(f.action));
	const forced = await form.submit({ approve: '1', code: await icert.totp('administrador') });
	assert.equal(forced.status, 403, 'nor by hand');
	assert.equal((await decide('administrador.segundo', 'Aprobar', '000000')).status, 422, 'a wrong code');
	expect(await decide('administrador.segundo', 'Aprobar'), 200);
	assert.deepEqual(standing('director.pichincha').sort(), ['C = EC, CN = nuevo|registered', 'C = EC, O = "ICERT, muestra", CN = Director de Pichincha|ended'].sort());
	const audit = icert.sql("select action, outcome from icert.audit where action like 'staff.certificate%' order by at_us").split('\n');
	assert.ok(audit.includes('staff.certificate_decide|refused') && audit.includes('staff.certificate_register|done'), audit.join());
});

test('a request may be dropped, by who made it too', async () => {
	expect(await ask(certificate('tercero')), 200);
	expect(await decide('administrador', 'Descartar'), 200);
	assert.ok(standing('director.pichincha').includes('C = EC, CN = tercero|refused'));
});
