use super::*;
use crate::link::Parcel;

const WINDOW: Window = Window { messages: 8, bytes: 1 << 20 };
const PEER: Instance = Instance([1; 16]);

fn parcel() -> Parcel {
    Parcel::message(vec![0; 8].into())
}

/// The peer says what it likes, and the writer, which is stuck, takes nothing.
fn stuck(side: Side) -> (Arc<Shared>, u64) {
    let lanes = crate::link::Lanes::new();
    let agreed = Agreed { version: 1, features: Features::OURS, peer: PEER };
    let begun = lanes.shared.begin(side, &agreed).unwrap();
    (lanes.shared, begun.number)
}

#[test]
fn a_gateway_that_asks_again_and_again_and_does_not_read_makes_nothing_grow() {
    let (shared, connection) = stuck(Side::Host);
    for round in 0..1000 {
        // As a session has it: a newer lane takes the place of the one before.
        let key = (3, round / 4);
        shared.on_open(connection, key, 0, WINDOW).unwrap();
        let lane = Lane::new(key.0, key.1, WINDOW);
        shared.lock().add(&lane);
        shared.on_open(connection, key, 0, WINDOW).unwrap();
        let older = (3, key.1.wrapping_sub(1));
        shared.lock().remove(older);
    }
    let registry = shared.lock();
    assert_eq!((registry.lanes.len(), registry.due.len()), (1, 1));
}

#[test]
fn a_host_that_opens_again_and_again_and_does_not_read_makes_nothing_grow() {
    let (shared, connection) = stuck(Side::Gateway);
    for epoch in 1..1000 {
        let lane = Lane::new(3, epoch, WINDOW);
        lane.try_send(parcel()).unwrap();
        {
            let mut registry = shared.lock();
            registry.add(&lane);
            registry.ask((3, epoch), 0, WINDOW);
            registry.remove((3, epoch - 1));
        }
        assert_eq!(shared.on_opened(connection, (3, epoch), 0, WINDOW), Ok(true));
        let again = shared.on_opened(connection, (3, epoch), 0, WINDOW);
        assert_eq!(again, Err(Violation::Unasked { module: 3, epoch }));
    }
    let registry = shared.lock();
    assert_eq!((registry.lanes.len(), registry.due.len(), registry.ready.len()), (1, 1, 1));
}
