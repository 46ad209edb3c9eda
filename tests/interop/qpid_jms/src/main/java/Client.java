import jakarta.jms.BytesMessage;
import jakarta.jms.CompletionListener;
import jakarta.jms.Connection;
import jakarta.jms.Destination;
import jakarta.jms.JMSException;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Session;
import jakarta.jms.StreamMessage;
import jakarta.jms.TextMessage;
import java.io.FileInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.AppConfigurationEntry.LoginModuleControlFlag;
import javax.security.auth.login.Configuration;
import org.apache.qpid.jms.JmsConnection;
import org.apache.qpid.jms.JmsConnectionFactory;
import org.apache.qpid.jms.JmsConnectionListener;

/**
 * Qpid JMS for the interop matrix: Client BEHAVIOUR --url URL …
 *
 * <p>What each behaviour does is told in tests/interop/README.md. The exit status says whether all
 * was as it must; why not is on standard error.
 */
public final class Client {
  private static final long PATIENCE_MS = 110_000;
  private static final int INDIVIDUAL_ACKNOWLEDGE = 101; // of Qpid JMS
  private static final Map<String, Integer> ACK_TYPES =
      Map.of("accept", 1, "reject", 2, "release", 3, "modify", 5); // JMS_AMQP_ACK_TYPE

  private final Map<String, String> options = new HashMap<>();
  private final String address;

  private Client(String[] words) {
    for (int i = 1; i < words.length; ++i) {
      if (words[i].equals("--peer")) {
        options.put("peer", "yes");
      } else {
        options.put(words[i].substring(2), words[++i]);
      }
    }
    address = options.get("address");
  }

  private static final class Failure extends RuntimeException {
    Failure(String text) {
      super(text);
    }
  }

  private static void check(boolean holds, String what) {
    if (!holds) throw new Failure(what);
  }

  private static void same(Object got, Object wanted, String what) {
    check(Objects.equals(got, wanted), what + ": " + got + " for " + wanted);
  }

  /** The body of large messages: byte i is 7 i + i / 256. */
  private static byte[] pattern(int size) {
    byte[] body = new byte[size];
    for (int i = 0; i < size; ++i) body[i] = (byte) (7 * i + (i >> 8));
    return body;
  }

  // Connections.

