-- Texts that were replaced or withdrawn go: the form before has no word for them.
set role icert_owner;
alter table icert.contract_template disable trigger contract_template_fixed;
reset role;
delete from icert.contract_template where state in ('replaced', 'withdrawn');
set role icert_owner;
drop policy desk_update on icert.contract_template;
revoke update (state, approved_by, approved_at, effective_at) on icert.contract_template from icert_desk;
grant update (state, text, written_by, written_at, approved_by, approved_at) on icert.contract_template to icert_desk;
create policy desk_update on icert.contract_template for update to icert_desk
	using ((select icert.me_has('administrator')))
	with check ((select icert.me_has('administrator')) and
		((state = 'draft' and written_by = (select icert.me_staff())) or
		(state = 'approved' and approved_by = (select icert.me_staff()) and
			not coalesce(icert.same_person(written_by, approved_by), false))));
drop trigger contract_template_fixed on icert.contract_template;
create or replace function icert.check_contract_template() returns trigger language plpgsql set search_path = '' as $$
begin
	if old.state <> 'draft' or new.version <> old.version then
		raise exception 'approved' using errcode = 'IC001';
	end if;
	return new;
end $$;
create trigger contract_template_fixed before update on icert.contract_template
	for each row execute function icert.check_contract_template();
drop index icert.contract_template_draft;
alter table icert.contract_template drop constraint contract_template_effective, drop constraint contract_template_ahead,
	drop constraint contract_template_state_check,
	add constraint contract_template_state_check check (state in ('draft', 'approved')), drop constraint contract_template_check1,
	add constraint contract_template_check1 check (written_by is null or state = 'draft' or approved_by is not null);
alter table icert.contract_template drop column effective_at;
reset role;
