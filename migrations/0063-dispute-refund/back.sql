delete from icert.transition where machine = 'purchase' and from_state = 'disputed' and to_state = 'refunding';
