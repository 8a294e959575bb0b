// The desk against wrong input and wrong people: the right status, one Spanish
// sentence that says what to do, nothing typed lost, nothing of another province seen.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, applicant, operator;
const open = [];
const keep = (person) => { open.push(person); return person; };

before(async () => {
	icert = await startInstance();
	applicant = keep(new Applicant(icert));
	operator = keep(new Operator(icert));
	await applicant.apply();
	expect(await operator.signIn(), 200);
	await operator.find(applicant.number);
});
after(async () => {
	for (const person of open) person.close();
	await icert?.stop();
});

async function signedIn(login) {
	const person = keep(new Operator(icert, login));
	expect(await person.signIn(), 200, login);
	person.path = operator.path;
	return person;
}

/** One sentence: it begins with a capital, ends with a point, and shows nothing of the inside. */
function sentence(page, status, words = /./) {
	assert.equal(page.status, status, page.main.slice(0, 300));
	assert.equal(page.errors.length, 1, `${page.errors} ${page.main.slice(0, 300)}`);
	assert.match(page.errors[0], /^[¿A-ZÁÉÍÓÚÑ].*\.$/);
	assert.match(page.errors[0], words);
	assert.doesNotMatch(page.main, /ICERT_E|icert\.|SQLSTATE|\.c:|\/var\/|\/dev\/shm/);
	return page;
}

/** A form that the page no longer shows, sent all the same with the token of another. */
async function force(person, path, values = {}, from = '') {
	const page = await person.see(from);
	const token = page.html.match(/name="_csrf" value="([^"]+)"/)[1];
	const version = page.html.match(/name="version" value="([^"]+)"/)?.[1] ?? '1';
	const body = new URLSearchParams({ _csrf: token, version, ...values }).toString();
	const answer = await person.client.post(person.path + path, body, { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
	return answer.status === 303 ? answer.follow() : answer;
}

test('log-in: which part was wrong is never told; five wrong ones in a quarter of an hour close the door', async () => {
	const account = icert.staff('operador.guayas');
	const stranger = keep(new Client({ base: icert.desk, ca: icert.ca }));
	const enter = async (user, password, code) => (await stranger.visit('/entrar')).form(/entrar/).submit({ user, password, code });
	const said = [];
	said.push(sentence(await enter('nadie', account.password, '123456'), 422).errors[0]);
	said.push(sentence(await enter(account.login, 'otra-clave', '123456'), 422).errors[0]);
	said.push(sentence(await enter(account.login, account.password, '000000'), 422).errors[0]);
	assert.equal(new Set(said).size, 1, 'one sentence for all');
	sentence(await enter(account.login, '', ''), 422, /Escriba su usuario/);
	for (let n = 0; n < 3; n++) await enter(account.login, 'otra-clave', '123456');
	const closed = sentence(await enter(account.login, account.password, await icert.totp(account.login)), 429, /quince minutos/);
	assert.ok(Number(closed.headers['retry-after']) > 0);
	assert.equal(closed.form(/entrar/).value('user'), account.login, 'the name stays');
	assert.equal(closed.form(/entrar/).value('password') ?? '', '', 'the password does not');
});

test('the session: its cookie, its headers, its end on the server; a code used once', async () => {
	const person = keep(new Operator(icert, 'central'));
	const account = person.account;
	const page = await person.client.visit('/');
	assert.match(page.path, /^\/entrar/);
	const code = await icert.totp(account.login);
	const inside = await page.form(/entrar/).submit({ user: account.login, password: account.password, code });
	expect(inside, 200);
	const cookie = person.client.jar.get('__Host-icert-desk');
	for (const flag of ['secure', 'httponly']) assert.ok(flag in cookie.attributes, flag);
	assert.equal(cookie.attributes.samesite, 'Strict');
	assert.match(inside.headers['content-security-policy'], /default-src 'none'/);
	assert.doesNotMatch(inside.headers['content-security-policy'], /unsafe/);
	assert.match(inside.headers['cache-control'], /no-store/);

	const other = keep(new Client({ base: icert.desk, ca: icert.ca }));
	const replayed = await (await other.visit('/entrar')).form(/entrar/).submit({ user: account.login, password: account.password, code });
	sentence(replayed, 422);

	const secret = cookie.value;
	await inside.form(/salir/).submit();
	const stolen = keep(new Client({ base: icert.desk, ca: icert.ca, headers: { Cookie: `__Host-icert-desk=${secret}` } }));
	assert.equal((await stolen.get('/casos')).status, 303, 'logged out on the server too');
});

test('a form without its token, from another site or with a stranger\'s token is refused', async () => {
	const page = await operator.see();
	const { entries, action } = page.form(/tomar$/).entries();
	const send = (fields, options = {}) => operator.client.post(action, new URLSearchParams(fields).toString(),
		{ ...options, headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...options.headers } });
	assert.equal((await send(entries.filter(([name]) => name !== '_csrf'))).status, 403);
	assert.equal((await send(entries, { origin: false, headers: { Origin: 'https://otro.example' } })).status, 403);
	assert.equal((await send(entries.map(([name, value]) => [name, name === '_csrf' ? 'A'.repeat(43) : value]))).status, 403);
	assert.match((await operator.see()).main, /Por tomar/);
});

