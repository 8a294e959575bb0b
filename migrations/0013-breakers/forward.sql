-- What stops automatic cancelling, revoking and destroying until two people of
-- the national office let it go on: a jump of the clock, a restore, a burst.
set role icert_owner;
grant create on schema icert to icert_login;

create table icert.breaker (
	id uuid primary key,
	cause text not null check (cause in ('clock', 'restore', 'ceiling')),
	amount bigint not null default 0,	-- clock: seconds off; ceiling: acts within the hour
	tripped_at icert.instant not null,	-- business clock
	first_by uuid references icert.staff,
	first_at icert.instant,
	second_by uuid references icert.staff,
	second_at icert.instant,
	allowed bigint not null default 0,	-- how many waited when it was released
	check ((first_by is null) = (first_at is null)),
	check ((second_by is null) = (second_at is null)),
	check (second_by is null or (first_by is not null and second_by <> first_by))
);
create unique index breaker_standing on icert.breaker (cause) where second_by is null;

-- Where real and monotonic time were seen together last.
create table icert.clock_mark (
	one boolean primary key default true check (one),
	boot text not null,			-- the kernel's boot id
	boot_ms bigint not null,		-- CLOCK_BOOTTIME
	at icert.instant not null		-- real time
);

create index deadline_ended on icert.deadline (done_at)
	where state = 'done' and kind in ('application_cancel', 'contract_due');

alter table icert.breaker enable row level security, force row level security;
alter table icert.clock_mark enable row level security, force row level security;

grant select, insert on icert.breaker to icert_clerk;
create policy clerk_select on icert.breaker for select to icert_clerk using (true);
create policy clerk_insert on icert.breaker for insert to icert_clerk with check (first_by is null);
grant select, insert, update on icert.clock_mark to icert_clerk;
create policy clerk on icert.clock_mark to icert_clerk using (true) with check (true);

-- Whoever restores says so.
grant insert on icert.breaker to icert_admin;
create policy admin on icert.breaker for insert to icert_admin with check (cause = 'restore' and first_by is null);

reset role;
set role icert_login;

-- Is the caller another person than this member of staff?  Two accounts of one cedula are one person.
create function icert.other_person(p_staff uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.staff a join icert.staff b on b.person_hash <> a.person_hash and b.id <> a.id
		where a.id = (select icert.me_staff()) and b.id = p_staff)
$$;
revoke execute on function icert.other_person(uuid) from public;
grant execute on function icert.other_person(uuid) to icert_desk, icert_owner;

reset role;
set role icert_owner;
revoke create on schema icert from icert_login;

grant select on icert.breaker to icert_desk;
grant update (first_by, first_at, second_by, second_at, allowed) on icert.breaker to icert_desk;
create policy desk_select on icert.breaker for select to icert_desk using ((select icert.me_has('national', 'auditor')));
create policy desk_update on icert.breaker for update to icert_desk
	using (second_by is null and (select icert.me_has('national')))
	with check ((second_by is null and first_by = (select icert.me_staff())) or
		(second_by = (select icert.me_staff()) and icert.other_person(first_by)));
reset role;
