// rhea for the interop matrix: client.js BEHAVIOUR --url URL …
//
// What each behaviour does is told in tests/interop/README.md. The exit status says whether all was
// as it must; why not is on standard error.
'use strict';

const fs = require('fs');
const rhea = require('rhea');

const CREDIT = 100;

function parse(words) {
  const options = { behaviour: words[0], size: 0 };
  for (let i = 1; i < words.length; i += 2) {
    options[words[i].replace(/^--/, '').replace(/-/g, '_')] = words[i + 1];
  }
  return options;
}

const options = parse(process.argv.slice(2));
const address = options.address;

function check(holds, what) {
  if (!holds) throw new Error(what);
}

function same(got, wanted, what) {
  const [g, w] = [JSON.stringify(got), JSON.stringify(wanted)];
  check(g === w, `${what}: ${String(g).slice(0, 200)} for ${String(w).slice(0, 200)}`);
}

// The body of large messages: byte i is 7 i + i / 256.
function pattern(size) {
  const body = Buffer.alloc(size);
  for (let i = 0; i < size; ++i) body[i] = (7 * i + (i >> 8)) & 255;
  return body;
}

// Whoever waits is asked again after every event of any connection.
const waiting = new Set();
function wake() {
  for (const look of [...waiting]) look();
}
function until(condition, what) {
  return new Promise((resolve, reject) => {
    const look = () => {
      let holds;
      try {
        holds = condition();
      } catch (error) {
        waiting.delete(look);
        reject(error);
        return;
      }
      if (!holds) return;
      waiting.delete(look);
      clearTimeout(timer);
      resolve(holds);
    };
    const timer = setTimeout(() => reject(new Error(`waited in vain for: ${what}`)), 110000);
    waiting.add(look);
    look();
  });
}

function describe(error) {
  return error ? `${error.condition || error.name || ''} ${error.description || error.message || error}`
    : 'no error';
}

// One connection, with what became of it.
class Client {
  constructor(more) {
    this.container = rhea.create_container();
    this.closed = null;
    this.opens = 0;
    const url = new URL(options.url);
    const settings = { host: url.hostname, port: Number(url.port), reconnect: false, ...more };
    if (options.ca) {
      settings.transport = 'tls';
      settings.ca = fs.readFileSync(options.ca);
      settings.servername = url.hostname;
      if (options.cert) {
        settings.cert = fs.readFileSync(options.cert);
        settings.key = fs.readFileSync(options.key);
      }
    }
    if (options.mechanism === 'EXTERNAL') settings.enable_sasl_external = true;
    if (options.user) {
      settings.username = options.user;
      settings.password = fs.readFileSync(options.password_file, 'utf8');
    } else if (options.mechanism === 'ANONYMOUS') {
      settings.username = 'anonymous';
    }
    this.listen();
    this.connection = this.container.connect(settings);
  }

  listen() {
    this.container.on('connection_open', () => { ++this.opens; wake(); });
    const ends = {
      connection_error: (context) => context.connection.error || context.connection.transport_error,
      connection_close: (context) => context.connection.error,
      disconnected: (context) => context.error || context.connection.transport_error,
      error: (error) => error,
    };
    for (const [event, reason] of Object.entries(ends)) {
      this.container.on(event, (context) => {
        const said = describe(reason(context));
        this.closed = this.closed === null || this.closed === 'no error ' ? said : `${this.closed}; ${said}`;
        wake();
      });
    }
  }

  opened() {
    return until(() => {
      check(this.closed === null || this.opens > 0, this.closed);
      return this.opens > 0;
    }, 'the open');
  }

