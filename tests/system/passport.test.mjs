// Nobody decides their own case, also not under their passport: the desk, the
// database and the keeper know a member of staff by both.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

const PASSPORT = 'AX731904';
let icert, applicant, operator;

before(async () => {
	icert = await startInstance();
	applicant = new Applicant(icert, { id_kind: 'passport', id_number: PASSPORT, invoices: 'no', ruc: '', voting_paper: 'passport' });
	operator = new Operator(icert);
	await applicant.apply();
	expect(await operator.signIn(), 200, 'desk');
});
after(() => { applicant?.close(); operator?.close(); return icert?.stop(); });

test('a passport is noted for who is on the staff, and for nobody else', async () => {
	await operator.find(applicant.number);
	assert.ok((await operator.see()).forms.some((form) => /tomar$/.test(form.action)), 'anybody of the province could take it');
	assert.notEqual((await icert.icertctl('passport', 'nadie', PASSPORT)).code, 0);
	const { code, stderr } = await icert.icertctl('passport', 'operador.pichincha', 'ax-731904');
	assert.equal(code, 0, stderr);
	assert.equal(icert.sql(`select count(*) from icert.application a join icert.staff s on s.passport_hash = a.person_hash where a.id = '${applicant.id}'`), '1');
	assert.equal(icert.sql("select count(*) from icert.audit where action = 'staff.passport' and outcome = 'done'"), '1');
});

test('whose passport it is takes nothing of the case', async () => {
	const page = await operator.see();
	const take = page.forms.find((form) => /tomar$/.test(form.action));
	if (take) {
		const answer = await take.submit();
		assert.equal(answer.status, 403, answer.main.slice(0, 300));
		assert.match(answer.main, /propio|propia/);
	}
	assert.equal(icert.sql(`select state from icert.application where id = '${applicant.id}'`), 'submitted');
});

test('finance finds the order of whose passport it is, whoever pays', async () => {
	icert.sql('set session_replication_role = replica; update icert.purchase set buyer_hash = null');
	const finance = new Operator(icert, 'finanzas');
	expect(await finance.signIn(), 200, 'finanzas');
	const looks = async (text) => expect(await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: text }), 200, text);
	const number = icert.sql('select number from icert.purchase');
	for (const text of [PASSPORT, ' ax-731904 ']) assert.ok((await looks(text)).main.includes(number), text);
	assert.match((await looks('AX731905')).main, /Ninguna orden tiene/);
	finance.close();
});
