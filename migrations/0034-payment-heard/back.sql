set role icert_owner;
drop policy portal on icert.payment;
revoke select (purchase_id, gateway, gateway_payment, verdict, at) on icert.payment from icert_portal;
reset role;
