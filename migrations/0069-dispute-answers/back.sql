set role icert_owner;
revoke select (id) on icert.bank_line from icert_portal;
revoke select (id) on icert.payment from icert_portal;
drop policy portal on icert.refund;
revoke select (payment_id, purchase_id, state) on icert.refund from icert_portal;
drop table icert.dispute;
reset role;
