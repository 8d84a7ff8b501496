//! Hello: the first frame, with which each side says who it is and what it speaks.
//!
//! ```text
//! 0   53 47 4C 4B  magic
//! 4   oldest, newest version, 16 bit each
//! 8   features     64 bit
//! 16  instance     16 bytes
//! ```
//!
//! This layout is the same in every version; newer ones may put more behind it.

use bytes::{BufMut, BytesMut};

use super::frame::{Header, Kind};
use super::negotiation::{Features, Instance, Versions};
use crate::DecodeError;
use crate::reader::Reader;

const MAGIC: u32 = 0x5347_4C4B;
const SIZE: usize = 32;

/// What one side says first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Greeting {
    /// The versions that it speaks.
    pub versions: Versions,
    /// What it can do.
    pub features: Features,
    /// The process.
    pub instance: Instance,
}

/// What both sides have said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// The version that is spoken.
    pub version: u16,
    /// What both can do.
    pub features: Features,
    /// The process at the other end.
    pub peer: Instance,
}

impl Greeting {
    /// What this build says.
    #[must_use]
    pub fn ours(instance: Instance) -> Self {
        Self { versions: Versions::OURS, features: Features::OURS, instance }
    }

    /// The same, with other abilities as well.
    #[must_use]
    pub fn with(self, features: Features) -> Self {
        Self { features: self.features.and(features), ..self }
    }

    /// What comes of it together with the other side's greeting. `None`: there is no common version.
    #[must_use]
    pub fn agree(&self, theirs: &Self) -> Option<Agreed> {
        let version = self.versions.agree(theirs.versions)?;
        Some(Agreed { version, features: self.features.agree(theirs.features), peer: theirs.instance })
    }

    pub(super) fn encode(&self, into: &mut BytesMut) {
        let header = Header { length: SIZE as u32, kind: Kind::Hello as u8, ..Header::default() };
        into.put_slice(&header.encode());
        into.put_u32(MAGIC);
        into.put_u16(self.versions.oldest);
        into.put_u16(self.versions.newest);
        into.put_u64(self.features.0);
        into.put_slice(&self.instance.0);
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let magic = reader.u32("magic")?;
        if magic != MAGIC {
            return Err(DecodeError::Magic((magic >> 16) as u16));
        }
        let versions = Versions::decode(&mut reader)?;
        let features = Features(reader.u64("features")?);
        Ok(Self { versions, features, instance: Instance::decode(&mut reader)? })
    }
}
