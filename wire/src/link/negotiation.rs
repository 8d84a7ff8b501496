//! What two peers tell each other before they use a link: versions, features, and who they are.

use std::fmt;

use uuid::Uuid;

use crate::DecodeError;
use crate::reader::Reader;

/// The range of link versions that a process speaks, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Versions {
    /// The oldest.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

impl Versions {
    /// What this build speaks.
    pub const OURS: Self = Self { oldest: 1, newest: 1 };

    /// The newest version that both speak.
    #[must_use]
    pub fn agree(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { oldest: reader.u16("oldest version")?, newest: reader.u16("newest version")? })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}

/// A set of optional abilities, one bit each. What both have is used; bits that a process does not know are
/// ignored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Features(pub u64);

impl Features {
    /// Shared memory segments: their frames, and descriptors beside them.
    pub const SEGMENTS: Self = Self(1);

    /// Rings in shared memory, below the lanes. A process says so where it also serves them.
    pub const RINGS: Self = Self(2);

    /// What everything in this build can do.
    pub const OURS: Self = Self::SEGMENTS;

    /// Whether these are all among it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both can do.
    #[must_use]
    pub fn agree(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// A process, by a random number that it makes when it starts.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Instance(pub [u8; 16]);

impl Instance {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut instance = [0; 16];
        instance.copy_from_slice(reader.take(16, "instance")?);
        Ok(Self(instance))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, Instance, Versions};

    #[test]
    fn the_newest_common_version_is_agreed_upon() {
        let versions = |oldest, newest| Versions { oldest, newest };
        assert_eq!(versions(1, 1).agree(versions(1, 5)), Some(1));
        assert_eq!(versions(2, 7).agree(versions(1, 5)), Some(5));
        assert_eq!(versions(1, 1).agree(versions(2, 3)), None);
        assert_eq!(versions(2, 3).agree(versions(1, 1)), None);
        // A range the wrong way round has no version in it.
        assert_eq!(versions(5, 1).agree(versions(1, 5)), None);
    }

    #[test]
    fn unknown_features_are_not_agreed_upon() {
        assert_eq!(Features(0b0110).agree(Features(0b1100)), Features(0b0100));
        assert_eq!(Features::OURS.agree(Features(u64::MAX)), Features::OURS);
    }

    #[test]
    fn instances_differ_and_are_shown_in_hexadecimal() {
        assert_ne!(Instance::random(), Instance::random());
        let instance = Instance([0xab, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xff]);
        assert_eq!(instance.to_string(), "ab000102030405060708090a0b0c0dff");
    }
}
