//! The pool with tasks that run, get stuck, panic and compute for long.

use std::sync::mpsc;

use super::*;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn tasks_run_and_return() {
    let workers = Workers::start(|| {}).unwrap();
    let (done, result) = mpsc::channel();
    for n in 0..100 {
        let done = done.clone();
        workers.spawn(async move { done.send(n).unwrap() });
    }
    let mut seen: Vec<i32> = (0..100).map(|_| result.recv_timeout(LONG).unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}

#[test]
fn without_threads_tasks_run_when_they_are_told_to_and_in_order() {
    let workers = Workers::without_threads();
    let (tell, told) = mpsc::channel();
    for name in ["a", "b"] {
        let tell = tell.clone();
        let task = async move {
            tell.send((name, 1)).unwrap();
            tokio::task::yield_now().await;
            tell.send((name, 2)).unwrap();
        };
        workers.spawn(task);
    }
    assert!(told.try_recv().is_err());
    let mut order = Vec::new();
    while workers.run_next() {
        order.extend(told.try_iter());
    }
    assert_eq!(order, [("a", 1), ("b", 1), ("a", 2), ("b", 2)]);
}

#[test]
fn stuck_tasks_do_not_stop_the_others() {
    let workers = Workers::start(|| {}).unwrap();
    // More of them than there are seats, each stuck until the end of the test.
    let stuck = thread::available_parallelism().map_or(1, usize::from) * 3;
    let gates: Vec<_> = (0..stuck)
        .map(|_| {
            let (release, gate) = mpsc::channel::<()>();
            workers.spawn(async move {
                let _ = gate.recv();
            });
            release
        })
        .collect();
    let (done, result) = mpsc::channel();
    workers.spawn(async move { done.send(()).unwrap() });
    result.recv_timeout(LONG).expect("a task behind the stuck ones runs");
    drop(gates);
}

#[test]
fn when_all_threads_are_stuck_the_longest_running_gives_way() {
    let workers = Workers::start(|| {}).unwrap();
    let (started, starts) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    for n in 0..THREADS_MAX {
        let (started, ended, over) = (started.clone(), ended.clone(), over.clone());
        let stuck = async move {
            started.send(n).unwrap();
            while !is_condemned() && !over.load(Ordering::Relaxed) {
                thread::sleep(TICK);
            }
            let _ = ended.send(n);
        };
        workers.spawn(stuck);
        starts.recv_timeout(LONG).unwrap();
        // Each begins in a tick of its own: then one of them has run for longest.
        let tick = workers.pool.tick.load(Ordering::Relaxed);
        while workers.pool.tick.load(Ordering::Relaxed) == tick {
            thread::yield_now();
        }
    }
    assert!(ends.try_recv().is_err(), "nobody is ended before anybody waits");
    let (done, result) = mpsc::channel();
    workers.spawn(async move { done.send(is_condemned()).unwrap() });
    assert!(!result.recv_timeout(LONG).expect("the task that waits gets a thread"));
    assert_eq!(ends.recv().unwrap(), 0, "the first was the longest-running");
    over.store(true, Ordering::Relaxed);
}

#[test]
fn the_task_that_comes_after_the_one_that_was_chosen_is_not_condemned_for_it() {
    let workers = Workers::start(|| {}).unwrap();
    let slot = &workers.pool.slots[THREADS_MAX - 1];
    for field in [&slot.begun, &slot.seat] {
        field.store(5, Ordering::Relaxed);
    }
    let (chosen, begun) = workers.pool.longest_running().unwrap();
    chosen.begun.store(9, Ordering::Relaxed);
    chosen.condemned.store(begun, Ordering::Relaxed);
    assert!(chosen.is_condemned(5) && !chosen.is_condemned(9));
    slot.seat.store(IDLE, Ordering::Relaxed);
}

#[test]
fn a_panicking_task_leaves_its_thread_and_seat_in_use() {
    let workers = Workers::start(|| {}).unwrap();
    for _ in 0..2 * THREADS_MAX {
        workers.spawn(async { panic!("as intended by this test") });
    }
    let (done, result) = mpsc::channel();
    workers.spawn(async move { done.send(()).unwrap() });
    result.recv_timeout(LONG).expect("the pool works on");
}

#[test]
fn the_ticker_ticks_while_something_runs() {
    let (tick, ticks) = mpsc::channel();
    let workers = Workers::start(move || {
        let _ = tick.send(());
    })
    .unwrap();
    // It sleeps after a while without work.
    while ticks.recv_timeout(Duration::from_millis(500)).is_ok() {}
    let (release, gate) = mpsc::channel::<()>();
    workers.spawn(async move {
        let _ = gate.recv();
    });
    for _ in 0..2 * IDLE_TICKS {
        ticks.recv_timeout(LONG).expect("it ticks again");
    }
    drop(release);
}

/// How nice this thread is.
fn nice() -> i32 {
    rustix::process::getpriority_process(None).unwrap()
}

#[test]
fn a_task_that_computes_for_long_steps_back_and_the_next_one_does_not() {
    let workers = Workers::start(|| {}).unwrap();
    let ordinary = nice();
    let (tell, told) = mpsc::channel();
    for _ in 0..2 * THREADS_MAX {
        let tell = tell.clone();
        workers.spawn(async move {
            let before = nice();
            step_back();
            // A second time makes no difference.
            step_back();
            tell.send((before, nice())).unwrap();
        });
        // Whether it may step forward afterwards or has left: whoever takes the next task is as others are.
        let (before, after) = told.recv_timeout(LONG).unwrap();
        assert_eq!(before, ordinary);
        assert!(after > ordinary);
    }
}

#[test]
fn one_thread_always_stays_as_it_is() {
    let workers = Workers::start(|| {}).unwrap();
    let ordinary = nice();
    let (tell, told) = mpsc::channel();
    let gates: Vec<_> = (0..THREADS_MAX)
        .map(|_| {
            let (tell, (release, gate)) = (tell.clone(), mpsc::channel::<()>());
            workers.spawn(async move {
                step_back();
                tell.send(nice() > ordinary).unwrap();
                let _ = gate.recv();
            });
            release
        })
        .collect();
    let behind = (0..THREADS_MAX).filter(|_| told.recv_timeout(LONG).unwrap()).count();
    assert_eq!(behind, THREADS_MAX - 1);
    drop(gates);
}

#[test]
fn a_thread_that_leaves_is_replaced_where_all_others_are_stuck() {
    let workers = Workers::start(|| {}).unwrap();
    workers.pool.is_unprivileged.store(true, Ordering::Relaxed);
    let ordinary = nice();
    let (tell, told) = mpsc::channel();
    let mut gates: Vec<_> = (0..THREADS_MAX)
        .map(|n| {
            let (tell, (release, gate)) = (tell.clone(), mpsc::channel::<()>());
            workers.spawn(async move {
                step_back();
                tell.send((n, nice() > ordinary)).unwrap();
                let _ = gate.recv();
            });
            Some(release)
        })
        .collect();
    let behind: Vec<_> = (0..THREADS_MAX)
        .map(|_| told.recv_timeout(LONG).unwrap())
        .filter_map(|(n, is_behind)| is_behind.then_some(n))
        .collect();
    let (done, result) = mpsc::channel();
    for n in &behind[..3] {
        let done = done.clone();
        workers.spawn(async move { done.send(nice()).unwrap() });
        // The thread that this frees stays behind.
        gates[*n] = None;
        assert_eq!(result.recv_timeout(LONG).expect("another one runs it"), ordinary);
    }
    drop(gates);
}
