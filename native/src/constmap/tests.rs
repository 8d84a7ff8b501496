use super::*;
use crate::map::tests::map_of;

#[test]
fn a_constant_map_is_a_copy_that_lives_while_it_is_referenced() {
    let map = map_of(&[(c"a", c"1"), (c"b", c"2")]);
    // SAFETY: maps, texts, and room for the answers.
    unsafe {
        let constant = ConstMap_Create(map);
        Map::destroy(map);
        assert_eq!(ConstMap_Clone(constant), constant);
        ConstMap_Destroy(constant);
        assert!(ConstMap_ContainsKey(constant, c"a".as_ptr()));
        assert!(!ConstMap_ContainsKey(constant, c"c".as_ptr()));
        assert!(ConstMap_ContainsValue(constant, c"2".as_ptr()));
        assert!(!ConstMap_ContainsValue(constant, c"a".as_ptr()));
        assert_eq!(text(ConstMap_GetValue(constant, c"b".as_ptr())), Some(c"2"));
        assert_eq!(ConstMap_GetValue(constant, c"c".as_ptr()), ptr::null());
        let (mut keys, mut values, mut count) = (ptr::null(), ptr::null(), 0);
        let result = ConstMap_GetInternals(constant, &mut keys, &mut values, &mut count);
        assert_eq!((result, count), (ConstMapResult::Ok, 2));
        assert_eq!((text(*keys), text(*values)), (Some(c"a"), Some(c"1")));
        let writeable = ConstMap_CloneWriteable(constant);
        ConstMap_Destroy(constant);
        assert_eq!(writeable.as_ref().unwrap().value(c"a"), Some(c"1"));
        Map::destroy(writeable);
    }
}

#[test]
fn null_is_refused() {
    let map = map_of(&[]);
    let (none, nothing, key) = (ptr::null_mut(), ptr::null(), c"a".as_ptr());
    let (mut texts, mut count) = (ptr::null(), 0);
    // SAFETY: each argument is NULL or what it should be.
    unsafe {
        let constant = ConstMap_Create(map);
        assert!(ConstMap_Create(ptr::null_mut()).is_null());
        assert!(ConstMap_Clone(none).is_null());
        assert!(ConstMap_CloneWriteable(none).is_null());
        for (map, text) in [(none, key), (constant, nothing)] {
            assert!(!ConstMap_ContainsKey(map, text));
            assert!(!ConstMap_ContainsValue(map, text));
            assert_eq!(ConstMap_GetValue(map, text), nothing);
        }
        for map in [none, constant] {
            let result = ConstMap_GetInternals(map, &mut texts, ptr::null_mut(), &mut count);
            assert_eq!(result, ConstMapResult::InvalidArg);
        }
        ConstMap_Destroy(none);
        ConstMap_Destroy(constant);
        Map::destroy(map);
    }
}
