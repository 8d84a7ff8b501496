//! Which messages give way where there is no room, held against a queue that looks at all that it has each time.

use proptest::prelude::*;

use super::*;

const SOURCES: [&str; 3] = ["a", "b", "c"];
const CAPACITY: Capacity = Capacity { messages: 12, bytes: 1000 };

#[derive(Clone, Debug)]
enum Step {
    Publish { source: usize, size: usize },
    Take(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![6 => Just(0_usize), 3 => 0..300_usize, 1 => 0..1200_usize];
    prop_oneof![
        8 => (0..SOURCES.len(), size).prop_map(|(source, size)| Step::Publish { source, size }),
        1 => (0..10_usize).prop_map(Step::Take),
    ]
}

/// Of each message its source, its number, and its size.
#[derive(Default)]
struct Naive(VecDeque<(usize, u64, usize)>);

impl Naive {
    fn fits(&self, size: usize) -> bool {
        let bytes: usize = self.0.iter().map(|(.., size)| size).sum();
        self.0.is_empty() || (self.0.len() < CAPACITY.messages && bytes + size <= CAPACITY.bytes)
    }

    fn publish(&mut self, source: usize, number: u64, size: usize) {
        let before = self.0.clone();
        while !self.fits(size) {
            let Some(oldest) = self.0.iter().position(|(of, ..)| *of == source) else {
                self.0 = before;
                return;
            };
            self.0.remove(oldest);
        }
        self.0.push_back((source, number, size));
    }
}

proptest! {
    #[test]
    fn the_oldest_of_the_same_link_gives_way(steps in prop::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let broker = Broker::new();
            let publishers = SOURCES.map(|name| broker.add_module(name, 1).unwrap().0);
            let (_, mut sink) = broker.add_module("sink", CAPACITY).unwrap();
            for source in SOURCES {
                broker.add_link(link(source, "sink", OnFull::DropOldest)).unwrap();
            }
            let mut naive = Naive::default();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Publish { source, size } => {
                        let content = [&(number as u64).to_be_bytes()[..], &vec![0; size]].concat();
                        let message = Message::new::<&str, &str>(&[], content).unwrap();
                        naive.publish(source, number as u64, message.frame().len());
                        publishers[source].publish(message).await;
                    }
                    Step::Take(most) => {
                        let mut batch = VecDeque::new();
                        if !sink.is_empty() && most > 0 {
                            sink.recv_batch(&mut batch, most).await;
                        }
                        let taken = naive.0.drain(..most.min(naive.0.len()));
                        let taken: Vec<_> = taken.map(|(source, number, _)| (SOURCES[source], number)).collect();
                        let number = |delivery: &Delivery| {
                            u64::from_be_bytes(delivery.message.content()[..8].try_into().unwrap())
                        };
                        let got: Vec<_> =
                            batch.iter().map(|delivery| (delivery.route().source(), number(delivery))).collect();
                        assert_eq!(got, taken);
                    }
                }
                assert_eq!(sink.len(), naive.0.len());
            }
            broker.routes().iter().for_each(|route| assert_adds_up(route));
        });
    }
}
