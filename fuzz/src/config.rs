//! The readers of configurations.

use std::path::Path;

use sandgate_gateway::config::Config;
use sandgate_host::HostConfig;

/// V1's JSON. What the strict mode takes the lenient one takes as well, and a refusal says why.
pub(crate) fn gateway(bytes: &[u8]) {
    let strict = Config::parse(bytes, false);
    let lenient = Config::parse(bytes, true);
    match (&strict, &lenient) {
        (Ok(strict), Ok(lenient)) => {
            assert!(strict.warnings.is_empty() && lenient.warnings.is_empty());
            assert_eq!(strict.modules.len(), lenient.modules.len());
        }
        (Ok(_), Err(faults)) => panic!("only the lenient mode refuses it: {faults:?}"),
        (Err(_), Ok(lenient)) => assert!(!lenient.warnings.is_empty()),
        (Err(_), Err(_)) => {}
    }
    for faults in [strict.err(), lenient.err()].into_iter().flatten() {
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
    }
}

/// The host's own.
pub(crate) fn host(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match HostConfig::parse(text, Path::new("/base")) {
        Ok(config) => assert!(!config.modules.is_empty()),
        Err(error) => assert!(!error.faults.is_empty() && !error.to_string().is_empty()),
    }
}
