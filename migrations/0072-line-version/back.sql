set role icert_owner;
drop trigger bank_line_version on icert.bank_line;
drop function icert.count_version();
alter table icert.bank_line drop column version;
reset role;
