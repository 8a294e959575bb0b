set role icert_owner;
drop index icert.invoice_serial;
reset role;
