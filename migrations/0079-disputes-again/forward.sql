-- A bank may dispute a payment, lose, and dispute it again: each of its disputes, and each that was won, is a conclusion of its own.
set role icert_owner;
alter table icert.payment no force row level security;
alter table icert.payment add column turn smallint not null default 0;	-- of its disputes and of those won together, from 1: one that was won is followed by that; others 0
update icert.payment set turn = case verdict when 'disputed' then 1 else 2 end where verdict in ('disputed', 'won');
alter table icert.payment drop constraint payment_gateway_gateway_payment_verdict_key;
alter table icert.payment add unique (gateway, gateway_payment, verdict, turn);
alter table icert.payment force row level security;
reset role;
