-- Packages go with their rows; the sweep takes the files.
set role icert_owner;
drop policy portal on icert.audit_head;
drop policy portal on icert.audit_node;
revoke select on icert.audit_node, icert.audit_head, icert.audit from icert_portal;
grant select (id, at_us, action, outcome, reason, actor_kind, case_id) on icert.audit to icert_portal;
drop policy clerk on icert.approval;
revoke select on icert.approval from icert_clerk;
drop policy desk_evidence on icert.document;
drop policy clerk_insert on icert.document;
create policy clerk_insert on icert.document for insert to icert_clerk with check (kind = 'contract' and by_staff is null);
drop index icert.document_evidence;
reset role;
delete from icert.document where kind = 'evidence';
set role icert_owner;
do $$
declare d text;
begin
	select pg_get_constraintdef(oid) into d from pg_constraint
		where conname = 'document_kind_check' and conrelid = 'icert.document'::regclass;
	alter table icert.document drop constraint document_kind_check;
	execute 'alter table icert.document add constraint document_kind_check '
		|| replace(d, '''evidence''::text, ', '');
end $$;
reset role;
