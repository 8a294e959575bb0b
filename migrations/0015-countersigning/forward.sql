-- The contract comes back: every file that arrived, what was found in it, and the
-- director's signature.
set role icert_owner;
grant create on schema icert to icert_login;

-- How far a contract is says the state of its case, and when it came its copies.
drop policy clerk on icert.contract;
alter table icert.contract drop column state, drop column received_at;
create policy clerk on icert.contract to icert_clerk using (true) with check (true);

-- The certificate that a member of staff signs contracts with: one administrator
-- enters it, another approves.
create table icert.staff_certificate (
	id uuid primary key,
	staff_id uuid not null references icert.staff,
	der bytea not null check (octet_length(der) between 1 and 16384),
	sha256 icert.sha256 not null,
	spki_sha256 icert.sha256 not null,
	subject text not null,			-- as a person reads it
	not_before icert.instant not null,	-- real time
	not_after icert.instant not null,
	state text not null check (state in ('asked', 'registered', 'refused', 'ended')),
	asked_by uuid references icert.staff,	-- NULL: came with the instance
	asked_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	ended_at icert.instant,
	check (asked_by is null or state = 'asked' or decided_by is not null),
	check ((state = 'ended') = (ended_at is not null))
);
create unique index staff_certificate_standing on icert.staff_certificate (staff_id) where state = 'registered';
create unique index staff_certificate_asked on icert.staff_certificate (staff_id) where state = 'asked';

-- Who signs for a director from one moment to another (business clock).  The clerk begins and ends it.
create table icert.substitute (
	id uuid primary key,
	province smallint not null references icert.province check (province between 1 and 24),
	staff_id uuid not null references icert.staff,
	from_at icert.instant not null,
	to_at icert.instant not null,
	state text not null default 'named' check (state in ('named', 'active', 'over')),
	named_by uuid not null references icert.staff,
	named_at icert.instant not null,
	ended_by uuid references icert.staff,	-- before its time
	check (to_at >= from_at),
	check (named_by <> staff_id)
);
create index on icert.substitute (province, to_at);
create index substitute_running on icert.substitute (from_at) where state <> 'over';
alter table icert.staff_role add column substitute_id uuid references icert.substitute;

-- What came back.  arrived_at counts for the deadline; of a file that came by mail
-- the operator says it.
create table icert.contract_copy (
	id uuid primary key,
	contract_id uuid not null references icert.contract,
	application_id uuid not null references icert.application,
	document_id uuid not null references icert.document,
	source text not null check (source in ('page', 'mail', 'director')),
	staff_id uuid references icert.staff,		-- who uploaded it, unless the applicant
	certificate_id uuid references icert.staff_certificate,	-- of the director
	arrived_at icert.instant not null,		-- business clock
	uploaded_at icert.instant not null,
	state text not null check (state in ('waiting', 'valid', 'refused', 'returned', 'void')),
	fault text not null default '',			-- refused: code of the catalogue
	words icert.sealed,				-- returned: the director's
	decided_at icert.instant,
	decided_by uuid references icert.staff,		-- returned: by whom
	check (arrived_at <= uploaded_at),
	check ((staff_id is null) = (source = 'page')),
	check ((certificate_id is not null) = (source = 'director')),
	check ((state = 'refused') = (fault <> '')),
	check ((state = 'returned') = (decided_by is not null))
);
create index on icert.contract_copy (application_id, uploaded_at);
create unique index contract_copy_waiting on icert.contract_copy (application_id) where state = 'waiting';
create unique index contract_copy_valid on icert.contract_copy (application_id, (source = 'director')) where state = 'valid';

alter table icert.document drop constraint document_kind_check;
alter table icert.document add constraint document_kind_check check (kind in ('cedula', 'voting', 'utility', 'second_cedula',
	'face', 'contract', 'contract_signed', 'contract_countersigned', 'receipt', 'invoice'));

alter table icert.staff_certificate enable row level security, force row level security;
alter table icert.substitute enable row level security, force row level security;
alter table icert.contract_copy enable row level security, force row level security;

-- What functions may read. ---------------------------------------------------------------

grant select on icert.contract_copy, icert.staff_certificate to icert_login;
create policy login on icert.contract_copy for select to icert_login using (true);
create policy login on icert.staff_certificate for select to icert_login using (true);
reset role;

set role icert_login;
-- May the caller sign in this province by an office of their own, not as a substitute?
create function icert.me_heads(p_province smallint) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.staff_role where staff_id = (select icert.me_staff()) and role = 'director'
		and province = p_province and substitute_id is null)
$$;

-- The director goes on seeing what they sent back, until it comes again.
create function icert.returned_by_me(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.contract_copy where application_id = p_application and state = 'returned'
		and decided_by = (select icert.me_staff()))
$$;

-- Of a certificate on somebody's account: good, or revoked or expired where it is one of ours that ended.
create function icert.staff_certificate_standing(p_id uuid) returns text language sql stable security definer
set search_path = '' as $$
	select coalesce((select c.state from icert.certificate c where c.spki_sha256 = s.spki_sha256
		and c.state <> 'refused'), 'good') from icert.staff_certificate s where s.id = p_id
