use std::ffi::{c_int, c_void};
use std::slice;
use std::sync::Mutex;

use sandgate_native_interface::segment::{Segment, SegmentFunctions, SegmentResult};

use super::*;
use crate::message::Message_Destroy;
use crate::message::tests::message_of;

/// What came out of a broker.
#[derive(Default)]
struct Seen {
    frames: Vec<Vec<u8>>,
    released: usize,
}

unsafe extern "C" fn publish(context: *mut c_void, bytes: *const u8, size: usize) -> c_int {
    // SAFETY: the context is that of `broker`, and the bytes are valid during the call.
    let (seen, frame) = unsafe { (&*context.cast::<Mutex<Seen>>(), slice::from_raw_parts(bytes, size)) };
    seen.lock().unwrap().frames.push(frame.to_vec());
    c_int::from(frame.ends_with(b"bad"))
}

unsafe extern "C" fn release(context: *mut c_void) {
    // SAFETY: the context is that of `broker`.
    unsafe { &*context.cast::<Mutex<Seen>>() }.lock().unwrap().released += 1;
}

unsafe extern "C" fn give(_: *mut c_void, _: *const u8, _: usize, _: *mut Segment) -> c_int {
    SegmentResult::Unavailable as c_int
}

unsafe extern "C" fn make(_: *mut c_void, _: *const u8, _: usize, _: u64, _: *mut Segment) -> c_int {
    SegmentResult::Unavailable as c_int
}

unsafe extern "C" fn read(_: *mut c_void, _: u64, _: u64, _: *mut u8, _: usize) -> c_int {
    SegmentResult::Unavailable as c_int
}

unsafe extern "C" fn write(_: *mut c_void, _: u64, _: u64, _: *const u8, _: usize) -> c_int {
    SegmentResult::Unavailable as c_int
}

unsafe extern "C" fn close(_: *mut c_void, _: u64) {}

/// A program without segments.
const NONE: SegmentFunctions = SegmentFunctions { create: make, open: give, read, write, close };

fn broker(seen: &Mutex<Seen>) -> BrokerHandle {
    create(Outlet { context: ptr::from_ref(seen).cast_mut().cast(), publish, segments: NONE, release })
}

/// A module's handle, which the broker only compares with NULL.
const SELF: ModuleHandle = ptr::without_provenance_mut(1);

#[test]
fn what_is_published_comes_out_as_bytes_with_its_result() {
    let seen = Mutex::default();
    let broker = broker(&seen);
    for (content, expected) in [(&b"good"[..], BrokerResult::Ok), (b"bad", BrokerResult::Error)] {
        let message = message_of(content);
        assert_eq!(Broker_Publish(broker, SELF, message), expected);
        Message_Destroy(message);
    }
    assert_eq!(seen.lock().unwrap().frames.len(), 2);
    assert!(seen.lock().unwrap().frames[0].ends_with(b"good"));
    Broker_DecRef(broker);
}

#[test]
fn what_stands_for_nothing_is_not_published() {
    let seen = Mutex::default();
    let (broker, message) = (broker(&seen), message_of(b""));
    let invented = ptr::without_provenance_mut(0x7000);
    for (broker, source, message) in [
        (ptr::null_mut(), SELF, message),
        (invented, SELF, message),
        (broker, ptr::null_mut(), message),
        (broker, SELF, ptr::null_mut()),
        (broker, SELF, invented),
    ] {
        assert_eq!(Broker_Publish(broker, source, message), BrokerResult::InvalidArg);
    }
    Message_Destroy(message);
    assert_eq!(Broker_Publish(broker, SELF, message), BrokerResult::InvalidArg, "destroyed already");
    assert!(seen.lock().unwrap().frames.is_empty());
    Broker_Destroy(broker);
}

#[test]
fn a_broker_goes_with_its_last_reference_and_no_sooner() {
    let seen = Mutex::default();
    let broker = broker(&seen);
    Broker_IncRef(broker);
    Broker_DecRef(broker);
    assert_eq!(seen.lock().unwrap().released, 0);
    Broker_DecRef(broker);
    Broker_DecRef(broker);
    Broker_IncRef(broker);
    assert_eq!(seen.lock().unwrap().released, 1);
}
