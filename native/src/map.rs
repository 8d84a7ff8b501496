//! V1's map: texts by texts, in the order in which they were added (`azure_c_shared_utility/map.h`).
//!
//! Every pointer that comes from C is, as V1 requires, NULL or valid for the call; a map that comes from C was made by
//! these functions or by V1's own, whose layout this is.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::complaint::complain;
use crate::memory::{allocate, copy_text, free, grow, text};
use crate::strings::Text;

/// V1's `MAP_RESULT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub enum MapResult {
    /// Done.
    Ok,
    /// There is no memory.
    Error,
    /// An argument is NULL.
    InvalidArg,
    /// The key is there already.
    KeyExists,
    /// The key is not there.
    KeyNotFound,
    /// The map's filter does not want the pair.
    FilterReject,
}

/// V1's `MAP_FILTER_CALLBACK`: anything but 0 refuses the pair.
pub type Filter = unsafe extern "C" fn(key: *const c_char, value: *const c_char) -> c_int;

/// What a `MAP_HANDLE` points to. Both arrays are from C's allocator, as is every text in them, and `count` long.
#[repr(C)]
pub struct Map {
    keys: *mut *mut c_char,
    values: *mut *mut c_char,
    count: usize,
    filter: Option<Filter>,
}

impl Map {
    /// A new map without pairs; NULL when there is no memory.
    pub(crate) fn create(filter: Option<Filter>) -> *mut Self {
        let map: *mut Self = allocate();
        // SAFETY: it is NULL, or all zero, which is an empty map.
        if let Some(map) = unsafe { map.as_mut() } {
            map.filter = filter;
        }
        map
    }

    /// Frees a map.
    ///
    /// # Safety
    /// It is NULL, or a map that nobody uses any more.
    pub(crate) unsafe fn destroy(map: *mut Self) {
        // SAFETY: as the caller says.
        let Some(contents) = (unsafe { map.as_ref() }) else { return };
        for array in [contents.keys, contents.values] {
            for index in 0..contents.count {
                // SAFETY: the array is `count` long, and its texts are the map's.
                unsafe { free(*array.add(index)) };
            }
            // SAFETY: the array is the map's.
            unsafe { free(array) };
        }
        // SAFETY: as the caller says.
        unsafe { free(map) };
    }

    /// A copy; NULL when there is no memory.
    pub(crate) fn copy(&self) -> *mut Self {
        let copy = Self::create(self.filter);
        // SAFETY: it is NULL or a map that nobody else knows.
        let Some(map) = (unsafe { copy.as_mut() }) else { return copy };
        if self.pairs().all(|(key, value)| map.push(key, value)) {
            return copy;
        }
        // SAFETY: nobody else knows the copy.
        unsafe { Self::destroy(copy) };
        ptr::null_mut()
    }

    /// The pairs, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&CStr, &CStr)> {
        (0..self.count).filter_map(|index| Some((self.at(self.keys, index)?, self.at(self.values, index)?)))
    }

    /// A text of one of the two arrays.
    fn at(&self, array: *mut *mut c_char, index: usize) -> Option<&CStr> {
        // SAFETY: the array is one of this map's, `count` long, and the index is less; the text is NULL or ends in
        // NUL, and is the map's, which does not change while it is borrowed.
        (index < self.count).then(|| unsafe { text(*array.add(index)) }).flatten()
    }

    /// Where a key stands.
    fn find(&self, key: &CStr) -> Option<usize> {
        (0..self.count).find(|index| self.at(self.keys, *index) == Some(key))
    }

    pub(crate) fn value(&self, key: &CStr) -> Option<&CStr> {
        self.at(self.values, self.find(key)?)
    }

    /// Appends a pair whose key is not there. False when there is no memory.
    pub(crate) fn push(&mut self, key: &CStr, value: &CStr) -> bool {
        let (key, value) = (copy_text(key), copy_text(value));
        let fits = !key.is_null() && !value.is_null();
        // SAFETY: both arrays are from C's allocator and `count` long. One that has grown alone holds a NULL more
        // than is counted, which does no harm.
        if fits && unsafe { grow(&mut self.keys, self.count) && grow(&mut self.values, self.count) } {
            // SAFETY: both have one more place now.
            unsafe {
                self.keys.add(self.count).write(key);
                self.values.add(self.count).write(value);
            }
            self.count += 1;
            return true;
        }
        // SAFETY: both are NULL or copies that nobody else knows.
        unsafe {
            free(key);
            free(value);
        }
        false
    }

    fn refuses(&self, key: &CStr, value: &CStr) -> bool {
        // SAFETY: who made the map promised that its filter takes two texts.
        self.filter.is_some_and(|filter| unsafe { filter(key.as_ptr(), value.as_ptr()) } != 0)
    }

    fn replace(&mut self, index: usize, value: &CStr) -> MapResult {
        let copy = copy_text(value);
        if copy.is_null() {
            return MapResult::Error;
        }
        // SAFETY: the index is that of a pair; the text before was the map's. The new value may be a part of it,
        // which is why it was copied first.
        unsafe { free(self.values.add(index).replace(copy)) };
        MapResult::Ok
    }

    fn remove(&mut self, index: usize) {
        for array in [self.keys, self.values] {
            // SAFETY: the index is that of a pair, and behind it stand `count - index - 1` more.
            unsafe {
                free(*array.add(index));
                ptr::copy(array.add(index + 1), array.add(index), self.count - index - 1);
            }
        }
        self.count -= 1;
        if self.count == 0 {
            // SAFETY: both arrays are the map's; V1 leaves none in an empty map.
            unsafe {
                free(self.keys);
                free(self.values);
            }
            (self.keys, self.values) = (ptr::null_mut(), ptr::null_mut());
        }
    }
}

