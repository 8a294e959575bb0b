// The contract comes back: judged from its bytes, signed by the province's director, filed, and mailed to the applicant.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { signal, units } from '../lib/processes.mjs';
import * as pdf from '../lib/pdf.mjs';
import * as tools from '../lib/tools.mjs';
import { Director, Operator, expect, holder, issued } from './walk.mjs';

let icert, folder;
const kept = {};
const open = [];

before(async () => {
	icert = await startInstance();
	folder = tools.scratch();
});
after(async () => {
	for (const one of open) one.close();
	await icert?.stop();
	if (folder) execFileSync('rm', ['-rf', folder]);
});

const later = (one) => { open.push(one); return one; };
const rows = (sql) => {
	const { ok, text, error } = icert.psql(sql);
	assert.ok(ok, error);
	return text.split('\n').filter(Boolean);
};
const state = (who) => rows(`select state from icert.application where id = '${who.id}'`)[0];

/** A case with its contract sent, and what its holder signs with. */
async function sent(data = {}, login) {
	const walked = await issued(icert, data, login);
	later(walked.applicant);
	later(walked.operator);
	const identity = await holder(walked.applicant, walked.code, folder);
	return { ...walked, identity, contract: await walked.applicant.contract() };
}

async function director(login) {
	const one = later(new Director(icert, login));
	expect(await one.signIn(), 200, 'director');
	return one;
}

const box = [300, 60, 500, 110];

/** The command that the README names, for applicants and for the samples' directors. */
function command(contract, p12, password) {
	const out = join(folder, 'contrato-firmado.pdf');
	tools.must('node', ['tests/lib/pdf.mjs', tools.put(folder, 'contrato.pdf', contract), p12, password, out]);
	return readFileSync(out);
}

