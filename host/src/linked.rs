//! Components that are in use: modules of the same one share its code, what it is linked to, and the image of its memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::engine::Settings;
use crate::module::Linked;

/// By the component's digest, and what its code depends on beside it. What no module uses any more goes.
#[derive(Default)]
pub(crate) struct InUse {
    linked: Mutex<HashMap<(String, Settings), Weak<Linked>>>,
}

impl InUse {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Settings), Weak<Linked>>> {
        // Nothing below can panic half-way through a change.
        self.linked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, digest: &str, settings: Settings) -> Option<Arc<Linked>> {
        self.lock().get(&(digest.to_owned(), settings))?.upgrade()
    }

    /// Adds one, unless another thread was quicker: then that one counts.
    pub(crate) fn add(&self, digest: String, settings: Settings, linked: Linked) -> Arc<Linked> {
        let mut all = self.lock();
        all.retain(|_, linked| linked.strong_count() > 0);
        let key = (digest, settings);
        if let Some(linked) = all.get(&key).and_then(Weak::upgrade) {
            return linked;
        }
        let linked = Arc::new(linked);
        all.insert(key, Arc::downgrade(&linked));
        linked
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::limits::Limits;
    use crate::sandbox::tests::Scene;

    #[test]
    fn modules_of_the_same_component_and_settings_share_its_code_until_the_last_one_goes() {
        let scene = Scene::new();
        let limits = Limits::default();
        let other = Limits { fuel: Some(1 << 40), ..limits };
        let modules = [limits, limits, other].map(|limits| scene.module("trap_receive", &limits));
        let [first, second, third] = modules.each_ref().map(|module| &module.linked);
        assert!(Arc::ptr_eq(first, second));
        assert!(!Arc::ptr_eq(first, third));
        let weak = Arc::downgrade(first);
        drop(modules);
        assert!(weak.upgrade().is_none());
    }
}
