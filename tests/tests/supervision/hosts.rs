//! Hosts that die and hosts that hang, launched and not.

use rustix::process::{Pid, Signal, kill_process};
use sandgate_tests::config::{attached, launched};
use sandgate_tests::ends::{Ends, around};
use sandgate_tests::process::number;
use sandgate_tests::programs::{guest, program, running_gateway, running_gateway_with, waiting_host};
use sandgate_tests::scratch::Scratch;
use serde_json::Value;

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

fn launching(scratch: &Scratch) -> Value {
    let (id, host, module) = (scratch.id("middle"), program("wasm-host"), guest("modules/echo"));
    let args = ["--control", &id, module.to_str().unwrap()];
    around(scratch, launched(&id, host.to_str().unwrap(), &args, 2000), Value::Null)
}

#[test]
fn a_launched_host_inherits_its_link_and_opens_no_socket_for_it() {
    let scratch = Scratch::new();
    let mut gateway = running_gateway(&scratch, &launching(&scratch));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=100);
    ends.expect_numbers(1..=100);
    gateway.wait_for_line("way=\"host link\"");
    assert!(scratch.names().iter().all(|name| !name.starts_with("sandgate-host-")), "{:?}", scratch.names());
    gateway.stop();
}

#[test]
fn a_launched_host_that_hangs_is_ended_and_launched_anew_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let gateway = running_gateway(&scratch, &launching(&scratch));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=10);
    ends.expect_numbers(1..=10);
    let pid = number(&gateway.wait_for_line("launched module=\"middle\""), "pid").try_into().unwrap();
    send(pid, Signal::STOP);
    ends.send_numbers(11..=20);
    gateway.wait_for_line("the host hangs");
    ends.expect_numbers(11..=20);
    assert_eq!(gateway.count_lines("launched module=\"middle\""), 2);
}

#[test]
fn a_host_that_hangs_and_was_not_launched_is_attached_anew_when_it_wakes_up() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let host = waiting_host(&scratch, &id, "modules/echo", &[]);
    let gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=10);
    ends.expect_numbers(1..=10);
    send(host.pid(), Signal::STOP);
    ends.send_numbers(11..=20);
    gateway.wait_for_line("the host hangs");
    send(host.pid(), Signal::CONT);
    // What it had in hand when it was stopped may come twice.
    let mut next = 11;
    while next <= 20 {
        let number = ends.receive_number();
        assert!(number <= next, "{number} where {next} was due");
        next += u64::from(number == next);
    }
}

#[test]
fn a_host_that_was_killed_is_replaced_by_the_next_one_on_its_control_id_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let id = scratch.id("middle");
    let mut host = waiting_host(&scratch, &id, "modules/echo", &[]);
    let mut gateway = running_gateway(&scratch, &around(&scratch, attached(&id), Value::Null));
    let ends = Ends::attach(&scratch);
    for round in 0..5 {
        ends.send_numbers(round * 10..round * 10 + 10);
        ends.expect_numbers_behind_a_death(round * 10..round * 10 + 10);
        host.kill();
        host = waiting_host(&scratch, &id, "modules/echo", &[]);
    }
    ends.send_numbers(50..60);
    ends.expect_numbers_behind_a_death(50..60);
    assert!(gateway.is_running());
    // The sockets of those that were killed are removed by those that came after them.
    let directories = scratch.names().iter().filter(|name| name.starts_with("sandgate-host-")).count();
    assert_eq!(directories, 1);
}

/// Runs what a shell makes of `$wasm_host`, `$control` and `$modules` as the host of the middle.
fn scripted(scratch: &Scratch, script: &str, start_timeout: u64, args: Value) -> Value {
    let (id, host) = (scratch.id("middle"), program("wasm-host"));
    let modules = guest("modules/echo").parent().unwrap().parent().unwrap().to_owned();
    let settings =
        format!("wasm_host={}; control={id}; modules={}; {script}", host.display(), modules.display());
    let mut middle = launched(&id, "bash", &["-c", &settings], 0);
    middle["launch"]["start.timeout.ms"] = start_timeout.into();
    around(scratch, middle, args)
}

#[test]
fn a_launched_host_that_hangs_before_anything_was_heard_of_it_is_launched_anew() {
    let scratch = Scratch::new();
    let script = "if mkdir first; then kill -STOP $$; fi; \
                  exec $wasm_host --control $control $modules/modules/echo.wasm";
    let gateway = running_gateway(&scratch, &scripted(&scratch, script, 1000, Value::Null));
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=10);
    ends.expect_numbers(1..=10);
    gateway.wait_for_line("nothing was heard of it within 1000 ms");
    assert_eq!(gateway.count_lines("launched module=\"middle\""), 2);
}

/// It is stopped while the module is being created: it has greeted, and does not reply.
#[test]
fn a_launched_host_that_hangs_before_its_reply_is_launched_anew() {
    let scratch = Scratch::new();
    let script = "guest=fixtures/slow_create; mkdir first || guest=modules/echo; \
                  exec $wasm_host -W timeout=3600s --control $control $modules/$guest.wasm";
    // In `create` for a minute, if nobody ends it.
    let document = scripted(&scratch, script, 600_000, Value::from(60_000));
    let gateway = running_gateway_with(&scratch, &document, &["-v"]);
    let ends = Ends::attach(&scratch);
    ends.send_numbers(1..=10);
    let pid = number(&gateway.wait_for_line("launched module=\"middle\""), "pid").try_into().unwrap();
    // The greeting comes before anything is replied to.
    gateway.wait_for_line("waiting for a gateway module=\"slow_create\"");
    gateway.wait_for_line("the launched host has greeted");
    send(pid, Signal::STOP);
    gateway.wait_for_line("reason=\"it hung\"");
    ends.expect_numbers(1..=10);
    assert_eq!(gateway.count_lines("launched module=\"middle\""), 2);
}
