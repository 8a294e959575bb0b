-- The contract: its text, edited by an administrator and approved by a second
-- one, and one row a contract made from it.  The file is a document of the case.
set role icert_owner;

create table icert.contract_template (
	id uuid primary key,
	version integer not null unique check (version > 0),
	state text not null check (state in ('draft', 'approved')),
	text text not null check (octet_length(text) between 1 and 65536),
	written_by uuid references icert.staff,		-- NULL: came with the instance
	written_at icert.instant not null,
	approved_by uuid references icert.staff,
	approved_at icert.instant,			-- from here on the newest approved one counts
	check ((state = 'approved') = (approved_at is not null)),
	check (written_by is null or state = 'draft' or approved_by is not null)
);

-- What was approved stays as it was: contracts name its version.
create function icert.check_contract_template() returns trigger language plpgsql set search_path = '' as $$
begin
	if old.state <> 'draft' or new.version <> old.version then
		raise exception 'approved' using errcode = 'IC001';
	end if;
	return new;
end $$;
create trigger contract_template_fixed before update on icert.contract_template
	for each row execute function icert.check_contract_template();
revoke execute on function icert.check_contract_template() from public;

create sequence icert.contract_number;

create table icert.contract (
	id uuid primary key,
	application_id uuid not null references icert.application,
	certificate_id uuid not null unique references icert.certificate,
	number text not null unique check (number ~ '^C-[0-9]{4}-[0-9]{6,}-[0-9]$'),
	template_version integer not null references icert.contract_template (version),
	document_id uuid not null references icert.document,
	sha256 icert.sha256 not null,			-- of the PDF as it was sent
	state text not null check (state in ('sent', 'received', 'signed', 'countersigned', 'filed')),
	made_at icert.instant not null,			-- its date, business clock
	sent_at icert.instant not null,
	received_at icert.instant
);
create index on icert.contract (application_id);

alter table icert.contract_template enable row level security, force row level security;
alter table icert.contract enable row level security, force row level security;

grant usage on sequence icert.contract_number to icert_clerk;
grant select on icert.contract_template to icert_clerk;
create policy clerk on icert.contract_template for select to icert_clerk using (state = 'approved');
grant select, insert on icert.contract to icert_clerk;
create policy clerk on icert.contract to icert_clerk using (true) with check (state = 'sent');
grant insert on icert.document to icert_clerk;
create policy clerk_insert on icert.document for insert to icert_clerk
	with check (kind = 'contract' and by_staff is null);

grant select on icert.contract to icert_portal, icert_desk;
create policy portal on icert.contract for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));
create policy desk on icert.contract for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));

-- Public verification: by number, nothing of the person.
grant select on icert.contract to icert_login;
create policy login on icert.contract for select to icert_login using (true);
grant create on schema icert to icert_login;
reset role;

set role icert_login;
create function icert.contract_look(p_number text, out number text, out made_at bigint, out sha256 bytea,
	out certificate text, out not_after bigint, out revoked_at bigint)
language sql stable security definer set search_path = '' as $$
	select c.number, c.made_at, c.sha256, x.state, x.not_after, x.revoked_at
	from icert.contract c join icert.certificate x on x.id = c.certificate_id where c.number = p_number
$$;

-- Two accounts of one person are one person.
create function icert.same_person(p_one uuid, p_other uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select p_one = p_other or exists (select from icert.staff a join icert.staff b on a.person_hash = b.person_hash
		where a.id = p_one and b.id = p_other)
$$;
revoke execute on function icert.contract_look(text), icert.same_person(uuid, uuid) from public;
grant execute on function icert.contract_look(text) to icert_portal;
grant execute on function icert.same_person(uuid, uuid) to icert_desk;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;

-- The first text comes with the instance; every later one is written and approved by people.
grant insert on icert.contract_template to icert_admin;
create policy admin_first on icert.contract_template for insert to icert_admin
	with check (version = 1 and written_by is null and approved_by is null);

-- The administrator writes drafts as oneself; another one approves.
grant select, insert on icert.contract_template to icert_desk;
grant update (state, text, written_by, written_at, approved_by, approved_at) on icert.contract_template to icert_desk;
create policy desk_select on icert.contract_template for select to icert_desk
	using ((select icert.me_has('administrator', 'auditor')));
create policy desk_insert on icert.contract_template for insert to icert_desk
	with check ((select icert.me_has('administrator')) and state = 'draft' and written_by = (select icert.me_staff()));
create policy desk_update on icert.contract_template for update to icert_desk
	using ((select icert.me_has('administrator')))
	with check ((select icert.me_has('administrator')) and
		((state = 'draft' and written_by = (select icert.me_staff())) or
		(state = 'approved' and approved_by = (select icert.me_staff()) and
			not coalesce(icert.same_person(written_by, approved_by), false))));

reset role;

-- Past row-level security, as icert_migrate.
insert into icert.transition (machine, from_state, to_state, program) values
	('application', 'issued', 'contract_sent', 'icert_clerk'),
	('application', 'contract_sent', 'closed_revoked', 'icert_portal'),
	('application', 'contract_sent', 'closed_revoked', 'icert_login');
