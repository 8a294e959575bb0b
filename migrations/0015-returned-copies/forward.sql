-- Staff add contracts of their own kinds; copies stand in the order they came; what the clerk looks for every second is found.
set role icert_owner;

drop policy desk_contract on icert.document;
create policy desk_contract on icert.document for insert to icert_desk
	with check (by_staff = (select icert.me_staff()) and not icert.own_case(application_id) and
		((kind = 'contract_signed' and exists (select from icert.application a where a.id = application_id
			and a.state = 'contract_sent' and a.province = any ((select icert.me_works())::smallint[]))) or
		(kind = 'contract_countersigned' and exists (select from icert.application a where a.id = application_id
			and a.state = 'contract_signed' and a.province = any ((select icert.me_directs())::smallint[])))));

alter table icert.contract_copy add column place bigint generated always as identity;

create index application_clerk on icert.application (state_since) where state in ('issued', 'countersigned');
create index delivery_living on icert.delivery (certificate_id) where destroyed_at is null;
reset role;
