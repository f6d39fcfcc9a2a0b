// A bot in a library of npm, unchanged, that is pointed at another address than Discord's. It says on its standard
// output, one JSON object a line, what it is told: ready, resumed, and the number in each message.
//
//   node gateway_client.js LIBRARY URL TOKEN
"use strict";

const [library, url, token] = process.argv.slice(2);

const say = (on, n) => process.stdout.write(JSON.stringify({ on, n }) + "\n");
const message = (content) => {
  const found = /^burst (\d+)$/.exec(content);
  if (found) say("message", Number(found[1]));
};
const complain = (what) => (...args) => process.stderr.write(what + ": " + args.map(String).join(" ") + "\n");

const libraries = {
  "discord.js"() {
    const { Client, GatewayIntentBits: I } = require("discord.js");
    const client = new Client({ intents: [I.Guilds, I.GuildMessages, I.MessageContent], rest: { api: url + "/api", cdn: url } });
    client.on("clientReady", () => say("ready"));
    client.on("shardResume", () => say("resumed"));
    client.on("messageCreate", (m) => message(m.content));
    client.on("error", complain("error"));
    client.on("shardError", complain("shardError"));
    client.login(token);
  },

  "oceanic.js"(compress = false) {
    const { Client } = require("oceanic.js");
    const client = new Client({
      auth: "Bot " + token, rest: { baseURL: url + "/api/v10" },
      gateway: { intents: ["GUILDS", "GUILD_MESSAGES", "MESSAGE_CONTENT"], maxShards: 1, compress },
    });
    client.on("shardReady", () => say("ready"));
    client.on("shardResume", () => say("resumed"));
    client.on("messageCreate", (m) => message(m.content));
    client.on("error", complain("error"));
    client.on("warn", complain("warn"));
    client.connect();
  },

  "oceanic.js with zlib-stream"() { libraries["oceanic.js"]("zlib-stream"); },

  eris() { // its address of the API has port 443 and https, whatever is set
    const http = require("http");
    const target = new URL(url);
    require("https").request = (o) => http.request({ ...o, host: target.hostname, port: target.port, agent: undefined });
    const Eris = require("eris");
    const client = new Eris("Bot " + token, {
      intents: ["guilds", "guildMessages", "messageContent"], maxShards: 1, restMode: false,
      rest: { domain: target.hostname, baseURL: "/api/v10" },
    });
    client.on("ready", () => say("ready"));
    client.on("shardResume", () => say("resumed"));
    client.on("messageCreate", (m) => message(m.content));
    client.on("error", complain("error"));
    client.on("warn", complain("warn"));
    client.connect();
  },
};

if (!libraries[library]) {
  process.stderr.write("usage: node gateway_client.js " + Object.keys(libraries).join("|") + " URL TOKEN\n");
  process.exit(2);
}
libraries[library]();
process.stdin.resume();
process.stdin.on("end", () => process.exit(0)); // the test has gone
