set role icert_owner;
drop policy clerk_destroys on icert.data_key;
revoke update (wrapped) on icert.data_key from icert_clerk;
drop policy admin on icert.refund;
revoke select (id, purchase_id, cents, currency, reason, state, requested_at, tries, gateway_refund, outcome, ended_at) on icert.refund from icert_admin;
drop policy admin on icert.payment;
revoke select on icert.payment from icert_admin;
drop policy admin on icert.purchase;
revoke select (id, number, state, state_since, total, currency, gateway, gateway_payment, created_at, expires_at, paid_at, asked_at)
	on icert.purchase from icert_admin;
drop policy admin on icert.payment_event;
revoke select (gateway, event_id, received_at, key_id, applied_at, verdict, tries, next_try_at, purchase_id) on icert.payment_event from icert_admin;
drop table icert.payment_replay;
reset role;
