-- The clock of the 120 hours: it stops and runs on, two people may lengthen it once a
-- case, outages are added to it; at its end icert-clerk revokes.
set role icert_owner;

-- Since then the clock of this deadline stands; NULL: it runs.  Running on moves due_at by as long as it stood.
alter table icert.deadline add column stopped_at icert.instant;
create index deadline_clock on icert.deadline (application_id) where state = 'waiting';

-- When the contract's mail was taken by the receiver's server; the 120 hours never count from before it.
alter table icert.contract add column accepted_at icert.instant;

-- The case whose data this one began with: one that ended, or the one that is renewed.
alter table icert.application add column origin_id uuid references icert.application;
alter table icert.purchase add column origin_id uuid references icert.application;

-- Two people lengthen the 120 hours, once a case.
create table icert.extension (
	id uuid primary key,
	application_id uuid not null references icert.application,
	reason text not null check (reason in ('illness', 'authority_fault', 'technical', 'abroad', 'disaster')),
	hours integer not null check (hours between 1 and 720),
	state text not null default 'open' check (state in ('open', 'confirmed', 'withdrawn')),
	requested_by uuid not null references icert.staff,
	requested_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	moved_to icert.instant,			-- the new end
	check ((state = 'open') = (decided_by is null)),
	check ((decided_by is null) = (decided_at is null)),
	check (state <> 'confirmed' or decided_by <> requested_by),
	check (moved_to is null or state = 'confirmed')
);
create unique index extension_once on icert.extension (application_id) where state <> 'withdrawn';
create index on icert.extension (requested_at);

-- When something of ours was down.  Noticed by the clerk, or asked for by one of the
-- national office and confirmed by another; it counts once it has ended.
create table icert.outage (
	id uuid primary key,
	part text not null check (part in ('portal', 'mail', 'checker')),
	from_at icert.instant not null,		-- business clock
	to_at icert.instant,			-- NULL: it goes on
	state text not null check (state in ('noticed', 'open', 'confirmed', 'withdrawn')),
	requested_by uuid references icert.staff,
	requested_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	applied_at icert.instant,		-- every running deadline has its share
	check (to_at is null or to_at > from_at),
	check ((state = 'noticed') = (requested_by is null)),
	check (state = 'noticed' or to_at is not null),
	check ((decided_by is null) = (state in ('noticed', 'open'))),
	check ((decided_by is null) = (decided_at is null)),
	check (state <> 'confirmed' or decided_by <> requested_by)
);
create index on icert.outage (requested_at);
create index outage_waiting on icert.outage (from_at) where applied_at is null;
create unique index outage_going on icert.outage (part) where to_at is null;

-- What an outage added to one case's clock.
create table icert.outage_share (
	outage_id uuid not null references icert.outage,
	application_id uuid not null references icert.application,
	clock text not null check (clock in ('contract', 'application')),
	seconds bigint not null check (seconds > 0),
	due_at icert.instant not null,		-- its end from then on
	at icert.instant not null,
	primary key (outage_id, application_id, clock)
);
create index on icert.outage_share (application_id);

-- A mail that came back; while one of a contract is not settled its clock stands.
create table icert.bounce (
	id uuid primary key,
	outbox_id uuid not null unique references icert.outbox,
	application_id uuid not null references icert.application,
	noticed_by text not null check (noticed_by in ('smtp', 'staff')),
	staff_id uuid references icert.staff,
	at icert.instant not null,
	settled_at icert.instant,
	settled_by uuid references icert.staff,
	check ((noticed_by = 'staff') = (staff_id is not null))
);
create index on icert.bounce (application_id);
create index bounce_open on icert.bounce (at) where settled_at is null;

do $$
declare t text;
begin
	foreach t in array array['extension', 'outage', 'outage_share', 'bounce'] loop
		execute format('alter table icert.%I enable row level security, force row level security', t);
	end loop;
end $$;

