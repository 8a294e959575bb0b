set role icert_owner;
alter table icert.journal_witness drop constraint journal_witness_pkey;
reset role;
delete from icert.journal_witness where issuer <> 1;
set role icert_owner;
alter table icert.journal_witness drop column issuer, add primary key (sequence);
reset role;