  // A receiver that keeps what comes; `settle` answers each delivery, `false` leaves it.
  async receiver(where, more = {}) {
    const settle = more.settle === undefined ? (delivery) => delivery.accept() : more.settle;
    const link = this.connection.open_receiver({
      source: where === null ? { dynamic: true } : where,
      credit_window: more.credit_window === undefined ? CREDIT : more.credit_window,
      autoaccept: false, autosettle: true,
    });
    const kept = { link, messages: [], deliveries: [], settled: 0, drained: false, error: null };
    link.on('message', (context) => {
      kept.messages.push(context.message);
      kept.deliveries.push(context.delivery);
      if (context.delivery.remote_settled) ++kept.settled;
      else if (settle) settle(context.delivery);
      wake();
    });
    link.on('receiver_drained', () => { kept.drained = true; wake(); });
    this.watch(link, kept, 'receiver');
    if (!more.lazy) await until(() => kept.opened || kept.error, 'the attach of a receiver');
    return kept;
  }

  async sender(where, more = {}) {
    const link = this.connection.open_sender({ target: where === null ? {} : where, treat_modified_as_released: false, ...more.options });
    const kept = { link, outcomes: [], error: null };
    for (const outcome of ['accepted', 'rejected', 'released', 'modified']) {
      link.on(outcome, (context) => {
        kept.outcomes.push({ outcome, state: context.delivery.remote_state });
        wake();
      });
    }
    link.on('sendable', wake);
    this.watch(link, kept, 'sender');
    if (!more.lazy) await until(() => kept.opened || kept.error, 'the attach of a sender');
    return kept;
  }

  watch(link, kept, kind) {
    link.on(`${kind}_open`, () => { kept.opened = true; wake(); });
    link.on(`${kind}_error`, (context) => { kept.error = context[kind].error; wake(); });
    link.on(`${kind}_close`, (context) => {
      kept.error = kept.error || context[kind].error || new Error('closed');
      wake();
    });
  }
}

async function dial(more) {
  const client = new Client(more);
  await client.opened();
  return client;
}

async function sendAll(sender, messages) {
  for (const message of messages) {
    await until(() => sender.link.sendable(), 'credit');
    sender.link.send(message);
  }
}

async function exchange(client, where, bodies) {
  const receiver = await client.receiver(where);
  const sender = await client.sender(where);
  await sendAll(sender, bodies.map((body) => ({ body })));
  await until(() => sender.outcomes.length === bodies.length, 'the outcomes');
  check(sender.outcomes.every((end) => end.outcome === 'accepted'), 'not all accepted');
  same(receiver.messages.map((message) => message.body), bodies, 'bodies');
}

function numbers(count) {
  return Array.from({ length: count }, (_, i) => String(i));
}

// Sends one message that the receiver answers with `settle`; returns what the sender is told.
async function outcome(settle, wanted) {
  const client = await dial();
  await client.receiver(address, { settle });
  const sender = await client.sender(address);
  await sendAll(sender, [{ body: 'one' }]);
  await until(() => sender.outcomes.length, 'the outcome');
  same(sender.outcomes[0].outcome, wanted, 'outcome');
  return sender.outcomes[0].state;
}

async function untilTold() {
  let told = false;
  process.stdin.on('data', () => { told = true; wake(); });
  process.stdout.write('ready\n');
  await until(() => told, 'the runner');
  process.stdin.destroy();
}

