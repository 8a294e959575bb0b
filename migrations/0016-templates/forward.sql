-- The contract's text is edited at the desk: each saving is a version of its own that nobody changes any more,
-- another administrator approves it, and it counts from a day on.
set role icert_owner;
alter table icert.contract_template add column effective_at icert.instant;	-- business clock
alter table icert.contract_template disable trigger contract_template_fixed;
reset role;
update icert.contract_template set effective_at = approved_at where state = 'approved';

set role icert_owner;
alter table icert.contract_template enable trigger contract_template_fixed;
alter table icert.contract_template drop constraint contract_template_state_check,
	add constraint contract_template_state_check check (state in ('draft', 'approved', 'replaced', 'withdrawn')),
	drop constraint contract_template_check1,	-- a version that is not approved has nobody who approved it
	add constraint contract_template_check1 check (written_by is null or state <> 'approved' or approved_by is not null),
	add constraint contract_template_effective check ((state = 'approved') = (effective_at is not null)),
	add constraint contract_template_ahead check (effective_at >= approved_at);
create unique index contract_template_draft on icert.contract_template (state) where state = 'draft';

create or replace function icert.check_contract_template() returns trigger language plpgsql set search_path = '' as $$
begin
	if tg_op = 'DELETE' then
		raise exception 'kept' using errcode = 'IC001';
	end if;
	if old.state <> 'draft' or (new.id, new.version, new.text, new.written_by, new.written_at)
		is distinct from (old.id, old.version, old.text, old.written_by, old.written_at) then
		raise exception 'written' using errcode = 'IC001';
	end if;
	return new;
end $$;
drop trigger contract_template_fixed on icert.contract_template;
create trigger contract_template_fixed before update or delete on icert.contract_template
	for each row execute function icert.check_contract_template();

revoke update (state, text, written_by, written_at, approved_by, approved_at) on icert.contract_template from icert_desk;
grant update (state, approved_by, approved_at, effective_at) on icert.contract_template to icert_desk;
drop policy desk_update on icert.contract_template;
create policy desk_update on icert.contract_template for update to icert_desk
	using (state = 'draft' and (select icert.me_has('administrator')))
	with check (state in ('replaced', 'withdrawn') or (state = 'approved' and approved_by = (select icert.me_staff())
		and icert.other_person(written_by)));
reset role;
