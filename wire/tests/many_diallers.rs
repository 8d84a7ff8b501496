//! nng's trap that concerns many diallers at once: tries to connect in vain are given back one by one, and more slowly
//! the more there are, until the process has no descriptor left and does nothing else any more.

mod support;

use std::fs;
use std::os::unix::net::UnixListener;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sandgate_wire::{Address, Channel, PairChannel};
use support::{OPTIONS, Place, until};

const DIALLERS: usize = 400;
/// For each dialler: its connection, the other end of it, and what listens there.
const DESCRIPTORS: usize = 3;
/// Besides those: tries under way, and the program's own.
const MORE: usize = 300;

fn addresses(place: &Place) -> Vec<Address> {
    let path = |number: usize| place.path().join(format!("s{number}"));
    (0..DIALLERS).map(|number| Address::from_path(&path(number)).unwrap()).collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Makes sure that nobody listens, but that the files are there, as one that was killed leaves them.
fn leave_files(addresses: &[Address]) {
    for address in addresses {
        drop(UnixListener::bind(address.path().unwrap()).unwrap());
    }
}

/// Listens everywhere, one after the other, so that most dial in vain for a while; until all have found their peers.
async fn all_find_peers(diallers: &[PairChannel], addresses: &[Address]) -> Vec<PairChannel> {
    let (mut listeners, mut most) = (Vec::new(), 0);
    until("all to be connected", || {
        most = most.max(descriptors());
        if let Some(address) = addresses.get(listeners.len()) {
            listeners.push(PairChannel::listen(address, OPTIONS).unwrap());
        }
        listeners.len() == addresses.len() && diallers.iter().all(|dialler| dialler.peer().borrow().connected)
    })
    .await;
    assert!(most <= DIALLERS * DESCRIPTORS + MORE, "{most} descriptors");
    listeners
}

#[tokio::test]
async fn many_diallers_find_peers_where_there_was_nothing_and_again_where_these_have_died() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let place = Place::new();
    let addresses = addresses(&place);
    let open = |address: &Address| PairChannel::dial(address, OPTIONS).unwrap();
    let diallers: Vec<PairChannel> = addresses.iter().map(open).collect();
    for _ in 0..2 {
        let listeners = all_find_peers(&diallers, &addresses).await;
        for listener in &listeners {
            listener.close().await;
        }
        leave_files(&addresses);
    }
    drop(diallers);
    // Many that come where others have died before.
    let diallers: Vec<PairChannel> = addresses.iter().map(open).collect();
    all_find_peers(&diallers, &addresses).await;
}
