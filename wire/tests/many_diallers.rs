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

async fn all_find_their_peers(addresses: &[Address]) {
    let open = |address: &Address| PairChannel::dial(address, OPTIONS).unwrap();
    let diallers: Vec<PairChannel> = addresses.iter().map(open).collect();
    let (mut listeners, mut most) = (Vec::new(), 0);
    until("all to be connected", || {
        most = most.max(descriptors());
        // One after the other, so that most of them dial in vain for a while.
        if let Some(address) = addresses.get(listeners.len()) {
            listeners.push(PairChannel::listen(address, OPTIONS).unwrap());
        }
        listeners.len() == addresses.len() && diallers.iter().all(|dialler| dialler.peer().borrow().connected)
    })
    .await;
    assert!(most <= DIALLERS * DESCRIPTORS + MORE, "{most} descriptors");
    for channel in diallers.iter().chain(&listeners) {
        channel.close().await;
    }
}

#[tokio::test]
async fn many_diallers_find_peers_where_there_was_nothing_and_where_others_have_died() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let place = Place::new();
    let addresses = addresses(&place);
    all_find_their_peers(&addresses).await;
    for address in &addresses {
        // The file stays when the socket is closed.
        drop(UnixListener::bind(address.path().unwrap()).unwrap());
    }
    all_find_their_peers(&addresses).await;
}
