use std::ffi::CString;

use super::*;
use crate::strings::{STRING_c_str, STRING_delete, STRING_length};

/// A map of these pairs, which the test destroys.
pub(crate) fn map_of(pairs: &[(&CStr, &CStr)]) -> *mut Map {
    let map = Map_Create(None);
    for (key, value) in pairs {
        // SAFETY: a map and two texts.
        assert_eq!(unsafe { Map_Add(map, key.as_ptr(), value.as_ptr()) }, MapResult::Ok);
    }
    map
}

fn texts(map: *mut Map) -> Vec<(String, String)> {
    // SAFETY: a map.
    let map = unsafe { map.as_ref().unwrap() };
    map.pairs()
        .map(|(key, value)| [key, value].map(|text| text.to_str().unwrap().to_owned()).into())
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn pairs_are_added_changed_found_and_deleted() {
    let map = map_of(&[(c"a", c"1"), (c"b", c"2"), (c"c", c"3")]);
    // SAFETY: a map and texts, and room for the answers.
    unsafe {
        assert_eq!(Map_Add(map, c"b".as_ptr(), c"9".as_ptr()), MapResult::KeyExists);
        assert_eq!(Map_AddOrUpdate(map, c"b".as_ptr(), c"22".as_ptr()), MapResult::Ok);
        assert_eq!(Map_AddOrUpdate(map, c"d".as_ptr(), c"4".as_ptr()), MapResult::Ok);
        assert_eq!(Map_Delete(map, c"a".as_ptr()), MapResult::Ok);
        assert_eq!(Map_Delete(map, c"a".as_ptr()), MapResult::KeyNotFound);
        assert_eq!(texts(map), pairs(&[("b", "22"), ("c", "3"), ("d", "4")]));
        for (key, expected) in [(c"b", true), (c"a", false)] {
            let mut exists = !expected;
            assert_eq!(Map_ContainsKey(map, key.as_ptr(), &mut exists), MapResult::Ok);
            assert_eq!(exists, expected);
        }
        for (value, expected) in [(c"22", true), (c"2", false)] {
            let mut exists = !expected;
            assert_eq!(Map_ContainsValue(map, value.as_ptr(), &mut exists), MapResult::Ok);
            assert_eq!(exists, expected);
        }
        assert_eq!(text(Map_GetValueFromKey(map, c"d".as_ptr())), Some(c"4"));
        assert_eq!(Map_GetValueFromKey(map, c"a".as_ptr()), ptr::null());
        let (mut keys, mut values, mut count) = (ptr::null(), ptr::null(), 0);
        assert_eq!(Map_GetInternals(map, &mut keys, &mut values, &mut count), MapResult::Ok);
        assert_eq!((text(*keys.add(2)), text(*values.add(2)), count), (Some(c"d"), Some(c"4"), 3));
        Map_Destroy(map);
    }
}

#[test]
fn an_emptied_map_has_no_arrays_and_can_be_filled_again() {
    let map = map_of(&[(c"a", c"1")]);
    // SAFETY: a map, texts, and room for the answers.
    unsafe {
        assert_eq!(Map_Delete(map, c"a".as_ptr()), MapResult::Ok);
        let (mut keys, mut values, mut count) = (ptr::dangling(), ptr::dangling(), 9);
        assert_eq!(Map_GetInternals(map, &mut keys, &mut values, &mut count), MapResult::Ok);
        assert!(keys.is_null() && values.is_null() && count == 0);
        assert_eq!(Map_Add(map, c"a".as_ptr(), c"2".as_ptr()), MapResult::Ok);
        assert_eq!(texts(map), pairs(&[("a", "2")]));
        Map_Destroy(map);
    }
}

#[test]
fn a_value_can_be_replaced_by_a_part_of_itself() {
    let map = map_of(&[(c"a", c"12345")]);
    // SAFETY: a map and texts; V1's own function would read freed memory here.
    unsafe {
        let tail = Map_GetValueFromKey(map, c"a".as_ptr()).add(2);
        assert_eq!(Map_AddOrUpdate(map, c"a".as_ptr(), tail), MapResult::Ok);
        assert_eq!(texts(map), pairs(&[("a", "345")]));
        Map_Destroy(map);
    }
}

#[test]
fn a_copy_is_a_map_of_its_own() {
    let map = map_of(&[(c"a", c"1")]);
    // SAFETY: maps and texts.
    unsafe {
        let copy = Map_Clone(map);
        Map_Destroy(map);
        assert_eq!(texts(copy), pairs(&[("a", "1")]));
        Map_Destroy(copy);
    }
}

#[test]
fn a_filter_refuses_before_anything_is_changed() {
    unsafe extern "C" fn no_secrets(key: *const c_char, value: *const c_char) -> c_int {
        // SAFETY: the map gives two texts.
        let (key, value) = unsafe { (text(key).unwrap(), text(value).unwrap()) };
        c_int::from(key == c"secret" || value == c"secret")
    }
    let map = Map_Create(Some(no_secrets));
    // SAFETY: a map and texts.
    unsafe {
        assert_eq!(Map_Add(map, c"secret".as_ptr(), c"1".as_ptr()), MapResult::FilterReject);
        assert_eq!(Map_Add(map, c"a".as_ptr(), c"1".as_ptr()), MapResult::Ok);
        assert_eq!(Map_AddOrUpdate(map, c"a".as_ptr(), c"secret".as_ptr()), MapResult::FilterReject);
        assert_eq!(Map_Add(map, c"a".as_ptr(), c"secret".as_ptr()), MapResult::KeyExists);
        assert_eq!(texts(map), pairs(&[("a", "1")]));
        Map_Destroy(map);
    }
}

#[test]
fn null_is_an_invalid_argument_wherever_it_stands() {
    let map = map_of(&[(c"a", c"1")]);
    let (none, key, nothing) = (ptr::null_mut(), c"a".as_ptr(), ptr::null());
    let (mut exists, mut texts, mut count) = (false, ptr::null(), 0);
    // SAFETY: each argument is NULL or what it should be.
    unsafe {
        for (map, key, value) in [(none, key, key), (map, nothing, key), (map, key, nothing)] {
            assert_eq!(Map_Add(map, key, value), MapResult::InvalidArg);
            assert_eq!(Map_AddOrUpdate(map, key, value), MapResult::InvalidArg);
        }
        for (map, key) in [(none, key), (map, nothing)] {
            assert_eq!(Map_Delete(map, key), MapResult::InvalidArg);
            assert_eq!(Map_ContainsKey(map, key, &mut exists), MapResult::InvalidArg);
            assert_eq!(Map_ContainsValue(map, key, &mut exists), MapResult::InvalidArg);
            assert_eq!(Map_GetValueFromKey(map, key), nothing);
        }
        assert_eq!(Map_ContainsKey(map, key, ptr::null_mut()), MapResult::InvalidArg);
        assert_eq!(Map_ContainsValue(map, key, ptr::null_mut()), MapResult::InvalidArg);
        let mut other = ptr::null();
        assert_eq!(Map_GetInternals(none, &mut texts, &mut other, &mut count), MapResult::InvalidArg);
        assert_eq!(Map_GetInternals(map, ptr::null_mut(), &mut other, &mut count), MapResult::InvalidArg);
        assert_eq!(Map_GetInternals(map, &mut texts, ptr::null_mut(), &mut count), MapResult::InvalidArg);
        assert_eq!(Map_GetInternals(map, &mut texts, &mut other, ptr::null_mut()), MapResult::InvalidArg);
        assert!(Map_Clone(none).is_null());
        assert!(Map_ToJSON(none).is_null());
        Map_Destroy(none);
        Map_Destroy(map);
    }
}

#[test]
fn json_is_v1s() {
    for (pairs, expected) in [
        (&[][..], Some("{}")),
        (&[("a", "1"), ("b\"\\/", "\n\u{1f}")], Some(r#"{"a":"1","b\"\\\/":"\u000A\u001F"}"#)),
        (&[("a", "é")], None),
    ] {
        let texts: Vec<_> =
            pairs.iter().map(|(key, value)| [key, value].map(|t| CString::new(*t).unwrap())).collect();
        let map =
            map_of(&texts.iter().map(|[key, value]| (key.as_c_str(), value.as_c_str())).collect::<Vec<_>>());
        // SAFETY: a map, and a string or NULL.
        unsafe {
            let json = Map_ToJSON(map);
            assert_eq!(text(STRING_c_str(json)).map(|text| text.to_str().unwrap()), expected);
            assert_eq!(STRING_length(json), expected.map_or(0, str::len));
            STRING_delete(json);
            Map_Destroy(map);
        }
    }
}
