use super::*;
use crate::constbuffer::{CONSTBUFFER_Create, CONSTBUFFER_Destroy, CONSTBUFFER_GetContent};
use crate::constmap::{ConstMap_Destroy, ConstMap_GetValue};
use crate::map::tests::map_of;
use crate::memory::text;

/// A message with the property `a` and this content, which the test destroys.
pub(crate) fn message_of(content: &[u8]) -> MessageHandle {
    let properties = map_of(&[(c"a", c"1")]);
    let config = Config { size: content.len(), source: content.as_ptr(), properties };
    // SAFETY: a configuration, and a map that is not used again.
    unsafe {
        let message = Message_Create(&raw const config);
        Map::destroy(properties);
        assert!(!message.is_null());
        message
    }
}

fn content(message: MessageHandle) -> Vec<u8> {
    let content = lookup("test", message).unwrap();
    content.content.bytes().to_vec()
}

#[test]
fn a_message_is_a_copy_of_what_it_was_made_of() {
    let message = message_of(b"hello");
    // SAFETY: what a message gives is valid as long as it is held.
    unsafe {
        let properties = Message_GetProperties(message);
        let handle = Message_GetContentHandle(message);
        assert_eq!(Message_GetContent(message), CONSTBUFFER_GetContent(handle));
        Message_Destroy(message);
        assert_eq!(text(ConstMap_GetValue(properties, c"a".as_ptr())), Some(c"1"));
        ConstMap_Destroy(properties);
        CONSTBUFFER_Destroy(handle);
    }
}

#[test]
fn a_message_can_share_a_buffer() {
    let properties = map_of(&[]);
    // SAFETY: bytes, a constant buffer and a map.
    unsafe {
        let buffer = CONSTBUFFER_Create(b"xy".as_ptr(), 2);
        let config = BufferConfig { content: buffer, properties };
        let message = Message_CreateFromBuffer(&raw const config);
        assert_eq!(Message_GetContent(message), CONSTBUFFER_GetContent(buffer));
        CONSTBUFFER_Destroy(buffer);
        assert_eq!(content(message), b"xy");
        Message_Destroy(message);
        Map::destroy(properties);
    }
}

#[test]
fn bytes_and_messages_become_each_other() {
    let message = message_of(b"hello");
    // SAFETY: the buffer is as large as it is said to be.
    unsafe {
        let size = Message_ToByteArray(message, ptr::null_mut(), 0);
        assert_eq!(size, 14 + 4 + 5);
        let mut buffer = vec![0xff; size as usize + 1];
        assert_eq!(Message_ToByteArray(message, buffer.as_mut_ptr(), size - 1), -1);
        assert_eq!(Message_ToByteArray(message, ptr::null_mut(), size), -1);
        assert_eq!(Message_ToByteArray(message, buffer.as_mut_ptr(), size + 1), size);
        assert_eq!(buffer.pop(), Some(0xff), "no more is written than the message is long");
        let copy = Message_CreateFromByteArray(buffer.as_ptr(), size);
        assert_eq!(lookup("test", copy).unwrap().to_bytes().unwrap(), buffer);
        Message_Destroy(copy);
    }
    Message_Destroy(message);
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let twice = Parts { properties: vec![(b"a", b"1"), (b"a", b"2")], content: b"" }.to_bytes().unwrap();
    // SAFETY: NULL, or as many bytes as are named.
    unsafe {
        assert!(Message_CreateFromByteArray(ptr::null(), 14).is_null());
        assert!(Message_CreateFromByteArray(twice.as_ptr(), -1).is_null());
        assert!(Message_CreateFromByteArray(twice.as_ptr(), 13).is_null());
        assert!(Message_CreateFromByteArray(twice.as_ptr(), twice.len() as i32).is_null());
    }
}

#[test]
fn a_clone_is_the_same_message_held_once_more() {
    let message = message_of(b"");
    assert_eq!(Message_Clone(message), message);
    Message_Destroy(message);
    assert_eq!(content(message), b"");
    Message_Destroy(message);
    assert!(Message_Clone(message).is_null());
}

#[test]
fn handles_that_stand_for_nothing_are_refused() {
    let stale = message_of(b"");
    Message_Destroy(stale);
    Message_Destroy(stale);
    for handle in [ptr::null_mut(), stale, ptr::without_provenance_mut(0xdead_beef)] {
        assert!(Message_Clone(handle).is_null());
        assert!(Message_GetProperties(handle).is_null());
        assert!(Message_GetContent(handle).is_null());
        assert!(Message_GetContentHandle(handle).is_null());
        // SAFETY: no buffer is given.
        assert_eq!(unsafe { Message_ToByteArray(handle, ptr::null_mut(), 0) }, -1);
        Message_Destroy(handle);
    }
}

#[test]
fn configurations_that_lack_something_are_refused() {
    let properties = map_of(&[]);
    let no_map = Config { size: 0, source: ptr::null(), properties: ptr::null_mut() };
    let no_source = Config { size: 1, source: ptr::null(), properties };
    let no_content = BufferConfig { content: ptr::null_mut(), properties };
    // SAFETY: NULL or a configuration.
    unsafe {
        assert!(Message_Create(ptr::null()).is_null());
        assert!(Message_Create(&raw const no_map).is_null());
        assert!(Message_Create(&raw const no_source).is_null());
        assert!(Message_CreateFromBuffer(ptr::null()).is_null());
        assert!(Message_CreateFromBuffer(&raw const no_content).is_null());
        Map::destroy(properties);
    }
}
