//! nng's traps that concern frames and peers: limits that are off by default, messages that outlive
//! their peer, a second peer, reconnecting. Each test is named after what would go wrong.

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use sandgate_wire::{Channel, PairChannel};
use support::{
    HANDSHAKE, OPTIONS, Place, RawPeer, alone, connected, dial, exchange, free_tcp_address, listen, peer_is,
    process_status, recv, send, taken, until,
};

/// nng allocates what a peer claims unless the limit was set before.
async fn a_claimed_tebibyte(channel: &PairChannel, mut next_peer: impl FnMut() -> RawPeer) {
    let before = process_status("VmPeak:");
    for lost in 1..=3 {
        let mut hostile = taken(channel, &mut next_peer).await;
        hostile.claim(1 << 40);
        hostile.expect_end();
        until("the loss to be counted", || channel.statistics().lost_connections == lost).await;
    }
    let grown = process_status("VmPeak:") - before;
    // In KiB; threads that other tests start reserve some hundred MiB of addresses.
    assert!(grown < 8 << 20, "{grown} KiB");
    assert_eq!(channel.statistics().oversized, 0, "never read, so never counted as a frame");

    let mut peer = taken(channel, next_peer).await;
    peer.send(b"hello");
    assert_eq!(recv(channel).await, "hello");
}

#[tokio::test]
async fn receive_limit_is_set_before_listening() {
    let place = Place::new();
    let channel = listen(&place.address());
    a_claimed_tebibyte(&channel, || RawPeer::greeted(&place.socket())).await;
}

#[tokio::test]
async fn receive_limit_is_set_before_dialling() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let channel = dial(&place.address());
    let next_peer = || {
        let mut peer = RawPeer::accept(&listener);
        peer.greet();
        peer
    };
    a_claimed_tebibyte(&channel, next_peer).await;
}

#[tokio::test]
async fn receive_limit_of_zero_does_not_mean_unlimited() {
    let place = Place::new();
    let options = sandgate_wire::channel::PairOptions { frame_max: 0, capacity: 0 };
    let channel = PairChannel::listen(&place.address(), options).unwrap();
    let mut hostile = RawPeer::greeted(&place.socket());
    hostile.claim(1 << 30);
    hostile.expect_end();
    let mut peer = taken(&channel, || RawPeer::greeted(&place.socket())).await;
    peer.send(b"");
    assert_eq!(recv(&channel).await, "");
}

#[tokio::test]
async fn oversized_frame_is_counted_and_the_channel_reconnects() {
    let place = Place::new();
    let (listener, dialler) = support::pair(&place.address()).await;
    for round in 1..=3 {
        // Exactly at the limit is fine; one over is not; twice the limit is the last that is read.
        let limit = Bytes::from(vec![1; OPTIONS.frame_max]);
        send(&dialler, limit.clone()).await;
        assert_eq!(recv(&listener).await, limit);
        let size = if round == 2 { 2 * OPTIONS.frame_max } else { OPTIONS.frame_max + 1 };
        send(&dialler, vec![1; size]).await;
        peer_is(&dialler, "the next connection", |peer| peer.connected && peer.connections == round + 1)
            .await;
        peer_is(&listener, "the next connection", |peer| peer.connected && peer.connections == round + 1)
            .await;
        let statistics = listener.statistics();
        assert_eq!((statistics.oversized, statistics.lost_connections), (round, round));
        exchange(&listener, &dialler).await;
    }
}

#[tokio::test]
async fn frame_over_twice_the_limit_is_not_read_at_all() {
    let place = Place::new();
    let channel = listen(&place.address());
    let mut peer = RawPeer::greeted(&place.socket());
    peer.claim(2 * OPTIONS.frame_max as u64 + 1);
    peer.expect_end();
    until("the loss", || channel.statistics().lost_connections == 1).await;
    assert_eq!(channel.statistics().oversized, 0);
}