-- Rights. ---------------------------------------------------------------------------

grant update (stopped_at) on icert.deadline to icert_clerk;
grant update (accepted_at) on icert.contract to icert_clerk;
grant update (closes_at) on icert.application to icert_clerk;
grant select (stopped_at) on icert.deadline to icert_desk;
grant select (id, kind, subject, application_id, due_at, state, stopped_at) on icert.deadline to icert_portal;
create policy portal on icert.deadline for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select on icert.extension to icert_clerk, icert_portal;
create policy clerk on icert.extension for select to icert_clerk using (true);
create policy portal on icert.extension for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));
grant select, insert on icert.extension to icert_desk;
grant update (state, decided_by, decided_at) on icert.extension to icert_desk;
create policy desk_select on icert.extension for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.extension for insert to icert_desk
	with check (state = 'open' and requested_by = (select icert.me_staff()) and (select icert.me_has('national'))
		and not icert.own_case(application_id));
create policy desk_update on icert.extension for update to icert_desk
	using (state = 'open' and (select icert.me_has('national')))
	with check (decided_by = (select icert.me_staff()) and (state = 'withdrawn' or
		(state = 'confirmed' and icert.other_person(requested_by) and not icert.own_case(application_id))));

grant select, insert on icert.outage to icert_clerk, icert_desk;
grant update (to_at, applied_at) on icert.outage to icert_clerk;
create policy clerk_select on icert.outage for select to icert_clerk using (true);
create policy clerk_insert on icert.outage for insert to icert_clerk with check (state = 'noticed');
create policy clerk_update on icert.outage for update to icert_clerk using (true) with check (true);
grant update (state, decided_by, decided_at) on icert.outage to icert_desk;
create policy desk_select on icert.outage for select to icert_desk using ((select icert.me_has('national', 'auditor')));
create policy desk_insert on icert.outage for insert to icert_desk
	with check (state = 'open' and requested_by = (select icert.me_staff()) and (select icert.me_has('national')));
create policy desk_update on icert.outage for update to icert_desk
	using (state = 'open' and (select icert.me_has('national')))
	with check (decided_by = (select icert.me_staff()) and (state = 'withdrawn' or
		(state = 'confirmed' and icert.other_person(requested_by))));

grant select, insert on icert.outage_share to icert_clerk;
create policy clerk on icert.outage_share to icert_clerk using (true) with check (true);
grant select on icert.outage_share to icert_desk, icert_portal;
create policy desk on icert.outage_share for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy portal on icert.outage_share for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select, insert on icert.bounce to icert_clerk, icert_desk;
create policy clerk_select on icert.bounce for select to icert_clerk using (true);
create policy clerk_insert on icert.bounce for insert to icert_clerk with check (noticed_by = 'smtp');
grant update (settled_at, settled_by) on icert.bounce to icert_desk;
create policy desk_select on icert.bounce for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.bounce for insert to icert_desk
	with check (staff_id = (select icert.me_staff()) and exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])));
create policy desk_update on icert.bounce for update to icert_desk
	using (settled_at is null and exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])))
	with check (settled_by = (select icert.me_staff()));
grant select (id, outbox_id, application_id, at, settled_at) on icert.bounce to icert_portal;
create policy portal on icert.bounce for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

-- At the end of the 120 hours.
grant update (revoked_at, reason, reason_code, revoked_by) on icert.certificate to icert_clerk;
-- 9: privilegeWithdrawn, and nothing else.
create policy clerk_revoke on icert.certificate as restrictive for update to icert_clerk
	using (true) with check (state <> 'revoked' or (revoked_by = 'deadline' and reason = 9));
grant insert on icert.status_change to icert_clerk;
create policy clerk_revoke on icert.status_change for insert to icert_clerk
	with check (state = 'revoked' and reason = 9 and published_epoch is null and exists (select from icert.certificate c
		where c.id = certificate_id and c.state = 'revoked' and c.revoked_by = 'deadline'));

