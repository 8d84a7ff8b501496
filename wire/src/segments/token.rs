//! The handle of a segment as it travels in a message.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

/// A segment, by a random number that the gateway gives it. Its text is 32 hexadecimal digits. Nobody guesses
/// one, and knowing one is not enough: the gateway looks at the grants of whoever opens it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Token(pub [u8; 16]);

/// A text that is no token.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a handle of a segment is 32 hexadecimal digits")]
pub struct TokenError;

impl Token {
    /// A new one, of 122 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// It opens memory, so no log shall have it whole.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| TokenError)?;
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(TokenError);
        let mut token = [0; 16];
        for (byte, pair) in token.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (value(pair[0])? * 16 + value(pair[1])?) as u8;
        }
        Ok(Self(token))
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, TokenError};

    #[test]
    fn a_token_is_read_from_its_own_text_and_from_no_other() {
        let token = Token::random();
        let text = token.to_string();
        assert_eq!(text.parse(), Ok(token));
        assert_eq!(text.to_uppercase().parse(), Ok(token));
        for other in ["", "00", &text[1..], &format!("{text}0"), &format!("+{}", &text[1..]), &"é".repeat(16)]
        {
            assert_eq!(other.parse::<Token>(), Err(TokenError), "{other}");
        }
    }

    #[test]
    fn a_log_does_not_have_it_whole() {
        let token = Token::random();
        assert!(!format!("{token:?}").contains(&token.to_string()));
        assert_ne!(token, Token::random());
    }
}
