set role icert_login;
drop function icert.orders_at_fault();
reset role;
