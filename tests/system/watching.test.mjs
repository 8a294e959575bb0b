// What whoever watches an instance has: where a request comes from, in the access log and in the audit row of a log-in; one id that
// joins the edge's line, the program's lines and the page a person sees; metrics, with the sample dashboard that shows them.
// The instance gets a database of its own that knows the loopback.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import https from 'node:https';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { checkout, newFolder, startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { writeCountries } from '../lib/mmdb.mjs';
import { multipart } from '../lib/multipart.mjs';
import { frozen } from '../lib/processes.mjs';
import * as tools from '../lib/tools.mjs';
import { Operator } from './walk.mjs';

const dashboard = JSON.parse(readFileSync(new URL('../../conf/grafana/icert.json', import.meta.url), 'utf8'));

let icert;

const metrics = async () => (await fetch(`${icert.state}/metrics`)).text();
const lines = (name) => readFileSync(join(icert.prefix, 'log', name), 'utf8').split('\n').filter((text) => text.startsWith('{')).map((text) => JSON.parse(text));
const accessLine = (id) => until(() => lines('access.log').find(({ request }) => request === id), { what: `a line of request ${id}` });
const ID = /^[0-9a-f]{32}$/;

before(async () => {
	icert = await startInstance();
	shipped = await metrics();
	await icert.down();
	writeCountries(join(icert.prefix, 'etc/country.mmdb'), [['127.0.0.0/8', 'EC'], ['::1/128', 'PE']]);
	await icert.up();
});
let shipped;
after(() => icert?.stop());

test('an instance begins with the country data that was installed', () => {
	const epoch = Number(/^icert_country_database_epoch_seconds (\d+)$/m.exec(shipped)[1]);
	assert.ok(epoch > Date.UTC(2024, 0) / 1000, `${epoch}`);
	assert.match(shipped, /^icert_country_database_refused 0$/m);
});

test('the access log names the country, and no address', async () => {
	await (await fetch(`${icert.status}/ca/raiz.cer`)).arrayBuffer();
	const line = await until(() => [...lines('access.log'), ...lines('status.log')].findLast((entry) => entry.country === 'EC'), { what: 'a line from EC' });
	assert.equal(line.net, '127.0.0.0/24');
});

test('the audit row of a log-in names the country', async () => {
	const page = await new Operator(icert, 'auditor').signIn();
	assert.equal(page.status, 200);
	const rows = icert.sql("select country from icert.audit where action like '%login%' or action like '%log_in%'").split('\n');
	assert.ok(rows.length > 0 && rows.every((country) => ['EC', 'PE'].includes(country)), `countries: ${rows}`);
});

