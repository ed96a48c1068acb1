// Two users chat on a running server; one is cut off in the middle, comes back with `since`, and gets what it missed.
// Prints every envelope, and at the end counts what came: exit code 0 only if nothing is lost, repeated or reordered.

import { parseArgs } from 'node:util';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { Chat } from '../modules/chat/contract.ts';
import { chatTopic } from '../protocol/topics.ts';
import {
  createPrinter,
  defaultServer,
  Joined,
  openSocket,
  Positions,
  parseServerUrl,
  post,
  type ServerFrame,
  signIn,
} from './session.ts';
import { tally } from './tally.ts';

const waitMs = 10_000;

/** What a command answers about the events it wrote. [O3] */
const Written = Type.Object({
  events: Type.Array(Type.Object({ topic: Type.String(), seq: Type.Integer() })),
});

const notes = createPrinter();

/** True if the promise was kept. */
async function runDemo(server: URL): Promise<boolean> {
  const ann = await createPerson(server, 'Ann');
  const ben = await createPerson(server, 'Ben');
  const topic = await createDirectChat(server, ann, ben);

  await ann.connect();
  await ben.connect();
  const start = await ann.subscribe(topic, { snapshot: true });
  await ben.subscribe(topic, { snapshot: true });

  await ann.say(topic, 'Hi Ben!');
  await ben.say(topic, 'Hi Ann! My train is about to enter a tunnel.');
  await ben.reach(topic, await ann.say(topic, 'Which one?'));

  notes.note('Ben is cut off, without a goodbye.');
  await ben.cutOff();
  const missed = ['Ben?', 'Are you still there?', 'I will go on talking until you are back.'];
  let lastMissed = start.seq;
  for (const content of missed) lastMissed = await ann.say(topic, content);

  notes.note('Ben comes back and asks for what he missed.');
  await ben.connect();
  const resumed = await ben.resume(topic);
  await ben.reach(topic, lastMissed);
  const last = await ben.say(topic, 'I am back, and I have read it all.');
  await ann.reach(topic, last);
  await ben.reach(topic, last);
  ann.leave();
  ben.leave();

  notes.note(`Missed by Ben: ${missed.length}; replayed to him: ${resumed.replay}.`);
  let isKept = resumed.replay === missed.length;
  for (const { name, seqs } of [ann, ben]) {
    const { received, lost, repeated, reordered } = tally(seqs, start.seq, last);
    notes.note(`${name}: received ${received}, lost ${lost}, repeated ${repeated}, reordered ${reordered}`);
    if (lost + repeated + reordered > 0) isKept = false;
  }
  notes.note(isKept ? 'Every event, in order, once.' : 'The promise was broken.');
  return isKept;
}

async function createDirectChat(server: URL, creator: Person, other: Person): Promise<string> {
  const chat = await post(
    server,
    '/v1/chats',
    { type: 'direct', participantIds: [other.id] },
    creator.accessToken,
  );
  return chatTopic(check(Chat, chat).id);
}

async function createPerson(server: URL, name: string): Promise<Person> {
  const email = `${name.toLowerCase()}-${crypto.randomUUID()}@example.com`;
  const { accessToken, user } = await signIn(server, { email, password: crypto.randomUUID(), name });
  notes.note(`Registered ${name}, user ${user.id}.`);
  return new Person(server, name, user.id, accessToken);
}

/** A user with one connection at a time, and with a memory for what came over all of them. */
class Person {
  /** Of the durable events on the chat, as they came. */
  readonly seqs: number[] = [];
  readonly #printer;
  readonly #positions = new Positions();
  readonly #waiting = new Set<(frame: ServerFrame) => void>();
  #socket: WebSocket | undefined;
  #closed = Promise.resolve();
  #frames = 0;

  constructor(
    readonly server: URL,
    readonly name: string,
    readonly id: string,
    readonly accessToken: string,
  ) {
    this.#printer = createPrinter(name);
  }

  async connect(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#closed = closed.promise;
    const welcome = this.#next('a welcome', ({ type }) => type === 'welcome');
    this.#socket = openSocket(this.server, this.accessToken, {
      onFrame: (frame) => this.#receive(frame),
      onClose: (code, reason) => {
        this.#printer.note(`closed with ${code} ${reason}`.trimEnd());
        closed.resolve();
      },
    });
    await welcome;
  }

  async subscribe(topic: string, payload: object): Promise<Joined> {
    return check(Joined, await this.#request({ type: 'subscribe', topic, payload }));
  }

  async resume(topic: string): Promise<Joined> {
    const request = this.#positions.resume().find((candidate) => candidate.topic === topic);
    if (request === undefined) throw new Error(`${this.name} never followed ${topic}.`);
    return await this.subscribe(topic, request.payload);
  }

  /** Answers the seq of the message. */
  async say(topic: string, content: string): Promise<number> {
    const payload = { chatId: topic.replace(chatTopic(''), ''), content };
    const { events } = check(Written, await this.#request({ type: 'message.send', payload }));
    const position = events.find((event) => event.topic === topic);
    if (position === undefined) throw new Error(`The message left no event on ${topic}.`);
    return position.seq;
  }

  /** Waits until the event with this seq has come. */
  async reach(topic: string, seq: number): Promise<void> {
    if (this.seqs.includes(seq)) return;
    await this.#next(`event ${seq}`, (frame) => frame.topic === topic && frame.seq === seq);
  }

  async cutOff(): Promise<void> {
    // Bun's WebSocket has what the DOM's type, for good reason, has not: an end without a goodbye.
    (this.#socket as (WebSocket & { terminate(): void }) | undefined)?.terminate();
    await this.#closed;
  }

  leave(): void {
    this.#socket?.close(1000);
  }

  async #request(frame: { type: string; topic?: string; payload: object }): Promise<unknown> {
    this.#frames += 1;
    const id = `${this.name.toLowerCase()}-${this.#frames}`;
    const text = JSON.stringify({ id, ...frame });
    const reply = this.#next(`the reply to ${id}`, (candidate) => candidate.id === id);
    this.#printer.sent(text);
    this.#socket?.send(text);
    const { type, payload } = await reply;
    if (type !== 'ok') throw new Error(`${this.name}: ${frame.type} was refused.`);
    return payload;
  }

  #receive(frame: ServerFrame): void {
    this.#printer.received(frame);
    this.#positions.note(frame);
    if (frame.seq !== undefined) this.seqs.push(frame.seq);
    for (const look of [...this.#waiting]) look(frame);
  }

  async #next(what: string, matches: (frame: ServerFrame) => boolean): Promise<ServerFrame> {
    const found = Promise.withResolvers<ServerFrame>();
    const look = (frame: ServerFrame): void => {
      if (matches(frame)) found.resolve(frame);
    };
    this.#waiting.add(look);
    const timer = setTimeout(
      () => found.reject(new Error(`${this.name} waited ${waitMs} ms for ${what}.`)),
      waitMs,
    );
    return await found.promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    });
  }
}

function check<Schema extends Parameters<typeof Value.Check>[0]>(
  schema: Schema,
  value: unknown,
): Static<Schema> {
  if (Value.Check(schema, value)) return value;
  throw new Error(`The server answered something unexpected: ${JSON.stringify(value)}`);
}

try {
  const url = process.env.CARILLON_URL || defaultServer;
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: url },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(
      `Usage: bun run demo [--url <url>]\n  --url  the server (CARILLON_URL, else ${defaultServer})\n`,
    );
    process.exit(0);
  }
  process.exit((await runDemo(parseServerUrl(values.url))) ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
