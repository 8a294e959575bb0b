set role icert_owner;
revoke update (body) on icert.payment_event from icert_clerk;
drop trigger body_only_emptied on icert.payment_event;
drop function icert.body_only_emptied();
reset role;
