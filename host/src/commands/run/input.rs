//! The input of `run`: a message in each line.

use std::io::{self, BufRead, Read};
use std::thread;

use sandgate_host::MessageDocument;
use tokio::sync::mpsc;

/// Lines that wait to be taken.
const WAITING: usize = 16;
/// A longer line is no message: the largest has 32 MiB, and half as much again in Base64. In bytes.
const LINE_MAX: u64 = 64 << 20;

/// A line with its number, from 1.
pub struct Line {
    pub number: u64,
    /// The message, or why the line is none.
    pub message: Result<MessageDocument, String>,
}

/// Reads lines on a thread of its own, which may wait for ever. The end of the lines is that of the input, or the first
/// that is no message unless these are to be passed over.
pub fn lines(input: impl Read + Send + 'static, goes_on: bool) -> io::Result<mpsc::Receiver<Line>> {
    let (tell, lines) = mpsc::channel(WAITING);
    thread::Builder::new().name("input".into()).spawn(move || read(input, goes_on, &tell))?;
    Ok(lines)
}

fn read(input: impl Read, goes_on: bool, tell: &mpsc::Sender<Line>) {
    let mut input = io::BufReader::new(input);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let message = match (&mut input).take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(read) if read as u64 == LINE_MAX => {
                Err(Bad::End(format!("it has more than {LINE_MAX} bytes")))
            }
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => message(&line).map_err(Bad::Line),
            Err(error) => Err(Bad::End(format!("it cannot be read: {error}"))),
        };
        let is_last = match &message {
            Ok(_) => false,
            Err(Bad::Line(_)) => !goes_on,
            Err(Bad::End(_)) => true,
        };
        let message = message.map_err(|(Bad::Line(reason) | Bad::End(reason))| reason);
        // Nobody listens any more.
        if tell.blocking_send(Line { number, message }).is_err() || is_last {
            return;
        }
    }
}

/// Why there is no message, by what can follow.
enum Bad {
    Line(String),
    End(String),
}

fn message(line: &[u8]) -> Result<MessageDocument, String> {
    serde_json::from_slice(line).map_err(|error| {
        // Each line is a text of its own: the number of the line is the input's.
        error.to_string().replace(" at line 1 column ", " at column ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(input: &'static [u8]) -> Vec<(u64, Result<MessageDocument, String>)> {
        let mut lines = lines(input, false).unwrap();
        std::iter::from_fn(|| lines.blocking_recv()).map(|line| (line.number, line.message)).collect()
    }

    #[test]
    fn empty_lines_are_passed_over_and_the_last_needs_no_end() {
        let lines = read_all(b"{\"text\": \"1\"}\n\n  \r\n{\"text\": \"2\"}");
        let numbers: Vec<u64> = lines.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 4]);
        assert_eq!(lines[1].1.as_ref().unwrap().content.bytes(), b"2");
        assert!(read_all(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_no_message_is_the_last_and_says_where_it_is_wrong() {
        let lines = read_all(b"{}\n{\"txt\": 1}\n{}\n");
        assert_eq!(lines.len(), 2);
        let reason = lines[1].1.as_ref().unwrap_err();
        assert!(reason.contains("unknown field `txt`") && reason.ends_with("at column 6"), "{reason}");
        assert!(read_all(b"\xff\n")[0].1.is_err());
        let mut lines = super::lines(&b"{}\nx\n{}\n"[..], true).unwrap();
        let are_messages = std::iter::from_fn(|| lines.blocking_recv()).map(|line| line.message.is_ok());
        assert_eq!(are_messages.collect::<Vec<_>>(), [true, false, true], "or is passed over");
    }
}
