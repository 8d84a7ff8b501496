//! The last few numbers and their average.

use std::collections::VecDeque;

/// The last `length` numbers.
pub struct Window {
    length: usize,
    numbers: VecDeque<f64>,
}

impl Window {
    /// An empty window for so many numbers, at least one.
    pub fn new(length: usize) -> Self {
        Window { length, numbers: VecDeque::new() }
    }

    /// Adds a number, forgets the oldest where the window is full, and returns the average.
    pub fn add(&mut self, number: f64) -> f64 {
        if self.numbers.len() == self.length {
            self.numbers.pop_front();
        }
        self.numbers.push_back(number);
        // Summed anew each time: a running sum would keep the rounding errors of numbers long gone.
        self.numbers.iter().sum::<f64>() / self.numbers.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn averages_what_there_is_until_full_and_then_the_last_ones() {
        let mut window = Window::new(2);
        assert_eq!(window.add(1.0), 1.0);
        assert_eq!(window.add(2.0), 1.5);
        assert_eq!(window.add(4.0), 3.0);
    }
}
