//! fe2o3-amqp for the interop matrix: client BEHAVIOUR --url URL …
//!
//! What each behaviour does is told in tests/interop/README.md. The exit status says whether all was
//! as it must; why not is on standard error.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::{SaslProfile, SaslScramSha1, SaslScramSha256};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::{self, ErrorCondition, SenderSettleMode};
use fe2o3_amqp::types::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Batch, Body, Data, Footer, Header, Message,
    MessageAnnotations, Modified, Outcome, Priority, Properties, Source, Target,
};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Symbol, Value};
use fe2o3_amqp::{Connection, Delivery, Receiver, Sendable, Sender, Session};
use native_tls::{Certificate, Identity};
use tokio::io::AsyncReadExt;
use tokio_native_tls::TlsConnector;

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Done = Result<(), Problem>;
type AnyBody = Body<Value>;

/// The words of the command line: `--name value`.
struct Options(HashMap<String, String>);

impl Options {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
    fn address(&self) -> &str {
        self.get("address")
    }
    fn size(&self) -> usize {
        self.get("size").parse().unwrap_or(0)
    }
}

/// One connection and a session on it. The connection ends when this is dropped.
struct Client {
    connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
}

fn same<T: PartialEq + Debug>(got: T, wanted: T, what: &str) -> Done {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{what}: {got:.200?} for {wanted:.200?}").into())
}

/// The body of large messages: byte i is 7 i + i / 256.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (7 * i + (i >> 8)) as u8).collect()
}

fn tls(options: &Options) -> Result<TlsConnector, Problem> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.add_root_certificate(Certificate::from_pem(&std::fs::read(options.get("ca"))?)?);
    builder.disable_built_in_roots(true);
    if !options.get("cert").is_empty() {
        let chain = std::fs::read(options.get("cert"))?;
        let key = std::fs::read(options.get("key"))?;
        builder.identity(Identity::from_pkcs8(&chain, &key)?);
    }
    Ok(TlsConnector::from(builder.build()?))
}

fn profile(options: &Options) -> Result<SaslProfile, Problem> {
    let user = options.get("user").to_string();
    let password = match options.get("password-file") {
        "" => String::new(),
        file => std::fs::read_to_string(file)?,
    };
    Ok(match options.get("mechanism") {
        "PLAIN" => SaslProfile::Plain { username: user, password },
        "EXTERNAL" => SaslProfile::External,
        "SCRAM-SHA-1" => SaslScramSha1::new(user, password).into(),
        "SCRAM-SHA-256" => SaslScramSha256::new(user, password).into(),
        _ => SaslProfile::Anonymous,
    })
}

async fn open(options: &Options) -> Result<ConnectionHandle<()>, OpenError> {
    let failed = |problem: Problem| OpenError::Io(std::io::Error::other(problem));
    let builder = Connection::builder()
        .container_id("fe2o3")
        .sasl_profile(profile(options).map_err(failed)?);
    if options.get("ca").is_empty() {
        builder.open(options.get("url")).await
    } else {
        builder
            .tls_connector(tls(options).map_err(failed)?)
            .alt_tls_establishment(true)
            .open(options.get("url"))
            .await
    }
}

async fn dial(options: &Options) -> Result<Client, Problem> {
    let mut connection = open(options).await?;
    let session = Session::begin(&mut connection).await?;
    Ok(Client { connection, session })
}

impl Client {
    async fn sender(&mut self, address: &str) -> Result<Sender, Problem> {
        Ok(Sender::attach(&mut self.session, format!("to {address}"), address).await?)
    }

    async fn receiver(&mut self, name: &str, address: &str) -> Result<Receiver, Problem> {
        self.crediting(name, address, CreditMode::Auto(100)).await
    }

    async fn crediting(
        &mut self, name: &str, address: &str, mode: CreditMode,
    ) -> Result<Receiver, Problem> {
        Ok(Receiver::builder()
            .name(format!("{name} from {address}"))
            .source(address)
            .credit_mode(mode)
            .attach(&mut self.session)
            .await?)
    }

    async fn anonymous_sender(&mut self) -> Result<Sender, Problem> {
        let target = Target::builder().build();
        Ok(Sender::builder().name("relay").target(target).attach(&mut self.session).await?)
    }
}

/// The next message, accepted; its body must be a string.
async fn receive(receiver: &mut Receiver) -> Result<Message<AnyBody>, Problem> {
    let delivery: Delivery<AnyBody> = receiver.recv().await?;
    receiver.accept(&delivery).await?;
    Ok(delivery.into_message())
}

