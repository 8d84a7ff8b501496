//! How much may wait to be said on a link that nobody reads.

use bytes::Bytes;
use sandgate_wire::limits::CONTROL_MAX;
use sandgate_wire::link::{Lane, Lanes, Signal, SignalError, State, Window};

#[test]
fn every_lane_has_room_for_small_signals_more() {
    let lanes = Lanes::new();
    for module in 0..3 {
        lanes.add(&Lane::new(module, 1, Window { messages: 1, bytes: 1 }));
    }
    let statistics = Signal::Statistics { module: 1, epoch: 1, json: String::new() };
    while lanes.signal(statistics.clone()).is_ok() {}
    let control = |length| Signal::Control { epoch: 1, name: "m".into(), frame: vec![0; length].into() };
    assert_eq!(lanes.signal(control(1)), Err(SignalError::Full));
    let state = Signal::State { module: 1, epoch: 1, state: State::Ended, detail: String::new() };
    for _ in 0..2 * 3 {
        assert_eq!(lanes.signal(state.clone()), Ok(()));
    }
    assert_eq!(lanes.signal(state), Err(SignalError::Full));
}

#[test]
fn a_control_message_has_a_limit() {
    let lanes = Lanes::new();
    let control =
        |length| Signal::Control { epoch: 1, name: "m".into(), frame: Bytes::from(vec![0; length]) };
    assert_eq!(lanes.signal(control(CONTROL_MAX + 1)), Err(SignalError::TooLong(CONTROL_MAX + 1)));
    assert_eq!(lanes.signal(control(CONTROL_MAX)), Ok(()));
}
