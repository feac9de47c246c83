#!/usr/bin/env node
'use strict';

// Plays the plan with `ws`, against the `sansocket` command, as `peer.py` does with
// `websockets`:
//
//   peer.js PLAN SANSOCKET ROLES IDENTITY [-v]
//
// `ws` comes from NODE_PATH.

const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const http = require('http');
const https = require('https');
const pathOf = require('path').join;
const readline = require('readline');

const WebSocket = require('ws');

const PEER = 'ws';
const VERSION = require('ws/package.json').version;
const TIMEOUT = 30_000; // milliseconds, for one combination
const COMPRESS = ['--compress', '--compress-threshold', '0'];
const ROLES = {
  server: ['our server, their client', ourServer],
  client: ['our client, their server', ourClient],
};

async function main() {
  const [path, command, roles, folder, ...verbose] = process.argv.slice(2);
  const plan = JSON.parse(fs.readFileSync(path));
  for (const deck of plan.decks) {
    for (const message of deck) message.bytes = Buffer.from(message.data, 'base64');
  }
  let failed = 0;
  for (const role of roles.split(',')) {
    const part = plan.peers[PEER][role];
    const [what, play] = ROLES[role];
    const report = new Report(verbose.length > 0);
    await play(command, part.groups, plan.decks, new Identity(folder), report);
    report.sumUp(`${PEER} ${VERSION}, ${what}`, part.impossible);
    failed += report.failed;
  }
  process.exit(failed ? 1 : 0);
}

// --- Their client ---

async function ourServer(command, groups, decks, identity, report) {
  for (const group of groups) {
    const isSecure = group.transport === 'tls';
    const place = ['--listen', '127.0.0.1:0'];
    if (isSecure) place.push('--tls-cert', identity.cert, '--tls-key', identity.key);
    const trust = isSecure ? { ca: fs.readFileSync(identity.ca) } : {};
    const ours = new Command(command, ['serve', ...place, ...COMPRESS, ...group.options]);
    const [url] = await ours.says(/wss?:\/\/127\.0\.0\.1:\d+\/ws/);
    for (const [index, each] of group.cases.entries()) {
      await report.watch(each.name, againstServer(url, trust, ours, index + 1, each, decks));
    }
    ours.interrupt();
    await ours.end(report);
  }
}

async function againstServer(url, trust, ours, number, each, decks) {
  // Their default is to let their window be limited; the plan says so itself.
  const perMessageDeflate = theirOptions({ client_max_window_bits: false, ...each.theirs });
  const socket = new WebSocket(url, { perMessageDeflate, ...trust });
  let count;
  try {
    count = await new Promise((resolve, reject) => {
      let answer;
      socket.once('error', reject);
      socket.once('upgrade', (response) => (answer = response.headers['sec-websocket-extensions']));
      socket.once('open', () => resolve(exchange(socket, answer, each, decks, 'client')));
    });
  } finally {
    socket.terminate();
  }
  const [, end, messages] = await ours.says(
    new RegExp(`^#${number} .* closed: (.*?); (\\d+) messages`),
  );
  equal([end, Number(messages)], ['closed with 1000', count], "our server's log");
  return count;
}

// --- Their server: how many cases, each of them, the end, as the fuzzing server
// of the Autobahn suite has it ---

async function ourClient(command, groups, decks, identity, report) {
  const game = new Game(decks);
  const places = {
    tcp: [`ws://${await game.listen(http.createServer())}`],
    tls: [`wss://${await game.listen(https.createServer(identity.ofServer()))}`, '--ca', identity.ca],
  };
  for (const group of groups) {
    game.begin(group.cases);
    const place = places[group.transport];
    const ours = new Command(command, ['autobahn', ...place, ...COMPRESS, ...group.options]);
    for (const [number, each] of group.cases.entries()) {
      await report.watch(each.name, game.outcome(ours, number));
    }
    await ours.end(report);
  }
}

/** Who a server is, and who says so. */
class Identity {
  constructor(folder) {
    [this.key, this.cert, this.ca] = ['key', 'cert', 'ca'].map((name) => pathOf(folder, `${name}.pem`));
  }

  ofServer() {
    return { key: fs.readFileSync(this.key), cert: fs.readFileSync(this.cert) };
  }
}

