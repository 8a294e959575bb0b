delete from icert.transition where machine = 'application' and
	((from_state = 'issued' and to_state = 'contract_sent') or (from_state = 'contract_sent' and to_state = 'closed_revoked'));
set role icert_login;
drop function icert.contract_look(text);
reset role;
set role icert_owner;
drop policy clerk_insert on icert.document;
revoke insert on icert.document from icert_clerk;
drop table icert.contract;
drop sequence icert.contract_number;
drop table icert.contract_template;
drop function icert.check_contract_template();
reset role;
set role icert_login;
drop function icert.same_person(uuid, uuid);
reset role;
