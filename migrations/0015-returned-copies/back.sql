set role icert_owner;
drop index icert.delivery_living, icert.application_clerk;
alter table icert.contract_copy drop column place;
drop policy desk_contract on icert.document;
create policy desk_contract on icert.document for insert to icert_desk
	with check (by_staff = (select icert.me_staff()) and not icert.own_case(application_id) and
		exists (select from icert.application a where a.id = application_id and
			((kind = 'contract_signed' and a.state = 'contract_sent'
				and a.province = any ((select icert.me_works())::smallint[])) or
			(kind = 'contract_countersigned' and a.state = 'contract_signed'
				and a.province = any ((select icert.me_directs())::smallint[])))));
reset role;
