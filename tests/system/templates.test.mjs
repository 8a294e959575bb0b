// The contract's text, edited at the desk: a draft, faults by line, what it will look like, and a second
// administrator's approval.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as tools from '../lib/tools.mjs';
import { Operator, expect, issued } from './walk.mjs';

let icert, folder, first, second, text, shown;
const people = [];

const sql = (query) => icert.sql(query);
const sign = async (login) => {
	const person = new Operator(icert, login);
	people.push(person);
	expect(await person.signIn(), 200, login);
	return person;
};
const editor = async (person) => (await person.client.visit('/plantilla/editar')).form(/editar$/);
const save = async (person, values) => (await editor(person)).submit(values, { button: 'save' });
const states = () => sql("select string_agg(version || ' ' || state, ', ' order by version) from icert.contract_template");
const hash = (login) => sql(`select encode(person_hash, 'hex') from icert.staff where login = '${login}'`);
const setHash = (login, hex) => sql(`update icert.staff set person_hash = '\\x${hex}' where login = '${login}'`);
const approve = async (person, version, values = {}) => {
	const page = await person.client.visit(`/plantilla/${version}`);
	return page.form(/aprobar$/).submit({ code: await icert.totp(person.account.login), ...values });
};

const as = (login, statement) => icert.asDesk(login, statement);

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
	first = await sign('administrador');
	second = await sign('administrador.segundo');
});
after(async () => {
	for (const person of people) person.close();
	await icert?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

test('the editor begins with the text that counts, and lists every variable', async () => {
	const page = await first.client.visit('/plantilla');
	assert.match(page.main, /Versión 1 vigente/);
	const form = await editor(first);
	text = form.value('text').replace(/\r/g, '');
	assert.match(text, /^# Contrato de prestación/);
	assert.equal(text.trim(), sql('select text from icert.contract_template').trim());
	for (const name of text.match(/\{[a-z_0-9]+\}/g)) assert.ok(form.page.main.includes(name), name);
});

test('every fault is said in words with its line, and nothing typed is lost', async () => {
	const wrong = text.replace('# Contrato', 'Contrato').replace('| RUC | {ruc}', '| RUC {ruc}').replace('{total}', '{totl}').replace('{due}', '{due');
	for (const button of ['save', 'preview']) {
		const page = await (await editor(first)).submit({ text: wrong }, { button });
		assert.equal(page.status, 422);
		const line = (part) => wrong.slice(0, wrong.indexOf(part)).split('\n').length;
		assert.deepEqual(page.errors.map((e) => e.match(/^Línea (\d+)/)?.[1] ?? e.match(/\{\w+\}/)?.[0]), ['1', String(line('| RUC {')), String(line('{totl}')),
			String(line('{due')), '{total}', '{due}'].map(String));
		assert.match(page.errors.join(' '), /no existe la variable \{totl\}/);
		assert.equal(page.form(/editar$/).value('text').replace(/\r/g, ''), wrong);
	}
	assert.equal(states(), '1 approved');
});

test('the preview is the contract as PDF with invented data', async () => {
	const answer = await (await editor(first)).send({ text: `${text}\n\nClausula de prueba para {name}.\n` }, { button: 'preview' });
	assert.equal(answer.status, 200);
	assert.equal(answer.headers['content-type'], 'application/pdf');
	const path = tools.put(folder, 'vista.pdf', answer.body);
	const words = tools.must('pdftotext', ['-layout', path, '-']).replace(/\s+/g, ' ');
	assert.match(words, /Clausula de prueba para MARÍA DE LOS ÁNGELES MUESTRA/);
	assert.doesNotMatch(words, /\{[a-z]/);
	assert.equal(states(), '1 approved');
});

test('a draft waits for another person; saving again replaces it and keeps the row', async () => {
	expect(await save(first, { text: `${text}\n\nOtra.\n` }), 200, 'draft');
	shown = `${text}\n\n## Octava\n\nLo convenido en la prueba.\n`;
	expect(await save(first, { text: shown }), 200, 'draft');
	expect(await save(first, { text: shown }), 200, 'the same again');
	assert.equal(states(), '1 approved, 2 replaced, 3 draft');
	const own = await first.client.visit('/plantilla/3');
	assert.ok(!own.forms.some((f) => /aprobar$/.test(f.action)), 'no button for who wrote it');
	const page = await second.client.visit('/plantilla/3');
	assert.match(page.main, /Qué cambia respecto de la versión 1/);
	assert.match(page.main, /\+ ## Octava/);
	assert.doesNotMatch(page.main, /\+ # Contrato/);
});

test('two editors: the later saving is told, with the text still in the page', async () => {
	const early = await editor(first);
	const late = await editor(second);
	expect(await late.submit({ text: `${text}\n\nDe la segunda.\n` }, { button: 'save' }), 200, 'draft');
	const answer = await early.submit({ text: `${text}\n\nDe la primera.\n` }, { button: 'save' });
	assert.equal(answer.status, 409);
	assert.match(answer.errors.join(), /versión 4/);
	const again = answer.form(/editar$/);
	assert.match(again.value('text'), /De la primera/);
	expect(await again.submit({ text: shown }, { button: 'save' }), 200, 'after reading');
	assert.equal(states(), '1 approved, 2 replaced, 3 replaced, 4 replaced, 5 draft');
});

test('one person approves nothing of their own: not by the address, nor with another account, nor in the database', async () => {
	const page = await second.client.visit('/plantilla/5');
	const values = Object.fromEntries(page.form(/aprobar$/).fields.filter(([name]) => name !== '_csrf'));
	const csrf = (await first.client.visit('/plantilla/5')).form(/retirar$/).value('_csrf');
	const forced = await first.client.post('/plantilla/5/aprobar', String(new URLSearchParams({ ...values, code: await icert.totp('administrador'), _csrf: csrf })),
		{ headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: icert.desk } });
	assert.equal(forced.status, 403);
	const mine = hash('administrador.segundo');
	setHash('administrador.segundo', hash('administrador'));
	assert.ok(!(await second.client.visit('/plantilla/5')).forms.some((f) => /aprobar$/.test(f.action)));
	const answer = await page.form(/aprobar$/).submit({ code: await icert.totp('administrador.segundo') });
	assert.equal(answer.status, 403);
	assert.match(answer.errors.join(), /misma persona con otra cuenta/);
	const tried = as('administrador.segundo', `update icert.contract_template set state = 'approved', approved_by = '${icert.staff('administrador.segundo').id}',
		approved_at = 1, effective_at = 1 where version = 5`);
	setHash('administrador.segundo', mine);
	assert.match(tried.error, /row-level security/);
	assert.match(as('administrador', "update icert.contract_template set text = 'x' where version = 5").error, /permission denied/);
	assert.match(as('administrador', 'delete from icert.contract_template where version = 2').error, /permission denied/);
	assert.match(icert.psql('delete from icert.contract_template where version = 2').error, /kept/);
	assert.match(icert.psql("update icert.contract_template set text = 'x' where version = 1").error, /written/);
	assert.equal(states(), '1 approved, 2 replaced, 3 replaced, 4 replaced, 5 draft');
	assert.equal(sql("select count(*) from icert.audit where action = 'template.approve' and outcome = 'refused'"), '2');
});

test('a wrong code, a day that has passed, or another text than was read approve nothing', async () => {
	const wrong = await (await second.client.visit('/plantilla/5')).form(/aprobar$/).submit({ code: '000000' });
	assert.equal(wrong.status, 422);
	const past = await (await second.client.visit('/plantilla/5')).form(/aprobar$/).submit({ day: '2020-01-01', code: '123456' });
	assert.equal(past.status, 422);
	assert.match(past.errors.join(), /desde mañana/);
	const other = await approve(second, 5, { seen: '00'.repeat(32) });
	assert.equal(other.status, 409);
	assert.match(other.errors.join(), /cambió mientras lo leía/);
	assert.match(states(), /5 draft/);
});

test('approved for a day: the old text counts until then', async () => {
	const day = new Date(Date.now() + 3 * 86400_000).toISOString().slice(0, 10);
	expect(await approve(second, 5, { day }), 200, 'approve');
	const page = await second.client.visit('/plantilla');
	assert.match(page.main, /Versión 1 vigente/);
	assert.match(page.main, /Versión 5 aprobada/);
	assert.match((await editor(second)).value('text'), /Octava/, 'the next draft begins with what was approved last');
	assert.deepEqual(JSON.parse(sql("select detail from icert.audit where action = 'template.approve' and outcome = 'done'")).version, 5);
});

test('approved at once: the next contract is made from it, and says so', async () => {
	shown = `${text}\n\n## Octava\n\nClausula nueva para {name}, trámite {case}.\n`;
	expect(await save(second, { text: shown }), 200, 'draft');
	expect(await approve(first, 6), 200, 'approve');
	assert.match((await first.client.visit('/plantilla')).main, /Versión 6 vigente/);
	const who = await issued(icert);
	people.push(who.applicant, who.operator);
	const page = await until(async () => {
		const p = await who.applicant.see();
		return p.links.some((a) => /contrato\.pdf$/.test(a.href)) && p;
	}, { what: 'the contract' });
	const pdf = tools.put(folder, 'contrato.pdf', (await page.click(/Descargar el contrato/)).body);
	assert.match(tools.must('pdftotext', ['-layout', pdf, '-']).replace(/\s+/g, ' '), new RegExp(`Clausula nueva para .*${who.applicant.number}`));
	assert.equal(sql('select template_version from icert.contract'), '6');
});

test('a draft given up stays as a row; others than administrators see no editor', async () => {
	expect(await save(first, { text: `${text}\n\nPara retirar.\n` }), 200, 'draft');
	expect(await (await second.client.visit('/plantilla/7')).form(/retirar$/).submit({}), 200, 'withdraw');
	assert.match(states(), /7 withdrawn$/);
	const auditor = await sign('auditor');
	assert.match((await auditor.client.visit('/plantilla')).main, /Versión 7 retirada/);
	assert.equal((await auditor.client.visit('/plantilla/editar')).status, 403);
	const central = await sign('central');
	assert.equal((await central.client.visit('/plantilla')).status, 403);
});
