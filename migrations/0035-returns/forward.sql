-- What a director uploaded and was refused is kept; a clock that stands for a mail that came back is set going by nothing else;
-- a journal of the signer that was cut back, for the mail that says so.
set role icert_owner;

create table icert.journal_cut (
	issuer smallint not null,
	sequence bigint not null,	-- the line that was witnessed and is not there
	at icert.instant not null,	-- real time
	told_at icert.instant,
	primary key (issuer, sequence)
);
alter table icert.journal_cut enable row level security, force row level security;
grant insert on icert.journal_cut to icert_publisher;
grant select (issuer, sequence) on icert.journal_cut to icert_publisher;
create policy publisher_insert on icert.journal_cut for insert to icert_publisher with check (told_at is null);
create policy publisher_select on icert.journal_cut for select to icert_publisher using (true);
grant select, update (told_at) on icert.journal_cut to icert_clerk;
create policy clerk on icert.journal_cut to icert_clerk using (true) with check (true);
grant select on icert.journal_cut to icert_admin;
create policy admin on icert.journal_cut for select to icert_admin using (true);

-- The same people, cases and certificates as for one that is accepted; the case moves nowhere.
create policy desk_director_refused on icert.contract_copy for insert to icert_desk
	with check (source = 'director' and state = 'refused' and staff_id = (select icert.me_staff())
		and not icert.own_case(application_id) and exists (select from icert.application a where a.id = application_id
			and a.state = 'contract_signed' and a.province = any ((select icert.me_directs())::smallint[]))
		and exists (select from icert.staff_certificate s where s.id = certificate_id
			and s.staff_id = contract_copy.staff_id and s.state = 'registered'));
-- That is between the director and the house: the holder's own files are theirs, and what was accepted.
create policy portal_not_refused on icert.contract_copy as restrictive for select to icert_portal
	using (source <> 'director' or state = 'valid');

grant select (application_id, outbox_id, settled_at) on icert.bounce to icert_login;
create policy login on icert.bounce for select to icert_login using (true);
grant create on schema icert to icert_login;
reset role;

set role icert_login;
create or replace function icert.clock_run(p_application uuid, p_at bigint, p_least bigint) returns bigint
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
	-- While the envelope is locked, or a mail that they need has come back, nobody can sign: it stands on, with what is left.
	if exists (select from icert.bounce b join icert.outbox o on o.id = b.outbox_id where b.application_id = p_application
		and b.settled_at is null and o.template in ('contract', 'pkcs12', 'envelope'))
		or exists (select from icert.envelope e join icert.application a on a.id = e.application_id
		where e.application_id = p_application and e.locked_at is not null and a.container <> 'token') then
		update icert.deadline set stopped_at = p_at where application_id = p_application and state = 'waiting'
			and kind in ('contract_due', 'contract_warn');
	end if;
	return due + short;
end $$;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
