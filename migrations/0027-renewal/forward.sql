-- Renewal of a file certificate without another video conference: its holder signs the
-- request with the certificate that is still valid.
set role icert_owner;

do $$
declare d text;
begin
	select pg_get_constraintdef(oid) into d from pg_constraint
		where conname = 'document_kind_check' and conrelid = 'icert.document'::regclass;
	alter table icert.document drop constraint document_kind_check;
	execute 'alter table icert.document add constraint document_kind_check '
		|| replace(d, 'ARRAY[', 'ARRAY[''renewal''::text, ''renewal_signed''::text, ');
end $$;

-- The request as it was made for the case, and what came back.
create table icert.renewal (
	application_id uuid primary key references icert.application,
	certificate_id uuid not null references icert.certificate,	-- the one that is renewed
	state text not null check (state in ('made', 'received', 'signed', 'unfit')),
	document_id uuid references icert.document,
	made_at icert.instant not null,
	signed_document_id uuid references icert.document,
	received_at icert.instant,
	fault text not null default '',		-- of the last file; its sentence is contract_fault.<code>
	signed_at icert.instant,
	identified_at icert.instant,		-- an operator took it for the identification
	identified_by uuid references icert.staff,
	check ((state = 'unfit') = (document_id is null)),
	check ((state = 'signed') = (signed_at is not null)),
	check ((identified_at is null) = (identified_by is null)),
	check (identified_at is null or state = 'signed')
);
create index renewal_received on icert.renewal (received_at) where state = 'received';
create index application_renewal on icert.application (id) where kind = 'renewal' and state = 'accepted';
create index application_origin on icert.application (origin_id) where origin_id is not null;
create index purchase_origin on icert.purchase (origin_id) where origin_id is not null;

-- What the clerk looks for: few rows among many.
create index outbox_failed on icert.outbox (created_at) where state = 'failed';
create index contract_mailed on icert.contract (application_id) where accepted_at is null;

alter table icert.renewal enable row level security, force row level security;
grant select, insert on icert.renewal to icert_clerk;
grant update (state, fault, signed_at) on icert.renewal to icert_clerk;
create policy clerk on icert.renewal to icert_clerk using (true) with check (identified_at is null);
create policy clerk_renewal on icert.document for insert to icert_clerk with check (kind = 'renewal' and by_staff is null);

grant select on icert.renewal to icert_portal;
grant update (state, signed_document_id, received_at, fault) on icert.renewal to icert_portal;
create policy portal_select on icert.renewal for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));
-- The applicant hands in; what it is worth says the clerk.
create policy portal_update on icert.renewal for update to icert_portal
	using (state = 'made' and exists (select from icert.application a where a.id = application_id and a.state = 'accepted'))
	with check (state = 'received');
create policy portal_renewal on icert.document for insert to icert_portal
	with check (kind = 'renewal_signed' and by_staff is null and exists (select from icert.application a
		where a.id = application_id and a.kind = 'renewal' and a.state = 'accepted'));
create policy portal_renewal_replace on icert.document for update to icert_portal
	using (kind = 'renewal_signed' and exists (select from icert.application a
		where a.id = application_id and a.kind = 'renewal' and a.state = 'accepted'));

grant select on icert.renewal to icert_desk;
grant update (identified_at, identified_by) on icert.renewal to icert_desk;
create policy desk_select on icert.renewal for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_update on icert.renewal for update to icert_desk
	using (state = 'signed' and exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_works())::smallint[])))
	with check (identified_by = (select icert.me_staff()) and not icert.own_case(application_id));

grant select on icert.renewal to icert_login;
create policy login on icert.renewal for select to icert_login using (true);
grant create on schema icert to icert_login;
reset role;
set role icert_login;

-- Was the request signed, and the certificate that signed not revoked since?  Its case may be another province's.
create function icert.renewal_holds(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.renewal r join icert.certificate c on c.id = r.certificate_id
		join icert.application a on a.id = r.application_id
		where r.application_id = p_application and r.state = 'signed' and c.state in ('good', 'expired')
		and a.province = any (icert.me_works()))
$$;
revoke execute on function icert.renewal_holds(uuid) from public;
grant execute on function icert.renewal_holds(uuid) to icert_desk;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;

-- Past row-level security, as icert_migrate.
insert into icert.transition (machine, from_state, to_state, program) values
	('application', 'accepted', 'identified', 'icert_desk');
