//! Control messages: what a gateway and a module host say about a module's life.
//!
//! ```text
//! 0  A1 6C   magic
//! 2  01      version
//! 3  type    1 Create, 2 Module Reply, 3 Start, 4 Destroy
//! 4  total   32 bit big-endian, size of the whole message
//! 8  body
//! ```

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::limits::CONTROL_MAX;
use crate::reader::{Reader, check_total};
use crate::{DecodeError, EncodeError};

const MAGIC: u16 = 0xA16C;
const VERSION: u8 = 1;
const CREATE_VERSION: u8 = 1;
const CHANNEL_PAIR: u8 = 0x10;
const HEADER_SIZE: usize = 8;

const TYPE_CREATE: u8 = 1;
const TYPE_REPLY: u8 = 2;
const TYPE_START: u8 = 3;
const TYPE_DESTROY: u8 = 4;

/// One control message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Control {
    /// Gateway to host: bind the message channel and create the module.
    Create(Create),
    /// Host to gateway: how the creation went, or that the module is gone.
    Reply(Reply),
    /// Gateway to host: every module is created and linked, data may flow.
    Start,
    /// Gateway to host: destroy the module. Best effort, nothing answers it.
    Destroy,
}

/// The body of a Create message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Create {
    /// Address of the message channel, which the host binds: `ipc://…` or `tcp://…`.
    pub uri: String,
    /// The module's `args` as JSON text; a string keeps its quotes, nothing is `null`.
    pub arguments: String,
}

/// The body of a Module Reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// How it went.
    pub status: Status,
    /// The bytes behind the status. V1's gateway skips them and V1's hosts send none; a Sandgate host puts
    /// its [`Offer`](crate::link::Offer) there.
    pub extension: Bytes,
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        Self { status, extension: Bytes::new() }
    }
}

/// The status byte of a Module Reply. Zero is success, everything else a failure (one V1 header
/// says the contrary; no V1 program does).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(pub u8);

impl Status {
    /// The module was created.
    pub const SUCCESS: Self = Self(0);
    /// The host could not bind the message channel, or did not understand the Create.
    pub const CONNECTION_ERROR: Self = Self(1);
    /// The module refused its arguments or failed while it was created.
    pub const CREATION_ERROR: Self = Self(2);
    /// The module is no longer there.
    pub const DETACH: Self = Self(255);

    /// Whether the module lives.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SUCCESS => f.write_str("success (0)"),
            Self::CONNECTION_ERROR => f.write_str("connection error (1)"),
            Self::CREATION_ERROR => f.write_str("creation error (2)"),
            Self::DETACH => f.write_str("detach (255)"),
            Self(other) => write!(f, "failure ({other})"),
        }
    }
}

impl Control {
    /// The message's bytes.
    ///
    /// # Errors
    /// A Create whose texts contain NUL, or a message over [`CONTROL_MAX`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let (kind, body) = match self {
            Self::Create(create) => (TYPE_CREATE, create.encode_body()?),
            Self::Reply(reply) => (TYPE_REPLY, [&[reply.status.0], &reply.extension[..]].concat().into()),
            Self::Start => (TYPE_START, Bytes::new()),
            Self::Destroy => (TYPE_DESTROY, Bytes::new()),
        };
        let total = HEADER_SIZE + body.len();
        let too_large = EncodeError::TooLarge { actual: total, limit: CONTROL_MAX };
        let size = u32::try_from(total).ok().filter(|_| total <= CONTROL_MAX).ok_or(too_large)?;
        let mut frame = BytesMut::with_capacity(total);
        frame.put_u16(MAGIC);
        frame.put_u8(VERSION);
        frame.put_u8(kind);
        frame.put_u32(size);
        frame.put(body);
        Ok(frame.freeze())
    }

    /// Reads one control message. Whatever stands behind a Reply's status is taken as it is.
    ///
    /// # Errors
    /// Any departure from the layout; nothing is allocated before the lengths are checked.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        let magic = reader.u16("magic")?;
        if magic != MAGIC {
            return Err(DecodeError::Magic(magic));
        }
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let kind = reader.u8("type")?;
        let total = reader.u32("total size")?;
        check_total(total, frame.len(), CONTROL_MAX)?;
        match kind {
            TYPE_CREATE => {
                let create = Create::decode_body(&mut reader)?;
                reader.finish()?;
                Ok(Self::Create(create))
            }
            TYPE_REPLY => {
                let status = Status(reader.u8("status")?);
                Ok(Self::Reply(Reply { status, extension: Bytes::copy_from_slice(reader.rest()) }))
            }
            TYPE_START => reader.finish().map(|()| Self::Start),
            TYPE_DESTROY => reader.finish().map(|()| Self::Destroy),
            other => Err(DecodeError::UnknownType(other)),
        }
    }
}

impl Create {
    fn encode_body(&self) -> Result<Bytes, EncodeError> {
        let mut body = BytesMut::with_capacity(12 + self.uri.len() + self.arguments.len());
        body.put_u8(CREATE_VERSION);
        body.put_u8(CHANNEL_PAIR);
        for (text, what) in [(&self.uri, "message channel address"), (&self.arguments, "argument text")] {
            if text.contains('\0') {
                return Err(EncodeError::Nul(what));
            }
            let size = text.len() + 1;
            let too_large = EncodeError::TooLarge { actual: size, limit: CONTROL_MAX };
            body.put_u32(u32::try_from(size).map_err(|_| too_large)?);
            body.put_slice(text.as_bytes());
            body.put_u8(0);
        }
        Ok(body.freeze())
    }

    fn decode_body(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // V1's hosts accept version 0 as well.
        let version = reader.u8("Create version")?;
        if version > CREATE_VERSION {
            return Err(DecodeError::CreateVersion(version));
        }
        let channel = reader.u8("channel type")?;
        if channel != CHANNEL_PAIR {
            return Err(DecodeError::ChannelType(channel));
        }
        let uri = reader.sized_text("message channel address")?.to_owned();
        let arguments = reader.sized_text("argument text")?.to_owned();
        Ok(Self { uri, arguments })
    }
}
