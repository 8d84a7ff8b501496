//! The offer of a link, which a Sandgate host puts behind the status of a success Reply.
//!
//! ```text
//! 0   53 47 4C 4B  magic
//! 4   oldest, newest version, 16 bit each
//! 8   features     64 bit
//! 16  host         16 bytes, the process
//! 32  module       32 bit, its number on the link
//! 36  size         16 bit, of the address; 0 is no address
//! 38  address      UTF-8
//! ```
//!
//! A newer version may put more behind it.

use bytes::{BufMut, Bytes, BytesMut};

use super::negotiation::{Features, Instance, Versions};
use crate::limits::SOCKET_PATH_MAX;
use crate::reader::Reader;
use crate::{DecodeError, EncodeError};

const MAGIC: &[u8] = b"SGLK";
const FIXED_SIZE: usize = 38;

/// How a host can be reached over a link, and as what the module is known there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offer {
    /// The versions that the host speaks.
    pub versions: Versions,
    /// What the host can do.
    pub features: Features,
    /// The host process: modules with the same one share a link.
    pub host: Instance,
    /// The module's number on the link.
    pub module: u32,
    /// The path of the host's socket, up to [`SOCKET_PATH_MAX`] bytes. None where the gateway launched the
    /// host and holds the other end of its link already.
    pub address: Option<String>,
}

impl Offer {
    /// The bytes for a Reply's extension.
    ///
    /// # Errors
    /// An address over [`SOCKET_PATH_MAX`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let address = self.address.as_deref().unwrap_or_default();
        if address.len() > SOCKET_PATH_MAX {
            return Err(EncodeError::TooLarge { actual: address.len(), limit: SOCKET_PATH_MAX });
        }
        let mut bytes = BytesMut::with_capacity(FIXED_SIZE + address.len());
        bytes.put_slice(MAGIC);
        bytes.put_u16(self.versions.oldest);
        bytes.put_u16(self.versions.newest);
        bytes.put_u64(self.features.0);
        bytes.put_slice(&self.host.0);
        bytes.put_u32(self.module);
        bytes.put_u16(address.len() as u16);
        bytes.put_slice(address.as_bytes());
        Ok(bytes.freeze())
    }

    /// Reads a Reply's extension. Bytes without the magic are no offer: a V1 host may send anything. Bytes
    /// behind the address are ignored.
    ///
    /// # Errors
    /// The magic is there, and what follows is cut off, not UTF-8 or longer than a socket's path.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some(fields) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
        let mut reader = Reader::new(fields);
        let versions = Versions::decode(&mut reader)?;
        let features = Features(reader.u64("features")?);
        let host = Instance::decode(&mut reader)?;
        let module = reader.u32("module")?;
        let size = usize::from(reader.u16("address size")?);
        if size > SOCKET_PATH_MAX {
            return Err(DecodeError::TooLarge { actual: size, limit: SOCKET_PATH_MAX });
        }
        let address = std::str::from_utf8(reader.take(size, "address")?);
        let address = address.map_err(|_| DecodeError::NotUtf8("address"))?;
        let address = (!address.is_empty()).then(|| address.to_owned());
        Ok(Some(Self { versions, features, host, module, address }))
    }
}
