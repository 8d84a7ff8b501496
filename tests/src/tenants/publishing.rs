//! Messages: too many, too large, malformed, forged.

use super::{Tenant, When, tenant};

pub(super) fn publish_for_ever() -> Tenant {
    tenant("Publishes a message again and again without end")
        .limit("max-publishes-per-call=20000")
        .stopped_by("`max-publishes-per-call`")
        .ended(&["`receive`", "max-publishes-per-call of 20000"])
        .busy()
}

pub(super) fn publish_only_properties() -> Tenant {
    tenant("Publishes messages without content, each with a mebibyte of properties, without end")
        .limit("max-published-bytes-per-call=8MiB")
        .stopped_by("`max-published-bytes-per-call`: a message counts as it goes out, with its properties")
        .ended(&["`receive`", "max-published-bytes-per-call of 8 MiB"])
        .busy()
}

pub(super) fn publish_most_properties() -> Tenant {
    tenant("Publishes messages with 65,536 properties, as many as one may have, without end")
        .limit("max-published-bytes-per-call=8MiB")
        .stopped_by("`max-published-bytes-per-call`")
        .ended(&["`receive`", "max-published-bytes-per-call of 8 MiB"])
        .busy()
}

pub(super) fn publish_flood() -> Tenant {
    tenant("Publishes as many messages as it is configured to for each that it receives, here 5000")
        .arguments("5000")
        .limit("max-publish-rate=1000")
        .stopped_by("`max-publish-rate`")
        .ended(&["`receive`", "max-publish-rate of 1000"])
        .busy()
}

pub(super) fn publish_in_create() -> Tenant {
    tenant("Publishes in `create`, where it may not")
        .when(When::Created)
        .stopped_by("the error `not-started`")
        .told(&["NotStarted"])
}

pub(super) fn publish_too_large() -> Tenant {
    tenant("Publishes a message of the largest size, and one that is a byte larger")
        .stopped_by("the error `too-large`; `max-message-size`")
        .told(&["(Ok(()), Err(PublishError::TooLarge(33554432)))"])
}

pub(super) fn publish_nul() -> Tenant {
    tenant("Publishes a message with U+0000 in a key, and one with a key that stands there twice")
        .stopped_by("the error `invalid`")
        .told(&["(Err(PublishError::Invalid(", "), Err(PublishError::Invalid("])
}

pub(super) fn publish_million_properties() -> Tenant {
    tenant("Publishes a message with a million properties")
        .stopped_by("the error `invalid`; `max-properties`")
        .told(&["Err(PublishError::Invalid(", "65536"])
}

pub(super) fn forge_properties() -> Tenant {
    tenant("Publishes a message with properties that claim another source")
        .stopped_by("nothing: they are text; the source is what the gateway knows")
}

pub(super) fn tell_source() -> Tenant {
    tenant("Does what it should: publishes what it receives, with who is said to have published it")
}
