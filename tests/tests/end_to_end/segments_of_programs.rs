//! Programs with sandgate-remote share segments: one creates and tells the token, the other reads.

use std::sync::mpsc;
use std::time::Duration;

use sandgate_remote::{
    Broker, GatewayModule, Instance, Message, ModuleClass, ModuleConfiguration, ModuleError, ProxyGateway,
    Segment, SegmentError, Token,
};
use sandgate_tests::config::{Configuration, attached};
use sandgate_tests::programs::running_gateway;
use sandgate_tests::scratch::Scratch;
use sandgate_tests::wait::PATIENCE;
use serde_json::{Value, json};

const CONTENT: &[u8] = b"not in any message";

/// Creates a segment, and keeps it until it is destroyed.
struct Writer {
    broker: Broker,
    held: Option<Segment>,
}

impl GatewayModule for Writer {
    fn create(_: &str, broker: Broker) -> Result<Self, ModuleError> {
        // Before Start there is nobody to ask.
        assert_eq!(broker.create_segment("frames", 1).unwrap_err(), SegmentError::Unavailable);
        Ok(Self { broker, held: None })
    }

    fn start(&mut self) -> Result<(), ModuleError> {
        assert_eq!(self.broker.create_segment("others", 1).unwrap_err(), SegmentError::NotGranted);
        let segment = self.broker.create_segment("frames", 4096)?;
        segment.memory().write(100, CONTENT)?;
        let token = segment.token().to_string();
        self.held = Some(segment);
        self.broker.publish_message(&Message::new(&[("segment", token)], "")?)?;
        Ok(())
    }

    fn receive(&mut self, _: Message) -> Result<(), ModuleError> {
        Ok(())
    }
}

/// Tells the test what it reads, or why it does not.
struct Reader {
    broker: Broker,
    tell: mpsc::Sender<Result<Vec<u8>, SegmentError>>,
}

impl Reader {
    fn read(&self, message: &Message) -> Result<Vec<u8>, SegmentError> {
        let token: Token = message.property("segment").unwrap().parse().unwrap();
        let segment = self.broker.open_segment(token)?;
        let mut bytes = vec![0; CONTENT.len()];
        segment.memory().read(100, &mut bytes)?;
        assert_eq!(segment.memory().read(4096, &mut bytes), Err(SegmentError::OutOfRange(4096)));
        Ok(bytes)
    }
}

impl Instance for Reader {
    fn start(&mut self) -> Result<(), ModuleError> {
        Ok(())
    }

    fn receive(&mut self, message: Message) -> Result<(), ModuleError> {
        Ok(self.tell.send(self.read(&message))?)
    }

    fn destroy(&mut self) {}
}

/// What a reader with these grants reads, by messages that go this way.
fn read_by(grants: &[&str], channel: Value) -> Result<Vec<u8>, SegmentError> {
    let scratch = Scratch::new();
    let (tell, told) = mpsc::channel();
    let reader = ModuleClass::from_fn(move |_, broker| Ok(Box::new(Reader { broker, tell: tell.clone() })));
    let attach = |name: &str, module| {
        let gateway = ProxyGateway::new(ModuleConfiguration { identifier: scratch.id(name), module });
        gateway.attach().unwrap();
        gateway
    };
    let _programs = [attach("reader", reader), attach("writer", ModuleClass::of::<Writer>())];
    let entrypoint = |name: &str| {
        let mut entrypoint = attached(&scratch.id(name));
        entrypoint["channel"] = channel.clone();
        entrypoint
    };
    let configuration = Configuration::new()
        .remote("writer", entrypoint("writer"), Value::Null)
        .grant(&["frames"])
        .remote("reader", entrypoint("reader"), Value::Null)
        .grant(grants)
        .link("writer", "reader");
    let _gateway = running_gateway(&scratch, &configuration.json());
    told.recv_timeout(PATIENCE + Duration::from_secs(5)).unwrap()
}

#[test]
fn programs_share_segments_by_grant_whichever_way_their_messages_go() {
    for channel in [json!("auto"), json!("pair")] {
        assert_eq!(read_by(&["frames"], channel.clone()), Ok(CONTENT.to_vec()), "{channel}");
        assert_eq!(read_by(&["others"], channel.clone()), Err(SegmentError::Foreign), "{channel}");
    }
}
