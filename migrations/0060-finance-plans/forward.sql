-- What finance's first page asks for is a few rows of many: what paid no order, and orders whose money is on its way back or is held.
set role icert_owner;
create index payment_unspent on icert.payment (at) where verdict in ('again', 'late', 'mismatch');
create index purchase_disputed on icert.purchase (state_since) where state = 'disputed';
create index purchase_refunded on icert.purchase (state_since) where state = 'refunded';
reset role;
