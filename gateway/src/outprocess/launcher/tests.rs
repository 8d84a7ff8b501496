use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::process::locate;
use super::*;
use crate::config::RestartConfig;

/// A shell in the launcher's care; its files are in a directory of its own.
struct Shell {
    directory: tempfile::TempDir,
    launcher: Launcher,
    status: ModuleStatus,
    stop: CancellationToken,
}

fn shell(script: &str) -> Shell {
    shell_with(script, RestartConfig::default(), true)
}

fn shell_with(script: &str, restart: RestartConfig, link: bool) -> Shell {
    let directory = tempfile::tempdir().unwrap();
    let args = ["-c".to_owned(), script.to_owned(), directory.path().display().to_string()];
    let start_timeout = LaunchConfig::START_TIMEOUT;
    let (path, grace) = ("sh".into(), Duration::ZERO);
    let config = LaunchConfig { path, args: args.into(), grace, start_timeout, restart };
    let stop = CancellationToken::new();
    let status = ModuleStatus::new("test", "outprocess");
    let launcher = Launcher::start(config, link, status.clone(), stop.clone());
    Shell { directory, launcher, status, stop }
}

impl Shell {
    /// Waits until the script has written this file.
    async fn file(&self, name: &str) -> String {
        loop {
            match fs::read_to_string(self.directory.path().join(name)) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Waits until this launch has come to this.
    async fn launch(&self, number: u64, state: LaunchState) {
        let mut launches = self.launcher.launches();
        launches.wait_for(|launch| *launch == Launch { number, state }).await.unwrap();
    }

    async fn end(&self, grace: Duration) {
        self.stop.cancel();
        self.launcher.stop(grace).await;
    }

    fn has(&self, name: &str) -> bool {
        self.directory.path().join(name).exists()
    }
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended and was not reaped by its new parent yet is a zombie.
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

const FOREVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_host_that_exits_by_itself_gets_no_signal() {
    let shell = shell(
        "trap 'echo > $0/term' TERM; echo > $0/ready; while [ ! -e $0/go ]; do sleep 0.01; done; echo > $0/done",
    );
    shell.file("ready").await;
    let go = async {
        fs::write(shell.directory.path().join("go"), "").unwrap();
    };
    tokio::join!(shell.end(FOREVER), go);
    assert!(shell.has("done") && !shell.has("term"));
}

#[tokio::test]
async fn after_the_grace_period_comes_sigterm() {
    let shell = shell("trap 'echo > $0/term; exit' TERM; echo > $0/ready; while :; do sleep 0.01; done");
    shell.file("ready").await;
    shell.end(Duration::ZERO).await;
    assert!(shell.has("term"));
}

#[tokio::test]
async fn then_comes_sigkill_for_the_whole_group() {
    let shell = shell("trap '' TERM; sleep 600 & echo $! > $0/child; echo $$ > $0/pid; wait; sleep 600");
    let (pid, child) = (shell.file("pid").await, shell.file("child").await);
    assert!(is_alive(&pid) && is_alive(&child));
    shell.end(Duration::ZERO).await;
    assert!(!is_alive(&pid));
    while is_alive(&child) {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_host_that_exits_is_launched_again_and_knows_by_whom() {
    let shell = shell(
        "cat > $0/stdin; echo $SANDGATE_LAUNCHED_BY > $0/by; echo >> $0/runs; \
         if [ $(wc -l < $0/runs) -ge 3 ]; then echo > $0/third; sleep 600; fi",
    );
    shell.file("third").await;
    assert_eq!(shell.file("by").await.trim(), std::process::id().to_string());
    assert_eq!(fs::read_to_string(shell.directory.path().join("stdin")).unwrap(), "");
    shell.end(Duration::ZERO).await;
    assert_eq!(shell.file("runs").await.len(), 3);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("host");
    let config = LaunchConfig {
        path: program.clone(),
        args: Vec::new(),
        grace: Duration::ZERO,
        start_timeout: LaunchConfig::START_TIMEOUT,
        restart: RestartConfig::default(),
    };
    let stop = CancellationToken::new();
    let launcher = Launcher::start(config, false, ModuleStatus::new("test", "outprocess"), stop.clone());
    let mark = directory.path().join("mark");
    // Written beside and moved, so that it is never executed half-written.
    let draft = directory.path().join("draft");
    fs::write(&draft, format!("#!/bin/sh\necho > {}\nsleep 600\n", mark.display())).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&draft, &program).unwrap();
    while !mark.exists() {
        sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    launcher.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_shell_that_exits_first_leaves_nothing_behind() {
    let shell = shell("sleep 600 & echo $! >> $0/children");
    let children = loop {
        let children = shell.file("children").await;
        if children.lines().count() >= 3 {
            break children;
        }
        sleep(Duration::from_millis(5)).await;
    };
    // The launcher has been through with the first one before there was another.
    for child in children.lines().take(2) {
        while is_alive(child) {
            sleep(Duration::from_millis(5)).await;
        }
    }
    shell.end(Duration::ZERO).await;
    for child in shell.file("children").await.lines() {
        while is_alive(child) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_launcher_that_is_dropped_leaves_nothing_behind() {
    let shell = shell("sleep 600 & echo $! > $0/child; echo $$ > $0/pid; wait");
    let (pid, child) = (shell.file("pid").await, shell.file("child").await);
    drop(shell.launcher);
    while is_alive(&pid) || is_alive(&child) {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_launch_has_a_host_link_of_its_own() {
    let shell = shell("read line <&$SANDGATE_LINK_FD; echo \"$SANDGATE_LINK_FD $line\" >&3; sleep 600");
    for number in 1..=2 {
        shell.launch(number, LaunchState::Running).await;
        let (of, mut link) = shell.launcher.take_link().unwrap();
        assert_eq!(of, number);
        assert!(shell.launcher.take_link().is_none());
        link.set_nonblocking(false).unwrap();
        let answer = tokio::task::spawn_blocking(move || {
            link.write_all(format!("hello {number}\n").as_bytes()).unwrap();
            let mut answer = [0; 10];
            link.read_exact(&mut answer).unwrap();
            (answer, link)
        });
        let (answer, mut link) = answer.await.unwrap();
        assert_eq!(answer, *format!("3 hello {number}\n").as_bytes());
        shell.launcher.relaunch(number, "as asked");
        // The other end was the host's alone, so it goes with the host.
        let end = tokio::task::spawn_blocking(move || link.read(&mut [0; 1]).unwrap());
        assert_eq!(end.await.unwrap(), 0);
    }
    shell.end(Duration::ZERO).await;
    assert!(shell.launcher.take_link().is_none());
}

#[tokio::test]
async fn a_host_without_a_link_is_told_of_none() {
    let script = "echo \"[$SANDGATE_LINK_FD]\" > $0/told; sleep 600";
    let shell = shell_with(script, RestartConfig::default(), false);
    assert_eq!(shell.file("told").await, "[]\n");
    assert!(shell.launcher.take_link().is_none());
    shell.end(Duration::ZERO).await;
}

#[tokio::test]
async fn a_useless_host_is_launched_again_and_an_old_complaint_is_not_heard() {
    let shell = shell("trap '' TERM; echo $$ >> $0/pids; while :; do sleep 600; done");
    shell.launch(1, LaunchState::Running).await;
    let first = shell.file("pids").await;
    shell.launcher.relaunch(1, "it hangs");
    shell.launch(2, LaunchState::Running).await;
    assert!(!is_alive(&first));
    shell.launcher.relaunch(1, "it hung");
    assert_eq!(shell.launcher.launches().borrow().number, 2);
    shell.launcher.relaunch(2, "it hangs too");
    shell.launch(3, LaunchState::Running).await;
    assert_eq!(shell.status.to_json()["launches"], 3);
    shell.end(Duration::ZERO).await;
    assert_eq!(*shell.launcher.launches().borrow(), Launch { number: 3, state: LaunchState::Ended });
}

#[tokio::test]
async fn a_crash_loop_ends_in_quarantine_until_it_is_revived() {
    let restart = RestartConfig { max: 2, window: Duration::from_secs(3600), ..RestartConfig::default() };
    let shell = shell_with("echo >> $0/runs; exit 7", restart, true);
    shell.launch(3, LaunchState::Quarantined).await;
    let status = shell.status.to_json();
    assert_eq!(status["state"], "quarantined");
    let reason = status["reason"].as_str().unwrap();
    assert!(
        reason.contains("more than 2 exits within 3600 s") && reason.contains("exit status: 7"),
        "{reason}"
    );
    assert_eq!(shell.file("runs").await.len(), 3);
    shell.status.revive().unwrap();
    shell.launch(6, LaunchState::Quarantined).await;
    // A stop does not wait for a revival.
    shell.end(FOREVER).await;
    assert_eq!(*shell.launcher.launches().borrow(), Launch { number: 6, state: LaunchState::Ended });
    assert_eq!(shell.file("runs").await.len(), 6);
}

#[test]
fn what_cannot_be_launched_says_why() {
    let not_found = explain(Path::new("nothing"), &ErrorKind::NotFound.into());
    assert!(not_found.contains("`nothing`") && not_found.contains("PATH"), "{not_found}");
    let denied = explain(Path::new("/etc/passwd"), &ErrorKind::PermissionDenied.into());
    assert!(denied.contains("chmod +x"), "{denied}");
}

#[test]
fn a_name_alone_is_looked_for_beside_the_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("gateway");
    fs::write(directory.path().join("wasm-host"), "").unwrap();
    let find = |path: &str| locate(Path::new(path), Some(&own));
    assert_eq!(find("wasm-host"), directory.path().join("wasm-host"));
    assert_eq!(find("sh"), Path::new("sh"));
    assert_eq!(find("./wasm-host"), Path::new("./wasm-host"));
    assert_eq!(find("/bin/sh"), Path::new("/bin/sh"));
}
