set role icert_owner;
drop index icert.payment_day;
drop table icert.difference, icert.reconciliation;
reset role;
