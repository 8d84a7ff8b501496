//! Every configuration in `samples` can be used as it stands.

use std::fs;
use std::path::{Path, PathBuf};

use sandgate_gateway::config::{Config, ModuleKind};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

#[test]
fn every_sample_is_a_configuration() {
    let mut found = 0;
    for folder in fs::read_dir(samples()).unwrap() {
        let Ok(files) = fs::read_dir(folder.unwrap().path()) else { continue };
        for file in files.map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                let config = Config::load(&file, false).unwrap_or_else(|error| panic!("{error}"));
                assert!(config.warnings.is_empty(), "{}: {:?}", file.display(), config.warnings);
                found += 1;
            }
        }
    }
    assert!(found >= 4, "the samples are not found any more");
}

/// On Windows V1 names a pipe. Here the same name is a socket in the working directory.
#[test]
fn the_name_of_a_pipe_is_that_of_a_socket() {
    let config = Config::load(&samples().join("proxy_sample/proxy_sample_win.json"), false).unwrap();
    let remote = config.modules.iter().find_map(|module| match &module.kind {
        ModuleKind::Outprocess(remote) => Some(remote),
        _ => None,
    });
    assert_eq!(remote.unwrap().control.as_str(), "ipc://outprocess_module_control");
}