test('without the package of countries an instance starts, and everybody is from nowhere it knows', async () => {
	const folder = newFolder();
	let bare;
	try {
		const program = checkout(join(folder, 'icert'));
		rmSync(join(folder, 'icert/node_modules/@ip-location-db'), { recursive: true });
		bare = await startInstance({ program });
		const [, file] = /^\s*icert_country_database (\S+)/m.exec(readFileSync(join(bare.prefix, 'etc/nginx.conf'), 'utf8'));
		assert.ok(!existsSync(file), file);
		assert.equal((await new Operator(bare, 'auditor').signIn()).status, 200);
		const told = await (await fetch(`${bare.state}/metrics`)).text();
		for (const name of ['epoch_seconds', 'refused']) assert.match(told, new RegExp(`^icert_country_database_${name} 0$`, 'm'));
		assert.equal(prometheus(told).series.get('icert_limit_requests_total{policy="abroad",result="passed"}'), 0);
		assert.equal(bare.sql("select distinct country from icert.audit where action like '%login%' or action like '%log_in%'"), 'unknown');
		const asked = await until(() => { const all = readFileSync(join(bare.prefix, 'log/access.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line)); return all.length > 1 && all; }, { what: 'lines of the log-in' });
		assert.deepEqual([...new Set(asked.map(({ country }) => country))], ['unknown']);
	} finally {
		await bare?.stop();
		rmSync(folder, { recursive: true, force: true });
	}
});

// Whatever a client calls an id.
const forged = { 'X-Request-ID': 'forged', 'Request-Id': 'forged', 'ICERT-Request-ID': 'forged', 'ICERT_REQUEST_ID': 'forged', 'HTTP-ICERT-REQUEST-ID': 'forged', 'X-Correlation-ID': 'forged', 'Traceparent': `00-${'f'.repeat(32)}-${'f'.repeat(16)}-01` };
const reference = (page) => /mencione la referencia (\S+?) ?\./.exec(page.main)?.[1];

for (const [program, table, path, base] of [['portal', 'tariff', '/tarifas', 'portal'], ['desk', 'staff', '/entrar', 'desk']]) {
	test(`${program}: the page of a failure, the edge's line and every line of the program have one id`, async () => {
		const client = new Client({ base: icert[base], ca: icert.ca, headers: forged });
		const ids = new Set();
		const form = program === 'desk' ? (await client.get(path)).forms[0] : undefined;
		const ask = () => (form ? form.send({ user: 'nadie', password: 'ninguna', code: '000000' }) : client.get(path));
		const before = lines(`${program}.log`).length;
		icert.sql(`alter table icert.${table} rename to ${table}_away`);
		try {
			for (let n = 0; n < 2; n++) {
				const page = await ask();
				assert.ok(page.status >= 500, `${page.status} ${page.main}`);
				assert.match(reference(page) ?? page.main, ID);
				ids.add(reference(page));
				const at = await accessLine(reference(page));
				assert.equal(at.status, page.status);
				assert.equal(at.program, 'nginx');
			}
		} finally {
			icert.sql(`alter table icert.${table}_away rename to ${table}`);
			client.close();
		}
		assert.equal(ids.size, 2, 'each request has its own');
		// The programs ask about nothing by themselves: what they wrote meanwhile is about these two.
		const wrote = await until(() => { const all = lines(`${program}.log`).slice(before); return [...ids].every((id) => all.some(({ request }) => request === id)) && all; }, { what: `lines of ${program}` });
		for (const line of wrote) assert.ok(ids.has(line.request), JSON.stringify(line));
		assert.ok(!JSON.stringify(wrote).includes('forged'));
	});
}

test('webhook: a refused notification is found by the edge\'s id', async () => {
	const before = lines('webhook.log').length;
	const client = new Client({ base: icert.portal, ca: icert.ca, headers: forged });
	const { status } = await client.post('/avisos/demo', '{"forged":true}', { headers: { 'Content-Type': 'application/json' } });
	client.close();
	assert.ok(status >= 400 && status < 500, `${status}`);
	const line = await until(() => lines('webhook.log').slice(before).find(({ code }) => code === 'notice_refused'), { what: 'the refusal' });
	assert.match(line.request, ID);
	assert.equal((await accessLine(line.request)).status, status);
	for (const each of lines('webhook.log').slice(before)) assert.equal(each.request, line.request, JSON.stringify(each));
});

test('a live answer that failed is found by the edge\'s id; what is stored went out', async () => {
	const { stdout } = await icert.icertctl('issue-test', '1710034065', 'Ana', 'Paz');
	const chain = join(icert.prefix, 'ca/public/chain.pem'), certificate = stdout.split('\n')[0];
	const thaw = frozen(icert, 'status-signer');
	let failed;
	try {
		const { output } = tools.run('openssl', ['ocsp', '-issuer', chain, '-CAfile', chain, '-cert', certificate, '-nonce', '-url', `${icert.status}/ocsp`]);
		assert.match(output, /: good/);
		failed = await until(() => lines('ocsp.log').find(({ code }) => code === 'live_failed'), { what: 'why' });
	} finally {
		await thaw();
	}
	assert.match(failed.request, ID);
	const line = await until(() => lines('status.log').find(({ request }) => request === failed.request), { what: 'the edge\'s line' });
	assert.equal(line.status, 200);
});

test('without a program the edge\'s own page says the id of its line', async () => {
	const socket = join(icert.run, 'portal.fcgi');
	const client = new Client({ base: icert.portal, ca: icert.ca, headers: forged });
	renameSync(socket, `${socket}.away`);
	try {
		const page = await client.get('/');
		assert.equal(page.status, 503);
		assert.match(reference(page) ?? page.main, ID);
		assert.equal((await accessLine(reference(page))).status, 503);
		const json = await client.get('/', { headers: { Accept: 'application/json' } });
		assert.equal(json.status, 503);
		assert.equal(json.headers['retry-after'], '10');
		const { reference: id, ...problem } = JSON.parse(json.body);
		assert.deepEqual(problem, { type: 'about:blank', title: 'Service Unavailable', status: 503, reason: 'http_503', field: '' });
		assert.equal((await accessLine(id)).reason, 'http_503');
		assert.notEqual(id, reference(page));
	} finally {
		renameSync(`${socket}.away`, socket);
		client.close();
	}
});

/** Prometheus' text: { series: Map of the name with its labels → value, types: Map of name → type }; throws for a line that is none. */
function prometheus(text) {
	const types = new Map(), series = new Map(), helps = new Set();
	for (const line of text.trimEnd().split('\n')) {
		const help = /^# HELP ([a-z_]+) [A-Z][^\\]*\.$/.exec(line);
		if (help) {
			assert.ok(!types.has(help[1]) && !helps.has(help[1]), `${help[1]} is explained twice, or late`);
			helps.add(help[1]);
			continue;
		}
		const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
		if (type) {
			assert.ok(!types.has(type[1]), `${type[1]} is declared twice`);
			assert.ok(helps.has(type[1]), `${type[1]} is explained`);
			types.set(type[1], type[2]);
			continue;
		}
		const one = /^(([a-z_]+)(?:\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})?) (NaN|[0-9.]+)$/.exec(line);
		assert.ok(one, `not a line of Prometheus' text: ${line}`);
		assert.ok(types.has(one[2]), `${one[2]} comes before its type`);
		assert.ok(!series.has(one[1]), `${one[1]} stands twice`);
		series.set(one[1], Number(one[3]));
	}
	return { types, series };
}

test('metrics are Prometheus\' text, and the same series before anything happened and after', async () => {
	const first = prometheus(shipped), now = prometheus(await metrics());
	assert.deepEqual([...now.series.keys()], [...first.series.keys()]);
	for (const [name, type] of now.types) assert.equal(type === 'counter', name.endsWith('_total'), name);
	const states = [...now.series].filter(([name]) => name.startsWith('icert_status_state{'));
	assert.equal(states.length, 5);
	assert.deepEqual(states.filter(([, value]) => value === 1).map(([name]) => name), ['icert_status_state{state="fresh"}']);
	const version = [...now.series.keys()].find((name) => name.startsWith('icert_edge_info{'));
	assert.match(version, /version="\d+\.\d+\.\d+"/);
});

test('every metric and label of the sample dashboard is one that is counted, and the other way round', async () => {
	const { types, series } = prometheus(await metrics());
	const shown = new Set();
	const labels = (name) => new Set([...series.keys()].filter((key) => key.startsWith(`${name}{`)).flatMap((key) => [...key.matchAll(/([a-z_]+)="/g)].map(([, label]) => label)));
	const expressions = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map(({ expr, legendFormat }) => ({ expr, legendFormat })));
	assert.ok(expressions.length > 10);
	for (const { expr, legendFormat } of expressions) {
		const names = [...expr.matchAll(/\b(icert_[a-z_]+)\b/g)].map(([, name]) => name);
		assert.ok(names.length > 0 || /^up\{/.test(expr), expr);
		for (const name of names) {
			assert.ok(types.has(name), `${name} in ${expr}`);
			assert.equal(/_total$/.test(name), new RegExp(`(rate|increase)\\(${name}\\b`).test(expr), `a counter is shown as a rate: ${expr}`);
			shown.add(name);
		}
		const known = new Set(['instance', ...names.flatMap((name) => [...labels(name)])]);
		for (const [, label] of [...expr.matchAll(/[{,] ?([a-z_]+)(?:=|!)/g), ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/, */).map((label) => [0, label])), ...legendFormat.matchAll(/\{\{([a-z_]+)\}\}/g)])
			assert.ok(known.has(label), `${label} in ${expr} ${legendFormat}`);
	}
	assert.deepEqual([...types.keys()].filter((name) => !shown.has(name)), [], 'counted and not shown');
});

test('who comes from abroad is counted with his country, who is at home is not; a refusal says once when to come again', async () => {
	const passed = async (policy) => prometheus(await metrics()).series.get(`icert_limit_requests_total{policy="${policy}",result="passed"}`);
	const room = prometheus(await metrics()).series.get('icert_limit_keys_room{policy="abroad"}');
	assert.ok(room >= 250, `room for ${room} countries`);
	const agent = new https.Agent({ keepAlive: true, maxSockets: 16 });
	const ask = (host, path = '/nada') => new Promise((resolve, reject) => {
		https.get({ host, port: icert.portBase, path, family: host.includes(':') ? 6 : 4, rejectUnauthorized: false, agent }, (res) => { res.resume(); res.on('end', () => resolve(res)); }).on('error', reject);
	});
	const before = await passed('abroad');
	await ask('127.0.0.1');
	assert.equal(await passed('abroad'), before);
	const six = Object.values(networkInterfaces()).flat().some(({ address }) => address === '::1');
	if (six) {
		await ask('::1');
		assert.equal(await passed('abroad'), before + 1);
	}
	const refused = await until(async () => (await Promise.all(Array.from({ length: 64 }, () => ask('127.0.0.1')))).find((res) => res.statusCode === 429), { what: 'a refusal', every: 0 });
	agent.destroy();
	const heads = refused.rawHeaders.filter((name, i) => i % 2 === 0 && /^retry-after$/i.test(name));
	assert.equal(heads.length, 1);
	assert.match(refused.headers['content-type'], /^text\/html/);
	// The desk has a measure of its own.
	const desk = await new Client({ base: icert.desk, ca: icert.ca }).get('/entrar');
	assert.equal(desk.status, 200);
	assert.match(desk.headers.ratelimit, /^"desk";r=1\d\d;/);
});

// Whatever a stranger writes wherever he can: his name is in it, and in no log afterwards.
test('nothing personal gets into a log: not by a path, a query, a header, a method, a name of a server, a form or a file', async () => {
	const name = 'Zutanito', mail = `${name}@ejemplo.ec`;
	/** Octets as they are, to a port: what came back, until the server closed. */
	const raw = (port, text, secure) => new Promise((resolve, reject) => {
		const socket = secure ? tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, servername: `${name}.ejemplo.ec` }) : net.connect(port, '127.0.0.1');
		let got = '';
		socket.on('data', (data) => { got += data; }).on('error', reject).on('close', () => resolve(got));
		socket.write(text);
	});
	const http = [`GET /caso/${name}?correo=${mail}&codigo=${name} HTTP/1.1`, `${name.toUpperCase()}-1 /${name} HTTP/1.1`, `${name.toUpperCase()} /${name} HTTP/1.1`, `GET //${name}@x/../../${name} HTTP/9.9`, name,
		`GET /${name.repeat(5000)} HTTP/1.1`, `GET /static/${name} HTTP/1.1`, `POST /avisos/${name}?${mail} HTTP/1.1`, `GET /crl/${name} HTTP/1.1`, `GET /ocsp/${name} HTTP/1.1`, `GET /envio?envio=${name} HTTP/1.1`,
		`GET http://${mail}/${name} HTTP/1.1`, `CONNECT ${name}:443 HTTP/1.1`];
	const headers = [`Host: ${name}.ejemplo.ec`, `User-Agent: ${mail}`, `Referer: https://${name}/${mail}`, `Cookie: ${name}=${mail}; icert=${name}`, `X-Forwarded-For: ${name}`, `From: ${mail}`, `Authorization: Basic ${btoa(`${mail}:${name}`)}`,
		`Content-Type: text/${name}`, 'Content-Length: 0', 'Connection: close', '', ''].join('\r\n');
	const ports = [[icert.portBase, true], [icert.portBase + 1, true], [icert.portBase + 2, false], [icert.portBase + 5, false]];
	const before = lines('access.log').length;
	for (const [port, secure] of ports)
		for (const line of http) {
			const got = await raw(port, `${line}\r\n${headers}`, secure);
			assert.match(got, /^HTTP\/1\.[01] \d{3}\b|^$|^<html>/, `${port} ${line.slice(0, 80)}: ${got.slice(0, 200)}`);
		}
	for (const base of ['portal', 'desk']) {
		const client = new Client({ base: icert[base], ca: icert.ca });
		const { contentType, body } = multipart([{ name, data: Buffer.from(mail) }, { name: `file-${name}`, filename: `${name}.pdf`, data: Buffer.from(`%PDF-${mail}`) }]);
		assert.ok((await client.request('POST', `/${name}`, { body, headers: { 'Content-Type': contentType } })).status >= 400);
		if (base === 'desk') await (await client.get('/entrar')).forms[0].send({ user: mail, password: name, code: '000000' });
		client.close();
	}
	const hook = new Client({ base: icert.portal, ca: icert.ca });
	await hook.post('/avisos/demo', JSON.stringify({ name, mail }), { headers: { 'Content-Type': 'application/json' } });
	hook.close();
	// A last one, whose line is in the log when all the others are.
	const last = await fetch(`${icert.status}/crl/nada`);
	await last.arrayBuffer();
	const fixed = { time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/, program: /^nginx$/, request: ID, net: /^(127\.0\.0\.0\/24|::\/48)$/, country: /^(EC|PE|unknown)$/, server: /^\d+$/, method: /^([A-Z]{3,7}|other|)$/,
		status: /^\d{3}$/, reason: /^[a-z_0-9]*$/, limit: /^[A-Z_]*$/, bytes: /^\d+$/, seconds: /^[\d.]+$/ };
	await until(() => lines('access.log').length >= before + 2 * http.length && lines('status.log').length >= http.length, { what: 'a line of each' });
	const wrote = [...lines('access.log'), ...lines('status.log')];
	for (const line of wrote) {
		assert.deepEqual(Object.keys(line), Object.keys(fixed));
		for (const [key, pattern] of Object.entries(fixed)) assert.match(String(line[key]), pattern, `${key} of ${JSON.stringify(line)}`);
	}
	assert.ok(wrote.some(({ method }) => method === 'other'));
	const folder = join(icert.prefix, 'log');
	for (const log of readdirSync(folder)) {
		const text = readFileSync(join(folder, log), 'latin1');
		const at = text.search(new RegExp(`${name}|${btoa(mail).slice(0, 10)}`, 'i'));
		assert.equal(at, -1, `${log}: ${text.slice(Math.max(0, at - 200), at + 100)}`);
	}
});
