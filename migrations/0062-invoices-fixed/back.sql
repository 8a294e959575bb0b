set role icert_owner;
drop trigger invoice_fixed on icert.invoice;
drop function icert.check_invoice();
reset role;
