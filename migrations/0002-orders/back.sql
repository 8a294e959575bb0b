set role icert_owner;
drop table icert.payment, icert.payment_event, icert.purchase, icert.tariff, icert.product;
drop sequence icert.purchase_number;
reset role;