#[tokio::test]
async fn frames_for_a_dead_peer_do_not_reach_the_peer_of_the_next_attach() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    let first = dial(&place.address());
    let mut peer = RawPeer::accept(&listener);
    peer.greet();
    connected(&first).await;
    drop(peer);
    alone(&first).await;
    for _ in 0..5 {
        first.try_send(Bytes::from_static(b"for the dead")).unwrap();
    }
    assert!(first.statistics().waiting > 0, "counted as not delivered");
    support::within("closing", first.close()).await;
    drop(first);

    let second = dial(&place.address());
    send(&second, "for the living").await;
    // The first channel may have dialled meanwhile: its connections end without a frame.
    let frame = loop {
        let mut peer = RawPeer::accept(&listener);
        let mut header = [0; 17];
        if peer.0.write_all(&HANDSHAKE).is_ok() && peer.0.read_exact(&mut header).is_ok() {
            assert_eq!(header[..8], HANDSHAKE);
            break peer.read(usize::from(header[16]));
        }
    };
    assert_eq!(frame, b"for the living");
}

#[tokio::test]
async fn second_peer_is_refused_and_its_leaving_does_not_make_the_first_look_gone() {
    let place = Place::new();
    let channel = listen(&place.address());
    let mut first = RawPeer::greeted(&place.socket());
    connected(&channel).await;
    let watch = channel.peer();
    for _ in 0..20 {
        let mut second = RawPeer::greeted(&place.socket());
        second.expect_end();
    }
    first.send(b"still here");
    assert_eq!(recv(&channel).await, "still here");
    assert!(!watch.has_changed().unwrap() || watch.borrow().connected);
    assert_eq!(watch.borrow().connections, 1);
    assert_eq!(channel.statistics().lost_connections, 0);
    drop(first);
    alone(&channel).await;
    assert_eq!(channel.statistics().lost_connections, 1);
}

#[tokio::test]
async fn peer_that_leaves_at_once_is_not_taken_for_present() {
    let place = Place::new();
    let channel = listen(&place.address());
    for _ in 0..500 {
        let _refused = RawPeer::dial(&place.socket()).0.write_all(&HANDSHAKE);
    }
    until("everyone to be gone", || {
        let peers = *channel.peer().borrow();
        !peers.connected && peers.connections == channel.statistics().lost_connections
    })
    .await;
    let peer = gets_through(&channel, &place).await;
    assert!(channel.peer().borrow().connected);
    drop(peer);
    alone(&channel).await;
}

/// Comes again and again, behind peers that the channel may still be turning away, until a frame arrives.
async fn gets_through(channel: &PairChannel, place: &Place) -> RawPeer {
    let knock = || {
        let mut peer = RawPeer::greeted(&place.socket());
        let _refused = peer.0.write_all(&support::frame(b"hello"));
        peer
    };
    let mut peer = knock();
    until("a frame to get through", || {
        if let Poll::Ready(frame) = channel.poll_recv(&mut Context::from_waker(Waker::noop())) {
            assert_eq!(frame.unwrap(), "hello");
            return true;
        }
        if peer.has_ended() {
            peer = knock();
        }
        false
    })
    .await;
    peer
}

/// A peer that is gone before nng's greeting reaches it makes that write fail. nng 1.4 takes the error
/// for the end of its listener and never accepts anybody again.
#[tokio::test]
async fn peer_that_leaves_before_the_greeting_does_not_end_the_listener() {
    let place = Place::new();
    let channel = listen(&place.address());
    for _ in 0..500 {
        let _refused = RawPeer::dial(&place.socket()).0.write_all(&HANDSHAKE);
    }
    gets_through(&channel, &place).await;
}

