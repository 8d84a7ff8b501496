//! V1's messages (`message.h`): properties and content that nobody changes, with a count of references.
//!
//! Pointers that come from C are, as V1 requires, NULL or valid for the call. Handles of messages are looked up.

#![allow(unsafe_code, non_snake_case, reason = "V1's C interface")]

use std::ffi::CString;
use std::num::NonZeroUsize;
use std::ptr;
use std::sync::Arc;

use sandgate_native_interface::module::MessageHandle;

use crate::complaint::complain;
use crate::constbuffer::{ConstBuffer, Content, SharedBuffer};
use crate::constmap::{ConstMap, SharedMap};
use crate::frame::Parts;
use crate::handles::Handles;
use crate::map::{Map, invalid};
use crate::memory::bytes;

static MESSAGES: Handles<Arc<Message>> = Handles::new();

/// A message.
pub(crate) struct Message {
    properties: SharedMap,
    content: SharedBuffer,
}

/// V1's `MESSAGE_CONFIG`.
#[repr(C)]
pub struct Config {
    size: usize,
    source: *const u8,
    properties: *mut Map,
}

/// V1's `MESSAGE_BUFFER_CONFIG`.
#[repr(C)]
pub struct BufferConfig {
    content: *mut ConstBuffer,
    properties: *mut Map,
}

impl Message {
    /// The message in V1's format; `None` when it is too large for it.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        self.parts().to_bytes()
    }

    fn parts(&self) -> Parts<'_> {
        let properties = self.properties.pairs().map(|(key, value)| (key.to_bytes(), value.to_bytes()));
        Parts { properties: properties.collect(), content: self.content.bytes() }
    }
}

/// The message of a handle. Complains, in a function's name, of one that stands for nothing.
pub(crate) fn lookup(function: &str, handle: MessageHandle) -> Option<Arc<Message>> {
    let message = MESSAGES.get(handle.addr());
    if message.is_none() {
        complain_of(function, handle);
    }
    message
}

fn complain_of(function: &str, handle: MessageHandle) {
    let what = if handle.is_null() { "is NULL" } else { "is none, or was destroyed already" };
    complain(&format!("{function}: the message {what}"));
}

fn insert(properties: Option<SharedMap>, content: Option<SharedBuffer>) -> MessageHandle {
    let message = properties.zip(content).map(|(properties, content)| Message { properties, content });
    let handle = message.and_then(|message| MESSAGES.insert(Arc::new(message)));
    ptr::without_provenance_mut(handle.map_or(0, NonZeroUsize::get))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Message_Create(config: *const Config) -> MessageHandle {
    // SAFETY: NULL or a configuration, as the caller promises.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return invalid("Message_Create", ptr::null_mut());
    };
    // SAFETY: NULL, a map, or that many bytes, as the caller promises.
    match unsafe { (config.properties.as_ref(), bytes(config.source, config.size)) } {
        (Some(properties), Some(content)) => {
            insert(SharedMap::copy_of(properties), SharedBuffer::copy_of(content))
        }
        _ => {
            complain("Message_Create: the properties are NULL, or the source is and its size is not 0");
            ptr::null_mut()
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Message_CreateFromBuffer(config: *const BufferConfig) -> MessageHandle {
    // SAFETY: NULL or a configuration, as the caller promises.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return invalid("Message_CreateFromBuffer", ptr::null_mut());
    };
    // SAFETY: NULL, a map, or a constant buffer, as the caller promises.
    match unsafe { (config.properties.as_ref(), SharedBuffer::of(config.content)) } {
        (Some(properties), Some(content)) => insert(SharedMap::copy_of(properties), Some(content)),
        _ => {
            complain("Message_CreateFromBuffer: the properties or the content are NULL");
            ptr::null_mut()
        }
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn Message_CreateFromByteArray(source: *const u8, size: i32) -> MessageHandle {
    // SAFETY: NULL or that many bytes, as the caller promises.
    let frame = usize::try_from(size).ok().and_then(|size| unsafe { bytes(source, size) });
    let Some(parts) = frame.and_then(Parts::read) else {
        complain("Message_CreateFromByteArray: these bytes are no message");
        return ptr::null_mut();
    };
    let handle = create(&parts);
    if handle.is_null() {
        complain("Message_CreateFromByteArray: a property appears twice, or there is no memory");
    }
    handle
}

/// A message of its parts; NULL for a key that appears twice, and when there is no memory.
fn create(parts: &Parts<'_>) -> MessageHandle {
    let map = Map::create(None);
    // SAFETY: it is NULL, or new and known to nobody else.
    let properties = unsafe { map.as_mut() }.and_then(|map| {
        let added = parts.properties.iter().all(|(key, value)| {
            // There is no NUL inside, for that is where each of them ended.
            let (Ok(key), Ok(value)) = (CString::new(*key), CString::new(*value)) else { return false };
            map.value(&key).is_none() && map.push(&key, &value)
        });
        added.then(|| SharedMap::copy_of(map)).flatten()
    });
    // SAFETY: nobody else knows the map.
    unsafe { Map::destroy(map) };
    insert(properties, SharedBuffer::copy_of(parts.content))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn Message_ToByteArray(message: MessageHandle, buffer: *mut u8, size: i32) -> i32 {
    const FAILED: i32 = -1;
    let Some(message) = lookup("Message_ToByteArray", message) else { return FAILED };
    if size == 0 {
        return message.parts().size().unwrap_or(FAILED);
    }
    let bytes = message.to_bytes();
    let fits = |bytes: &Vec<u8>| usize::try_from(size).is_ok_and(|size| bytes.len() <= size);
    let Some(bytes) = bytes.filter(fits).filter(|_| !buffer.is_null()) else {
        complain("Message_ToByteArray: the buffer is NULL or too small");
        return FAILED;
    };
    // SAFETY: the buffer has as many bytes as the caller says, and the message is no longer.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len()) };
    // It has been compared with an i32.
    bytes.len() as i32
}

#[unsafe(no_mangle)]
extern "C" fn Message_Clone(message: MessageHandle) -> MessageHandle {
    if MESSAGES.retain(message.addr()) {
        return message;
    }
    complain_of("Message_Clone", message);
    ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn Message_GetProperties(message: MessageHandle) -> *mut ConstMap {
    let message = lookup("Message_GetProperties", message);
    message.map_or(ptr::null_mut(), |message| message.properties.clone().into_raw())
}

#[unsafe(no_mangle)]
extern "C" fn Message_GetContent(message: MessageHandle) -> *const Content {
    lookup("Message_GetContent", message).map_or(ptr::null(), |message| message.content.content())
}

#[unsafe(no_mangle)]
extern "C" fn Message_GetContentHandle(message: MessageHandle) -> *mut ConstBuffer {
    let message = lookup("Message_GetContentHandle", message);
    message.map_or(ptr::null_mut(), |message| message.content.clone().into_raw())
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn Message_Destroy(message: MessageHandle) {
    if !MESSAGES.release(message.addr()) {
        complain_of("Message_Destroy", message);
    }
}

#[cfg(test)]
pub(crate) mod tests;
