// A million deadlines, ten thousand of them due at once, as after a long night: how long the clerk takes until all have acted.
// Half cancel a case (state, audit row, mail), half warn (a mail to the applicant and one to the office).
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../lib/http.mjs';
import { Applicant } from '../system/walk.mjs';
import { benchInstance, family, signal } from './instance.mjs';
import { median } from './pairs.mjs';

export const name = 'deadline_sweep';
export const unit = 's';
export const most = 60;

const ALL = 1_000_000;
const DUE = 10_000;
const SWEEPS = 3;
const seedKeys = fileURLToPath(new URL('../../build/bench/seed_keys', import.meta.url));

/** Copies of a submitted case, each with a key, an order and a number of its own, and their deadlines, due a moment ago. */
const cases = (id) => `set session_replication_role = replica;
	create temporary table fresh as select gen_random_uuid() as id, k.id as key_id, row_number() over () as n from icert.data_key k
		where k.kind = 'case' and not exists (select from icert.application a where a.key_id = k.id) limit ${DUE};
	insert into icert.application (id, number, state, version, province, contact_id, purchase_id, key_id, container, kind, years, form,
		person_hash, created_at, submitted_at, state_since, closes_at)
	select f.id, 'BENCH-' || f.id, 'submitted', 1, a.province, a.contact_id, gen_random_uuid(), f.key_id, a.container, a.kind, a.years, a.form,
		sha256(f.id::text::bytea), a.created_at - 2592000, a.submitted_at - 2592000, a.state_since - 2592000,
		extract(epoch from now())::bigint + case when f.n % 2 = 0 then -60 else 172800 end
	from fresh f, icert.application a where a.id = '${id}';
	insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)
	select gen_random_uuid(), case when n % 2 = 0 then 'application_cancel' else 'application_warn' end, 'application', id, id,
		extract(epoch from now())::bigint - 60, extract(epoch from now())::bigint - 2592000 from fresh`;

/** Those that wait for later: kinds and times as a full year has them. */
const waiting = `set session_replication_role = replica;
	insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)
	select gen_random_uuid(), (array['application_cancel', 'application_warn', 'certificate_warn', 'certificate_expire', 'contract_due'])[1 + n % 5],
		case when n % 5 < 2 then 'application' else 'certificate' end, gen_random_uuid(), gen_random_uuid(),
		extract(epoch from now())::bigint + 86400 + (n * 61) % 63072000, extract(epoch from now())::bigint
	from generate_series(1, ${ALL - DUE}) n;
	analyze icert.deadline`;

export async function run({ say }) {
	const icert = await benchInstance();
	let clerk = [];
	try {
		const applicant = new Applicant(icert);
		await applicant.apply();
		applicant.close();
		icert.sql(waiting);
		icert.sql(`insert into icert.policy (key, number, valid_from) values ('breaker.ceiling_hour', 1000000, 1)
			on conflict (key, valid_from) do update set number = excluded.number`);
		const seconds = [];
		for (let sweep = 1; sweep <= SWEEPS; sweep++) {
			clerk = await family(icert, 'clerk');
			signal(clerk, 'SIGSTOP');
			await promisify(execFile)(seedKeys, [icert.prefix, String(DUE)]);
			icert.sql(cases(applicant.id));
			const began = Date.now();
			signal(clerk, 'SIGCONT');
			const left = () => Number(icert.sql('select count(*) from icert.deadline where state = \'waiting\' and due_at <= extract(epoch from now())::bigint'));
			await until(() => left() === 0, { what: 'the last deadline', timeout: 900_000, every: 250 });
			seconds.push((Date.now() - began) / 1000);
			check(icert, sweep);
			say(sweep, { ours: seconds.at(-1) });
		}
		return { ours: median(seconds) };
	} finally {
		try { signal(clerk, 'SIGCONT'); } catch { /* it is gone */ }
		await icert.stop();
	}
}

/** All have acted: states, mails and audit rows are there, and nothing was put off. */
function check(icert, sweeps) {
	const half = sweeps * DUE / 2;
	const found = icert.sql(`select (select count(*) from icert.application where state = 'cancelled' and number like 'BENCH-%'),
		(select count(*) from icert.outbox where template = 'cancelled'), (select count(*) from icert.outbox where template = 'deadline_warning'),
		(select count(*) from icert.audit where action = 'application.cancel' and outcome = 'done'),
		(select count(*) from icert.deadline where tries > 0), (select count(*) from icert.breaker)`);
	if (found !== `${half}|${half}|${half}|${half}|0|0`) throw new Error(`not all have acted: ${found}, expected ${half} of each`);
}