$$;

-- As before, and closing a case whose contract carries every signature is not its business: that one is filed.
create or replace function icert.revoke_by_code(p_code bytea, p_reason smallint, p_reason_code text, p_real bigint,
	p_business bigint, out certificate uuid, out application uuid, out contact uuid, out serial bytea, out number text,
	out province smallint, out key_id uuid, out wrapped bytea, out again boolean, out closed boolean)
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
	c icert.certificate;
	a icert.application;
begin
	select * into c from icert.certificate where revocation_code_sha256 = p_code and state in ('good', 'revoked') for update;
	if not found then
		return;
	end if;
	select * into a from icert.application where id = c.application_id for update;
	certificate := c.id; application := a.id; contact := a.contact_id; serial := c.serial; number := a.number;
	province := a.province; key_id := a.key_id; again := c.state = 'revoked'; closed := false;
	select k.wrapped into wrapped from icert.data_key k where k.id = a.key_id;
	if again then
		return;
	end if;
	update icert.certificate set state = 'revoked', revoked_at = p_real, reason = p_reason, reason_code = p_reason_code,
		revoked_by = 'code' where id = c.id;
	insert into icert.status_change (certificate_id, state, reason, at) values (c.id, 'revoked', p_reason, p_real);
	if a.state in ('issued', 'contract_sent', 'contract_received', 'contract_signed') then
		update icert.application set state = 'closed_revoked', version = version + 1, state_since = p_business,
			reason = 'revoked_by_holder' where id = a.id;
		closed := true;
	end if;
	perform pg_notify('icert_status', '');
end $$;

revoke execute on function icert.me_heads(smallint), icert.returned_by_me(uuid), icert.staff_certificate_standing(uuid)
	from public;
grant execute on function icert.me_heads(smallint), icert.returned_by_me(uuid) to icert_desk, icert_owner;
grant execute on function icert.staff_certificate_standing(uuid) to icert_desk, icert_clerk;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;

-- Portal: the applicant's own file, while it is asked for. -------------------------------

create policy portal_contract on icert.document for insert to icert_portal
	with check (kind = 'contract_signed' and by_staff is null and exists (select from icert.application a
		where a.id = application_id and a.state = 'contract_sent'));
create policy portal_contract_replace on icert.document for update to icert_portal
	using (kind = 'contract_signed' and exists (select from icert.application a
		where a.id = application_id and a.state = 'contract_sent'));

grant select, insert on icert.contract_copy to icert_portal;
create policy portal_select on icert.contract_copy for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));
create policy portal_insert on icert.contract_copy for insert to icert_portal
	with check (source = 'page' and state = 'waiting' and exists (select from icert.application a
		where a.id = application_id and a.state = 'contract_sent'));

-- Desk: the operator enters what came by mail; the director signs, or sends back. --------

create policy desk_contract on icert.document for insert to icert_desk
	with check (by_staff = (select icert.me_staff()) and not icert.own_case(application_id) and
		exists (select from icert.application a where a.id = application_id and
			((kind = 'contract_signed' and a.state = 'contract_sent'
				and a.province = any ((select icert.me_works())::smallint[])) or
			(kind = 'contract_countersigned' and a.state = 'contract_signed'
				and a.province = any ((select icert.me_directs())::smallint[])))));
create policy desk_contract_replace on icert.document for update to icert_desk
	using (kind in ('contract_signed', 'contract_countersigned') and exists (select from icert.application a
		where a.id = application_id and a.state in ('contract_sent', 'contract_signed')));
drop policy desk_papers on icert.document;
create policy desk_papers on icert.document as restrictive for select to icert_desk
	using (kind in ('contract', 'contract_signed', 'contract_countersigned') or exists (select from icert.application a
		where a.id = application_id and a.province = any ((select icert.me_provinces())::smallint[])));

grant select, insert on icert.contract_copy to icert_desk;
grant update (state, words, decided_at, decided_by) on icert.contract_copy to icert_desk;
create policy desk_select on icert.contract_copy for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_mail on icert.contract_copy for insert to icert_desk
	with check (source = 'mail' and state = 'waiting' and staff_id = (select icert.me_staff())
		and not icert.own_case(application_id) and exists (select from icert.application a where a.id = application_id
			and a.state = 'contract_sent' and a.province = any ((select icert.me_works())::smallint[])));
create policy desk_director on icert.contract_copy for insert to icert_desk
	with check (source = 'director' and state = 'valid' and staff_id = (select icert.me_staff())
		and not icert.own_case(application_id) and exists (select from icert.application a where a.id = application_id
			and a.state = 'contract_signed' and a.province = any ((select icert.me_directs())::smallint[]))
		and exists (select from icert.staff_certificate s where s.id = certificate_id
			and s.staff_id = contract_copy.staff_id and s.state = 'registered'));
