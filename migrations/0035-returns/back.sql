set role icert_owner;
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
	-- While the envelope is locked nobody can sign: it stands on, with what is left.
	if exists (select from icert.envelope e join icert.application a on a.id = e.application_id
		where e.application_id = p_application and e.locked_at is not null and a.container <> 'token') then
		update icert.deadline set stopped_at = p_at where application_id = p_application and state = 'waiting'
			and kind in ('contract_due', 'contract_warn');
	end if;
	return due + short;
end $$;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
drop policy login on icert.bounce;
revoke select (application_id, outbox_id, settled_at) on icert.bounce from icert_login;
drop policy portal_not_refused on icert.contract_copy;
drop policy desk_director_refused on icert.contract_copy;
drop table icert.journal_cut;
reset role;