test('what is not the signed contract is refused in words, kept and listed, and the clock runs on as it was', async () => {
	kept.case = await sent();
	const { applicant, identity, contract } = kept.case;
	const other = { key: join(folder, 'otra.key'), cert: join(folder, 'otra.pem') };
	tools.must('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', other.key, '-out', other.cert, '-days', '30', '-subj', '/CN=otra']);
	const due = () => Number(rows(`select due_at from icert.deadline where application_id = '${applicant.id}' and kind = 'contract_due'`)[0]);
	const first = due();
	const signed = pdf.sign(contract, identity, { visible: box });
	const update = (b, changed) => { const f = pdf.read(b); return pdf.append(b, changed(f), f); };
	const added = (dict, keys) => dict.replace(/>>\s*$/, `${keys} >>`);
	const altered = Buffer.from(contract);
	altered[altered.indexOf('stream') + 20] ^= 1;
	const attacks = [
		['unsigned', contract, /llegó sin firma/],
		['by another certificate', pdf.sign(contract, other), /otro certificado/],
		['the first revision altered', pdf.sign(altered, identity), /no es el contrato/],
		['a script added with the signature', pdf.sign(contract, identity, { change(o, n) {
			o[n.root] = added(o[n.root], '/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>');
		} }), /programa o una acción|se presenta/],
		['a page replaced after signing', update(signed, (f) => {
			const page = Number(/\/Kids\s*\[\s*(\d+)/.exec(f.object(Number(/\/Pages (\d+)/.exec(f.object(f.root))[1])))[1]);
			return { [page]: f.object(page).replace(/\/Contents \d+ 0 R/, `/Contents ${f.size} 0 R`),
				[f.size]: pdf.stream('BT /F1 12 Tf 72 720 Td (otro precio) Tj ET') };
		}), /./],
		['an annotation over the text', pdf.sign(contract, identity, { visible: box, change(o, n) {
			o[n.page] = o[n.page].replace(/\/Annots \[/, `/Annots [${n.free} 0 R `);
			o[n.free] = '<< /Type /Annot /Subtype /FreeText /Rect [50 50 500 700] /Contents (otro precio) /DA (/Helv 12 Tf) >>';
		} }), /notas, dibujos/],
		['a field filled later', update(signed, (f) => ({ [f.root]: added(f.object(f.root), '/PageMode /UseAttachments') })), /./],
		['a file attached', pdf.sign(contract, identity, { change(o, n) {
			o[n.root] = added(o[n.root], `/Names << /EmbeddedFiles << /Names [(a) ${n.free} 0 R] >> >>`);
			o[n.free] = '<< /Type /Filespec /F (a.txt) >>';
		} }), /./],
		['the range leaves octets out', pdf.sign(contract, identity, { range: (r) => [r[0], r[1], r[2], r[3] - 10] }), /no cubre todo/],
		['saved again after signing', Buffer.concat([signed, Buffer.from('\n% more\n')]), /./],
		['cut short', signed.subarray(0, signed.length - 2000), /./],
	];
	const known = await applicant.mail.list({ to: applicant.email });
	for (const [what, file, says] of attacks) {
		const page = expect(await applicant.sendContract(file), 200, what);
		assert.match(page.main, /No pudimos aceptar/, what);
		assert.match(page.main, says, `${what}: ${page.main.slice(0, 700)}`);
		assert.equal(state(applicant), 'contract_sent', what);
	}
	assert.ok(due() >= first && due() < first + 300, 'the clock waited while each was looked at, and no more');
	const copies = rows(`select state, fault from icert.contract_copy where application_id = '${applicant.id}'`);
	assert.equal(copies.length, attacks.length);
	assert.ok(copies.every((c) => c.startsWith('refused|')), copies.join());
	const page = await applicant.client.visit(`/tramite/${applicant.id}/contrato`);
	assert.equal(page.main.match(/No aceptado/g).length, attacks.length, 'each is listed');
	const mail = await applicant.mail.wait({ to: applicant.email, subject: /firma de su contrato/, known });
	assert.match(mail.text, /Devuélvalo firmado hasta el/);
	assert.doesNotMatch(mail.text, /contract_fault|\{/);
	const photograph = await applicant.client.visit(`/tramite/${applicant.id}/contrato`);
	const refused = await photograph.form(/contrato$/).submit({ file: { filename: 'foto.jpg', type: 'image/jpeg', data: Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex') } });
	assert.ok([415, 422].includes(refused.status), String(refused.status));
	assert.equal(state(applicant), 'contract_sent');
});

test('the applicant\'s signature verifies at once; PKCS#12 and envelope are destroyed, with a receipt', async () => {
	const { applicant, identity, contract } = kept.case;
	kept.signed = pdf.sign(contract, identity, { pades: true, visible: box });
	const page = expect(await applicant.sendContract(kept.signed), 200);
	assert.match(page.main, /Su firma es correcta/);
	assert.equal(state(applicant), 'contract_signed');
	const mine = await page.click(/con su firma/);
	assert.deepEqual(mine.body, kept.signed);
	await until(() => rows(`select 1 from icert.delivery d join icert.certificate c on c.id = d.certificate_id
		where c.application_id = '${applicant.id}' and d.destroyed_at is null`).length === 0 && true, { what: 'deliveries to be destroyed' });
	assert.equal(rows(`select reason from icert.audit where case_id = '${applicant.id}' and action = 'certificate.destroy_delivery'`)[0], 'contract_signed');
	assert.ok([404, 410].includes((await applicant.client.visit(`/tramite/${applicant.id}/certificado.p12`)).status));
	assert.equal(rows(`select stopped_at is not null from icert.deadline where application_id = '${applicant.id}' and kind = 'contract_due'`)[0], 't', 'the clock stands');
	assert.match((await applicant.see()).main, /aquí se destruyeron/);
});

test('the director sees the province\'s contracts and no other\'s; another file than the one to sign is refused', async () => {
	const { applicant } = kept.case;
	const here = kept.director = await director('director.pichincha');
	const page = await here.open(applicant.number);
	assert.match(page.main, /certificado registrado en su cuenta/);
	assert.deepEqual(await here.download(), kept.signed);
	const there = await director('director.guayas');
	assert.doesNotMatch((await there.queue()).main, new RegExp(applicant.number));
	for (const path of [here.path, `${here.path}/archivo`])
		assert.equal((await there.client.visit(path)).status, 404, path);
	const identity = here.identity(folder);
	const wrong = [
		['the applicant\'s alone', kept.signed, /solo la firma del titular/],
		['not the applicant\'s file', pdf.sign(pdf.sign(kept.case.contract, kept.case.identity), identity), /no comienza con el contrato que firmó el titular/],
		['another certificate', pdf.sign(kept.signed, there.identity(folder)), /otro certificado/],
		['something more', Buffer.concat([pdf.sign(kept.signed, identity), Buffer.from('\n%x\n')]), /./],
	];
	for (const [what, file, says] of wrong) {
		const answer = await here.sendSigned(file);
		assert.equal(answer.status, 422, what);
		assert.match(answer.main, says, `${what}: ${answer.main.slice(0, 500)}`);
		assert.equal(state(applicant), 'contract_signed', what);
	}
	const refused = rows(`select d.size from icert.contract_copy k join icert.document d on d.id = k.document_id
		where k.application_id = '${applicant.id}' and k.source = 'director' and k.state = 'refused' and k.fault <> '' order by k.place`);
	assert.deepEqual(refused.map(Number), wrong.map(([, file]) => file.length), 'each is kept');
	const tries = (await here.see()).main;
	assert.match(tries, /no se aceptó/);
	assert.match(tries, /no comienza con el contrato que firmó el titular/);
	assert.doesNotMatch((await applicant.client.visit(`/tramite/${applicant.id}/contrato`)).main, /no comienza con el contrato/, 'between the director and the house');
});

test('sent back by the director: the words are mailed, at least 48 hours are left, and it comes again', async () => {
	const { applicant, contract, identity } = kept.case;
	const known = await applicant.mail.list({ to: applicant.email });
	assert.equal((await kept.director.sendBack('   ')).status, 422);
	icert.moveClock(110 * 3600);	// while it waits for the director: staff's delay costs the applicant nothing
	expect(await kept.director.sendBack('La firma tapa el nombre; póngala más abajo.'), 200);
	assert.equal(state(applicant), 'contract_sent');
	const mail = await applicant.mail.wait({ to: applicant.email, subject: /devolvieron/, known });
	assert.match(mail.text, /tapa el nombre/);
	const left = Number(rows(`select due_at from icert.deadline where application_id = '${applicant.id}' and kind = 'contract_due' and stopped_at is null`)[0])
		- Math.floor(Date.now() / 1000) - 110 * 3600;
	assert.ok(left >= 48 * 3600 - 120, String(left));
	assert.match((await applicant.see()).main, /le devolvió el contrato/);
	assert.match((await applicant.client.visit(`/tramite/${applicant.id}/contrato`)).main, /tapa el nombre/);
	assert.match((await kept.director.see()).main, /Contrato enviado/, 'seen by who sent it back');
	kept.signed = pdf.sign(contract, identity, { visible: [300, 20, 500, 50] });
	assert.match(expect(await applicant.sendContract(kept.signed), 200).main, /Su firma es correcta/, 'adbe.pkcs7.detached');
});

test('signed by both it is filed, the case is active, and the copy is mailed and on the page', async () => {
	const { applicant } = kept.case;
	const known = await applicant.mail.list({ to: applicant.email });
	await kept.director.open(applicant.number);
	const both = pdf.sign(kept.signed, kept.director.identity(folder), { pades: true, visible: [60, 20, 260, 50] });
	expect(await kept.director.sendSigned(both), 200);
	await until(() => state(applicant) === 'active', { what: 'the contract to be filed' });
	const mail = await applicant.mail.wait({ to: applicant.email, subject: /dos firmas/, known });
	assert.match(mail.attachmentNames[0], /^contrato-C-\d{4}-\d{6}-\d-firmado\.pdf$/);
	assert.deepEqual(await mail.attachment(), both);
	const page = await applicant.see();
	assert.match(page.heading, /activo/i);
	assert.deepEqual((await page.click(/con las dos firmas/)).body, both);
	const path = tools.put(folder, 'both.pdf', both);
	assert.equal(tools.must('pdfsig', ['-nocert', path]).match(/Signature is Valid/g)?.length, 2);
	assert.equal(rows(`select count(*) from icert.deadline where application_id = '${applicant.id}' and kind like 'contract%' and state = 'waiting'`)[0], '0');
	assert.doesNotMatch((await kept.director.queue()).main, new RegExp(applicant.number));
});

test('the operator enters what came by mail, with its hour: not ahead, not before issuance; it counts for the deadline', async () => {
	const one = kept.byMail = await sent({ id_number: '0926687856', ruc: '0926687856001' });
	const { operator, applicant } = one;
	const now = Date.now() + 110 * 3600 * 1000;
	const at = (s) => { const t = new Date(now + (s - 5 * 3600) * 1000).toISOString(); return { day: t.slice(0, 10), hour: t.slice(11, 16) }; };
	const file = { filename: 'adjunto.pdf', type: 'application/pdf', data: pdf.sign(one.contract, one.identity) };
	const send = async (fields) => (await operator.see('/contrato')).form(/contrato$/).submit({ ...fields, file });
	assert.match(expect(await send(at(3600)), 422).main, /todavía no llega/);
	assert.match(expect(await send(at(-86400)), 422).main, /todavía no se había emitido/);
	assert.equal(expect(await send({ day: '', hour: '' }), 422).errors.length > 0, true);
	icert.moveClock((110 + 30) * 3600);	// it came in the first minute, and the operator saw it 30 hours later
	const arrived = at(120);
	expect(await send(arrived), 200);
	await until(() => state(applicant) === 'contract_signed', { what: 'the verdict' });
	const [row] = rows(`select k.source, k.arrived_at, k.uploaded_at - k.arrived_at > 29 * 3600, d.stopped_at = k.arrived_at from icert.contract_copy k
		join icert.deadline d on d.application_id = k.application_id and d.kind = 'contract_due' where k.application_id = '${applicant.id}'`);
	assert.match(row, /^mail\|\d+\|t\|t$/);
	assert.match(rows(`select detail from icert.audit where case_id = '${applicant.id}' and action = 'application.receive_contract'`)[0], /arrived_at/);
	assert.match((await operator.see('/contrato')).main, /Por correo/);
});

test('a substitute sees the queue between the dates alone, and signs with their own certificate', async () => {
	const { applicant } = kept.byMail;
	const stand = later(new Director(icert, 'operador.guayas'));
	expect(await stand.signIn(), 200);
	assert.equal((await stand.queue()).status, 403, 'not before');
	const national = later(new Operator(icert, 'central'));
	expect(await national.signIn(), 200);
	const offset = 140 * 3600;
	const at = (s) => { const t = new Date(Date.now() + (offset + s - 5 * 3600) * 1000).toISOString(); return { day: t.slice(0, 10), hour: t.slice(11, 16) }; };
	const name = async (from, to, login = 'operador.guayas') => (await national.client.visit('/contratos/sustitutos')).form(/sustitutos$/).submit({
		login, province: '17', from_day: from.day, from_hour: from.hour, to_day: to.day, to_hour: to.hour });
	assert.equal((await name(at(7200), at(3600))).status, 422, 'ends before it begins');
	assert.equal((await name(at(3600), at(7200), 'nadie')).status, 422);
	assert.match(expect(await name(at(3600), at(7200)), 200).main, /Nombrado/);
	assert.equal((await stand.queue()).status, 403, 'named, but not yet');
	icert.moveClock(offset + 3700);
	await until(async () => (await stand.queue()).status === 200, { what: 'the substitution to begin' });
	await stand.open(applicant.number);
	const both = pdf.sign(await stand.download(), stand.identity(folder));
	expect(await stand.sendSigned(both), 200);
	await until(() => state(applicant) === 'active', { what: 'filing' });
	icert.moveClock(offset + 7300);
	await until(async () => {
		const page = await stand.queue();
		return page.status !== 200 || /Entrar|contraseña/i.test(page.main);
	}, { what: 'the substitution to end' });
	assert.equal(rows("select count(*) from icert.staff_role where substitute_id is not null")[0], '0');
	const again = later(new Director(icert, 'operador.guayas'));
	expect(await again.signIn(), 200);
	assert.equal((await again.queue()).status, 403, 'not after');
	assert.deepEqual(rows("select action from icert.audit where action like 'substitute.%' and outcome = 'done' order by at_us"),
		['substitute.name', 'substitute.begin', 'substitute.over']);
});

test('nobody countersigns their own contract', async () => {
	const cedula = icert.staff('director.pichincha').cedula;
	const one = await sent({ id_number: cedula, ruc: `${cedula}001` });
	const file = pdf.sign(one.contract, one.identity);
	assert.match(expect(await one.applicant.sendContract(file), 200).main, /Su firma es correcta/);
	const self = kept.director;
	if ((await self.queue()).status !== 200 || !/Contratos por firmar/.test((await self.queue()).heading)) expect(await self.signIn(), 200);
	await self.open(one.applicant.number);
	const both = pdf.sign(await self.download(), self.identity(folder));
	const answer = await self.sendSigned(both);
	assert.equal(answer.status, 403);
	assert.match(answer.main, /El contrato es suyo/);
	assert.equal((await self.sendBack('No.')).status, 403);
	assert.equal(state(one.applicant), 'contract_signed');
	assert.ok(rows(`select 1 from icert.audit where case_id = '${one.applicant.id}' and action = 'application.countersign' and outcome = 'refused'`).length >= 1);
	kept.own = { ...one, both };
});

test('killed between its steps, the clerk finishes what it had begun; without the checker the file waits, and the page says so', async () => {
	const one = await sent({ id_number: '0602910945', ruc: '0602910945001' });
	const { applicant } = one;
	signal(units(icert).get('checker').pid, 'SIGSTOP');
	try {
		const page = expect(await applicant.sendContract(command(one.contract, one.identity.p12, one.identity.password)), 200);
		assert.match(page.main, /Estamos comprobando/);
		assert.match(page.main, /plazo está detenido/);
		assert.equal(state(applicant), 'contract_received');
	} finally {
		signal(units(icert).get('checker').pid, 'SIGCONT');
	}
	signal(units(icert).get('clerk').pid, 'SIGKILL');
	await until(() => state(applicant) === 'contract_signed', { timeout: 90_000, what: 'the verdict after all' });
	const [province] = ['director.pichincha'];
	const here = await director(province);
	await here.open(applicant.number);
	const both = command(await here.download(), here.account.p12, here.account.password);
	signal(units(icert).get('clerk').pid, 'SIGKILL');
	expect(await here.sendSigned(both), 200);
	await until(() => state(applicant) === 'active', { timeout: 90_000, what: 'filing after all' });
	assert.equal((await applicant.mail.list({ to: applicant.email, subject: /dos firmas/ })).length <= 1, true);
	await applicant.mail.wait({ to: applicant.email, subject: /dos firmas/ });
	assert.equal((await applicant.mail.list({ to: applicant.email, subject: /dos firmas/ })).length, 1, 'one copy');
});