class Game {
  constructor(decks) {
    this.decks = decks;
  }

  /** The server's address. */
  async listen(server) {
    server.on('upgrade', (request, stream, head) => this.upgrade(request, stream, head));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${server.address().port}`;
  }

  begin(cases) {
    this.cases = cases;
    this.results = [];
  }

  /** Each case has its own parameters. The others are not compressed. */
  upgrade(request, stream, head) {
    const url = new URL(request.url, 'ws://localhost');
    const number = Number(url.searchParams.get('case')) - 1;
    const each = url.pathname === '/runCase' ? this.cases[number] : null;
    const server = new WebSocket.Server({
      noServer: true,
      perMessageDeflate: each && theirOptions(each.theirs),
    });
    let answer;
    server.once('headers', (lines) => {
      const line = lines.find((line) => line.startsWith('Sec-WebSocket-Extensions: '));
      answer = line?.slice(line.indexOf(' ') + 1);
    });
    server.handleUpgrade(request, stream, head, (socket) => {
      if (each) {
        const result = exchange(socket, answer, each, this.decks, 'server');
        result.catch(() => socket.terminate()); // told by `outcome`
        this.results[number] = result;
      } else if (url.pathname === '/getCaseCount') {
        socket.send(String(this.cases.length));
      }
    });
  }

  /** Our client has to come for each case, and to see it closed with 1000. */
  async outcome(ours, number) {
    const [, end] = await ours.says(new RegExp(`^case ${number + 1} of ${this.cases.length}: (.*)`));
    if (!this.results[number]) throw new Error('our client did not come');
    const count = await this.results[number];
    equal(end, 'closed with 1000', "our client's log");
    return count;
  }
}

// --- One combination ---

/** With the threshold that `ws` has for messages that are compressed alone. */
function theirOptions(wish) {
  const camel = (name) => name.replace(/_./g, (letter) => letter[1].toUpperCase());
  const options = Object.entries(wish).map(([name, value]) => [camel(name), value]);
  return {
    ...Object.fromEntries(options),
    threshold: 0,
    // zlib looks for references that leave the window only where they leave what it
    // puts out at a time as well. So it gets less room than out of the box.
    zlibInflateOptions: { chunkSize: 1024 },
  };
}

function exchange(socket, answer, each, decks, sentBy) {
  return new Promise((resolve, reject) => {
    const deck = decks[each.deck];
    equal(parse(answer), each.agreed, 'what was agreed');
    const wires = each.agreed ? watch(socket, each.agreed, sentBy) : [];
    let count = 0;
    socket.on('error', reject);
    socket.on('message', (data, isBinary) => {
      const message = deck[count];
      if (!message || isBinary === message.text || !data.equals(message.bytes)) {
        reject(new Error(`message ${count} came back as another`));
      }
      count += 1;
      if (count === deck.length) socket.close(1000);
    });
    socket.once('close', (code) => {
      try {
        equal([code, count], [1000, deck.length], 'the code of our Close, and the echoes');
        for (const wire of wires) wire.check(deck);
        resolve(count);
      } catch (error) {
        reject(error);
      }
    });
    for (const message of deck) send(socket, message);
  });
}

function send(socket, message) {
  const options = { binary: !message.text };
  if (!message.fragments) {
    socket.send(message.bytes, options);
    return;
  }
  let start = 0;
  for (const [number, length] of message.fragments.entries()) {
    const fin = number === message.fragments.length - 1;
    socket.send(message.bytes.subarray(start, start + length), { ...options, fin });
    start += length;
    // §5.4: control frames may come between fragments.
    socket.ping();
  }
}

/** The parameters of the one element, sorted; null if there is none. */
function parse(answer) {
  if (answer === undefined) return null;
  const [name, ...parameters] = answer.split(';').map((part) => part.trim());
  equal(name, 'permessage-deflate', 'the extension');
  return parameters.sort();
}

/** Two wires that see what the extension makes and gets: it is given the frames of
 * compressed messages only, those with RSV1. */
function watch(socket, agreed, sentBy) {
  const extension = socket._extensions['permessage-deflate'];
  const [sent, received] = sentBy === 'client' ? ['client', 'server'] : ['server', 'client'];
  const wires = [new Wire(agreed, sent, false), new Wire(agreed, received, true)];
  const { compress, decompress } = extension;
  extension.compress = function (data, fin, callback) {
    compress.call(this, data, fin, (error, compressed) => {
      if (!error) wires[0].note(compressed);
      if (fin) wires[0].end();
      callback(error, compressed);
    });
  };
  extension.decompress = function (data, fin, callback) {
    wires[1].note(data);
    decompress.call(this, data, fin, callback);
  };
  socket.on('message', () => wires[1].end());
  return wires;
}

/** What goes over the wire in one direction. */
class Wire {
  constructor(agreed, sender, isOurs) {
    this.sender = sender;
    this.isOurs = isOurs;
    this.keepsContext = !agreed.includes(`${sender}_no_context_takeover`);
    this.lengths = []; // of each message; null if it is not compressed
    this.length = null;
  }

  note(data) {
    this.length += data.length;
  }

  end() {
    this.lengths.push(this.length);
    this.length = null;
  }

  check(deck) {
    equal(this.lengths.length, deck.length, `messages sent by the ${this.sender}`);
    for (const [number, message] of deck.entries()) {
      const length = this.lengths[number];
      const what = `message ${number}, ${length} bytes on the wire, sent by the ${this.sender},`;
      if (length === null) {
        if (!this.mayBePlain(message)) throw new Error(`${what} is not compressed`);
        continue;
      }
      if (message.squeezes && length > message.bytes.length / 4) {
        throw new Error(`${what} is hardly compressed`);
      }
      if (message.again && length < 25 !== this.keepsContext) {
        throw new Error(`${what} has the wrong context`);
      }
    }
  }

  /** We leave a message as it is if it would not become shorter, but only where none
   * behind it could refer to it. */
  mayBePlain(message) {
    return this.isOurs && !this.keepsContext && !message.squeezes;
  }
}

// --- Our command, and the report ---

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.on('SIGTERM', () => process.exit(143));

class Command {
  constructor(command, args) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        running.delete(this.child);
        resolve(code ?? signal);
      });
    });
    this.lines = [];
    this.last = 'nothing';
    this.arrived = () => {};
    for (const stream of [this.child.stdout, this.child.stderr]) {
      readline.createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.arrived();
      });
    }
  }

  /** The next line of its output that matches. */
  async says(pattern) {
    for (;;) {
      while (this.lines.length) {
        this.last = this.lines.shift();
        const found = this.last.match(pattern);
        if (found) return found;
      }
      const ended = this.ended.then(() => {
        throw new Error(`our command ended without ${pattern}, and said last: ${this.last}`);
      });
      await Promise.race([new Promise((resolve) => (this.arrived = resolve)), ended]);
    }
  }

  interrupt() {
    this.child.kill('SIGINT');
  }

  /** It has to end well. */
  async end(report) {
    const status = await within(this.ended);
    if (status !== 0) report.fail('the end of our command', `${status}, and ${this.last}`);
  }
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, TIMEOUT, new Error('timed out'));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function equal(got, wanted, what) {
  const [g, w] = [got, wanted].map((value) => JSON.stringify(value));
  if (g !== w) throw new Error(`${what}: got ${g}, wanted ${w}`);
}

class Report {
  constructor(isVerbose) {
    this.isVerbose = isVerbose;
    this.begun = performance.now();
    this.passed = this.failed = this.messages = 0;
  }

  async watch(name, playing) {
    try {
      this.messages += await within(playing);
      this.passed += 1;
      if (this.isVerbose) console.log(`ok      ${name}`);
    } catch (error) {
      this.fail(name, error.message);
    }
  }

  fail(name, why) {
    this.failed += 1;
    console.log(`FAILED  ${name}\n        ${why}`);
  }

  sumUp(what, impossible) {
    const count = impossible.reduce((sum, each) => sum + each.count, 0);
    const seconds = ((performance.now() - this.begun) / 1000).toFixed(1);
    console.log(
      `${what}: ${this.passed} combinations passed, ${this.failed} failed, ` +
        `${count} not possible; ${this.messages} messages in ${seconds} s`,
    );
    for (const each of impossible) console.log(`    ${each.count} not possible: ${each.why}`);
  }
}

main();