  private SSLContext tls() throws Exception {
    CertificateFactory certificates = CertificateFactory.getInstance("X.509");
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    trusted.setCertificateEntry("ca", read(certificates, options.get("ca")));
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    KeyStore own = KeyStore.getInstance(KeyStore.getDefaultType());
    own.load(null, null);
    if (options.containsKey("cert")) {
      Certificate[] chain = {read(certificates, options.get("cert"))};
      own.setKeyEntry("own", key(options.get("key")), new char[0], chain);
    }
    KeyManagerFactory keys =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(own, new char[0]);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  private static Certificate read(CertificateFactory factory, String file) throws Exception {
    try (FileInputStream in = new FileInputStream(file)) {
      return factory.generateCertificate(in);
    }
  }

  private static PrivateKey key(String file) throws Exception {
    String pem = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----|\\s", "");
    return KeyFactory.getInstance("EC")
        .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
  }

  /** Kerberos as its variables say, which Java does not read: realm, keytab, who we are. */
  private static void useKeytab() {
    System.setProperty("java.security.krb5.conf", System.getenv("KRB5_CONFIG"));
    Map<String, String> module = Map.of(
        "useKeyTab", "true", "keyTab", System.getenv("KRB5_CLIENT_KTNAME"), "doNotPrompt", "true",
        "principal", "router");
    Configuration.setConfiguration(new Configuration() {
      @Override
      public AppConfigurationEntry[] getAppConfigurationEntry(String name) {
        return new AppConfigurationEntry[] {new AppConfigurationEntry(
            "com.sun.security.auth.module.Krb5LoginModule", LoginModuleControlFlag.REQUIRED, module)};
      }
    });
  }

  private JmsConnectionFactory factory(String parameters) throws Exception {
    String mechanism = options.get("mechanism");
    if ("GSSAPI".equals(mechanism)) useKeytab();
    String more = mechanism == null ? "" : "amqp.saslMechanisms=" + mechanism;
    String both = more.isEmpty() || parameters.isEmpty() ? more + parameters : more + "&" + parameters;
    String url = options.get("url") + (both.isEmpty() ? "" : "?" + both);
    if (parameters.startsWith("failover")) url = "failover:(" + options.get("url") + ")?" + parameters;
    JmsConnectionFactory factory = new JmsConnectionFactory(url);
    if (options.containsKey("ca")) factory.setSslContext(tls());
    if (options.containsKey("user")) {
      factory.setUsername(options.get("user"));
      factory.setPassword(Files.readString(Path.of(options.get("password-file"))));
    }
    return factory;
  }

  private Connection dial(String parameters) throws Exception {
    Connection connection = factory(parameters).createConnection();
    connection.start();
    return connection;
  }

  private Connection dial() throws Exception {
    return dial("");
  }

  private static Session session(Connection connection) throws JMSException {
    return connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
  }

  // Messages.

  /** The outcome of a message sent without waiting: null, or what the library throws. */
  private static CompletableFuture<Void> send(MessageProducer producer, Message message)
      throws JMSException {
    return send(producer, producer.getDestination(), message);
  }

  private static CompletableFuture<Void> send(
      MessageProducer producer, Destination to, Message message) throws JMSException {
    CompletableFuture<Void> outcome = new CompletableFuture<>();
    CompletionListener listener = new CompletionListener() {
      @Override
      public void onCompletion(Message sent) {
        outcome.complete(null);
      }

      @Override
      public void onException(Message sent, Exception error) {
        outcome.completeExceptionally(error);
      }
    };
    if (producer.getDestination() == null) {
      producer.send(to, message, listener);
    } else {
      producer.send(message, listener);
    }
    return outcome;
  }

  private static void accepted(CompletableFuture<Void> outcome) throws Exception {
    outcome.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
  }

  private static Message receive(MessageConsumer consumer) throws JMSException {
    Message message = consumer.receive(PATIENCE_MS);
    check(message != null, "no message");
    return message;
  }

  private static String text(MessageConsumer consumer) throws JMSException {
    return ((TextMessage) receive(consumer)).getText();
  }

  private static void exchange(Connection connection, String address, int count) throws Exception {
    Session in = session(connection);
    Session out = session(connection);
    MessageConsumer consumer = in.createConsumer(in.createQueue(address));
    MessageProducer producer = out.createProducer(out.createQueue(address));
    List<CompletableFuture<Void>> outcomes = new ArrayList<>();
    Thread sending = new Thread(() -> {
      try {
        for (int i = 0; i < count; ++i) {
          outcomes.add(send(producer, out.createTextMessage(Integer.toString(i))));
        }
      } catch (JMSException error) {
        outcomes.add(CompletableFuture.failedFuture(error));
      }
    });
    sending.start();
    for (int i = 0; i < count; ++i) same(text(consumer), Integer.toString(i), "body");
    sending.join();
    for (CompletableFuture<Void> outcome : outcomes) accepted(outcome);
    same(outcomes.size(), count, "outcomes");
  }

  // Behaviours.

  private void refused() throws Exception {
    try {
      dial();
    } catch (JMSException error) {
      System.out.println(trace(error));
      return;
    }
    throw new Failure("connected");
  }

  private void presettled() throws Exception {
    Connection connection = dial("jms.presettlePolicy.presettleAll=true");
    Session session = session(connection);
    MessageConsumer consumer = session.createConsumer(session.createQueue(address));
    MessageProducer producer = session.createProducer(session.createQueue(address));
    for (int i = 0; i < 100; ++i) producer.send(session.createTextMessage(Integer.toString(i)));
    for (int i = 0; i < 100; ++i) same(text(consumer), Integer.toString(i), "body");
  }

  private void outcome(String kind, String wanted) throws Exception {
    Connection connection = dial();
    Session out = session(connection);
    MessageProducer producer = out.createProducer(out.createQueue(address));
    MessageConsumer consumer = null;
    if (!options.containsKey("peer")) {
      Session in = connection.createSession(false, INDIVIDUAL_ACKNOWLEDGE);
      consumer = in.createConsumer(in.createQueue(address));
    }
    CompletableFuture<Void> outcome = send(producer, out.createTextMessage("one"));
    if (consumer != null) {
      Message message = receive(consumer);
      message.setIntProperty("JMS_AMQP_ACK_TYPE", ACK_TYPES.get(kind));
      message.acknowledge();
    }
    String said = "accepted";
    try {
      accepted(outcome);
    } catch (ExecutionException error) {
      said = trace(error.getCause());
    }
    for (String part : wanted.split("\\|")) check(said.contains(part), said);
  }

  private void requestReply() throws Exception {
    Session server = session(dial());
    Session client = session(dial());
    MessageConsumer requests = server.createConsumer(server.createQueue(address));
    MessageProducer answers = server.createProducer(null);
    Destination replyTo = client.createTemporaryQueue();
    MessageConsumer replies = client.createConsumer(replyTo);
    MessageProducer producer = client.createProducer(client.createQueue(address));
    for (int i = 0; i < 10; ++i) {
      TextMessage ask = client.createTextMessage("ask " + i);
      ask.setJMSReplyTo(replyTo);
      ask.setJMSCorrelationID("c" + i);
      CompletableFuture<Void> asked = send(producer, ask);
      TextMessage request = (TextMessage) receive(requests);
      accepted(asked);
      TextMessage answer = server.createTextMessage(request.getText().toUpperCase());
      answer.setJMSCorrelationID(request.getJMSCorrelationID());
      CompletableFuture<Void> answered = send(answers, request.getJMSReplyTo(), answer);
      TextMessage reply = (TextMessage) receive(replies);
      same(reply.getText(), "ASK " + i, "reply");
      same(reply.getJMSCorrelationID(), "c" + i, "correlation");
      accepted(answered);
    }
  }

  private void anonymous() throws Exception {
    Session session = session(dial());
    MessageProducer producer = session.createProducer(null);
    for (int i = 0; i < 2; ++i) {
      Destination to = session.createQueue(address + "/" + i);
      MessageConsumer consumer = session.createConsumer(to);
      CompletableFuture<Void> outcome = send(producer, to, session.createTextMessage("to " + i));
      same(text(consumer), "to " + i, "body");
      accepted(outcome);
    }
  }

  private void body() throws Exception {
    Session session = session(dial());
    MessageConsumer consumer = session.createConsumer(session.createQueue(address));
    MessageProducer producer = session.createProducer(session.createQueue(address));
    byte[] wanted = pattern(Integer.parseInt(options.get("size")));
    BytesMessage message = session.createBytesMessage();
    message.writeBytes(wanted);
    CompletableFuture<Void> outcome = send(producer, message);
    BytesMessage got = (BytesMessage) receive(consumer);
    same(got.getBodyLength(), (long) wanted.length, "length");
    byte[] bytes = new byte[wanted.length];
    got.readBytes(bytes);
    check(Arrays.equals(bytes, wanted), "bodies differ");
    accepted(outcome);
  }

  /** With a prefetch of 0 the library drains the link to know that there is no message. */
  private void drain() throws Exception {
    Session session = session(dial("jms.prefetchPolicy.all=0"));
    MessageConsumer consumer = session.createConsumer(session.createQueue(address));
    check(consumer.receiveNoWait() == null, "a message from nowhere");
    MessageProducer producer = session.createProducer(session.createQueue(address));
    for (int i = 0; i < 3; ++i) {
      CompletableFuture<Void> outcome = send(producer, session.createTextMessage("after"));
      same(text(consumer), "after", "body");
      accepted(outcome);
      check(consumer.receiveNoWait() == null, "a message from nowhere");
    }
  }

  private void links() throws Exception {
    Session session = session(dial());
    List<MessageConsumer> consumers = new ArrayList<>();
    List<MessageProducer> producers = new ArrayList<>();
    for (int i = 0; i < 150; ++i) {
      consumers.add(session.createConsumer(session.createQueue(address + "/" + i)));
      producers.add(session.createProducer(session.createQueue(address + "/" + i)));
    }
    for (int i = 0; i < 150; ++i) {
      CompletableFuture<Void> outcome =
          send(producers.get(i), session.createTextMessage("to " + i));
      same(text(consumers.get(i)), "to " + i, "body");
      accepted(outcome);
    }
  }

  private void multicast() throws Exception {
    Connection connection = dial();
    List<MessageConsumer> consumers = new ArrayList<>();
    for (int i = 0; i < 3; ++i) {
      Session in = session(connection);
      consumers.add(in.createConsumer(in.createTopic(address)));
    }
    Session out = session(connection);
    MessageProducer producer = out.createProducer(out.createTopic(address));
    for (int i = 0; i < 10; ++i) {
      CompletableFuture<Void> outcome = send(producer, out.createTextMessage(Integer.toString(i)));
      for (MessageConsumer consumer : consumers) same(text(consumer), Integer.toString(i), "copy");
      accepted(outcome);
    }
  }

  private void balanced() throws Exception {
    Connection connection = dial();
    TreeSet<Integer> bodies = new TreeSet<>();
    int[] shares = new int[2];
    CompletableFuture<Void> all = new CompletableFuture<>();
    for (int which = 0; which < 2; ++which) {
      final int own = which;
      Session in = session(connection);
      in.createConsumer(in.createQueue(address)).setMessageListener(message -> {
        synchronized (bodies) {
          try {
            if (!bodies.add(Integer.parseInt(((TextMessage) message).getText()))) {
              all.completeExceptionally(new Failure("twice"));
            }
          } catch (JMSException error) {
            all.completeExceptionally(error);
          }
          ++shares[own];
          if (bodies.size() == 100) all.complete(null);
        }
      });
    }
    Session out = session(connection);
    MessageProducer producer = out.createProducer(out.createQueue(address));
    for (int i = 0; i < 100; ++i) send(producer, out.createTextMessage(Integer.toString(i)));
    accepted(all);
    check(shares[0] > 0 && shares[1] > 0, "one got nothing");
  }

  /** What JMS has: text (a value), bytes (data), map, stream (a list), object (data). */
  private void kinds() throws Exception {
    Session session = session(dial());
    MessageConsumer consumer = session.createConsumer(session.createQueue(address));
    MessageProducer producer = session.createProducer(session.createQueue(address));
    producer.setPriority(7);
    producer.setTimeToLive(60_000);
    MapMessage map = session.createMapMessage();
    map.setString("text", "ü");
    map.setLong("long", 1L << 40);
    map.setBytes("bytes", new byte[] {0, 1, -1});
    StreamMessage stream = session.createStreamMessage();
    stream.writeInt(1);
    stream.writeString("two");
    stream.writeObject(null);
    BytesMessage bytes = session.createBytesMessage();
    bytes.writeBytes(new byte[] {0, 1, -1});
    List<Message> messages = List.of(session.createTextMessage("ü"), map, stream, bytes,
        session.createObjectMessage(new ArrayList<>(List.of("a", "b"))), session.createMessage());
    for (Message sent : messages) {
      sent.setJMSCorrelationID("42");
      sent.setJMSType("all");
      sent.setStringProperty("JMSXGroupID", "g");
      sent.setIntProperty("JMSXGroupSeq", 3);
      sent.setStringProperty("text", "ü");
      sent.setIntProperty("number", 7);
      sent.setBooleanProperty("yes", true);
      sent.setDoubleProperty("real", 0.5);
      CompletableFuture<Void> outcome = send(producer, sent);
      Message got = receive(consumer);
      accepted(outcome);
      same(content(got), content(sent), "body");
      same(got.getJMSPriority(), 7, "priority");
      same(got.getJMSExpiration(), sent.getJMSExpiration(), "expiration");
      same(got.getJMSMessageID(), sent.getJMSMessageID(), "id");
      same(got.getJMSCorrelationID(), "42", "correlation");
      same(got.getJMSType(), "all", "type");
      for (String name : List.of("text", "number", "yes", "real", "JMSXGroupID", "JMSXGroupSeq")) {
        same(got.getObjectProperty(name), sent.getObjectProperty(name), name);
      }
    }
  }

  private static String content(Message message) throws JMSException {
    if (message instanceof TextMessage text) return text.getText();
    if (message instanceof ObjectMessage object) return object.getObject().toString();
    if (message instanceof MapMessage map) {
      return map.getString("text") + map.getLong("long") + Arrays.toString(map.getBytes("bytes"));
    }
    if (message instanceof StreamMessage stream) {
      stream.reset();
      return stream.readInt() + stream.readString() + stream.readObject();
    }
    if (message instanceof BytesMessage bytes) {
      bytes.reset();
      byte[] all = new byte[(int) bytes.getBodyLength()];
      bytes.readBytes(all);
      return Arrays.toString(all);
    }
    return "";
  }

  private void heartbeats() throws Exception {
    Connection connection = dial();
    System.out.println("ready");
    System.in.read();
    exchange(connection, address, 1);
  }

  private void closed() throws Exception {
    Connection connection = factory("").createConnection();
    CompletableFuture<String> reason = new CompletableFuture<>();
    connection.setExceptionListener(error -> reason.complete(trace(error)));
    connection.start();
    Session session = session(connection);
    session.createConsumer(session.createQueue(address));
    System.out.println("ready");
    System.out.println(reason.get(PATIENCE_MS, TimeUnit.MILLISECONDS));
  }

  private void reconnect() throws Exception {
    Connection connection = dial("failover.initialReconnectDelay=50&failover.reconnectDelay=50"
        + "&failover.maxReconnectDelay=200&failover.useReconnectBackOff=false");
    CompletableFuture<Void> again = new CompletableFuture<>();
    ((JmsConnection) connection).addConnectionListener(
        (JmsConnectionListener) Proxy.newProxyInstance(Client.class.getClassLoader(),
            new Class<?>[] {JmsConnectionListener.class}, (self, method, arguments) -> {
              if (method.getName().equals("onConnectionRestored")) again.complete(null);
              return null;
            }));
    Session session = session(connection);
    MessageConsumer consumer = session.createConsumer(session.createQueue(address));
    MessageProducer producer = session.createProducer(session.createQueue(address));
    System.out.println("ready");
    accepted(again);
    CompletableFuture<Void> outcome = send(producer, session.createTextMessage("again"));
    same(text(consumer), "again", "body");
    accepted(outcome);
  }

  private void unavailable() throws Exception {
    Session session = session(dial());
    try {
      session.createProducer(session.createQueue(address));
      throw new Failure("sender attached");
    } catch (JMSException error) {
      System.out.println("sender " + trace(error));
    }
    try {
      session.createConsumer(session.createQueue(address));
      throw new Failure("receiver attached");
    } catch (JMSException error) {
      System.out.println("receiver " + trace(error));
    }
  }

  private void tooLarge() throws Exception {
    Connection connection = dial();
    Session session = session(connection);
    session.createConsumer(session.createQueue(address));
    MessageProducer producer = session.createProducer(session.createQueue(address));
    BytesMessage message = session.createBytesMessage();
    message.writeBytes(pattern(Integer.parseInt(options.get("size"))));
    try {
      producer.send(message);
      throw new Failure("sent");
    } catch (JMSException error) {
      System.out.println(trace(error));
    }
  }

  /** What a failure says, with its causes, on one line. */
  private static String trace(Throwable error) {
    StringWriter all = new StringWriter();
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      new PrintWriter(all, true).print(cause + "; ");
    }
    return all.toString();
  }

