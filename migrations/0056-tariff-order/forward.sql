-- Two prices of one product from one day on: what was approved last counts.  The tax of an order is what its price and rate give.
set role icert_owner;
alter table icert.tariff add column written bigint not null generated always as identity;
alter table icert.purchase add constraint purchase_tax check (tax = (net * tax_bp + 5000) / 10000);
reset role;

-- A payer may ask their bank for the money while we are giving it back: then it waits for the bank.
insert into icert.transition (machine, from_state, to_state, program) values ('purchase', 'refunding', 'disputed', 'icert_clerk');
