//! `wasi:random`: as many bytes at a time as the limit allows, and counted while the host holds them.

use wasmtime::Result;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::WasiRandomCtx;

use crate::ledger::Ledger;
use crate::limits::Exceeded;
use crate::sandbox::Guest;

/// Replaces the interfaces that WASI has brought.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    linker.allow_shadowing(true);
    random::add_to_linker::<Guest, Bounded>(linker, dice)?;
    insecure::add_to_linker::<Guest, Bounded>(linker, dice)?;
    linker.allow_shadowing(false);
    Ok(())
}

struct Bounded;

impl HasData for Bounded {
    type Data<'a> = Dice<'a>;
}

struct Dice<'a> {
    random: &'a mut WasiRandomCtx,
    ledger: &'a mut Ledger,
    size_max: u64,
}

fn dice(guest: &mut Guest) -> Dice<'_> {
    let size_max = guest.limits.max_random_size;
    Dice { random: guest.wasi.random(), ledger: &mut guest.ledger, size_max }
}

impl Dice<'_> {
    fn roll(
        &mut self,
        len: u64,
        roll: impl FnOnce(&mut WasiRandomCtx) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        if len > self.size_max {
            return Err(Exceeded::new("max-random-size", self.size_max, len).into());
        }
        self.ledger.begin_copy(len)?;
        let bytes = roll(self.random);
        self.ledger.end_copy(len);
        bytes
    }
}

impl random::Host for Dice<'_> {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.roll(len, |random| random::Host::get_random_bytes(random, len))
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        random::Host::get_random_u64(self.random)
    }
}

impl insecure::Host for Dice<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.roll(len, |random| insecure::Host::get_insecure_random_bytes(random, len))
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        insecure::Host::get_insecure_random_u64(self.random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const MIB: u64 = 1 << 20;

    fn roll(ledger: &mut Ledger, len: u64) -> Result<Vec<u8>> {
        let mut random = WasiRandomCtx::default();
        let mut dice = Dice { random: &mut random, ledger, size_max: 4 * MIB };
        random::Host::get_random_bytes(&mut dice, len)
    }

    #[test]
    fn random_bytes_are_in_the_account_while_the_host_holds_them() {
        let limits = Limits { max_memory_size: 3 * MIB, ..Limits::default() };
        let mut ledger = Ledger::new(limits, false);
        let before = ledger.used();
        assert_eq!(roll(&mut ledger, MIB).unwrap().len() as u64, MIB);
        assert_eq!((ledger.used(), ledger.peak()), (before, before + MIB));
        // Neither more than at a time, nor more than there is room for.
        for (len, limit) in [(5 * MIB, "max-random-size"), (4 * MIB, "max-memory-size")] {
            let error = roll(&mut ledger, len).unwrap_err();
            assert!(error.to_string().contains(limit), "{error}");
        }
        assert_eq!((ledger.used(), ledger.peak()), (before, before + MIB));
    }
}