/// The same for a dialler, which would never dial again.
#[tokio::test]
async fn listener_that_hangs_up_before_the_greeting_does_not_end_the_dialler() {
    let place = Place::new();
    let diallers: Vec<_> = (0..20).map(|_| dial(&place.address())).collect();
    // Connections that nobody has accepted end with their listener.
    for _ in 0..20_000 {
        drop(UnixListener::bind(place.socket()).unwrap());
        std::fs::remove_file(place.socket()).unwrap();
    }
    let listener = UnixListener::bind(place.socket()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut accepted = Vec::new();
    until("every dialler to come", || {
        while let Ok((mut peer, _)) = listener.accept() {
            // A dialler that is greeted stays, so none is counted twice.
            peer.write_all(&HANDSHAKE).unwrap();
            accepted.push(peer);
        }
        diallers.iter().all(|dialler| dialler.peer().borrow().connected)
    })
    .await;
}

#[tokio::test]
async fn dial_before_listen() {
    let place = Place::new();
    let dialler = dial(&place.address());
    send(&dialler, "early").await;
    assert_eq!(dialler.statistics().waiting, 1);
    let listener = listen(&place.address());
    assert_eq!(recv(&listener).await, "early");
    exchange(&listener, &dialler).await;
}

#[tokio::test]
async fn listen_before_dial() {
    let place = Place::new();
    let listener = listen(&place.address());
    send(&listener, "early").await;
    let dialler = dial(&place.address());
    assert_eq!(recv(&dialler).await, "early");
    exchange(&listener, &dialler).await;
}

#[tokio::test]
async fn restarted_listener_is_dialled_again_for_ever() {
    let place = Place::new();
    let dialler = dial(&place.address());
    for round in 1..=30 {
        let listener = listen(&place.address());
        peer_is(&dialler, "a connection", |peer| peer.connected && peer.connections == round).await;
        exchange(&listener, &dialler).await;
        support::within("closing", listener.close()).await;
        alone(&dialler).await;
        assert_eq!(dialler.statistics().lost_connections, round);
    }
}

#[tokio::test]
async fn restarted_dialler_is_accepted_again() {
    let place = Place::new();
    let listener = listen(&place.address());
    for _ in 0..30 {
        let dialler = dial(&place.address());
        connected(&dialler).await;
        connected(&listener).await;
        exchange(&listener, &dialler).await;
        drop(dialler);
        alone(&listener).await;
    }
}

#[tokio::test]
async fn tcp_works_both_ways_and_reconnects() {
    let address = free_tcp_address();
    let dialler = dial(&address);
    for _ in 0..5 {
        let listener = listen(&address);
        connected(&listener).await;
        connected(&dialler).await;
        exchange(&listener, &dialler).await;
        support::within("closing", listener.close()).await;
        alone(&dialler).await;
    }
}

/// A peer whose machine is gone sends nothing, not even an end. Only keep-alive notices, and its
/// times are the system's, so what can be tested is that it is switched on, on both sides.
#[tokio::test]
async fn half_open_peers_are_found_by_keep_alive() {
    let address = free_tcp_address();
    let (_listener, _dialler) = support::pair(&address).await;
    let port: u16 = address.as_str().rsplit_once(':').unwrap().1.parse().unwrap();
    let hex = format!(":{port:04X}");
    // Columns: number, local, remote, state, queues, timer. Timer 2 is keep-alive; timer 1, a
    // retransmission, hides it for a moment.
    until("a keep-alive timer on both sides", || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let established = columns.filter(|c| c[3] == "01" && (c[1].ends_with(&hex) || c[2].ends_with(&hex)));
        established.filter(|columns| columns[5].starts_with("02:")).count() == 2
    })
    .await;
}

/// nng hands over the first frames of a peer before it reports the peer. Whoever answers a frame must not
/// find that nobody is there.
#[tokio::test]
async fn peer_that_has_been_heard_is_there() {
    let place = Place::new();
    let channel = listen(&place.address());
    // A peer may be refused while the one before it is being buried, and shows it at any moment.
    let heard = || {
        let mut peer = RawPeer::greeted(&place.socket());
        let _refused = peer.0.write_all(&support::frame(b"hello"));
        peer
    };
    for round in 1..=200 {
        let mut peer = heard();
        let frame = loop {
            tokio::select! {
                frame = support::recv(&channel) => break frame,
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            if peer.has_ended() {
                peer = heard();
            }
        };
        assert_eq!(frame, "hello");
        assert!(channel.peer().borrow().connected, "round {round}");
        drop(peer);
        support::alone(&channel).await;
    }
}
