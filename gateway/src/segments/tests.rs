use sandgate_wire::segments::{Grant, SegmentAuthority, SegmentError, Token};

use super::*;
use crate::status::ModuleStatus;

fn rights(pools: &[&str]) -> SegmentRights {
    let pools = pools.iter().map(|pool| (*pool).to_owned()).collect();
    SegmentRights { pools, size_max: 1000, count_max: 3, total_max: 2000 }
}

fn module(segments: &Segments, pools: &[&str]) -> (ModuleSegments, ModuleStatus) {
    let status = ModuleStatus::new("module", "outprocess");
    (segments.of_module(rights(pools), status.clone()), status)
}

fn bytes(grant: &Grant) -> [u8; 4] {
    let mut bytes = [0; 4];
    grant.memory.read(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn two_modules_with_the_grant_share_a_segment_until_the_last_lets_go() {
    let segments = Segments::new();
    let (camera, inspector) =
        (module(&segments, &["frames"]).0.holder(), module(&segments, &["other", "frames"]).0.holder());
    let made = camera.create(1, "frames", 100).unwrap();
    made.memory.write(0, b"data").unwrap();
    let opened = inspector.open(1, made.token).unwrap();
    assert_eq!(bytes(&opened), *b"data");
    camera.close(1);
    assert_eq!((bytes(&opened), segments.len()), (*b"data", 1));
    inspector.close(1);
    assert!(segments.is_empty());
    assert_eq!(inspector.open(2, made.token).unwrap_err(), SegmentError::NoSuch);
}

#[test]
fn what_is_not_granted_is_neither_created_nor_opened() {
    let segments = Segments::new();
    let (owner, stranger, nobody) = (
        module(&segments, &["frames"]).0.holder(),
        module(&segments, &["other"]).0.holder(),
        module(&segments, &[]).0.holder(),
    );
    let made = owner.create(1, "frames", 100).unwrap();
    assert_eq!(stranger.create(1, "frames", 100).unwrap_err(), SegmentError::NotGranted);
    assert_eq!(stranger.open(1, made.token).unwrap_err(), SegmentError::Foreign);
    assert_eq!(nobody.open(1, made.token).unwrap_err(), SegmentError::Foreign);
    assert_eq!(owner.open(2, Token::random()).unwrap_err(), SegmentError::NoSuch);
    assert_eq!(segments.len(), 1);
}

#[test]
fn size_number_and_total_are_limited_and_told() {
    let segments = Segments::new();
    let (module, status) = module(&segments, &["frames"]);
    let holder = module.holder();
    assert_eq!(holder.create(1, "frames", 0).unwrap_err(), SegmentError::Empty);
    assert_eq!(holder.create(1, "frames", 1001).unwrap_err(), SegmentError::TooLarge(1000));
    let first = holder.create(1, "frames", 1000).unwrap();
    holder.create(2, "frames", 900).unwrap();
    assert_eq!(holder.create(3, "frames", 101).unwrap_err(), SegmentError::TooMuch(2000));
    assert_eq!(holder.open(3, first.token).unwrap_err(), SegmentError::TooMuch(2000));
    holder.create(3, "frames", 100).unwrap();
    assert_eq!(holder.create(4, "frames", 1).unwrap_err(), SegmentError::TooMany(3));
    assert_eq!(status.to_json()["segments"], serde_json::json!({"held": 3, "bytes": 2000}));
    holder.close(2);
    assert_eq!(status.to_json()["segments"], serde_json::json!({"held": 2, "bytes": 1100}));
    holder.create(4, "frames", 900).unwrap();
    assert_eq!(segments.len(), 3);
}

#[test]
fn a_repeated_request_gives_the_same_segment_again() {
    let segments = Segments::new();
    let holder = module(&segments, &["frames"]).0.holder();
    let first = holder.create(1, "frames", 100).unwrap();
    assert_eq!(holder.create(1, "frames", 100).unwrap().token, first.token);
    let opened = holder.open(2, first.token).unwrap();
    assert_eq!(holder.open(2, opened.token).unwrap().token, first.token);
    assert_eq!(segments.len(), 1);
    holder.close(1);
    holder.close(1);
    assert_eq!(segments.len(), 1, "the second hold is still there");
    holder.close(2);
    assert!(segments.is_empty());
}

#[test]
fn a_census_gives_back_what_is_not_in_it_and_the_end_everything() {
    let segments = Segments::new();
    let (module, status) = module(&segments, &["frames"]);
    let holder = module.holder();
    for request in 1..=3 {
        holder.create(request, "frames", 100).unwrap();
    }
    holder.retain(&[2, 9]);
    assert_eq!((segments.len(), &status.to_json()["segments"]["held"]), (1, &1.into()));
    drop(holder);
    assert_eq!((segments.len(), &status.to_json()["segments"]["held"]), (0, &0.into()));
}
