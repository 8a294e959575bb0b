set role icert_owner;
drop table icert.bank_line, icert.bank_import, icert.bank_account;
reset role;
