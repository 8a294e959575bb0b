set role icert_owner;
drop table icert.slip;
reset role;
