//! What a peer can do wrong.

/// The other process has written what an honest one never does. The end that finds one is not worth using any longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// It has published less than before, or more than the ring holds.
    #[error("the ring's writer is at {published} where its reader is at {consumed}: no such ring")]
    Published {
        /// The word that it says its next record begins at.
        published: u64,
        /// The word up to which this end has read.
        consumed: u64,
    },
    /// It has read less than before, or more than was published.
    #[error("the ring's reader is at {consumed} where its writer has published {published}")]
    Consumed {
        /// The word up to which it says that it has read.
        consumed: u64,
        /// The word up to which this end has published.
        published: u64,
    },
    /// What should be the head of a record is none, or its length is more than a record's or than what was published.
    #[error("{header:#018x} is no head of a record: {words} words are published")]
    Record {
        /// The word.
        header: u64,
        /// The published words from it on.
        words: u64,
    },
    /// It has acknowledged less than before, or more than it can have.
    #[error("{acknowledged} is acknowledged, between {least} and {most} was to be expected")]
    Acknowledged {
        /// What it says.
        acknowledged: u64,
        /// What it had said before.
        least: u64,
        /// What it can have settled at most.
        most: u64,
    },
}
