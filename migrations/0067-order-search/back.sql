set role icert_login;
drop function icert.orders_of_person(bytea[]);
reset role;
set role icert_owner;
drop index icert.bank_line_cents, icert.bank_line_day, icert.bank_line_reference, icert.payment_payment, icert.payment_cents, icert.purchase_payment, icert.purchase_total,
	icert.purchase_paid, icert.purchase_newest, icert.purchase_buyer;
alter table icert.purchase drop column buyer_hash;
reset role;
