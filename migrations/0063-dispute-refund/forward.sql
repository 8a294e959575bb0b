-- A dispute that ends for us while two people have confirmed a refund: the money is on its way back still.
insert into icert.transition (machine, from_state, to_state, program) values ('purchase', 'disputed', 'refunding', 'icert_clerk');
