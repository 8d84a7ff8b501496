use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A shell in the launcher's care; its files are in a directory of its own.
struct Shell {
    directory: tempfile::TempDir,
    launcher: Launcher,
    stop: CancellationToken,
}

fn shell(script: &str) -> Shell {
    let directory = tempfile::tempdir().unwrap();
    let args = ["-c".to_owned(), script.to_owned(), directory.path().display().to_string()];
    let config = LaunchConfig { path: "sh".into(), args: args.into(), grace: Duration::ZERO };
    let stop = CancellationToken::new();
    let launcher = Launcher::start("test".into(), config, stop.clone());
    Shell { directory, launcher, stop }
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
    assert_eq!(shell.file("by").await.trim(), process::id().to_string());
    assert_eq!(fs::read_to_string(shell.directory.path().join("stdin")).unwrap(), "");
    shell.end(Duration::ZERO).await;
    assert_eq!(shell.file("runs").await.len(), 3);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("host");
    let config = LaunchConfig { path: program.clone(), args: Vec::new(), grace: Duration::ZERO };
    let stop = CancellationToken::new();
    let launcher = Launcher::start("test".into(), config, stop.clone());
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
