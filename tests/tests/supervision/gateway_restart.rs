//! A gateway that dies: what its hosts have published and it has not acknowledged reaches the next one.

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::programs::{running_gateway, waiting_host};
use sandgate_tests::scratch::Scratch;
use sandgate_tests::v1::{V1Host, decode};
use sandgate_wire::{Control, Status};
use serde_json::{Value, json};

fn number(channel: &sandgate_tests::pair::Pair) -> u64 {
    decode(channel.recv()).property("number").unwrap().parse().unwrap()
}

fn serve(host: &V1Host) -> sandgate_tests::pair::Pair {
    let create = host.next_create();
    let message = sandgate_tests::pair::Pair::listen(&create.uri);
    host.reply(Status::SUCCESS);
    host.wait_for(&Control::Start);
    message
}

#[test]
fn what_a_module_published_while_its_gateway_died_reaches_the_next_gateway_first() {
    let scratch = Scratch::new();
    let id = scratch.id("counter");
    let host = waiting_host(&scratch, &id, "fixtures/count_on_timer", &[]);
    let document = Configuration::new()
        .remote("counter", attached(&id), json!(2))
        .remote("sink", attached(&scratch.id("sink")), Value::Null)
        .link("counter", "sink")
        .json();
    let gateway = running_gateway(&scratch, &document);
    let sink = V1Host::listen(&scratch.id("sink"));
    let channel = serve(&sink);
    let mut last = 0;
    while last < 50 {
        last = number(&channel);
    }
    // It acknowledges nothing any more, while the module goes on.
    kill_process(Pid::from_raw(gateway.pid().cast_signed()).unwrap(), Signal::STOP).unwrap();
    while let Some(frame) = channel.recv_within(std::time::Duration::from_millis(200)) {
        last = decode(frame).property("number").unwrap().parse().unwrap();
    }
    gateway.kill();
    drop(channel);
    let _gateway = running_gateway(&scratch, &document);
    let channel = serve(&sink);
    // First what the old instance published, without a gap; what the dead gateway had and had not acknowledged
    // may come twice. Then the new instance's numbers, from 1.
    let mut newest = last;
    let mut kept = 0;
    loop {
        let number = number(&channel);
        if number == 1 {
            break;
        }
        assert!(number <= newest + 1, "{number} behind {newest}");
        kept += u64::from(number == newest + 1);
        newest = newest.max(number);
    }
    assert!(kept >= 10, "only {kept} numbers were kept for the next gateway");
    assert!(host.count_lines("started, on the host link") == 2);
}
