//! The host's end of the host link.

mod directory;
mod linked;
mod seat;
mod server;
mod tunnel;

pub use linked::{Linked, left_over};
pub use seat::{Figures, LinkEvent, Seat, refuse};
pub use server::LinkServer;
