//! What a figure is to reach.

use std::fmt::{self, Display, Formatter};

use crate::report::number;

/// A bound on a figure, or on its ratio to the reference of the same run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

impl Goal {
    pub(crate) fn is_met(self, value: f64, ratio: Option<f64>) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::RatioAtLeast(bound) => ratio.is_some_and(|ratio| ratio >= bound),
            Self::RatioAtMost(bound) => ratio.is_some_and(|ratio| ratio <= bound),
        }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "at least {}", number(*bound)),
            Self::AtMost(bound) => write!(f, "at most {}", number(*bound)),
            Self::RatioAtLeast(bound) => write!(f, "ratio at least {bound}"),
            Self::RatioAtMost(bound) => write!(f, "ratio at most {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_reached_by_what_is_equal_to_it() {
        assert!(Goal::AtLeast(5e6).is_met(5e6, None) && !Goal::AtLeast(5e6).is_met(4.9e6, None));
        assert!(Goal::AtMost(20.0).is_met(20.0, None) && !Goal::AtMost(20.0).is_met(20.1, None));
        assert!(Goal::RatioAtLeast(6.0).is_met(1.0, Some(6.0)));
        assert!(!Goal::RatioAtLeast(6.0).is_met(7.0, Some(5.9)));
        assert!(!Goal::RatioAtMost(1.5).is_met(1.0, None), "without a reference nothing is reached");
        assert_eq!(Goal::AtLeast(5e6).to_string(), "at least 5,000,000");
    }
}
