// More operators than the samples have: a second factor gives one code in thirty
// seconds, so many cases at once need as many people.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Adds n operators of a province, as the samples were added: rows, then a start that
 * enrols whoever has no password yet.  Their logins.
 */
export async function moreOperators(icert, n, province = 17) {
	const path = join(icert.prefix, 'demo/staff.json');
	const before = JSON.parse(readFileSync(path, 'utf8'));
	const logins = Array.from({ length: n }, (_, i) => `operador.${province}.${i + 1}`);
	for (const login of logins)
		icert.sql(`with s as (insert into icert.staff (id, login, name, email, created_at)
			values (gen_random_uuid(), '${login}', 'Operador ${login}', '${login}@icert.example', 0) returning id)
			insert into icert.staff_role (staff_id, role, province, since) select id, 'operator', ${province}, 0 from s`);
	await icert.down();
	rmSync(path);
	await icert.up();
	const added = JSON.parse(readFileSync(path, 'utf8'));
	// The new ones have the password of their own start.
	const staff = [...before.staff.map((one) => ({ password: before.password, ...one })), ...added.staff];
	writeFileSync(path, JSON.stringify({ password: added.password, staff }), { mode: 0o600 });
	return logins;
}
