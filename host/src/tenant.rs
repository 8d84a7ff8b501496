//! What a session makes modules of: one component, or whichever the gateway names.

use std::sync::Arc;

use crate::actor::ActorHandle;
use crate::blueprint::{Blueprint, Setup, Sharing};
use crate::flow::Flow;
use crate::limits::Limits;
use crate::naming::Naming;

/// What a session makes modules of.
pub(crate) enum Tenant {
    /// One component.
    Given(Box<Blueprint>),
    /// What the gateway names.
    Named {
        naming: Naming,
        /// What the session is called in the log: it has no module's name.
        label: Arc<str>,
        sharing: Sharing,
    },
}

impl Tenant {
    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Given(blueprint) => &blueprint.label,
            Self::Named { label, .. } => label,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        match self {
            Self::Given(blueprint) => &blueprint.limits,
            Self::Named { naming, .. } => naming.limits(),
        }
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        match self {
            Self::Given(blueprint) => &blueprint.flow,
            Self::Named { sharing, .. } => &sharing.flow,
        }
    }

    /// Has a module made for an attach with these arguments.
    pub(crate) fn create(&self, arguments: &str) -> ActorHandle {
        let (handle, order) = ActorHandle::order();
        match self {
            Self::Given(blueprint) => order.fulfil((**blueprint).clone(), arguments),
            Self::Named { naming, sharing, .. } => naming.order(order, arguments, sharing.clone()),
        }
        handle
    }

    /// Goes over to another setup; the account goes on.
    pub(crate) fn renew(&mut self, setup: Setup) -> Blueprint {
        let sharing = match self {
            Self::Given(blueprint) => blueprint.shared(),
            Self::Named { sharing, .. } => sharing.clone(),
        };
        let blueprint = Blueprint::sharing(setup, sharing);
        *self = Self::Given(Box::new(blueprint.clone()));
        blueprint
    }
}