create policy desk_return on icert.contract_copy for update to icert_desk
	using (state = 'valid' and source <> 'director' and exists (select from icert.application a where a.id = application_id
		and a.state = 'contract_signed' and a.province = any ((select icert.me_directs())::smallint[])))
	with check (state = 'returned' and decided_by = (select icert.me_staff()) and not icert.own_case(application_id));

create policy desk_director_update on icert.application for update to icert_desk
	using (state = 'contract_signed' and province = any ((select icert.me_directs())::smallint[]))
	with check (state in ('countersigned', 'contract_sent') and province = any ((select icert.me_directs())::smallint[]));
create policy desk_director_returned on icert.application for select to icert_desk
	using (state = 'contract_sent' and province = any ((select icert.me_directs())::smallint[])
		and icert.returned_by_me(id));
-- The director's signature is the director's alone, and never on their own contract.
create policy desk_countersign on icert.application as restrictive for update to icert_desk using (true)
	with check (state <> 'countersigned' or
		(province = any ((select icert.me_directs())::smallint[]) and not icert.own_case(id)));

grant select, insert on icert.staff_certificate to icert_desk;
grant update (state, decided_by, decided_at, ended_at) on icert.staff_certificate to icert_desk;
create policy desk_select on icert.staff_certificate for select to icert_desk
	using (staff_id = (select icert.me_staff()) or (select icert.me_has('administrator', 'auditor', 'national')));
create policy desk_insert on icert.staff_certificate for insert to icert_desk
	with check ((select icert.me_has('administrator')) and state = 'asked' and asked_by = (select icert.me_staff()));
create policy desk_update on icert.staff_certificate for update to icert_desk
	using ((select icert.me_has('administrator')) and state in ('asked', 'registered'))
	with check (state = 'ended' or (decided_by = (select icert.me_staff()) and (state = 'refused' or
		(state = 'registered' and icert.other_person(asked_by) and icert.other_person(staff_id)))));

grant select, insert on icert.substitute to icert_desk;
grant update (to_at, from_at, ended_by) on icert.substitute to icert_desk;
create policy desk_select on icert.substitute for select to icert_desk
	using (staff_id = (select icert.me_staff()) or (select icert.me_has('national', 'auditor')) or
		province = any ((select icert.me_directs())::smallint[]));
create policy desk_insert on icert.substitute for insert to icert_desk
	with check (state = 'named' and named_by = (select icert.me_staff()) and
		((select icert.me_has('national')) or icert.me_heads(province)));
create policy desk_update on icert.substitute for update to icert_desk
	using (state <> 'over' and ((select icert.me_has('national')) or icert.me_heads(province)))
	with check (ended_by = (select icert.me_staff()));
grant select (enabled) on icert.staff to icert_desk;

-- Clerk: judges what came back, files what is signed by both, lets substitutes in and out.

grant select on icert.contract_copy, icert.staff_certificate to icert_clerk;
grant update (state, fault, decided_at) on icert.contract_copy to icert_clerk;
create policy clerk on icert.contract_copy to icert_clerk using (true) with check (state in ('valid', 'refused', 'void'));
create policy clerk on icert.staff_certificate for select to icert_clerk using (true);
grant select on icert.substitute to icert_clerk;
grant update (state) on icert.substitute to icert_clerk;
create policy clerk on icert.substitute to icert_clerk using (true) with check (true);
grant select, insert, delete on icert.staff_role to icert_clerk;
create policy clerk_select on icert.staff_role for select to icert_clerk using (substitute_id is not null);
create policy clerk_insert on icert.staff_role for insert to icert_clerk
	with check (role = 'director' and exists (select from icert.substitute s where s.id = substitute_id
		and s.staff_id = staff_role.staff_id and s.province = staff_role.province and s.state = 'active'));
create policy clerk_delete on icert.staff_role for delete to icert_clerk using (substitute_id is not null);

-- The samples' certificates come with the instance.
grant select, insert on icert.staff_certificate to icert_admin;
create policy admin on icert.staff_certificate to icert_admin using (true)
	with check (asked_by is null and state = 'registered');
reset role;

insert into icert.transition (machine, from_state, to_state, program) values
	('application', 'contract_sent', 'contract_received', 'icert_portal'),
	('application', 'contract_sent', 'contract_received', 'icert_desk'),
	('application', 'contract_received', 'contract_signed', 'icert_clerk'),
	('application', 'contract_received', 'contract_sent', 'icert_clerk'),
	('application', 'contract_signed', 'countersigned', 'icert_desk'),
	('application', 'contract_signed', 'contract_sent', 'icert_desk'),
	('application', 'countersigned', 'active', 'icert_clerk'),
	('application', 'contract_received', 'closed_revoked', 'icert_portal'),
	('application', 'contract_received', 'closed_revoked', 'icert_login'),
	('application', 'contract_received', 'closed_revoked', 'icert_desk'),
	('application', 'contract_signed', 'closed_revoked', 'icert_portal'),
	('application', 'contract_signed', 'closed_revoked', 'icert_login'),
	('application', 'contract_signed', 'closed_revoked', 'icert_desk');