test('another province\'s case, its papers and its acts are not there', async () => {
	await operator.take();
	const paper = new URL((await operator.see()).link(/^Cédula/)).pathname;
	const cookieOf = async (login) => signedIn(login);
	// The door of Guayas is closed after the first test; it opens for another address only, so its director looks.
	const director = await cookieOf('director.guayas');
	for (const path of ['', '/corregir', '/cita', '/identificacion', '/emitir', '/emitido'])
		assert.ok([403, 404].includes((await director.client.get(operator.path + path)).status), path);
	const guayas = keep(new Applicant(icert, { province: '9', city: 'Guayaquil', id_number: '0923456784', ruc: '0923456784001' }));
	await guayas.apply();
	const central = await signedIn('central');
	await central.find(guayas.number);
	const theirs = central.path;
	const theirPaper = new URL((await central.see()).link(/^Cédula/)).pathname;
	for (const path of [theirs, `${theirs}/corregir`, `${theirs}/cita`, `${theirs}/identificacion`, `${theirs}/documento/face`, theirPaper, `${theirPaper}/descarga`, `${theirPaper}/imagen`]) {
		const page = await operator.client.get(path);
		assert.equal(page.status, 404, path);
		assert.match(page.heading, /No encontramos/);
	}
	// Another case's paper under the own case's address.
	assert.equal((await operator.client.get(`${operator.path}/archivo/${theirPaper.split('/').at(-1)}/descarga`)).status, 404);
	for (const act of ['/tomar', '/admitir', '/soltar', '/codigo', '/devolver']) {
		const other = Object.assign(Object.create(Object.getPrototypeOf(operator)), operator);
		const token = (await operator.see()).html.match(/name="_csrf" value="([^"]+)"/)[1];
		const answer = await other.client.post(theirs + act, new URLSearchParams({ _csrf: token, version: '3' }).toString(), { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
		assert.equal(answer.status, 404, act);
	}
	// A search by cédula finds nothing of theirs either, and no cédula is in an address.
	const found = await (await operator.client.visit('/casos')).form('Buscar').submit({ buscar: '0923456784' });
	assert.equal(found.path, '/casos');
	assert.match(found.main, /No hay un trámite/);
	const own = await (await operator.client.visit('/casos')).form('Buscar').submit({ buscar: applicant.data.id_number });
	assert.ok(own.main.includes(applicant.number));
	assert.equal((await operator.client.visit('/casos?lista=todos')).main.includes(guayas.number), false);
	assert.ok(paper.startsWith(operator.path));
});

test('each office has its own pages and no other', async () => {
	const cases = ['/casos', operator.path];
	const pages = { finanzas: '/finanzas', administrador: '/personal', 'director.pichincha': '/contratos' };
	for (const [login, own] of Object.entries(pages)) {
		const person = await signedIn(login);
		assert.equal((await person.client.visit('/')).path.split('?')[0], own);
		for (const path of [...cases, `${operator.path}/emitir`, ...Object.values(pages).filter((p) => p !== own), '/registro'])
			assert.equal((await person.client.get(path)).status, 403, `${login} ${path}`);
	}
	assert.equal((await operator.client.get('/registro')).status, 403);
	const auditor = await signedIn('auditor');
	assert.equal((await auditor.client.get(operator.path)).status, 200);
	for (const path of ['/corregir', '/cita', '/identificacion', '/emitir', '/documento/face'])
		assert.equal((await auditor.client.get(operator.path + path)).status, 403, path);
});

test('a correction without a reason and a rejection without one are not sent; what was typed stays', async () => {
	sentence(await operator.observe({}), 422, /motivo/);
	const long = await (await operator.see('/corregir')).form(/corregir$/).submit({ 'form.address': 'x'.repeat(600), 'form.city': 'Escriba la ciudad.' });
	assert.equal(long.status, 422);
	assert.equal(long.form(/corregir$/).value('form.city'), 'Escriba la ciudad.');
	const rejection = await (await operator.see('/rechazar')).form(/rechazar$/).submit({ words: 'Porque sí.' });
	sentence(rejection, 422, /Escoja el motivo/);
	assert.equal(rejection.form(/rechazar$/).value('words'), 'Porque sí.');
	assert.doesNotMatch(rejection.main, /porque el que/);
	assert.match((await operator.see()).main, /En revisión/);
});

test('a form sent after the session has ended is kept, and sent when the person is back', async () => {
	const page = await operator.see('/contacto');
	// The same session is ended from another window.
	const { entries, action } = (await operator.see()).form(/salir/).entries();
	const cookies = operator.client.jar.header(page.url);
	const window = keep(new Client({ base: icert.desk, ca: icert.ca, headers: { Cookie: cookies } }));
	assert.equal((await window.post(action, new URLSearchParams(entries).toString(), { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })).status, 303);
	const late = await page.form(/contacto$/).submit({ channel: 'telephone', outcome: 'later', note: 'Pidió que le llamen el «lunes» & el martes.' });
	assert.equal(late.status, 401);
	assert.match(late.main, /no se perdió/);
	const wrong = await late.form(/entrar/).submit({ user: operator.account.login, password: 'otra-clave', code: '123456' });
	sentence(wrong, 422);
	const back = await wrong.form(/entrar/).submit({ user: operator.account.login, password: operator.account.password, code: await icert.totp(operator.account.login) });
	expect(back, 200);
	assert.match(back.path, /aviso=desk-noted/);
	assert.match(back.main, /Pidió que le llamen el «lunes» & el martes\./);
	// Only what may wait is sent again, whatever the page says.
	const other = keep(new Client({ base: icert.desk, ca: icert.ca }));
	const login = (await other.visit('/entrar')).form(/entrar/);
	const forged = await login.submit({ user: operator.account.login, password: operator.account.password, code: await icert.totp(operator.account.login), replay: `${operator.path}/admitir`, 'k.version': '3' });
	assert.equal(forged.path.split('?')[0], '/casos');
	assert.match((await operator.see()).main, /En revisión/);
});

test('an old page cannot overwrite what happened since', async () => {
	const old = await operator.see();
	await operator.accept();
	const late = await old.form(/soltar$/).submit();
	sentence(late, 409, /así está ahora/);
	assert.match(late.main, /Aceptada/);
	// The same button once more is no other wish: it ends where it did.
	assert.match(expect(await old.form(/admitir$/).submit(), 200).main, /Aceptada/);
});

test('an hour that has passed, no link, a link that is not https: named, and the rest stays', async () => {
	sentence(await operator.propose({ ahead: -7200 }), 422, /ya pasó/);
	const insecure = sentence(await operator.agree({ meeting: 'http://sala.example/abc' }), 422, /https:/);
	assert.equal(insecure.form(/cita$/).value('meeting'), 'http://sala.example/abc');
	assert.equal(insecure.form(/cita$/).value('minutes'), '30');
	sentence(await operator.agree({ meeting: 'https://sala.example/"><script>' }), 422);
	sentence(await operator.agree({ hour: '25:99' }), 422, /hora de inicio/);
	sentence(await operator.agree({ ahead: 86400 * 90 }), 422, /lejana/);
	sentence(await (await operator.see('/contacto')).form(/contacto$/).submit({ channel: 'telephone', note: 'No contesta.' }), 422, /resultado/);
	expect(await operator.agree(), 200);
});

test('the face: 599 × 500, empty, a program, a PDF, too large, cut, before a dark wall', async () => {
	const refuse = async (file, status, words) => sentence(await operator.upload('face', file), status, words);
	await refuse(files.photoSmall(), 422, /600 por 500/);
	await refuse(files.empty('captura.jpg', 'image/jpeg'), 415, /vacío/);
	await refuse(files.renamedExe('captura.jpg', 'image/jpeg'), 415, /no es PDF, JPEG ni PNG/);
	await refuse(files.cedulaPdf(), 422);
	await refuse({ ...files.truncatedJpeg() }, 422);
	await refuse({ filename: 'grande.jpg', type: 'image/jpeg', data: Buffer.concat([files.photo().data, Buffer.alloc(5 << 20)]) }, 413);
	sentence(await (await operator.see('/documento/face')).form(/documento/).send({}), 422, /Escoja un archivo/);
	await refuse(files.photoDark(), 422, /fondo/);
	assert.match((await operator.see('/identificacion')).main, /la captura del rostro/, 'nothing of it was kept');
	const overridden = await operator.upload('face', files.photoDark(), { override: 'La persona está en un hospital.' });
	assert.equal(overridden.status, 303);
	const viewer = await (await operator.see()).click(/^Captura/);
	for (const words of ['La persona está en un hospital.', applicant.data.id_number, 'JOSÉ MARÍA MUÑOZ PEÑAFIEL']) assert.ok(viewer.main.includes(words), words);
	assert.match((await operator.see('/identificacion')).main, /se aceptó con un motivo/);
	assert.equal((await operator.upload('face', files.photo())).status, 303);
	// The applicant's own pages never show it.
	assert.equal((await applicant.client.get(`/tramite/${applicant.id}/documento/face`)).status, 404);
});

test('a second cédula that cannot be taken', async () => {
	for (const [file, status] of [[files.tooLarge(), 413], [files.encryptedPdf(), 422], [files.activePdf(), 422], [files.textAsPdf(), 415]])
		sentence(await operator.upload('second_cedula', file), status);
	assert.equal((await operator.upload('second_cedula', files.cedulaPdf())).status, 303);
});

test('identification is not done with something missing, whatever is sent', async () => {
	const wrong = await (await operator.see('/identificacion')).form(/sobre$/).submit({ envelope: '1700000099' });
	sentence(wrong, 422, /no es el número/);
	assert.equal(wrong.form(/sobre$/).value('envelope'), '1700000099');
	sentence(await force(operator, '/identificacion/hecha'), 422, /Falta algo/);
	await operator.tickAll();
	await operator.confirmEnvelope();
	sentence(await force(operator, '/identificacion/hecha'), 422, /Falta algo/);
	await (await operator.see('/identificacion')).form(/consentimiento$/).submit();
	// A tick taken back is missing again.
	const form = (await operator.see('/identificacion')).form(/puntos$/);
	await form.submit({ face: null });
	sentence(await force(operator, '/identificacion/hecha'), 422);
	await operator.tickAll();
	expect(await (await operator.see('/identificacion')).form(/hecha$/).submit(), 200);
});

test('no certificate before the applicant has accepted the exact fields, nor with a wrong or used code', async () => {
	sentence(await force(operator, '/emitir', { code: await icert.totp(operator.account.login) }, '/emitir'), 422, /todavía no acepta/);
	expect(await applicant.acceptFields(), 200);
	sentence(await operator.see('/emitir').then((p) => p.form(/emitir$/).submit({ code: '' })), 422, /seis dígitos/);
	sentence(await operator.see('/emitir').then((p) => p.form(/emitir$/).submit({ code: '12345a' })), 422, /seis dígitos/);
	sentence(await operator.see('/emitir').then((p) => p.form(/emitir$/).submit({ code: '000000' })), 422, /no es correcto/);
	const central = await signedIn('central');
	assert.equal((await central.client.get(`${operator.path}/emitir`)).status, 403, 'who may see every case may still not issue');
	expect(await operator.issue(), 200);
	await operator.openingCode();
});

test('one open application a person: the second is refused at acceptance', async () => {
	const again = keep(new Applicant(icert));
	await again.apply();
	const desk = Object.assign(Object.create(Object.getPrototypeOf(operator)), operator);
	const page = await desk.find(again.number);
	assert.match(page.main, /otra solicitud abierta/);
	await desk.take();
	sentence(await desk.accept(), 409, /ya tiene otra solicitud/);
});

test('nobody decides their own case', async () => {
	const self = keep(new Applicant(icert, { id_number: operator.account.cedula, ruc: `${operator.account.cedula}001`, surname1: 'Operadora' }));
	await self.apply();
	const desk = Object.assign(Object.create(Object.getPrototypeOf(operator)), operator);
	await desk.find(self.number);
	sentence(await desk.take(), 403, /propio trámite/);
	sentence(await force(desk, '/admitir'), 409);
});

test('refusals are on the log', async () => {
	const auditor = await signedIn('auditor');
	const journal = await until(async () => {
		const page = await auditor.client.visit('/registro');
		return /trámite propio/.test(page.main) && page;
	}, { what: 'the refusal' });
	assert.match(journal.main, /rechazado/);
	assert.doesNotMatch(journal.main, new RegExp(`${operator.account.cedula}|MUÑOZ`));
});
