//! `sampler`: timers.

use crate::scene::Scene;

pub fn keeps_the_contract(scene: &Scene<'_>) {
    for (arguments, words) in [
        (r#"{"interval.ms": 0, "text": "tick"}"#, &["args.interval.ms", "write for example"][..]),
        (r#"{"text": "tick"}"#, &["interval.ms", "write for example"]),
        (r#"{"interval.ms": -1, "text": "tick"}"#, &["write for example"]),
    ] {
        scene.is_refused("sampler", arguments, words);
    }
    let sampler = scene.attach("sampler", r#"{"interval.ms": 5, "text": "tick ✓", "count": 3}"#);
    for number in 1..=3 {
        let message = sampler.gateway.receive();
        assert_eq!(message.property("n"), Some(number.to_string().as_str()));
        assert_eq!(message.properties().count(), 1);
        assert_eq!(message.content(), "tick ✓".as_bytes());
    }
    // It is done, and takes no messages.
    sampler.gateway.publish(&[], b"");
    sampler.says(&["failed to handle messages", "takes no messages"]);
    sampler.destroy();

    let sampler = scene.attach("sampler", r#"{"interval.ms": 1, "text": ""}"#);
    for number in 1..=20 {
        assert_eq!(sampler.gateway.receive().property("n"), Some(number.to_string().as_str()));
    }
    sampler.destroy();
}