fn text(message: &Message<AnyBody>) -> Result<String, Problem> {
    match &message.body {
        Body::Value(AmqpValue(Value::String(text))) => Ok(text.clone()),
        other => Err(format!("body {other:.200?}").into()),
    }
}

fn accepted(outcome: Outcome) -> Done {
    match outcome {
        Outcome::Accepted(_) => Ok(()),
        other => Err(format!("outcome {other:?}").into()),
    }
}

/// Messages from the connection to itself: accepted, each once, in order.
async fn exchange(client: &mut Client, address: &str, count: usize) -> Done {
    let mut receiver = client.receiver("in", address).await?;
    let mut sender = client.sender(address).await?;
    let sending = tokio::spawn(async move {
        let mut outcomes = Vec::new();
        for i in 0..count {
            outcomes.push(sender.send_batchable(i.to_string()).await?);
        }
        for outcome in outcomes {
            accepted(outcome.await?)?;
        }
        Ok::<(), Problem>(())
    });
    for i in 0..count {
        same(text(&receive(&mut receiver).await?)?, i.to_string(), "body")?;
    }
    sending.await?
}

/// Sends one message that the receiver answers as `kind` says; what the sender is told.
async fn outcome(options: &Options, kind: &str) -> Result<Outcome, Problem> {
    let mut client = dial(options).await?;
    let receiver = &mut client.receiver("in", options.address()).await?;
    let mut sender = client.sender(options.address()).await?;
    let told = sender.send_batchable("one").await?;
    let delivery: Delivery<AnyBody> = receiver.recv().await?;
    let info = DeliveryInfo::from(&delivery);
    match kind {
        "accept" => receiver.accept(info).await?,
        "release" => receiver.release(info).await?,
        "reject" => receiver.reject(info, refusal()).await?,
        _ => receiver.modify(info, modification()).await?,
    }
    Ok(told.await?)
}

fn refusal() -> definitions::Error {
    let condition = ErrorCondition::Custom(Symbol::from("interop:refused"));
    definitions::Error::new(condition, Some("not today".to_string()), None)
}

fn modification() -> Modified {
    let mut annotations = OrderedMap::new();
    annotations.insert(Symbol::from("x-opt-why"), Value::from("later".to_string()));
    Modified {
        delivery_failed: Some(true),
        undeliverable_here: Some(true),
        message_annotations: Some(annotations),
    }
}

async fn outcomes(options: &Options, kind: &str) -> Done {
    match (kind, outcome(options, kind).await?) {
        ("accept", Outcome::Accepted(_)) | ("release", Outcome::Released(_)) => Ok(()),
        ("reject", Outcome::Rejected(told)) => same(told.error, Some(refusal()), "error"),
        ("modify", Outcome::Modified(told)) => same(told, modification(), "modified"),
        (_, other) => Err(format!("outcome {other:?}").into()),
    }
}

async fn refused(options: &Options) -> Done {
    match open(options).await {
        Ok(_) => Err("connected".into()),
        Err(error) => {
            println!("{error} {error:?}");
            Ok(())
        }
    }
}

async fn presettled(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut receiver = client.receiver("in", options.address()).await?;
    let mut sender = Sender::builder()
        .name("settled")
        .target(options.address())
        .sender_settle_mode(SenderSettleMode::Settled)
        .attach(&mut client.session)
        .await?;
    for i in 0..100 {
        let message = Sendable::builder().message(i.to_string()).settled(true).build();
        accepted(sender.send(message).await?)?;
    }
    for i in 0..100 {
        let delivery: Delivery<AnyBody> = receiver.recv().await?;
        same(text(delivery.message())?, i.to_string(), "body")?;
    }
    Ok(())
}

async fn request_reply(options: &Options) -> Done {
    let (mut server, mut client) = (dial(options).await?, dial(options).await?);
    let mut requests = server.receiver("requests", options.address()).await?;
    let mut answers = server.anonymous_sender().await?;
    let mut replies = Receiver::builder()
        .name("replies")
        .source(Source::builder().dynamic(true).build())
        .attach(&mut client.session)
        .await?;
    let reply_to = replies.source().clone().and_then(|source| source.address);
    let reply_to = reply_to.ok_or("no dynamic address")?;
    let mut sender = client.sender(options.address()).await?;
    for i in 0..10u64 {
        let properties =
            Properties::builder().reply_to(reply_to.clone()).correlation_id(i).build();
        let ask = Message::builder().properties(properties).value(format!("ask {i}")).build();
        let told = sender.send_batchable(ask).await?;
        let request = receive(&mut requests).await?;
        accepted(told.await?)?;
        let asked = request.properties.clone().ok_or("no properties")?;
        let properties = Properties {
            to: asked.reply_to,
            correlation_id: asked.correlation_id.clone(),
            ..Properties::default()
        };
        let body = text(&request)?.to_uppercase();
        let answer = Message::builder().properties(properties).value(body).build();
        let told = answers.send_batchable(answer).await?;
        let reply = receive(&mut replies).await?;
        accepted(told.await?)?;
        same(text(&reply)?, format!("ASK {i}"), "reply")?;
        let got = reply.properties.and_then(|properties| properties.correlation_id);
        same(got, asked.correlation_id, "correlation")?;
    }
    Ok(())
}