/// Complains of a NULL.
pub(crate) fn invalid<T>(function: &str, result: T) -> T {
    complain(&format!("{function}: an argument is NULL"));
    result
}

#[unsafe(no_mangle)]
extern "C" fn Map_Create(filter: Option<Filter>) -> *mut Map {
    Map::create(filter)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_Destroy(map: *mut Map) {
    // SAFETY: the caller gives the map up.
    unsafe { Map::destroy(map) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_Clone(map: *mut Map) -> *mut Map {
    // SAFETY: NULL or a map, as the caller promises.
    unsafe { map.as_ref() }.map_or_else(|| invalid("Map_Clone", ptr::null_mut()), Map::copy)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_Add(map: *mut Map, key: *const c_char, value: *const c_char) -> MapResult {
    // SAFETY: NULL, a map, or texts, as the caller promises.
    let (Some(map), Some(key), Some(value)) = (unsafe { (map.as_mut(), text(key), text(value)) }) else {
        return invalid("Map_Add", MapResult::InvalidArg);
    };
    if map.find(key).is_some() {
        MapResult::KeyExists
    } else if map.refuses(key, value) {
        MapResult::FilterReject
    } else if map.push(key, value) {
        MapResult::Ok
    } else {
        MapResult::Error
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_AddOrUpdate(map: *mut Map, key: *const c_char, value: *const c_char) -> MapResult {
    // SAFETY: NULL, a map, or texts, as the caller promises.
    let (Some(map), Some(key), Some(value)) = (unsafe { (map.as_mut(), text(key), text(value)) }) else {
        return invalid("Map_AddOrUpdate", MapResult::InvalidArg);
    };
    if map.refuses(key, value) {
        return MapResult::FilterReject;
    }
    match map.find(key) {
        Some(index) => map.replace(index, value),
        None if map.push(key, value) => MapResult::Ok,
        None => MapResult::Error,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_Delete(map: *mut Map, key: *const c_char) -> MapResult {
    // SAFETY: NULL, a map, or a text, as the caller promises.
    let (Some(map), Some(key)) = (unsafe { (map.as_mut(), text(key)) }) else {
        return invalid("Map_Delete", MapResult::InvalidArg);
    };
    let Some(index) = map.find(key) else { return MapResult::KeyNotFound };
    map.remove(index);
    MapResult::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_ContainsKey(map: *mut Map, key: *const c_char, exists: *mut bool) -> MapResult {
    // SAFETY: NULL, a map, a text, or room for the answer, as the caller promises.
    let (Some(map), Some(key), false) = (unsafe { (map.as_ref(), text(key), exists.is_null()) }) else {
        return invalid("Map_ContainsKey", MapResult::InvalidArg);
    };
    // SAFETY: it is not NULL, so there is room.
    unsafe { exists.write(map.find(key).is_some()) };
    MapResult::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_ContainsValue(map: *mut Map, value: *const c_char, exists: *mut bool) -> MapResult {
    // SAFETY: NULL, a map, a text, or room for the answer, as the caller promises.
    let (Some(map), Some(value), false) = (unsafe { (map.as_ref(), text(value), exists.is_null()) }) else {
        return invalid("Map_ContainsValue", MapResult::InvalidArg);
    };
    let found = map.pairs().any(|(_, candidate)| candidate == value);
    // SAFETY: it is not NULL, so there is room.
    unsafe { exists.write(found) };
    MapResult::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_GetValueFromKey(map: *mut Map, key: *const c_char) -> *const c_char {
    // SAFETY: NULL, a map, or a text, as the caller promises.
    let (Some(map), Some(key)) = (unsafe { (map.as_ref(), text(key)) }) else {
        return invalid("Map_GetValueFromKey", ptr::null());
    };
    map.value(key).map_or(ptr::null(), CStr::as_ptr)
}

/// An array of texts, as C sees it.
pub(crate) type Texts = *const *const c_char;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn Map_GetInternals(
    map: *mut Map,
    keys: *mut Texts,
    values: *mut Texts,
    count: *mut usize,
) -> MapResult {
    // SAFETY: NULL or a map, as the caller promises.
    let map = unsafe { map.as_ref() };
    let (Some(map), false) = (map, keys.is_null() || values.is_null() || count.is_null()) else {
        return invalid("Map_GetInternals", MapResult::InvalidArg);
    };
    // SAFETY: none of them is NULL, so there is room.
    unsafe {
        keys.write(map.keys as Texts);
        values.write(map.values as Texts);
        count.write(map.count);
    }
    MapResult::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Map_ToJSON(map: *mut Map) -> *mut Text {
    // SAFETY: NULL or a map, as the caller promises.
    let Some(map) = (unsafe { map.as_ref() }) else { return invalid("Map_ToJSON", ptr::null_mut()) };
    let pairs: Option<Vec<_>> = map
        .pairs()
        .map(|(key, value)| Some([json(key.to_bytes())?, json(value.to_bytes())?].join(&b':')))
        .collect();
    match pairs {
        Some(pairs) => Text::create(&[b"{", pairs.join(&b',').as_slice(), b"}"].concat()),
        None => {
            complain("Map_ToJSON: a text has characters beyond ASCII, which V1's JSON has not");
            ptr::null_mut()
        }
    }
}

/// A text as V1 writes it into JSON; `None` for one beyond ASCII.
fn json(text: &[u8]) -> Option<Vec<u8>> {
    let mut json = vec![b'"'];
    for &byte in text {
        match byte {
            128.. => return None,
            b'"' | b'\\' | b'/' => json.extend([b'\\', byte]),
            0..0x20 => json.extend(format!("\\u{byte:04X}").bytes()),
            _ => json.push(byte),
        }
    }
    json.push(b'"');
    Some(json)
}

#[cfg(test)]
pub(crate) mod tests;