  private void run(String behaviour) throws Exception {
    switch (behaviour) {
      case "login" -> exchange(dial(), address, 1);
      case "unsettled" -> exchange(dial(), address, 10_000);
      case "refused" -> refused();
      case "presettled" -> presettled();
      case "accept" -> outcome("accept", "accepted");
      case "reject" -> outcome("reject", "interop:refused|not today");
      case "release" -> outcome("release", "Released");
      case "modify" -> outcome("modify", "Modified");
      case "request_reply" -> requestReply();
      case "anonymous" -> anonymous();
      case "body" -> body();
      case "drain" -> drain();
      case "links" -> links();
      case "multicast" -> multicast();
      case "balanced" -> balanced();
      case "kinds" -> kinds();
      case "heartbeats" -> heartbeats();
      case "closed" -> closed();
      case "reconnect" -> reconnect();
      case "unavailable" -> unavailable();
      case "too_large" -> tooLarge();
      default -> throw new Failure("no behaviour " + behaviour);
    }
  }

  public static void main(String[] words) {
    System.setProperty("org.apache.qpid.jms.deserialization.white_list", "*");
    try {
      new Client(words).run(words[0]);
      System.exit(0);
    } catch (Throwable error) {
      System.err.println(trace(error));
      System.exit(1);
    }
  }
}