async fn anonymous(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut sender = client.anonymous_sender().await?;
    for i in 0..2 {
        let address = format!("{}/{i}", options.address());
        let mut receiver = client.receiver("in", &address).await?;
        let properties = Properties::builder().to(address.clone()).build();
        let message = Message::builder().properties(properties).value(address.clone()).build();
        let told = sender.send_batchable(message).await?;
        same(text(&receive(&mut receiver).await?)?, address, "body")?;
        accepted(told.await?)?;
    }
    Ok(())
}

async fn body(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut receiver = client.receiver("in", options.address()).await?;
    let mut sender = client.sender(options.address()).await?;
    let wanted = pattern(options.size());
    let message = Message::builder().data(Binary::from(wanted.clone())).build();
    let sending = tokio::spawn(async move { sender.send(message).await });
    let got = receive(&mut receiver).await?;
    match got.body {
        Body::Data(sections) => {
            let bytes: Vec<u8> = sections.into_iter().flat_map(|Data(bytes)| bytes.into_vec()).collect();
            if bytes != wanted {
                return Err("bodies differ".into());
            }
        }
        _ => return Err("not data".into()),
    }
    accepted(sending.await??)
}

async fn links(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut pairs = Vec::new();
    for i in 0..150 {
        let address = format!("{}/{i}", options.address());
        pairs.push((client.receiver("in", &address).await?, client.sender(&address).await?, address));
    }
    for (receiver, sender, address) in &mut pairs {
        let told = sender.send_batchable(address.clone()).await?;
        same(&text(&receive(receiver).await?)?, address, "body")?;
        accepted(told.await?)?;
    }
    Ok(())
}

async fn multicast(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut receivers = Vec::new();
    for i in 0..3 {
        receivers.push(client.receiver(&i.to_string(), options.address()).await?);
    }
    let mut sender = client.sender(options.address()).await?;
    for i in 0..10 {
        let told = sender.send_batchable(i.to_string()).await?;
        for receiver in &mut receivers {
            same(text(&receive(receiver).await?)?, i.to_string(), "copy")?;
        }
        accepted(told.await?)?;
    }
    Ok(())
}

async fn balanced(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let (found, mut got) = tokio::sync::mpsc::unbounded_channel();
    for which in 0..2 {
        let mut receiver = client.receiver(&which.to_string(), options.address()).await?;
        let found = found.clone();
        tokio::spawn(async move {
            while let Ok(message) = receive(&mut receiver).await {
                let body = text(&message).unwrap_or_default();
                if found.send((which, body)).is_err() {
                    return;
                }
            }
        });
    }
    let mut sender = client.sender(options.address()).await?;
    let mut told = Vec::new();
    for i in 0..100 {
        told.push(sender.send_batchable(i.to_string()).await?);
    }
    let (mut bodies, mut shares) = (Vec::new(), [0, 0]);
    while bodies.len() < 100 {
        let (which, body) = got.recv().await.ok_or("receivers ended")?;
        bodies.push(body.parse::<usize>()?);
        shares[which] += 1;
    }
    for outcome in told {
        accepted(outcome.await?)?;
    }
    bodies.sort();
    same(bodies, (0..100).collect(), "bodies")?;
    same(shares.iter().all(|share| *share > 0), true, "both got some")
}

/// A message with every section and this body.
fn whole(body: AnyBody) -> Message<AnyBody> {
    let mut annotations = OrderedMap::new();
    annotations.insert(Symbol::from("x-opt-a").into(), Value::from("b".to_string()));
    let mut application = OrderedMap::new();
    application.insert("text".to_string(), SimpleValue::from("ü".to_string()));
    application.insert("number".to_string(), SimpleValue::from(7i32));
    application.insert("yes".to_string(), SimpleValue::from(true));
    application.insert("real".to_string(), SimpleValue::from(0.5f64));
    application.insert("none".to_string(), SimpleValue::Null);
    let mut footer = OrderedMap::new();
    footer.insert(Symbol::from("x-opt-sum").into(), Value::from("f".to_string()));
    let properties = Properties::builder()
        .message_id("an id".to_string())
        .user_id(Binary::from("me"))
        .subject("all")
        .reply_to("back")
        .correlation_id(42u64)
        .content_type("x/y")
        .group_id("g".to_string())
        .group_sequence(3u32)
        .build();
    Message {
        header: Some(Header {
            durable: true,
            priority: Priority(7),
            ttl: Some(60_000),
            ..Header::default()
        }),
        delivery_annotations: None,
        message_annotations: Some(MessageAnnotations(annotations)),
        properties: Some(properties),
        application_properties: Some(ApplicationProperties(application)),
        body,
        footer: Some(Footer(footer)),
    }
}

