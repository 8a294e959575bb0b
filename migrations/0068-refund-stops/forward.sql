-- From the second signature under a refund on nothing is issued for its order: whoever confirms turns the order in the same transaction,
-- and the issuer holds the order's row while it makes a case issued.
delete from icert.transition where machine = 'purchase' and from_state in ('paid', 'used') and to_state = 'refunding' and program = 'icert_clerk';
insert into icert.transition (machine, from_state, to_state, program) values
	('purchase', 'paid', 'refunding', 'icert_desk'),
	('purchase', 'used', 'refunding', 'icert_desk');
set role icert_owner;
grant update (state, version, state_since) on icert.purchase to icert_desk;
create policy desk_refund on icert.purchase for update to icert_desk
	using ((select icert.me_has('finance', 'national')))
	with check (state = 'refunding' and exists (select from icert.refund q where q.purchase_id = purchase.id and q.own
		and q.state = 'confirmed' and q.decided_by = (select icert.me_staff())));
-- To lock a row one has to be allowed to change it; no change passes.
grant update (id) on icert.purchase to icert_issuer;
create policy issuer_hold on icert.purchase for update to icert_issuer
	using (exists (select from icert.application a where a.purchase_id = purchase.id)) with check (false);
reset role;
