//! Connections to a host that lives and cannot be made at once.

use std::io::ErrorKind;

use tokio::net::UnixListener;

use super::*;
use crate::outprocess::attach::Ended;
use crate::outprocess::links::LinkState;

const HOST: Instance = Instance([3; 16]);

/// A host that listens, and what it offers.
fn listening() -> (tempfile::TempDir, UnixListener, Offer) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("link");
    let listener = UnixListener::bind(&path).unwrap();
    let (versions, features) = (Versions::OURS, Features::OURS);
    let address = Some(path.display().to_string());
    (directory, listener, Offer { versions, features, host: HOST, module: MODULE, address })
}

/// The next connection on which somebody greets.
async fn greeted(listener: &UnixListener) -> UnixStream {
    loop {
        let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
        if greet(&mut stream, &Greeting::ours(HOST)).await.is_ok() {
            return stream;
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_midst_of_its_greeting_is_no_death() {
    let (_directory, listener, offer) = listening();
    let links = Links::default();
    let (link, stream) = tokio::join!(links.join(&offer, BEATS), greeted(&listener));
    let place =
        link.unwrap().open((MODULE, 1), WINDOW, true, crate::segments::ModuleSegments::none().holder());
    drop(stream);
    for _ in 0..3 {
        drop(within("a connection", listener.accept()).await.unwrap());
    }
    let mut stream = greeted(&listener).await;
    assert_ne!(within("Open", stream.read_buf(&mut Vec::new())).await.unwrap(), 0);
    assert_eq!(*place.state().borrow(), LinkState::Connected);
}

#[tokio::test]
async fn a_host_that_is_overrun_with_connections_is_not_dead() {
    let (directory, listener, offer) = listening();
    let path = directory.path().join("link");
    let mut crowd = Vec::new();
    loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => crowd.push(stream),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
    let links = Links::default();
    let joining = links.join(&offer, BEATS);
    let accepting = async {
        // The gateway has tried in vain.
        sleep(Duration::from_millis(20)).await;
        crowd.clear();
        greeted(&listener).await
    };
    let (link, _stream) = tokio::join!(joining, accepting);
    assert!(link.is_ok());
}

/// Then it is known to be gone at once, and the next one is not kept waiting.
#[tokio::test]
async fn a_host_that_dies_between_its_reply_and_the_opening_of_a_lane_is_gone() {
    let mut bench = bench(OPTIONS);
    let (channels, mut stream, instance, _adopted) = bench.greeted().await;
    offer(&channels, instance, None).await;
    // Its Open.
    assert_ne!(within("Open", stream.read_buf(&mut Vec::new())).await.unwrap(), 0);
    drop(stream);
    let _next = bench.greeted().await;
    let reason = bench.status.to_json()["reason"].clone();
    assert_eq!(reason, Ended::HostGone.to_string());
}
