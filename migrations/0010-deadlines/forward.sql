-- The clerk's hand for deadlines that waited for one: an identification that is a day old goes
-- back to its appointment, and certificates are announced to end, and end.
set role icert_owner;
grant select (application_id), delete on icert.check_item to icert_clerk;
create policy clerk on icert.check_item to icert_clerk using (true);
reset role;

-- Past row-level security, as icert_migrate.
insert into icert.transition (machine, from_state, to_state, program) values
	('application', 'identified', 'scheduled', 'icert_clerk');

-- Certificates issued before their end was a deadline.
insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)
select gen_random_uuid(), 'certificate_expire', 'certificate', c.id, c.application_id, c.not_after, c.issued_at
from icert.certificate c where c.state = 'good';
insert into icert.deadline (id, kind, subject_kind, subject, application_id, due_at, created_at)
select gen_random_uuid(), 'certificate_warn', 'certificate', c.id, c.application_id, c.not_after - 86400 * days, c.issued_at
from icert.certificate c, unnest(array[60, 30, 15, 7, 1]) days where c.state = 'good';
