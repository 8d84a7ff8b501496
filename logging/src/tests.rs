use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::*;

/// Standard error of somebody who takes a line when he likes to.
struct Slow {
    taken: Arc<Mutex<Vec<u8>>>,
    /// Nothing is taken before something comes here; everything is once that is closed.
    goes_on: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.goes_on.recv();
        self.taken.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn slow() -> (Slow, Arc<Mutex<Vec<u8>>>, Sender<()>) {
    let (go_on, goes_on) = channel();
    let taken = Arc::default();
    (Slow { taken: Arc::clone(&taken), goes_on }, taken, go_on)
}

#[test]
fn nobody_waits_and_what_finds_no_room_is_counted() {
    const LINE: usize = 1 << 20;
    let (sink, taken, go_on) = slow();
    let log = Log::to(sink).unwrap();
    let mut writer = log.0.clone();
    let line = [b'x'; LINE];
    writer.write_all(&line).unwrap();
    // It is being written, and nothing else is before that is done.
    while !writer.lock().writes {
        thread::yield_now();
    }
    for _ in 1..100 {
        writer.write_all(&line).unwrap();
        assert!(writer.lock().bytes <= MOST);
    }
    drop(go_on);
    drop(log);
    let taken = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
    let (lines, told) = taken.split_at(taken.find('l').unwrap());
    let kept = lines.trim_end_matches('\n').matches('x').count() + told.matches('x').count();
    let lost: usize = told.lines().next().unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert_eq!(kept, (100 - lost) * LINE);
    assert_eq!(lost, 100 - 17);
}

#[test]
fn the_end_waits_for_the_last_lines_in_order() {
    let (sink, taken, go_on) = slow();
    drop(go_on);
    let log = Log::to(sink).unwrap();
    let mut writer = log.0.clone();
    let mut expected = Vec::new();
    for number in 0..10_000 {
        let line = format!("line {number}\n");
        writer.write_all(line.as_bytes()).unwrap();
        expected.extend_from_slice(line.as_bytes());
    }
    drop(log);
    assert_eq!(*taken.lock().unwrap(), expected);
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let (sink, taken, _go_on) = slow();
    let log = Log::to(sink).unwrap();
    log.0.clone().write_all(b"line\n").unwrap();
    let since = Instant::now();
    drop(log);
    assert!(since.elapsed() >= FAREWELL);
    assert!(taken.lock().unwrap().is_empty());
}
