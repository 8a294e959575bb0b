set role icert_owner;
alter table icert.purchase drop column gateway_url;
reset role;
