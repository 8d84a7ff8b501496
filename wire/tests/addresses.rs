//! Where a channel can listen, and what it says when it cannot.

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use sandgate_wire::channel::PairError;
use sandgate_wire::limits::SOCKET_PATH_MAX;
use sandgate_wire::{Address, AddressError, Channel, PairChannel};
use support::{OPTIONS, Place, connected, dial, exchange, free_tcp_address, listen, within};

fn refusal(address: &Address) -> PairError {
    match PairChannel::listen(address, OPTIONS) {
        Ok(_) => panic!("listens on {address}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn stale_socket_file_is_replaced() {
    let place = Place::new();
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(place.socket().exists());
    let (listener, dialler) = support::pair(&place.address()).await;
    exchange(&listener, &dialler).await;
}

#[tokio::test]
async fn path_in_use_is_refused_and_its_owner_is_not_disturbed() {
    let place = Place::new();
    let (listener, dialler) = support::pair(&place.address()).await;
    for _ in 0..5 {
        let error = refusal(&place.address());
        assert!(matches!(&error, PairError::InUse(address) if *address == place.address()), "{error:?}");
        assert!(error.to_string().contains(place.address().as_str()), "{error}");
    }
    exchange(&listener, &dialler).await;
    assert_eq!(listener.statistics().lost_connections, 0);
}

#[tokio::test]
async fn tcp_port_in_use_is_refused() {
    let address = free_tcp_address();
    let _listener = listen(&address);
    assert!(matches!(refusal(&address), PairError::InUse(_)));
}

#[test]
fn missing_directory_is_named() {
    let place = Place::new();
    let address = Address::from_path(&place.path().join("missing/s")).unwrap();
    let text = refusal(&address).to_string();
    let directory = place.path().join("missing");
    assert!(text.contains(&format!("no directory {}", directory.display())), "{text}");
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let place = Place::new();
    std::fs::write(place.socket(), "precious").unwrap();
    refusal(&place.address());
    assert_eq!(std::fs::read_to_string(place.socket()).unwrap(), "precious");
}

#[test]
fn socket_is_for_its_owner_alone() {
    let place = Place::new();
    let _listener = listen(&place.address());
    let mode = std::fs::metadata(place.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn longest_socket_path_works_and_one_more_is_refused() {
    let place = Place::new();
    let fill = SOCKET_PATH_MAX - place.path().as_os_str().len() - 1;
    let longest = place.path().join("x".repeat(fill));
    assert_eq!(longest.as_os_str().len(), SOCKET_PATH_MAX);
    let (listener, dialler) = support::pair(&Address::from_path(&longest).unwrap()).await;
    exchange(&listener, &dialler).await;
    assert!(longest.exists());
    let too_long = place.path().join("x".repeat(fill + 1));
    assert_eq!(Address::from_path(&too_long), Err(AddressError::PathTooLong(SOCKET_PATH_MAX + 1)));
}

#[tokio::test]
async fn odd_characters_in_a_path_are_taken_as_they_are() {
    let place = Place::new();
    for name in ["with space", "100%25", "a?b#c", "käse", "tcp:x"] {
        let path = place.path().join(name);
        let (listener, dialler) = support::pair(&Address::from_path(&path).unwrap()).await;
        exchange(&listener, &dialler).await;
        assert!(path.exists(), "{name}");
    }
}

#[test]
fn path_is_never_taken_for_another_scheme() {
    let address = Address::from_path(Path::new("tcp://odd")).unwrap();
    assert_eq!(address.path(), Some(Path::new("tcp://odd")));
    assert_eq!(Address::from_path(Path::new("")), Err(AddressError::Empty));
    let path = Path::new(OsStr::from_bytes(b"/tmp/\xff"));
    assert_eq!(Address::from_path(path), Err(AddressError::NotUtf8(path.to_owned())));
}

/// `close` promises a free address when it is done.
async fn closed_address_is_free_at_once(address: &Address, rounds: u32) {
    for _ in 0..rounds {
        let (listener, dialler) = (listen(address), dial(address));
        connected(&listener).await;
        within("closing", listener.close()).await;
        drop(dialler);
    }
}

#[tokio::test]
async fn closed_path_is_free_at_once() {
    let place = Place::new();
    closed_address_is_free_at_once(&place.address(), 300).await;
}

#[tokio::test]
async fn closed_port_is_free_at_once() {
    closed_address_is_free_at_once(&free_tcp_address(), 100).await;
}
