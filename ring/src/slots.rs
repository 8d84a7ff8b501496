//! Who has which slot.

use std::collections::VecDeque;

/// How many slots that the host has not left yet are looked at when one is wanted and there are others.
const LOOKS: usize = 64;

/// A place in an arena, for one module's life on one host. The gateway allocates it and tells the host, who takes it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Slot {
    /// Which one, from 0.
    pub number: u32,
    /// How often it has been allocated, from 1: what was said of another life is not meant for this one.
    pub life: u32,
}

/// What a side keeps of the slots, in its own memory.
#[derive(Debug)]
pub(crate) enum Slots {
    Gateway(Allocator),
    Host(Taken),
}

/// The gateway's: it gives a slot again when both ends have left it.
#[derive(Debug)]
pub(crate) struct Allocator {
    /// The last life of each slot.
    lives: Vec<u32>,
    /// How many have been given at least once: the first ones.
    begun: u32,
    /// Left by both.
    free: Vec<u32>,
    /// Left by the gateway, and not by the host as far as is known.
    leaving: VecDeque<u32>,
}

impl Allocator {
    pub(crate) fn new(slots: u32) -> Self {
        let lives = vec![0; slots as usize];
        Self { lives, begun: 0, free: Vec::new(), leaving: VecDeque::new() }
    }

    /// A slot for a new life. `left` says which life the host has left last.
    pub(crate) fn allocate(&mut self, left: impl Fn(u32) -> u64) -> Option<Slot> {
        if self.free.is_empty() {
            let unused = (self.begun as usize) < self.lives.len();
            self.free = self.look(if unused { LOOKS } else { usize::MAX }, left);
        }
        let number = self.free.pop().or_else(|| {
            let fresh = (self.begun as usize) < self.lives.len();
            fresh.then(|| {
                self.begun += 1;
                self.begun - 1
            })
        })?;
        let life = self.lives.get_mut(number as usize)?;
        // A slot that has no lives left is not given again.
        *life = life.checked_add(1)?;
        Some(Slot { number, life: *life })
    }

    pub(crate) fn leave(&mut self, slot: Slot) {
        self.leaving.push_back(slot.number);
    }

    /// Those that the gateway has left and the host has left, too; so many are looked at, at most.
    fn look(&mut self, most: usize, left: impl Fn(u32) -> u64) -> Vec<u32> {
        let mut found = Vec::new();
        for _ in 0..most.min(self.leaving.len()) {
            let Some(number) = self.leaving.pop_front() else { break };
            let life = self.lives.get(number as usize).copied().unwrap_or_default();
            if left(number) == u64::from(life) {
                found.push(number);
            } else {
                self.leaving.push_back(number);
            }
        }
        found
    }
}

/// The host's: a slot is taken once for each life, and not before the life before has ended.
#[derive(Debug)]
pub(crate) struct Taken(Vec<(u32, bool)>);

impl Taken {
    pub(crate) fn new(slots: u32) -> Self {
        Self(vec![(0, false); slots as usize])
    }

    pub(crate) fn take(&mut self, slot: Slot) -> bool {
        match self.0.get_mut(slot.number as usize) {
            Some((life, held)) if !*held && slot.life > *life => {
                (*life, *held) = (slot.life, true);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn leave(&mut self, slot: Slot) {
        if let Some((_, held)) = self.0.get_mut(slot.number as usize) {
            *held = false;
        }
    }
}
