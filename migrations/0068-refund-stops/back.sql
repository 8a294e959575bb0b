set role icert_owner;
drop policy issuer_hold on icert.purchase;
revoke update (id) on icert.purchase from icert_issuer;
drop policy desk_refund on icert.purchase;
revoke update (state, version, state_since) on icert.purchase from icert_desk;
reset role;
delete from icert.transition where machine = 'purchase' and to_state = 'refunding' and program = 'icert_desk';
insert into icert.transition (machine, from_state, to_state, program) values
	('purchase', 'paid', 'refunding', 'icert_clerk'),
	('purchase', 'used', 'refunding', 'icert_clerk');
