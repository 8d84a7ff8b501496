//! Why bytes are no message, and why a value has no bytes.

use thiserror::Error;

use crate::limits::PROPERTIES_MAX;

/// Why a frame was refused. Every variant is the peer's fault; none of them is fatal to the reader.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame ends before the field that it promises.
    #[error("the frame ends inside the {0}")]
    Truncated(&'static str),
    /// The first two bytes are not those of this kind of message.
    #[error("wrong magic {0:#06x}")]
    Magic(u16),
    /// A control message of another protocol version than 1.
    #[error("control message version {0} (only 1 is known)")]
    Version(u8),
    /// A control message type that V1 does not define.
    #[error("unknown control message type {0}")]
    UnknownType(u8),
    /// A Create message of a version greater than 1.
    #[error("Create message version {0} (at most 1 is known)")]
    CreateVersion(u8),
    /// A Create message that asks for a message channel which is no pair socket.
    #[error("message channel type {0:#04x} (only 0x10, pair, is known)")]
    ChannelType(u8),
    /// The size in the header differs from the bytes that arrived.
    #[error("the header says {claimed} bytes, {actual} arrived")]
    Total {
        /// What the header claims, in bytes.
        claimed: u32,
        /// What arrived, in bytes.
        actual: usize,
    },
    /// The frame is larger than this reader accepts.
    #[error("{actual} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The frame's size in bytes.
        actual: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More properties are claimed than the remaining bytes can hold.
    #[error("{0} properties cannot fit in the bytes that follow")]
    PropertyCount(u32),
    /// More properties than a message may have.
    #[error("{0} properties, more than the limit of {PROPERTIES_MAX}")]
    TooManyProperties(u32),
    /// The same key twice: V1's map refuses it.
    #[error("a property key appears twice")]
    DuplicateKey,
    /// A text that is not UTF-8.
    #[error("the {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// A text whose NUL is missing, or not at its end.
    #[error("the {0} does not end in its only NUL")]
    Nul(&'static str),
    /// A number that stands for nothing.
    #[error("{value} is no known {what}")]
    Unknown {
        /// What the number should tell.
        what: &'static str,
        /// The number.
        value: u8,
    },
    /// Bytes behind the last field.
    #[error("{0} bytes behind the last field")]
    Trailing(usize),
}

/// Why a message cannot be put into V1's format. Every variant is the sender's fault.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// V1 ends its texts with NUL, so none may stand inside one.
    #[error("a {0} contains a NUL character")]
    Nul(&'static str),
    /// The same key twice: V1's map refuses it.
    #[error("the property key {0:?} appears twice")]
    DuplicateKey(String),
    /// More properties than a message may have.
    #[error("{0} properties, more than the limit of {PROPERTIES_MAX}")]
    TooManyProperties(usize),
    /// The encoded message would be larger than the limit.
    #[error("the encoded message has {actual} bytes, more than the limit of {limit}")]
    TooLarge {
        /// What it would take, in bytes.
        actual: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