async fn kinds(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let mut receiver = client.receiver("in", options.address()).await?;
    let mut sender = client.sender(options.address()).await?;
    let list = vec![Value::from(1i64), Value::from("two".to_string()), Value::Null];
    let mut map = OrderedMap::new();
    map.insert(Value::from("a".to_string()), Value::List(list.clone()));
    let bodies = [
        Body::Data(Batch::new(vec![
            Data(Binary::from(vec![0u8, 1, 255])),
            Data(Binary::from(vec![2u8])),
        ])),
        Body::Value(AmqpValue(Value::Map(map))),
        Body::Value(AmqpValue(Value::Null)),
        Body::Sequence(Batch::new(vec![AmqpSequence(list.clone()), AmqpSequence(list)])),
    ];
    for body in bodies {
        let wanted = whole(body);
        let told = sender.send_batchable(wanted.clone()).await?;
        same(receive(&mut receiver).await?, wanted, "message")?;
        accepted(told.await?)?;
    }
    Ok(())
}

async fn heartbeats(options: &Options) -> Done {
    let mut client = dial(options).await?;
    println!("ready");
    tokio::io::stdin().read_u8().await?;
    exchange(&mut client, options.address(), 1).await
}

async fn closed(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let _receiver = client.receiver("in", options.address()).await?;
    println!("ready");
    println!("{:?}", client.connection.on_close().await);
    Ok(())
}

async fn unavailable(options: &Options) -> Done {
    let mut client = dial(options).await?;
    match client.sender(options.address()).await {
        Err(error) => println!("sender {error} {error:?}"),
        Ok(mut sender) => println!("sender {:?}", sender.on_detach().await),
    }
    // This client may send its own detach before it takes the router's, which came with the attach.
    // Then it forgets what that one said, and detaches twice, which ends the session: it is to try
    // on another connection.
    let receiver = loop {
        client = dial(options).await?;
        match client.receiver("in", options.address()).await {
            Err(error) if error.to_string() == "Illegal link state" => continue,
            answer => break answer,
        }
    };
    match receiver {
        Err(error) => println!("receiver {error} {error:?}"),
        Ok(mut receiver) => println!("receiver {:?}", receiver.recv::<AnyBody>().await.err()),
    }
    Ok(())
}

async fn too_large(options: &Options) -> Done {
    let mut client = dial(options).await?;
    let _receiver = client.receiver("in", options.address()).await?;
    let mut sender = client.sender(options.address()).await?;
    let message = Message::builder().data(Binary::from(pattern(options.size()))).build();
    println!("{:?}", sender.send(message).await);
    Ok(())
}

async fn login(options: &Options, count: usize) -> Done {
    exchange(&mut dial(options).await?, options.address(), count).await
}

async fn run(behaviour: &str, options: &Options) -> Done {
    match behaviour {
        "login" => login(options, 1).await,
        "unsettled" => login(options, 10_000).await,
        "accept" | "reject" | "release" | "modify" => outcomes(options, behaviour).await,
        "refused" => refused(options).await,
        "presettled" => presettled(options).await,
        "request_reply" => request_reply(options).await,
        "anonymous" => anonymous(options).await,
        "body" => body(options).await,
        "links" => links(options).await,
        "multicast" => multicast(options).await,
        "balanced" => balanced(options).await,
        "kinds" => kinds(options).await,
        "heartbeats" => heartbeats(options).await,
        "closed" => closed(options).await,
        "unavailable" => unavailable(options).await,
        "too_large" => too_large(options).await,
        other => Err(format!("no behaviour {other}").into()),
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let pairs = words[1..].chunks_exact(2);
    let options = Options(
        pairs.map(|pair| (pair[0].trim_start_matches("--").to_string(), pair[1].clone())).collect(),
    );
    let limit = Duration::from_secs(110);
    let problem = match tokio::time::timeout(limit, run(&words[0], &options)).await {
        Ok(Ok(())) => std::process::exit(0),
        Ok(Err(problem)) => problem.to_string(),
        Err(_) => "waited in vain".to_string(),
    };
    eprintln!("{problem}");
    std::process::exit(1);
}
