set role icert_login;
drop function icert.key_certified(bytea);
reset role;
set role icert_owner;
drop index icert.certificate_key;
create unique index certificate_key on icert.certificate (spki_sha256);
drop table icert.token_request;
reset role;
