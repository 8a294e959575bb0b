set role icert_owner;
revoke update (billing, buyer_hash) on icert.purchase from icert_portal;
drop trigger billing_while_open on icert.purchase;
drop function icert.billing_while_open();
reset role;
