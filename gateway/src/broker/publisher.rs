//! The way in: what a module publishes with.

use std::sync::Arc;

use arc_swap::Guard;
use sandgate_wire::Message;

use super::{Route, Routes};

/// Publishes under one module's name. Clones publish under the same name.
#[derive(Clone)]
pub struct Publisher {
    source: Arc<str>,
    routes: Arc<Routes>,
}

impl Publisher {
    pub(super) fn new(source: Arc<str>, routes: Arc<Routes>) -> Self {
        Self { source, routes }
    }

    /// The module under whose name this publishes.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Offers a message to every sink that the module is linked to, in the order of the links. Waits
    /// where a link blocks and the sink's inbox is full. Every sink gets one publisher's messages in
    /// the order of its calls.
    ///
    /// Dropping the future while it waits withdraws the message from the sinks not yet reached.
    pub async fn publish(&self, message: Message) {
        // A publisher in a loop would keep its thread for ever as long as no inbox blocks it.
        tokio::task::coop::consume_budget().await;
        let routes = self.routes.load();
        if let Some((reached, message)) = offer(&routes, message) {
            wait_for_room(Guard::into_inner(routes), reached, message).await;
        }
    }
}

/// Offers to each route without waiting, and gives the message back with the index of the route that
/// has no room for it.
fn offer(routes: &[Arc<Route>], message: Message) -> Option<(usize, Message)> {
    let (last, others) = routes.split_last()?;
    for (index, route) in others.iter().enumerate() {
        if route.queue.offer(route, message.clone()).is_err() {
            return Some((index, message));
        }
    }
    let refused = last.queue.offer(last, message).err()?;
    Some((others.len(), refused))
}

async fn wait_for_room(routes: Arc<Vec<Arc<Route>>>, mut reached: usize, mut message: Message) {
    while let Some(rest) = routes.get(reached..) {
        let Some(route) = rest.first() else { return };
        // Made before the offer, so that room that appears in between is not missed.
        let room = route.queue.room();
        match offer(rest, message) {
            None => return,
            Some((0, refused)) => {
                message = refused;
                room.await;
            }
            Some((further, refused)) => {
                message = refused;
                reached += further;
            }
        }
    }
}
