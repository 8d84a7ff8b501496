//! Hosts that are killed at random moments.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::config::launched;
use sandgate_tests::process::{Process, number};
use sandgate_tests::programs::{guest, program, running_gateway};
use sandgate_tests::scratch::Scratch;

use crate::stream::{Stream, assert_complete, assert_counts, configuration};

/// Kills of a test run; `SANDGATE_CHAOS_KILLS` asks for another number.
const KILLS: u64 = 500;
/// One death in so many finds the gateway waiting in a send.
const BLOCKED: u64 = 3;
/// Longer than any stop of this test.
const HANG_MS: u64 = 30_000;

/// Random enough, and the same in every run of the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // Xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn signal(pid: u32, signal: Signal) {
    // It may have ended by itself meanwhile, which is as good.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

/// The process id of the nth host that the gateway has launched.
fn nth_host(gateway: &Process, nth: u64) -> u32 {
    let line = gateway.wait_for_nth_line(usize::try_from(nth).unwrap(), "launched module=\"middle\"");
    number(&line, "pid").try_into().unwrap()
}

/// Both directions are loaded throughout. Before a third of the deaths the host is stopped until the gateway's window
/// is used up and its sending waits, as its socket does.
#[test]
fn nothing_is_lost_by_hosts_that_are_killed() {
    let kills = std::env::var("SANDGATE_CHAOS_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let (control, module) = (scratch.id("middle"), guest("modules/echo"));
    let host = program("wasm-host");
    let args = ["--control", &control, module.to_str().unwrap()];
    let mut middle = launched(&control, host.to_str().unwrap(), &args, 2000);
    // Quarantine is for hosts that die by themselves.
    middle["launch"]["restart.max"] = (kills * 2).into();
    middle["launch"]["restart.reset.ms"] = 0.into();
    // A host that is stopped here is not to be ended for that.
    middle["hang.ms"] = HANG_MS.into();
    let gateway = running_gateway(&scratch, &configuration(&scratch, middle));
    let stream = Stream::start(&scratch);
    let mut dice = Dice(0x5eed);
    let (mut recoveries, mut killed, mut blocked) = (Vec::new(), None, 0);
    for nth in 1..=kills {
        let pid = nth_host(&gateway, nth);
        let is_blocked = nth % BLOCKED == 0;
        if is_blocked || dice.below(10) > 0 {
            stream.wait_for_progress();
            recoveries.extend(killed.take().map(|killed: Instant| killed.elapsed()));
        }
        thread::sleep(Duration::from_millis(dice.below(40)));
        if is_blocked {
            signal(pid, Signal::STOP);
            stream.wait_until_sending_waits();
            blocked += 1;
        }
        signal(pid, Signal::KILL);
        killed = Some(Instant::now());
    }
    stream.wait_for_progress();
    let (sent, arrivals) = stream.finish();
    recoveries.sort();
    let middle = recoveries.get(recoveries.len() / 2);
    println!("{kills} kills, {blocked} of them while the gateway waited in a send");
    println!("{sent} messages, {} came twice", arrivals.duplicates);
    println!("from death to flowing messages: median {middle:?}, longest {:?}", recoveries.last());
    assert_complete(sent, &arrivals, kills);
    assert_counts(gateway, sent, &arrivals);
}
