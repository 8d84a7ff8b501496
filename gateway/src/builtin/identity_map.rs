//! V1's `identity_map`: between the address of a sensor and the device that the cloud knows it as.

use std::collections::HashMap;

use sandgate_wire::Message;
use tracing::{debug, warn};

use super::properties::{DEVICE_KEY, DEVICE_NAME, MAC_ADDRESS, SOURCE};
use crate::config::reader::Node;
use crate::module::{Context, Life, Module};

/// The `source` of what this module publishes, which it takes from nobody.
const MAPPING: &str = "mapping";
/// The `source` of what comes from the cloud.
const CLOUD: &str = "iothub";

/// Publishes messages of sensors with the device's name and key in the place of the sensor's address, and messages of
/// the cloud the other way round. Other messages go no further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityMap {
    /// The devices, at least one. Of two with the same address or name the first counts.
    pub devices: Vec<Device>,
}

/// A sensor that is a device of the cloud's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Device {
    /// `macAddress`, in capitals: six numbers of two hexadecimal digits, with colons.
    pub mac_address: String,
    /// `deviceId`.
    pub id: String,
    /// `deviceKey`.
    pub key: String,
}

impl IdentityMap {
    pub(super) fn read(args: &Node<'_>) -> Option<Self> {
        let entries = args.array()?;
        if entries.is_empty() {
            args.fault(
                "the identity map needs a device; write [{\"macAddress\": \"01:01:01:01:01:01\", \
                        \"deviceId\": \"NAME\", \"deviceKey\": \"KEY\"}]",
            );
            return None;
        }
        // Every entry is read before any fault counts, so that all of them are told.
        let devices: Vec<_> = entries.iter().map(Device::read).collect();
        Some(Self { devices: devices.into_iter().collect::<Option<_>>()? })
    }
}

impl Device {
    fn read(node: &Node<'_>) -> Option<Self> {
        let entry = node.object()?;
        let text = |node: Option<Node<'_>>| Some(node?.text()?.to_owned());
        let mac_address = text(entry.required("macAddress", "give the sensor's address"));
        let id = text(entry.required("deviceId", "give the device's name"));
        let key = text(entry.required("deviceKey", "give the device's key"));
        let mac_address = mac_address.map(|text| text.to_ascii_uppercase());
        if mac_address.as_ref().is_some_and(|text| !is_canonical(text)) {
            node.fault(
                "`macAddress` must be six numbers of two hexadecimal digits, such as 01:23:45:67:89:AB",
            );
            return None;
        }
        entry.finish();
        Some(Self { mac_address: mac_address?, id: id?, key: key? })
    }
}

/// Whether an address has V1's form.
fn is_canonical(address: &str) -> bool {
    let mut parts = 0;
    address.split(':').all(|part| {
        parts += 1;
        part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    }) && parts == 6
}

/// The devices, to be found by either side's name.
struct Index {
    by_address: HashMap<String, Device>,
    by_id: HashMap<String, Device>,
}

impl Index {
    fn new(devices: Vec<Device>) -> Self {
        let (mut by_address, mut by_id) = (HashMap::new(), HashMap::new());
        for device in devices {
            by_id.entry(device.id.clone()).or_insert_with(|| device.clone());
            by_address.entry(device.mac_address.clone()).or_insert(device);
        }
        Self { by_address, by_id }
    }

    /// What becomes of a message; `None` when it goes no further.
    fn map(&self, message: &Message) -> Option<Message> {
        match message.property(SOURCE)? {
            CLOUD => {
                let device = self.by_id.get(message.property(DEVICE_NAME)?)?;
                let set = [(MAC_ADDRESS, device.mac_address.as_str()), (SOURCE, MAPPING)];
                changed(message, &set, &[DEVICE_NAME, DEVICE_KEY])
            }
            MAPPING => None,
            _ => {
                let address = message.property(MAC_ADDRESS)?.to_ascii_uppercase();
                if message.property(DEVICE_NAME).is_some() && message.property(DEVICE_KEY).is_some() {
                    return None;
                }
                let Device { id, key, .. } = self.by_address.get(&address)?;
                changed(message, &[(DEVICE_NAME, id), (DEVICE_KEY, key), (SOURCE, MAPPING)], &[MAC_ADDRESS])
            }
        }
    }
}

/// A message with some properties set, in their place or at the end, and others left out.
fn changed(message: &Message, set: &[(&str, &str)], without: &[&str]) -> Option<Message> {
    let new = |key: &str| set.iter().find(|(candidate, _)| *candidate == key);
    let kept = message.properties().filter(|(key, _)| !without.contains(key));
    let mut properties: Vec<_> = kept.map(|(key, value)| *new(key).unwrap_or(&(key, value))).collect();
    properties.extend(set.iter().filter(|(key, _)| message.property(key).is_none()));
    Message::new(&properties, message.content())
        .inspect_err(|error| warn!(%error, "a message cannot get its new properties; it is lost"))
        .ok()
}

impl Module for IdentityMap {
    fn run(self: Box<Self>, context: Context) -> Life {
        Box::pin(async move {
            let Context { name, publisher, mut inbox, .. } = context;
            let index = Index::new(self.devices);
            while let Some(delivery) = inbox.recv().await {
                match index.map(&delivery.message) {
                    Some(message) => publisher.publish(message).await,
                    None => debug!(module = name, "a message without a mapping goes no further"),
                }
            }
            Ok(())
        })
    }
}
