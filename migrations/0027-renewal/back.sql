delete from icert.transition where machine = 'application' and from_state = 'accepted' and to_state = 'identified';
set role icert_login;
drop function icert.renewal_holds(uuid);
reset role;
set role icert_owner;
drop policy portal_renewal_replace on icert.document;
drop policy portal_renewal on icert.document;
drop policy clerk_renewal on icert.document;
drop index icert.contract_mailed, icert.outbox_failed, icert.purchase_origin, icert.application_renewal, icert.application_origin;
drop table icert.renewal;
do $$
declare d text;
begin
	select pg_get_constraintdef(oid) into d from pg_constraint
		where conname = 'document_kind_check' and conrelid = 'icert.document'::regclass;
	alter table icert.document drop constraint document_kind_check;
	execute 'alter table icert.document add constraint document_kind_check '
		|| replace(d, '''renewal''::text, ''renewal_signed''::text, ', '');
end $$;
reset role;
