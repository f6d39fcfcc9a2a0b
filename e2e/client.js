// A Socket.IO client that a test drives: commands come in as JSON lines on stdin, what happens goes out as JSON lines on
// stdout. It adds nothing to the library, so what is seen is what the library does.
//
//   node client.js <package> <url> <options as JSON>
//
// in:  {"do":"emit","event":"state","args":["1"],"ack":7}   with ack, {"on":"ack","id":7} follows once it is acknowledged
//      {"do":"burst","events":[["state","1"],["player","{}"]],"ack":8}   all at once; the ack is that of the last one
//      {"do":"answer","with":["taskComplete","taskFailed"]}   what to answer to the next wishes to mute, in turn; {"on":"prepared"} follows
//      {"do":"transport"}   {"on":"transport","name":"websocket"} follows
//      {"do":"close"}
// out: {"on":"connect"|"disconnect"|"connect_error"|"event"|"ack"|"transport"|"prepared"|"upgrade", …}
'use strict';

const readline = require('readline');

const [, , library, url, options] = process.argv;
const socket = require(library)(url, JSON.parse(options));
const answers = [];

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const taken = (id) => (id === undefined ? [] : [(...args) => say({ on: 'ack', id, args })]);

// Both generations of the library have onevent, through which every event of the server comes.
const onevent = socket.onevent;
socket.onevent = function (packet) {
  const [name, ...args] = packet.data;
  say({ on: 'event', name, args });
  if (name === 'modify') {
    const answer = answers.shift();
    if (answer) socket.emit(answer, JSON.parse(args[0]).taskID);
  }
  onevent.call(this, packet);
};

socket.on('connect', () => {
  const engine = socket.io.engine;
  say({ on: 'connect', id: socket.id, transport: engine.transport.name });
  engine.on('upgrade', (transport) => say({ on: 'upgrade', transport: transport.name }));
});
socket.on('disconnect', (reason) => say({ on: 'disconnect', reason }));
socket.on('connect_error', (err) => say({ on: 'connect_error', reason: String(err) }));

const commands = {
  emit: (c) => socket.emit(c.event, ...c.args, ...taken(c.ack)),
  burst: (c) => c.events.forEach((e, i) => socket.emit(...e, ...(i === c.events.length - 1 ? taken(c.ack) : []))),
  answer: (c) => {
    answers.push(...c.with);
    say({ on: 'prepared' });
  },
  transport: () => say({ on: 'transport', name: socket.io.engine.transport.name }),
  close: () => socket.close(),
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const c = JSON.parse(line);
    commands[c.do](c);
  })
  .on('close', () => socket.close()); // the test has ended; node ends once the goodbye is out
