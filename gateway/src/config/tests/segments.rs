//! Grants of shared memory segments.

use super::*;
use crate::segments::SegmentRights;

fn granted(segments: Value) -> Value {
    let mut module = hello("alpha");
    module["segments"] = segments;
    document(&[module], &[])
}

#[test]
fn a_module_has_no_grant_unless_it_is_given_one() {
    let rights = |document: &Value| Config::check(document, false).unwrap().modules[0].segments.clone();
    assert_eq!(rights(&document(&[hello("alpha")], &[])), SegmentRights::default());
    assert!(SegmentRights::default().pools.is_empty());
    let pools = ["frames".to_owned(), "maps of the yard".to_owned()].into();
    assert_eq!(
        rights(&granted(json!({"grant": ["frames", "maps of the yard"]}))),
        SegmentRights { pools, ..SegmentRights::default() }
    );
    let all = json!({"grant": ["frames"], "size.max": 10, "count.max": 2, "total.max": 15});
    let pools = ["frames".to_owned()].into();
    assert_eq!(rights(&granted(all)), SegmentRights { pools, size_max: 10, count_max: 2, total_max: 15 });
}

#[test]
fn what_is_wrong_with_a_grant_is_told_with_its_place() {
    for (segments, place, reason) in [
        (json!(["frames"]), "/modules/0/segments", "must be an object"),
        (json!({}), "/modules/0/segments", "`grant` is missing"),
        (json!({"grant": "frames"}), "/modules/0/segments/grant", "must be an array"),
        (json!({"grant": [""]}), "/modules/0/segments/grant/0", "must not be empty"),
        (json!({"grant": ["a", "x".repeat(65)]}), "/modules/0/segments/grant/1", "at most 64 bytes"),
        (json!({"grant": ["a\nb"]}), "/modules/0/segments/grant/0", "no control characters"),
        (json!({"grant": ["a", "a"]}), "/modules/0/segments/grant/1", "stands here twice"),
        (json!({"grant": [], "size.max": 0}), "/modules/0/segments/size.max", "from 1 to"),
        (json!({"grant": [], "count.max": 5000}), "/modules/0/segments/count.max", "from 1 to 4096"),
        (json!({"grant": [], "sise.max": 1}), "/modules/0/segments/sise.max", "did you mean `size.max`"),
    ] {
        let faults = Config::check(&granted(segments), false).unwrap_err();
        let told = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(told.contains(place) && told.contains(reason), "{told}");
    }
}
