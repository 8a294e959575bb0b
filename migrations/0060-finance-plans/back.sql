set role icert_owner;
drop index icert.payment_unspent, icert.purchase_disputed, icert.purchase_refunded;
reset role;
