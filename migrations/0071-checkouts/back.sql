set role icert_owner;
drop table icert.checkout;
reset role;
