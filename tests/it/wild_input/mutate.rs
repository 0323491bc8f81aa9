//! Small damage to a good text: what a fault in transit, a careless edit or a malicious mind does.

use fastrand::Rng;

/// Bytes that mean something in one of the formats.
const MEANINGFUL: &[u8] = b"{}[]\":,.-+0123456789eE\n #'=&*!|>\\\0\xff";

/// `text` with one to four things wrong.
pub fn mutate(text: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=bytes.len());
        let end = (at + random.usize(..8)).min(bytes.len());
        match random.u8(..7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, *random.choice(MEANINGFUL).unwrap()),
            3 if at < bytes.len() => bytes[at] = *random.choice(MEANINGFUL).unwrap(),
            4 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            // A piece is there twice.
            5 => {
                let from = random.usize(..=at);
                let piece = bytes[from..(from + random.usize(..40)).min(at)].to_vec();
                bytes.splice(at..at, piece);
            }
            // A number is longer than it was.
            _ => {
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    let more = "9".repeat(random.usize(1..25));
                    bytes.splice(at + digit..at + digit, more.into_bytes());
                }
            }
        }
    }
    bytes
}
