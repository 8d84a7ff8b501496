use super::*;
use crate::strings::{BUFFER_create, BUFFER_delete, BUFFER_length, BUFFER_u_char};

fn content(handle: *mut ConstBuffer) -> Vec<u8> {
    // SAFETY: a constant buffer, whose content is where it says.
    unsafe {
        let Content { buffer, size } = CONSTBUFFER_GetContent(handle).read();
        assert_eq!(buffer.is_null(), size == 0);
        bytes(buffer, size).unwrap().to_vec()
    }
}

#[test]
fn a_constant_buffer_is_a_copy_that_lives_while_it_is_referenced() {
    for source in [&b""[..], b"x", &[0; 4096]] {
        // SAFETY: bytes and constant buffers.
        unsafe {
            let handle = CONSTBUFFER_Create(source.as_ptr(), source.len());
            assert_eq!(CONSTBUFFER_Clone(handle), handle);
            CONSTBUFFER_Destroy(handle);
            assert_eq!(content(handle), source);
            CONSTBUFFER_Destroy(handle);
        }
    }
}

#[test]
fn a_buffer_becomes_a_constant_one() {
    for source in [&b""[..], b"xyz"] {
        // SAFETY: bytes, buffers and constant buffers.
        unsafe {
            let buffer = BUFFER_create(source.as_ptr(), source.len());
            assert_eq!(BUFFER_length(buffer), source.len());
            assert_eq!(BUFFER_u_char(buffer).is_null(), source.is_empty());
            let handle = CONSTBUFFER_CreateFromBuffer(buffer);
            BUFFER_delete(buffer);
            assert_eq!(content(handle), source);
            CONSTBUFFER_Destroy(handle);
        }
    }
}

#[test]
fn null_is_refused() {
    let none = ptr::null_mut();
    // SAFETY: NULL everywhere.
    unsafe {
        assert!(CONSTBUFFER_Create(ptr::null(), 1).is_null());
        assert!(CONSTBUFFER_CreateFromBuffer(ptr::null_mut()).is_null());
        assert!(CONSTBUFFER_Clone(none).is_null());
        assert!(CONSTBUFFER_GetContent(none).is_null());
        CONSTBUFFER_Destroy(none);
        assert!(BUFFER_create(ptr::null(), 0).is_null());
        assert_eq!(BUFFER_length(ptr::null_mut()), 0);
        BUFFER_delete(ptr::null_mut());
    }
}
