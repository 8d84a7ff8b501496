//! What an instance holds of the host's memory, summed up and kept below its limit.

use wasmtime::{ResourceLimiter, Result};

use crate::limits::{Exceeded, Limits};

/// An element of a table takes a pointer's space.
const TABLE_ELEMENT: u64 = size_of::<usize>() as u64;
/// What one resource costs its host, about: a boxed stream or pollable, with its entry and its handle.
const RESOURCE: u64 = 256;
/// What one timer costs its host, about.
const TIMER: u64 = 128;

/// The account of one instance, in bytes.
pub(crate) struct Ledger {
    limits: Limits,
    /// Linear memories and tables.
    wasm: u64,
    /// Copies that the host makes for the call into it that is going on.
    copies: u64,
    resources: u64,
    peak: u64,
}

impl Ledger {
    /// An account that begins with what the host holds for every instance, and with all timers that this one may
    /// have: they are few, and so need not be counted with every call.
    pub(crate) fn new(limits: Limits, has_timers: bool) -> Self {
        let timers = if has_timers { limits.max_timers * TIMER } else { 0 };
        let held = crate::transcript::HELD as u64 + timers;
        Self { limits, wasm: held, copies: 0, resources: 0, peak: held }
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> u64 {
        self.wasm + self.copies + self.resources
    }

    /// The most bytes that were in use at a time.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// The host is about to copy so many bytes for the guest; `end_copy` when they are gone again.
    pub(crate) fn begin_copy(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.check(bytes)?;
        self.copies += bytes;
        self.note();
        Ok(())
    }

    pub(crate) fn end_copy(&mut self, bytes: u64) {
        self.copies = self.copies.saturating_sub(bytes);
    }

    /// The host has so many bytes for the guest, for a moment.
    pub(crate) fn pass_copy(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.begin_copy(bytes as u64)?;
        self.end_copy(bytes as u64);
        Ok(())
    }

    /// The number of resources that the guest has now.
    pub(crate) fn set_resources(&mut self, count: usize) -> Result<(), Exceeded> {
        self.resources = 0;
        let bytes = count as u64 * RESOURCE;
        self.check(bytes)?;
        self.resources = bytes;
        self.note();
        Ok(())
    }

    fn check(&self, more: u64) -> Result<(), Exceeded> {
        let wanted = self.used().saturating_add(more);
        if wanted > self.limits.max_memory_size {
            return Err(Exceeded::new("max-memory-size", self.limits.max_memory_size, wanted));
        }
        Ok(())
    }

    fn note(&mut self) {
        self.peak = self.peak.max(self.used());
    }

    fn grow(&mut self, bytes: u64) -> Result<bool> {
        self.check(bytes)?;
        self.wasm += bytes;
        self.note();
        Ok(true)
    }
}

/// Growth beyond a limit of ours is an error, which Wasmtime raises as a trap; growth beyond a maximum that
/// the module itself declares is the module's own affair, and fails as WebAssembly says.
///
/// Growth that was granted and fails all the same (the system has no more memory) stays on the account. To give it back
/// would need to know that a failure belongs to the last grant, and Wasmtime also tells of failures that it has not
/// asked about.
impl ResourceLimiter for Ledger {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current) as u64)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let (limit, wanted) = (self.limits.max_table_elements, desired as u64);
        if wanted > limit {
            return Err(Exceeded::new("max-table-elements", limit, wanted).into());
        }
        self.grow((desired.saturating_sub(current) as u64).saturating_mul(TABLE_ELEMENT))
    }

    fn instances(&self) -> usize {
        self.limits.max_instances as usize
    }

    fn tables(&self) -> usize {
        self.limits.max_tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.max_memories as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    fn ledger(max: u64) -> Ledger {
        Ledger::new(Limits { max_memory_size: max, ..Limits::default() }, false)
    }

    #[test]
    fn memories_and_tables_and_copies_are_one_sum() {
        let mut ledger = ledger(4 * PAGE as u64);
        assert!(ledger.memory_growing(0, PAGE, None).unwrap());
        assert!(ledger.memory_growing(0, PAGE, None).unwrap());
        assert!(ledger.table_growing(0, 100, None).unwrap());
        ledger.begin_copy(PAGE as u64).unwrap();
        let error = ledger.memory_growing(PAGE, 2 * PAGE, None).unwrap_err();
        let exceeded = error.downcast_ref::<Exceeded>().unwrap();
        assert_eq!((&*exceeded.name, exceeded.limit), ("max-memory-size", 4 * PAGE as u64));
        assert!(exceeded.used > exceeded.limit);
        ledger.end_copy(PAGE as u64);
        assert!(ledger.memory_growing(PAGE, 2 * PAGE, None).unwrap());
    }

    #[test]
    fn resources_and_timers_are_in_the_sum() {
        let mut full = ledger(4 * PAGE as u64);
        full.set_resources(100).unwrap();
        let used = full.used();
        full.set_resources(200).unwrap();
        assert_eq!(full.used() - used, 100 * RESOURCE);
        assert!(full.set_resources(4 * PAGE / RESOURCE as usize).is_err());
        let limits = Limits { max_timers: 1000, ..Limits::default() };
        let [with, without] = [true, false].map(|timers| Ledger::new(limits, timers).used());
        assert_eq!(with - without, 1000 * TIMER);
    }

    /// Wasmtime also tells of a failure that it has not asked about: of a table whose new size is beyond all numbers.
    #[test]
    fn a_growth_that_fails_gives_nothing_back() {
        let mut ledger = ledger(1 << 30);
        assert!(ledger.memory_growing(0, PAGE, None).unwrap());
        assert!(ledger.table_growing(0, 100, None).unwrap());
        let used = ledger.used();
        ledger.table_grow_failed(wasmtime::format_err!("overflow")).unwrap();
        ledger.memory_grow_failed(wasmtime::format_err!("out of memory")).unwrap();
        assert_eq!((ledger.used(), ledger.peak()), (used, used));
    }

    #[test]
    fn a_maximum_of_the_module_itself_is_no_fault() {
        let mut ledger = ledger(1 << 30);
        assert!(!ledger.memory_growing(PAGE, 3 * PAGE, Some(2 * PAGE)).unwrap());
        assert!(!ledger.table_growing(1, 3, Some(2)).unwrap());
    }
}