const behaviours = {
  async login() {
    await exchange(await dial(), address, ['logged in']);
  },

  async refused() {
    const client = new Client();
    await until(() => client.opens || client.closed !== null, 'the refusal');
    check(!client.opens, 'connected');
    console.log(client.closed);
  },

  async presettled() {
    const client = await dial();
    const receiver = await client.receiver(address);
    const sender = await client.sender(address, { options: { snd_settle_mode: 1 } });
    await sendAll(sender, numbers(100).map((body) => ({ body })));
    await until(() => receiver.messages.length === 100, 'the messages');
    same(receiver.settled, 100, 'settled');
    same(receiver.messages.map((message) => message.body), numbers(100), 'bodies');
  },

  async unsettled() {
    await exchange(await dial(), address, numbers(10000));
  },

  async accept() {
    await outcome((delivery) => delivery.accept(), 'accepted');
  },

  async reject() {
    const state = await outcome((delivery) => delivery.reject(
      { condition: 'interop:refused', description: 'not today' }), 'rejected');
    same([state.error.condition, state.error.description], ['interop:refused', 'not today'], 'error');
  },

  async release() {
    await outcome((delivery) => delivery.release(), 'released');
  },

  async modify() {
    const state = await outcome((delivery) => delivery.modified({
      delivery_failed: true, undeliverable_here: true, message_annotations: { 'x-opt-why': 'later' },
    }), 'modified');
    same([state.delivery_failed, state.undeliverable_here, state.message_annotations],
      [true, true, { 'x-opt-why': 'later' }], 'state');
  },

  async request_reply() {
    const [server, client] = [await dial(), await dial()];
    const answers = await server.sender(null);
    const requests = await server.receiver(address);
    const replies = await client.receiver(null);
    const replyTo = replies.link.source.address;
    check(replyTo, 'no dynamic address');
    const sender = await client.sender(address);
    await sendAll(sender, numbers(10).map((i) => (
      { body: `ask ${i}`, reply_to: replyTo, correlation_id: i })));
    await until(() => requests.messages.length === 10, 'the requests');
    await sendAll(answers, requests.messages.map((request) => ({
      to: request.reply_to, body: request.body.toUpperCase(), correlation_id: request.correlation_id,
    })));
    await until(() => replies.messages.length === 10, 'the replies');
    same(replies.messages.map((reply) => [reply.correlation_id, reply.body]),
      numbers(10).map((i) => [i, `ASK ${i}`]), 'replies');
  },

  async anonymous() {
    const client = await dial();
    const receivers = [await client.receiver(`${address}/0`), await client.receiver(`${address}/1`)];
    const sender = await client.sender(null);
    const offered = client.connection.remote.open.offered_capabilities;
    check(JSON.stringify(offered).includes('ANONYMOUS-RELAY'), `offered: ${offered}`);
    await sendAll(sender, numbers(2).map((i) => ({ to: `${address}/${i}`, body: i })));
    await until(() => receivers.every((receiver) => receiver.messages.length), 'the messages');
    same(receivers.map((receiver) => receiver.messages.map((m) => m.body)), [['0'], ['1']], 'bodies');
  },

  async body() {
    const client = await dial();
    const receiver = await client.receiver(address);
    const sender = await client.sender(address);
    const body = pattern(Number(options.size));
    await sendAll(sender, [{ body: rhea.message.data_section(body) }]);
    await until(() => sender.outcomes.length, 'the outcome');
    same(sender.outcomes[0].outcome, 'accepted', 'outcome');
    check(receiver.messages[0].body.content.equals(body), 'bodies differ');
  },

  async drain() {
    const client = await dial();
    const receiver = await client.receiver(address, { credit_window: 0 });
    receiver.link.add_credit(10);
    const sender = await client.sender(address);
    await sendAll(sender, numbers(3).map((body) => ({ body })));
    await until(() => receiver.messages.length === 3, 'the messages');
    receiver.link.drain_credit();
    await until(() => receiver.drained, 'the drain');
    same(receiver.link.credit, 0, 'credit');
    receiver.link.drain = false;
    receiver.link.add_credit(2);
    await sendAll(sender, [{ body: '3' }, { body: '4' }]);
    await until(() => receiver.messages.length === 5, 'what came after the drain');
  },

  async links() {
    const client = await dial();
    const addresses = numbers(150).map((i) => `${address}/${i}`);
    const receivers = await Promise.all(addresses.map((a) => client.receiver(a)));
    const senders = await Promise.all(addresses.map((a) => client.sender(a)));
    await Promise.all(senders.map((sender, i) => sendAll(sender, [{ body: addresses[i] }])));
    await until(() => receivers.every((receiver) => receiver.messages.length), 'every message');
    same(receivers.map((r) => r.messages.map((m) => m.body)), addresses.map((a) => [a]), 'bodies');
  },

  async multicast() {
    const client = await dial();
    const receivers = await Promise.all([0, 1, 2].map(() => client.receiver(address)));
    const sender = await client.sender(address);
    await sendAll(sender, numbers(10).map((body) => ({ body })));
    await until(() => receivers.every((r) => r.messages.length === 10), 'every copy');
    await until(() => sender.outcomes.length === 10, 'the outcomes');
    for (const receiver of receivers) same(receiver.messages.map((m) => m.body), numbers(10), 'copies');
  },

  async balanced() {
    const client = await dial();
    const receivers = [await client.receiver(address), await client.receiver(address)];
    const sender = await client.sender(address);
    await sendAll(sender, numbers(100).map((body) => ({ body })));
    const got = () => receivers.flatMap((receiver) => receiver.messages.map((m) => Number(m.body)));
    await until(() => got().length >= 100, 'every message');
    same(got().sort((a, b) => a - b), numbers(100).map(Number), 'bodies');
    check(receivers.every((receiver) => receiver.messages.length), 'one got nothing');
  },

  async kinds() {
    const client = await dial();
    const receiver = await client.receiver(address);
    const sender = await client.sender(address);
    const bodies = [
      rhea.message.data_section(Buffer.from([0, 1, 255])),
      rhea.message.data_sections([Buffer.from([1]), Buffer.from([2, 3])]),
      { a: [1, null, true, 2.5, 'ü'] },
      rhea.message.sequence_section([1, 'two', null]),
      null,
    ];
    const rest = {
      durable: true, priority: 7, ttl: 60000, message_id: 'an id', user_id: Buffer.from('me'),
      subject: 'all', reply_to: 'back', correlation_id: 42, content_type: 'x/y', group_id: 'g',
      group_sequence: 3, message_annotations: { 'x-opt-a': 'b' },
      application_properties: { text: 'ü', number: 7, yes: true, real: 0.5, none: null },
      footer: { 'x-opt-sum': 'f' },
    };
    for (const body of bodies) {
      await sendAll(sender, [{ ...rest, body }]);
      const got = await until(() => receiver.messages.pop(), 'the message');
      same(got.body, body, 'body');
      for (const [name, value] of Object.entries(rest)) same(got[name], value, name);
    }
  },

  async heartbeats() {
    const client = await dial();
    await untilTold();
    check(client.closed === null, client.closed);
    await exchange(client, address, ['still here']);
  },

  async closed() {
    const client = await dial();
    await client.receiver(address);
    process.stdout.write('ready\n');
    await until(() => client.closed !== null && /amqp:/.test(client.closed), 'the close');
    console.log(client.closed);
  },

  async reconnect() {
    const client = await dial({ reconnect: 50, initial_reconnect_delay: 50 });
    const receiver = await client.receiver(address);
    const sender = await client.sender(address);
    process.stdout.write('ready\n');
    await until(() => client.opens === 2 && sender.link.is_open(), 'the second connection');
    await sendAll(sender, [{ body: 'again' }]);
    await until(() => receiver.messages.length, 'the message');
  },

  async unavailable() {
    const client = await dial();
    for (const kind of ['sender', 'receiver']) {
      const link = await client[kind](address);
      await until(() => link.error, 'the refusal');
      console.log(kind, describe(link.error));
    }
  },

  async too_large() {
    const client = await dial();
    await client.receiver(address);
    const sender = await client.sender(address);
    await sendAll(sender, [{ body: rhea.message.data_section(pattern(Number(options.size))) }]);
    await until(() => sender.outcomes.length || client.closed !== null, 'the refusal');
    console.log(JSON.stringify(sender.outcomes), client.closed);
  },
};

behaviours[options.behaviour]().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
