// Two users chat on a running server; one is cut off in the middle, comes back with `since`, and gets what it missed; then one
// thing of each other module. Prints every envelope, and counts what came: exit code 0 only if nothing is lost, repeated or
// reordered.

import { parseArgs } from 'node:util';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { Chat, chatTopic } from '../modules/chat/contract.ts';
import { showModules } from './demo-tour.ts';
import { defaultServer, parseServerUrl, post } from './http.ts';
import { type Client, createClient } from './index.ts';
import { signIn } from './login.ts';
import { createPrinter } from './printer.ts';
import { tally } from './tally.ts';

const waitMs = 10_000;

const notes = createPrinter();

/** True if the promise was kept. */
async function runDemo(server: URL): Promise<boolean> {
  const ann = await createPerson(server, 'Ann');
  const ben = await createPerson(server, 'Ben');
  const topic = await createDirectChat(server, ann, ben);

  await Promise.all([ann.client.connect(), ben.client.connect()]);
  const start = await ann.client.topic(topic).joined;
  const followed = ben.client.topic(topic);
  await followed.joined;

  await ann.say(topic, 'Hi Ben!');
  await ben.say(topic, 'Hi Ann! My train is about to enter a tunnel.');
  await ben.reach(topic, await ann.say(topic, 'Which one?'));

  notes.note('Ben is cut off, without a goodbye.');
  ben.client.abandon();
  const missed = ['Ben?', 'Are you still there?', 'I will go on talking until you are back.'];
  let lastMissed = start.seq;
  for (const content of missed) lastMissed = await ann.say(topic, content);

  notes.note('Ben comes back and asks for what he missed.');
  let replayed = 0;
  followed.onJoined(({ replay }) => {
    replayed = replay;
  });
  await ben.client.connect();
  await ben.reach(topic, lastMissed);
  const last = await ben.say(topic, 'I am back, and I have read it all.');
  await ann.reach(topic, last);
  await ben.reach(topic, last);
  notes.note(`Missed by Ben: ${missed.length}; replayed to him: ${replayed}.`);
  let isKept = replayed === missed.length;
  for (const { name, seqs } of [ann, ben]) {
    const { received, lost, repeated, reordered } = tally(seqs, start.seq, last);
    notes.note(`${name}: received ${received}, lost ${lost}, repeated ${repeated}, reordered ${reordered}`);
    if (lost + repeated + reordered > 0) isKept = false;
  }
  notes.note(isKept ? 'Every event, in order, once.' : 'The promise was broken.');

  await showModules({ ann, ben, chatId: chatIdOf(topic), note: notes.note });
  ann.client.close();
  ben.client.close();
  return isKept;
}

const chatIdOf = (topic: string): string => topic.replace(chatTopic(''), '');

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

/** A user with a client, and with a memory for what came over all its connections. */
class Person {
  /** Of the durable events on the chat, as they came: also what the client itself would leave out. */
  readonly seqs: number[] = [];
  readonly client: Client;

  constructor(
    readonly server: URL,
    readonly name: string,
    readonly id: string,
    readonly accessToken: string,
  ) {
    const printer = createPrinter(name);
    this.client = createClient({
      url: server.href,
      getToken: () => accessToken,
      maxAttempts: 3,
      onSend: (frame) => printer.sent(frame),
      onFrame: (frame) => {
        printer.received(frame);
        if (frame.seq !== undefined) this.seqs.push(frame.seq);
      },
      onLost: ({ code, reason }) => printer.note(`lost with ${code} ${reason}`.trimEnd()),
    });
  }

  /** Answers the seq of the message. */
  async say(topic: string, content: string): Promise<number> {
    const { events } = await this.client.send('message.send', { chatId: chatIdOf(topic), content });
    const position = events.find((event) => event.topic === topic);
    if (position === undefined) throw new Error(`The message left no event on ${topic}.`);
    return position.seq;
  }

  /** Waits until the event with this seq has come. */
  async reach(topic: string, seq: number): Promise<void> {
    const late = AbortSignal.timeout(waitMs);
    const tooLate = new Promise<never>((_, reject) => {
      late.onabort = () => reject(new Error(`${this.name} waited ${waitMs} ms for event ${seq}.`));
    });
    await Promise.race([this.client.topic(topic).reach(seq), tooLate]);
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
