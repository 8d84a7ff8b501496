//! The sizes that a reader enforces before it allocates or trusts a length.

/// The largest data message in bytes, header included: 32 MiB.
///
/// V1 peers on nanomsg drop anything over 1 MiB without a word (`NN_RCVMAXSIZE`), so a message for
/// such a peer should stay below [`V1_MESSAGE_MAX`].
pub const MESSAGE_MAX: usize = 32 << 20;

/// What a V1 peer on nanomsg accepts at its defaults, in bytes.
pub const V1_MESSAGE_MAX: usize = 1 << 20;

/// The most properties that a message has: 65,536. V1 sets no bound; without one a message of the
/// largest size could hold millions and cost its readers many times its own size in memory.
pub const PROPERTIES_MAX: usize = 1 << 16;

/// The largest control message in bytes, header included: 1 MiB, which bounds a module's arguments.
pub const CONTROL_MAX: usize = 1 << 20;

/// The longest path of a Unix domain socket in bytes: `sun_path` holds 108 with its NUL.
pub const SOCKET_PATH_MAX: usize = 107;