-- Moving the clock: functions, so that nobody writes a deadline's end by hand. --------------

grant select, update (due_at, stopped_at, state, done_at) on icert.deadline to icert_login;
create policy login on icert.deadline to icert_login using (true) with check (true);
grant select, update (moved_to) on icert.extension to icert_login;
create policy login on icert.extension to icert_login using (true) with check (true);
grant create on schema icert to icert_login;
reset role;
set role icert_login;

create function icert.clock_mine(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.application a where a.id = p_application and (session_user in ('icert_clerk')
		or a.contact_id = icert.me_contact() or a.province = any (icert.me_works() || icert.me_directs())))
$$;

-- The clock of the 120 hours stands from p_at on; one that stands already is left.  Its end as it is, NULL when there is none.
create function icert.clock_stop(p_application uuid, p_at bigint) returns bigint language plpgsql security definer
set search_path = '' as $$
begin
	if not icert.clock_mine(p_application) then
		return null;
	end if;
	update icert.deadline set stopped_at = p_at where application_id = p_application and state = 'waiting'
		and kind in ('contract_due', 'contract_warn') and stopped_at is null;
	return (select due_at from icert.deadline where application_id = p_application and kind = 'contract_due'
		and state = 'waiting');
end $$;

-- It runs on, every end moved by as long as it stood, and at least p_least seconds are left.  Its new end.
create function icert.clock_run(p_application uuid, p_at bigint, p_least bigint) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
	due bigint;
	short bigint;
begin
	if not icert.clock_mine(p_application) then
		return null;
	end if;
	update icert.deadline set due_at = due_at + greatest(p_at - stopped_at, 0), stopped_at = null
		where application_id = p_application and state = 'waiting' and kind in ('contract_due', 'contract_warn')
		and stopped_at is not null;
	select due_at into due from icert.deadline where application_id = p_application and kind = 'contract_due'
		and state = 'waiting';
	short := greatest(p_at + p_least - due, 0);
	if short > 0 then
		update icert.deadline set due_at = due_at + short where application_id = p_application and state = 'waiting'
			and kind in ('contract_due', 'contract_warn');
	end if;
	return due + short;
end $$;

-- What was asked by one and confirmed by the caller: the end moves, reminders that were to come are made anew by the caller.
create function icert.clock_extend(p_extension uuid, p_at bigint) returns bigint language plpgsql security definer
set search_path = '' as $$
declare
	e icert.extension;
	due bigint;
begin
	select * into e from icert.extension where id = p_extension and state = 'confirmed' and moved_to is null
		and decided_by = icert.me_staff() for update;
	if not found then
		return null;
	end if;
	update icert.deadline set due_at = greatest(due_at, coalesce(stopped_at, p_at)) + e.hours * 3600
		where application_id = e.application_id and kind = 'contract_due' and state = 'waiting' returning due_at into due;
	if due is null then
		return null;
	end if;
	update icert.deadline set state = 'void', done_at = p_at where application_id = e.application_id
		and kind = 'contract_warn' and state = 'waiting';
	update icert.extension set moved_to = due where id = e.id;
	return due;
end $$;

revoke execute on function icert.clock_mine(uuid), icert.clock_stop(uuid, bigint), icert.clock_run(uuid, bigint, bigint),
	icert.clock_extend(uuid, bigint) from public;
grant execute on function icert.clock_stop(uuid, bigint), icert.clock_run(uuid, bigint, bigint)
	to icert_portal, icert_desk, icert_clerk;
grant execute on function icert.clock_extend(uuid, bigint) to icert_desk;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;

-- Past row-level security, as icert_migrate.
insert into icert.transition (machine, from_state, to_state, program) values
	('certificate', 'good', 'revoked', 'icert_clerk'),
	('application', 'issued', 'closed_revoked', 'icert_clerk'),
	('application', 'contract_sent', 'closed_revoked', 'icert_clerk');
