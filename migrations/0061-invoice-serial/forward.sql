-- Finance looks for the order of an invoice by the number on it.
set role icert_owner;
create index invoice_serial on icert.invoice (serial);
reset role;
