-- The operator's attempts to reach an applicant, to agree the hour of the video
-- conference: by what, with what outcome, by whom and when.
set role icert_owner;

create table icert.contact_attempt (
	id uuid primary key,
	application_id uuid not null references icert.application,
	channel text not null check (channel in ('telephone', 'email', 'other')),
	outcome text not null check (outcome in ('reached', 'no_answer', 'wrong_number', 'later')),
	note icert.sealed,
	staff_id uuid not null references icert.staff,
	at icert.instant not null
);
create index on icert.contact_attempt (application_id, at);

alter table icert.contact_attempt enable row level security, force row level security;
grant select, insert on icert.contact_attempt to icert_desk;
create policy desk_select on icert.contact_attempt for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.contact_attempt for insert to icert_desk
	with check (staff_id = (select icert.me_staff()) and exists (select from icert.application a
		where a.id = application_id and a.province = any ((select icert.me_works())::smallint[])));

-- Who works here, for the administrator's list; never the password.
grant select (login, enabled) on icert.staff to icert_desk;

reset role;
