// A client with grpc-js: each mode does some calls, and prints what it got as JSON Lines.
// usage: node client.js PROTOS ADDRESS ROOM MODE
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const [protos, address, room, mode] = process.argv.slice(2);
const file = path.join(protos, "chatctl/v1/chat.proto");
const options = { includeDirs: [protos], enums: String, longs: String, arrays: true, keepCase: true };
const definition = protoLoader.loadSync(file, options);
const { ChatService } = grpc.loadPackageDefinition(definition).chatctl.v1;
const client = new ChatService(address, grpc.credentials.createInsecure());
const print = (value) => console.log(JSON.stringify(value));
const ended = (call) =>
  new Promise((resolve) => call.on("error", (error) => resolve(error.code)).on("end", () => resolve(0)));
const texts = (response) => response.runs.flatMap((run) => run.texts);

const modes = {
  unary: () =>
    new Promise((resolve, reject) =>
      client.getStats({}, (error, stats) => (error ? reject(error) : resolve(print(stats.store)))),
    ),
  async stream() {
    const call = client.getMessages({ rooms: [room] });
    call.on("data", (response) => texts(response).forEach(print));
    print(await ended(call));
  },
  async bidirectional() {
    const call = client.sendAndReceiveMessage();
    const received = [];
    call.on("data", (response) => {
      for (const receipt of response.receipts) {
        received.push(`${receipt.number} ${receipt.status}`);
        if (received.length === 1) call.write({ texts: ["two"] }); // only after the receipt of the first
        if (received.length === 2) call.end();
      }
    });
    call.write({ user: "node", room, texts: ["one"] });
    print([await ended(call), ...received]);
  },
  async deadline() {
    const call = client.getMessages({ rooms: [room], follow: true }, { deadline: Date.now() + 500 });
    call.on("data", () => {});
    print(await ended(call));
  },
  async cancel() {
    const call = client.getMessages({ rooms: [room], follow: true });
    call.on("data", (response) => texts(response).length && call.cancel());
    print(await ended(call));
  },
};
modes[mode]().then(() => client.close());
