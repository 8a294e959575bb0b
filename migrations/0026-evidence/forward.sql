-- The evidence package of a filed contract, and receipts: an applicant reads the rows of their own case whole, with what proves
-- them.
set role icert_owner;
do $$
declare d text;
begin
	select pg_get_constraintdef(oid) into d from pg_constraint
		where conname = 'document_kind_check' and conrelid = 'icert.document'::regclass;
	alter table icert.document drop constraint document_kind_check;
	execute 'alter table icert.document add constraint document_kind_check '
		|| replace(d, 'ARRAY[', 'ARRAY[''evidence''::text, ');
end $$;
create unique index document_evidence on icert.document (application_id) where kind = 'evidence';

drop policy clerk_insert on icert.document;
create policy clerk_insert on icert.document for insert to icert_clerk
	with check (kind in ('contract', 'evidence') and by_staff is null);
create policy desk_evidence on icert.document as restrictive for select to icert_desk
	using (kind <> 'evidence' or (select icert.me_has('national', 'auditor')));

grant select on icert.approval to icert_clerk;
create policy clerk on icert.approval for select to icert_clerk using (true);

-- Hashes of the log and its signed heads say nothing about anybody.
grant select on icert.audit to icert_portal;
grant select on icert.audit_node, icert.audit_head to icert_portal;
create policy portal on icert.audit_node for select to icert_portal using ((select icert.me_contact()) is not null);
create policy portal on icert.audit_head for select to icert_portal using ((select icert.me_contact()) is not null);
reset role;
