//! V1's constant map: a map that nobody changes, with a count of references
//! (`azure_c_shared_utility/constmap.h`).
//!
//! Pointers that come from C are, as V1 requires, NULL or valid for the call.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::map::{Map, Map_GetInternals, MapResult, Texts, invalid};
use crate::memory::{allocate, free, text};

/// V1's `CONSTMAP_RESULT`.
#[allow(dead_code, reason = "V1's numbers")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub enum ConstMapResult {
    /// Done.
    Ok,
    /// There is no memory.
    Error,
    /// An argument is NULL.
    InvalidArg,
    /// The key is not there. (No function gives it.)
    KeyNotFound,
}

/// What a `CONSTMAP_HANDLE` points to.
#[repr(C)]
pub struct ConstMap {
    map: *mut Map,
    references: AtomicU32,
}

impl ConstMap {
    fn map(&self) -> Option<&Map> {
        // SAFETY: it was set when this was made, and goes with it.
        unsafe { self.map.as_ref() }
    }
}

/// One reference to a constant map.
pub(crate) struct SharedMap(NonNull<ConstMap>);

// SAFETY: nobody changes the map, and references are counted atomically.
unsafe impl Send for SharedMap {}
// SAFETY: as above.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    /// A constant copy of a map; `None` when there is no memory.
    pub(crate) fn copy_of(map: &Map) -> Option<Self> {
        let new: *mut ConstMap = allocate();
        // SAFETY: it is NULL, or new and all zero.
        let contents = unsafe { new.as_mut() }?;
        contents.map = map.copy();
        contents.references = AtomicU32::new(1);
        // With the reference goes, if the copy has failed, the rest.
        let shared = Self(NonNull::from(contents));
        shared.get().map().is_some().then_some(shared)
    }

    /// Takes part in the reference that a handle of C's stands for.
    ///
    /// # Safety
    /// It is NULL or a constant map.
    unsafe fn of(handle: *mut ConstMap) -> Option<Self> {
        let shared = NonNull::new(handle)?;
        // SAFETY: the map lives, as the caller says.
        unsafe { shared.as_ref() }.references.fetch_add(1, Ordering::Relaxed);
        Some(Self(shared))
    }

    /// Takes over the reference that a handle of C's stands for.
    ///
    /// # Safety
    /// It is NULL or a constant map, and the reference is not used again.
    unsafe fn from_raw(handle: *mut ConstMap) -> Option<Self> {
        NonNull::new(handle).map(Self)
    }

    /// A handle for C, with the reference.
    pub(crate) fn into_raw(self) -> *mut ConstMap {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    fn get(&self) -> &ConstMap {
        // SAFETY: it lives as long as this reference.
        unsafe { self.0.as_ref() }
    }

    /// The pairs, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&CStr, &CStr)> {
        self.get().map().into_iter().flat_map(Map::pairs)
    }
}

impl Clone for SharedMap {
    fn clone(&self) -> Self {
        self.get().references.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        if self.get().references.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: that was the last reference.
            unsafe {
                Map::destroy(self.get().map);
                free(self.0.as_ptr());
            }
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_Create(source: *mut Map) -> *mut ConstMap {
    // SAFETY: NULL or a map, as the caller promises.
    let Some(map) = (unsafe { source.as_ref() }) else { return invalid("ConstMap_Create", ptr::null_mut()) };
    SharedMap::copy_of(map).map_or(ptr::null_mut(), SharedMap::into_raw)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ConstMap_Destroy(handle: *mut ConstMap) {
    // SAFETY: NULL or a constant map to which the caller gives a reference up.
    match unsafe { SharedMap::from_raw(handle) } {
        Some(reference) => drop(reference),
        None => invalid("ConstMap_Destroy", ()),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_Clone(handle: *mut ConstMap) -> *mut ConstMap {
    // SAFETY: NULL or a constant map, as the caller promises.
    let shared = unsafe { SharedMap::of(handle) };
    shared.map_or_else(|| invalid("ConstMap_Clone", ptr::null_mut()), SharedMap::into_raw)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_CloneWriteable(handle: *mut ConstMap) -> *mut Map {
    // SAFETY: NULL or a constant map, as the caller promises.
    let map = unsafe { handle.as_ref() }.and_then(ConstMap::map);
    map.map_or_else(|| invalid("ConstMap_CloneWriteable", ptr::null_mut()), Map::copy)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_ContainsKey(handle: *mut ConstMap, key: *const c_char) -> bool {
    // SAFETY: NULL, a constant map, or a text, as the caller promises.
    match unsafe { (handle.as_ref().and_then(ConstMap::map), text(key)) } {
        (Some(map), Some(key)) => map.value(key).is_some(),
        _ => invalid("ConstMap_ContainsKey", false),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_ContainsValue(handle: *mut ConstMap, value: *const c_char) -> bool {
    // SAFETY: NULL, a constant map, or a text, as the caller promises.
    match unsafe { (handle.as_ref().and_then(ConstMap::map), text(value)) } {
        (Some(map), Some(value)) => map.pairs().any(|(_, candidate)| candidate == value),
        _ => invalid("ConstMap_ContainsValue", false),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ConstMap_GetValue(
    handle: *mut ConstMap,
    key: *const c_char,
) -> *const c_char {
    // SAFETY: NULL, a constant map, or a text, as the caller promises.
    match unsafe { (handle.as_ref().and_then(ConstMap::map), text(key)) } {
        (Some(map), Some(key)) => map.value(key).map_or(ptr::null(), CStr::as_ptr),
        _ => invalid("ConstMap_GetValue", ptr::null()),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ConstMap_GetInternals(
    handle: *mut ConstMap,
    keys: *mut Texts,
    values: *mut Texts,
    count: *mut usize,
) -> ConstMapResult {
    // SAFETY: NULL or a constant map, as the caller promises.
    let map = unsafe { handle.as_ref() }.map_or(ptr::null_mut(), |handle| handle.map);
    // SAFETY: each is NULL, or what the other function wants, as the caller promises.
    match unsafe { Map_GetInternals(map, keys, values, count) } {
        MapResult::Ok => ConstMapResult::Ok,
        _ => ConstMapResult::InvalidArg,
    }
}

#[cfg(test)]
mod tests;
