delete from icert.transition where machine = 'application' and (from_state, to_state, program) in (
	('contract_sent', 'contract_received', 'icert_portal'), ('contract_sent', 'contract_received', 'icert_desk'),
	('contract_received', 'contract_signed', 'icert_clerk'), ('contract_received', 'contract_sent', 'icert_clerk'),
	('contract_signed', 'countersigned', 'icert_desk'), ('contract_signed', 'contract_sent', 'icert_desk'),
	('countersigned', 'active', 'icert_clerk'))
	or machine = 'application' and to_state = 'closed_revoked' and from_state in ('contract_received', 'contract_signed');
set role icert_owner;
-- revoke_by_code() stays: what it no longer closes was refused by the trigger before.
drop policy clerk_delete on icert.staff_role;
drop policy clerk_insert on icert.staff_role;
drop policy clerk_select on icert.staff_role;
revoke select, insert, delete on icert.staff_role from icert_clerk;
revoke select (enabled) on icert.staff from icert_desk;
drop policy desk_countersign on icert.application;
drop policy desk_director_returned on icert.application;
drop policy desk_director_update on icert.application;
drop policy desk_papers on icert.document;
create policy desk_papers on icert.document as restrictive for select to icert_desk
	using (kind in ('contract', 'contract_signed') or exists (select from icert.application a where a.id = application_id
		and a.province = any ((select icert.me_provinces())::smallint[])));
drop policy desk_contract_replace on icert.document;
drop policy desk_contract on icert.document;
drop policy portal_contract_replace on icert.document;
drop policy portal_contract on icert.document;
drop table icert.contract_copy;
delete from icert.staff_role where substitute_id is not null;
alter table icert.staff_role drop column substitute_id;
drop table icert.substitute;
reset role;
set role icert_login;
drop function icert.me_heads(smallint), icert.returned_by_me(uuid), icert.staff_certificate_standing(uuid);
reset role;
set role icert_owner;
drop table icert.staff_certificate;
drop policy clerk on icert.contract;
alter table icert.contract add column state text not null default 'sent'
	check (state in ('sent', 'received', 'signed', 'countersigned', 'filed')), add column received_at icert.instant;
create policy clerk on icert.contract to icert_clerk using (true) with check (state = 'sent');
alter table icert.document drop constraint document_kind_check;
alter table icert.document add constraint document_kind_check check (kind in ('cedula', 'voting', 'utility', 'second_cedula',
	'face', 'contract', 'contract_signed', 'receipt', 'invoice'));
reset role;
